/** The iterator that `Executor.map` gives: results in order, of calls that were submitted in chunks. */

import { TimeoutError } from "../base/errors.ts";
import { waitMs, type WaitOptions, wholeNumber } from "../base/options.ts";
import { settledWithin } from "../platform/runtime.ts";
import { type Progress, type Reporter, reporter } from "../team/progress.ts";
import { doneOf, type Future } from "./future.ts";

/** How `map` goes about it; see {@link mapOptions}. */
export interface MapSettings extends Omit<WaitOptions, "block"> {
  /** How many calls go to a worker at a time; 1 when left out. */
  chunksize?: number | undefined;
  /**
   * How many results may be under way or unread; items are taken from the iterables as the results are read. When
   * left out, all items are taken at once, as in Python, and the calls run whether anybody reads or not.
   */
  buffersize?: number | undefined;
  /** How to show progress: `true` for a bar on stderr where that is a terminal, or a function. */
  progress?: Progress | undefined;
}

/**
 * What {@link mapOptions} makes.
 *
 * @example It can be used again and again
 * ```ts
 * import { mapOptions, ThreadPoolExecutor } from "@multiprocessing/deno/futures";
 * import assert from "node:assert/strict";
 *
 * const inPairs = mapOptions({ chunksize: 2 });
 * assert.equal(inPairs.settings.chunksize, 2);
 * await using executor = new ThreadPoolExecutor(2);
 * const half = (n: number) => n / 2;
 * assert.deepEqual(await Array.fromAsync(executor.map(half, [2, 4, 6], inPairs)), [1, 2, 3]);
 * assert.deepEqual(await Array.fromAsync(executor.map(half, [8], inPairs)), [4]);
 * ```
 */
export class MapOptions {
  /** What was said. */
  readonly settings: MapSettings;

  /**
   * Made by {@link mapOptions}.
   *
   * @param settings What is to be said.
   */
  constructor(settings: MapSettings) {
    this.settings = settings;
  }
}

/**
 * Says how `map` shall go about it; its last argument.
 *
 * Python: the keyword arguments `timeout`, `chunksize` and `buffersize` (3.14) of `Executor.map`. Here `buffersize` counts
 * items, also where they go in chunks, and an aborted `signal` ends the iteration and cancels what has not begun.
 *
 * @param settings `timeout` in milliseconds, from the call of `map`; `chunksize`, `buffersize`, `progress`, `signal`.
 * @returns The argument.
 *
 * @example Not more than four results ahead of the reader
 * ```ts
 * import { mapOptions, ProcessPoolExecutor } from "@multiprocessing/deno/futures";
 * import { square } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * await using executor = new ProcessPoolExecutor(2);
 * const squares = executor.map(square, [1, 2, 3], mapOptions({ buffersize: 4 }));
 * assert.deepEqual(await Array.fromAsync(squares), [1, 4, 9]);
 * ```
 */
export function mapOptions(settings: MapSettings): MapOptions {
  return new MapOptions(settings);
}

/** Items from anywhere. */
export type Items<T> = Iterable<T> | AsyncIterable<T>;

type Source = Iterator<unknown> | AsyncIterator<unknown>;
type Chunk = { future: Future<unknown[]>; size: number } | { error: unknown };

/**
 * Yields the results of calls that are submitted in chunks, in order.
 *
 * Invariant: what stands in `#chunks` is what will be read, in that order; an error stands in its place, too.
 */
