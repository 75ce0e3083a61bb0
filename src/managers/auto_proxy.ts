/** AutoProxy: the proxy of an object of a user's class. */

import type { IteratorProxy } from "./iterator_proxy.ts";
import { BaseProxy, call, proxyTravels, wrapped } from "./proxy.ts";

/**
 * The type of a proxy of a `T`: its methods, each returning a Promise.
 *
 * Python has no counterpart: there an `AutoProxy` has no type.
 *
 * @typeParam T The class of the object.
 *
 * @example
 * ```ts
 * import type { ProxyOf } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * class Counter {
 *   count = 0;
 *   add(by: number): number {
 *     return this.count += by;
 *   }
 * }
 * const twice = async (counter: ProxyOf<Counter>) => await counter.add(1) + await counter.add(1);
 * assert.equal(twice.length, 1);
 * ```
 */
export type ProxyOf<T> =
  & AutoProxy
  & {
    [K in keyof T as T[K] extends (...args: never[]) => unknown ? K : never]: T[K] extends
      (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : never;
  };

/**
 * The type of the method that a manager gets for a registered class or function: called as that is, for a proxy of the
 * object.
 *
 * @typeParam C The class, or the function.
 *
 * @example Declare what is registered
 * ```ts
 * import { BaseManager, type Maker } from "@multiprocessing/deno";
 * import { Counter } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * class MyManager extends BaseManager {
 *   declare Counter: Maker<typeof Counter>;
 * }
 * MyManager.register("Counter", Counter);
 *
 * await using manager = new MyManager();
 * await manager.start();
 * const counter = manager.Counter(40);
 * assert.equal(await counter.add(2), 42);
 * ```
 */
export type Maker<C> = C extends abstract new (...args: infer A) => infer T ? (...args: A) => ProxyOf<T>
  : C extends (...args: infer A) => infer T ? (...args: A) => ProxyOf<Awaited<T>>
  : never;

/** What is the proxy's own, and not asked of the object. */
const OWN: ReadonlySet<string | symbol> = new Set(["constructor", "toString", "_callmethod", "_getvalue"]);

/** Names that JavaScript itself looks for: an object that had them would be mistaken for something else. */
const ABSENT: ReadonlySet<string | symbol> = new Set(["then", "toJSON"]);

const handler: ProxyHandler<AutoProxy> = {
  get(target, name, proxy) {
    if (typeof name === "symbol" || OWN.has(name)) return Reflect.get(target, name, proxy);
    if (ABSENT.has(name)) return undefined;
    return (...args: unknown[]) => {
      const last = args.at(-1);
      if (!hasSignal(last)) return call(target, name, args);
      const { signal, ...rest } = last;
      return call(target, name, [...args.slice(0, -1), rest], signal);
    };
  },
};

function hasSignal(options: unknown): options is { signal: AbortSignal } {
  return typeof options === "object" && options !== null && "signal" in options &&
    options.signal instanceof AbortSignal;
}

/**
 * The proxy of an object whose class was registered by {@link BaseManager.register}: every method of the object can be
 * called, and gives a Promise. Cast to {@link ProxyOf}, or declared by a {@link Maker}, it has their types.
 *
 * - An object that can be iterated can be so from afar: `for await (const item of proxy)`.
 * - A signal among the options that come last is heeded: the call rejects with its reason if the method does.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.managers.AutoProxy | multiprocessing.managers.AutoProxy}.
 * Whether the object exposes a method only the server knows: calling one that it does not rejects with a
 * {@link RemoteError}.
 *
 * @example
 * ```ts
 * import { BaseManager, type Maker, RemoteError } from "@multiprocessing/deno";
 * import { Counter } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * class MyManager extends BaseManager {
 *   declare Counter: Maker<typeof Counter>;
 * }
 * MyManager.register("Counter", Counter, { exposed: ["add"] });
 *
 * await using manager = new MyManager();
 * await manager.start();
 * const counter = manager.Counter();
 * assert.equal(await counter.add(1), 1);
 * await assert.rejects(counter.reset(), RemoteError);
 * ```
 */
export class AutoProxy extends BaseProxy implements AsyncIterable<unknown> {
  /** Proxies are made by managers. */
  constructor() {
    super();
    return wrapped<AutoProxy>(this, new Proxy(this, handler));
  }

  /** Yields what the object yields. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<unknown> {
    using iterator = await call<IteratorProxy<unknown>>(this, "#iterate");
    yield* iterator;
  }
}

proxyTravels(AutoProxy, "Auto");
