/** Queue: values from any process to any process. */

import { Empty, Full, ShutDown, ValueError } from "../base/errors.ts";
import { waitMs, type WaitOptions, wholeNumber } from "../base/options.ts";
import { arriving } from "../transport/arriving.ts";
import { type Lane, NOTHING, type PutResult, SharedLane, SHUT, type Taken } from "../transport/lane.ts";
import { type QueueCore, queueTravels, SharedQueue } from "./_queue_core.ts";

/** What a queue stands on; for the other files of this room. */
export let coreOf: (queue: Queue) => QueueCore;

/** How {@link Queue.put} puts: how long to wait for room, and what to move instead of copying. */
export interface PutOptions extends WaitOptions {
  /** Buffers and ports in the item that move to the receiver. */
  transfer?: Transferable[];
}

/**
 * A queue that any process of the program can put into and get from.
 *
 * - Items come in the order they were put; whoever waits, to get or to put, is served in the order they came. (Of
 *   several that are served at once, whoever wakes first takes the first item.)
 * - An item is in the queue, not in its producer, as soon as `put` has returned: a producer may end at once, and
 *   joining it before the queue is drained cannot deadlock.
 * - An item is taken when somebody gets it, never ahead: a consumer that dies strands nothing.
 * - `qsize`, `empty` and `full` are exact at the moment of the call.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.Queue | multiprocessing.Queue},
 * with the `shutdown` of `queue.Queue` (3.13). Here times are milliseconds and the waits are Promises, each with a
 * blocking twin `…Sync` for worker processes that compute. An unbounded queue may hold 512 MiB of small items (items
 * above 64 KiB are kept beside it and do not count); beyond that `put` waits.
 *
 * @typeParam T What the items are.
 *
 * @example Ends at shutdown
 * ```ts
 * import { Queue } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * using queue = new Queue<string>();
 * await queue.put("bread");
 * await queue.put("milk");
 * queue.shutdown();
 * assert.deepEqual(await Array.fromAsync(queue), ["bread", "milk"]);
 * ```
 */
export class Queue<T = unknown> implements AsyncIterable<T>, Disposable {
  readonly #core: QueueCore;
  readonly #lane: Lane;
  #closed = false;

  /**
   * Makes an empty queue.
   *
   * @param maxsize The most items it may hold; without limit when left out or 0.
   * @throws {ValueError} If `maxsize` is not a whole number of at least 0. (Python takes a negative one for no limit.)
   */
  constructor(maxsize: number = 0) {
    this.#core = arriving<QueueCore>() ??
      new SharedQueue(SharedLane.create({ maxCount: wholeNumber("maxsize of a queue", maxsize, 0) }));
    this.#lane = this.#core.lane;
  }

