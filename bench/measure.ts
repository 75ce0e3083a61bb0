/**
 * How a measured program measures, and how it answers the harness: one line
 * `{"value": …}` on stdout. The CPython side follows the same rules in
 * `python/timing.py`.
 *
 * @module
 */

import { stdout } from "node:process";

/** What a measured program is told: for how long to run. */
export interface Budget {
  /** Milliseconds of work before the clock starts. */
  warmMs: number;
  /** Milliseconds of work that are counted. */
  measureMs: number;
}

/** Writes one line to stdout. */
export function print(line: string): void {
  stdout.write(line + "\n");
}

/** The middle of `numbers`; of two middles, their mean. */
export function median(numbers: readonly number[]): number {
  const ordered = numbers.toSorted((a, b) => a - b);
  const middle = ordered.length >> 1;
  return ordered.length % 2 === 1 ? ordered[middle]! : (ordered[middle - 1]! + ordered[middle]!) / 2;
}

/** Milliseconds per operation, median over blocks; `run(n)` does n operations. */
export async function msPerOperation(
  run: (n: number) => void | Promise<void>,
  block: number,
  budget: Budget,
): Promise<number> {
  let end = performance.now() + budget.warmMs;
  while (performance.now() < end) await run(block);
  const blocks: number[] = [];
  end = performance.now() + budget.measureMs;
  while (true) {
    const begin = performance.now();
    await run(block);
    const now = performance.now();
    blocks.push((now - begin) / block);
    if (now >= end && blocks.length >= 3) return median(blocks);
  }
}

/** Milliseconds of a single run, median, with a pause before each that is not counted. */
export async function msEach(
  run: () => Promise<void>,
  pauseMs: number,
  budget: Budget,
  { warm = 3, atLeast = 5 }: { warm?: number; atLeast?: number } = {},
): Promise<number> {
  const durations: number[] = [];
  let end = Infinity;
  for (let turn = 0;; turn++) {
    if (pauseMs > 0) await new Promise((done) => setTimeout(done, pauseMs));
    const begin = performance.now();
    await run();
    const now = performance.now();
    if (turn < warm) {
      end = now + budget.measureMs;
      continue;
    }
    durations.push(now - begin);
    if (now >= end && durations.length >= atLeast) return median(durations);
  }
}

/** Runs the case named on the command line (CASE WARM_MS MEASURE_MS) and reports its value. */
export async function report(
  cases: Record<string, (budget: Budget) => Promise<number>>,
): Promise<void> {
  const [name = "", warmMs = "200", measureMs = "500"] = Deno.args;
  const run = cases[name];
  if (run === undefined) {
    throw new Error(
      `Cannot measure "${name}": there is no such case; choose one of ${Object.keys(cases).join(", ")}`,
    );
  }
  const value = await run({
    warmMs: Number(warmMs),
    measureMs: Number(measureMs),
  });
  print(JSON.stringify({ value }));
}
