/**
 * Queue: values from any thread of a process to any other.
 *
 * All of this happens on one kernel thread, so there is nothing to lock. What an operation changes it follows up at
 * once, before anybody else runs: an item goes to the first who waits for one, room to the first who waits for room.
 * So nobody waits to get while there is an item, nor to put while there is room.
 */

import { Empty, Full, ShutDown, TimeoutError, ValueError } from "../base/errors.ts";
import { waitMs, type WaitOptions } from "../base/options.ts";
import { staysHome } from "../transport/registry.ts";
import { Fifo } from "./_fifo.ts";
import { Line, Place } from "./_line.ts";

/** One who waits for room. */
class Putter<T> extends Place {
  constructor(readonly item: T) {
    super();
  }
}

/**
 * A queue between the threads of one process.
 *
 * - Items come in the order they were put, and are the very objects that were put.
 * - Whoever waits, to get or to put, is served in the order they came. A wait that ends early (timeout, abort) takes
 *   nothing and has put nothing.
 *
 * Python: {@link https://docs.python.org/3/library/queue.html#queue.Queue | queue.Queue} (3.13).
 * Here times are milliseconds, `join` takes them too, and `for await` ends at shutdown. There are no `getSync` and
 * `putSync`: a blocking wait would block whoever could end it as well. An item that is itself a Promise is given as
 * what it resolves to; put it into an array to keep it.
 *
 * @typeParam T What the items are.
 *
 * @example
 * ```ts
 * import { Queue } from "@multiprocessing/deno/queue";
 * import { Thread } from "@multiprocessing/deno/threading";
 * import assert from "node:assert/strict";
 *
 * const queue = new Queue<string>();
 * const eaten: string[] = [];
 * const consumer = new Thread({
 *   async target() {
 *     for await (const item of queue) {
 *       eaten.push(item);
 *       queue.taskDone();
 *     }
 *   },
 * });
 * consumer.start();
 * for (const item of ["bread", "milk"]) await queue.put(item);
 * await queue.join(); // until both are eaten
 * queue.shutdown();
 * await consumer.join();
 * assert.deepEqual(eaten, ["bread", "milk"]);
 * ```
 *
 * @example An order of one's own: override `_put`, `_get` and `_qsize`
 * ```ts
 * import { Queue } from "@multiprocessing/deno/queue";
 * import assert from "node:assert/strict";
 *
 * class SetQueue<T> extends Queue<T> {
 *   readonly #items = new Set<T>();
 *   protected override _put(item: T) {
 *     this.#items.add(item);
 *   }
 *   protected override _get() {
 *     const [first] = this.#items;
 *     this.#items.delete(first!);
 *     return first!;
 *   }
 *   protected override _qsize() {
 *     return this.#items.size;
 *   }
 * }
 * const queue = new SetQueue<string>();
 * for (const item of ["bread", "milk", "bread"]) await queue.put(item);
 * queue.shutdown();
 * assert.deepEqual(await Array.fromAsync(queue), ["bread", "milk"]);
 * ```
 */
export class Queue<T = unknown> implements AsyncIterable<T> {
  readonly #items = new Fifo<T>();
  readonly #getters = new Line<T>();
  readonly #putters = new Line<void, Putter<T>>();
  readonly #joiners = new Line<void>();
  #maxsize = 0;
  #unfinished = 0;
  #isShutdown = false;

  /**
   * Makes an empty queue.
   *
   * @param maxsize The most items it may hold; without limit when left out, 0 or less.
   * @throws {ValueError} If `maxsize` is no whole number.
   */
  constructor(maxsize: number = 0) {
    this.maxsize = maxsize;
  }

  /** The most items it may hold; without limit if it is 0 or less. */
  get maxsize(): number {
    return this.#maxsize;
  }

