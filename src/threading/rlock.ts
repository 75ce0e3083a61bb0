/** RLock: a lock that its holder may acquire again, among the threads of a process. */

import { RuntimeError } from "../base/errors.ts";
import type { WaitOptions } from "../base/options.ts";
import { interruptible } from "../platform/task.ts";
import { permitOf } from "../sync/lock.ts";
import { RLock as SharedRLock } from "../sync/rlock.ts";
import { atOnce, staysInProcess } from "./_in_process.ts";

/**
 * A lock that the thread which holds it may acquire again, and must release as often.
 *
 * Those who wait get it in the order in which they came; a wait that ends early takes nothing.
 *
 * Python: {@link https://docs.python.org/3/library/threading.html#threading.RLock | threading.RLock}.
 * Here times are milliseconds, and `with lock:` is `using _ = await lock.guard()`.
 *
 * @example
 * ```ts
 * import { RLock } from "@multiprocessing/deno/threading";
 * import { RuntimeError } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const lock = new RLock();
 * await lock.acquire();
 * await lock.acquire();
 * lock.release();
 * assert.equal(lock.locked(), true);
 * lock.release();
 * assert.throws(() => lock.release(), RuntimeError);
 * ```
 */
export class RLock extends SharedRLock {
  /**
   * Waits until the lock is free or held by this thread, and takes it.
   *
   * @param options How long to wait; for ever when left out.
   * @returns `true` once this thread holds the lock; `false` if it did not come free within `timeout` milliseconds,
   * or at once with `block: false`.
   * @throws {ValueError} If `timeout` is negative. An aborted `signal` throws its own reason.
   */
  override acquire(options?: WaitOptions): Promise<boolean> {
    return interruptible(options, (options) => super.acquire(options));
  }

  /**
   * Takes the lock if it is free or held by this thread. It never blocks, since that would block the thread that
   * holds the lock as well.
   *
   * @param options How long to wait; only for the cases in which that is not needed.
   * @returns Whether this thread holds the lock now.
   * @throws {RuntimeError} If another thread holds the lock, and `options` allow to wait.
   */
  override acquireSync(options?: WaitOptions): boolean {
    return atOnce(super.acquireSync({ block: false }), options);
  }

  /**
   * Gives the lock up once; with the last time the first in line has it.
   *
   * @throws {RuntimeError} If this thread does not hold the lock.
   */
  override release(): void {
    if (!permitOf(this).mine()) throw new RuntimeError("cannot release un-acquired lock");
    super.release();
  }
}

staysInProcess(RLock);
