/** Condition: waiting, under a lock, for what another thread of the process announces. */

import { RuntimeError } from "../base/errors.ts";
import type { WaitOptions } from "../base/options.ts";
import { interruptible } from "../platform/task.ts";
import { Condition as SharedCondition } from "../sync/condition.ts";
import { permitOf } from "../sync/lock.ts";
import { atOnce, staysInProcess } from "./_in_process.ts";
import type { Lock } from "./lock.ts";
import { RLock } from "./rlock.ts";

/**
 * A condition: a lock, and a line of those threads that gave it up until somebody announces a change.
 *
 * - `notify(n)` wakes exactly `n` of those who wait, first come first served, or all if they are fewer; those who
 *   give up do not count.
 * - Whoever is woken has the lock again when `wait` returns.
 *
 * Python: {@link https://docs.python.org/3/library/threading.html#threading.Condition | threading.Condition}.
 * Here times are milliseconds.
 *
 * @example
 * ```ts
 * import { Condition, Thread } from "@multiprocessing/deno/threading";
 * import assert from "node:assert/strict";
 *
 * const condition = new Condition();
 * const shelf: string[] = [];
 * const baker = new Thread({
 *   async target() {
 *     using _ = await condition.guard();
 *     shelf.push("bread");
 *     condition.notify();
 *   },
 * });
 * using _ = await condition.guard();
 * baker.start();
 * await condition.waitFor(() => shelf.length > 0);
 * assert.deepEqual(shelf, ["bread"]);
 * ```
 */
export class Condition extends SharedCondition {
  readonly #lock: Lock | RLock;

  /**
   * Makes a condition.
   *
   * @param lock The lock to use, for several conditions under one lock; an {@link RLock} of its own when left out.
   */
  constructor(lock: Lock | RLock = new RLock()) {
    super(lock);
    this.#lock = lock;
  }

  /**
   * Gives the lock up, waits to be notified, and acquires the lock again; that last step is not bound by `timeout`.
   *
   * @param options How long to wait; for ever when left out.
   * @returns Whether it was notified; `false` after `timeout` milliseconds without.
   * @throws {RuntimeError} If this thread does not hold the lock. An aborted `signal` throws its own reason, once the
   * lock is held again.
   */
  override async wait(options?: WaitOptions): Promise<boolean> {
    this.#refuseUnlessHeld("wait");
    return await interruptible(options, (options) => super.wait(options));
  }

  /**
   * Never blocks, since that would block whoever could notify as well.
   *
   * @param options How long to wait; only for `block: false`.
   * @returns `false`.
   * @throws {RuntimeError} If `options` allow to wait, or this thread does not hold the lock.
   */
  override waitSync(options?: WaitOptions): boolean {
    this.#refuseUnlessHeld("wait");
    return atOnce(false, options);
  }

  /**
   * Wakes so many of those who wait.
   *
   * @param n How many; 1 when left out.
   * @throws {RuntimeError} If this thread does not hold the lock.
   */
  override notify(n: number = 1): void {
    this.#refuseUnlessHeld("notify");
    super.notify(n);
  }

  /**
   * Wakes everybody who waits.
   *
   * @throws {RuntimeError} If this thread does not hold the lock.
   */
  override notifyAll(): void {
    this.#refuseUnlessHeld("notify");
    super.notifyAll();
  }

  #refuseUnlessHeld(what: string): void {
    if (!permitOf(this.#lock).mine()) throw new RuntimeError(`cannot ${what} on un-acquired lock`);
  }
}

staysInProcess(Condition);
