import assert from "node:assert/strict";
import { test } from "node:test";
import { chart } from "../../src/chart";
import { Samples } from "../../src/samples";
import { status } from "./builders";

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
