/** SimpleQueue: put, get and nothing more. */

import { ValueError } from "../base/errors.ts";
import { arriving } from "../transport/arriving.ts";
import { SharedLane } from "../transport/lane.ts";
import { type QueueCore, queueTravels, SharedQueue } from "./_queue_core.ts";

let coreOf: (queue: SimpleQueue) => QueueCore;

/**
 * A queue without limits, timeouts or shutdown.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.SimpleQueue | multiprocessing.SimpleQueue}.
 *
 * @typeParam T What the items are.
 *
 * @example
 * ```ts
 * import { SimpleQueue } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const queue = new SimpleQueue<string>();
 * await queue.put("bread");
 * assert.equal(await queue.get(), "bread");
 * assert.equal(queue.empty(), true);
 * queue.close();
 * ```
 */
export class SimpleQueue<T = unknown> implements Disposable {
  readonly #core: QueueCore;
  #closed = false;

  /** Makes an empty queue. */
  constructor() {
    this.#core = arriving<QueueCore>() ?? new SharedQueue(SharedLane.create({}));
  }

  /**
   * Adds an item at the end.
   *
   * @param item What to put.
   * @throws {PicklingError} If the item cannot travel; the message names where.
   * @throws {ValueError} If this process closed the queue.
   */
  async put(item: T): Promise<void> {
    this.#refuseIfClosed("put");
    await this.#core.lane.put(item, { root: "item" }, Infinity);
  }

  /**
   * Takes the next item, waiting until there is one.
   *
   * @returns The item.
   * @throws {ValueError} If this process closed the queue.
   */
  async get(): Promise<T> {
    this.#refuseIfClosed("get");
    return await this.#core.lane.take(Infinity) as T;
  }

  /**
   * Like {@link SimpleQueue.put}, blocking the thread.
   *
   * @param item What to put.
   * @throws {RuntimeError} In a `"spawn"` child, which shares no memory with the queue.
   */
  putSync(item: T): void {
    this.#refuseIfClosed("put");
    this.#core.lane.putSync(item, { root: "item" }, Infinity);
  }

  /**
   * Like {@link SimpleQueue.get}, blocking the thread.
   *
   * @returns The item.
   * @throws {RuntimeError} In a `"spawn"` child, which shares no memory with the queue.
   */
  getSync(): T {
    this.#refuseIfClosed("get");
    return this.#core.lane.takeSync(Infinity) as T;
  }

  /** Whether the queue holds nothing. In a `"spawn"` child: as of the last answer from its home. */
  empty(): boolean {
    this.#refuseIfClosed("ask");
    return this.#core.lane.count === 0;
  }

  /** Ends the use of the queue by this process. */
  close(): void {
    this.#closed = true;
  }

  /** The same as {@link SimpleQueue.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  #refuseIfClosed(what: string): void {
    if (this.#closed) {
      throw new ValueError(`Cannot ${what}: this process closed the queue; SimpleQueue is closed`);
    }
  }

  static {
    coreOf = (queue) => queue.#core;
  }
}

queueTravels(SimpleQueue, "SimpleQueue", (queue: SimpleQueue) => coreOf(queue));
