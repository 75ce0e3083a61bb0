/**
 * What tests wait with instead of sleeping. Children say on a queue or a pipe how far they have come, and wait on one
 * for leave to go on; a time limit only ever is a net.
 *
 * @module
 */
import { setImmediate } from "node:timers/promises";

/** Fails if `promise` has not settled after `ms` milliseconds. */
export async function within<T>(ms: number, promise: PromiseLike<T>, what: string): Promise<T> {
  let net: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    net = setTimeout(() => reject(new Error(`${what} did not settle within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(net);
  }
}

/** Whether a promise is unsettled, as it still must be after the event loop has turned often. */
export async function isPending(promise: Promise<unknown>, turns = 20): Promise<boolean> {
  let settled = false;
  const note = () => void (settled = true);
  promise.then(note, note);
  for (let turn = 0; turn < turns && !settled; turn++) await setImmediate();
  return !settled;
}

/** How a wait ended, and after how many milliseconds. */
export async function timed<T>(wait: () => Promise<T>): Promise<{ ms: number } & Settled<T>> {
  const start = performance.now();
  const outcome = await settled(wait);
  return { ...outcome, ms: performance.now() - start };
}

type Settled<T> = { value: T; error?: undefined } | { value?: undefined; error: Error };

async function settled<T>(wait: () => Promise<T>): Promise<Settled<T>> {
  try {
    return { value: await wait() };
  } catch (error) {
    return { error: error as Error };
  }
}

/** Timers may fire this much early: their clock and `performance.now()` round differently. */
export const CLOCK_SLACK_MS = 2;