  /**
   * Changes how many it may hold. What is inside stays; those who wait for room that is there now are let in.
   *
   * @throws {ValueError} If it is no whole number.
   */
  set maxsize(maxsize: number) {
    if (!Number.isInteger(maxsize)) {
      throw new ValueError(`Cannot use ${String(maxsize)} as maxsize of a queue: it must be a whole number`);
    }
    this.#maxsize = maxsize;
    this.#followUp();
  }

  /**
   * Adds an item, waiting while the queue is full.
   *
   * @param item What to put.
   * @param options How long to wait for room; for ever when left out.
   * @throws {Full} If there was no room within `timeout` milliseconds, or at once with `block: false`.
   * @throws {ShutDown} If the queue was shut down. An aborted `signal` throws its own reason.
   * @throws {ValueError} If `timeout` is negative.
   *
   * @example Wait at most 10 ms for room
   * ```ts
   * import { Full, Queue } from "@multiprocessing/deno/queue";
   * import assert from "node:assert/strict";
   *
   * const queue = new Queue<string>(1);
   * await queue.put("bread");
   * await assert.rejects(queue.put("milk", { timeout: 10 }), Full);
   * ```
   */
  async put(item: T, options?: WaitOptions): Promise<void> {
    const ms = waitMs(options);
    options?.signal?.throwIfAborted();
    if (this.#isShutdown) throw new ShutDown("Cannot put: the queue was shut down");
    if (!this.full()) {
      this._put(item);
      this.#unfinished++;
      this.#followUp();
      return;
    }
    const tooLate = (ms: number) =>
      new Full(`Cannot put within ${ms} ms: the queue holds its ${this.maxsize} items`);
    if (ms === 0) throw tooLate(ms);
    await this.#putters.wait(new Putter(item), options, tooLate);
  }

  /**
   * Adds an item if there is room now: `put(item, { block: false })`.
   *
   * @param item What to put.
   * @throws {Full} If there is no room.
   */
  putNowait(item: T): Promise<void> {
    return this.put(item, { block: false });
  }

  /**
   * Takes the next item, waiting until there is one.
   *
   * @param options How long to wait; for ever when left out.
   * @returns The item.
   * @throws {Empty} If nothing came within `timeout` milliseconds, or at once with `block: false`.
   * @throws {ShutDown} If the queue was shut down and is empty. An aborted `signal` throws its own reason.
   * @throws {ValueError} If `timeout` is negative.
   *
   * @example Wait at most 10 ms
   * ```ts
   * import { Empty, Queue } from "@multiprocessing/deno/queue";
   * import assert from "node:assert/strict";
   *
   * const queue = new Queue<string>();
   * await assert.rejects(queue.get({ timeout: 10 }), Empty);
   * ```
   */
  async get(options?: WaitOptions): Promise<T> {
    const ms = waitMs(options);
    options?.signal?.throwIfAborted();
    if (this._qsize() > 0) {
      const item = this._get();
      this.#followUp();
      return item;
    }
    if (this.#isShutdown) throw drained();
    const tooLate = (ms: number) => new Empty(`Cannot get from the queue within ${ms} ms: nothing was put`);
    if (ms === 0) throw tooLate(ms);
    return await this.#getters.wait(new Place<T>(), options, tooLate);
  }

  /**
   * Takes the next item if there is one now: `get({ block: false })`.
   *
   * @returns The item.
   * @throws {Empty} If there is none.
   */
  getNowait(): Promise<T> {
    return this.get({ block: false });
  }

  /**
   * Says that one item that was taken is finished with.
   *
   * @throws {ValueError} If every item that was put is finished with already.
   */
  taskDone(): void {
    if (this.#unfinished === 0) throw new ValueError("task_done() called too many times");
    this.#unfinished--;
    this.#followUp();
  }

  /**
   * Waits until every item that was put is finished with.
   *
   * @param options How long to wait; for ever when left out.
   * @throws {TimeoutError} If that did not happen within `timeout` milliseconds. An aborted `signal` throws its own
   * reason.
   */
  async join(options?: WaitOptions): Promise<void> {
    const ms = waitMs(options);
    options?.signal?.throwIfAborted();
    if (this.#unfinished === 0) return;
    const tooLate = (ms: number) =>
      new TimeoutError(
        `Cannot join the queue within ${ms} ms: ${this.#unfinished} items are not finished with`,
      );
    if (ms === 0) throw tooLate(ms);
    await this.#joiners.wait(new Place(), options, tooLate);
  }

  /** How many items are in the queue. */
  qsize(): number {
    return this._qsize();
  }

  /** Whether the queue holds nothing. */
  empty(): boolean {
    return this._qsize() === 0;
  }

  /** Whether the queue holds `maxsize` items. */
  full(): boolean {
    return this.maxsize > 0 && this._qsize() >= this.maxsize;
  }

  /**
   * Shuts the queue down: `put` throws {@link ShutDown} from now on, `get` does once the queue is empty, and whoever
   * waits for what cannot come any more is told so.
   *
   * @param options With `immediate: true` the items inside are dropped, and counted as finished with.
   *
   * @example What is inside may still be had
   * ```ts
   * import { Queue, ShutDown } from "@multiprocessing/deno/queue";
   * import assert from "node:assert/strict";
   *
   * const queue = new Queue<string>();
   * await queue.put("bread");
   * queue.shutdown();
   * await assert.rejects(queue.put("milk"), ShutDown);
   * assert.equal(await queue.get(), "bread");
   * await assert.rejects(queue.get(), ShutDown);
   * ```
   */
  shutdown(options?: { immediate?: boolean }): void {
    this.#isShutdown = true;
    while (options?.immediate && this._qsize() > 0) {
      this._get();
      if (this.#unfinished > 0) this.#unfinished--;
    }
    this.#followUp();
    while (!this.#putters.idle) {
      this.#putters.shift()!.fail(new ShutDown("Cannot put: the queue was shut down"));
    }
    while (!this.#getters.idle) this.#getters.shift()!.fail(drained());
  }

  /** How many items were put and not finished with: those inside, and those taken without a {@link Queue.taskDone}. */
  get unfinishedTasks(): number {
    return this.#unfinished;
  }

  /** Whether {@link Queue.shutdown} was called. */
  get isShutdown(): boolean {
    return this.#isShutdown;
  }

  /** Yields the items as they come and ends when the queue is shut down and empty. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<T> {
    for (;;) {
      let item: T;
      try {
        item = await this.get();
      } catch (error) {
        if (error instanceof ShutDown) return;
        throw error;
      }
      yield item;
    }
  }

  /**
   * Keeps an item. A subclass overrides it, with `_get` and `_qsize`, for an order of its own.
   *
   * @param item What was put. If this throws, the item counts as not put.
   */
  protected _put(item: T): void {
    this.#items.push(item);
  }

  /**
   * Gives the next of the items that are kept; called only if there is one. If this throws, nothing was taken.
   *
   * @returns The item.
   */
  protected _get(): T {
    return this.#items.shift();
  }

  /**
   * Counts the items that are kept.
   *
   * @returns How many.
   */
  protected _qsize(): number {
    return this.#items.size;
  }

  /** Gives everybody in line what they wait for, as far as it is there. */
  #followUp(): void {
    for (;;) {
      if (!this.#getters.idle && this._qsize() > 0) serve(this.#getters.shift()!, () => this._get());
      else if (!this.#putters.idle && !this.full() && !this.#isShutdown) {
        const putter = this.#putters.shift()!;
        serve(putter, () => {
          this._put(putter.item);
          this.#unfinished++;
        });
      } else break;
    }
    while (this.#unfinished === 0 && !this.#joiners.idle) this.#joiners.shift()!.serve();
  }
}

function serve<V>(place: Place<V>, make: () => V): void {
  try {
    place.serve(make());
  } catch (error) {
    place.fail(error);
  }
}

function drained(): ShutDown {
  return new ShutDown("Cannot get: the queue was shut down and is empty");
}

staysHome(Queue, "queue.Queue", 'take the Queue of "@multiprocessing/deno"');