  /**
   * Adds an item at the end, waiting while the queue is full.
   *
   * What cannot travel is refused before anything is put. A wait that ends early has put nothing.
   *
   * @param item What to put: a copy of it is, but for what `transfer` moves and for handles, which stay themselves.
   * @param options How long to wait for room, for ever when left out; `transfer`.
   * @throws {Full} If there was no room within `timeout` milliseconds, or at once with `block: false`.
   * @throws {ShutDown} If the queue was shut down.
   * @throws {PicklingError} If the item cannot travel; the message names where.
   * @throws {ValueError} If this process closed the queue, or `timeout` is negative.
   *
   * @example Move a buffer
   * ```ts
   * import { Queue } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * using queue = new Queue<ArrayBuffer>();
   * const buffer = new ArrayBuffer(1024);
   * await queue.put(buffer, { transfer: [buffer] });
   * assert.equal(buffer.byteLength, 0);
   * assert.equal((await queue.get()).byteLength, 1024);
   * ```
   */
  async put(item: T, options?: PutOptions): Promise<void> {
    this.#refuseIfClosed("put");
    const ms = waitMs(options);
    const how = { root: "item", ...(options?.transfer && { transfer: options.transfer }) };
    this.#accept(await this.#lane.put(item, how, ms, options?.signal), ms);
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
   * Like {@link Queue.put}, blocking the thread.
   *
   * @param item What to put.
   * @param options How long to wait for room; for ever when left out.
   * @throws {RuntimeError} In a `"spawn"` child, which shares no memory with the queue.
   */
  putSync(item: T, options?: PutOptions): void {
    this.#refuseIfClosed("put");
    const ms = waitMs(options);
    const how = { root: "item", ...(options?.transfer && { transfer: options.transfer }) };
    this.#accept(this.#lane.putSync(item, how, ms), ms);
  }

  /**
   * Takes the next item, waiting until there is one.
   *
   * A wait that ends early takes nothing and gives up its place.
   *
   * @param options How long to wait; for ever when left out.
   * @returns The item.
   * @throws {Empty} If nothing came within `timeout` milliseconds, or at once with `block: false`.
   * @throws {ShutDown} If the queue was shut down and is empty. An aborted `signal` throws its own reason.
   * @throws {ValueError} If this process closed the queue, or `timeout` is negative.
   *
   * @example Wait at most 10 ms
   * ```ts
   * import { Empty, Queue } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * using queue = new Queue<string>();
   * await assert.rejects(queue.get({ timeout: 10 }), Empty);
   * ```
   */
  async get(options?: WaitOptions): Promise<T> {
    this.#refuseIfClosed("get");
    const ms = waitMs(options);
    return this.#taken(await this.#lane.take(ms, options?.signal), ms);
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
   * Like {@link Queue.get}, blocking the thread.
   *
   * @param options How long to wait; for ever when left out.
   * @returns The item.
   * @throws {RuntimeError} In a `"spawn"` child, which shares no memory with the queue.
   */
  getSync(options?: WaitOptions): T {
    this.#refuseIfClosed("get");
    const ms = waitMs(options);
    return this.#taken(this.#lane.takeSync(ms), ms);
  }

  /** How many items are in the queue. In a `"spawn"` child: as of the last answer from its home. */
  qsize(): number {
    return this.#lane.count;
  }

  /** Whether the queue holds nothing. In a `"spawn"` child: as of the last answer from its home. */
  empty(): boolean {
    return this.#lane.count === 0;
  }

  /**
   * Whether the queue holds `maxsize` items. In a `"spawn"` child: as of the last answer from its home.
   *
   * @example How full it is
   * ```ts
   * import { Queue } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * using queue = new Queue<string>(2);
   * assert.equal(queue.empty(), true);
   * await queue.put("bread");
   * await queue.put("milk");
   * assert.deepEqual([queue.qsize(), queue.full(), queue.empty()], [2, true, false]);
   * ```
   */
  full(): boolean {
    return this.#core.maxsize > 0 && this.#lane.count >= this.#core.maxsize;
  }

  /** Ends the use of the queue by this process: afterwards its `put` and `get` are a {@link ValueError}. */
  close(): void {
    this.#closed = true;
  }

  /**
   * Python: waits until the feeder thread has written everything. Here what was put is in the queue already, so
   * there is nothing to wait for; the call remains for its rule that `close()` comes first.
   *
   * @throws {ValueError} If {@link Queue.close} was not called.
   */
  joinThread(): Promise<void> {
    return this.#closed ? Promise.resolve() : Promise.reject(
      new ValueError("Cannot join the queue's thread: the queue is still open; call close() first"),
    );
  }

  /** Python: lets the process end with data unwritten. Here nothing is ever unwritten, so this does nothing. */
  cancelJoinThread(): void {}

  /**
   * Shuts the queue down for every process: `put` throws {@link ShutDown} from now on, `get` does once the queue is
   * empty, and whoever waits is woken.
   *
   * Python: {@link https://docs.python.org/3/library/queue.html#queue.Queue.shutdown | queue.Queue.shutdown} (3.13).
   *
   * @param options With `immediate: true` the items inside are dropped.
   *
   * @example What is inside may still be had
   * ```ts
   * import { Queue, ShutDown } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * using queue = new Queue<string>();
   * await queue.put("bread");
   * queue.shutdown();
   * await assert.rejects(queue.put("milk"), ShutDown);
   * assert.equal(await queue.get(), "bread");
   * await assert.rejects(queue.get(), ShutDown);
   * ```
   */
  shutdown(options?: { immediate?: boolean }): void {
    this.#lane.shut(options?.immediate ?? false);
  }

  /**
   * Yields the items as they come and ends when the queue is shut down and empty.
   *
   * @example A child that works until there is no more
   * ```ts
   * import { Process, Queue } from "@multiprocessing/deno";
   * import { squareAll } from "examples/targets.ts";
   * import assert from "node:assert/strict";
   *
   * using numbers = new Queue<number>();
   * using squares = new Queue<number>();
   * await using child = new Process({ target: squareAll, args: [numbers, squares] });
   * child.start(); // for await (const n of numbers) await squares.put(n * n);
   * for (const n of [1, 2, 3]) await numbers.put(n);
   * numbers.shutdown();
   * await child.join();
   * assert.deepEqual([await squares.get(), await squares.get(), await squares.get()], [1, 4, 9]);
   * ```
   */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<T> {
    for (;;) {
      this.#refuseIfClosed("get");
      const taken = await this.#lane.take(Infinity);
      if (taken === SHUT) return;
      yield taken as T;
    }
  }

  /** The same as {@link Queue.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  #refuseIfClosed(what: string): void {
    if (this.#closed) throw new ValueError(`Cannot ${what}: this process closed the queue; Queue is closed`);
  }

  #accept(result: PutResult, ms: number): void {
    if (result === "full") {
      throw new Full(`Cannot put within ${ms} ms: the queue holds its ${this.#core.maxsize} items`);
    }
    if (result === "shut") throw new ShutDown("Cannot put: the queue was shut down");
  }

  #taken(taken: Taken, ms: number): T {
    if (taken === NOTHING) throw new Empty(`Cannot get from the queue within ${ms} ms: nothing was put`);
    if (taken === SHUT) throw new ShutDown("Cannot get: the queue was shut down and is empty");
    return taken as T;
  }

  static {
    coreOf = (queue) => queue.#core;
  }
}

queueTravels(Queue, "Queue", (queue: Queue) => coreOf(queue));
