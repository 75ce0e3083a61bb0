/** What pools and executors let their users say about their workers, and how it is checked. */

import { ValueError } from "../base/errors.ts";
import { wholeNumber } from "../base/options.ts";
import type { StartMethod } from "../process/hub.ts";
import { checkedMethod, getStartMethod } from "../process/start_method.ts";
import type { Callable } from "../process/target.ts";

/** What can be said of the workers of a pool or an executor. */
export interface WorkerOptions {
  /** An exported function that each worker calls before anything else. */
  // deno-lint-ignore no-explicit-any -- what it takes is what `initargs` holds
  initializer?: ((...args: any[]) => unknown) | undefined;
  /** What it is called with. */
  initargs?: readonly unknown[] | undefined;
  /** After so many calls (a chunk of items is one) a worker is replaced by another; never when left out. */
  maxTasksPerChild?: number | undefined;
  /** What the workers may do: start method `"spawn"` only. */
  permissions?: Deno.PermissionOptions | undefined;
  /** How large the heap of each worker may become, in MiB. One that needs more ends, as if it had been killed. */
  maxMemoryMb?: number | undefined;
  /** How many idle workers are kept; all when left out. */
  minWorkers?: number | undefined;
  /** How long one above that is kept, in milliseconds; 60 000 when left out. */
  idleTimeout?: number | undefined;
}

/** Checks what was said of the workers. */
export function checkedWorkers(options: WorkerOptions, max: number): {
  initializer: Callable | undefined;
  initargs: readonly unknown[];
  maxTasksPerChild: number | undefined;
  permissions: Deno.PermissionOptions | undefined;
  maxMemoryMb: number | undefined;
  keep: number;
  idleMs: number;
} {
  const { initializer, initargs = [], maxTasksPerChild, permissions, maxMemoryMb } = options;
  if (initializer !== undefined && typeof initializer !== "function") {
    throw new TypeError(`initializer must be a callable, and is ${typeof initializer}`);
  }
  if (maxTasksPerChild !== undefined) wholeNumber("maxTasksPerChild", maxTasksPerChild, 1);
  if (maxMemoryMb !== undefined) wholeNumber("maxMemoryMb", maxMemoryMb, 1);
  const keep = wholeNumber("minWorkers", options.minWorkers ?? max, 0);
  const idleMs = options.idleTimeout ?? 60_000;
  if (!(idleMs >= 0)) {
    throw new ValueError(`Cannot use ${idleMs} as idleTimeout: it must be 0 or more milliseconds`);
  }
  return { initializer, initargs: [...initargs], maxTasksPerChild, permissions, maxMemoryMb, keep, idleMs };
}

/** The start method that was asked for by a context or its name; the default when nothing was said. */
export function methodOf(context: { readonly name: string } | StartMethod | undefined): StartMethod {
  if (context === undefined) return getStartMethod();
  return checkedMethod(typeof context === "string" ? context : context.name);
}
