import assert from "node:assert/strict";
import { promises as fs } from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { Relay, share } from "../../src/relay";

let storage: string;
let windows: Relay<string>[] = [];

beforeEach(async () => {
  storage = await fs.mkdtemp(path.join(os.tmpdir(), "kato-relay-"));
});
afterEach(async () => {
  windows.forEach((one) => one.dispose());
  windows = [];
  await fs.rm(storage, { recursive: true });
});

/** A window, and what it shows. */
async function open(folder: string, hasFocus: boolean): Promise<{ relay: Relay<string>; shown: string[] }> {
  const shown: string[] = [];
  const place = { hasFocus: () => hasFocus, folders: () => [folder] };
  const relay = new Relay<string>(storage, place, (message) => shown.push(message));
  windows.push(relay);
  await relay.listen();
  return { relay, shown };
}

test("a window with the focus shows its own messages", async () => {
  const here = await open("/work", true);
  const other = await open("/work", true);
  await here.relay.publish("captured");
  assert.deepEqual([here.shown, other.shown], [["captured"], []]);
});

test("a window without the focus leaves its message to the one where the user is, once", async () => {
  const away = await open("/work", false);
  const here = await open("/work", true);
  const third = await open("/work", false);
  await away.relay.publish("captured");
  assert.deepEqual([away.shown, here.shown, third.shown], [[], ["captured"], []]);
  assert.deepEqual(await fs.readdir(storage), []);
});

for (const [name, folder, hasFocus] of [
  ["with other folders", "/elsewhere", true],
  ["without the focus", "/work", false],
] as const) {
  test(`a window ${name} does not take a message, and the first one shows it`, async () => {
    const away = await open("/work", false);
    const other = await open(folder, hasFocus);
    await away.relay.publish("captured");
    assert.deepEqual([away.shown, other.shown], [["captured"], []]);
  });
}

test("messages that a window left when it ended are removed, and not shown", async () => {
  const left = path.join(storage, "left.json");
  await fs.writeFile(left, JSON.stringify({ folders: ["/work"], message: "old" }));
  await fs.utimes(left, new Date(0), new Date(0));
  const here = await open("/work", true);
  assert.deepEqual([here.shown, await fs.readdir(storage)], [[], []]);
});

for (const [one, other, expected] of [
  [["/a"], ["/a"], true],
  [["/a"], ["/a/b"], true],
  [["/a/b", "/c"], ["/a"], true],
  [["/a"], ["/ab"], false],
  [[], ["/a"], true],
] as const) {
  test(`windows with ${JSON.stringify(one)} and ${JSON.stringify(other)} ${expected ? "share" : "do not share"} a folder`, () => {
    assert.equal(share(one, other), expected);
  });
}
