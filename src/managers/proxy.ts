/**
 * Proxies: how an object in the server of a manager is used from anywhere.
 *
 * A proxy is a number on this process's line to the server. Sent to another process it is lent: the server keeps the
 * object until whoever gets the proxy has claimed it under a number of its own line.
 */

import { PicklingError, ValueError } from "../base/errors.ts";
import type { WaitOptions } from "../base/options.ts";
import { waitMs } from "../base/options.ts";
import { interruptible } from "../platform/task.ts";
import { arrive, arriving } from "../transport/arriving.ts";
import { DISCARDED } from "../transport/lane.ts";
import { type PackContext, travels, type UnpackContext } from "../transport/registry.ts";
import { Link } from "../transport/remote.ts";
import { type Arrival, type Door, PipeDoor } from "./_door.ts";
import { goesWithin, type Line, lineTo } from "./_line.ts";

export type { Count } from "./_count.ts";

/** What a proxy stands for. */
export interface Referent {
  /** This process's line to the server. */
  readonly line: Line;
  /** The object's number there. */
  readonly object: number;
  /** The name of its type. */
  readonly typeid: string;
  /** Whether the proxy was released. */
  released?: boolean;
}

/** What each proxy stands for, however it is wrapped. */
const referents = new WeakMap<object, Referent>();

/** The last proxy of an object is gone from here when nobody can reach it any more. */
const unreachable = new FinalizationRegistry<Referent>(release);

function release(referent: Referent): void {
  if (referent.released) return;
  referent.released = true;
  referent.line.drop(referent.object);
}

/** What a proxy stands for. */
export function referentOf(proxy: BaseProxy): Referent {
  return referents.get(proxy)!;
}

/** Lets a wrapper stand for what a proxy does. */
export function wrapped<P extends BaseProxy>(proxy: P, wrapper: P): P {
  referents.set(wrapper, referents.get(proxy)!);
  return wrapper;
}

/** Calls a method of the object that a proxy stands for. What cannot be sent is refused before this returns. */
function ask(
  proxy: BaseProxy,
  method: string,
  args: readonly unknown[],
  signal?: AbortSignal,
): Promise<unknown> {
  const { line, object, typeid, released } = referents.get(proxy)!;
  if (released) throw new ValueError(`Cannot call ${method}() of a shared ${typeid}: its proxy was released`);
  return line.request(object, method, args, signal);
}

/** Calls a method of the object that a proxy stands for. */
export function call<R>(
  proxy: BaseProxy,
  method: string,
  args: readonly unknown[] = [],
  signal?: AbortSignal,
): Promise<R> {
  try {
    return ask(proxy, method, args, signal) as Promise<R>;
  } catch (error) {
    return Promise.reject(error);
  }
}

/** As {@link call}, for an assignment, which nobody can await: that it failed in the server is an uncaught error. */
export function assign(proxy: BaseProxy, method: string, args: readonly unknown[]): void {
  void ask(proxy, method, args);
}

/** As {@link call}, for a method that waits: its last argument says for how long. */
export function callWaiting<R>(
  proxy: BaseProxy,
  method: string,
  args: readonly unknown[],
  options: WaitOptions | undefined,
  extra?: Record<string, unknown>,
): Promise<R> {
  try {
    waitMs(options);
  } catch (error) {
    return Promise.reject(error);
  }
  return interruptible(options, (options) => {
    const { signal, ...rest } = options ?? {};
    return call<R>(proxy, method, [...args, { ...rest, ...extra }], signal);
  });
}

/**
 * What all proxies have in common.
 *
 * - A proxy may be passed in arguments, put on queues, sent over connections and stored in managed objects, its own
 *   manager's and others'; it arrives as a proxy of the same object.
 * - The object lives as long as any process has a proxy of it, a managed object holds one, or one is on its way. A
 *   proxy counts until it is garbage, or released: `using list = manager.list()`. A process that ends gives up all of
 *   its proxies. One that was sent and is never received keeps its object until the manager ends.
 * - What proxies are asked is done in the order in which this process asked it, awaited or not.
 * - When the manager is gone every call, waiting or new, rejects with an {@link EOFError} that says so.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.managers.BaseProxy | multiprocessing.managers.BaseProxy}.
 * There an object is gone if the process that sent its proxy ends before the other one has it.
 *
 * @example Nested: what a dict holds is shared, too
 * ```ts
 * import { type ListProxy, Manager } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * await using manager = Manager();
 * const baskets = manager.dict<string, ListProxy<string>>();
 * await baskets.set("egon", manager.list(["bread"]));
 * const basket = await baskets.get("egon");
 * await basket!.append("milk");
 * assert.deepEqual(await (await baskets.get("egon"))!.copy(), ["bread", "milk"]);
 * ```
 */
