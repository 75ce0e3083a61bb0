/** PoolProxy: the proxy of a pool of workers. */

import { AsyncResult } from "../pool/async_result.ts";
import type { CallOptions, Items } from "../pool/pool.ts";
import { type Callable, callingModule } from "../process/target.ts";
import { callWork } from "./_work.ts";
import type { IteratorProxy } from "./iterator_proxy.ts";
import { BaseProxy, call, proxyTravels } from "./proxy.ts";

/** How {@link PoolProxy} runs a function over many items. */
export interface PoolProxyMapOptions<R> extends CallOptions<R[]> {
  /** How many items go to a worker at a time; when left out, so many that each worker gets about four parts. */
  chunksize?: number | undefined;
}

/**
 * The proxy of a pool in the server of a manager, made by {@link SyncManager.Pool}: processes anywhere give work to the
 * same workers.
 *
 * Functions are exported ones, which the server and the workers import; over a socket none are taken. Results and
 * callbacks come to whoever has asked. The pool ends with its manager, or before by {@link PoolProxy.terminate}.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.managers.SyncManager | multiprocessing.managers.PoolProxy}.
 *
 * @example
 * ```ts
 * import { Manager } from "@multiprocessing/deno";
 * import { square } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * await using manager = Manager();
 * await using pool = manager.Pool(2);
 * assert.equal(await pool.apply(square, [3]), 9);
 * assert.deepEqual(await pool.map(square, [1, 2, 3]), [1, 4, 9]);
 * ```
 */
export class PoolProxy extends BaseProxy implements AsyncDisposable {
  /**
   * Calls a function in a worker.
   *
   * @param fn The function: an exported one.
   * @param args What to call it with.
   * @returns What it returns. It rejects as {@link Pool.apply} does.
   */
  apply<A extends unknown[], R>(fn: (...args: A) => R, args?: NoInfer<A>): Promise<Awaited<R>> {
    return this.applyAsync(fn, args).get();
  }

  /**
   * As {@link PoolProxy.apply}, for a result to be asked for later.
   *
   * @param fn The function: an exported one.
   * @param args What to call it with.
   * @param options Callbacks, which run in this process; a signal.
   * @returns The result to come.
   */
  applyAsync<A extends unknown[], R>(
    fn: (...args: A) => R,
    args?: NoInfer<A>,
    options?: CallOptions<Awaited<R>>,
  ): AsyncResult<Awaited<R>> {
    return this.#begin("apply", fn, args ?? [], options);
  }

  /**
   * Calls a function for each of many items.
   *
   * @param fn The function: an exported one.
   * @param iterable The items.
   * @param options How many items go to a worker at a time, and more.
   * @returns What it returns for each, in the order of the items.
   */
  map<T, R>(
    fn: (item: T) => R,
    iterable: Items<NoInfer<T>>,
    options?: PoolProxyMapOptions<Awaited<R>>,
  ): Promise<Awaited<R>[]> {
    return this.mapAsync(fn, iterable, options).get();
  }

  /**
   * As {@link PoolProxy.map}, for a result to be asked for later.
   *
   * @param fn The function: an exported one.
   * @param iterable The items.
   * @param options How many items go to a worker at a time; callbacks, which run in this process; a signal.
   * @returns The results to come.
   */
  mapAsync<T, R>(
    fn: (item: T) => R,
    iterable: Items<NoInfer<T>>,
    options?: PoolProxyMapOptions<Awaited<R>>,
  ): AsyncResult<Awaited<R>[]> {
    return this.#begin("map", fn, iterable, options);
  }

  /**
   * As {@link PoolProxy.map}, where each item is the arguments of a call.
   *
   * @param fn The function: an exported one.
   * @param iterable The arguments of each call.
   * @param options How many calls go to a worker at a time, and more.
   * @returns What it returns for each, in the order of the items.
   */
  starmap<A extends unknown[], R>(
    fn: (...args: A) => R,
    iterable: Items<NoInfer<A>>,
    options?: PoolProxyMapOptions<Awaited<R>>,
  ): Promise<Awaited<R>[]> {
    return this.starmapAsync(fn, iterable, options).get();
  }