export class MapIterator<R> implements AsyncIterableIterator<R, undefined> {
  readonly #submit: (chunk: unknown[][]) => Future<unknown[]>;
  readonly #sources: Source[];
  readonly #chunksize: number;
  readonly #most: number;
  readonly #ms: number;
  readonly #end: number;
  readonly #signal: AbortSignal | undefined;
  readonly #report: Reporter;
  #chunks: Chunk[] = [];
  /** Results of the chunk that is being read, the next one last: what was given is not kept. */
  #reading: unknown[] = [];
  /** Results that are under way or unread. */
  #ahead = 0;
  /** Chunks that are under way. */
  #underWay = 0;
  #counted = 0;
  #state: "pulling" | "exhausted" | "closed" = "pulling";
  #pulling: Promise<void> | undefined;
  /** Why it was closed from outside; thrown once. */
  #failure: { error: unknown } | undefined;
  /** Settles when the sources that were not read to their end have been let go. */
  #released: Promise<void> | undefined;
  /** Ends the wait for a result. */
  readonly #closing = new AbortController();
  /** One reader after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    iterables: Items<unknown>[],
    settings: MapSettings,
    submit: (chunk: unknown[][]) => Future<unknown[]>,
  ) {
    const { chunksize = 1, buffersize, progress, signal } = settings;
    this.#chunksize = wholeNumber("chunksize", chunksize, 1);
    this.#most = buffersize === undefined ? Infinity : wholeNumber("buffersize", buffersize, 1);
    this.#ms = waitMs(settings);
    this.#end = performance.now() + this.#ms;
    this.#signal = signal;
    this.#submit = submit;
    signal?.throwIfAborted();
    this.#sources = iterables.map(open);
    this.#report = reporter(progress, shortest(iterables));
    signal?.addEventListener("abort", this.#abort, { once: true });
    this.#pull();
    // Here an error has a caller to go to; later it waits for its reader.
    const failed = this.#chunks.find((chunk) => "error" in chunk);
    if (failed === undefined) return;
    this.#close();
    throw failed.error;
  }

  next(): Promise<IteratorResult<R, undefined>> {
    const next = this.#turn.then(() => this.#next());
    const nothing = () => {};
    this.#turn = next.then(nothing, nothing); // without the result
    return next;
  }

  /** Ends it: calls that have not begun are cancelled. */
  async return(): Promise<IteratorResult<R, undefined>> {
    this.#close();
    await this.#released;
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #next(): Promise<IteratorResult<R, undefined>> {
    for (;;) {
      if (this.#state === "closed") return this.#closed();
      if (this.#reading.length > 0) {
        const value = this.#reading.pop() as R;
        this.#ahead--;
        this.#pull();
        return { done: false, value };
      }
      this.#pull();
      try {
        await this.#advance();
      } catch (error) {
        if (this.#state as string === "closed") continue;
        this.#close();
        throw error;
      }
    }
  }

  /** Waits for the next chunk; without one for the next item, and without that for the end. */
  async #advance(): Promise<void> {
    const [chunk] = this.#chunks;
    if (chunk === undefined) {
      if (this.#pulling !== undefined) return await this.#within(this.#pulling);
      await this.#released;
      return this.#close();
    }
    if ("error" in chunk) throw chunk.error;
    await this.#within(doneOf(chunk.future));
    this.#reading = (await chunk.future.result()).reverse();
    this.#chunks.shift();
  }

  async #within(promise: Promise<unknown>): Promise<void> {
    const leftMs = Math.max(0, this.#end - performance.now());
    if (await settledWithin(promise, leftMs, this.#closing.signal)) return;
    throw new TimeoutError(`Cannot get the next result: the ${this.#ms} ms for all of them are over`);
  }

  // --- From the sources to the executor -------------------------------------------------------------------------

  /** Takes items as far as there is room: without `await` while the sources give them so. */
  #pull(): void {
    if (this.#pulling !== undefined) return;
    const chunk: unknown[][] = [];
    try {
      while (this.#state === "pulling" && this.#hasRoom()) {
        const later = this.#fill(chunk);
        if (later !== undefined) {
          this.#pulling = this.#pullLater(chunk, later);
          return;
        }
        this.#send(chunk.splice(0));
      }
    } catch (error) {
      this.#fail(chunk, error);
    }
  }

  #hasRoom(): boolean {
    return this.#ahead === 0 || this.#ahead + this.#chunksize <= this.#most;
  }

  /** Adds items to a chunk until it is full or there are no more; gives the next ones if they have to be awaited. */
  #fill(chunk: unknown[][]): Promise<IteratorResult<unknown>[]> | undefined {
    while (chunk.length < this.#chunksize && this.#state === "pulling") {
      const results = this.#sources.map((source) => source.next());
      if (results.some((result) => "then" in result)) return Promise.all(results);
      this.#add(chunk, results as IteratorResult<unknown>[]);
    }
    return undefined;
  }

  async #pullLater(chunk: unknown[][], first: Promise<IteratorResult<unknown>[]>): Promise<void> {
    try {
      for (let next: typeof first | undefined = first; next !== undefined; next = this.#fill(chunk)) {
        this.#add(chunk, await next);
      }
      this.#send(chunk.splice(0));
    } catch (error) {
      this.#fail(chunk, error);
    }
    this.#pulling = undefined;
    this.#pull();
  }

  #add(chunk: unknown[][], results: IteratorResult<unknown>[]): void {
    if (results.length === 0 || results.some(({ done }) => done)) {
      this.#exhaust(this.#sources.filter((_, at) => !results[at]!.done));
    } else chunk.push(results.map(({ value }) => value));
  }

