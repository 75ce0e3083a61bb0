/** LockProxy and SemaphoreProxy: the proxies of locks and semaphores. */

import { TimeoutError } from "../base/errors.ts";
import { waitMs, type WaitOptions } from "../base/options.ts";
import { currentTask } from "../platform/task.ts";
import { BaseProxy, call, callWaiting, proxyTravels } from "./proxy.ts";

/** Holds a managed lock until it is disposed of: by `await using`, which waits for the release, or by `using`. */
export interface Guard extends Disposable, AsyncDisposable {}

/** Acquires for a block. */
export async function guardOf(
  lock: { acquire(options?: WaitOptions): Promise<boolean>; release(): Promise<void> },
  options: WaitOptions | undefined,
): Promise<Guard> {
  if (!await lock.acquire(options)) {
    throw new TimeoutError(
      `Cannot acquire the lock within ${waitMs(options)} ms: another process or thread holds it`,
    );
  }
  let held = true;
  const release = async () => {
    if (!held) return;
    held = false;
    await lock.release();
  };
  return { [Symbol.dispose]: () => void release(), [Symbol.asyncDispose]: release };
}

/**
 * The proxy of a lock in the server of a manager, made by {@link SyncManager.Lock} and {@link SyncManager.RLock}. It
 * keeps the promises of a {@link Lock} to processes anywhere:
 *
 * - Those who wait get it in the order in which they came; a wait that ends early takes nothing.
 * - A process that ends while it holds the lock, however it ends, or loses its connection, releases it; who gets it next
 *   can see that in {@link LockProxy.abandoned}.
 * - An RLock belongs to a process and its current `threading` thread; a Lock anybody may release.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.managers.SyncManager.Lock | multiprocessing.managers.AcquirerProxy}.
 * There the lock of a process that has ended stays locked for ever. Times are milliseconds here.
 *
 * @example
 * ```ts
 * import { Manager } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * await using manager = Manager();
 * const lock = manager.Lock();
 * {
 *   await using _ = await lock.guard();
 *   assert.equal(await lock.acquire({ timeout: 10 }), false);
 * }
 * assert.equal(await lock.locked(), false);
 * ```
 */
export class LockProxy extends BaseProxy {
  #abandoned = false;

  /** Whether the last acquire took the lock over from a process that ended while it held it. */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  /**
   * Waits until the lock is free and takes it.
   *
   * @param options How long to wait; for ever when left out.
   * @returns `true` once this process holds the lock; `false` if it did not come free within `timeout` milliseconds, or
   * at once with `block: false`.
   * @throws {ValueError} If `timeout` is negative. An aborted `signal` throws its own reason.
   */
  async acquire(options?: WaitOptions): Promise<boolean> {
    const task = { task: currentTask() };
    const [got, abandoned] = await callWaiting<[boolean, boolean]>(this, "#acquire", [], options, task);
    if (got) this.#abandoned = abandoned;
    return got;
  }

  /**
   * Gives the lock up; the first in line has it at once.
   *
   * @throws {ValueError} If nobody holds the lock.
   * @throws {AssertionError} If it is an RLock that another process or thread holds.
   */
  release(): Promise<void> {
    return call(this, "release", [{ task: currentTask() }]);
  }

  /** Whether some process holds the lock. */
  locked(): Promise<boolean> {
    return call(this, "locked");
  }

  /**
   * Acquires the lock for a block: `await using _ = await lock.guard()`.
   *
   * @param options How long to wait; for ever when left out.
   * @returns What releases the lock when disposed of.
   * @throws {TimeoutError} If the lock did not come free within `timeout` milliseconds.
   */
  guard(options?: WaitOptions): Promise<Guard> {
    return guardOf(this, options);
  }
}

/**
 * The proxy of a semaphore in the server of a manager, made by {@link SyncManager.Semaphore} and
 * {@link SyncManager.BoundedSemaphore}; as {@link LockProxy}, with several permits.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.managers.SyncManager.Semaphore | multiprocessing.managers.AcquirerProxy}.
 *
 * @example Two at a time
 * ```ts
 * import { Manager } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * await using manager = Manager();
 * const seats = manager.Semaphore(2);
 * await seats.acquire();
 * await seats.acquire();
 * assert.equal(await seats.acquire({ block: false }), false);
 * await seats.release();
 * assert.equal(await seats.getValue(), 1);
 * ```
 */
export class SemaphoreProxy extends LockProxy {
  /** How many permits are free. */
  getValue(): Promise<number> {
    return call(this, "getValue");
  }
}

proxyTravels(LockProxy, "Lock");
proxyTravels(SemaphoreProxy, "Semaphore");
