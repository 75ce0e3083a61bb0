/** ProcessPoolExecutor: calls that run in worker processes. */

import { BrokenProcessPool, RuntimeError, ValueError } from "../base/errors.ts";
import { cores } from "../platform/runtime.ts";
import type { StartMethod } from "../process/hub.ts";
import type { CallKind } from "../team/calls.ts";
import { Dispatcher } from "../team/dispatcher.ts";
import { checkedWorkers, methodOf, type WorkerOptions } from "../team/options.ts";
import type { TeamStats } from "../team/stats.ts";
import { Executor, type ShutdownOptions } from "./executor.ts";
import { begin, fail, Future, onCancel, succeed } from "./future.ts";

/** What a {@link ProcessPoolExecutor} is. */
export interface ProcessPoolOptions extends WorkerOptions {
  /** How many workers there may be; as many as there are processors when left out. */
  maxWorkers?: number | undefined;
  /** How workers are started: a context, or the name of a start method; the default when left out. */
  mpContext?: { readonly name: string } | StartMethod | undefined;
}

/**
 * Runs calls in worker processes.
 *
 * - Workers are started when there is work for them, up to `maxWorkers`, and kept.
 * - Every future settles. If a worker dies, all unsettled ones fail with a {@link BrokenProcessPool} that says which
 *   worker died, how, and what it was running; so does every later `submit`. That is Python's rule: a `Pool` goes on.
 * - What the function throws arrives with its class, message and properties; its stack over there is the `cause`.
 * - Calls that were not settled keep the program up; idle workers do not.
 *
 * Functions are exported ones, passed as themselves; see `Process`. They may be async; a worker runs one call at a time.
 *
 * Python: {@link https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.ProcessPoolExecutor | concurrent.futures.ProcessPoolExecutor}.
 * Here a call can be cancelled until a worker begins it, since none is handed out ahead for good.
 *
 * @example Squares
 * ```ts
 * import { ProcessPoolExecutor } from "@multiprocessing/deno/futures";
 * import { square } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * await using executor = new ProcessPoolExecutor(2);
 * assert.equal(await executor.submit(square, 3).result(), 9);
 * assert.deepEqual(await Array.fromAsync(executor.map(square, [1, 2, 3])), [1, 4, 9]);
 * ```
 */
export class ProcessPoolExecutor extends Executor {
  readonly #dispatcher: Dispatcher;
  /** After shutdown: settles when every worker is gone. */
  #gone: Promise<void> | undefined;
  /** Whether the workers were ended by us. */
  #ended = false;

