/** Timer: a thread that waits before it calls a function. */

import { waitMs } from "../base/options.ts";
import { Event } from "./event.ts";
import { Thread } from "./thread.ts";

/**
 * A thread that calls a function after a while, unless it is cancelled before.
 *
 * Python: {@link https://docs.python.org/3/library/threading.html#threading.Timer | threading.Timer}.
 * Here the interval is in milliseconds, and `kwargs` is one last argument.
 *
 * @typeParam A What the function is called with.
 *
 * @example
 * ```ts
 * import { Timer } from "@multiprocessing/deno/threading";
 * import assert from "node:assert/strict";
 *
 * const said: string[] = [];
 * const soon = new Timer(10, (what: string) => said.push(what), ["hello"]);
 * const later = new Timer(60_000, () => said.push("never"));
 * soon.start();
 * later.start();
 * later.cancel();
 * await soon.join();
 * await later.join();
 * assert.deepEqual(said, ["hello"]);
 * ```
 */
export class Timer<A extends unknown[] = unknown[]> extends Thread {
  readonly #interval: number;
  readonly #call: () => unknown;
  readonly #finished = new Event();

  /**
   * Describes a timer; it runs from `start()` on.
   *
   * @param interval How long to wait, in milliseconds.
   * @param fn What to call then; it may be async.
   * @param args What to call it with.
   * @param kwargs One more, last argument: an object.
   * @throws {ValueError} If `interval` is negative or no number.
   * @throws {TypeError} If `fn` is no function.
   */
  constructor(interval: number, fn: (...args: A) => unknown, args?: A, kwargs?: Record<string, unknown>) {
    super();
    waitMs({ timeout: interval });
    if (typeof fn !== "function") {
      throw new TypeError(`Cannot call ${String(fn)} after ${interval} ms: it must be a function`);
    }
    const all = [...args ?? [], ...(kwargs === undefined ? [] : [kwargs])] as unknown as A;
    this.#interval = interval;
    this.#call = () => fn(...all);
  }

  /** Lets the function not be called, if it has not been yet. */
  cancel(): void {
    this.#finished.set();
  }

  /** Waits, then calls the function unless the timer was cancelled. */
  override async run(): Promise<void> {
    if (await this.#finished.wait({ timeout: this.#interval })) return;
    await this.#call();
    this.#finished.set();
  }
}
