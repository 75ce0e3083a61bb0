/** Lock: one holder at a time, among the threads of a process. */

import { RuntimeError } from "../base/errors.ts";
import type { WaitOptions } from "../base/options.ts";
import { interruptible } from "../platform/task.ts";
import { Lock as SharedLock } from "../sync/lock.ts";
import { atOnce, staysInProcess } from "./_in_process.ts";

/**
 * A lock that one thread of this process can hold at a time.
 *
 * - Those who wait get it in the order in which they came.
 * - A wait that ends early (timeout, abort) gives up its place and takes nothing.
 * - Any thread may release it, whoever acquired. A thread that ends while it holds the lock keeps it, as in Python.
 *
 * Python: {@link https://docs.python.org/3/library/threading.html#threading.Lock | threading.Lock}.
 * Here times are milliseconds, and `with lock:` is `using _ = await lock.guard()`. For a lock among processes take
 * the one of `@multiprocessing/deno`.
 *
 * @example Read, wait, write: nobody comes in between
 * ```ts
 * import { Lock, Thread } from "@multiprocessing/deno/threading";
 * import { setTimeout } from "node:timers/promises";
 * import assert from "node:assert/strict";
 *
 * const lock = new Lock();
 * let count = 0;
 * const increment = async () => {
 *   using _ = await lock.guard();
 *   const seen = count;
 *   await setTimeout(1);
 *   count = seen + 1;
 * };
 * const threads = Array.from({ length: 5 }, () => new Thread({ target: increment }));
 * for (const thread of threads) thread.start();
 * for (const thread of threads) await thread.join();
 * assert.equal(count, 5);
 * ```
 */
export class Lock extends SharedLock {
  /**
   * Waits until the lock is free and takes it.
   *
   * @param options How long to wait; for ever when left out.
   * @returns `true` once the lock is held; `false` if it did not come free within `timeout` milliseconds, or at once
   * with `block: false`.
   * @throws {ValueError} If `timeout` is negative. An aborted `signal` throws its own reason.
   */
  override acquire(options?: WaitOptions): Promise<boolean> {
    return interruptible(options, (options) => super.acquire(options));
  }

  /**
   * Takes the lock if it is free. It never blocks, since that would block the thread that holds the lock as well.
   *
   * @param options How long to wait; only for the cases in which that is not needed.
   * @returns Whether the lock is held now.
   * @throws {RuntimeError} If the lock is not free, and `options` allow to wait.
   */
  override acquireSync(options?: WaitOptions): boolean {
    return atOnce(super.acquireSync({ block: false }), options);
  }

  /**
   * Gives the lock up; the first in line has it at once.
   *
   * @throws {RuntimeError} If nobody holds the lock.
   */
  override release(): void {
    if (!this.locked()) throw new RuntimeError("release unlocked lock");
    super.release();
  }
}

staysInProcess(Lock);
