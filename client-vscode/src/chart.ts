// The geometry of the memory chart: lines, marks and scales for samples. Pure.

import type { Sample } from "./samples";

export interface Size {
  width: number;
  height: number;
}

/** Lines are the data of SVG paths. `gaps` are the times in which no server ran. */
export interface Chart {
  rss: string;
  snapshots: string;
  limit: string;
  evictions: { x: number; count: number }[];
  gaps: { x: number; width: number }[];
  grid: { y: number; bytes: number }[];
  ticks: { x: number; time: number }[];
  /** The position of a time, and the time of a position. */
  x: (time: number) => number;
  time: (x: number) => number;
}

const MIB = 1024 * 1024;
const GRID_LINES = 4;
const SPAN_MS_MIN = 15_000;
/** The pixels that the label of a time takes, with a distance to the next one. */
const TICK_WIDTH = 110;

/** The chart in a box of this size. Time increases to the right and ends now, bytes to the top, which is a round figure above all samples. */
export function chart(samples: readonly Sample[], now: number, { width, height }: Size): Chart {
  const start = samples[0]?.time ?? now;
  const span = Math.max(now - start, SPAN_MS_MIN);
  const top = roundUp(Math.max(MIB, ...samples.map(({ rss, limit }) => Math.max(rss, limit))) * 1.05);
  const x = (time: number): number => tenth(((time - start) / span) * width);
  const y = (bytes: number): number => tenth((1 - bytes / top) * height);
  const runs = divided(samples);
  const path = (points: (run: Sample[]) => [number, number][]): string =>
    runs
      .map(
        (run) =>
          `M${points(run)
            .map(([time, bytes]) => `${x(time)},${y(bytes)}`)
            .join("L")}`,
      )
      .join("");
  const line = (value: (sample: Sample) => number): string =>
    path((run) => run.map((sample) => [sample.time, value(sample)]));
  const ticks = Math.max(2, Math.min(6, Math.floor(width / TICK_WIDTH)));
  return {
    rss: line(({ rss }) => rss),
    snapshots: line(({ snapshots }) => snapshots),
    // A limit applies until it is changed: its line has steps, no slopes.
    limit: path((run) =>
      run.flatMap(({ time, limit }, index): [number, number][] => [
        [time, run[index - 1]?.limit ?? limit],
        [time, limit],
      ]),
    ),
    evictions: samples
      .filter(({ evicted }) => evicted > 0)
      .map(({ time, evicted }) => ({ x: x(time), count: evicted })),
    gaps: runs
      .map((run, index) => {
        const [end, next] = [run.at(-1)?.time ?? now, runs[index + 1]?.[0]?.time ?? now];
        return { x: x(end), width: tenth(x(next) - x(end)) };
      })
      .filter(({ width: wide }) => wide > 0),
    grid: Array.from({ length: GRID_LINES + 1 }, (_, index) => ({
      y: y((top / GRID_LINES) * index),
      bytes: (top / GRID_LINES) * index,
    })),
    ticks: Array.from({ length: ticks }, (_, index) => index / (ticks - 1)).map((share) => ({
      x: Math.round(share * width),
      time: start + share * span,
    })),
    x,
    time: (position) => start + (position / width) * span,
  };
}

/** The sample that holds at a time: the last one before it. Undefined in a gap. */
export function sampleAt(samples: readonly Sample[], time: number): Sample | undefined {
  const index = samples.findLastIndex((sample) => sample.time <= time);
  const [found, next] = [samples[index], samples[index + 1]];
  return found === undefined || next === undefined || !next.isFirst || found.time === time ? found : undefined;
}

/** The samples of each server. */
function divided(samples: readonly Sample[]): Sample[][] {
  const runs: Sample[][] = [];
  for (const sample of samples) {
    const run = runs.at(-1);
    if (run === undefined || sample.isFirst) {
      runs.push([sample]);
    } else {
      run.push(sample);
    }
  }
  return runs;
}

function tenth(value: number): number {
  return Math.round(value * 10) / 10;
}

/** The next round number of megabytes that can be divided by four. */
function roundUp(bytes: number): number {
  const megabytes = bytes / MIB;
  const power = 10 ** Math.floor(Math.log10(Math.max(megabytes, 1)));
  const step = [1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10].find((factor) => factor * power >= megabytes) ?? 10;
  return step * power * MIB;
}
