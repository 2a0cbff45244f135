import assert from "node:assert/strict";
import { test } from "node:test";
import { chart } from "../../src/chart";
import { unused } from "../../src/destination";
import {
  installFailure,
  isCompatible,
  isPythonNewEnough,
  parseVersion,
  pauseBeforeRestart,
  pythonOf,
} from "../../src/resolve";
import { Samples } from "../../src/samples";
import { age, bytes } from "../../src/text";
import { status } from "./builders";

for (const [there, free] of [
  [[], "/n/a.md"],
  [["/n/a.md"], "/n/a-2.md"],
  [["/n/a.md", "/n/a-2.md", "/n/a-4.md"], "/n/a-3.md"],
] as const) {
  test(`beside ${there.join(", ") || "nothing"} the proposal is ${free}`, async () => {
    assert.equal(await unused("/n/a.md", async (file) => (there as readonly string[]).includes(file)), free);
  });
}

test("a number goes before the extension, not into a folder's name", async () => {
  const isNew = async (file: string): Promise<boolean> => !/-2(\.|$)/.test(file);
  assert.equal(await unused("/n.d/conversation", isNew), "/n.d/conversation-2");
  assert.equal(await unused("C:\\n.d\\a.b.jsonl", isNew), "C:\\n.d\\a.b-2.jsonl");
});

for (const [found, wanted, fits] of [
  ["kato 0.1.0", "0.1.0", true],
  ["kato 0.1.7", "0.1.2", true],
  ["kato 0.1.1", "0.1.2", false],
  ["kato 0.2.0", "0.1.0", false],
  ["kato 1.4.0", "1.2.9", true],
  ["kato 2.0.0", "1.2.0", false],
  ["command not found", "0.1.0", false],
] as const) {
  test(`a server that says ${found} ${fits ? "fits" : "does not fit"} ${wanted}`, () => {
    assert.equal(isCompatible(parseVersion(found), parseVersion(wanted) ?? assert.fail()), fits);
  });
}

test("the server needs Python 3.10 or newer", () => {
  assert.deepEqual(
    ["3.9.18", "3.10.0", "3.14.2", "2.7.18", "4.0.0"].map((text) => isPythonNewEnough(parseVersion(text))),
    [false, true, true, false, true],
  );
});

test("an environment has its Python where the platform puts it", () => {
  assert.equal(pythonOf("/s/server", "linux"), "/s/server/bin/python");
  assert.equal(pythonOf("C:\\s\\server", "win32"), "C:\\s\\server\\Scripts\\python.exe");
});

for (const [output, kind] of [
  ["The virtual environment was not created successfully because ensurepip is not available.", "noVenv"],
  ["ERROR: No matching distribution found for orjson>=3.10", "network"],
  ["error: Failed to fetch: `https://example.org/simple/orjson/`", "network"],
  ["OSError: [Errno 28] No space left on device", "noSpace"],
  ["Segmentation fault", "other"],
] as const) {
  test(`an installer that says “${output.slice(0, 40)}…” failed for: ${kind}`, () => {
    assert.equal(installFailure(output), kind);
  });
}

test("a server that crashes again and again is started with growing pauses, then not any more; old crashes do not count", () => {
  const now = 1_000_000_000;
  const pauses = [1, 2, 3, 4, 5].map((crashes) => pauseBeforeRestart(Array<number>(crashes).fill(now), now));
  assert.deepEqual(pauses, [250, 500, 1000, 2000, undefined]);
  assert.equal(pauseBeforeRestart([...Array<number>(9).fill(now - 10 * 60_000), now], now), 250);
});

test("samples are bounded, and count evictions between two statuses, also across a restart", () => {
  const samples = new Samples();
  for (const evictions of [5, 7, 7, 0, 2]) {
    samples.add(status({ evictions }));
  }
  assert.deepEqual(
    samples.all.map(({ evicted }) => evicted),
    [0, 2, 0, 0, 2],
  );
  for (let index = 0; index < 2000; index++) {
    samples.add(status());
  }
  assert.equal(samples.all.length, 720);
});

test("the lines of the chart reach the present while nothing changes, without an eviction", () => {
  const samples = new Samples();
  samples.add(status({ evictions: 1, at: "2026-03-01T10:00:00Z" }));
  samples.add(status({ evictions: 3, at: "2026-03-01T10:00:05Z" }));
  const now = Date.parse("2026-03-01T10:09:00Z");
  assert.deepEqual(
    samples.until(now).map(({ evicted }) => evicted),
    [0, 2, 0],
  );
  assert.equal(samples.until(now).at(-1)?.time, now);
  assert.equal(samples.all.length, 2);
  assert.deepEqual(new Samples().until(now), []);
});

test("the lines of the chart stay in its box, more memory is higher, evictions are at their time", () => {
  const samples = new Samples();
  samples.add(status({ rssMb: 50, at: "2026-03-01T10:00:00Z" }));
  samples.add(status({ rssMb: 150, evictions: 4, at: "2026-03-01T10:02:00Z" }));
  const drawn = chart(samples.all, { width: 100, height: 40 });
  const points = drawn.rss.split(" ").map((point) => point.split(",").map(Number));
  assert.deepEqual(
    points.map(([x]) => x),
    [0, 100],
  );
  const [first, second] = points.map(([, y]) => y ?? NaN);
  assert.ok(first !== undefined && second !== undefined && first > second && second > 0 && first < 40);
  assert.deepEqual(drawn.evictions, [{ x: 100, count: 4 }]);
  assert.equal(drawn.grid.at(-1)?.bytes, 240 * 2 ** 20);
  assert.equal(chart([], { width: 100, height: 40 }).rss, "");
});

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
});
