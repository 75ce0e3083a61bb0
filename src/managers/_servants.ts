/**
 * Servants: how the server does what a proxy asks, on behalf of the process that asks.
 *
 * Locks, conditions, events, barriers and queues are the library's own, and live in the server: what somebody acquires
 * there is theirs, under the agent that stands for their line, and comes back when that dies. A wait is given up when
 * who asked for it gives up, or is gone.
 */

import { RemoteError } from "../base/errors.ts";
import { waitMs, type WaitOptions } from "../base/options.ts";
import { JoinableQueue } from "../ipc/joinable_queue.ts";
import { coreOf, Queue } from "../ipc/queue.ts";
import { Barrier } from "../sync/barrier.ts";
import { Condition } from "../sync/condition.ts";
import { Event } from "../sync/event.ts";
import { Lock } from "../sync/lock.ts";
import {
  acquireFor,
  type Holder,
  lockOf,
  notifyFor,
  passOn,
  releaseFor,
  waitFor,
} from "../sync/on_behalf.ts";
import { Semaphore } from "../sync/semaphore.ts";
import type { Caller } from "../transport/remote.ts";
import { DictObject, ListObject, SetObject, VALUE } from "./_objects.ts";

/** On whose behalf a servant does something. */
export interface Asker extends Caller {
  /** Aborted when it is gone. */
  readonly gone: AbortSignal;
}

/** Does what proxies ask of one object. */
export interface Servant {
  /** The object. */
  readonly object: unknown;
  /** Calls a method of it. */
  invoke(method: string, args: readonly unknown[], asker: Asker): unknown;
  /** Methods whose answers must arrive, or be undone. */
  readonly undoable?: ReadonlySet<string>;
  /** Takes back what a method did, because its answer never arrived. */
  undo?(method: string, answer: unknown): void;
}

/** What a registered type lets its proxies do. */
export interface Exposure {
  /** The methods that can be called; every public one when left out. */
  readonly exposed?: readonly string[] | undefined;
  /** Of methods whose results stay in the server: which types these are. */
  readonly methodToTypeid?: Readonly<Record<string, string>> | undefined;
}

/** Puts a result into the server and gives a proxy of it. */
export type Share = (typeid: string, object: unknown) => unknown;

type Methods = Readonly<Record<string, (args: readonly unknown[], asker: Asker) => unknown>>;
type AnyObject = Record<string | symbol, unknown>;

/** The servant of an object: one that knows its class, or else one that calls its methods. */
export function servantOf(typeid: string, object: unknown, exposure: Exposure, share: Share): Servant {
  if (typeid === "Iterator") {
    return new TableServant(typeid, object, iteratorMethods(object as Iterator<unknown>));
  }
  if (object instanceof Lock) return new TableServant(typeid, object, lockMethods(object));
  if (object instanceof Condition) return new ConditionServant(typeid, object);
  if (object instanceof Event) return new TableServant(typeid, object, eventMethods(object));
  if (object instanceof Barrier) return new TableServant(typeid, object, barrierMethods(object));
  if (object instanceof Queue) return new QueueServant(typeid, object as Queue);
  if (object instanceof Map) object = new DictObject(object);
  else if (Array.isArray(object)) object = new ListObject(object);
  else if (object instanceof Set) object = new SetObject(object);
  return new ObjectServant(typeid, object as AnyObject, exposure, share);
}

function notExposed(typeid: string, method: string): RemoteError {
  return new RemoteError(
    `Cannot call ${method}() of a shared ${typeid}: it is not among the methods it exposes`,
  );
}

/** The servant of something whose methods are listed here. */
export class TableServant implements Servant {
  readonly object: unknown;
  readonly #typeid: string;
  readonly #methods: Methods;

  constructor(typeid: string, object: unknown, methods: Methods) {
    this.#typeid = typeid;
    this.object = object;
    this.#methods = methods;
  }

