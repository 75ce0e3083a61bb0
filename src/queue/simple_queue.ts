/** SimpleQueue: put, get and no limits. */

import type { WaitOptions } from "../base/options.ts";
import { staysHome } from "../transport/registry.ts";
import { Queue } from "./queue.ts";

/**
 * A queue between the threads of one process without limit, tasks or shutdown.
 *
 * Python: {@link https://docs.python.org/3/library/queue.html#queue.SimpleQueue | queue.SimpleQueue}.
 * Here times are milliseconds.
 *
 * @typeParam T What the items are.
 *
 * @example
 * ```ts
 * import { Empty, SimpleQueue } from "@multiprocessing/deno/queue";
 * import assert from "node:assert/strict";
 *
 * const queue = new SimpleQueue<string>();
 * await queue.put("bread");
 * assert.equal(await queue.get(), "bread");
 * await assert.rejects(queue.get({ timeout: 10 }), Empty);
 * ```
 */
export class SimpleQueue<T = unknown> {
  readonly #queue = new Queue<T>();

  /**
   * Adds an item at the end. There always is room.
   *
   * @param item What to put.
   */
  put(item: T): Promise<void> {
    return this.#queue.put(item);
  }

  /**
   * The same as {@link SimpleQueue.put}.
   *
   * @param item What to put.
   */
  putNowait(item: T): Promise<void> {
    return this.#queue.put(item);
  }

  /**
   * Takes the next item, waiting until there is one. A wait that ends early takes nothing.
   *
   * @param options How long to wait; for ever when left out.
   * @returns The item.
   * @throws {Empty} If nothing came within `timeout` milliseconds, or at once with `block: false`.
   * @throws {ValueError} If `timeout` is negative. An aborted `signal` throws its own reason.
   */
  get(options?: WaitOptions): Promise<T> {
    return this.#queue.get(options);
  }

  /**
   * Takes the next item if there is one now: `get({ block: false })`.
   *
   * @returns The item.
   * @throws {Empty} If there is none.
   */
  getNowait(): Promise<T> {
    return this.#queue.getNowait();
  }

  /** How many items are in the queue. */
  qsize(): number {
    return this.#queue.qsize();
  }

  /** Whether the queue holds nothing. */
  empty(): boolean {
    return this.#queue.empty();
  }
}

staysHome(SimpleQueue, "queue.SimpleQueue", 'take the SimpleQueue of "@multiprocessing/deno"');
