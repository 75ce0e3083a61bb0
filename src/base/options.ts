/** The options every wait takes, and the checks every entry makes on them. */

import { ValueError } from "./errors.ts";

/**
 * How long to wait.
 *
 * Times are milliseconds. Without a `timeout` a wait lasts for ever; an aborted `signal` ends it with the
 * signal's own reason.
 *
 * @example A timeout, a signal, and no wait at all
 * ```ts
 * import { Empty, Event, Queue } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * using queue = new Queue<string>();
 * await assert.rejects(queue.get({ timeout: 10 }), Empty);
 * await assert.rejects(queue.get({ signal: AbortSignal.abort("enough") }), (reason) => reason === "enough");
 * assert.equal(await new Event().wait({ block: false }), false);
 * ```
 */
export interface WaitOptions {
  /** At most so many milliseconds; for ever when left out. */
  timeout?: number | undefined;
  /** Ends the wait: it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** `false`: do not wait at all. */
  block?: boolean | undefined;
}

/** Milliseconds a wait may last: `0` for none, `Infinity` for ever. Throws {@link ValueError} for a bad timeout. */
export function waitMs(options: WaitOptions | undefined): number {
  if (options === undefined) return Infinity;
  const { timeout, block } = options;
  if (timeout !== undefined && (typeof timeout !== "number" || !(timeout >= 0))) {
    throw new ValueError(
      `Cannot wait for ${String(timeout)} ms: 'timeout' must be a non-negative number of milliseconds`,
    );
  }
  if (block === false) return 0;
  return timeout ?? Infinity;
}

/** Throws a {@link ValueError} unless `value` is a whole number of at least `least`. */
export function wholeNumber(what: string, value: unknown, least: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < least) {
    throw new ValueError(
      `Cannot use ${String(value)} as ${what}: it must be a whole number of at least ${least}`,
    );
  }
  return value;
}
