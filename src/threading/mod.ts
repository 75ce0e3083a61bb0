/**
 * Threads, as in Python's `threading`: cooperative tasks of one process, which share its memory.
 *
 * ```ts
 * import { currentThread, Lock, Thread } from "@multiprocessing/deno/threading";
 * import assert from "node:assert/strict";
 *
 * const lock = new Lock();
 * const names: string[] = [];
 * const work = async () => {
 *   using _ = await lock.guard();
 *   names.push(currentThread().name);
 * };
 * const threads = [new Thread({ target: work }), new Thread({ target: work })];
 * for (const thread of threads) thread.start();
 * for (const thread of threads) await thread.join();
 * assert.deepEqual(names, ["Thread-1 (work)", "Thread-2 (work)"]);
 * ```
 *
 * A thread here is for what waits: for the network, for other processes, for each other. What computes belongs into a
 * `Process` of `@multiprocessing/deno`, which has a core to itself.
 *
 * There is no `settrace`, `setprofile` or `stack_size`: JavaScript has no such hooks.
 *
 * @module
 */

export { BrokenBarrierError } from "../base/errors.ts";
export type { WaitOptions } from "../base/options.ts";
export { Barrier } from "./barrier.ts";
export type { BarrierOptions } from "../sync/barrier.ts";
export { Condition } from "./condition.ts";
export { Event } from "./event.ts";
export { type ExceptHook, excepthook, type ExceptHookArgs, setExcepthook } from "./excepthook.ts";
export { local, type LocalConstructor } from "./local.ts";
export { Lock } from "./lock.ts";
export { RLock } from "./rlock.ts";
export { BoundedSemaphore, Semaphore } from "./semaphore.ts";
export {
  activeCount,
  currentThread,
  enumerate,
  getIdent,
  getNativeId,
  mainThread,
  Thread,
  type ThreadOptions,
} from "./thread.ts";
export { Timer } from "./timer.ts";
