import assert from "node:assert/strict";
import { test } from "node:test";
import { fromFolder, unused } from "../../src/destination";

for (const [there, free] of [
  [[], "/n/a.md"],
  [["/n/a.md"], "/n/a-2.md"],
  [["/n/a.md", "/n/a-2.md", "/n/a-4.md"], "/n/a-3.md"],
] as const) {
  test(`beside ${there.join(", ") || "nothing"} the proposal is ${free}`, async () => {
    assert.equal(await unused("/n/a.md", async (file) => (there as readonly string[]).includes(file)), free);
  });
}

test("a number goes before the extension, not into a folder's name", async () => {
  const isNew = async (file: string): Promise<boolean> => !/-2(\.|$)/.test(file);
  assert.equal(await unused("/n.d/conversation", isNew), "/n.d/conversation-2");
  assert.equal(await unused("C:\\n.d\\a.b.jsonl", isNew), "C:\\n.d\\a.b-2.jsonl");
});

for (const [file, folder, named] of [
  ["/work/app/notes/a.md", "/work/app", "notes/a.md"],
  ["/work/app/..notes.md", "/work/app", "..notes.md"],
  ["/work/application/a.md", "/work/app", "/work/application/a.md"],
  ["/home/me/a.md", "/work/app", "/home/me/a.md"],
  ["/work/app/a.md", undefined, "/work/app/a.md"],
] as const) {
  test(`${file} is named ${named} from ${folder ?? "no folder"}`, () => {
    assert.equal(fromFolder(file, folder), named);
  });
}
