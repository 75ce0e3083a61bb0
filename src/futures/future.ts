/** Future: what will come of a call, for whoever made it and whoever waits for it. */

import { CancelledError, InvalidStateError, RuntimeError, TimeoutError } from "../base/errors.ts";
import { waitMs, type WaitOptions } from "../base/options.ts";
import { printError, settledWithin } from "../platform/runtime.ts";
import { staysHome } from "../transport/registry.ts";

type State = "pending" | "running" | "cancelled" | "cancelledAndNotified" | "finished";

// For the other files of this room.
/** Lets an executor be asked to take a call back; `false` if it has begun. */
export let onCancel: (future: Future<unknown>, takeBack: () => boolean) => void;
/** Calls `look` once the future is done, unless the returned function was called before. */
export let watch: <R>(future: Future<R>, look: () => void) => () => void;
/** Settles once the future is done. */
export let doneOf: <R>(future: Future<R>) => Promise<void>;
/** Whether the call has ended with an error. */
export let hasFailed: <R>(future: Future<R>) => boolean;

/**
 * The result of a call that an executor was given; can be awaited.
 *
 * - It settles once: with a result, with an error, or cancelled.
 * - An error that nobody asks for is not reported, as in Python.
 *
 * Python: {@link https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.Future | concurrent.futures.Future}.
 * Here it is also a `PromiseLike`; a call that waits for a worker can be cancelled until the very worker begins it.
 *
 * @typeParam R What comes of it.
 *
 * @example Ask for it later
 * ```ts
 * import { ProcessPoolExecutor } from "@multiprocessing/deno/futures";
 * import { square } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * await using executor = new ProcessPoolExecutor(1);
 * const future = executor.submit(square, 3);
 * assert.equal(await future.result(), 9);
 * assert.equal(future.done(), true);
 * ```
 */
export class Future<R = unknown> implements PromiseLike<R> {
  #state: State = "pending";
  #result: R | undefined;
  #exception: unknown;
  #takeBack: (() => boolean) | undefined;
  #callbacks: (() => void)[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #settled = Promise.withResolvers<void>();

