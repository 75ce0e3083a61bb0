/** SyncManager, with all the types of the library, and Manager, which starts one. */

import { wholeNumber } from "../base/options.ts";
import type { Numeric, TypeCode } from "../memory/value.ts";
import type { BarrierOptions } from "../sync/barrier.ts";
import { BaseManager, createIn, launch, type ManagerOptions, registerSyncTypes } from "./base_manager.ts";
import { ConditionProxy } from "./condition_proxy.ts";
import { DictProxy, type Entries, entriesOf } from "./dict_proxy.ts";
import { BarrierProxy, EventProxy } from "./event_proxy.ts";
import { itemsOf, ListProxy } from "./list_proxy.ts";
import { LockProxy, SemaphoreProxy } from "./lock_proxy.ts";
import { NamespaceProxy } from "./namespace_proxy.ts";
import { PoolProxy } from "./pool_proxy.ts";
import { QueueProxy } from "./queue_proxy.ts";
import { membersOf, SetProxy } from "./set_proxy.ts";
import { ArrayProxy, ValueProxy } from "./value_proxy.ts";

/**
 * A manager of dicts, lists, locks, queues and whatever else processes share. {@link Manager} makes one that runs.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.managers.SyncManager | multiprocessing.managers.SyncManager}.
 *
 * @example One that other programs can connect to
 * ```ts
 * import { SyncManager } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * await using manager = new SyncManager({ address: { port: 0 } });
 * await manager.start();
 * assert.ok((manager.address as { port: number }).port > 0);
 * ```
 */
export class SyncManager extends BaseManager {
  /**
   * A dict.
   *
   * @typeParam K What the keys are.
   * @typeParam V What the values are.
   * @param init What is in it at first: a Map, pairs, or an object.
   * @returns A proxy of it.
   * @throws {TypeError} If a key is an object.
   */
  dict<K = string, V = unknown>(init?: Entries<K, V>): DictProxy<K, V> {
    return createIn(this, "dict", init === undefined ? [] : [entriesOf(init)], DictProxy<K, V>);
  }

  /**
   * A list.
   *
   * @typeParam T What the items are.
   * @param init What is in it at first.
   * @returns A proxy of it.
   */
  list<T = unknown>(init?: Iterable<T>): ListProxy<T> {
    return createIn(this, "list", init === undefined ? [] : [itemsOf(init)], ListProxy<T>);
  }

  /**
   * A set.
   *
   * @typeParam T What the members are.
   * @param init What is in it at first.
   * @returns A proxy of it.
   * @throws {TypeError} If a member is an object.
   */
  set<T = unknown>(init?: Iterable<T>): SetProxy<T> {
    return createIn(this, "set", init === undefined ? [] : [membersOf(init)], SetProxy<T>);
  }

  /**
   * An object with attributes.
   *
   * @param init Its attributes at first.
   * @returns A proxy of it.
   */
  Namespace(init?: Record<string, unknown>): NamespaceProxy {
    return createIn(this, "Namespace", init === undefined ? [] : [{ ...init }], NamespaceProxy);
  }

  /**
   * A value.
   *
   * @typeParam T What it is.
   * @param typecode A type code, only for likeness with {@link Value}: the value may be anything that travels.
   * @param value What it is at first.
   * @returns A proxy of it.
   */
  Value<T>(typecode: string, value: T): ValueProxy<T> {
    return createIn(this, "Value", [typecode, value], ValueProxy<T>);
  }

  /**
   * An array of numbers.
   *
   * @typeParam T The type code.
   * @param typecode What kind of numbers: see {@link Views}.
   * @param sizeOrInit How many, all 0 at first; or the numbers themselves.
   * @returns A proxy of it.
   */
  Array<T extends TypeCode>(typecode: T, sizeOrInit: number | Iterable<Numeric>): ArrayProxy<T> {
    const init = typeof sizeOrInit === "number" ? sizeOrInit : itemsOf(sizeOrInit);
    return createIn(this, "Array", [typecode, init], ArrayProxy<T>);
  }

  /** A lock. */
  Lock(): LockProxy {
    return createIn(this, "Lock", [], LockProxy);
  }

  /** A lock that its holder may acquire again. */
  RLock(): LockProxy {
    return createIn(this, "RLock", [], LockProxy);
  }

  /**
   * A semaphore.
   *
   * @param value How many permits it has at first; 1 when left out.
   * @returns A proxy of it.
   * @throws {ValueError} If `value` is not a whole number of at least 0.
   */
  Semaphore(value: number = 1): SemaphoreProxy {
    return createIn(this, "Semaphore", [permits(value)], SemaphoreProxy);
  }