export abstract class BaseProxy implements Disposable {
  /** Proxies are made by managers. */
  constructor() {
    const referent = arriving<Referent>();
    if (referent === undefined) {
      throw new ValueError("Cannot construct a proxy by itself; ask a manager for the object");
    }
    referents.set(this, referent);
    unreachable.register(this, referent, this);
  }

  /**
   * Calls a method of the object by its name.
   *
   * Python: `BaseProxy._callmethod`.
   *
   * @typeParam R What the method returns.
   * @param method Its name.
   * @param args What to call it with.
   * @returns What it returned.
   * @throws {RemoteError} If the object does not expose such a method. Whatever the method throws comes as it is, with
   * its stack in the server as `cause`.
   */
  _callmethod<R = unknown>(method: string, args: readonly unknown[] = []): Promise<R> {
    return call<R>(this, method, args);
  }

  /**
   * A copy of the object.
   *
   * Python: `BaseProxy._getvalue`.
   *
   * @typeParam R What the object is.
   * @returns The copy.
   * @throws {PicklingError} If the object cannot travel.
   */
  _getvalue<R = unknown>(): Promise<R> {
    return call<R>(this, "#value");
  }

  /** Gives the proxy up. The object lives on while anybody else has one. */
  [Symbol.dispose](): void {
    const referent = referents.get(this)!;
    unreachable.unregister(this);
    release(referent);
  }

  /** Which kind of proxy this is, and the type of what it stands for. */
  toString(): string {
    return `<${this.constructor.name} object, typeid "${referents.get(this)!.typeid}">`;
  }
}

/** A class of proxies. */
export type ProxyClass<P extends BaseProxy = BaseProxy> = new () => P;

const byKind = new Map<string, ProxyClass>();
const kinds = new Map<unknown, string>();

/** Lets a class of proxies travel. `kind`: the word that stands for it in messages. */
export function proxyTravels(Class: ProxyClass, kind: string): void {
  byKind.set(kind, Class);
  kinds.set(Class.prototype, kind);
}

/** The class of proxies that a kind names. */
export function proxyClass(kind: string): ProxyClass {
  const Class = byKind.get(kind);
  if (Class === undefined) {
    throw new PicklingError(`Cannot receive a proxy: nobody here knows the kind "${kind}"`);
  }
  return Class;
}

/** The word that stands for a class of proxies; nothing for one that does not travel. */
export function kindOf(Class: ProxyClass): string | undefined {
  return kinds.get(Class.prototype);
}

/** A proxy of an object. */
export function newProxy<P extends BaseProxy>(Class: ProxyClass<P>, referent: Referent): P {
  return arrive(Class, referent);
}

interface PackedProxy {
  readonly manager: number;
  readonly kind: string;
  readonly typeid: string;
  readonly lender: number;
  readonly loan: number;
  readonly door?: Door;
  readonly laid?: Arrival;
}

travels<BaseProxy, PackedProxy>(BaseProxy, {
  tag: "Proxy",
  pack(proxy, context) {
    const { line, object, typeid, released } = referents.get(proxy)!;
    if (released) throw new PicklingError("it is a proxy that was released");
    const loan = line.lend(object);
    context.onRefusal(() => line.unlend(loan));
    const { manager, number: lender, door } = line;
    const kind = kinds.get(Object.getPrototypeOf(proxy))!;
    const packed = { manager, kind, typeid, lender, loan };
    if (door === undefined || goesWithin(manager) || !inProgram(context)) return packed;
    const laid = door instanceof PipeDoor ? door.lay(destinationOf(context)) : undefined;
    if (laid === undefined) return { ...packed, door };
    context.onRefusal(() => laid[1].close());
    return { ...packed, door, laid };
  },
  unpack({ manager, kind, typeid, lender, loan, door, laid }, context: UnpackContext) {
    const line = lineTo(manager, door, laid);
    const proxy = newProxy(proxyClass(kind), { line, object: line.claim(lender, loan), typeid });
    if (context.context === DISCARDED) proxy[Symbol.dispose]();
    return proxy;
  },
});

/** The process that is started with a message; 0 for any other message. */
function destinationOf({ wire, context }: PackContext): number {
  return wire ? 0 : (context as { destination?: number } | undefined)?.destination ?? 0;
}

/** Whether a message stays in this program, and so may hold what leads to the server. */
function inProgram({ wire, context }: PackContext): boolean {
  return !wire || context instanceof Link;
}