  /** A source, or the executor, has failed: what came before that is run, and behind it the error is thrown. */
  #fail(chunk: unknown[][], error: unknown): void {
    this.#exhaust(this.#sources);
    try {
      this.#send(chunk);
    } catch (refused) {
      this.#chunks.push({ error: refused });
    }
    this.#chunks.push({ error });
  }

  #send(chunk: unknown[][]): void {
    const size = chunk.length;
    if (size === 0 || this.#state === "closed") return;
    const future = this.#submit(chunk);
    this.#ahead += size;
    this.#underWay++;
    this.#chunks.push({ future, size });
    future.addDoneCallback(() => {
      this.#underWay--;
      if (!future.cancelled()) this.#report.update(this.#counted += size);
      if (this.#underWay === 0 && this.#state === "exhausted") this.#report.stop();
    });
  }

  // --- The end --------------------------------------------------------------------------------------------------

  /** Nothing more is taken from the sources. */
  #exhaust(unfinished: Source[]): void {
    if (this.#state !== "pulling") return;
    this.#state = "exhausted";
    this.#released = release(unfinished);
    this.#released.catch(() => {/* thrown to whoever reads to the end */});
  }

  readonly #abort = (): void => {
    this.#failure = { error: this.#signal!.reason };
    this.#close();
  };

  #close(): void {
    if (this.#state === "closed") return;
    this.#exhaust(this.#sources);
    this.#state = "closed";
    this.#signal?.removeEventListener("abort", this.#abort);
    for (const chunk of this.#chunks.splice(0)) if ("future" in chunk) chunk.future.cancel();
    this.#reading = [];
    this.#closing.abort();
    this.#report.stop();
  }

  #closed(): IteratorResult<R, undefined> {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure.error;
    return { done: true, value: undefined };
  }
}

function open(items: Items<unknown>): Source {
  const iterable = items as Partial<Iterable<unknown> & AsyncIterable<unknown>> | null | undefined;
  const source = iterable?.[Symbol.asyncIterator]?.() ?? iterable?.[Symbol.iterator]?.();
  if (source === undefined) throw new TypeError(`Cannot map over ${String(items)}: it is not iterable`);
  return source;
}

async function release(sources: Source[]): Promise<void> {
  await Promise.all(sources.map(async (source) => await source.return?.()));
}

/** How many items there will be, if that can be told. */
function shortest(iterables: Items<unknown>[]): number | undefined {
  const lengths = iterables.map((items) => {
    const { length, size } = items as { length?: unknown; size?: unknown };
    return typeof length === "number" ? length : typeof size === "number" ? size : undefined;
  });
  return lengths.includes(undefined) ? undefined : Math.min(...lengths as number[]);
}
