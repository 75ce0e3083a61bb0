/**
 * The iterators of `imap` and `imapUnordered`: results as they come, over a source of any length.
 *
 * ```
 * source ─▶ parts that are out ─▶ dispatcher ─▶ parts that are done and unread ─▶ reader
 *        └──────── together not more than two for each worker ────────────────┘
 * ```
 *
 * Items are taken from the source as room comes. So an endless source is not swallowed, and a slow reader holds the
 * source up; only when the pool is being joined do unread parts not count, since nobody may be there to read.
 */

import { TimeoutError } from "../base/errors.ts";
import { waitMs, type WaitOptions } from "../base/options.ts";
import { printError, settledWithin } from "../platform/runtime.ts";
import type { Callable } from "../process/target.ts";
import type { Dispatcher, Task } from "../team/dispatcher.ts";

/** Parts that may be out or unread for each worker. */
const PARTS_PER_WORKER = 2;

interface Part {
  state: "out" | "done" | "failed";
  /** The results, or the error. */
  value: unknown;
  task: Task | undefined;
}

/** What an iterator runs, over what. */
export interface ImapWork {
  fn: Callable;
  source: Iterator<unknown> | AsyncIterator<unknown>;
  chunksize: number;
  ordered: boolean;
  /** Called after each part, with the number of items that are done. */
  progress(done: number): void;
  /** Called once, when nothing more will be done. */
  over(): void;
}

/**
 * What {@link Pool.imap} and {@link Pool.imapUnordered} give.
 *
 * @typeParam R What the function returns.
 */
export interface ImapIterator<R> extends AsyncIterableIterator<R, undefined, WaitOptions | undefined> {
  /**
   * The next result. An error of the function is thrown in the place of its result, and `next` can be called again.
   *
   * @param options How long to wait; for ever when left out.
   * @returns The result, or that there is none left.
   * @throws {TimeoutError} If it was not there in time; it still comes.
   */
  next(options?: WaitOptions): Promise<IteratorResult<R, undefined>>;
  /**
   * Ends the iteration: what was not begun is not run, and the source is told.
   *
   * @returns That there is nothing left.
   */
  return(): Promise<IteratorResult<R, undefined>>;
  /** Itself. */
  [Symbol.asyncIterator](): this;
}

