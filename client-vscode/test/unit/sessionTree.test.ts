import assert from "node:assert/strict";
import { test } from "node:test";
import type { Conversation } from "../../src/sessions";
import { changes, explain, NO_FILTER, tree, type Entry, type Filter, type Layout } from "../../src/sessionTree";
import { assistantNames } from "../../src/text";
import { conversation } from "./builders";

/** The names that a status gives; it does not name Gemini. */
const nameOf = assistantNames([
  { provider: "claude", title: "Claude Code", activeSessions: 0 },
  { provider: "codex", title: "Codex", activeSessions: 0 },
  { provider: "gemini", activeSessions: 0 },
]);
/** Noon of a Sunday on the clock of this machine, so that days are its days. */
const NOW = new Date(2026, 2, 1, 12, 0).getTime();
const ago = (days: number, minutes = 5): { at: string } => ({
  at: new Date(NOW - days * 86_400_000 - minutes * 60_000).toISOString(),
});
const layout: Layout = { arrangement: "day", filter: NO_FILTER, folders: ["/work/app"], nameOf, hasMore: false };
const shape = (entries: readonly Entry[]): unknown =>
  entries.map(({ id, children }) => (children.length === 0 ? id : [id, shape(children)]));
const draw = (found: readonly Conversation[], more: Partial<Layout> = {}): Entry[] =>
  tree(found, NOW, { ...layout, ...more });
const ids = (entries: readonly Entry[]): string[] =>
  entries.flatMap((entry) => (entry.kind === "group" ? ids(entry.children) : [entry.id]));
const row = (more: Partial<Conversation>, folders = layout.folders): string | undefined =>
  draw([conversation("s", { ...ago(0), ...more })], { folders })[0]?.children[0]?.description;
const recording = { recordingId: "r", outputPath: "/n.md", active: true, startedAt: "" };

test("conversations are grouped by day, the newest first", () => {
  const found = [
    conversation("older", ago(8)),
    conversation("today", ago(0, 60)),
    conversation("now", ago(0)),
    conversation("yesterday", ago(1)),
    conversation("week", ago(6)),
    conversation("monday", ago(2)),
  ];
  assert.deepEqual(shape(draw(found)), [
    ["day:Today", ["claude/now", "claude/today"]],
    ["day:Yesterday", ["claude/yesterday"]],
    ["day:Last 7 days", ["claude/monday", "claude/week"]],
    ["day:Older", ["claude/older"]],
  ]);
  assert.deepEqual(
    draw(found).map(({ label, description }) => [label, description]),
    [
      ["Today", "2"],
      ["Yesterday", "1"],
      ["Last 7 days", "2"],
      ["Older", "1"],
    ],
  );
});

for (const [name, hours, label] of [
  ["just after midnight", 11.9, "Today"],
  ["just before midnight", 12.1, "Yesterday"],
  ["just after the midnight before", 35.9, "Yesterday"],
  ["just before the midnight before", 36.1, "Last 7 days"],
] as const) {
  test(`${name} belongs to ${label}`, () => {
    const found = conversation("s", { at: new Date(NOW - hours * 3_600_000).toISOString() });
    assert.equal(draw([found])[0]?.label, label);
  });
}

test("assistants are ordered by their latest conversation", () => {
  const found = [
    conversation("old", ago(9)),
    conversation("new", ago(0, 60)),
    conversation("x", { provider: "codex", ...ago(0) }),
  ];
  const drawn = draw(found, { arrangement: "assistant" });
  assert.deepEqual(shape(drawn), [
    ["assistant:codex", ["codex/x"]],
    ["assistant:claude", ["claude/new", "claude/old"]],
  ]);
  assert.deepEqual(
    drawn.map(({ label }) => label),
    ["Codex", "Claude Code"],
  );
});

test("an assistant that the server does not name has its id for a name", () => {
  const drawn = draw([conversation("s", { provider: "gemini" })], { arrangement: "assistant" });
  assert.equal(drawn[0]?.label, "gemini");
});

test("conversations are grouped by the folder of the window, or their own", () => {
  const found = [
    conversation("a", { cwd: "/work/app/src", ...ago(0, 1) }),
    conversation("b", { cwd: "/work/lib", ...ago(0, 2) }),
    conversation("c", { cwd: "/elsewhere/deep", ...ago(0, 3) }),
    conversation("d", ago(0, 4)),
  ];
  const drawn = draw(found, { arrangement: "folder", folders: ["/work/app", "/work/lib"] });
  assert.deepEqual(
    drawn.map(({ label }) => label),
    ["app", "lib", "deep", "No folder"],
  );
});

test("by title there are no groups, and numbers count as numbers", () => {
  const found = ["b", "A 10", "a 9"].map((title) => conversation(title, { title }));
  assert.deepEqual(ids(draw(found, { arrangement: "title" })), ["claude/a 9", "claude/A 10", "claude/b"]);
});

