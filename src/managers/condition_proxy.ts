/** ConditionProxy: the proxy of a condition. */

import { waitMs, type WaitOptions, wholeNumber } from "../base/options.ts";
import { currentTask } from "../platform/task.ts";
import { type Guard, guardOf } from "./lock_proxy.ts";
import { BaseProxy, call, callWaiting, proxyTravels } from "./proxy.ts";

/**
 * The proxy of a condition in the server of a manager, made by {@link SyncManager.Condition}. It keeps the promises of
 * a {@link Condition} to processes anywhere; one that dies frees the lock, and takes no notification along.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.managers.SyncManager.Condition | multiprocessing.managers.ConditionProxy}.
 *
 * @example
 * ```ts
 * import { Manager } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * await using manager = Manager();
 * const condition = manager.Condition();
 * await using _ = await condition.guard();
 * assert.equal(await condition.wait({ timeout: 10 }), false);
 * await condition.notifyAll();
 * ```
 */
export class ConditionProxy extends BaseProxy {
  /**
   * Acquires the lock; see {@link LockProxy.acquire}.
   *
   * @param options How long to wait; for ever when left out.
   * @returns Whether this process holds the lock now.
   */
  acquire(options?: WaitOptions): Promise<boolean> {
    return callWaiting(this, "acquire", [], options, { task: currentTask() });
  }

  /** Releases the lock; see {@link LockProxy.release}. */
  release(): Promise<void> {
    return call(this, "release", [{ task: currentTask() }]);
  }

  /**
   * Acquires the lock for a block; see {@link LockProxy.guard}.
   *
   * @param options How long to wait; for ever when left out.
   * @returns What releases the lock when disposed of.
   */
  guard(options?: WaitOptions): Promise<Guard> {
    return guardOf(this, options);
  }

  /**
   * Gives the lock up, waits to be notified, and acquires the lock again; that last step is not bound by `timeout`.
   *
   * @param options How long to wait; for ever when left out.
   * @returns Whether it was notified; `false` after `timeout` milliseconds without.
   * @throws {AssertionError} If this process does not hold the lock. An aborted `signal` throws its own reason, once
   * the lock is held again.
   */
  wait(options?: WaitOptions): Promise<boolean> {
    return callWaiting(this, "wait", [], options, { task: currentTask() });
  }

  /**
   * Waits until `predicate` gives something true, asking it again at each notification.
   *
   * @typeParam T What the predicate gives.
   * @param predicate What to ask, under the lock; it may ask other managed objects.
   * @param options How long to wait altogether; for ever when left out.
   * @returns The last answer; something false only after `timeout` milliseconds.
   */
  async waitFor<T>(predicate: () => T, options?: WaitOptions): Promise<Awaited<T>> {
    const end = performance.now() + waitMs(options);
    for (;;) {
      const answer = await predicate();
      const left = end - performance.now();
      if (answer || left <= 0) return answer;
      await this.wait({ ...options, ...(left < Infinity && { timeout: left }) });
    }
  }

  /**
   * Wakes so many of those who wait.
   *
   * @param n How many; 1 when left out.
   * @throws {AssertionError} If this process does not hold the lock.
   */
  // deno-lint-ignore require-await -- what is no number is a rejection
  async notify(n: number = 1): Promise<void> {
    return call(this, "notify", [wholeNumber("number to notify", n, 0), { task: currentTask() }]);
  }

  /**
   * Wakes everybody who waits.
   *
   * @throws {AssertionError} If this process does not hold the lock.
   */
  notifyAll(): Promise<void> {
    return call(this, "notifyAll", [{ task: currentTask() }]);
  }
}

proxyTravels(ConditionProxy, "Condition");