  /**
   * Makes an executor.
   *
   * @param maxWorkers How many workers there may be, or everything that can be said of them.
   * @throws {ValueError} If a number is out of range.
   */
  constructor(maxWorkers?: number | ProcessPoolOptions) {
    super();
    const options = typeof maxWorkers === "object" ? maxWorkers : { maxWorkers };
    const max = options.maxWorkers ?? cores();
    if (!Number.isInteger(max) || max < 1) {
      throw new ValueError(`max_workers must be greater than 0, and is ${max}`);
    }
    const startMethod = methodOf(options.mpContext);
    this.#dispatcher = new Dispatcher({
      ...checkedWorkers(options, max),
      name: startMethod === "spawn" ? "SpawnProcess" : "WorkerProcess",
      startMethod,
      max,
      parental: true,
      fragile: true,
      mourn: ({ message, worker, pid, exitcode, running }) =>
        Object.assign(new BrokenProcessPool(message), { worker, pid, exitcode, running }),
    });
  }

  /**
   * Has a function called in a worker.
   *
   * @param fn An exported function.
   * @param args What to call it with.
   * @returns What will come of it. What cannot travel fails it with a `PicklingError`, and so does a function that no
   * module exports, unless that can be told at once.
   * @throws {RuntimeError} After {@link ProcessPoolExecutor.shutdown}.
   * @throws {BrokenProcessPool} After a worker has died.
   * @throws {PicklingError} For a bound or native function, which no module exports.
   * @throws {TypeError} If `fn` is no function.
   */
  submit<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Future<Awaited<R>> {
    return this.#submit(fn as never, "call", args) as Future<Awaited<R>>;
  }

  /**
   * Takes no more calls, and lets the workers go once those there are have ended. A worker goes after the children it has,
   * as any process does.
   *
   * @param options Whether to wait for that, and whether to cancel what has not begun.
   * @returns Settles when every worker is gone; at once with `wait: false`.
   */
  async shutdown(options: ShutdownOptions = {}): Promise<void> {
    const { wait = true, cancelFutures = false } = options;
    this.#gone ??= this.#dispatcher.close();
    if (cancelFutures) this.#dispatcher.cancelQueued();
    if (wait) await this.#gone;
  }

  /**
   * Shuts down without waiting: ends every worker at once (exit code −15), fails what they were at with a
   * {@link BrokenProcessPool}, and cancels the other calls.
   *
   * Python: `ProcessPoolExecutor.terminate_workers` (3.14).
   *
   * @example A call that never ends
   * ```ts
   * import { BrokenProcessPool, ProcessPoolExecutor } from "@multiprocessing/deno/futures";
   * import { spin } from "examples/targets.ts";
   * import assert from "node:assert/strict";
   *
   * await using executor = new ProcessPoolExecutor(1);
   * const [running, waiting] = [executor.submit(spin), executor.submit(spin)];
   * while (!running.running()) await new Promise((turn) => setTimeout(turn, 1));
   * executor.terminateWorkers();
   * await assert.rejects(running.result(), BrokenProcessPool);
   * assert.equal(waiting.cancelled(), true);
   * ```
   */
  terminateWorkers(): void {
    this.#end("terminate");
  }

  /**
   * Like {@link ProcessPoolExecutor.terminateWorkers}, with exit code −9.
   *
   * Python: `ProcessPoolExecutor.kill_workers` (3.14).
   */
  killWorkers(): void {
    this.#end("kill");
  }

  /**
   * What the executor has done and is doing. Python has no counterpart.
   *
   * @returns Numbers of workers and calls, and how long calls waited and ran, in milliseconds.
   *
   * @example
   * ```ts
   * import { ProcessPoolExecutor } from "@multiprocessing/deno/futures";
   * import { square } from "examples/targets.ts";
   * import assert from "node:assert/strict";
   *
   * await using executor = new ProcessPoolExecutor(2);
   * await executor.submit(square, 3);
   * const { size, done, queued } = executor.stats();
   * assert.deepEqual({ size, done, queued }, { size: 1, done: 1, queued: 0 });
   * ```
   */
  stats(): TeamStats {
    return this.#dispatcher.stats();
  }

  /** For {@link Executor.map}. */
  protected override submitChunk(fn: (...args: unknown[]) => unknown, chunk: unknown[][]): Future<unknown[]> {
    return this.#submit(fn, "starmap", chunk) as Future<unknown[]>;
  }

  #submit(fn: (...args: unknown[]) => unknown, kind: CallKind, args: unknown[]): Future<unknown> {
    const { broken } = this.#dispatcher;
    if (broken !== undefined && !this.#ended) throw unusable(broken);
    if (this.#gone !== undefined) throw new RuntimeError("cannot schedule new futures after shutdown");
    const future = new Future<unknown>();
    const task = this.#dispatcher.submit({
      fn,
      kind,
      args,
      started: () => begin(future),
      done: (value) => succeed(future, value),
      failed: (error) => fail(future, error),
      cancel: () => void future.cancel(),
    });
    onCancel(future, () => this.#dispatcher.withdraw(task));
    return future;
  }

  #end(how: "terminate" | "kill"): void {
    this.#ended = this.#dispatcher.broken === undefined;
    this.#gone ??= this.#dispatcher.close();
    this.#dispatcher.cancelQueued();
    this.#dispatcher.terminate(
      new BrokenProcessPool(`Cannot finish the call: ${how}Workers() was called`),
      how,
    );
  }
}

function unusable(broken: Error): BrokenProcessPool {
  const message =
    `A child process terminated abruptly, the process pool is not usable anymore: ${broken.message}`;
  return Object.assign(new BrokenProcessPool(message, { cause: broken }), { ...broken });
}