test("a sub-agent's conversation is below its parent's, and at the top where the parent is unknown", () => {
  const found = [
    conversation("main"),
    conversation("agent", { parent: { sessionId: "main" } }),
    conversation("lost", { parent: { sessionId: "gone" } }),
  ];
  const [group] = draw(found);
  assert.deepEqual(shape(group?.children ?? []), ["claude/lost", ["claude/main", ["claude/agent"]]]);
  assert.equal(group?.description, "2");
});

test("a session that names itself as its parent is listed", () => {
  assert.deepEqual(ids(draw([conversation("a", { parent: { sessionId: "a" } })])), ["claude/a"]);
});

const many = [
  conversation("plain", { cwd: "/work/app" }),
  conversation("recording", { recording, cwd: "/work/lib" }),
  conversation("noted", { recording: { ...recording, active: false }, provider: "codex" }),
  conversation("deleted", { isDeleted: true, provider: "gemini" }),
];
for (const [filter, shown] of [
  [{}, ["deleted", "noted", "plain", "recording"]],
  [{ providers: ["codex", "gemini"] }, ["deleted", "noted"]],
  [{ conditions: ["note"] }, ["noted", "recording"]],
  [{ conditions: ["recording", "deleted"] }, ["deleted", "recording"]],
  [{ folders: ["/work/lib"] }, ["recording"]],
  [{ providers: ["claude"], conditions: ["deleted"] }, []],
] as const) {
  test(`the filter ${JSON.stringify(filter)} leaves ${shown.join(", ") || "nothing"}`, () => {
    const drawn = draw(many, {
      filter: { ...NO_FILTER, ...(filter as Partial<Filter>) },
      folders: ["/work/app", "/work/lib"],
    });
    assert.deepEqual(
      ids(drawn)
        .map((id) => id.split("/")[1])
        .sort(),
      shown,
    );
  });
}

test("the age is the first word next to the title", () => {
  assert.equal(row({}), "5 min · 3 events");
  assert.equal(row({ recording }), "5 min · recording · 3 events");
  assert.equal(row({ isDeleted: true }), "5 min · log deleted · 3 events");
  assert.equal(row({ notKept: "ignored" }), "5 min · not kept · 3 events");
});

test("the folder is named where the window has several or none", () => {
  assert.equal(row({ cwd: "/work/app/src" }), "5 min · 3 events");
  assert.equal(row({ cwd: "/work/app/src" }, ["/work/app", "/work/lib"]), "5 min · app · 3 events");
  assert.equal(row({ cwd: "/work/app/src" }, []), "5 min · src · 3 events");
});

test("a long title is cut between words; the tooltip has all of it, with time, folder and model", () => {
  const title = "Refactor the settings module and remove the globals";
  const one = conversation("s", { title, cwd: "/work/app", recording: { ...recording, outputPath: "/work/app/a.md" } });
  assert.equal(draw([one])[0]?.children[0]?.label, "Refactor the settings module…");
  const lines = explain(one, nameOf, (file) => file.replace("/work/app/", ""), "a-model");
  assert.deepEqual(lines.slice(0, 2), [title, "Claude Code · a-model"]);
  assert.match(lines[2] ?? "", /^Last message: .*2026/);
  assert.equal(lines[3], "Folder: /work/app");
  assert.ok(lines.includes("Records to a.md"), lines.join("\n"));
});

test("a list that is not complete ends with a row that says so", () => {
  const last = draw([conversation("a"), conversation("b")], { hasMore: true }).at(-1);
  assert.deepEqual([last?.kind, last?.description], ["more", "2 shown"]);
});

test("a session that grows changes its own row only", () => {
  const found = (grown?: number): Conversation[] =>
    Array.from({ length: 200 }, (_, index) =>
      conversation(`s${index}`, { ...ago(0, 5 + index), events: index === grown ? 9 : 3 }),
    );
  assert.deepEqual(changes(draw(found()), draw(found(7))), ["claude/s7"]);
  assert.deepEqual(changes(draw(found()), draw(found())), []);
});

test("a row that is added, removed or moved draws the tree again", () => {
  const [one, two] = [conversation("one", ago(0, 2)), conversation("two", ago(0, 1))];
  assert.equal(changes(draw([one]), draw([one, two])), "all");
  assert.equal(changes(draw([one, two]), draw([two])), "all");
  assert.equal(changes(draw([one, two]), draw([{ ...one, ...ago(0, 0) }, two])), "all");
});

test("a row is drawn again when its recording ends, although its texts stay", () => {
  const ended = { ...recording, active: false };
  assert.deepEqual(changes(draw([conversation("s", { recording: ended })]), draw([conversation("s")])), ["claude/s"]);
});