  /**
   * A semaphore that refuses to be released more often than it was acquired.
   *
   * @param value How many permits it has, at most and at first; 1 when left out.
   * @returns A proxy of it.
   * @throws {ValueError} If `value` is not a whole number of at least 0.
   */
  BoundedSemaphore(value: number = 1): SemaphoreProxy {
    return createIn(this, "BoundedSemaphore", [permits(value)], SemaphoreProxy);
  }

  /**
   * A condition.
   *
   * @param lock The lock to use, of the same manager; an RLock of its own when left out.
   * @returns A proxy of it.
   */
  Condition(lock?: LockProxy): ConditionProxy {
    return createIn(this, "Condition", lock === undefined ? [] : [lock], ConditionProxy);
  }

  /** An event that is not set. */
  Event(): EventProxy {
    return createIn(this, "Event", [], EventProxy);
  }

  /**
   * A barrier.
   *
   * @param parties How many have to come.
   * @param options An action, which the server calls and imports for that: an exported function named by {@link ref}; and
   * a timeout for every wait.
   * @returns A proxy of it.
   * @throws {ValueError} If `parties` is not a whole number of at least 1.
   */
  Barrier(parties: number, options?: BarrierOptions): BarrierProxy {
    const args = [
      wholeNumber("parties of a barrier", parties, 1),
      ...(options === undefined ? [] : [options]),
    ];
    return createIn(this, "Barrier", args, BarrierProxy);
  }

  /**
   * A queue.
   *
   * @typeParam T What the items are.
   * @param maxsize The most items it may hold; without limit when left out or 0.
   * @returns A proxy of it.
   * @throws {ValueError} If `maxsize` is not a whole number of at least 0.
   */
  Queue<T = unknown>(maxsize: number = 0): QueueProxy<T> {
    return createIn(this, "Queue", [room(maxsize)], QueueProxy<T>);
  }

  /**
   * A queue that can be joined; the same as {@link SyncManager.Queue}, as in Python.
   *
   * @typeParam T What the items are.
   * @param maxsize The most items it may hold; without limit when left out or 0.
   * @returns A proxy of it.
   * @throws {ValueError} If `maxsize` is not a whole number of at least 0.
   */
  JoinableQueue<T = unknown>(maxsize: number = 0): QueueProxy<T> {
    return createIn(this, "JoinableQueue", [room(maxsize)], QueueProxy<T>);
  }

  /**
   * A pool of workers.
   *
   * @param processes How many there may be, as many as there are processors when left out; or how many calls each takes
   * before it is replaced, too.
   * @returns A proxy of it.
   * @throws {ValueError} If one of the numbers is not a whole one of at least 1.
   */
  Pool(processes?: number | { processes?: number; maxTasksPerChild?: number }): PoolProxy {
    const { processes: most, maxTasksPerChild } = typeof processes === "object" ? processes : { processes };
    const options = {
      ...(most !== undefined && { processes: wholeNumber("number of processes", most, 1) }),
      ...(maxTasksPerChild !== undefined &&
        { maxTasksPerChild: wholeNumber("maxTasksPerChild", maxTasksPerChild, 1) }),
    };
    return createIn(this, "Pool", [options], PoolProxy);
  }
}

registerSyncTypes(SyncManager);

function permits(value: number): number {
  return wholeNumber("value of a semaphore", value, 0);
}

function room(maxsize: number): number {
  return wholeNumber("maxsize of a queue", maxsize, 0);
}

/**
 * Starts a manager for this program: a process that owns dicts, lists, locks and more, and proxies of them for every
 * process.
 *
 * It returns at once; what is asked meanwhile is done as soon as the server runs. The manager listens nowhere, unless it
 * is given an `address`: give {@link SyncManager} one for other programs to connect to.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.Manager | multiprocessing.Manager}.
 *
 * @param options How the server's process is started, and more.
 * @returns The manager, started. It ends with the program; `await using` ends it before.
 * @throws {AssertionError} In a daemonic process, which may have no children.
 *
 * @example
 * ```ts
 * import { Manager } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * await using manager = Manager();
 * const stock = manager.dict({ bread: 3 });
 * const log = manager.list<string>();
 * await stock.increment("bread", -1);
 * await log.append("sold bread");
 * assert.equal(await stock.get("bread"), 2);
 * ```
 */
export function Manager(options?: ManagerOptions): SyncManager {
  const manager = new SyncManager(options);
  launch(manager, false);
  return manager;
}
