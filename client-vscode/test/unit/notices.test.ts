import assert from "node:assert/strict";
import { test } from "node:test";
import { shown } from "../../src/notices";
import type { Notice } from "../../src/structs";

const notice = (
  kind: string,
  data: Record<string, unknown> = {},
  severity: Notice["severity"] = "warning",
): Notice => ({ kind, severity, message: "A sentence of the server.", data });
const relative = (path: string): string => path.replace("/work/", "");

test("a note that is gone can be recreated, or its recording stopped", () => {
  assert.deepEqual(
    shown(notice("note_missing", { path: "/work/notes/sky.md", provider: "claude", sessionId: "s" }), relative),
    {
      message: "Kato paused the recording to notes/sky.md: the note is gone.",
      severity: "warning",
      remedies: ["Recreate", "Stop Recording"],
    },
  );
});

test("the copy of text that was replaced can be opened", () => {
  const found = shown(
    notice("text_backed_up", { path: "/work/draft.md", backupPath: "/state/backups/draft.md" }),
    relative,
  );
  assert.deepEqual(
    [found?.message, found?.remedies],
    ["Kato replaced text in draft.md that it had not written, and kept a copy.", ["Open Backup"]],
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

test("an error without a remedy of its own offers the log", () => {
  assert.deepEqual(shown(notice("a kind of a later server", {}, "error"), relative), {
    message: "A sentence of the server.",
    severity: "error",
    remedies: ["Show Log"],
  });
  assert.deepEqual(shown(notice("note_repaired", { path: "/work/a.md" }, "info"), relative)?.remedies, []);
});

test("a message names a file by its path in the workspace", () => {
  const repaired = {
    ...notice("note_repaired", { path: "/work/a.md" }, "info"),
    message: "/work/a.md was saved without text: /work/a.md gets it again.",
  };
  assert.equal(shown(repaired, relative)?.message, "a.md was saved without text: a.md gets it again.");
});

test("a failed command and the end of the process are shown elsewhere", () => {
  assert.equal(shown(notice("command_failed"), relative), undefined);
  assert.equal(shown(notice("over_budget"), relative), undefined);
});

test("a rejected setting is described by its data, in the words of the editor's settings", () => {
  const data = { key: "maxSessions", rule: "must be an integer from 1 to 1000000000", got: 0 };
  assert.deepEqual(shown(notice("settings_rejected", data, "error"), relative), {
    message: "kato.maxSessions must be an integer from 1 to 1000000000; got 0. Kato keeps its earlier settings.",
    severity: "error",
    remedies: ["Open Settings"],
  });
});
