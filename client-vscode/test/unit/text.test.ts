import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, age, assistantNames, bytes, changedFiles, shortened } from "../../src/text";

test("sizes and ages are rounded for people", () => {
  assert.deepEqual([0, 1023, 1024, 34 * 1024, 5.6 * 2 ** 20, 200 * 2 ** 20].map(bytes), [
    "0 B",
    "1023 B",
    "1.0 kB",
    "34 kB",
    "5.6 MB",
    "200 MB",
  ]);
  const now = Date.parse("2026-03-20T10:00:00Z");
  const moments = [
    "2026-03-20T09:59:40Z",
    "2026-03-20T09:55:00Z",
    "2026-03-20T07:00:00Z",
    "2026-03-19T09:00:00Z",
    "2026-03-15T10:00:00Z",
    "2026-01-01T00:00:00Z",
    undefined,
  ];
  assert.deepEqual(
    moments.map((moment) => age(moment, now)),
    ["just now", "5 min", "3 h", "1 day", "5 days", "2026-01-01", ""],
  );
  assert.deepEqual(
    moments.map((moment) => ago(moment, now)),
    ["just now", "5 min ago", "3 h ago", "1 day ago", "5 days ago", "2026-01-01", ""],
  );
});

test("an assistant has the name that any answer gives, otherwise its id", () => {
  const nameOf = assistantNames([{ provider: "claude", title: "Claude Code", activeSessions: 1 }], { codex: "Codex" });
  assert.deepEqual(["claude", "codex", "mine"].map(nameOf), ["Claude Code", "Codex", "mine"]);
});

for (const [title, width, expected] of [
  ["Short", 10, "Short"],
  ["exactly 10", 10, "exactly 10"],
  ["Refactor the settings module", 20, "Refactor the…"],
  ["Refactor the settings module", 13, "Refactor the…"],
  ["Unbreakableandlongword", 10, "Unbreakab…"],
  ["  two\n lines  ", 20, "two lines"],
  ["データベースの移行", 9, "データベ…"],
  ["👨‍👩‍👧‍👦👨‍👩‍👧‍👦👨‍👩‍👧‍👦", 5, "👨‍👩‍👧‍👦👨‍👩‍👧‍👦…"],
] as const) {
  test(`“${title}” in the width of ${width} letters is “${expected}”`, () => {
    assert.equal(shortened(title, width), expected);
  });
}

test("the files that a diff changes are those of its new side", () => {
  assert.deepEqual(changedFiles("--- /a\n+++ /a\n@@ -0,0 +1 @@\n+x\n--- /b c\n+++ /b c\n"), ["/a", "/b c"]);
  assert.deepEqual(changedFiles("Claude Code: registered already\n"), []);
});
