/**
 * `node:worker_threads`, loaded when it is first needed: that costs 18 ms, which a `"spawn"` child and a program
 * that starts nothing need not pay.
 */

type WorkerThreads = typeof import("node:worker_threads");

let loaded: WorkerThreads | undefined;

/** The module. */
export function threads(): WorkerThreads {
  const { process } = globalThis as unknown as { process: { getBuiltinModule(name: string): WorkerThreads } };
  return loaded ??= process.getBuiltinModule("node:worker_threads");
}
