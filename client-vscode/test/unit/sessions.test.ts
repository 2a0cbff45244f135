import assert from "node:assert/strict";
import { test } from "node:test";
import { describe, folderOf, forPicking, lastModel, merged, ofWorkspace } from "../../src/sessions";
import type { ConversationSummary } from "../../src/structs";
import { conversation, session } from "./builders";

const NOW = Date.parse("2026-03-01T10:05:00Z");

function summary(sessionId: string, more: Partial<ConversationSummary> = {}): ConversationSummary {
  return {
    provider: "claude",
    sessionId,
    updatedAt: "2026-03-01T10:00:00Z",
    sizeBytes: 4096,
    extent: "log",
    ...more,
  };
}

test("a conversation that the server holds and the catalogue lists is one, with what each knows", () => {
  const [one, ...others] = merged(
    [session("a", { snippet: "first words" })],
    [summary("a", { title: "Title", cwd: "/work", extent: "kept", updatedAt: "2026-03-01T11:00:00Z" })],
  );
  assert.deepEqual(others, []);
  assert.deepEqual(
    [one?.title, one?.cwd, one?.at, one?.events, one?.place],
    ["Title", "/work", "2026-03-01T11:00:00Z", 3, "memory"],
  );
});

test("a title of the server's own wins, and the id stands for a conversation without words", () => {
  const found = merged(
    [session("a", { title: "Own" }), session("b")],
    [summary("a", { title: "Other" }), summary("c")],
  );
  assert.deepEqual(
    found.map(({ title }) => title),
    ["Own", "b", "c"],
  );
});

test("a conversation that only its log has is listed with the size of the log", () => {
  const [one] = merged([], [summary("a", { title: "Old", parentId: "main" })]);
  assert.deepEqual([one?.place, one?.bytes, one?.events, one?.parent], ["log", 4096, undefined, { sessionId: "main" }]);
});

for (const [what, more, isDeleted] of [
  ["whose log was deleted", { extent: "log_gone", gonePath: "/logs/a.jsonl" }, true],
  ["that never had a log", { extent: "log_gone" }, false],
  ["whose log exists", { extent: "kept", path: "/logs/a.jsonl" }, false],
] as const) {
  test(`a conversation ${what} is ${isDeleted ? "" : "not "}marked as deleted`, () => {
    assert.equal(merged([session("a")], [summary("a", more)])[0]?.isDeleted, isDeleted);
    assert.equal(merged([], [summary("a", more)])[0]?.isDeleted, isDeleted);
  });
}

test("sub-agents are not offered for capture", () => {
  const found = [
    conversation("old", { at: "2026-03-01T09:01:00Z" }),
    conversation("agent", { parent: { sessionId: "x" } }),
    conversation("new", { at: "2026-03-01T09:02:00Z" }),
  ];
  assert.deepEqual(
    forPicking(found).map((one) => one.sessionId),
    ["new", "old"],
  );
});

for (const [cwd, folders, shown] of [
  ["/work/app", ["/work/app"], true],
  ["/work/app/inner", ["/work/app"], true],
  ["/work/application", ["/work/app"], false],
  ["/elsewhere", ["/work/app", "/elsewhere/"], true],
  [undefined, ["/work/app"], true],
  ["/anything", [], true],
  ["c:\\Work\\App\\inner", ["C:\\work\\app"], true],
] as const) {
  test(`a session of ${cwd} in a window on ${folders.join(", ") || "no folder"} is ${shown ? "" : "not "}shown`, () => {
    assert.equal(ofWorkspace([session("s", cwd === undefined ? {} : { cwd })], folders).length === 1, shown);
  });
}

test("the folder of a path is the innermost one that holds it", () => {
  assert.equal(folderOf("/work/app/api/src", ["/work/app", "/work/app/api", "/other"]), "/work/app/api");
  assert.equal(folderOf("/elsewhere", ["/work/app"]), undefined);
  assert.equal(folderOf(undefined, ["/work/app"]), undefined);
});

const recording = { recordingId: "r", outputPath: "/n.md", active: true, startedAt: "" };
for (const [more, text] of [
  [{}, "5 min ago · 2.0 kB · 3 events"],
  [{ place: "journal", events: 10 }, "5 min ago · in the journal · 10 events"],
  [{ recording }, "5 min ago · 2.0 kB · 3 events · recording"],
  [{ recording: { ...recording, active: false } }, "5 min ago · 2.0 kB · 3 events"],
  [{ place: "journal", isDeleted: true }, "5 min ago · in the journal · 3 events · log deleted"],
  [{ notKept: "off" }, "5 min ago · 2.0 kB · 3 events · not kept"],
] as const) {
  test(`an item of a list says ${text}`, () => {
    assert.equal(describe(conversation("s", more), NOW), text);
  });
}

test("an item of a list says how large the log is where only that has the conversation", () => {
  const { events, ...rest } = conversation("s", { place: "log" });
  assert.equal(events, 3);
  assert.equal(describe(rest, NOW), "5 min ago · only in its log (2.0 kB)");
});

test("the model is the one that answered last", () => {
  assert.equal(lastModel([{ model: "one" }, { model: "two" }, { kind: "message.user" }]), "two");
  assert.equal(lastModel([{ kind: "message.user" }]), undefined);
});
