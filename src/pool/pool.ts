/**
 * Pool: worker processes that run functions over many arguments.
 *
 * ```
 * apply, map ─▶ parts of work ─▶ dispatcher (../team/) ─▶ workers
 *                                     │ each part settles once: done, failed, or its worker died
 * AsyncResult ◀── all parts of it ◀───┘
 * ```
 */

import { AssertionError, CancelledError, ProcessError, TimeoutError, ValueError } from "../base/errors.ts";
import { waitMs, wholeNumber } from "../base/options.ts";
import { cores, printError } from "../platform/runtime.ts";
import type { StartMethod } from "../process/hub.ts";
import { currentProcess, isImporting } from "../process/process.ts";
import type { Callable } from "../process/target.ts";
import type { CallKind } from "../team/calls.ts";
import { Dispatcher } from "../team/dispatcher.ts";
import { checkedWorkers, methodOf, type WorkerOptions } from "../team/options.ts";
import type { TeamStats } from "../team/stats.ts";
import { AsyncResult } from "./async_result.ts";
import { automaticChunksize, runGroup } from "./_group.ts";
import { Imap, type ImapIterator } from "./_imap.ts";
import { type Progress, reporter } from "../team/progress.ts";

/** What a {@link Pool} is. */
export interface PoolOptions extends WorkerOptions {
  /** How many workers there may be; as many as there are processors when left out. */
  processes?: number | undefined;
  /** How workers are started: a context, or the name of a start method; the default when left out. */
  context?: { readonly name: string } | StartMethod | undefined;
}

/** How to run one call. */
export interface CallOptions<R> {
  /** Called with the result, in this process, before whoever awaits it goes on. */
  callback?: ((result: R) => void) | undefined;
  /** Called with the error instead. */
  errorCallback?: ((error: unknown) => void) | undefined;
  /** Ends the work, and a worker that is at it, with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Ends the work in the same way with a {@link TimeoutError}, so many milliseconds after it was asked for. */
  timeout?: number | undefined;
}

/** How to run one call of {@link Pool.applyAsync}. */
export interface ApplyOptions<R> extends CallOptions<R> {
  /** Buffers and ports in the arguments that move to the worker. */
  transfer?: Transferable[] | undefined;
}

/** How to run a function over many items. */
export interface MapOptions<R> extends CallOptions<R[]> {
  /** How many items go to a worker at a time; when left out, so many that each worker gets about four parts. */
  chunksize?: number | undefined;
  /** How to show progress. */
  progress?: Progress | undefined;
}

/** How to run a function over a stream of items. */
export interface ImapOptions {
  /** How many items go to a worker at a time; 1 when left out. */
  chunksize?: number | undefined;
  /** How to show progress. */
  progress?: Progress | undefined;
  /** Ends the work, and the workers that are at it, with the signal's reason. */
  signal?: AbortSignal | undefined;
}

export type { ImapIterator, Progress };

/** Items from anywhere. */
export type Items<T> = Iterable<T> | AsyncIterable<T>;

/** Begins work that settles by one of the two; gives what ends it for a reason. */
type Begin = (done: (value: unknown) => void, failed: (error: unknown) => void) => (reason: unknown) => void;

/** What calls are still to come from. */
interface Source {
  /** Settles when no more will come of it. */
  readonly over: Promise<void>;
  /** Ends it for a reason. */
  abort(reason: unknown): void;
  /** Takes what is left of it without waiting for a reader. */
  hurry?(): void;
}

