import assert from "node:assert/strict";
import { test } from "node:test";
import { describeHit, marked, occurrences, wordsOf } from "../../src/searchHits";
import type { SearchHit } from "../../src/structs";
import { assistantNames } from "../../src/text";

const nameOf = assistantNames([{ provider: "claude", title: "Claude Code", activeSessions: 0 }]);
const NOW = Date.parse("2026-03-01T10:05:00Z");
const hit = (more: Partial<SearchHit> = {}): SearchHit => ({
  provider: "claude",
  sessionId: "s",
  seq: 4,
  role: "user",
  snippet: "where does the needle lie in the hay",
  marks: [
    { start: 15, end: 21 },
    { start: 33, end: 36 },
  ],
  timestamp: "2026-03-01T10:00:00Z",
  score: 1,
  source: "journal",
  title: "Needles",
  cwd: "/work/app",
  ...more,
});

test("every match of an excerpt is marked", () => {
  assert.equal(marked(hit()), "where does the »needle« lie in the »hay«");
  assert.equal(marked(hit({ snippet: "one\n two", marks: [] })), "one two");
});

test("an item shows title, age, assistant, and the folder where the window has several", () => {
  const one = describeHit(hit(), NOW, nameOf, ["/work/app"]);
  assert.deepEqual(one, {
    label: "Needles",
    description: "5 min ago · Claude Code",
    detail: "You: where does the »needle« lie in the »hay«",
  });
  assert.equal(describeHit(hit(), NOW, nameOf, []).description, "5 min ago · Claude Code · app");
  assert.equal(
    describeHit(hit({ source: "log" }), NOW, nameOf, ["/work/app"]).description,
    "5 min ago · Claude Code · only in its log",
  );
  const { title, ...untitled } = hit({ role: "assistant" });
  assert.equal(title, "Needles");
  assert.equal(describeHit(untitled, NOW, nameOf, []).label, "s");
  assert.match(describeHit(untitled, NOW, nameOf, []).detail, /^Claude Code: /);
});

test("the words of a hit are those of the message, each once", () => {
  assert.deepEqual(
    wordsOf(
      hit({
        snippet: "Käse käse",
        marks: [
          { start: 0, end: 4 },
          { start: 5, end: 9 },
        ],
      }),
    ),
    ["Käse", "käse"],
  );
});

for (const [text, words, found] of [
  ["A needle, needles", ["needle"], ["needle", "needle"]],
  ["Needle", ["needle"], ["Needle"]],
  ["pineneedle", ["needle"], []],
  ["a.b axb", ["a.b"], ["a.b"]],
  ["near nearest", ["near", "nearest"], ["near", "nearest"]],
  ["anything", ["", " "], []],
] as const) {
  test(`${JSON.stringify(words)} stand in “${text}” as ${JSON.stringify(found)}`, () => {
    assert.deepEqual(
      occurrences(text, words).map(({ start, end }) => text.slice(start, end)),
      found,
    );
  });
}
