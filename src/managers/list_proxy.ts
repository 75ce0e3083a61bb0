/** ListProxy: the proxy of a list. */

import { type Count, count } from "./_count.ts";
import { BaseProxy, call, proxyTravels } from "./proxy.ts";

/** The items as they travel. */
export function itemsOf<T>(items: Iterable<T>): T[] {
  if (items === null || items === undefined || typeof items[Symbol.iterator] !== "function") {
    throw new TypeError(`Cannot take items from ${String(items)}: give an array or another iterable`);
  }
  return [...items];
}

/**
 * The proxy of a list in the server of a manager, made by {@link SyncManager.list}.
 *
 * - Each call is one step.
 * - An index from the end is negative. Items are copies, except for proxies and other handles: what is read, changed
 *   and not set again is unchanged in the list.
 * - Items are compared by what they hold: `list.index([1, 2])` finds an array of 1 and 2. Proxies are equal if they
 *   stand for the same object.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.managers.SyncManager.list | multiprocessing.managers.ListProxy}.
 * `l[i]` is {@link ListProxy.get}, `l[a:b]` {@link ListProxy.slice}, `len(l)` {@link ListProxy.length}, `x in l`
 * {@link ListProxy.has}, `del l[i]` {@link ListProxy.pop}. An IndexError is a RangeError here.
 *
 * @typeParam T What the items are.
 *
 * @example
 * ```ts
 * import { Manager } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * await using manager = Manager();
 * const numbers = manager.list([10, 9]);
 * await numbers.append(1);
 * await numbers.sort();
 * assert.equal(await numbers.get(-1), 10);
 * assert.deepEqual(await numbers.copy(), [1, 9, 10]);
 * ```
 */
export class ListProxy<T = unknown> extends BaseProxy implements AsyncIterable<T> {
  /**
   * One item.
   *
   * @param index Which; from the end if negative.
   * @returns A copy of it.
   * @throws {RangeError} If there is none.
   */
  get(index: number): Promise<T> {
    return call(this, "get", [index]);
  }

  /**
   * Replaces one item.
   *
   * @param index Which; from the end if negative.
   * @param item What to put there.
   * @throws {RangeError} If there is none.
   * @throws {PicklingError} If the item cannot travel; the message names where.
   */
  set(index: number, item: T): Promise<void> {
    return call(this, "set", [index, item]);
  }

  /**
   * Adds an item at the end.
   *
   * @param item The item.
   */
  append(item: T): Promise<void> {
    return call(this, "append", [item]);
  }

  /**
   * Adds several items at the end, in one step.
   *
   * @param items The items.
   */
  // deno-lint-ignore require-await -- what is no iterable is a rejection
  async extend(items: Iterable<T>): Promise<void> {
    return call(this, "extend", [itemsOf(items)]);
  }

  /**
   * Adds an item before another.
   *
   * @param index Before which; beyond either end it is added there.
   * @param item The item.
   */
  insert(index: number, item: T): Promise<void> {
    return call(this, "insert", [index, item]);
  }

  /**
   * Removes an item.
   *
   * @param index Which; the last when left out.
   * @returns The item.
   * @throws {RangeError} If there is none.
   */
  pop(index?: number): Promise<T> {
    return call(this, "pop", index === undefined ? [] : [index]);
  }

  /**
   * Removes the first item that is equal to another.
   *
   * @param item The other.
   * @throws {ValueError} If there is none.
   */
  remove(item: T): Promise<void> {
    return call(this, "remove", [item]);
  }

  /** Removes every item. */
  clear(): Promise<void> {
    return call(this, "clear");
  }

  /**
   * Where the first item is that is equal to another.
   *
   * @param item The other.
   * @param start From where to look; from the end if negative.
   * @param stop Up to where, exclusive.
   * @returns Its index.
   * @throws {ValueError} If there is none.
   */
  index(item: T, start?: number, stop?: number): Promise<number> {
    return call(this, "index", [item, start, stop]);
  }

  /**
   * Whether an item is equal to another.
   *
   * @param item The other.
   */
  has(item: T): Promise<boolean> {
    return call(this, "has", [item]);
  }

  /**
   * How many items are equal to another.
   *
   * @param item The other.
   */
  count(item: T): Promise<number> {
    return call(this, "count", [item]);
  }

  /** Turns the order around. */
  reverse(): Promise<void> {
    return call(this, "reverse");
  }

  /**
   * Sorts the items as Python does: numbers by size, texts by their characters, arrays by their items. What is equal
   * keeps its order.
   *
   * @param options With `reverse: true` the largest comes first.
   * @throws {TypeError} If two of the items cannot be compared; then nothing has changed.
   */
  sort(options?: { reverse?: boolean }): Promise<void> {
    return call(this, "sort", [options ?? {}]);
  }

  /**
   * Adds to one number, in one step.
   *
   * @param index Which; from the end if negative.
   * @param by How much; 1 when left out.
   * @returns The sum.
   * @throws {TypeError} If the item is no number, or the two are a number and a bigint.
   */
  increment<N extends T & (number | bigint)>(index: number, by?: N | number): Promise<N> {
    return call(this, "increment", [index, by]);
  }

  /**
   * Copies a part.
   *
   * @param start The first; from the end if negative; 0 when left out.
   * @param end The first that is not copied; from the end if negative; all the rest when left out.
   * @returns The items.
   */
  slice(start?: number, end?: number): Promise<T[]> {
    return call(this, "slice", [start, end]);
  }

  /** How many items there are: `await list.length`, or `await list.length()`. */
  get length(): Count {
    return count(() => call(this, "length"));
  }

  /** All of it, as an array of this process. */
  copy(): Promise<T[]> {
    return call(this, "copy");
  }

  /** Yields the items one after the other, as they are when their turn comes. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<T> {
    for (let i = 0;; i++) {
      const part = await this.slice(i, i + 1);
      if (part.length === 0) return;
      yield part[0]!;
    }
  }
}

proxyTravels(ListProxy, "List");
