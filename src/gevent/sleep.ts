/** Waiting, in ways that can be broken off. */

import { waitMs } from "../base/options.ts";
import { keepAlive, settledWithin } from "../platform/runtime.ts";
import { interruptible as waitInterruptibly, thisTask } from "../platform/task.ts";

/**
 * Lets other greenlets run for a while. What greenlets have to wait for, they wait for like this and not by a timer of
 * the runtime, which nobody could break off.
 *
 * Python: {@link https://www.gevent.org/api/gevent.html#gevent.sleep | gevent.sleep}.
 * Here the time is in milliseconds.
 *
 * @param ms For how long; 0 when left out, which lets every other run that can.
 * @throws {ValueError} If `ms` is negative or no number. What `kill` or a {@link Timeout} throws into the greenlet is
 * thrown here.
 *
 * @example
 * ```ts
 * import { joinall, sleep, spawn } from "@multiprocessing/deno/gevent";
 * import assert from "node:assert/strict";
 *
 * const said: string[] = [];
 * const speak = async (who: string) => {
 *   said.push(`${who} one`);
 *   await sleep();
 *   said.push(`${who} two`);
 * };
 * await joinall([spawn(speak, "a"), spawn(speak, "b")]);
 * assert.deepEqual(said, ["a one", "b one", "a two", "b two"]);
 * ```
 */
export async function sleep(ms: number = 0): Promise<void> {
  waitMs({ timeout: ms });
  await waitInterruptibly(
    { timeout: ms },
    (options) => settledWithin(new Promise(() => {}), ms, options?.signal),
  );
}

/**
 * Waits for something in a way that `kill` and a {@link Timeout} can break off. What `gevent`, `threading` and `queue`
 * give to wait for does not need it; what the runtime and `multiprocessing` do, does.
 *
 * Python: needed for nothing there, since gevent puts its own sockets and timers under the whole program.
 *
 * @param wait What waits; it is given the signal that aborts when the wait is to be broken off.
 * @returns What `wait` returns.
 *
 * @example
 * ```ts
 * import { interruptible, spawn } from "@multiprocessing/deno/gevent";
 * import { setTimeout } from "node:timers/promises";
 * import assert from "node:assert/strict";
 *
 * const nap = spawn(() => interruptible((signal) => setTimeout(60_000, "rested", { signal })));
 * await nap.kill();
 * assert.equal(nap.dead, true);
 * ```
 */
export function interruptible<T>(wait: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return waitInterruptibly(undefined, async (options) => {
    const signal = options?.signal ?? new AbortController().signal;
    const weak = thisTask().daemon;
    if (!weak) keepAlive.hold();
    try {
      return await wait(signal);
    } catch (error) {
      // The waits of Node throw an error of their own, whatever the reason is.
      throw signal.aborted && (error as Error | undefined)?.name === "AbortError" ? signal.reason : error;
    } finally {
      if (!weak) keepAlive.drop();
    }
  });
}