  /**
   * The result, waiting until it is there.
   *
   * @param options How long to wait; for ever when left out.
   * @returns What the function returned.
   * @throws {TimeoutError} If it was not there within `timeout` milliseconds. An aborted `signal` throws its own
   * reason; that ends the wait, not the call.
   * @throws {CancelledError} If the call was cancelled. And whatever the function threw.
   */
  async result(options?: WaitOptions): Promise<R> {
    await this.#wait(options);
    if (this.#exception !== undefined) throw this.#exception;
    return this.#result as R;
  }

  /**
   * The error, waiting until the call has ended.
   *
   * @param options How long to wait; for ever when left out.
   * @returns What the function threw; `null` if it returned.
   * @throws {TimeoutError} If it had not ended within `timeout` milliseconds. An aborted `signal` throws its own reason.
   * @throws {CancelledError} If the call was cancelled.
   */
  async exception(options?: WaitOptions): Promise<Error | null> {
    await this.#wait(options);
    return (this.#exception as Error | undefined) ?? null;
  }

  /**
   * Cancels the call if it has not begun.
   *
   * @returns Whether the call is cancelled now.
   */
  cancel(): boolean {
    if (this.cancelled()) return true;
    if (this.#state === "finished") return false;
    if (this.#takeBack !== undefined) {
      if (!this.#takeBack()) return false;
      this.#state = "cancelledAndNotified"; // it has left the executor, which would notify otherwise
    } else if (this.#state === "running") return false;
    else this.#state = "cancelled";
    this.#settle();
    return true;
  }

  /**
   * Whether the call was cancelled.
   *
   * @returns `true` once it was.
   */
  cancelled(): boolean {
    return this.#state === "cancelled" || this.#state === "cancelledAndNotified";
  }

  /**
   * Whether the call is with a worker.
   *
   * @returns `false` before that and after its end.
   */
  running(): boolean {
    return this.#state === "running";
  }

  /**
   * Whether the call has ended, or was cancelled.
   *
   * @returns `true` once there is a result or an error.
   */
  done(): boolean {
    return this.#state === "finished" || this.cancelled();
  }

  /**
   * Has a function called with this future once the call has ended or was cancelled; at once if it has. Several are
   * called in their order. What one throws, or rejects with, is printed.
   *
   * @param fn What to call, in this process.
   */
  addDoneCallback(fn: (future: Future<R>) => void): void {
    if (this.done()) this.#call(fn);
    else this.#callbacks.push(() => this.#call(fn));
  }

  /**
   * Settles it with a result; for executors and tests.
   *
   * @param result The result.
   * @throws {InvalidStateError} If it is settled.
   */
  setResult(result: R): void {
    this.#refuseSettled();
    this.#result = result;
    this.#state = "finished";
    this.#settle();
  }

  /**
   * Settles it with an error; for executors and tests.
   *
   * @param exception The error.
   * @throws {InvalidStateError} If it is settled.
   */
  setException(exception: unknown): void {
    this.#refuseSettled();
    this.#exception = exception ?? new Error(String(exception));
    this.#state = "finished";
    this.#settle();
  }

  /**
   * Says that the call begins, unless it was cancelled; for executors and tests.
   *
   * @returns Whether to run it.
   * @throws {RuntimeError} If it has begun or ended already.
   */
  setRunningOrNotifyCancel(): boolean {
    if (this.#state === "cancelled") {
      this.#state = "cancelledAndNotified";
      return false;
    }
    if (this.#state !== "pending") {
      throw new RuntimeError(
        `Future in unexpected state: the call cannot begin, it is ${this.#word()} already`,
      );
    }
    this.#state = "running";
    return true;
  }

  /**
   * As of a Promise, so that a future can be awaited.
   *
   * @param onfulfilled What to do with the result.
   * @param onrejected What to do with the error.
   * @returns What they return.
   */
  then<A = R, B = never>(
    onfulfilled?: ((value: R) => A | PromiseLike<A>) | null,
    onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.result().then(onfulfilled, onrejected);
  }

  /** For a debugger: what it is and how it is doing. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.#text();
  }

  #text(): string {
    const what = this.#state !== "finished"
      ? ""
      : this.#exception === undefined
      ? ` returned ${typeof this.#result}`
      : ` raised ${Object(this.#exception).constructor?.name}`;
    return `<Future state=${this.#word()}${what}>`;
  }

  #word(): string {
    return this.cancelled() ? "cancelled" : this.#state;
  }

  async #wait(options: WaitOptions | undefined): Promise<void> {
    if (!this.done()) {
      const ms = waitMs(options);
      if (!await settledWithin(this.#settled.promise, ms, options?.signal)) {
        throw new TimeoutError(`Cannot get the result within ${ms} ms: the call is ${this.#word()}`);
      }
    }
    if (this.cancelled()) throw new CancelledError("Cannot get the result: the call was cancelled");
  }

  #settle(): void {
    this.#takeBack = undefined;
    this.#settled.resolve();
    for (const look of this.#watchers) look();
    this.#watchers.clear();
    for (const call of this.#callbacks.splice(0)) call();
  }

  async #call(fn: (future: Future<R>) => unknown): Promise<void> {
    try {
      await fn(this);
    } catch (error) {
      printError(`exception calling callback for ${this.#text()}:`, error);
    }
  }

  #refuseSettled(): void {
    if (this.done()) throw new InvalidStateError(`Cannot settle a future: it is ${this.#word()} already`);
  }

  static {
    onCancel = (future, takeBack) => {
      if (!future.done()) future.#takeBack = takeBack;
    };
    watch = (future, look) => {
      future.#watchers.add(look);
      return () => future.#watchers.delete(look);
    };
    doneOf = (future) => future.#settled.promise;
    hasFailed = (future) => future.#exception !== undefined;
  }
}

staysHome(Future, "Future", "await it and send the result");

// Whoever has a future can settle it by hand. What an executor has to say then comes too late, and no harm is done.

/** An executor begins the call. */
export function begin(future: Future<unknown>): void {
  if (!future.done() && !future.running()) future.setRunningOrNotifyCancel();
}

/** An executor has the result. */
export function succeed<R>(future: Future<R>, result: R): void {
  if (!future.done()) future.setResult(result);
}

/** An executor has an error instead. */
export function fail(future: Future<unknown>, error: unknown): void {
  if (!future.done()) future.setException(error);
}