/** Yields results; see the head of this file. */
export class Imap<R> implements ImapIterator<R> {
  readonly #dispatcher: Dispatcher;
  readonly #work: ImapWork;
  /** Parts in the order in which they will be read, as far as that is known. */
  #parts: Part[] = [];
  /** How many of them are out. */
  #out = 0;
  /** Results of the part that is being read, the next one last: what was given is not kept. */
  #reading: unknown[] = [];
  /** Whether the source gives more; `ended`: nobody wants more. */
  #state: "pulling" | "exhausted" | "ended" = "pulling";
  #pulling = false;
  /** Whether unread parts count. */
  #patient = true;
  #submitted = 0;
  #done = 0;
  #isOver = false;
  #changed = Promise.withResolvers<void>();
  /** One reader after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(dispatcher: Dispatcher, work: ImapWork) {
    this.#dispatcher = dispatcher;
    this.#work = work;
    this.#pull();
  }

  next(options?: WaitOptions): Promise<IteratorResult<R, undefined>> {
    const next = this.#turn.then(() => this.#next(options));
    const nothing = () => {/* its reader knows */};
    this.#turn = next.then(nothing, nothing); // without the result
    return next;
  }

  async return(): Promise<IteratorResult<R, undefined>> {
    const left = this.#end();
    for (const { task } of this.#parts.splice(0)) if (task !== undefined) this.#dispatcher.withdraw(task);
    this.#reading = [];
    await left;
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Ends it with an error behind what is there to read, and the workers that are at it. */
  abort(reason: unknown): void {
    if (this.#isOver) return;
    this.#end()?.catch(reportSource);
    const lost = this.#parts.filter(({ state }) => state === "out");
    // In order, nothing is read beyond a gap.
    const gap = this.#work.ordered ? this.#parts.findIndex(({ state }) => state === "out") : -1;
    this.#parts = gap < 0 ? this.#parts.filter(({ state }) => state !== "out") : this.#parts.slice(0, gap);
    this.#push({ state: "failed", value: reason, task: undefined });
    for (const { task } of lost) this.#dispatcher.abort(task!, reason);
  }

  /** Takes what is left of the source without waiting for a reader. */
  hurry(): void {
    this.#patient = false;
    this.#pull();
  }

  async #next(options: WaitOptions | undefined): Promise<IteratorResult<R, undefined>> {
    const ms = waitMs(options);
    const end = performance.now() + ms;
    for (;;) {
      if (this.#reading.length > 0) return { done: false, value: this.#reading.pop() as R };
      const part = this.#takeReady();
      if (part !== undefined) {
        this.#pull();
        if (part.state === "failed") throw part.value;
        this.#reading = (part.value as unknown[]).reverse();
      } else if (this.#state !== "pulling" && this.#parts.length === 0) {
        return { done: true, value: undefined };
      } else if (!await settledWithin(this.#changed.promise, end - performance.now(), options?.signal)) {
        throw new TimeoutError(`Cannot get the next result within ${ms} ms: the work is not done`);
      }
    }
  }

  #takeReady(): Part | undefined {
    const at = this.#work.ordered ? 0 : Math.max(0, this.#parts.findIndex((part) => part.state !== "out"));
    if ((this.#parts[at]?.state ?? "out") === "out") return undefined;
    return this.#parts.splice(at, 1)[0];
  }

  get #hasRoom(): boolean {
    const counting = this.#patient ? this.#parts.length : this.#out;
    return counting < PARTS_PER_WORKER * this.#dispatcher.max;
  }

  #is(state: "pulling" | "exhausted" | "ended"): boolean {
    return this.#state === state;
  }

  /** Takes items from the source while there is room; without `await` while the source gives them so. */
  async #pull(): Promise<void> {
    if (this.#pulling) return;
    this.#pulling = true;
    while (this.#is("pulling") && this.#hasRoom) {
      const items: unknown[] = [];
      let failure: Part | undefined;
      try {
        while (this.#is("pulling") && items.length < this.#work.chunksize) {
          const taken = this.#work.source.next();
          const { done, value } = "then" in taken ? await taken : taken;
          if (!done) items.push(value);
          else if (this.#is("pulling")) this.#state = "exhausted";
        }
      } catch (error) {
        failure = { state: "failed", value: error, task: undefined };
      }
      if (this.#is("ended")) return; // nobody wants what it still gave or threw
      if (items.length > 0) this.#submit(items);
      if (failure === undefined) continue;
      this.#state = "exhausted";
      this.#push(failure);
    }
    this.#pulling = false;
    this.#update();
  }

  #submit(items: unknown[]): void {
    const { fn, progress } = this.#work;
    const part: Part = { state: "out", value: undefined, task: undefined };
    const first = this.#submitted;
    this.#submitted += items.length;
    this.#out++;
    this.#push(part);
    const settle = (state: "done" | "failed", value: unknown) => {
      part.state = state;
      part.value = value;
      part.task = undefined;
      this.#out--;
      this.#update();
      if (!this.#patient) this.#pull();
    };
    try {
      part.task = this.#dispatcher.submit({
        fn,
        kind: "map",
        args: items,
        first,
        done: (value) => {
          this.#done += items.length;
          progress(this.#done);
          settle("done", value);
        },
        failed: (error) => settle("failed", error),
      });
    } catch (error) {
      settle("failed", error);
    }
  }

  #push(part: Part): void {
    this.#parts.push(part);
    this.#update();
  }

  /** Wants no more of the source, which may clean up; gives the promise of that unless an item is awaited of it. */
  #end(): Promise<unknown> | undefined {
    if (this.#state !== "pulling") {
      this.#state = "ended";
      return void this.#update();
    }
    this.#state = "ended";
    this.#update();
    const left = (async () => await this.#work.source.return?.())();
    if (!this.#pulling) return left;
    // It hears of it when it has given that item, which may be never.
    left.catch(reportSource);
    return undefined;
  }

  /** Something has changed that a reader may wait for. */
  #update(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
    if (this.#isOver || this.#state === "pulling" || this.#state === "exhausted" && this.#out > 0) return;
    this.#isOver = true;
    this.#work.over();
  }
}

function reportSource(error: unknown): void {
  printError("Exception at the early end of what a pool iterates over:", error);
}
