/** Timeout: an error that is thrown after a while into the greenlet that waits. */

import { RuntimeError } from "../base/errors.ts";
import { waitMs } from "../base/options.ts";
import { settledWithin, weakTimer } from "../platform/runtime.ts";
import { type Task, thisTask } from "../platform/task.ts";
import { instanceFor } from "./_thrown.ts";
import { interruptible } from "./sleep.ts";

/**
 * An error that is thrown into the greenlet (or thread) that started it, once its time has run out: where that waits
 * for something of `gevent`, `threading` or `queue`, or will next. What else it awaits (`fetch`, timers, processes …) is
 * broken off only inside of {@link interruptible} or {@link withTimeout}.
 *
 * `using _ = new Timeout(ms)` starts it, and cancels it at the end of the block, as Python's `with` does. Otherwise it
 * is started by `start()` and cancelled by `cancel()`.
 *
 * Python: {@link https://www.gevent.org/api/gevent.timeout.html | gevent.Timeout}.
 * Here times are milliseconds. There is no `Timeout(seconds, False)`, which leaves a `with` block silently: catch it.
 *
 * @example
 * ```ts
 * import { sleep, Timeout } from "@multiprocessing/deno/gevent";
 * import assert from "node:assert/strict";
 *
 * const tooLong = async () => {
 *   using _ = new Timeout(10);
 *   await sleep(60_000);
 * };
 * await assert.rejects(tooLong(), Timeout);
 * ```
 *
 * @example As in Python, where several may be at work
 * ```ts
 * import { Timeout } from "@multiprocessing/deno/gevent";
 * import { Queue } from "@multiprocessing/deno/queue";
 * import assert from "node:assert/strict";
 *
 * const queue = new Queue<string>();
 * const timeout = new Timeout(10);
 * timeout.start();
 * try {
 *   await queue.get();
 * } catch (error) {
 *   assert.equal(error, timeout); // this one, and no other
 * } finally {
 *   timeout.cancel();
 * }
 * ```
 */
export class Timeout extends Error implements Disposable {
  /** After how many milliseconds; `null` for never. */
  readonly ms: number | null;
  readonly #thrown: unknown;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Into which task it is thrown; from start to cancel. */
  #task: Task | undefined;

  /**
   * Makes a timeout; it is not started yet.
   *
   * @param ms After how many milliseconds; never when `null` or left out.
   * @param exception What to throw instead of this timeout itself, or the class of it.
   * @throws {ValueError} If `ms` is negative or no number.
   */
  constructor(ms: number | null = null, exception?: unknown) {
    if (ms !== null) waitMs({ timeout: ms });
    super(`Cannot finish within ${ms} ms: the timeout ran out`);
    this.ms = ms;
    this.#thrown = exception === undefined ? this : instanceFor(exception);
  }

  /**
   * Makes a timeout and starts it.
   *
   * Python: `gevent.Timeout.start_new`.
   *
   * @param ms After how many milliseconds, never when `null` or left out; or a timeout, which is started unless it is.
   * @param exception What to throw instead of the timeout itself, or the class of it.
   * @returns The timeout.
   */
  static startNew(ms?: number | null | Timeout, exception?: unknown): Timeout {
    const timeout = ms instanceof Timeout ? ms : new Timeout(ms, exception);
    if (!timeout.pending) timeout.start();
    return timeout;
  }

  /**
   * Lets the time run, for the greenlet that calls.
   *
   * @throws {RuntimeError} If it runs already.
   */
  start(): void {
    if (this.pending) {
      throw new RuntimeError(
        "Cannot start the timeout: it is already started; to restart it, cancel it first",
      );
    }
    this.cancel();
    const task = this.#task = thisTask();
    task.heed();
    if (this.ms === null) return;
    // Weak, since what is waited for keeps the program up, or nothing does.
    this.#timer = weakTimer(() => {
      this.#timer = undefined;
      task.interrupt(this.#thrown);
    }, this.ms);
  }

  /** Whether its time runs. */
  get pending(): boolean {
    return this.#timer !== undefined;
  }

  /** Stops it: it is not thrown any more, not even if its time has run out while nobody waited. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#task?.retract(this.#thrown);
    this.#task = undefined;
  }

  /** The same as {@link Timeout.cancel}. */
  close(): void {
    this.cancel();
  }

  /**
   * Cancels it at the end of a block. A `using` declaration asks for this method where it stands, and that starts the
   * timeout there, as Python's `with` does.
   */
  get [Symbol.dispose](): () => void {
    if (this.#task === undefined) this.start();
    return this.cancel;
  }

  static {
    Object.defineProperty(this.prototype, "name", { value: "Timeout", configurable: true, writable: true });
  }
}

/**
 * Calls a function and throws a {@link Timeout} if it takes longer. Then the function is broken off as `Timeout` says;
 * what else it awaits goes on, and nobody waits for it.
 *
 * Python: {@link https://www.gevent.org/api/gevent.timeout.html#gevent.with_timeout | gevent.with_timeout}.
 * Here the time is in milliseconds; for `timeout_value` catch the error.
 *
 * @param ms How long it may take, in milliseconds.
 * @param fn What to call; it may be async.
 * @param args What to call it with.
 * @returns What it returns.
 * @throws {Timeout} If it took longer.
 *
 * @example
 * ```ts
 * import { Timeout, withTimeout } from "@multiprocessing/deno/gevent";
 * import { setTimeout } from "node:timers/promises";
 * import assert from "node:assert/strict";
 *
 * assert.equal(await withTimeout(1_000, (n: number) => n * n, 3), 9);
 * const late = new AbortController();
 * await assert.rejects(withTimeout(10, setTimeout, 60_000, "too late", { signal: late.signal }), Timeout);
 * late.abort();
 * ```
 */
export async function withTimeout<A extends unknown[], R>(
  ms: number | null,
  fn: (...args: A) => R,
  ...args: A
): Promise<Awaited<R>> {
  using _ = Timeout.startNew(ms);
  const work = (async () => await fn(...args))();
  await interruptible((signal) => settledWithin(work, Infinity, signal));
  return await work;
}
