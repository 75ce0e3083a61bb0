/**
 * Processes, as in Python's `multiprocessing`, for Deno.
 *
 * ```ts
 * import { Process, Queue } from "@multiprocessing/deno";
 * import { addTo } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * using queue = new Queue<string>();
 * await using child = new Process({ target: addTo, args: [queue, "hello"] });
 * child.start();
 * assert.equal(await queue.get(), "hello");
 * await child.join();
 * ```
 *
 * @module
 */

export {
  AssertionError,
  AuthenticationError,
  BrokenBarrierError,
  BrokenPipeError,
  BrokenProcessPool,
  BrokenThreadPool,
  BufferTooShort,
  CancelledError,
  Empty,
  EOFError,
  Full,
  InvalidStateError,
  OSError,
  PicklingError,
  ProcessError,
  RemoteError,
  RemoteTraceback,
  RuntimeError,
  ShutDown,
  TimeoutError,
  ValueError,
} from "./src/base/errors.ts";
export type { WaitOptions } from "./src/base/options.ts";
export { type Context, getContext } from "./src/context/context.ts";
export { Connection, Pipe, type SendOptions } from "./src/ipc/connection.ts";
export { Client, type ClientOptions } from "./src/ipc/client.ts";
export { JoinableQueue } from "./src/ipc/joinable_queue.ts";
export { type Address, Listener, type ListenerOptions, type SocketOptions } from "./src/ipc/listener.ts";
export { type PutOptions, Queue } from "./src/ipc/queue.ts";
export type { SocketAddress } from "./src/platform/stream.ts";
export { SimpleQueue } from "./src/ipc/simple_queue.ts";
export { type Sentinel, wait, type Waitable } from "./src/ipc/wait.ts";
export { AutoProxy, type Maker, type ProxyOf } from "./src/managers/auto_proxy.ts";
export {
  BaseManager,
  type ManagerOptions,
  type RegisterOptions,
  type StartOptions,
} from "./src/managers/base_manager.ts";
export { ConditionProxy } from "./src/managers/condition_proxy.ts";
export { DictProxy, type Entries } from "./src/managers/dict_proxy.ts";
export { BarrierProxy, EventProxy } from "./src/managers/event_proxy.ts";
export { IteratorProxy } from "./src/managers/iterator_proxy.ts";
export { ListProxy } from "./src/managers/list_proxy.ts";
export { type Guard, LockProxy, SemaphoreProxy } from "./src/managers/lock_proxy.ts";
export { ManagerServer } from "./src/managers/manager_server.ts";
export { NamespaceProxy } from "./src/managers/namespace_proxy.ts";
export { PoolProxy, type PoolProxyMapOptions } from "./src/managers/pool_proxy.ts";
export { BaseProxy, type Count, type ProxyClass } from "./src/managers/proxy.ts";
export { QueueProxy } from "./src/managers/queue_proxy.ts";
export { SetProxy } from "./src/managers/set_proxy.ts";
export { Manager, SyncManager } from "./src/managers/sync_manager.ts";
export { ArrayProxy, ValueProxy } from "./src/managers/value_proxy.ts";
export { type ShareableItem, ShareableList, type ShareableListOptions } from "./src/memory/shareable_list.ts";
export { RawArray, SharedArray, SharedArray as Array } from "./src/memory/shared_array.ts";
export { SharedMemory, type SharedMemoryOptions } from "./src/memory/shared_memory.ts";
export {
  type BigCode,
  type Element,
  type MemoryOptions,
  type NumberCode,
  type Numeric,
  RawValue,
  type TypeCode,
  Value,
  type Views,
} from "./src/memory/value.ts";
export { AsyncResult } from "./src/pool/async_result.ts";
export {
  type ApplyOptions,
  type CallOptions,
  type ImapIterator,
  type ImapOptions,
  type Items,
  type MapOptions,
  Pool,
  type PoolOptions,
  type Progress,
} from "./src/pool/pool.ts";
export { setSpareWorkers, type StartMethod } from "./src/process/hub.ts";
export {
  activeChildren,
  cpuCount,
  currentProcess,
  exit,
  freezeSupport,
  getpid,
  getppid,
  parentProcess,
  Process,
  type ProcessOptions,
} from "./src/process/process.ts";
export { type Reduction, register } from "./src/process/register.ts";
export { getAllStartMethods, getStartMethod, setStartMethod } from "./src/process/start_method.ts";
export { ref, type Target } from "./src/process/target.ts";
export type { WorkerOptions } from "./src/team/options.ts";
export type { Percentiles, TeamStats } from "./src/team/stats.ts";
export { Barrier, type BarrierOptions } from "./src/sync/barrier.ts";
export { Condition } from "./src/sync/condition.ts";
export { Event } from "./src/sync/event.ts";
export { Lock } from "./src/sync/lock.ts";
export { RLock } from "./src/sync/rlock.ts";
export { BoundedSemaphore, Semaphore } from "./src/sync/semaphore.ts";
