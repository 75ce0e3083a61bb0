/** Pool: greenlets, so many at a time. */

import { type WaitOptions, wholeNumber } from "../base/options.ts";
import { Queue } from "../queue/queue.ts";
import { Event } from "../threading/event.ts";
import { Semaphore } from "../threading/semaphore.ts";
import { type Greenlet, refuseUnlessCallable, spawn } from "./greenlet.ts";
import { killall } from "./joinall.ts";
import { getcurrent } from "./raw_greenlet.ts";

/** How {@link Pool.imap} goes ahead. */
export interface ImapOptions {
  /** How many results may be waiting to be taken, those in the making included; without limit when left out. */
  maxsize?: number | undefined;
}

/** What `imap` goes through. */
type Source<T> = Iterable<T> | AsyncIterable<T>;

/**
 * Greenlets, so many at a time. Whoever spawns one more waits until one has ended.
 *
 * Python: {@link https://www.gevent.org/api/gevent.pool.html#gevent.pool.Pool | gevent.pool.Pool}.
 * Here what waits is awaited, `spawn` too; times are milliseconds.
 *
 * @example Never more than two at a time
 * ```ts
 * import { pool, sleep } from "@multiprocessing/deno/gevent";
 * import assert from "node:assert/strict";
 *
 * const two = new pool.Pool(2);
 * let inside = 0;
 * const visit = async (n: number) => {
 *   assert.ok(++inside <= 2);
 *   await sleep(1);
 *   inside--;
 *   return n * n;
 * };
 * assert.deepEqual(await two.map(visit, [1, 2, 3, 4]), [1, 4, 9, 16]);
 * ```
 */
export class Pool {
  /** How many may run at a time; `undefined` for any number. */
  readonly size: number | undefined;
  readonly #places: Semaphore | undefined;
  readonly #greenlets = new Set<Greenlet>();
  /** How many are in the pool or about to be: those who wait for a place count as well. */
  #open = 0;
  readonly #empty = new Event();

  /**
   * Makes a pool.
   *
   * @param size How many may run at a time; any number when left out.
   * @throws {ValueError} If `size` is not a whole number of at least 0.
   */
  constructor(size?: number | null) {
    this.size = size ?? undefined;
    if (this.size !== undefined) this.#places = new Semaphore(wholeNumber("size of a pool", this.size, 0));
    this.#empty.set();
  }

  /**
   * Starts a greenlet, waiting while the pool is full.
   *
   * @param fn What it does; it may be async.
   * @param args What it is called with.
   * @returns The greenlet, started.
   */
  async spawn<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Promise<Greenlet<Awaited<R>, A>> {
    refuseUnlessCallable(fn);
    const place = this.#takePlace(); // at once if there is one, so that whoever does not await this may join() next
    if (place !== undefined) await place;
    return this.#start(fn, args);
  }

