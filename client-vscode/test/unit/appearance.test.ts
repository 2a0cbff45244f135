import assert from "node:assert/strict";
import { test } from "node:test";
import { appearance } from "../../src/appearance";
import { session, status } from "./builders";

const RUNNING = { kind: "running" } as const;

test("the status bar names Kato, and shows whole megabytes of the process against the limit", () => {
  assert.equal(appearance(RUNNING, status({ rssMb: 62.7 })).text, "$(database) Kato 63 / 200 MB");
});

test("the recordings of this window are a dot and their number", () => {
  const { text, tooltip } = appearance(RUNNING, status({ rssMb: 63, recordings: 5 }), { sessions: [], recordings: 2 });
  assert.equal(text, "$(database) Kato 63 / 200 MB $(record) 2");
  assert.match(tooltip, /Recordings&emsp; \| 5 in all folders/);
});

for (const [rssMb, background] of [
  [159, "none"],
  [160, "warning"],
  [200, "warning"],
  [201, "warning"],
] as const) {
  test(`${rssMb} of 200 MB: ${background}`, () => {
    assert.equal(appearance(RUNNING, status({ rssMb })).background, background);
  });
}

test("a process over its limit that runs is amber, in other words than one that stopped, and names the largest session", () => {
  const sessions = [
    session("small", { title: "Small", estimatedBytes: 1024 }),
    session("large", { title: "Sort [a](b) | c", estimatedBytes: 12 * 2 ** 20 }),
    session("evicted", { title: "Evicted", estimatedBytes: 2 ** 40, resident: false }),
  ];
  const running = appearance(RUNNING, status({ rssMb: 201 }), { sessions, recordings: 1 });
  assert.equal(running.text, "$(warning) Kato 201 / 200 MB, over its limit $(record) 1");
  assert.match(running.label, /more than its limit/);
  assert.ok(running.tooltip.includes("The largest is “Sort \\[a\\]\\(b\\) \\| c” (12 MB)."), running.tooltip);
  assert.ok(running.tooltip.includes("[Raise Memory Limit…](command:kato.raiseLimit)"), running.tooltip);
  const small = appearance(RUNNING, status({ rssMb: 201 }), { sessions: sessions.slice(0, 1), recordings: 0 });
  assert.ok(!small.tooltip.includes("The largest is"), "a small session is not what takes the memory");
  const stopped = appearance({ kind: "overBudget" }, status({ rssMb: 80 }));
  assert.deepEqual([running.background, stopped.background], ["warning", "error"]);
  assert.equal(stopped.text, "$(error) Kato stopped: over its limit");
});

test("snapshots over their budget are over the limit, whatever memory the process uses", () => {
  assert.match(appearance(RUNNING, status({ rssMb: 10, overBudget: true })).text, /over its limit/);
});

test("a limit that the process cannot keep colours nothing: it applies to the snapshots alone", () => {
  const { text, tooltip, background, label } = appearance(
    RUNNING,
    status({ rssMb: 50, limitMb: 40, keepsLimit: false }),
  );
  assert.deepEqual([text, background, label], ["$(database) Kato 50 MB", "none", "Kato uses 50 MB"]);
  assert.match(tooltip, /Process&emsp; \| 50 MB \(peak/);
  assert.match(tooltip, /Limit&emsp; \| 40 MB, for the snapshots alone; from 87 MB on, the process/);
  const full = status({ rssMb: 50, limitMb: 40, keepsLimit: false, snapshotsMb: 70 });
  assert.equal(appearance(RUNNING, full).background, "warning", "snapshots near their own bound");
});

test("a stopped server has the error colour, with the reason in the tooltip", () => {
  const { text, tooltip, background } = appearance({ kind: "stopped", reason: "no Python" }, undefined);
  assert.match(text, /stopped/);
  assert.match(tooltip, /no Python/);
  assert.equal(background, "error");
});

test("a server that stopped over its limit shows why, and no figures of a process that is gone", () => {
  const { text, tooltip, background } = appearance(
    { kind: "overBudget", reason: "The conversation “A” needs 300 MB" },
    status({ rssMb: 199 }),
  );
  assert.doesNotMatch(text, /199/);
  assert.match(tooltip, /The conversation “A” needs 300 MB/);
  assert.match(tooltip, /All conversations are in the journal/);
  assert.equal(background, "error");
});

test("without a journal the tooltip does not promise that conversations are kept", () => {
  const { tooltip } = appearance({ kind: "overBudget" }, status({ rssMb: 199, journal: false }));
  assert.doesNotMatch(tooltip, /journal/);
});

test("before the first status the item shows that the server starts", () => {
  assert.match(appearance({ kind: "starting" }, undefined).text, /loading/);
  assert.match(appearance(RUNNING, undefined).text, /loading/);
});

test("the tooltip is a table of process, snapshots, sessions, events, evictions and journal", () => {
  const { tooltip } = appearance(RUNNING, status({ rssMb: 63, evictions: 3 }));
  for (const row of [
    /Process&emsp; \| 63 MB of 200 MB/,
    /Snapshots&emsp; \| 10 MB of 83 MB/,
    /Sessions&emsp; \| 4 in memory/,
    /Events&emsp; \| 1,200 in memory/,
    /Evictions&emsp; \| 3 \(2\.0 MB freed\)/,
    /Journal&emsp; \| 30 MB, 9 sessions, 5,000 events/,
  ]) {
    assert.match(tooltip, row);
  }
  assert.match(appearance(RUNNING, status({ rssMb: 63, journal: false })).tooltip, /Journal&emsp; \| off/);
});

test("a screen reader reads figures, not icons", () => {
  assert.equal(
    appearance(RUNNING, status({ rssMb: 63 }), { sessions: [], recordings: 1 }).label,
    "Kato uses 63 / 200 MB, 1 recording",
  );
});
