// The geometry of the memory chart: points and marks for samples. Pure.

import type { Sample } from "./samples";

export interface Size {
  width: number;
  height: number;
}

export interface Chart {
  rss: string;
  snapshots: string;
  limit: string;
  evictions: { x: number; count: number }[];
  grid: { y: number; bytes: number }[];
  ticks: { x: number; time: number }[];
}

const MIB = 1024 * 1024;
const GRID_LINES = 4;
const SPAN_MS_MIN = 60_000;

/** The lines as SVG point lists in a box of this size. Time increases to the right, bytes to the top, which is a round figure above all samples. */
export function chart(samples: readonly Sample[], { width, height }: Size): Chart {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined) {
    return { rss: "", snapshots: "", limit: "", evictions: [], grid: [], ticks: [] };
  }
  const span = Math.max(last.time - first.time, SPAN_MS_MIN);
  const start = last.time - span;
  const top = roundUp(Math.max(...samples.map(({ rss, limit }) => Math.max(rss, limit))) * 1.05);
  const x = (time: number): number => Math.round(((time - start) / span) * width * 10) / 10;
  const y = (bytes: number): number => Math.round((1 - bytes / top) * height * 10) / 10;
  const line = (value: (sample: Sample) => number): string =>
    samples.map((sample) => `${x(sample.time)},${y(value(sample))}`).join(" ");
  return {
    rss: line(({ rss }) => rss),
    snapshots: line(({ snapshots }) => snapshots),
    // A limit applies until it is changed: its line has steps, no slopes.
    limit: samples
      .flatMap(({ time, limit }, index) => [
        `${x(time)},${y(samples[index - 1]?.limit ?? limit)}`,
        `${x(time)},${y(limit)}`,
      ])
      .join(" "),
    evictions: samples
      .filter(({ evicted }) => evicted > 0)
      .map(({ time, evicted }) => ({ x: x(time), count: evicted })),
    grid: Array.from({ length: GRID_LINES + 1 }, (_, index) => ({
      y: y((top / GRID_LINES) * index),
      bytes: (top / GRID_LINES) * index,
    })),
    ticks: [0, 0.5, 1].map((share) => ({ x: Math.round(share * width), time: start + share * span })),
  };
}

/** The next round number of megabytes that can be divided by four. */
function roundUp(bytes: number): number {
  const megabytes = bytes / MIB;
  const power = 10 ** Math.floor(Math.log10(Math.max(megabytes, 1)));
  const step = [1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10].find((factor) => factor * power >= megabytes) ?? 10;
  return step * power * MIB;
}
