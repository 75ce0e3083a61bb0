/** How long things took lately. */

/** So many of the last ones count. */
const KEPT = 1024;

/** Milliseconds: half of them took no longer than `p50`, and so on. */
export interface Percentiles {
  /** The median. */
  readonly p50: number;
  /** All but one in ten took no longer. */
  readonly p90: number;
  /** All but one in a hundred took no longer. */
  readonly p99: number;
  /** The longest. */
  readonly max: number;
}

/** What a pool or an executor has done and is doing. */
export interface TeamStats {
  /** Worker processes that live. */
  readonly size: number;
  /** Worker processes that are at work. */
  readonly busy: number;
  /** Calls that wait for a worker. */
  readonly queued: number;
  /** Calls that gave a result. A chunk of several items is one call. */
  readonly done: number;
  /** Calls that ended with an error, or were cancelled. */
  readonly failed: number;
  /** How long the last calls waited for a worker. */
  readonly waitMs: Percentiles;
  /** How long the last calls ran in it. */
  readonly runMs: Percentiles;
}

/** A window over the last durations. */
export class Durations {
  readonly #kept: number[] = [];
  #next = 0;

  /** Adds one. */
  add(ms: number): void {
    this.#kept[this.#next] = ms;
    this.#next = (this.#next + 1) % KEPT;
  }

  /** Their percentiles; all 0 while there are none. */
  percentiles(): Percentiles {
    const sorted = this.#kept.toSorted((a, b) => a - b);
    const at = (part: number) => sorted[Math.ceil(sorted.length * part) - 1] ?? 0;
    return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
  }
}
