// The memory of the last minutes, for the chart: a bounded ring. Pure.

import type { StatusSnapshot } from "./protocol";

/** Bytes at a moment (milliseconds since the epoch). `evicted` counts evictions since the sample before. */
export interface Sample {
  time: number;
  rss: number;
  snapshots: number;
  limit: number;
  evicted: number;
}

const SAMPLES_MAX = 720;

export class Samples {
  #samples: Sample[] = [];
  #evictions: number | undefined;

  add(status: StatusSnapshot): void {
    const { process, snapshots, daemonMaxMemoryBytes } = status.memory;
    const before = this.#evictions ?? snapshots.evictionsTotal;
    this.#samples.push({
      time: Date.parse(status.generatedAt),
      rss: process.rss,
      snapshots: snapshots.estimatedBytes,
      limit: daemonMaxMemoryBytes,
      // A server that was restarted counts from zero.
      evicted: Math.max(0, snapshots.evictionsTotal - before),
    });
    this.#evictions = snapshots.evictionsTotal;
    if (this.#samples.length > SAMPLES_MAX) {
      this.#samples.splice(0, this.#samples.length - SAMPLES_MAX);
    }
  }

  get all(): readonly Sample[] {
    return this.#samples;
  }

  /** Up to this moment: the server reports changes only, so its latest report still holds. */
  until(now: number): readonly Sample[] {
    const last = this.#samples.at(-1);
    return last === undefined || now <= last.time ? this.#samples : [...this.#samples, { ...last, time: now, evicted: 0 }];
  }
}
