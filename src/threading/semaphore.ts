/** Semaphore and BoundedSemaphore: so many holders at a time, among the threads of a process. */

import { ValueError } from "../base/errors.ts";
import { type WaitOptions, wholeNumber } from "../base/options.ts";
import { interruptible } from "../platform/task.ts";
import { Semaphore as SharedSemaphore } from "../sync/semaphore.ts";
import { atOnce, staysInProcess } from "./_in_process.ts";

/**
 * A semaphore that so many threads of this process can hold at a time.
 *
 * Those who wait are served in the order in which they came; a wait that ends early takes nothing. Any thread may
 * release it, whoever acquired.
 *
 * Python: {@link https://docs.python.org/3/library/threading.html#threading.Semaphore | threading.Semaphore}.
 * Here times are milliseconds.
 *
 * @example Two at a time
 * ```ts
 * import { Semaphore } from "@multiprocessing/deno/threading";
 * import assert from "node:assert/strict";
 *
 * const seats = new Semaphore(2);
 * await seats.acquire();
 * await seats.acquire();
 * assert.equal(await seats.acquire({ timeout: 10 }), false);
 * seats.release(2);
 * assert.equal(seats.getValue(), 2);
 * ```
 */
export class Semaphore extends SharedSemaphore {
  /**
   * Waits until a permit is free and takes it.
   *
   * @param options How long to wait; for ever when left out.
   * @returns `true` once a permit was taken; `false` if none came free within `timeout` milliseconds, or at once with
   * `block: false`.
   * @throws {ValueError} If `timeout` is negative. An aborted `signal` throws its own reason.
   */
  override acquire(options?: WaitOptions): Promise<boolean> {
    return interruptible(options, (options) => super.acquire(options));
  }

  /**
   * Takes a permit if one is free. It never blocks, since that would block the threads that hold the others as well.
   *
   * @param options How long to wait; only for the cases in which that is not needed.
   * @returns Whether a permit was taken.
   * @throws {RuntimeError} If none is free, and `options` allow to wait.
   */
  override acquireSync(options?: WaitOptions): boolean {
    return atOnce(super.acquireSync({ block: false }), options);
  }

  /**
   * Gives permits back; the first in line have them at once.
   *
   * @param n How many; 1 when left out.
   * @throws {ValueError} If `n` is less than 1.
   */
  override release(n: number = 1): void {
    if (n < 1) throw new ValueError(`n must be one or more, not ${n}`);
    wholeNumber("number of permits", n, 1);
    for (let i = 0; i < n; i++) super.release();
  }
}

/**
 * A {@link Semaphore} that refuses to be released more often than it was acquired.
 *
 * Python: {@link https://docs.python.org/3/library/threading.html#threading.BoundedSemaphore | threading.BoundedSemaphore}.
 *
 * @example
 * ```ts
 * import { BoundedSemaphore } from "@multiprocessing/deno/threading";
 * import { ValueError } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const seats = new BoundedSemaphore(2);
 * assert.throws(() => seats.release(), ValueError);
 * ```
 */
export class BoundedSemaphore extends Semaphore {
  readonly #most: number;

  /**
   * Makes a semaphore.
   *
   * @param value How many permits it has, at most and at first; 1 when left out.
   * @throws {ValueError} If `value` is not a whole number of at least 0.
   */
  constructor(value: number = 1) {
    super(value);
    this.#most = value;
  }

  /**
   * Gives permits back; the first in line have them at once.
   *
   * @param n How many; 1 when left out.
   * @throws {ValueError} If that would be more than were acquired, and then gives none; or `n` is less than 1.
   */
  override release(n: number = 1): void {
    if (this.getValue() + n > this.#most) throw new ValueError("Semaphore released too many times");
    super.release(n);
  }
}

staysInProcess(Semaphore);
staysInProcess(BoundedSemaphore);
