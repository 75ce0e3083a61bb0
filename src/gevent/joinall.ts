/** joinall and killall: many greenlets at once. */

import { Empty } from "../base/errors.ts";
import { waitMs, type WaitOptions } from "../base/options.ts";
import { Queue } from "../queue/queue.ts";
import type { Greenlet } from "./greenlet.ts";

/** How {@link joinall} waits. */
export interface JoinallOptions extends WaitOptions {
  /** Whether to throw the first error of a greenlet as soon as there is one. */
  raiseError?: boolean | undefined;
  /** How many to wait for; all when left out. */
  count?: number | undefined;
}

/**
 * Waits until all greenlets have ended.
 *
 * Python: {@link https://www.gevent.org/api/gevent.html#gevent.joinall | gevent.joinall}.
 * Here times are milliseconds.
 *
 * @typeParam G What the greenlets are.
 * @param greenlets The greenlets; each was started.
 * @param options How long to wait, for how many, and whether an error ends the wait.
 * @returns Those that have ended, in the order they did; those first that had before. Fewer than asked for if
 * `timeout` ran out.
 * @throws {RuntimeError} If one was not started. With `raiseError` what a greenlet threw; an aborted `signal` throws
 * its own reason.
 *
 * @example
 * ```ts
 * import { joinall, sleep, spawn } from "@multiprocessing/deno/gevent";
 * import assert from "node:assert/strict";
 *
 * const turns = async (n: number) => {
 *   for (let i = 0; i < n; i++) await sleep();
 *   return n;
 * };
 * const greenlets = [spawn(turns, 30), spawn(turns, 1), spawn(turns, 20)];
 * assert.deepEqual((await joinall(greenlets)).map(({ value }) => value), [1, 20, 30]);
 * ```
 */
export async function joinall<G extends Greenlet>(
  greenlets: Iterable<G>,
  options: JoinallOptions = {},
): Promise<G[]> {
  const { raiseError = false, count = Infinity } = options;
  const end = performance.now() + waitMs(options);
  const all = new Set(greenlets);
  const ended = new Queue<G>();
  const note = (greenlet: Greenlet) => void ended.putNowait(greenlet as G);
  const done: G[] = [];
  for (const greenlet of all) await greenlet.join({ block: false }); // throws if it was not started
  try {
    for (const greenlet of all) {
      if (greenlet.ready()) note(greenlet);
      else greenlet.link(note);
    }
    while (done.length < Math.min(count, all.size)) {
      const left = Math.max(0, end - performance.now());
      const greenlet = await ended.get({ ...options, ...(left < Infinity && { timeout: left }) })
        .catch((error) => {
          if (!(error instanceof Empty)) throw error;
        });
      if (greenlet === undefined) break; // time has run out
      if (raiseError && greenlet.exception !== null) throw greenlet.exception;
      done.push(greenlet);
    }
  } finally {
    for (const greenlet of all) greenlet.unlink(note);
  }
  return done;
}

/**
 * Kills all greenlets; see {@link Greenlet.kill}.
 *
 * Python: {@link https://www.gevent.org/api/gevent.html#gevent.killall | gevent.killall}.
 * Here times are milliseconds.
 *
 * @param greenlets The greenlets.
 * @param exception What to throw into each, or the class of it; a {@link GreenletExit} when left out.
 * @param options How long to wait for their end, for ever when left out; `block: false` does not wait.
 *
 * @example
 * ```ts
 * import { killall, sleep, spawn } from "@multiprocessing/deno/gevent";
 * import assert from "node:assert/strict";
 *
 * const sleepers = [1, 2, 3].map(() => spawn(sleep, 60_000));
 * await killall(sleepers);
 * assert.ok(sleepers.every((sleeper) => sleeper.dead));
 * ```
 */
export async function killall(
  greenlets: Iterable<Greenlet>,
  exception?: unknown,
  options?: WaitOptions,
): Promise<void> {
  const all = [...greenlets];
  await Promise.all(all.map((greenlet) => greenlet.kill(exception, { block: false })));
  if (options?.block !== false) await joinall(all, options);
}
