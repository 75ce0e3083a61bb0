/** Semaphore and BoundedSemaphore: so many holders at a time, across processes. */

import { offer } from "../transport/arriving.ts";
import { SharedSemaphore } from "./_semaphore.ts";
import { Lock, lockTravels, permitOf } from "./lock.ts";

/**
 * A semaphore that any process of the program can acquire, so many at a time.
 *
 * - Those who wait are served in the order in which they came; a wait that ends early takes nothing.
 * - Any process may release it, whoever acquired.
 * - A process that ends while it holds permits, however it ends, gives them back: as many as the semaphore then
 *   lacks of its first value, so that one process may acquire what another releases.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.Semaphore | multiprocessing.Semaphore}.
 * Here times are milliseconds.
 *
 * @example Two at a time
 * ```ts
 * import { Semaphore } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const seats = new Semaphore(2);
 * await seats.acquire();
 * await seats.acquire();
 * assert.equal(await seats.acquire({ block: false }), false);
 * seats.release();
 * assert.equal(seats.getValue(), 1);
 * ```
 */
export class Semaphore extends Lock {
  /**
   * Makes a semaphore.
   *
   * @param value How many permits it has at first; 1 when left out.
   * @throws {ValueError} If `value` is not a whole number of at least 0.
   */
  constructor(value: number = 1) {
    offer(() => SharedSemaphore.create(value, false));
    super();
  }

  /** How many permits are free. In a `"spawn"` child: as of the last answer from its home. */
  getValue(): number {
    return permitOf(this).value();
  }
}

/**
 * A {@link Semaphore} that refuses to be released more often than it was acquired.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.BoundedSemaphore | multiprocessing.BoundedSemaphore}.
 *
 * @example
 * ```ts
 * import { BoundedSemaphore, ValueError } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const seats = new BoundedSemaphore(2);
 * assert.throws(() => seats.release(), ValueError);
 * ```
 */
export class BoundedSemaphore extends Semaphore {
  /**
   * Makes a semaphore.
   *
   * @param value How many permits it has, at most and at first; 1 when left out.
   * @throws {ValueError} If `value` is not a whole number of at least 0.
   */
  constructor(value: number = 1) {
    offer(() => SharedSemaphore.create(value, true));
    super(value);
  }
}

lockTravels(Semaphore, "Semaphore", (words) => new SharedSemaphore(words));
lockTravels(BoundedSemaphore, "BoundedSemaphore", (words) => new SharedSemaphore(words));
