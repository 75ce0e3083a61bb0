/** Waiting for several futures. */

import { TimeoutError, ValueError } from "../base/errors.ts";
import { waitMs, type WaitOptions } from "../base/options.ts";
import { settledWithin } from "../platform/runtime.ts";
import { Future, hasFailed, watch } from "./future.ts";

/** {@link wait} returns when the first of the futures has ended or was cancelled. */
export const FIRST_COMPLETED = "FIRST_COMPLETED" as const;
/** {@link wait} returns when the first of the futures has ended with an error; if none does, when all have ended. */
export const FIRST_EXCEPTION = "FIRST_EXCEPTION" as const;
/** {@link wait} returns when all futures have ended or were cancelled. */
export const ALL_COMPLETED = "ALL_COMPLETED" as const;

/** When {@link wait} returns. */
export type ReturnWhen = typeof FIRST_COMPLETED | typeof FIRST_EXCEPTION | typeof ALL_COMPLETED;

/** How long {@link wait} waits, and for what. */
export interface FuturesWaitOptions extends WaitOptions {
  /** For what; {@link ALL_COMPLETED} when left out. */
  returnWhen?: ReturnWhen | undefined;
}

/**
 * Waits for futures.
 *
 * Python: {@link https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.wait | concurrent.futures.wait}.
 * Here a cancelled future counts as done at once, also if no executor has noticed yet.
 *
 * @typeParam F The futures.
 * @param futures The futures; one that comes twice counts once.
 * @param options How long to wait, and for what.
 * @returns Those that had ended by then, and those that had not.
 * @throws {ValueError} If `returnWhen` is none of the three. An aborted `signal` throws its own reason.
 * @throws {TypeError} If something else than futures is waited for.
 *
 * @example The first of two
 * ```ts
 * import { FIRST_COMPLETED, ProcessPoolExecutor, wait } from "@multiprocessing/deno/futures";
 * import { square } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * await using executor = new ProcessPoolExecutor(2);
 * const futures = [executor.submit(square, 2), executor.submit(square, 3)];
 * const { done } = await wait(futures, { returnWhen: FIRST_COMPLETED });
 * assert.ok(done.size >= 1);
 * ```
 */
export async function wait<F extends Future>(
  futures: Iterable<F>,
  options: FuturesWaitOptions = {},
): Promise<{ done: Set<F>; notDone: Set<F> }> {
  const { returnWhen = ALL_COMPLETED, signal } = options;
  if (returnWhen !== ALL_COMPLETED && returnWhen !== FIRST_COMPLETED && returnWhen !== FIRST_EXCEPTION) {
    throw new ValueError(`Invalid return condition: ${String(returnWhen)}`);
  }
  const ms = waitMs(options);
  const all = distinct(futures);
  const enough = Promise.withResolvers<void>();
  let missing = all.size;
  const count = (future: F) => {
    missing--;
    const first = returnWhen === FIRST_COMPLETED || returnWhen === FIRST_EXCEPTION && hasFailed(future);
    if (first || missing === 0) enough.resolve();
  };
  if (missing === 0) enough.resolve();
  const watching: (() => void)[] = [];
  for (const future of all) {
    if (future.done()) count(future);
    else watching.push(watch(future, () => count(future)));
  }
  try {
    await settledWithin(enough.promise, ms, signal);
  } finally {
    for (const stop of watching) stop();
  }
  const done = new Set<F>();
  const notDone = new Set<F>();
  for (const future of all) (future.done() ? done : notDone).add(future);
  return { done, notDone };
}

/**
 * A future as {@link asCompleted} yields it. It is the future itself; but TypeScript would take a thenable that comes out
 * of `for await` for its result, so that its type hides `then`. Ask it by `result()`.
 *
 * @typeParam F The future.
 */
export type Completed<F> = F & { readonly then: never };

/**
 * Yields futures as they end.
 *
 * Python: {@link https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.as_completed | concurrent.futures.as_completed}.
 * Here a cancelled future counts as done at once, also if no executor has noticed yet.
 *
 * @typeParam F The futures.
 * @param futures The futures; one that comes twice is yielded once.
 * @param options How long all of it may take, from now on.
 * @returns Those that have ended, and then the others as they do. Its `next` throws a {@link TimeoutError} if they had
 * not all ended within `timeout` milliseconds, and the reason of an aborted `signal`; that is its end.
 * @throws {TypeError} If something else than futures is waited for.
 *
 * @example
 * ```ts
 * import { asCompleted, ProcessPoolExecutor } from "@multiprocessing/deno/futures";
 * import { square } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * await using executor = new ProcessPoolExecutor(2);
 * let sum = 0;
 * for await (const future of asCompleted([1, 2, 3].map((n) => executor.submit(square, n)))) {
 *   sum += await future.result();
 * }
 * assert.equal(sum, 14);
 * ```
 */
export function asCompleted<F extends Future>(
  futures: Iterable<F>,
  options?: WaitOptions,
): AsyncIterableIterator<Completed<F>> {
  return new AsCompleted(distinct(futures), waitMs(options), options?.signal);
}

/** Not a generator: what one yields is awaited, so that it would yield the results. */
class AsCompleted<F extends Future> implements AsyncIterableIterator<Completed<F>, undefined> {
  readonly #all: number;
  readonly #ms: number;
  readonly #end: number;
  readonly #signal: AbortSignal | undefined;
  readonly #ended: F[] = [];
  /** Those that have not ended, and how to stop watching them. */
  readonly #watching = new Map<F, () => void>();
  #left: number;
  #changed = Promise.withResolvers<void>();

  constructor(futures: Set<F>, ms: number, signal: AbortSignal | undefined) {
    this.#all = this.#left = futures.size;
    this.#ms = ms;
    this.#end = performance.now() + ms;
    this.#signal = signal;
    for (const future of futures) {
      if (future.done()) this.#ended.push(future);
      else this.#watching.set(future, watch(future, () => this.#add(future)));
    }
  }

  async next(): Promise<IteratorResult<Completed<F>, undefined>> {
    for (;;) {
      const future = this.#ended.shift();
      if (future !== undefined) {
        this.#left--;
        return { done: false, value: future as Completed<F> };
      }
      if (this.#left === 0) return { done: true, value: undefined };
      try {
        if (!await settledWithin(this.#changed.promise, this.#end - performance.now(), this.#signal)) {
          throw new TimeoutError(`${this.#left} (of ${this.#all}) futures unfinished after ${this.#ms} ms`);
        }
      } catch (error) {
        this.#close();
        throw error;
      }
    }
  }

  return(): Promise<IteratorResult<Completed<F>, undefined>> {
    this.#close();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #add(future: F): void {
    this.#watching.delete(future);
    this.#ended.push(future);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #close(): void {
    for (const stop of this.#watching.values()) stop();
    this.#watching.clear();
    this.#ended.length = 0;
    this.#left = 0;
    this.#changed.resolve();
  }
}

function distinct<F extends Future>(futures: Iterable<F>): Set<F> {
  const all = new Set(futures);
  for (const future of all) {
    if (!(future instanceof Future)) {
      throw new TypeError(`Cannot wait for ${String(future)}: it is no Future`);
    }
  }
  return all;
}
