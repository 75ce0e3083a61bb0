/** QueueProxy: the proxy of a queue. */

import { ShutDown } from "../base/errors.ts";
import type { WaitOptions } from "../base/options.ts";
import { BaseProxy, call, callWaiting, proxyTravels } from "./proxy.ts";

/**
 * The proxy of a queue in the server of a manager, made by {@link SyncManager.Queue} and
 * {@link SyncManager.JoinableQueue}. It keeps the promises of a {@link JoinableQueue} to processes anywhere; an item that was on its way to a process which died goes back to the front.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.managers.SyncManager.Queue | multiprocessing.managers.SyncManager.Queue},
 * a proxy of `queue.Queue`, as `JoinableQueue` is, too.
 *
 * @typeParam T What the items are.
 *
 * @example
 * ```ts
 * import { Manager } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * await using manager = Manager();
 * const queue = manager.Queue<string>();
 * await queue.put("bread");
 * await queue.put("milk");
 * await queue.shutdown();
 * assert.deepEqual(await Array.fromAsync(queue), ["bread", "milk"]);
 * ```
 */
export class QueueProxy<T = unknown> extends BaseProxy implements AsyncIterable<T> {
  /**
   * Adds an item at the end, waiting while the queue is full.
   *
   * @param item What to put.
   * @param options How long to wait for room; for ever when left out.
   * @throws {Full} If there was no room within `timeout` milliseconds, or at once with `block: false`.
   * @throws {ShutDown} If the queue was shut down. An aborted `signal` throws its own reason.
   * @throws {PicklingError} If the item cannot travel; the message names where.
   */
  put(item: T, options?: WaitOptions): Promise<void> {
    return callWaiting(this, "put", [item], options);
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
   * Takes the next item, waiting until there is one. A wait that ends early takes nothing.
   *
   * @param options How long to wait; for ever when left out.
   * @returns The item.
   * @throws {Empty} If nothing came within `timeout` milliseconds, or at once with `block: false`.
   * @throws {ShutDown} If the queue was shut down and is empty. An aborted `signal` throws its own reason.
   */
  get(options?: WaitOptions): Promise<T> {
    return callWaiting(this, "get", [], options);
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

  /** How many items are in the queue. */
  qsize(): Promise<number> {
    return call(this, "qsize");
  }

  /** Whether the queue holds nothing. */
  empty(): Promise<boolean> {
    return call(this, "empty");
  }

  /** Whether the queue holds `maxsize` items. */
  full(): Promise<boolean> {
    return call(this, "full");
  }

  /**
   * Shuts the queue down for every process: see {@link Queue.shutdown}.
   *
   * @param options With `immediate: true` the items inside are dropped.
   */
  shutdown(options?: { immediate?: boolean }): Promise<void> {
    return call(this, "shutdown", [options ?? {}]);
  }

  /**
   * Says that one item that was taken is finished with.
   *
   * @throws {ValueError} If every item that was put is finished with already.
   */
  taskDone(): Promise<void> {
    return call(this, "taskDone");
  }

  /**
   * Waits until every item that was put is finished with.
   *
   * @param options How long to wait; for ever when left out.
   * @throws {TimeoutError} If that did not happen within `timeout` milliseconds. An aborted `signal` throws its own
   * reason.
   */
  join(options?: WaitOptions): Promise<void> {
    return callWaiting(this, "join", [], options);
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
}

proxyTravels(QueueProxy, "Queue");
