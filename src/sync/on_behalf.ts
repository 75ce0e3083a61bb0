/** Locks and conditions as somebody uses them who is not this process: for a room above that serves others. */

import { AssertionError, RuntimeError } from "../base/errors.ts";
import { thisAgent } from "../transport/agent.ts";
import type { Caller } from "../transport/remote.ts";
import type { Holder, ServedPermit } from "./_permit.ts";
import { type Condition, partsOf } from "./condition.ts";
import { type Lock, permitOf } from "./lock.ts";

export type { Holder };

/** Waits for a lock; says whether `holder` has got it, and whether from one who died with it. */
export async function acquireFor(
  lock: Lock,
  holder: Holder,
  ms: number,
  signal: AbortSignal,
): Promise<[got: boolean, abandoned: boolean]> {
  const permit = served(lock);
  const got = await permit.acquireFor(holder, ms, signal);
  return [got, got && permit.abandoned()];
}

/** Gives a lock up. */
export function releaseFor(lock: Lock, holder: Holder): void {
  served(lock).releaseFor(holder);
}

/** The lock of a condition. */
export function lockOf(condition: Condition): Lock {
  return partsOf(condition).lock;
}

/**
 * Waits in a condition until notified, and for its lock again.
 *
 * @param gone Aborted when the holder is gone, who then needs no lock any more.
 */
export async function waitFor(
  condition: Condition,
  holder: Holder,
  ms: number,
  signal: AbortSignal,
  gone: AbortSignal,
): Promise<boolean> {
  signal.throwIfAborted();
  const permit = heldPermit(condition, holder, "wait()");
  const caller: Caller = { agent: holder.agent, signal };
  // It is in line when this returns, and not before it has given up the lock.
  const waiting = partsOf(condition).line.invoke("wait", [ms], caller) as Promise<boolean>;
  const depth = permit.releaseAllFor(holder);
  const again = async (notified: boolean) => {
    try {
      await permit.acquireFor(holder, Infinity, gone);
    } catch (error) {
      if (notified) passOn(condition, 1);
      throw error;
    }
    permit.restore(depth);
  };
  let notified: boolean;
  try {
    notified = await waiting;
  } catch (error) {
    await again(false);
    throw error;
  }
  await again(notified);
  return notified;
}

/** Wakes so many of those who wait in a condition. */
export function notifyFor(condition: Condition, holder: Holder, count: number): void {
  heldPermit(condition, holder, "notify()");
  passOn(condition, count);
}

/** Wakes so many others for those whose notification was in vain. */
export function passOn(condition: Condition, count: number): void {
  partsOf(condition).line.invoke("notify", [count], { agent: thisAgent().id, signal: NEVER });
}

const NEVER = new AbortController().signal;

function heldPermit(condition: Condition, holder: Holder, what: string): ServedPermit {
  const permit = served(lockOf(condition));
  if (permit.heldBy(holder)) return permit;
  throw new AssertionError(
    `must acquire() condition before using ${what}: whoever asked for it does not hold its lock`,
  );
}

function served(lock: Lock): ServedPermit {
  const permit = permitOf(lock);
  if ("acquireFor" in permit) return permit as ServedPermit;
  throw new RuntimeError(
    "Cannot use the lock on somebody's behalf: it lives in another operating-system process; make it here",
  );
}
