import assert from "node:assert/strict";
import { test } from "node:test";
import { speakerOf } from "../../src/speakers";

for (const [level, text, speaker] of [
  [2, "You, 2026-02-24 16:09", { name: "You", when: "2026-02-24 16:09" }],
  [2, "You, 16:09", { name: "You", when: "16:09" }],
  [3, "claude-opus-4, 16:10", { name: "claude-opus-4", when: "16:10" }],
  [3, "a model, with a comma, 2026-02-24 16:10", { name: "a model, with a comma", when: "2026-02-24 16:10" }],
] as const) {
  test(`a page's heading “${text}” names a speaker and the time`, () => {
    assert.deepEqual(speakerOf(level, text), speaker);
  });
}

for (const [level, text] of [
  [2, "Results"],
  [2, "Results, 16:09"],
  [3, "In short"],
  [3, ", 16:09"],
  [4, "claude-opus-4, 16:10"],
] as const) {
  test(`a heading “${text}” of level ${level} belongs to a message`, () => {
    assert.equal(speakerOf(level, text), undefined);
  });
}
