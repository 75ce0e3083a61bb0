/** What the executors have in common. */

import type { Future } from "./future.ts";
import { type Items, MapIterator, MapOptions } from "./_map.ts";

/** The parameters of a call, each from an iterable of its own. */
export type Iterables<A extends unknown[]> = { [K in keyof A]: Items<A[K]> };

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
 */
export abstract class Executor implements AsyncDisposable {
  /**
   * Has a function called.
   *
   * @param fn The function.
   * @param args What to call it with.
   * @returns What will come of it.
   */
  abstract submit<A extends unknown[], R>(fn: (...args: A) => R, ...args: NoInfer<A>): Future<Awaited<R>>;

  /**
   * Takes no more calls, and ends once those there are have ended.
   *
   * @param options Whether to wait for that, and whether to cancel what has not begun.
   * @returns Settles when everything is released; at once with `wait: false`.
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
   * @param iterables Its arguments, also as async iterables; then perhaps {@link mapOptions}.
   * @returns The results in order. What a call threw is thrown in the place of its result, and is the end.
   */
  map<A extends unknown[], R>(
    fn: (...args: A) => R,
    ...iterables: [...Iterables<NoInfer<A>>] | [...Iterables<NoInfer<A>>, MapOptions]
  ): AsyncIterableIterator<Awaited<R>> {
    const all = iterables as (Items<unknown> | MapOptions)[];
    const last = all.at(-1);
    const settings = last instanceof MapOptions ? last.settings : {};
    const items = (last instanceof MapOptions ? all.slice(0, -1) : all) as Items<unknown>[];
    return new MapIterator<Awaited<R>>(items, settings, (chunk) => this.submitChunk(fn as never, chunk));
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
