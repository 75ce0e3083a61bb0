/**
 * Greenlets, as in Python's `gevent` and `greenlet`: functions of one process that run beside each other, or hand the
 * control to each other.
 *
 * ```ts
 * import { joinall, sleep, spawn } from "@multiprocessing/deno/gevent";
 * import assert from "node:assert/strict";
 *
 * const said: string[] = [];
 * const speak = async (who: string) => {
 *   said.push(`${who} begins`);
 *   await sleep(1);
 *   said.push(`${who} ends`);
 *   return who.length;
 * };
 * const greenlets = await joinall([spawn(speak, "Jane"), spawn(speak, "Annie")]);
 * assert.deepEqual(said, ["Jane begins", "Annie begins", "Jane ends", "Annie ends"]);
 * assert.deepEqual(greenlets.map(({ value }) => value), [4, 5]);
 * ```
 *
 * What gevent has in `gevent.queue`, `gevent.lock` and `gevent.event` is in `@multiprocessing/deno/queue` and
 * `@multiprocessing/deno/threading`; greenlets wait there as they do here, and can be killed while they do.
 *
 * @module
 */

export type { WaitOptions } from "../base/options.ts";
export { Greenlet, spawn, spawnLater } from "./greenlet.ts";
export { joinall, type JoinallOptions, killall } from "./joinall.ts";
/** What gevent has to patch, and Deno has not: `gevent.monkey`. */
export * as monkey from "./monkey.ts";
/** Greenlets, so many at a time: `gevent.pool`. */
export * as pool from "./pool.ts";
export { getcurrent, greenlet, type GreenletClass, GreenletExit, RawGreenlet } from "./raw_greenlet.ts";
export { interruptible, sleep } from "./sleep.ts";
export { Timeout, withTimeout } from "./timeout.ts";
