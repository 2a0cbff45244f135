import assert from "node:assert/strict";
import { test } from "node:test";
import { changes, describe, forPicking, ofWorkspace, tree, type Entry } from "../../src/sessions";
import { assistantNames } from "../../src/text";
import { session } from "./builders";

/** The names that a status gives; it does not name Gemini. */
const nameOf = assistantNames([
  { provider: "claude", title: "Claude Code", activeSessions: 0 },
  { provider: "codex", title: "Codex", activeSessions: 0 },
  { provider: "gemini", activeSessions: 0 },
]);
const NOW = Date.parse("2026-03-01T10:05:00Z");
const at = (minute: number): { lastMessageAt: string } => ({
  lastMessageAt: `2026-03-01T09:${String(minute).padStart(2, "0")}:00Z`,
});
const shape = (entries: readonly Entry[]): unknown =>
  entries.map(({ id, children }) => (children.length === 0 ? id : [id, shape(children)]));

test("assistants are ordered by their latest conversation, conversations by time", () => {
  const found = tree(
    [session("old", at(1)), session("new", at(30)), session("x", { provider: "codex", ...at(40) })],
    NOW,
    nameOf,
  );
  assert.deepEqual(shape(found), [
    ["codex", ["codex/x"]],
    ["claude", ["claude/new", "claude/old"]],
  ]);
  assert.deepEqual(
    found.map(({ label, description }) => [label, description]),
    [
      ["Codex", "1"],
      ["Claude Code", "2"],
    ],
  );
});

test("a sub-agent's conversation is below its parent's, and at the top where the parent is unknown", () => {
  const sessions = [
    session("main"),
    session("agent", { parent: { sessionId: "main" } }),
    session("lost", { parent: { sessionId: "gone" } }),
  ];
  assert.deepEqual(shape(tree(sessions, NOW, nameOf)), [
    ["claude", ["claude/lost", ["claude/main", ["claude/agent"]]]],
  ]);
});

test("a session that names itself as its parent is listed", () => {
  assert.deepEqual(shape(tree([session("a", { parent: { sessionId: "a" } })], NOW, nameOf)), [
    ["claude", ["claude/a"]],
  ]);
});

test("sub-agents are not offered for capture", () => {
  assert.deepEqual(
    forPicking([session("old", at(1)), session("agent", { parent: { sessionId: "x" } }), session("new", at(2))]).map(
      (one) => one.sessionId,
    ),
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

test("an assistant has the name that the server gives, or else its id", () => {
  const providers = ["claude", "gemini", "a-later-one"];
  const found = tree(
    providers.map((provider) => session("s", { provider })),
    NOW,
    nameOf,
  );
  assert.deepEqual(found.map(({ label }) => label).sort(), ["Claude Code", "a-later-one", "gemini"]);
});

test("a row shows the age, the size in memory or that it is on disk, and the events", () => {
  assert.equal(describe(session("s"), NOW), "5 min · 2.0 kB · 3 events");
  assert.equal(describe(session("s", { resident: false, truncatedEvents: 7 }), NOW), "5 min · on disk · 10 events");
  const recording = { recordingId: "r", outputPath: "/n.md", active: true, startedAt: "" };
  assert.equal(describe(session("s", { recording }), NOW), "5 min · 2.0 kB · 3 events · recording");
});

test("a session that grows changes its own row only", () => {
  const before = tree(
    Array.from({ length: 200 }, (_, index) => session(`s${index}`, at(index % 60))),
    NOW,
    nameOf,
  );
  const after = tree(
    Array.from({ length: 200 }, (_, index) =>
      session(`s${index}`, { ...at(index % 60), eventCount: index === 7 ? 9 : 3 }),
    ),
    NOW,
    nameOf,
  );
  assert.deepEqual(changes(before, after), ["claude/s7"]);
  assert.deepEqual(changes(before, before), []);
});

test("a row that is added, removed or moved draws the tree again", () => {
  const [one, two] = [session("one", at(1)), session("two", at(2))];
  assert.equal(changes(tree([one], NOW, nameOf), tree([one, two], NOW, nameOf)), "all");
  assert.equal(changes(tree([one, two], NOW, nameOf), tree([two], NOW, nameOf)), "all");
  assert.equal(changes(tree([one, two], NOW, nameOf), tree([{ ...one, ...at(3) }, two], NOW, nameOf)), "all");
});
