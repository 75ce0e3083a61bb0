/** Context: every constructor, bound to one start method. */
import { Connection, Pipe } from "../ipc/connection.ts";
import { JoinableQueue } from "../ipc/joinable_queue.ts";
import { Queue } from "../ipc/queue.ts";
import { SimpleQueue } from "../ipc/simple_queue.ts";
import { Manager, type SyncManager } from "../managers/sync_manager.ts";
import { RawArray, SharedArray } from "../memory/shared_array.ts";
import { RawValue, Value } from "../memory/value.ts";
import { Pool } from "../pool/pool.ts";
import type { StartMethod } from "../process/hub.ts";
import {
  activeChildren,
  cpuCount,
  currentProcess,
  freezeSupport,
  parentProcess,
  Process,
} from "../process/process.ts";
import { checkedMethod, getAllStartMethods, getStartMethod } from "../process/start_method.ts";
import { Barrier } from "../sync/barrier.ts";
import { Condition } from "../sync/condition.ts";
import { Event } from "../sync/event.ts";
import { Lock } from "../sync/lock.ts";
import { RLock } from "../sync/rlock.ts";
import { BoundedSemaphore, Semaphore } from "../sync/semaphore.ts";

/**
 * The library with its start method fixed: its `Process` is always started that way.
 *
 * Python: what {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.get_context | multiprocessing.get_context}
 * returns.
 *
 * @example The same under every start method
 * ```ts
 * import { type Context, getAllStartMethods, getContext } from "@multiprocessing/deno";
 * import { addTo } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * async function roundTrip(mp: Context): Promise<string> {
 *   using queue = new mp.Queue<string>();
 *   await using child = new mp.Process({ target: addTo, args: [queue, "hello"] });
 *   child.start();
 *   await child.join();
 *   return await queue.get();
 * }
 * for (const method of getAllStartMethods()) assert.equal(await roundTrip(getContext(method)), "hello");
 * ```
 */
export interface Context {
  /** The start method, as {@link getContext} was asked for it. */
  readonly name: StartMethod;
  /** See {@link Process}. */
  readonly Process: typeof Process;
  /** See {@link Queue}. */
  readonly Queue: typeof Queue;
  /** See {@link JoinableQueue}. */
  readonly JoinableQueue: typeof JoinableQueue;
  /** See {@link SimpleQueue}. */
  readonly SimpleQueue: typeof SimpleQueue;
  /** See {@link Pipe}. */
  readonly Pipe: typeof Pipe;
  /** See {@link Connection}. */
  readonly Connection: typeof Connection;
  /** See {@link Lock}. */
  readonly Lock: typeof Lock;
  /** See {@link RLock}. */
  readonly RLock: typeof RLock;
  /** See {@link Semaphore}. */
  readonly Semaphore: typeof Semaphore;
  /** See {@link BoundedSemaphore}. */
  readonly BoundedSemaphore: typeof BoundedSemaphore;
  /** See {@link Condition}. */
  readonly Condition: typeof Condition;
  /** See {@link Event}. */
  readonly Event: typeof Event;
  /** See {@link Barrier}. */
  readonly Barrier: typeof Barrier;
  /** See {@link Value}. */
  readonly Value: typeof Value;
  /** See {@link SharedArray}. */
  readonly Array: typeof SharedArray;
  /** See {@link SharedArray}. */
  readonly SharedArray: typeof SharedArray;
  /** See {@link RawValue}. */
  readonly RawValue: typeof RawValue;
  /** See {@link RawArray}. */
  readonly RawArray: typeof RawArray;
  /** See {@link Pool}. */
  readonly Pool: typeof Pool;
  /** See {@link Manager}. */
  Manager(): SyncManager;
  /** See {@link currentProcess}. */
  readonly currentProcess: typeof currentProcess;
  /** See {@link parentProcess}. */
  readonly parentProcess: typeof parentProcess;
  /** See {@link activeChildren}. */
  readonly activeChildren: typeof activeChildren;
  /** See {@link cpuCount}. */
  readonly cpuCount: typeof cpuCount;
  /** See {@link freezeSupport}. */
  readonly freezeSupport: typeof freezeSupport;
  /** The start method of this context. */
  getStartMethod(): StartMethod;
  /** See {@link getAllStartMethods}. */
  readonly getAllStartMethods: typeof getAllStartMethods;
  /** See {@link getContext}. */
  readonly getContext: typeof getContext;
}

class WorkerProcess<A extends unknown[] = unknown[]> extends Process<A> {
  static override readonly startMethod: StartMethod = "worker";
}

class SpawnProcess<A extends unknown[] = unknown[]> extends Process<A> {
  static override readonly startMethod: StartMethod = "spawn";
}

class WorkerPool extends Pool {
  static override readonly startMethod: StartMethod = "worker";
}

class SpawnPool extends Pool {
  static override readonly startMethod: StartMethod = "spawn";
}

const shared = {
  Queue,
  JoinableQueue,
  SimpleQueue,
  Pipe,
  Connection,
  Lock,
  RLock,
  Semaphore,
  BoundedSemaphore,
  Condition,
  Event,
  Barrier,
  Value,
  Array: SharedArray,
  SharedArray,
  RawValue,
  RawArray,
  currentProcess,
  parentProcess,
  activeChildren,
  cpuCount,
  freezeSupport,
  getAllStartMethods,
  getContext,
};

const contexts: Readonly<Record<StartMethod, Context>> = {
  worker: {
    ...shared,
    name: "worker",
    Process: WorkerProcess,
    Pool: WorkerPool,
    Manager: () => Manager({ context: "worker" }),
    getStartMethod: () => "worker",
  },
  spawn: {
    ...shared,
    name: "spawn",
    Process: SpawnProcess,
    Pool: SpawnPool,
    Manager: () => Manager({ context: "spawn" }),
    getStartMethod: () => "spawn",
  },
};

/**
 * The library with its start method fixed.
 *
 * Python: `multiprocessing.get_context`.
 *
 * @param method `"worker"` or `"spawn"`; the current one ({@link setStartMethod}) when left out.
 * @returns The context.
 * @throws {ValueError} If there is no such method.
 *
 * @example An operating-system process
 * ```ts
 * import { getContext } from "@multiprocessing/deno";
 * import { square } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * const mp = getContext("spawn");
 * await using child = new mp.Process({ target: square, args: [3] });
 * child.start();
 * await child.join();
 * assert.equal(child.exitcode, 0);
 * ```
 */
export function getContext(method?: StartMethod): Context {
  return contexts[checkedMethod(method ?? getStartMethod())];
}
