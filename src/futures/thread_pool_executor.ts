/** ThreadPoolExecutor: calls that run as threads of this process. */

import { BrokenThreadPool, RuntimeError, ValueError } from "../base/errors.ts";
import { cores, keepAlive, printError } from "../platform/runtime.ts";
import { Thread } from "../threading/thread.ts";
import { Executor, type ShutdownOptions } from "./executor.ts";
import { begin, fail, Future, onCancel, succeed } from "./future.ts";

/** What a {@link ThreadPoolExecutor} is. */
export interface ThreadPoolOptions {
  /** How many threads there may be; 4 more than there are processors, at most 32, when left out. */
  maxWorkers?: number | undefined;
  /** What the threads are called, before a number; `ThreadPoolExecutor-0`, `ThreadPoolExecutor-1` … when left out. */
  threadNamePrefix?: string | undefined;
  /** A function that each thread calls before anything else. */
  // deno-lint-ignore no-explicit-any -- what it takes is what `initargs` holds
  initializer?: ((...args: any[]) => unknown) | undefined;
  /** What it is called with. */
  initargs?: readonly unknown[] | undefined;
}

interface Work {
  readonly future: Future<unknown>;
  run(): unknown;
  begun: boolean;
}

let made = 0;

/**
 * Runs calls as threads of this process, so many at a time.
 *
 * A thread is a cooperative task (see `Thread` of `./threading`): calls share this process's memory, any function will
 * do, and they overlap where they await. What computes without awaiting belongs into a {@link ProcessPoolExecutor}.
 *
 * Python: {@link https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.ThreadPoolExecutor | concurrent.futures.ThreadPoolExecutor}.
 *
 * @example Two at a time
 * ```ts
 * import { ThreadPoolExecutor } from "@multiprocessing/deno/futures";
 * import assert from "node:assert/strict";
 *
 * await using executor = new ThreadPoolExecutor(2);
 * const lengths = executor.map(async (text: string) => (await Promise.resolve(text)).length, ["a", "bc"]);
 * assert.deepEqual(await Array.fromAsync(lengths), [1, 2]);
 * ```
 */
export class ThreadPoolExecutor extends Executor {
  readonly #max: number;
  readonly #prefix: string;
  readonly #initialize: (() => unknown) | undefined;
  readonly #threads: Thread[] = [];
  #queue: Work[] = [];
  /** Calls that run. */
  #running = 0;
  /** Wakes the idle threads. */
  #idle: (() => void)[] = [];
  #broken: Error | undefined;
  #shut = false;

  /**
   * Makes an executor.
   *
   * @param maxWorkers How many threads there may be, or everything that can be said of them.
   * @throws {ValueError} If a number is out of range.
   */
  constructor(maxWorkers?: number | ThreadPoolOptions) {
    super();
    const options = typeof maxWorkers === "object" ? maxWorkers : { maxWorkers };
    const { initializer, initargs = [] } = options;
    this.#max = options.maxWorkers ?? Math.min(32, cores() + 4);
    if (!Number.isInteger(this.#max) || this.#max < 1) {
      throw new ValueError(`max_workers must be greater than 0, and is ${this.#max}`);
    }
    if (initializer !== undefined && typeof initializer !== "function") {
      throw new TypeError(`initializer must be a callable, and is ${typeof initializer}`);
    }
    this.#prefix = options.threadNamePrefix ?? `ThreadPoolExecutor-${made++}`;
    this.#initialize = initializer && (() => initializer(...initargs));
  }

  /**
   * Has a function called in a thread.
   *
   * @param fn The function.
   * @param args What to call it with.
   * @returns What will come of it.
   * @throws {RuntimeError} After {@link ThreadPoolExecutor.shutdown}.
   * @throws {BrokenThreadPool} After the initializer has failed.
   */
  submit<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Future<Awaited<R>> {
    if (typeof fn !== "function") throw new TypeError(`Cannot call ${String(fn)}: it must be a function`);
    return this.#submit(() => fn(...args)) as Future<Awaited<R>>;
  }

  /**
   * Takes no more calls, and lets the threads end once those there are have ended.
   *
   * @param options Whether to wait for that, and whether to cancel what has not begun.
   * @returns Settles when every thread has ended; at once with `wait: false`.
   */
  async shutdown(options: ShutdownOptions = {}): Promise<void> {
    const { wait = true, cancelFutures = false } = options;
    this.#shut = true;
    if (cancelFutures) { for (const { future } of this.#queue.splice(0)) future.cancel(); }
    for (const wake of this.#idle.splice(0)) wake();
    if (wait) { for (const thread of this.#threads) await thread.join(); }
  }

  /** For {@link Executor.map}. */
  protected override submitChunk(fn: (...args: unknown[]) => unknown, chunk: unknown[][]): Future<unknown[]> {
    return this.#submit(async () => {
      const results: unknown[] = [];
      for (const args of chunk) results.push(await fn(...args));
      return results;
    }) as Future<unknown[]>;
  }

  #submit(run: () => unknown): Future<unknown> {
    if (this.#broken !== undefined) {
      throw new BrokenThreadPool(this.#broken.message, { cause: this.#broken.cause });
    }
    if (this.#shut) throw new RuntimeError("cannot schedule new futures after shutdown");
    const future = new Future<unknown>();
    const work: Work = { future, run, begun: false };
    onCancel(future, () => !work.begun);
    // The threads are daemons, whose waits keep nothing up; a call that was not settled does.
    keepAlive.hold();
    future.addDoneCallback(() => keepAlive.drop());
    this.#queue.push(work);
    this.#idle.shift()?.();
    const wanted = Math.min(this.#max, this.#queue.length + this.#running);
    if (this.#threads.length < wanted) this.#startThread();
    return future;
  }

  #startThread(): void {
    const name = `${this.#prefix}_${this.#threads.length}`;
    const thread = new Thread({ target: () => this.#work(), name, daemon: true });
    this.#threads.push(thread);
    thread.start();
  }

  async #work(): Promise<void> {
    try {
      await this.#initialize?.();
    } catch (error) {
      printError("Exception in initializer:", error);
      return this.#break(error);
    }
    for (;;) {
      const work = this.#queue.shift();
      if (work !== undefined) await this.#run(work);
      else if (this.#shut) return;
      else await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
  }

  async #run(work: Work): Promise<void> {
    const { future } = work;
    if (future.done()) return;
    work.begun = true;
    this.#running++;
    begin(future);
    let settle: () => void;
    try {
      const result = await work.run();
      settle = () => succeed(future, result);
    } catch (error) {
      settle = () => fail(future, error);
    }
    this.#running--; // first, so that whoever has waited for it finds this thread free
    settle();
  }

  #break(cause: unknown): void {
    const message = "A thread initializer failed, the thread pool is not usable anymore";
    this.#broken = new BrokenThreadPool(message, { cause });
    for (const { future } of this.#queue.splice(0)) fail(future, this.#broken);
  }
}
