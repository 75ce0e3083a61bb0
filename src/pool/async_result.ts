/** AsyncResult: what will come of work that was given to a pool. */

import { TimeoutError, ValueError } from "../base/errors.ts";
import { waitMs, type WaitOptions } from "../base/options.ts";
import { settledWithin } from "../platform/runtime.ts";

/**
 * The result of work that a {@link Pool} was given; can be awaited.
 *
 * An error that nobody asks for is not reported, as in Python.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.pool.AsyncResult | multiprocessing.pool.AsyncResult}.
 * Here it is also a `PromiseLike`, and `get` can be aborted; that ends the wait, not the work.
 *
 * @typeParam R What comes of it.
 *
 * @example Ask for it later
 * ```ts
 * import { Pool } from "@multiprocessing/deno";
 * import { square } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * await using pool = new Pool(1);
 * const result = pool.applyAsync(square, [3]);
 * assert.equal(result.ready(), false);
 * assert.equal(await result.get({ timeout: 10_000 }), 9);
 * assert.equal(result.successful(), true);
 * ```
 */
export class AsyncResult<R> implements PromiseLike<R> {
  #state: "pending" | "done" | "failed" = "pending";
  readonly #settled: Promise<R>;

  /**
   * Results are made by a {@link Pool}.
   *
   * @param begin Called at once with the two ways to settle it, of which the first one used counts.
   */
  constructor(begin: (done: (value: R) => void, failed: (error: unknown) => void) => void) {
    this.#settled = new Promise<R>((resolve, reject) => {
      begin((value) => {
        if (this.#state !== "pending") return;
        this.#state = "done";
        resolve(value);
      }, (error) => {
        if (this.#state !== "pending") return;
        this.#state = "failed";
        reject(error);
      });
    });
    this.#settled.catch(() => {/* it waits here to be asked for */});
  }

  /**
   * The result, waiting until it is there.
   *
   * @param options How long to wait; for ever when left out.
   * @returns What the function returned.
   * @throws {TimeoutError} If it was not there within `timeout` milliseconds. An aborted `signal` throws its own
   * reason; and whatever the function threw.
   */
  async get(options?: WaitOptions): Promise<R> {
    if (options === undefined) return await this.#settled;
    const ms = waitMs(options);
    if (!await settledWithin(this.#settled, ms, options.signal)) {
      throw new TimeoutError(`Cannot get the result within ${ms} ms: the work is not done`);
    }
    return await this.#settled;
  }

  /**
   * Waits until the work has ended, well or not.
   *
   * @param options How long to wait; for ever when left out. {@link AsyncResult.ready} says whether that sufficed.
   */
  async wait(options?: WaitOptions): Promise<void> {
    await settledWithin(this.#settled, waitMs(options), options?.signal);
  }

  /**
   * Whether the work has ended.
   *
   * @returns `true` once there is a result or an error.
   */
  ready(): boolean {
    return this.#state !== "pending";
  }

  /**
   * Whether the work ended without an error.
   *
   * @returns `false` if it threw.
   * @throws {ValueError} If it has not ended.
   */
  successful(): boolean {
    if (this.#state === "pending") {
      throw new ValueError(
        "Cannot tell whether the work was successful: it is not ready; await wait() first",
      );
    }
    return this.#state === "done";
  }

  /**
   * As of a Promise, so that a result can be awaited.
   *
   * @param onfulfilled What to do with the value.
   * @param onrejected What to do with the error.
   * @returns What they return.
   */
  then<A = R, B = never>(
    onfulfilled?: ((value: R) => A | PromiseLike<A>) | null,
    onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#settled.then(onfulfilled, onrejected);
  }
}
