/** DictProxy: the proxy of a dict. */

import { type Count, count } from "./_count.ts";
import { callingModule } from "../process/target.ts";
import { checkedKey } from "./_key.ts";
import { callWork } from "./_work.ts";
import type { IteratorProxy } from "./iterator_proxy.ts";
import { BaseProxy, call, proxyTravels } from "./proxy.ts";

/** Keys and their values: a Map, pairs, or an object. */
export type Entries<K, V> = Iterable<readonly [K, V]> | Readonly<Record<string, V>>;

/** The entries as they travel. */
export function entriesOf<K, V>(entries: Entries<K, V>): Map<K, V> {
  if (entries === null || typeof entries !== "object") {
    throw new TypeError(`Cannot take entries from ${String(entries)}: give a Map, pairs, or an object`);
  }
  const map = new Map(
    Symbol.iterator in entries ? entries as Iterable<[K, V]> : Object.entries(entries) as unknown as [K, V][],
  );
  for (const key of map.keys()) checkedKey(key);
  return map;
}

/**
 * The proxy of a dict in the server of a manager, made by {@link SyncManager.dict}.
 *
 * - Each call is one step: nobody sees half of an {@link DictProxy.update}, and of any number of processes that
 *   {@link DictProxy.increment} at once each counts. Reading and then setting are two steps, between which another
 *   process may come; a lock keeps it out.
 * - Keys are texts, numbers, bigints, booleans, `null` and `undefined`, compared as a Map does. Values are copies,
 *   except for proxies and other handles: what is read, changed and not set again is unchanged in the dict.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.managers.SyncManager.dict | multiprocessing.managers.DictProxy}.
 * `d[k]` is {@link DictProxy.get}, which gives `undefined` where Python raises KeyError; `len(d)` is
 * {@link DictProxy.size}, `k in d` {@link DictProxy.has}, `del d[k]` {@link DictProxy.delete}.
 *
 * @typeParam K What the keys are.
 * @typeParam V What the values are.
 *
 * @example
 * ```ts
 * import { Manager } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * await using manager = Manager();
 * const stock = manager.dict({ bread: 3 });
 * await stock.set("milk", 1);
 * assert.equal(await stock.get("bread"), 3);
 * assert.equal(await stock.increment("milk", -1), 0);
 * assert.deepEqual(await stock.copy(), new Map([["bread", 3], ["milk", 0]]));
 * ```
 */
export class DictProxy<K = unknown, V = unknown> extends BaseProxy implements AsyncIterable<K> {
  /**
   * The value of a key.
   *
   * @param key The key.
   * @param fallback What to give if the key is not there; `undefined` when left out.
   * @returns A copy of the value.
   */
  get(key: K): Promise<V | undefined>;
  /** The same with another `fallback` than `undefined`. */
  get<F>(key: K, fallback: F): Promise<V | F>;
  get(key: K, fallback?: unknown): Promise<unknown> {
    return this.#keyed("get", key, fallback);
  }

  /**
   * Gives a key a value.
   *
   * @param key The key.
   * @param value The value.
   * @throws {PicklingError} If the value cannot travel; the message names where.
   * @throws {TypeError} If the key is an object.
   */
  set(key: K, value: V): Promise<void> {
    return this.#keyed("set", key, value);
  }

  /**
   * Whether a key is there.
   *
   * @param key The key.
   */
  has(key: K): Promise<boolean> {
    return this.#keyed("has", key);
  }

  /**
   * Removes a key.
   *
   * @param key The key.
   * @returns Whether it was there.
   */
  delete(key: K): Promise<boolean> {
    return this.#keyed("delete", key);
  }

  /**
   * Removes a key and gives its value.
   *
   * @param key The key.
   * @param fallback What to give if the key is not there.
   * @returns The value.
   * @throws {RangeError} If the key is not there and no fallback is given.
   */
  pop(key: K): Promise<V>;
  /** The same with a `fallback` instead of an error. */
  pop<F>(key: K, fallback: F): Promise<V | F>;
  pop(key: K, ...fallback: unknown[]): Promise<unknown> {
    return this.#keyed("pop", key, ...fallback);
  }

  /**
   * Removes the key that was added last.
   *
   * @returns It and its value.
   * @throws {RangeError} If the dict is empty.
   */
  popitem(): Promise<[K, V]> {
    return call(this, "popitem");
  }

