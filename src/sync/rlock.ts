/** RLock: a lock that its holder may acquire again. */

import { offer } from "../transport/arriving.ts";
import { RemoteReentrantMutex, SharedReentrantMutex } from "./_mutex.ts";
import { Lock, lockTravels } from "./lock.ts";

/**
 * A {@link Lock} that its owner may acquire again, and must release as often.
 *
 * The owner is the process and its current `threading` thread. Another that releases it is refused.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.RLock | multiprocessing.RLock}.
 *
 * @example
 * ```ts
 * import { AssertionError, RLock } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const lock = new RLock();
 * await lock.acquire();
 * await lock.acquire();
 * lock.release();
 * assert.equal(lock.locked(), true);
 * lock.release();
 * assert.throws(() => lock.release(), AssertionError);
 * ```
 */
export class RLock extends Lock {
  /** Makes a free lock. */
  constructor() {
    offer(() => new SharedReentrantMutex());
    super();
  }
}

lockTravels(RLock, "RLock", (words) => new SharedReentrantMutex(words), RemoteReentrantMutex);
