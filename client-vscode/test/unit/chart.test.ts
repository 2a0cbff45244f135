import assert from "node:assert/strict";
import { test } from "node:test";
import { chart, sampleAt } from "../../src/chart";
import { Samples } from "../../src/samples";
import { status } from "./builders";

const BOX = { width: 100, height: 40 };
const at = (time: string): number => Date.parse(`2026-03-01T${time}Z`);

/** The samples of these statuses, and of the ends of servers ("stop 10:00:09"). */
function samplesOf(...moments: (string | Parameters<typeof status>[0])[]): Samples {
  const samples = new Samples();
  for (const moment of moments) {
    if (typeof moment === "string") {
      samples.stop(at(moment.replace("stop ", "")));
    } else {
      samples.add(status({ ...moment, at: `2026-03-01T${moment?.at ?? "10:00:00"}Z` }));
    }
  }
  return samples;
}

/** The numbers of a path's lines. */
function lines(path: string): number[][][] {
  return path
    .split("M")
    .filter((line) => line !== "")
    .map((line) => line.split("L").map((point) => point.split(",").map(Number)));
}

test("samples are bounded, and count evictions between two statuses, also across a restart", () => {
  const samples = samplesOf(...[5, 7, 7, 0, 2].map((evictions) => ({ evictions })));
  assert.deepEqual(
    samples.until(0).map(({ evicted }) => evicted),
    [0, 2, 0, 0, 2],
  );
  for (let index = 0; index < 2000; index++) {
    samples.add(status());
  }
  assert.equal(samples.until(0).length, 720);
});

test("the lines reach the present while the server runs and nothing changes, without an eviction", () => {
  const samples = samplesOf({ evictions: 1, at: "10:00:00" }, { evictions: 3, at: "10:00:05" });
  const now = at("10:09:00");
  assert.deepEqual(
    samples.until(now).map(({ evicted }) => evicted),
    [0, 2, 0],
  );
  assert.equal(samples.until(now).at(-1)?.time, now);
  assert.equal(samples.until(0).length, 2);
  assert.deepEqual(new Samples().until(now), []);
});

test("the lines stay in their box, more memory is higher, evictions are at their time", () => {
  const samples = samplesOf({ rssMb: 50, at: "10:00:00" }, { rssMb: 150, evictions: 4, at: "10:02:00" });
  const drawn = chart(samples.until(0), at("10:02:00"), BOX);
  const [points = []] = lines(drawn.rss);
  assert.deepEqual(
    points.map(([x]) => x),
    [0, 100],
  );
  const [first = NaN, second = NaN] = points.map(([, y]) => y ?? NaN);
  assert.ok(first > second && second > 0 && first < 40);
  assert.deepEqual(drawn.evictions, [{ x: 100, count: 4 }]);
  assert.equal(drawn.grid.at(-1)?.bytes, 240 * 2 ** 20);
  assert.equal(chart([], at("10:02:00"), BOX).rss, "");
});

test("a time in which no server ran is a gap: the lines end and begin again, and no values are shown there", () => {
  const samples = samplesOf({ at: "10:00:00" }, "stop 10:01:00", { at: "10:03:00" });
  const shown = samples.until(at("10:04:00"));
  const drawn = chart(shown, at("10:04:00"), BOX);
  assert.deepEqual(
    lines(drawn.rss).map((line) => line.map(([x]) => x)),
    [
      [0, 25],
      [75, 100],
    ],
  );
  assert.deepEqual(drawn.gaps, [{ x: 25, width: 50 }]);
  assert.equal(sampleAt(shown, at("10:02:00")), undefined);
  assert.equal(sampleAt(shown, at("10:00:30"))?.time, at("10:00:00"));
  assert.equal(sampleAt(shown, at("10:03:30"))?.time, at("10:03:00"));
  assert.equal(sampleAt(shown, at("09:00:00")), undefined);
});

test("while no server runs the chart goes on to the present with a gap", () => {
  const samples = samplesOf({ at: "10:00:00" }, "stop 10:01:00");
  const drawn = chart(samples.until(at("10:02:00")), at("10:02:00"), BOX);
  assert.deepEqual(drawn.gaps, [{ x: 50, width: 50 }]);
  samples.stop(at("10:05:00"));
  assert.equal(samples.until(0).at(-1)?.time, at("10:01:00"), "it ended once");
});

test("the samples of an earlier window come before those of this one, with a gap; other data are ignored", () => {
  const earlier = samplesOf({ rssMb: 70, at: "10:00:00" }).until(at("10:00:30"));
  const samples = samplesOf({ at: "10:01:00" });
  samples.restore([...earlier, { time: "x" }, undefined, { ...earlier[0], time: at("11:00:00") }]);
  const shown = samples.until(0);
  assert.deepEqual(
    shown.map(({ time }) => time),
    [at("10:00:00"), at("10:00:30"), at("10:01:00")],
  );
  assert.equal(lines(chart(shown, at("10:01:00"), BOX).rss).length, 2);
  samples.restore({ not: "a list" });
  assert.equal(samples.until(0).length, 3);
});

test("a narrow chart has fewer times below it", () => {
  const samples = samplesOf({ at: "10:00:00" }).until(at("10:05:00"));
  const count = (width: number): number => chart(samples, at("10:05:00"), { width, height: 40 }).ticks.length;
  assert.deepEqual([count(120), count(330), count(900)], [2, 3, 6]);
});