  /**
   * The value of a key, which gets one if it is not there.
   *
   * @param key The key.
   * @param value What it gets.
   * @returns The value it has then.
   */
  setdefault(key: K, value: V): Promise<V> {
    return this.#keyed("setdefault", key, value);
  }

  /**
   * Gives several keys their values, in one step; or one key what a function makes of its value.
   *
   * The function is an exported one, which the server imports and calls: nobody comes between its reading and its
   * writing. So it must not await. Over a socket none is taken.
   *
   * @param entries A Map, pairs, or an object.
   * @returns With a function: what it made.
   *
   * @example Read, compute and write in one step
   * ```ts
   * import { Manager } from "@multiprocessing/deno";
   * import { square } from "examples/targets.ts";
   * import assert from "node:assert/strict";
   *
   * await using manager = Manager();
   * const numbers = manager.dict({ a: 2, b: 3 });
   * await numbers.update({ b: 4, c: 5 });
   * assert.equal(await numbers.update("a", square), 4);
   * assert.deepEqual(await numbers.items(), [["a", 4], ["b", 4], ["c", 5]]);
   * ```
   */
  update(entries: Entries<K, V>): Promise<void>;
  /**
   * Changes one value in one step: nobody else has a say between reading and writing.
   *
   * @param key Which one.
   * @param change An exported function that gives the new value; it runs in the server.
   * @returns The new value.
   */
  update(key: K, change: (value: V) => V): Promise<V>;
  update(...given: unknown[]): Promise<unknown> {
    return updates(this, given, given.length === 2 ? callingModule() : undefined);
  }

  /**
   * Adds to the number of a key, in one step.
   *
   * @param key The key; one that is not there counts as 0.
   * @param by How much; 1 when left out.
   * @returns The sum.
   * @throws {TypeError} If its value is no number, or the two are a number and a bigint.
   *
   * @example No lock needed
   * ```ts
   * import { Manager } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * await using manager = Manager();
   * const words = manager.dict<string, number>();
   * await Promise.all(["to", "be", "or", "not", "to", "be"].map((word) => words.increment(word)));
   * assert.equal(await words.get("be"), 2);
   * ```
   */
  increment<N extends V & (number | bigint)>(key: K, by?: N | number): Promise<N> {
    return this.#keyed("increment", key, by);
  }

  /** Removes every key. */
  clear(): Promise<void> {
    return call(this, "clear");
  }

  /** How many keys there are: `await dict.size`, or `await dict.size()`. */
  get size(): Count {
    return count(() => call(this, "size"));
  }

  /** The keys, in the order in which they were added. */
  keys(): Promise<K[]> {
    return call(this, "keys");
  }

  /** The values, in the order of the keys. */
  values(): Promise<V[]> {
    return call(this, "values");
  }

  /** The keys with their values. */
  entries(): Promise<[K, V][]> {
    return call(this, "items");
  }

  /** The same as {@link DictProxy.entries}, under Python's name. */
  items(): Promise<[K, V][]> {
    return call(this, "items");
  }

  /** All of it, as a Map of this process. */
  copy(): Promise<Map<K, V>> {
    return call(this, "copy");
  }

  /**
   * Yields the keys, as Python does.
   *
   * @throws {RuntimeError} If keys come or go meanwhile.
   */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<K> {
    using keys = await call<IteratorProxy<K>>(this, "#iterate");
    yield* keys;
  }

  // deno-lint-ignore require-await -- a key that cannot be one is a rejection
  async #keyed<R>(method: string, key: K, ...rest: unknown[]): Promise<R> {
    return call<R>(this, method, [checkedKey(key), ...rest]);
  }
}

// deno-lint-ignore require-await -- what cannot be entries, or a key, is a rejection
async function updates(dict: DictProxy, given: unknown[], site: string | undefined): Promise<unknown> {
  if (given.length === 1) return call(dict, "update", [entriesOf(given[0] as Entries<unknown, unknown>)]);
  const [key, change] = given;
  if (typeof change !== "function") {
    throw new TypeError(`Cannot update the value by ${String(change)}: give an exported function`);
  }
  return callWork(dict, "#change", change, site, (where) => [checkedKey(key), where]);
}

proxyTravels(DictProxy, "Dict");
