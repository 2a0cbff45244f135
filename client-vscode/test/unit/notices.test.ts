import assert from "node:assert/strict";
import { test } from "node:test";
import { isAboutConversation, overBudgetReason, shown } from "../../src/notices";
import type { Notice } from "../../src/structs";

const notice = (
  kind: string,
  data: Record<string, unknown> = {},
  severity: Notice["severity"] = "warning",
): Notice => ({ kind, severity, message: "A sentence of the server.", data });
const relative = (path: string): string => path.replace("/work/", "");
const NOTE = { path: "/work/notes/sky.md", provider: "claude", sessionId: "s" };
const MIB = 2 ** 20;

for (const [kind, data, message, remedies] of [
  [
    "note_missing",
    NOTE,
    "Kato paused the recording to notes/sky.md: the note is gone.",
    ["Recreate", "Stop Recording"],
  ],
  [
    "text_backed_up",
    { path: "/work/draft.md", backupPath: "/state/backups/draft.md" },
    "draft.md held other text. Kato replaced it, and kept a copy.",
    ["Open Backup", "Compare"],
  ],
  [
    "text_backed_up",
    { ...NOTE, backupPath: "/state/backups/sky.md" },
    "notes/sky.md held another conversation. Kato replaced it, and kept a copy.",
    ["Open Backup", "Compare"],
  ],
  [
    "recording_paused",
    { ...NOTE, reason: "/work/notes/sky.md is a folder" },
    "Kato paused the recording to notes/sky.md: notes/sky.md is a folder. It tries again by itself.",
    ["Stop Recording", "Show Log"],
  ],
  ["recording_resumed", NOTE, "The recording to notes/sky.md goes on.", []],
  ["recording_stopped", { ...NOTE, backupPath: "/b" }, "A sentence of the server.", ["Open Backup", "Compare"]],
  ["recording_stopped", NOTE, "A sentence of the server.", []],
  [
    "limit_not_kept",
    { limitBytes: 40 * MIB, smallestLimitBytes: 87 * MIB },
    "Kato's process needs more than 40 MB. The limit applies to the conversations in memory alone; from 87 MB on, it applies to the whole process.",
    ["Raise Limit…"],
  ],
  [
    "settings_rejected",
    { key: "maxSessions", rule: "must be an integer from 1 to 1000000000", got: 0 },
    "Kato ignored the change: kato.maxSessions must be an integer from 1 to 1000000000; got 0.",
    ["Open Settings"],
  ],
  [
    "restart_needed",
    { keys: ["journal", "stateDir"] },
    "Changes of kato.journal and kato.stateDir take effect when Kato's server restarts.",
    ["Restart Now"],
  ],
  ["journal_lost", {}, "A sentence of the server.", ["Restart Now", "Show Log"]],
] as const) {
  test(`${kind} with ${Object.keys(data).join(", ") || "no data"} is shown with what can be done`, () => {
    assert.deepEqual(shown(notice(kind, data), relative), { message, severity: "warning", remedies });
  });
}

test("a remedy that lacks its data is not offered, and the server's own words are shown", () => {
  assert.deepEqual(shown(notice("note_missing"), relative), {
    message: "A sentence of the server.",
    severity: "warning",
    remedies: [],
  });
});

test("an error without a remedy of its own offers the log", () => {
  assert.deepEqual(shown(notice("a kind of a later server", {}, "error"), relative), {
    message: "A sentence of the server.",
    severity: "error",
    remedies: ["Show Log"],
  });
});

test("a message names a file by its path in the workspace", () => {
  const repaired = {
    ...notice("note_repaired", { path: "/work/a.md" }, "info"),
    message: "/work/a.md was saved without text: /work/a.md gets it again.",
  };
  assert.deepEqual(shown(repaired, relative), {
    message: "a.md was saved without text: a.md gets it again.",
    severity: "info",
    remedies: ["Open Note"],
  });
});

test("a failed command and the end of the process are shown elsewhere", () => {
  assert.equal(shown(notice("command_failed"), relative), undefined);
  assert.equal(shown(notice("over_budget"), relative), undefined);
});

test("notices about a conversation belong to the window where the user is, those about the process to its own", () => {
  assert.deepEqual(
    ["text_backed_up", "command_not_run", "note_missing", "settings_rejected", "limit_not_kept"].map((kind) =>
      isAboutConversation(notice(kind)),
    ),
    [true, true, true, false, false],
  );
});

test("the reason of the end over budget names the conversation by its title, otherwise by its id", () => {
  const data = { title: "Sort the log", sessionId: "s", neededBytes: 1.44 * MIB, budgetBytes: MIB };
  assert.equal(
    overBudgetReason(notice("over_budget", data)),
    "The conversation “Sort the log” needs 1.4 MB of memory; the limit leaves 1.0 MB.",
  );
  assert.match(overBudgetReason(notice("over_budget", { ...data, title: undefined })), /conversation “s” needs/);
  assert.match(overBudgetReason(notice("over_budget", { ...data, title: "x".repeat(90) })), /“x{39}…” needs/);
  assert.equal(overBudgetReason(notice("over_budget")), "A sentence of the server.");
});
