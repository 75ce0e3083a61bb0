/**
 * Futures and executors, as in Python's `concurrent.futures`, for Deno.
 *
 * ```ts
 * import { ProcessPoolExecutor } from "@multiprocessing/deno/futures";
 * import { square } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * await using executor = new ProcessPoolExecutor();
 * const futures = [1, 2, 3].map((n) => executor.submit(square, n));
 * assert.deepEqual(await Promise.all(futures), [1, 4, 9]);
 * ```
 *
 * What computes goes to a {@link ProcessPoolExecutor}, what waits to a {@link ThreadPoolExecutor}.
 *
 * @module
 */

export {
  BrokenProcessPool,
  BrokenThreadPool,
  CancelledError,
  InvalidStateError,
  ProcessError,
  RuntimeError,
  TimeoutError,
} from "../base/errors.ts";
export type { WaitOptions } from "../base/options.ts";
export type { StartMethod } from "../process/hub.ts";
export type { WorkerOptions } from "../team/options.ts";
export type { Progress } from "../team/progress.ts";
export type { Percentiles, TeamStats } from "../team/stats.ts";
export { Executor, type Iterables, type IterablesAndOptions, type ShutdownOptions } from "./executor.ts";
export { Future } from "./future.ts";
export { type Items, MapOptions, mapOptions, type MapSettings } from "./_map.ts";
export { ProcessPoolExecutor, type ProcessPoolOptions } from "./process_pool_executor.ts";
export { ThreadPoolExecutor, type ThreadPoolOptions } from "./thread_pool_executor.ts";
export {
  ALL_COMPLETED,
  asCompleted,
  type Completed,
  FIRST_COMPLETED,
  FIRST_EXCEPTION,
  type FuturesWaitOptions,
  type ReturnWhen,
  wait,
} from "./wait.ts";
