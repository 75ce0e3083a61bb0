/** The lock that goes with a value or an array. */

import { ValueError } from "../base/errors.ts";
import { Lock } from "../sync/lock.ts";
import { RLock } from "../sync/rlock.ts";

/**
 * Which lock goes with a value or an array.
 *
 * @example No lock
 * ```ts
 * import { Value, ValueError } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const flag = new Value("B", 1, { lock: false });
 * assert.throws(() => flag.getLock(), ValueError);
 * ```
 */
export interface MemoryOptions {
  /** A lock of its own, an `RLock`, when left out or `true`; `false` for none; or the lock to use. */
  lock?: boolean | Lock | undefined;
}

/** The lock that `options` ask for. */
export function lockFor(options: MemoryOptions | undefined): Lock | undefined {
  const lock = options?.lock ?? true;
  if (lock === true) return new RLock();
  if (lock === false) return undefined;
  if (lock instanceof Lock) return lock;
  throw new TypeError(
    `Cannot use ${
      String(lock)
    } as lock: it has no method 'acquire'; give a Lock or an RLock, or true or false`,
  );
}

/** The lock, or the error that there is none. */
export function lockOf(what: string, lock: Lock | undefined): Lock {
  if (lock !== undefined) return lock;
  throw new ValueError(`Cannot get the lock of the ${what}: it was made with \`lock: false\``);
}
