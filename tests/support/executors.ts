/**
 * The executors a contract suite runs for: processes by each start method, and threads.
 *
 * @module
 */
import type { Context } from "@multiprocessing/deno";
import {
  type Executor,
  ProcessPoolExecutor,
  type ProcessPoolOptions,
  ThreadPoolExecutor,
} from "@multiprocessing/deno/futures";
import { contexts, test } from "./contexts.ts";

/** One kind of executor. */
export interface Kind {
  /** `worker`, `spawn` or `thread`. */
  readonly name: string;
  /** The library, for what the test shares with its calls. */
  readonly mp: Context;
  /** Makes one. */
  make(options?: CommonOptions): Executor;
}

/** What every executor can be told. */
export type CommonOptions = Pick<ProcessPoolOptions, "maxWorkers" | "initializer" | "initargs">;

/** Both executors, that of processes once for each start method. */
export function kinds(): Kind[] {
  return [
    ...contexts().map((mp): Kind => ({
      name: mp.name,
      mp,
      make: (options) => new ProcessPoolExecutor({ ...options, mpContext: mp }),
    })),
    { name: "thread", mp: contexts()[0]!, make: (options) => new ThreadPoolExecutor(options) },
  ];
}

/** A test of one kind of executor, as {@link test} is of a start method. */
export function testKind(kind: Kind, name: string, body: () => Promise<void> | void): void {
  test({ name: kind.name }, name, body);
}
