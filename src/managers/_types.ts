/** The types that every server of a SyncManager can make, and the proxies that stand for them. */

import { ValueError } from "../base/errors.ts";
import { JoinableQueue } from "../ipc/joinable_queue.ts";
import type { Numeric, TypeCode } from "../memory/value.ts";
import { Pool, type PoolOptions } from "../pool/pool.ts";
import type { Callable } from "../process/target.ts";
import { Barrier, type BarrierOptions } from "../sync/barrier.ts";
import { Condition } from "../sync/condition.ts";
import { Event } from "../sync/event.ts";
import { Lock } from "../sync/lock.ts";
import { RLock } from "../sync/rlock.ts";
import { BoundedSemaphore, Semaphore } from "../sync/semaphore.ts";
import { ArrayObject, DictObject, ListObject, NamespaceObject, SetObject, ValueObject } from "./_objects.ts";
import type { Exposure } from "./_servant.ts";
import { ConditionProxy } from "./condition_proxy.ts";
import { DictProxy } from "./dict_proxy.ts";
import { BarrierProxy, EventProxy } from "./event_proxy.ts";
import { IteratorProxy } from "./iterator_proxy.ts";
import { ListProxy } from "./list_proxy.ts";
import { LockProxy, SemaphoreProxy } from "./lock_proxy.ts";
import { NamespaceProxy } from "./namespace_proxy.ts";
import { PoolProxy } from "./pool_proxy.ts";
import type { ProxyClass } from "./proxy.ts";
import { QueueProxy } from "./queue_proxy.ts";
import { SetProxy } from "./set_proxy.ts";
import { ArrayProxy, ValueProxy } from "./value_proxy.ts";

/** A type, as a server knows it. */
export interface Type extends Exposure {
  /** Makes an object, or a promise of it. */
  make(args: readonly unknown[]): unknown;
  /** Whether proxies among the arguments that stand for what is in the server are what they stand for. */
  readonly unwraps?: boolean;
  /** What stands for it elsewhere. */
  readonly Proxy: ProxyClass;
}

const type = <A extends unknown[]>(Proxy: ProxyClass, make: (...args: A) => unknown): Type => ({
  Proxy,
  make: (args) => make(...args as A),
});

/** The types of a {@link SyncManager}. */
export const SYNC_TYPES: Readonly<Record<string, Type>> = {
  dict: type(DictProxy, (entries?: Map<unknown, unknown>) => new DictObject(entries)),
  list: type(ListProxy, (items?: unknown[]) => new ListObject(items)),
  set: type(SetProxy, (members?: unknown[]) => new SetObject(members)),
  Namespace: type(NamespaceProxy, (attributes?: Record<string, unknown>) => new NamespaceObject(attributes)),
  Value: type(ValueProxy, (typecode: unknown, value: unknown) => new ValueObject(typecode, value)),
  Array: type(ArrayProxy, (typecode: TypeCode, init: number | Numeric[]) => new ArrayObject(typecode, init)),
  Lock: type(LockProxy, () => new Lock()),
  RLock: type(LockProxy, () => new RLock()),
  Semaphore: type(SemaphoreProxy, (value?: number) => new Semaphore(value)),
  BoundedSemaphore: type(SemaphoreProxy, (value?: number) => new BoundedSemaphore(value)),
  Condition: { ...type(ConditionProxy, (lock?: Lock) => new Condition(lock)), unwraps: true },
  Event: type(EventProxy, () => new Event()),
  Barrier: type(BarrierProxy, (parties: number, options?: BarrierOptions) => new Barrier(parties, options)),
  Pool: type(PoolProxy, (processes?: number | PoolOptions) => new Pool(processes)),
  Queue: type(QueueProxy, (maxsize?: number) => new JoinableQueue(maxsize)),
  JoinableQueue: type(QueueProxy, (maxsize?: number) => new JoinableQueue(maxsize)),
};

/** How a registered type is made: by its class or function, or else it is the one thing that is given. */
export function makerOf(typeid: string, callable: Callable | undefined): Type["make"] {
  if (callable === undefined) {
    return (args) => {
      if (args.length === 1) return args[0];
      throw new ValueError(
        `Cannot make a shared ${typeid} of ${args.length} arguments: without a callable there must be one, the object`,
      );
    };
  }
  const isClass = /^class\b/.test(Function.prototype.toString.call(callable));
  return (args) => isClass ? Reflect.construct(callable, args) : Reflect.apply(callable, undefined, args);
}

/** What objects of any type can be asked to yield from. */
export const ITERATOR: Type = {
  Proxy: IteratorProxy,
  make() {
    throw new TypeError("Cannot create an Iterator: iterate over a shared object");
  },
};