/**
 * Worker processes that run functions.
 *
 * - Workers are started when there is work for them, up to `processes`, and kept.
 * - Every call settles: with what the function returned, with what it threw, or with a {@link ProcessError} that says
 *   how its worker died. A worker that dies is replaced; only the call that it was running fails.
 * - A call can be ended while it runs, by `signal` or `timeout`: its worker is, and is replaced.
 * - What the function throws arrives with its class, message and properties; its stack over there is the `cause`.
 * - Calls that were not settled keep the program up; idle workers do not.
 *
 * Functions are exported ones, passed as themselves; see {@link Process}. They may be async; a worker runs one call at
 * a time.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.pool.Pool | multiprocessing.Pool}.
 * Here workers are started on demand; a call whose worker is killed fails, where Python waits for ever; what
 * {@link Pool.terminate} finds unfinished fails, where in Python it never settles.
 *
 * @example Squares
 * ```ts
 * import { Pool } from "@multiprocessing/deno";
 * import { square } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * await using pool = new Pool(2);
 * assert.equal(await pool.apply(square, [3]), 9);
 * assert.deepEqual(await pool.map(square, [1, 2, 3]), [1, 4, 9]);
 * ```
 */
export class Pool implements AsyncDisposable {
  /** The start method of this class; that of {@link setStartMethod} when undefined. Contexts set it. */
  static readonly startMethod: StartMethod | undefined = undefined;

  readonly #dispatcher: Dispatcher;
  readonly #sources = new Set<Source>();
  #state: "running" | "closed" | "terminated" = "running";
  #gone: Promise<void> | undefined;

