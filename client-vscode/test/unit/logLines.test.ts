import assert from "node:assert/strict";
import { test } from "node:test";
import { LogLines, type LogLine } from "../../src/logLines";

/** The lines that these pieces of output make. */
function read(...pieces: string[]): LogLine[] {
  const found: LogLine[] = [];
  const lines = new LogLines((line) => found.push(line));
  pieces.forEach((piece) => lines.add(piece));
  lines.end();
  return found;
}

for (const [name, level] of [
  ["DEBUG", "debug"],
  ["INFO", "info"],
  ["WARNING", "warn"],
  ["ERROR", "error"],
  ["CRITICAL", "error"],
] as const) {
  test(`a record of level ${name} is logged as ${level}, without the level's name`, () => {
    assert.deepEqual(read(`kato ${name} kato.engine: evicted 2 sessions\n`), [
      { level, text: "kato.engine: evicted 2 sessions" },
    ]);
  });
}

test("the lines of a traceback have the level of their record", () => {
  const found = read("kato ERROR kato.engine: a defect\n    Traceback\n      File\nkato INFO kato.runtime: on\n");
  assert.deepEqual(
    found.map(({ level }) => level),
    ["error", "error", "error", "info"],
  );
  assert.equal(found[1]?.text, "    Traceback");
});

test("a line that comes in pieces is one line, and empty lines are left out", () => {
  assert.deepEqual(read("kato INFO kato.a: on", "e\r\n", "\n", "kato INFO kato.b: two"), [
    { level: "info", text: "kato.a: one" },
    { level: "info", text: "kato.b: two" },
  ]);
});

test("what a program writes that is not Kato is a warning", () => {
  assert.deepEqual(read("No module named kato\n"), [{ level: "warn", text: "No module named kato" }]);
});
