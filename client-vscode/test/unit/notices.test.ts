import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { shown } from "../../src/notices";
import type { Notice } from "../../src/protocol";

const notice = (
  kind: string,
  data: Record<string, unknown> = {},
  severity: Notice["severity"] = "warning",
): Notice => ({ kind, severity, message: "A sentence of the server.", data });
const relative = (path: string): string => path.replace("/work/", "");

test("a note that is gone is named as the user names it, and can be recreated or given up", () => {
  assert.deepEqual(
    shown(notice("note_missing", { path: "/work/notes/sky.md", provider: "claude", sessionId: "s" }), relative),
    {
      message: "Kato: recording is paused, because notes/sky.md is gone.",
      severity: "warning",
      remedies: ["Recreate", "Stop Recording"],
    },
  );
});

test("text that was replaced can be opened", () => {
  const found = shown(
    notice("text_backed_up", { path: "/work/draft.md", backupPath: "/state/backups/draft.md" }),
    relative,
  );
  assert.deepEqual(
    [found?.message, found?.remedies],
    ["Kato: draft.md held text that Kato had not written; a copy was kept.", ["Open Backup"]],
  );
});

for (const [kind, remedy] of [
  ["limit_not_kept", "Raise Limit…"],
  ["settings_rejected", "Open Settings"],
  ["restart_needed", "Restart Now"],
] as const) {
  test(`${kind} offers ${remedy}`, () => {
    assert.deepEqual(shown(notice(kind), relative)?.remedies, [remedy]);
  });
}

test("what has no remedy of its own leads to the log if it is an error", () => {
  assert.deepEqual(shown(notice("a kind of a later server", {}, "error"), relative), {
    message: "Kato: A sentence of the server.",
    severity: "error",
    remedies: ["Show Log"],
  });
  assert.deepEqual(shown(notice("note_repaired", { path: "/work/a.md" }, "info"), relative)?.remedies, []);
});

test("a file is named as the user names it", () => {
  const repaired = {
    ...notice("note_repaired", { path: "/work/a.md" }, "info"),
    message: "/work/a.md was saved without text: /work/a.md gets it again.",
  };
  assert.equal(shown(repaired, relative)?.message, "Kato: a.md was saved without text: a.md gets it again.");
});

test("a failed command and the end of the process are shown once, elsewhere", () => {
  assert.equal(shown(notice("command_failed"), relative), undefined);
  assert.equal(shown(notice("over_budget"), relative), undefined);
});

test("every kind that this client treats apart is a kind of the server's", () => {
  const source = readFileSync("../server/kato/core/notices.py", "utf8");
  const kinds = [...(/NoticeKind = Literal\[(.*?)\]/s.exec(source)?.[1] ?? "").matchAll(/"(\w+)"/g)].map(
    (match) => match[1],
  );
  const used = [...readFileSync("src/notices.ts", "utf8").matchAll(/"(\w+_\w+)"|^  (\w+_\w+):/gm)].map(
    (match) => match[1] ?? match[2],
  );
  assert.ok(used.length >= 7);
  assert.deepEqual(
    used.filter((kind) => !kinds.includes(kind)),
    [],
  );
});