  /**
   * As {@link PoolProxy.starmap}, for a result to be asked for later.
   *
   * @param fn The function: an exported one.
   * @param iterable The arguments of each call.
   * @param options How many calls go to a worker at a time; callbacks, which run in this process; a signal.
   * @returns The results to come.
   */
  starmapAsync<A extends unknown[], R>(
    fn: (...args: A) => R,
    iterable: Items<NoInfer<A>>,
    options?: PoolProxyMapOptions<Awaited<R>>,
  ): AsyncResult<Awaited<R>[]> {
    return this.#begin("starmap", fn, iterable, options);
  }

  /**
   * Calls a function for each of many items, and yields the results in their order.
   *
   * @param fn The function: an exported one.
   * @param iterable The items, all of which are sent at once.
   * @param options How many items go to a worker at a time; 1 when left out.
   * @returns What yields the results.
   */
  imap<T, R>(
    fn: (item: T) => R,
    iterable: Items<NoInfer<T>>,
    options?: { chunksize?: number },
  ): AsyncIterableIterator<Awaited<R>> {
    return this.#yield("imap", fn, iterable, options?.chunksize, callingModule());
  }

  /**
   * As {@link PoolProxy.imap}, with the results as they come.
   *
   * @param fn The function: an exported one.
   * @param iterable The items, all of which are sent at once.
   * @param options How many items go to a worker at a time; 1 when left out.
   * @returns What yields the results.
   */
  imapUnordered<T, R>(
    fn: (item: T) => R,
    iterable: Items<NoInfer<T>>,
    options?: { chunksize?: number },
  ): AsyncIterableIterator<Awaited<R>> {
    return this.#yield("imapUnordered", fn, iterable, options?.chunksize, callingModule());
  }

  /** Takes no more work from anybody; workers leave once what there is is done. */
  close(): Promise<void> {
    return call(this, "close");
  }

  /** Ends every worker at once; what was not finished fails with a {@link CancelledError}. */
  terminate(): Promise<void> {
    return call(this, "terminate");
  }

  /**
   * Waits until the workers are gone.
   *
   * @throws {ValueError} If neither `close` nor `terminate` was called before.
   */
  join(): Promise<void> {
    return call(this, "join");
  }

  /** Ends every worker and waits until they are gone; as Python's `with` does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate();
    await this.join();
    this[Symbol.dispose]();
  }

  #begin<R>(
    method: string,
    fn: Callable,
    work: Items<unknown>,
    options: (CallOptions<R> & { chunksize?: number | undefined }) | undefined,
  ): AsyncResult<R> {
    const { callback, errorCallback, signal, timeout, chunksize } = options ?? {};
    const result = this.#run<R>(method, fn, work, { timeout, chunksize }, callingModule(), signal);
    return new AsyncResult<R>((done, failed) => {
      // An error of a callback is nobody's but its own.
      result.then((value) => {
        try {
          callback?.(value);
        } finally {
          done(value);
        }
      }, (error) => {
        try {
          errorCallback?.(error);
        } finally {
          failed(error);
        }
      });
    });
  }

  async #run<R>(
    method: string,
    fn: Callable,
    work: Items<unknown>,
    options: { timeout?: number | undefined; chunksize?: number | undefined },
    site: string | undefined,
    signal?: AbortSignal,
  ): Promise<R> {
    const all = await Array.fromAsync(work);
    return await callWork<R>(this, method, fn, site, (where) => [where, all, options], signal);
  }

  async *#yield<R>(
    method: string,
    fn: Callable,
    items: Items<unknown>,
    chunksize: number | undefined,
    site: string | undefined,
  ): AsyncIterableIterator<R> {
    using results = await this.#run<IteratorProxy<R>>(method, fn, items, { chunksize }, site);
    yield* results;
  }
}

proxyTravels(PoolProxy, "Pool");
