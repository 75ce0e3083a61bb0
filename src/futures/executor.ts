/** What the executors have in common. */

import type { Future } from "./future.ts";
import { type Items, MapIterator, MapOptions } from "./_map.ts";

/** The parameters of a call, each from an iterable of its own. */
export type Iterables<A extends unknown[]> = { [K in keyof A]: Items<A[K]> };

/** The same with {@link MapOptions} behind them; an optional parameter may have no iterable. */
export type IterablesAndOptions<A extends unknown[]> = A extends [infer First, ...infer Rest]
  ? [Items<First>, ...IterablesAndOptions<Rest>]
  : number extends A["length"] ? [...Iterables<A>, MapOptions]
  : A extends [] ? [MapOptions]
  : A extends [(infer First)?, ...infer Rest] ? [MapOptions] | [Items<First>, ...IterablesAndOptions<Rest>]
  : never;

/** How to shut an executor down. */
export interface ShutdownOptions {
  /** Whether to wait until everything has ended; `true` when left out. */
  wait?: boolean | undefined;
  /** Whether to cancel the calls that have not begun; `false` when left out. */
  cancelFutures?: boolean | undefined;
}

/**
 * Something that runs calls and gives futures of them.
 *
 * Python: {@link https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.Executor | concurrent.futures.Executor}.
 *
 * @example A function that takes any executor
 * ```ts
 * import { type Executor, ProcessPoolExecutor, ThreadPoolExecutor } from "@multiprocessing/deno/futures";
 * import { square } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * async function sumOfSquares(executor: Executor, numbers: number[]): Promise<number> {
 *   let sum = 0;
 *   for await (const result of executor.map(square, numbers)) sum += result;
 *   return sum;
 * }
 * await using processes = new ProcessPoolExecutor(2);
 * await using threads = new ThreadPoolExecutor(2);
 * assert.equal(await sumOfSquares(processes, [1, 2, 3]), 14);
 * assert.equal(await sumOfSquares(threads, [1, 2, 3]), 14);
 * ```
 */
export abstract class Executor implements AsyncDisposable {
  /**
   * Has a function called.
   *
   * Python: `Executor.submit`. Here there are no keyword arguments.
   *
   * @param fn The function.
   * @param args What to call it with.
   * @returns What will come of it.
   * @throws {RuntimeError} After {@link Executor.shutdown}.
   */
  abstract submit<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Future<Awaited<R>>;

  /**
   * Takes no more calls, and ends once those there are have ended. It can be called again.
   *
   * Python: `Executor.shutdown`.
   *
   * @param options Whether to wait for that, and whether to cancel what has not begun.
   * @returns Settles when everything is released; at once with `wait: false`.
   *
   * @example Cancel what waits
   * ```ts
   * import { ProcessPoolExecutor } from "@multiprocessing/deno/futures";
   * import { square } from "examples/targets.ts";
   * import assert from "node:assert/strict";
   *
   * const executor = new ProcessPoolExecutor(1);
   * const futures = [1, 2, 3].map((n) => executor.submit(square, n));
   * await executor.shutdown({ cancelFutures: true });
   * assert.ok(futures.every((future) => future.done()));
   * ```
   */
  abstract shutdown(options?: ShutdownOptions): Promise<void>;

  /**
   * Has a function called with one item of each iterable after the other, until the shortest is at its end.
   *
   * The calls are submitted at once and run whether anybody reads the results or not; with `buffersize` only so far
   * ahead of the reader. Ending the iteration early cancels what has not begun.
   *
   * Python: `Executor.map`. Here the options are one last argument, made by {@link mapOptions}.
   *
   * @param fn The function.
   * @param iterables Its arguments, also as async iterables.
   * @returns The results in order. What a call threw is thrown in the place of its result, and is the end; so is a
   * {@link TimeoutError}, and what an iterable throws later.
   * @throws {RuntimeError} After {@link Executor.shutdown}. And what an iterable throws at once.
   *
   * @example An endless source, read as far as needed
   * ```ts
   * import { mapOptions, ProcessPoolExecutor } from "@multiprocessing/deno/futures";
   * import { square } from "examples/targets.ts";
   * import assert from "node:assert/strict";
   *
   * function* naturals() {
   *   for (let n = 0;; n++) yield n;
   * }
   * await using executor = new ProcessPoolExecutor(2);
   * for await (const result of executor.map(square, naturals(), mapOptions({ buffersize: 4 }))) {
   *   if (result > 100) {
   *     assert.equal(result, 121);
   *     break;
   *   }
   * }
   * ```
   */
  map<A extends unknown[], R>(
    fn: (...args: A) => R,
    ...iterables: [...Iterables<A>]
  ): AsyncIterableIterator<Awaited<R>>;
  /**
   * The same with options.
   *
   * @param fn The function.
   * @param iterablesAndOptions Its arguments, also as async iterables; then {@link mapOptions}.
   * @returns The results in order.
   */
  map<A extends unknown[], R>(
    fn: (...args: A) => R,
    ...iterablesAndOptions: NoInfer<IterablesAndOptions<A>>
  ): AsyncIterableIterator<Awaited<R>>;
  map(
    fn: (...args: unknown[]) => unknown,
    ...all: (Items<unknown> | MapOptions)[]
  ): AsyncIterableIterator<unknown> {
    const last = all.at(-1);
    const settings = last instanceof MapOptions ? last.settings : {};
    const items = (last instanceof MapOptions ? all.slice(0, -1) : all) as Items<unknown>[];
    return new MapIterator(items, settings, (chunk) => this.submitChunk(fn, chunk));
  }

  /**
   * Has a function called once for each list of arguments, one after the other in one place; for {@link Executor.map}.
   *
   * @param fn The function.
   * @param chunk The lists of arguments.
   * @returns The future of all results.
   */
  protected abstract submitChunk(fn: (...args: unknown[]) => unknown, chunk: unknown[][]): Future<unknown[]>;

  /** The same as {@link Executor.shutdown}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }
}
