/**
 * Greenlet: a function that runs beside others, and what becomes of it.
 *
 * It is a daemon thread of `threading`, with a result: what its function returns or throws is kept, for `get`, `link`
 * and `joinall`. Its waits heed `kill`; see platform/task.ts.
 */

import { RuntimeError } from "../base/errors.ts";
import { waitMs, type WaitOptions } from "../base/options.ts";
import { printError, settledWithin, weakTimer } from "../platform/runtime.ts";
import { interruptible } from "../platform/task.ts";
import { currentThread, taskOf, Thread } from "../threading/thread.ts";
import { instanceFor } from "./_thrown.ts";
import { becomeRoot, GreenletExit, RawGreenlet } from "./raw_greenlet.ts";
import { Timeout } from "./timeout.ts";

/** What became of a greenlet. */
type Outcome<R> = { readonly value: R | GreenletExit } | { readonly error: unknown };

let made = 0;

/**
 * A function that runs beside others of this process, and what becomes of it.
 *
 * - It runs until it awaits something; then others do. As in gevent, the program does not go on for its greenlets: it
 *   waits for those it joins.
 * - What it throws and does not catch is printed on stderr, kept as {@link Greenlet.exception}, and thrown by
 *   {@link Greenlet.get}.
 * - It can be killed where it waits for something of `gevent`, `threading` or `queue`. What else it awaits (`fetch`,
 *   timers, processes …) runs to its end first, unless it does so by {@link interruptible}.
 * - It is a thread as well: `currentThread()`, `local` and the owner of an `RLock` are its own.
 *
 * Python: {@link https://www.gevent.org/api/gevent.greenlet.html | gevent.Greenlet}.
 * Here times are milliseconds. A subclass overrides `run`, which gevent calls `_run`.
 *
 * @typeParam R What the function returns, awaited.
 * @typeParam A What it is called with.
 *
 * @example
 * ```ts
 * import { Greenlet } from "@multiprocessing/deno/gevent";
 * import assert from "node:assert/strict";
 *
 * const greenlet = new Greenlet((a: number, b: number) => a + b, 1, 2);
 * greenlet.start();
 * assert.equal(await greenlet.get(), 3);
 * assert.equal(greenlet.successful(), true);
 * ```
 */
export class Greenlet<R = unknown, A extends unknown[] = unknown[]> extends RawGreenlet {
  readonly #thread: Thread;
  readonly #title: string;
  #state: "new" | "delayed" | "started" = "new";
  #delay: ReturnType<typeof setTimeout> | undefined;
  #outcome: Outcome<R> | undefined;
  readonly #done = Promise.withResolvers<void>();
  readonly #links = new Map<(greenlet: never) => unknown, () => boolean>();

