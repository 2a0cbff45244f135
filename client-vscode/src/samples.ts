// The memory figures of the last minutes, for the chart: a bounded list. Pure.

import type { StatusSnapshot } from "./structs";

/**
 * Bytes at a moment (milliseconds since the epoch). `evicted` counts evictions since the sample before. `isFirst` marks the first
 * sample of a server: no server ran between the sample before and this one.
 */
export interface Sample {
  time: number;
  rss: number;
  snapshots: number;
  limit: number;
  evicted: number;
  isFirst: boolean;
}

const SAMPLES_MAX = 720;

export class Samples {
  #samples: Sample[] = [];
  #evictions: number | undefined;
  #isStopped = true;

  add(status: StatusSnapshot): void {
    const { process, snapshots, daemonMaxMemoryBytes } = status.memory;
    const before = this.#evictions ?? snapshots.evictionsTotal;
    this.#push({
      time: Date.parse(status.generatedAt),
      rss: process.rss,
      snapshots: snapshots.estimatedBytes,
      limit: daemonMaxMemoryBytes,
      // A server that was started again counts from zero.
      evicted: Math.max(0, snapshots.evictionsTotal - before),
      isFirst: this.#isStopped,
    });
    this.#evictions = snapshots.evictionsTotal;
    this.#isStopped = false;
  }

  /** The server ended at this moment. */
  stop(now: number): void {
    if (!this.#isStopped) {
      this.#samples = [...this.until(now)];
      this.#isStopped = true;
    }
  }

  /** Puts samples of an earlier window before those of this one. What is not a sample is ignored. */
  restore(earlier: unknown): void {
    const first = this.#samples[0]?.time ?? Infinity;
    const valid = (Array.isArray(earlier) ? earlier : []).filter(isSample).filter(({ time }) => time < first);
    this.#samples = [...valid, ...this.#samples].slice(-SAMPLES_MAX);
  }

  /** The samples up to this moment: the server reports changes only, so its last figures hold while it runs. */
  until(now: number): readonly Sample[] {
    const last = this.#samples.at(-1);
    return last === undefined || this.#isStopped || now <= last.time
      ? this.#samples
      : [...this.#samples, { ...last, time: now, evicted: 0, isFirst: false }];
  }

  #push(sample: Sample): void {
    this.#samples.push(sample);
    if (this.#samples.length > SAMPLES_MAX) {
      this.#samples.splice(0, this.#samples.length - SAMPLES_MAX);
    }
  }
}

function isSample(value: unknown): value is Sample {
  const { time, rss, snapshots, limit, evicted, isFirst } = (value ?? {}) as Record<string, unknown>;
  return [time, rss, snapshots, limit, evicted].every(Number.isFinite) && typeof isFirst === "boolean";
}