  invoke(method: string, args: readonly unknown[], asker: Asker): unknown {
    if (!Object.hasOwn(this.#methods, method)) throw notExposed(this.#typeid, method);
    return this.#methods[method]!(args, asker);
  }
}

type Options = WaitOptions & { readonly task?: number };

// A thread of the one process is not that of another, wherever the lock lives.
function holder({ agent }: Asker, options: unknown): Holder {
  return { agent, task: (options as Options | undefined)?.task ?? 0 };
}

function patient(options: unknown, { signal }: Asker): WaitOptions {
  const { timeout, block } = options as Options | undefined ?? {};
  return { timeout, block, signal };
}

function lockMethods(lock: Lock): Methods {
  const acquire = (options: unknown, asker: Asker) =>
    acquireFor(lock, holder(asker, options), waitMs(options as Options), asker.signal);
  return {
    "#acquire": ([options], asker) => acquire(options, asker),
    acquire: async ([options], asker) => (await acquire(options, asker))[0],
    release: ([options], asker) => releaseFor(lock, holder(asker, options)),
    locked: () => lock.locked(),
    ...(lock instanceof Semaphore && { getValue: () => lock.getValue() }),
  };
}

class ConditionServant extends TableServant {
  readonly undoable = new Set(["wait"]);
  readonly #condition: Condition;

  constructor(typeid: string, condition: Condition) {
    const { acquire, release } = lockMethods(lockOf(condition));
    super(typeid, condition, {
      acquire: acquire!,
      release: release!,
      wait: ([options], asker) => {
        const ms = waitMs(options as Options);
        return waitFor(condition, holder(asker, options), ms, asker.signal, asker.gone);
      },
      notify: ([n, options], asker) => notifyFor(condition, holder(asker, options), n as number ?? 1),
      notifyAll: ([options], asker) => notifyFor(condition, holder(asker, options), 2 ** 30),
    });
    this.#condition = condition;
  }

  undo(_method: string, notified: unknown): void {
    if (notified === true) passOn(this.#condition, 1);
  }
}

function eventMethods(event: Event): Methods {
  return {
    set: () => event.set(),
    clear: () => event.clear(),
    isSet: () => event.isSet(),
    wait: ([options], asker) => event.wait(patient(options, asker)),
  };
}

function barrierMethods(barrier: Barrier): Methods {
  return {
    wait: ([options], asker) => barrier.wait(patient(options, asker)),
    reset: () => barrier.reset(),
    abort: () => barrier.abort(),
    parties: () => barrier.parties,
    nWaiting: () => barrier.nWaiting,
    broken: () => barrier.broken,
  };
}

class QueueServant extends TableServant {
  readonly undoable = new Set(["get", "getNowait"]);
  readonly #queue: Queue;

  constructor(typeid: string, queue: Queue) {
    const put = (item: unknown, options: unknown, asker: Asker) => queue.put(item, patient(options, asker));
    const get = (options: unknown, asker: Asker) => queue.get(patient(options, asker));
    super(typeid, queue, {
      put: ([item, options], asker) => put(item, options, asker),
      putNowait: ([item], asker) => put(item, { block: false }, asker),
      get: ([options], asker) => get(options, asker),
      getNowait: (_, asker) => get({ block: false }, asker),
      qsize: () => queue.qsize(),
      empty: () => queue.empty(),
      full: () => queue.full(),
      shutdown: ([options]) => queue.shutdown(options as { immediate?: boolean }),
      ...(queue instanceof JoinableQueue && {
        taskDone: () => queue.taskDone(),
        join: ([options], asker) => queue.join(patient(options, asker)),
      }),
    });
    this.#queue = queue;
  }

  undo(_method: string, item: unknown): void {
    coreOf(this.#queue).undo!("take", [item]);
  }
}

function iteratorMethods(iterator: Iterator<unknown> | AsyncIterator<unknown>): Methods {
  return {
    next: () => iterator.next(),
    return: () => iterator.return?.() ?? { value: undefined, done: true },
  };
}

/** Calls the methods of an object, those of a user's class for the most part. */
class ObjectServant implements Servant {
  readonly object: AnyObject;
  readonly #typeid: string;
  readonly #exposed: ReadonlySet<string> | undefined;
  readonly #typeids: ReadonlyMap<string, string>;
  readonly #share: Share;

  constructor(typeid: string, object: AnyObject, { exposed, methodToTypeid }: Exposure, share: Share) {
    this.#typeid = typeid;
    this.object = object;
    this.#typeids = new Map(Object.entries(methodToTypeid ?? {}));
    this.#exposed = exposed && new Set([...exposed, ...this.#typeids.keys()]);
    this.#share = share;
  }

  invoke(method: string, args: readonly unknown[], _asker: Asker): unknown {
    const { object } = this;
    if (method === "#value") return VALUE in object ? (object[VALUE] as () => unknown)() : object;
    if (method === "#iterate") return this.#iterate();
    if (!this.#exposes(method)) throw notExposed(this.#typeid, method);
    const result = (object[method] as (...args: unknown[]) => unknown)(...args);
    const typeid = this.#typeids.get(method);
    if (typeid === undefined) return result;
    return isPromise(result)
      ? result.then((result) => this.#share(typeid, result))
      : this.#share(typeid, result);
  }

  #exposes(method: string): boolean {
    const found = isObject(this.object) ? this.object[method] : undefined;
    if (typeof found !== "function") return false;
    if (this.#exposed !== undefined) return this.#exposed.has(method);
    return !method.startsWith("_") && !method.startsWith("#") && method !== "constructor" &&
      found !== (Object.prototype as unknown as AnyObject)[method];
  }

  #iterate(): unknown {
    const { object } = this;
    const makes = isObject(object) ? object[Symbol.asyncIterator] ?? object[Symbol.iterator] : undefined;
    if (typeof makes !== "function" || (this.#exposed !== undefined && !this.#exposed.has("next"))) {
      throw new TypeError(`Cannot iterate over a shared ${this.#typeid}: it yields nothing`);
    }
    return this.#share("Iterator", makes.call(object));
  }
}

function isObject(value: unknown): boolean {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function isPromise(value: unknown): value is Promise<unknown> {
  return isObject(value) && typeof (value as Partial<Promise<unknown>>).then === "function";
}
