/** JoinableQueue: a queue whose producers can wait until everything they put is finished with. */

import { TimeoutError, ValueError } from "../base/errors.ts";
import { waitMs, type WaitOptions } from "../base/options.ts";
import { TOO_OFTEN } from "../transport/remote_lane.ts";
import { queueTravels } from "./_queue_core.ts";
import { coreOf, Queue } from "./queue.ts";

/**
 * A {@link Queue} that counts what was put and not yet reported as done.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.JoinableQueue | multiprocessing.JoinableQueue}.
 * Here `join` can be timed out and aborted.
 *
 * @typeParam T What the items are.
 *
 * @example
 * ```ts
 * import { JoinableQueue } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * using queue = new JoinableQueue<string>();
 * await queue.put("bread");
 * const eaten = queue.join();
 * assert.equal(await queue.get(), "bread");
 * queue.taskDone();
 * await eaten;
 * ```
 */
export class JoinableQueue<T = unknown> extends Queue<T> {
  /**
   * Says that one item that was taken is finished with.
   *
   * A `"spawn"` child cannot know how many are not: one report too many is an uncaught error of the child.
   *
   * @throws {ValueError} If every item that was put is finished with already.
   */
  taskDone(): void {
    if (!coreOf(this as JoinableQueue).lane.taskDone()) {
      throw new ValueError(TOO_OFTEN);
    }
  }

  /**
   * Waits until every item that was put is finished with.
   *
   * @param options How long to wait; for ever when left out.
   * @throws {TimeoutError} If that did not happen within `timeout` milliseconds. An aborted `signal` throws its own
   * reason.
   *
   * @example
   * ```ts
   * import { JoinableQueue, TimeoutError } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * using queue = new JoinableQueue<string>();
   * await queue.put("bread");
   * await queue.get();
   * await assert.rejects(queue.join({ timeout: 10 }), TimeoutError); // taken, and not dealt with yet
   * queue.taskDone();
   * await queue.join();
   * ```
   */
  async join(options?: WaitOptions): Promise<void> {
    const ms = waitMs(options);
    if (await coreOf(this as JoinableQueue).lane.join(ms, options?.signal)) return;
    throw unfinished(ms);
  }

  /**
   * Like {@link JoinableQueue.join}, blocking the thread.
   *
   * @param options How long to wait; for ever when left out.
   * @throws {TimeoutError} If that did not happen within `timeout` milliseconds.
   * @throws {RuntimeError} In a `"spawn"` child, which shares no memory with the queue.
   */
  joinSync(options?: WaitOptions): void {
    const ms = waitMs(options);
    if (!coreOf(this as JoinableQueue).lane.joinSync(ms)) throw unfinished(ms);
  }
}

function unfinished(ms: number): TimeoutError {
  return new TimeoutError(`Cannot join the queue within ${ms} ms: some of its items are not finished with`);
}

queueTravels(JoinableQueue, "JoinableQueue", (queue: JoinableQueue) => coreOf(queue));