  /**
   * Calls a function in a greenlet and waits for what it returns; calls it at once if the caller is itself one of this
   * pool's, which could otherwise wait for its own place.
   *
   * @param fn What to call; it may be async.
   * @param args What to call it with.
   * @returns What it returns. What it throws is thrown.
   */
  async apply<A extends unknown[], R>(fn: (...args: A) => R, args?: A): Promise<Awaited<R>> {
    const all = args ?? [] as unknown[] as A;
    if (this.#greenlets.has(getcurrent() as Greenlet)) return await fn(...all);
    return await (await this.spawn(fn, ...all)).get();
  }

  /**
   * Calls a function with each item.
   *
   * @param fn What to call; it may be async.
   * @param iterable The items.
   * @returns What it returned for each, in the order of the items. The first error is thrown; the rest goes on.
   */
  async map<T, R>(fn: (item: T) => R, iterable: Source<T>): Promise<Awaited<R>[]> {
    return await Array.fromAsync(this.imap(fn, iterable));
  }

  /**
   * Calls a function with each item, as many at a time as the pool has room for, and yields what it returned in the
   * order of the items. It goes ahead of whoever iterates, by as much as `maxsize` says.
   *
   * @param fn What to call; it may be async.
   * @param iterable The items.
   * @param options How far to go ahead.
   * @returns The results. An item whose call threw throws that from `next()`, and the one after it follows.
   *
   * @example
   * ```ts
   * import { pool, sleep } from "@multiprocessing/deno/gevent";
   * import assert from "node:assert/strict";
   *
   * const turns = async (n: number) => {
   *   for (let i = 0; i < n; i++) await sleep();
   *   return n;
   * };
   * const three = new pool.Pool(3);
   * assert.deepEqual(await Array.fromAsync(three.imap(turns, [30, 1, 20])), [30, 1, 20]);
   * assert.deepEqual(await Array.fromAsync(three.imapUnordered(turns, [30, 1, 20])), [1, 20, 30]);
   * ```
   */
  imap<T, R>(
    fn: (item: T) => R,
    iterable: Source<T>,
    options?: ImapOptions,
  ): AsyncIterableIterator<Awaited<R>> {
    return this.#imap(fn, iterable, options, true);
  }

  /**
   * As {@link Pool.imap}, but yields each result as soon as it is there.
   *
   * @param fn What to call; it may be async.
   * @param iterable The items.
   * @param options How far to go ahead.
   * @returns The results.
   */
  imapUnordered<T, R>(
    fn: (item: T) => R,
    iterable: Source<T>,
    options?: ImapOptions,
  ): AsyncIterableIterator<Awaited<R>> {
    return this.#imap(fn, iterable, options, false);
  }

  /**
   * Waits until no greenlet is in the pool, and none waits to get in.
   *
   * @param options How long to wait, for ever when left out; with `raiseError` the first error of a greenlet that is
   * in the pool now is thrown.
   * @returns Whether the pool is empty; `false` after `timeout` milliseconds.
   */
  async join(options?: WaitOptions & { raiseError?: boolean | undefined }): Promise<boolean> {
    const greenlets = options?.raiseError ? [...this.#greenlets] : [];
    const empty = await this.#empty.wait(options);
    for (const greenlet of greenlets) if (greenlet.exception !== null) throw greenlet.exception;
    return empty;
  }

  /**
   * Kills the greenlets that are in the pool; see {@link Greenlet.kill}.
   *
   * @param exception What to throw into each, or the class of it; a {@link GreenletExit} when left out.
   * @param options How long to wait for their end, for ever when left out; `block: false` does not wait.
   */
  async kill(exception?: unknown, options?: WaitOptions): Promise<void> {
    await killall(this.#greenlets, exception, options);
  }

  /** Whether nobody can spawn without waiting. */
  full(): boolean {
    return this.freeCount() === 0;
  }

  /** How many could be spawned without waiting; `Infinity` without a size. */
  freeCount(): number {
    return this.#places?.getValue() ?? Infinity;
  }

  /**
   * Waits until one could be spawned without waiting.
   *
   * @param options How long to wait; for ever when left out.
   * @returns How many could be; 0 after `timeout` milliseconds.
   */
  async waitAvailable(options?: WaitOptions): Promise<number> {
    if (this.#places !== undefined && await this.#places.acquire(options)) this.#places.release();
    return this.freeCount();
  }

  /** How many greenlets are in the pool. */
  get length(): number {
    return this.#greenlets.size;
  }

  /** The greenlets that are in the pool. */
  [Symbol.iterator](): IterableIterator<Greenlet> {
    return this.#greenlets.values();
  }

  /** Takes a place for a greenlet: there and then, or after a wait. */
  #takePlace(): Promise<void> | undefined {
    this.#open++;
    this.#empty.clear();
    if (this.#places === undefined || this.#places.acquireSync({ block: false })) return undefined;
    return this.#places.acquire().then(() => {}, (error) => {
      this.#close();
      throw error;
    });
  }

  /** Gives a place up. */
  #leave(): void {
    this.#places?.release();
    this.#close();
  }

  #close(): void {
    if (--this.#open === 0) this.#empty.set();
  }

  /** Starts a greenlet on a place that was taken for it. */
  #start<A extends unknown[], R>(fn: (...args: A) => R, args: A): Greenlet<Awaited<R>, A> {
    const greenlet = spawn(fn, ...args);
    this.#greenlets.add(greenlet);
    greenlet.link(() => {
      this.#greenlets.delete(greenlet);
      this.#leave();
    });
    return greenlet;
  }

  /**
   * A greenlet of its own goes through the items, starts a call for each, and hands the calls over by a queue, which
   * it shuts down behind the last one. Not a generator, since that would end with the first error.
   */
  #imap<T, R>(
    fn: (item: T) => R,
    iterable: Source<T>,
    { maxsize }: ImapOptions = {},
    ordered: boolean,
  ): AsyncIterableIterator<Awaited<R>> {
    refuseUnlessCallable(fn);
    const ahead = maxsize === undefined
      ? undefined
      : new Semaphore(wholeNumber("maxsize of imap()", maxsize, 1));
    const calls = new Queue<Pick<Greenlet<Awaited<R>>, "get">>();
    let left = false;
    let open = 1; // the greenlet that feeds
    const close = () => {
      if (--open === 0) calls.shutdown();
    };
    const feeder = spawn(async () => {
      try {
        for await (const item of iterable) {
          await ahead?.acquire();
          await this.#takePlace();
          if (left) return this.#leave();
          const call = this.#start(fn, [item]);
          open++;
          if (ordered) void calls.putNowait(call);
          call.link(() => {
            if (!ordered) void calls.putNowait(call);
            close();
          });
        }
      } catch (error) {
        void calls.putNowait({ get: () => Promise.reject(error) });
      } finally {
        close();
      }
    });
    const end = { done: true, value: undefined } as const;
    const results = calls[Symbol.asyncIterator]();
    return {
      async next() {
        const { done, value: call } = left ? end : await results.next();
        if (done) return end;
        ahead?.release();
        return { done: false, value: await call.get() };
      },
      async return() {
        left = true;
        await feeder.kill(undefined, { block: false });
        return end;
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
}