  /**
   * Makes a greenlet; it begins with `start()`. {@link spawn} does both.
   *
   * @param run What it does; it may be async. A subclass overrides {@link RawGreenlet.run} instead.
   * @param args What it is called with.
   */
  constructor(run?: (...args: A) => R | PromiseLike<R>, ...args: A) {
    super(run, null);
    this.#title = run?.name || this.constructor.name;
    this.#thread = new Thread({
      target: () => this.#live(() => this.run(...args)),
      name: `Greenlet-${made++}`,
      daemon: true,
    });
    becomeRoot(this, this.#thread);
  }

  /** What it is called, as a greenlet and as a thread; means nothing. */
  get name(): string {
    return this.#thread.name;
  }

  /** Renames it. */
  set name(name: string) {
    this.#thread.name = name;
  }

  /** Lets it run, as soon as whoever calls awaits something. Does nothing if it was started before. */
  start(): void {
    if (this.ready() || this.#state === "started") return;
    clearTimeout(this.#delay);
    this.#state = "started";
    this.#thread.start();
    taskOf(this.#thread).heed();
  }

  /**
   * Lets it run after a while. Does nothing if it was started before.
   *
   * @param ms After how many milliseconds.
   * @throws {ValueError} If `ms` is negative or no number.
   */
  startLater(ms: number): void {
    waitMs({ timeout: ms });
    if (this.ready() || this.#state !== "new") return;
    this.#state = "delayed";
    this.#delay = weakTimer(() => this.start(), ms);
  }

  /** Whether it was started, or is to be started later, and has not ended. */
  get started(): boolean {
    return this.#state !== "new" && !this.ready();
  }

  /** Whether it has ended. */
  override get dead(): boolean {
    return this.ready();
  }

  /** Whether it has ended. */
  ready(): boolean {
    return this.#outcome !== undefined;
  }

  /** Whether it has ended without an error. One that was killed has. */
  successful(): boolean {
    return this.#outcome !== undefined && "value" in this.#outcome;
  }

  /** What it returned; a {@link GreenletExit} if it was killed, `undefined` as long as there is nothing. */
  get value(): R | GreenletExit | undefined {
    return this.#outcome !== undefined && "value" in this.#outcome ? this.#outcome.value : undefined;
  }

  /** What it threw; `null` as long as there is nothing. */
  get exception(): unknown {
    return this.#outcome !== undefined && "error" in this.#outcome ? this.#outcome.error : null;
  }

  /**
   * Waits until it has ended, and gives what it returned.
   *
   * @param options How long to wait; for ever when left out.
   * @returns What it returned; a {@link GreenletExit} if it was killed.
   * @throws {Timeout} If it did not end within `timeout` milliseconds, or has not yet with `block: false`.
   * @throws {RuntimeError} If it was not started, or is the one that calls. What it threw is thrown; an aborted
   * `signal` throws its own reason.
   *
   * @example
   * ```ts
   * import { sleep, spawn, Timeout } from "@multiprocessing/deno/gevent";
   * import assert from "node:assert/strict";
   *
   * const sleeper = spawn(sleep, 60_000);
   * await assert.rejects(sleeper.get({ timeout: 10 }), Timeout);
   * await sleeper.kill();
   * ```
   */
  async get(options?: WaitOptions): Promise<R> {
    await this.join(options);
    const outcome = this.#outcome;
    if (outcome === undefined) throw new Timeout(waitMs(options));
    if ("error" in outcome) throw outcome.error;
    return outcome.value as R;
  }

  /**
   * Waits until it has ended.
   *
   * @param options How long to wait; for ever when left out. A wait that ends early changes nothing; see
   * {@link Greenlet.ready}.
   * @throws {RuntimeError} If it was not started, or is the one that calls: both would wait for ever. An aborted
   * `signal` throws its own reason.
   */
  async join(options?: WaitOptions): Promise<void> {
    const ms = waitMs(options);
    if (this.ready()) return;
    if (this.#state === "new") {
      throw new RuntimeError(
        `Cannot wait for greenlet "${this.name}": it has not been started; call start() first`,
      );
    }
    if (this.#thread === currentThread()) {
      throw new RuntimeError(`Cannot wait for greenlet "${this.name}": it is the one that would wait`);
    }
    if (ms === 0) return;
    await interruptible(options, (options) => settledWithin(this.#done.promise, ms, options?.signal));
  }

  /**
   * Ends it: throws into it where it waits for something of `gevent`, `threading` or `queue`, or will next. If it has
   * not begun, it never will. What it makes of that is its own affair: it may catch it, and go on.
   *
   * @param exception What to throw, or the class of it; a {@link GreenletExit} when left out.
   * @param options How long to wait for its end, for ever when left out; `block: false` does not wait.
   *
   * @example
   * ```ts
   * import { sleep, spawn } from "@multiprocessing/deno/gevent";
   * import assert from "node:assert/strict";
   *
   * const said: string[] = [];
   * const sleeper = spawn(async () => {
   *   try {
   *     await sleep(60_000);
   *   } finally {
   *     said.push("woken");
   *   }
   * });
   * await sleep();
   * await sleeper.kill();
   * assert.deepEqual(said, ["woken"]);
   * ```
   */
  async kill(exception: unknown = GreenletExit, options?: WaitOptions): Promise<void> {
    waitMs(options);
    if (this.ready()) return;
    const error = instanceFor(exception);
    if (this.#thread === currentThread()) throw error;
    if (this.#state !== "started") {
      clearTimeout(this.#delay);
      return this.#end(outcomeOf(error));
    }
    taskOf(this.#thread).interrupt(error);
    if (options?.block !== false) await this.join(options);
  }

  /**
   * Has a function called when it has ended, soon after; soon if it has already.
   *
   * @param callback What to call, with this greenlet. If it throws, that is printed on stderr.
   *
   * @example
   * ```ts
   * import { joinall, sleep, spawn } from "@multiprocessing/deno/gevent";
   * import assert from "node:assert/strict";
   *
   * const values: unknown[] = [];
   * const greenlets = [1, 2, 3].map((n) => spawn(() => n * n));
   * for (const greenlet of greenlets) greenlet.link(({ value }) => values.push(value));
   * await joinall(greenlets);
   * await sleep();
   * assert.deepEqual(values, [1, 4, 9]);
   * ```
   */
  link(callback: (greenlet: this) => unknown): void {
    this.#link(callback, () => true);
  }

  /**
   * As {@link Greenlet.link}, if it ends without an error.
   *
   * @param callback What to call, with this greenlet.
   */
  linkValue(callback: (greenlet: this) => unknown): void {
    this.#link(callback, () => this.successful());
  }

  /**
   * As {@link Greenlet.link}, if it ends with an error.
   *
   * @param callback What to call, with this greenlet.
   */
  linkException(callback: (greenlet: this) => unknown): void {
    this.#link(callback, () => !this.successful());
  }

  /**
   * Has a function not called that was linked.
   *
   * @param callback The function.
   */
  unlink(callback: (greenlet: this) => unknown): void {
    this.#links.delete(callback);
  }

  /** As gevent shows it: `<Greenlet "NAME": FUNCTION>`. */
  override toString(): string {
    return `<${this.constructor.name} "${this.name}": ${this.#title}>`;
  }

  async #live(run: () => unknown): Promise<void> {
    let outcome: Outcome<R>;
    try {
      taskOf(this.#thread).signal!.throwIfAborted(); // killed before it began
      outcome = { value: await run() as R };
    } catch (error) {
      outcome = outcomeOf(error);
    }
    this.#end(outcome);
  }

  #end(outcome: Outcome<R>): void {
    this.#outcome = outcome;
    if ("error" in outcome) {
      const kind = outcome.error instanceof Error ? outcome.error.name : typeof outcome.error;
      printError(`${this} failed with ${kind}`, outcome.error);
    }
    this.#done.resolve();
    this.#callLinked();
  }

  #link(callback: (greenlet: this) => unknown, wanted: () => boolean): void {
    this.#links.set(callback, wanted);
    if (this.ready()) this.#callLinked();
  }

  /** Soon, so that whoever links or ends it goes on first. */
  #callLinked(): void {
    queueMicrotask(() => {
      for (const [callback, wanted] of this.#links) {
        this.#links.delete(callback);
        if (wanted()) void this.#call(callback);
      }
    });
  }

  async #call(callback: (greenlet: never) => unknown): Promise<void> {
    try {
      await callback(this as never);
    } catch (error) {
      printError(`Exception in a function linked to ${this}:`, error);
    }
  }
}

/** What becomes of a greenlet that throws. */
function outcomeOf(error: unknown): { value: GreenletExit } | { error: unknown } {
  return error instanceof GreenletExit ? { value: error } : { error };
}

/**
 * Makes a {@link Greenlet} and starts it.
 *
 * Python: {@link https://www.gevent.org/api/gevent.html#gevent.spawn | gevent.spawn}.
 *
 * @param fn What it does; it may be async.
 * @param args What it is called with.
 * @returns The greenlet.
 *
 * @example
 * ```ts
 * import { spawn } from "@multiprocessing/deno/gevent";
 * import assert from "node:assert/strict";
 *
 * const greenlet = spawn((name: string) => `hello ${name}`, "egon");
 * assert.equal(await greenlet.get(), "hello egon");
 * ```
 */
export function spawn<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Greenlet<Awaited<R>, A> {
  const greenlet = greenletOf(fn, args);
  greenlet.start();
  return greenlet;
}

/**
 * Makes a {@link Greenlet} and starts it after a while. Killed before that, it never begins.
 *
 * Python: {@link https://www.gevent.org/api/gevent.html#gevent.spawn_later | gevent.spawn_later}.
 * Here the time is in milliseconds.
 *
 * @param ms After how many milliseconds.
 * @param fn What it does; it may be async.
 * @param args What it is called with.
 * @returns The greenlet.
 *
 * @example
 * ```ts
 * import { spawnLater } from "@multiprocessing/deno/gevent";
 * import assert from "node:assert/strict";
 *
 * const soon = spawnLater(10, () => "tea is ready");
 * const never = spawnLater(60_000, () => assert.fail());
 * await never.kill();
 * assert.equal(await soon.get(), "tea is ready");
 * ```
 */
export function spawnLater<A extends unknown[], R>(
  ms: number,
  fn: (...args: A) => R,
  ...args: A
): Greenlet<Awaited<R>, A> {
  const greenlet = greenletOf(fn, args);
  greenlet.startLater(ms);
  return greenlet;
}

function greenletOf<A extends unknown[], R>(fn: (...args: A) => R, args: A): Greenlet<Awaited<R>, A> {
  refuseUnlessCallable(fn);
  return new Greenlet<Awaited<R>, A>(fn as (...args: A) => Awaited<R>, ...args);
}

/** Throws unless it is a function; for the other files of this room. */
export function refuseUnlessCallable(fn: unknown): void {
  if (typeof fn !== "function") throw new TypeError(`Cannot spawn ${String(fn)}: it must be a function`);
}