  /**
   * Makes a pool.
   *
   * @param processes How many workers there may be, or everything that can be said of them.
   * @throws {ValueError} If a number is out of range, or something is asked that the start method cannot do.
   * @throws {AssertionError} In a daemon, which may have no children.
   */
  constructor(processes?: number | PoolOptions) {
    const options = typeof processes === "object" ? processes : { processes };
    const max = options.processes ?? cores();
    if (!Number.isInteger(max) || max < 1) {
      throw new ValueError(`Number of processes must be at least 1, and is ${max}`);
    }
    const { daemon, name } = currentProcess();
    // One that is made by a module that a worker imports may be meant for others, and is refused once it is used.
    if (daemon && !isImporting()) {
      throw new AssertionError(
        `daemonic processes are not allowed to have children: "${name}" is a daemon and cannot have a pool`,
      );
    }
    const startMethod = methodOf(options.context ?? new.target.startMethod);
    this.#dispatcher = new Dispatcher({
      ...checkedWorkers(options, max),
      name: startMethod === "spawn" ? "SpawnPoolWorker" : "PoolWorker",
      startMethod,
      max,
      parental: false,
      fragile: false,
      mourn: ({ message, worker, pid, exitcode, running }) =>
        Object.assign(new ProcessError(message), { worker, pid, exitcode, running }),
    });
  }

  /**
   * Calls a function in a worker and waits for what it returns.
   *
   * @param fn An exported function.
   * @param args What to call it with.
   * @returns What it returned.
   * @throws Whatever it threw; see {@link Pool}.
   */
  async apply<A extends unknown[], R>(fn: (...args: A) => R, args?: A): Promise<Awaited<R>> {
    return await this.applyAsync(fn, args).get();
  }

  /**
   * Calls a function in a worker.
   *
   * @param fn An exported function.
   * @param args What to call it with.
   * @param options Callbacks, `signal`, `timeout`, `transfer`.
   * @returns What will come of it.
   * @throws {ValueError} If the pool takes no more work.
   *
   * @example End what takes too long
   * ```ts
   * import { Pool, TimeoutError } from "@multiprocessing/deno";
   * import { spin } from "examples/targets.ts";
   * import assert from "node:assert/strict";
   *
   * await using pool = new Pool(1);
   * await assert.rejects(async () => await pool.applyAsync(spin, [], { timeout: 200 }), TimeoutError);
   * ```
   */
  applyAsync<A extends unknown[], R>(
    fn: (...args: A) => R,
    args?: A,
    options?: ApplyOptions<Awaited<R>>,
  ): AsyncResult<Awaited<R>> {
    const call = { fn, kind: "call" as const, args: args ?? [], transfer: options?.transfer };
    return this.#run(fn, options as ApplyOptions<unknown>, (done, failed) => {
      const task = this.#dispatcher.submit({ ...call, done, failed });
      return (reason) => this.#dispatcher.abort(task, reason);
    }) as AsyncResult<Awaited<R>>;
  }

  /**
   * Calls a function with each item and waits for all results.
   *
   * @param fn An exported function.
   * @param iterable The items, also an async iterable; read whole before the first call.
   * @param options `chunksize`, `progress`, `signal`, `timeout`.
   * @returns The results, in the order of the items.
   * @throws The first error, once every part has ended; and whatever `iterable` throws.
   */
  async map<T, R>(
    fn: (item: T) => R,
    iterable: Items<T>,
    options?: MapOptions<Awaited<R>> | number,
  ): Promise<Awaited<R>[]> {
    return await this.mapAsync(fn, iterable, options).get();
  }

  /**
   * As {@link Pool.map}, without waiting.
   *
   * @param fn An exported function.
   * @param iterable The items.
   * @param options Callbacks, `chunksize`, `progress`, `signal`, `timeout`.
   * @returns What will come of it.
   */
  mapAsync<T, R>(
    fn: (item: T) => R,
    iterable: Items<T>,
    options?: MapOptions<Awaited<R>> | number,
  ): AsyncResult<Awaited<R>[]> {
    return this.#map(fn, "map", iterable, options as MapOptions<unknown>) as AsyncResult<Awaited<R>[]>;
  }

  /**
   * Calls a function with each list of arguments and waits for all results.
   *
   * @param fn An exported function.
   * @param iterable The lists of arguments.
   * @param options `chunksize`, `progress`, `signal`, `timeout`.
   * @returns The results, in the order of the lists.
   *
   * @example
   * ```ts
   * import { Pool } from "@multiprocessing/deno";
   * import { add } from "examples/targets.ts";
   * import assert from "node:assert/strict";
   *
   * await using pool = new Pool(1);
   * assert.deepEqual(await pool.starmap(add, [[1, 2], [3, 4]]), [3, 7]);
   * ```
   */
  async starmap<A extends unknown[], R>(
    fn: (...args: A) => R,
    iterable: Items<A>,
    options?: MapOptions<Awaited<R>> | number,
  ): Promise<Awaited<R>[]> {
    return await this.starmapAsync(fn, iterable, options).get();
  }

  /**
   * As {@link Pool.starmap}, without waiting.
   *
   * @param fn An exported function.
   * @param iterable The lists of arguments.
   * @param options Callbacks, `chunksize`, `progress`, `signal`, `timeout`.
   * @returns What will come of it.
   */
  starmapAsync<A extends unknown[], R>(
    fn: (...args: A) => R,
    iterable: Items<A>,
    options?: MapOptions<Awaited<R>> | number,
  ): AsyncResult<Awaited<R>[]> {
    return this.#map(fn, "starmap", iterable, options as MapOptions<unknown>) as AsyncResult<Awaited<R>[]>;
  }

  /**
   * Calls a function with each item of a stream and yields the results in the order of the items.
   *
   * Items are taken as there is room: not more than two parts for each worker are ahead of the reader. Ending the
   * iteration early ends the source, and what was not begun is not run.
   *
   * Python: `Pool.imap`, which takes all items at once.
   *
   * @param fn An exported function.
   * @param iterable The items; may be endless, and async.
   * @param options `chunksize`, `progress`, `signal`.
   * @returns The results. Its `next({ timeout })` throws a {@link TimeoutError} if none is there in time; an error of
   * the function is thrown in the place of its result, and `next` can be called again.
   *
   * @example An endless source
   * ```ts
   * import { Pool } from "@multiprocessing/deno";
   * import { square } from "examples/targets.ts";
   * import assert from "node:assert/strict";
   *
   * function* numbers() {
   *   for (let n = 1;; n++) yield n;
   * }
   * await using pool = new Pool(2);
   * const seen = [];
   * for await (const result of pool.imap(square, numbers())) {
   *   seen.push(result);
   *   if (seen.length === 3) break;
   * }
   * assert.deepEqual(seen, [1, 4, 9]);
   * ```
   */
  imap<T, R>(
    fn: (item: T) => R,
    iterable: Items<T>,
    options?: ImapOptions | number,
  ): ImapIterator<Awaited<R>> {
    return this.#imap(fn, iterable, options, true);
  }

  /**
   * As {@link Pool.imap}, yielding each result as soon as it is there.
   *
   * @param fn An exported function.
   * @param iterable The items; may be endless, and async.
   * @param options `chunksize`, `progress`, `signal`.
   * @returns The results.
   */
  imapUnordered<T, R>(
    fn: (item: T) => R,
    iterable: Items<T>,
    options?: ImapOptions | number,
  ): ImapIterator<Awaited<R>> {
    return this.#imap(fn, iterable, options, false);
  }

  /** Takes no more work; workers leave once what there is is done, the rest of every `imap` included. */
  close(): void {
    if (this.#state !== "running") return;
    this.#state = "closed";
    const overs = Array.from(this.#sources, ({ over }) => over);
    this.#gone = Promise.all(overs).then(() => this.#dispatcher.close());
  }

  /** Ends every worker at once; what was not finished fails with a {@link CancelledError}. */
  terminate(): void {
    if (this.#state === "terminated") return;
    this.#state = "terminated";
    const reason = new CancelledError("Cannot finish the call: the pool was terminated");
    const gone = this.#dispatcher.terminate(reason);
    for (const source of this.#sources) source.abort(reason);
    this.#gone = Promise.all([this.#gone, gone]).then(() => {});
  }

  /**
   * Waits until every worker is gone. After {@link Pool.close} that is when all work is done: what is left of the
   * sources of `imap` is then taken whether its results are read or not, as in Python.
   *
   * @throws {ValueError} Unless {@link Pool.close} or {@link Pool.terminate} was called.
   */
  async join(): Promise<void> {
    if (this.#gone === undefined) {
      throw new ValueError("Pool is still running: call close() or terminate() before join()");
    }
    for (const source of this.#sources) source.hurry?.();
    await this.#gone;
  }

  /**
   * What the pool has done and is doing.
   *
   * @returns Numbers of workers and calls, and how long calls waited and ran.
   */
  stats(): TeamStats {
    return this.#dispatcher.stats();
  }

  /** As in Python, {@link Pool.terminate}; and waits until every worker is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.terminate();
    await this.join();
  }

  #map(
    fn: Callable,
    kind: CallKind,
    iterable: Items<unknown>,
    how: MapOptions<unknown> | number | undefined,
  ): AsyncResult<unknown[]> {
    const options = typeof how === "number" ? { chunksize: how } : how ?? {};
    const { chunksize, progress } = options;
    if (chunksize !== undefined) wholeNumber("chunksize", chunksize, 1);
    checkIterable(iterable);
    return this.#run(fn, options as CallOptions<unknown>, (done, failed) => {
      const begin = (items: unknown[]) => {
        const report = reporter(progress, items.length);
        const ended = <T>(settle: (thing: T) => void) => (thing: T) => (report.stop(), settle(thing));
        return runGroup(this.#dispatcher, {
          fn,
          kind,
          items,
          chunksize: chunksize ?? automaticChunksize(items.length, this.#dispatcher.max),
          progress: (count) => report.update(count),
          done: ended(done),
          failed: ended(failed),
        });
      };
      if (!isAsync(iterable)) return begin([...iterable]);
      let end = failed;
      let wanted = true;
      const isOver = Promise.withResolvers<void>();
      const source: Source = {
        over: isOver.promise,
        abort(reason) {
          wanted = false;
          isOver.resolve();
          end(reason);
        },
      };
      this.#add(source);
      readAll(iterable, () => wanted).then((items) => {
        if (wanted) end = begin(items);
      }).catch(failed).finally(isOver.resolve);
      return source.abort;
    }) as AsyncResult<unknown[]>;
  }

  #imap<R>(
    fn: Callable,
    iterable: Items<unknown>,
    how: ImapOptions | number | undefined,
    ordered: boolean,
  ): ImapIterator<R> {
    const options = typeof how === "number" ? { chunksize: how } : how ?? {};
    const { signal } = options;
    this.#checkRunning();
    checkFn(fn);
    checkIterable(iterable);
    const chunksize = wholeNumber("chunksize", options.chunksize ?? 1, 1);
    signal?.throwIfAborted();
    const report = reporter(options.progress, lengthOf(iterable));
    const isOver = Promise.withResolvers<void>();
    const iterator = new Imap<R>(this.#dispatcher, {
      fn,
      source: isAsync(iterable) ? iterable[Symbol.asyncIterator]() : iterable[Symbol.iterator](),
      chunksize,
      ordered,
      progress: (count) => report.update(count),
      over() {
        signal?.removeEventListener("abort", abort);
        report.stop();
        isOver.resolve();
      },
    });
    const abort = () => iterator.abort(signal!.reason);
    signal?.addEventListener("abort", abort, { once: true });
    this.#add({
      over: isOver.promise,
      abort: (reason) => iterator.abort(reason),
      hurry: () => iterator.hurry(),
    });
    return iterator;
  }

  #add(source: Source): void {
    this.#sources.add(source);
    source.over.then(() => this.#sources.delete(source));
  }

  /** Begins work; whatever prevents that is its result. */
  #run(
    fn: Callable,
    { callback, errorCallback, signal, timeout }: CallOptions<unknown> = {},
    begin: Begin,
  ): AsyncResult<unknown> {
    this.#checkRunning();
    checkFn(fn);
    const ms = waitMs({ timeout });
    return new AsyncResult((resolve, reject) => {
      let end: ((reason: unknown) => void) | undefined;
      let timer: ReturnType<typeof setTimeout> | undefined;
      let settled = false;
      const abort = () => end!(signal!.reason);
      const settling = (call: ((thing: unknown) => void) | undefined, settle: (thing: unknown) => void) => {
        return (thing: unknown) => {
          if (settled) return;
          settled = true;
          clearTimeout(timer);
          signal?.removeEventListener("abort", abort);
          called(call, thing);
          settle(thing);
        };
      };
      const failed = settling(errorCallback, reject);
      if (signal?.aborted) return failed(signal.reason);
      try {
        end = begin(settling(callback, resolve), failed);
      } catch (error) {
        return failed(error);
      }
      if (settled) return;
      signal?.addEventListener("abort", abort, { once: true });
      if (ms < 2 ** 31) timer = setTimeout(() => end!(tooLate(fn, ms)), ms);
    });
  }

  #checkRunning(): void {
    if (this.#state !== "running") {
      throw new ValueError(`Pool not running: it was ${this.#state} and takes no more work`);
    }
  }
}

function checkFn(fn: unknown): void {
  if (typeof fn !== "function") {
    throw new TypeError(`Cannot call ${String(fn)}: it must be a function, and is ${typeof fn}`);
  }
}

function checkIterable(items: unknown): void {
  if (!(Symbol.iterator in Object(items) || Symbol.asyncIterator in Object(items))) {
    throw new TypeError(
      `Cannot iterate over ${String(items)}: it must be an iterable, and is ${typeof items}`,
    );
  }
}

function isAsync(items: Items<unknown>): items is AsyncIterable<unknown> {
  return Symbol.asyncIterator in Object(items);
}

/** How many items there are, where that is known beforehand. */
function lengthOf(items: Items<unknown>): number | undefined {
  if (items instanceof Set || items instanceof Map) return items.size;
  return Array.isArray(items) || ArrayBuffer.isView(items) ? (items as unknown[]).length : undefined;
}

/** Reads to the end, or to the first item that is not wanted any more. */
async function readAll(items: AsyncIterable<unknown>, wanted: () => boolean): Promise<unknown[]> {
  const read: unknown[] = [];
  for await (const item of items) {
    if (!wanted()) break;
    read.push(item);
  }
  return read;
}

function tooLate(fn: Callable, ms: number): TimeoutError {
  return new TimeoutError(
    `Cannot finish ${fn.name || "an anonymous function"}() within ${ms} ms: it was ended`,
  );
}

/** Calls back; an error in there is the callback's own affair. */
function called(callback: ((thing: unknown) => void) | undefined, thing: unknown): void {
  try {
    callback?.(thing);
  } catch (error) {
    printError("Exception in a callback of a pool:", error);
  }
}
