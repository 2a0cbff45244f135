import assert from "node:assert/strict";
import { test } from "node:test";
import { appearance } from "../../src/appearance";
import { status } from "./builders";

const RUNNING = { kind: "running" } as const;

test("the status bar shows whole megabytes of the process against the limit", () => {
  assert.equal(appearance(RUNNING, status({ rssMb: 62.7 })).text, "$(database) 63 / 200 MB");
});

test("active recordings are a dot and their number", () => {
  assert.equal(appearance(RUNNING, status({ rssMb: 63, recordings: 2 })).text, "$(database) 63 / 200 MB $(record) 2");
});

for (const [rssMb, background] of [
  [159, "none"],
  [160, "warning"],
  [200, "warning"],
  [201, "error"],
] as const) {
  test(`${rssMb} of 200 MB: ${background}`, () => {
    assert.equal(appearance(RUNNING, status({ rssMb })).background, background);
  });
}

test("a process over its limit is shown in words, not by the colour alone", () => {
  const { text, label } = appearance(RUNNING, status({ rssMb: 201, recordings: 1 }));
  assert.equal(text, "$(error) Kato over budget 201 / 200 MB $(record) 1");
  assert.match(label, /over budget/);
});

test("snapshots over their budget are an error, whatever memory the process uses", () => {
  assert.equal(appearance(RUNNING, status({ rssMb: 10, overBudget: true })).background, "error");
});

test("a stopped server has the error colour, with the reason in the tooltip", () => {
  const { text, tooltip, background } = appearance({ kind: "stopped", reason: "no Python" }, undefined);
  assert.match(text, /stopped/);
  assert.match(tooltip, /no Python/);
  assert.equal(background, "error");
});

test("a server over its budget keeps its last figures", () => {
  const { text, tooltip, background } = appearance(
    { kind: "overBudget", reason: "one session alone needs 300 MB" },
    status({ rssMb: 199 }),
  );
  assert.match(text, /over budget 199 \/ 200 MB/);
  assert.match(tooltip, /one session alone needs 300 MB/);
  assert.match(tooltip, /All conversations are in the journal/);
  assert.equal(background, "error");
});

test("without a journal the tooltip does not promise that conversations are kept", () => {
  assert.doesNotMatch(appearance({ kind: "overBudget" }, status({ rssMb: 199, journal: false })).tooltip, /journal/);
});

test("before the first status the item shows that the server starts", () => {
  assert.match(appearance({ kind: "starting" }, undefined).text, /loading/);
  assert.match(appearance(RUNNING, undefined).text, /loading/);
});

test("the tooltip is a table of process, snapshots, sessions, events, evictions and journal", () => {
  const { tooltip } = appearance(RUNNING, status({ rssMb: 63, evictions: 3 }));
  for (const row of [
    /Process \| 63 MB of 200 MB/,
    /Snapshots \| 10 MB of 83 MB/,
    /Sessions \| 4 in memory/,
    /Events \| 1,200 in memory/,
    /Evictions \| 3 \(2\.0 MB freed\)/,
    /Journal \| 30 MB, 9 sessions, 5,000 events/,
  ]) {
    assert.match(tooltip, row);
  }
  assert.match(appearance(RUNNING, status({ rssMb: 63, journal: false })).tooltip, /Journal \| off/);
});

test("a screen reader reads figures, not icons", () => {
  assert.equal(appearance(RUNNING, status({ rssMb: 63, recordings: 1 })).label, "Kato uses 63 / 200 MB, 1 recording");
});
