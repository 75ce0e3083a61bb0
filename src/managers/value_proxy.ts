/** ValueProxy and ArrayProxy: the proxies of a value and of an array of numbers. */

import type { Element, NumberCode, Numeric, TypeCode } from "../memory/value.ts";
import { type Count, count } from "./_count.ts";
import { assign, BaseProxy, call, proxyTravels } from "./proxy.ts";

/**
 * The proxy of a value in the server of a manager, made by {@link SyncManager.Value}.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.managers.SyncManager.Value | multiprocessing.managers.ValueProxy}.
 * As there the value may be anything that travels, whatever its type code says.
 *
 * @typeParam T What the value is.
 *
 * @example
 * ```ts
 * import { Manager } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * await using manager = Manager();
 * const count = manager.Value("i", 40);
 * await count.add(1);
 * count.value = await count.value + 1;
 * assert.equal(await count.get(), 42);
 * ```
 */
export class ValueProxy<T = number> extends BaseProxy {
  /** The value. */
  get(): Promise<T> {
    return call(this, "get");
  }

  /**
   * Replaces the value.
   *
   * @param value The new one.
   * @throws {PicklingError} If it cannot travel.
   */
  set(value: T): Promise<void> {
    return call(this, "set", [value]);
  }

  /**
   * Adds to the value, in one step.
   *
   * @param delta How much.
   * @returns The sum.
   * @throws {TypeError} If the value is no number, or the two are a number and a bigint.
   */
  add(delta: T & (number | bigint)): Promise<T> {
    return call(this, "add", [delta]);
  }

  /**
   * The value, as an attribute: `await v.value` reads and `v.value = 1` writes it. That a write has failed is an
   * uncaught error: there is nobody to be told.
   */
  get value(): Promise<T> {
    return this.get();
  }

  set value(value: T) {
    assign(this, "set", [value]);
  }
}

/**
 * The proxy of an array of numbers in the server of a manager, made by {@link SyncManager.Array}.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.managers.SyncManager.Array | multiprocessing.managers.ArrayProxy}.
 * `a[i]` is {@link ArrayProxy.get}, `len(a)` {@link ArrayProxy.length}.
 *
 * @typeParam T The type code.
 *
 * @example
 * ```ts
 * import { Manager } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * await using manager = Manager();
 * const squares = manager.Array("i", [0, 1, 4, 0]);
 * await squares.set(3, 9);
 * assert.deepEqual(await squares.copy(), [0, 1, 4, 9]);
 * ```
 */
export class ArrayProxy<T extends TypeCode = NumberCode> extends BaseProxy
  implements AsyncIterable<Element<T>> {
  /**
   * One number.
   *
   * @param index Which; from the end if negative.
   * @throws {RangeError} If the index lies outside of the array.
   */
  get(index: number): Promise<Element<T>> {
    return call(this, "get", [index]);
  }

  /**
   * Replaces one number.
   *
   * @param index Which; from the end if negative.
   * @param value The new one.
   * @throws {RangeError} If the index lies outside of the array.
   * @throws {TypeError} If it is no number, or no whole one where such belong.
   */
  set(index: number, value: Element<T> | Numeric): Promise<void> {
    return call(this, "set", [index, value]);
  }

  /**
   * Copies a part.
   *
   * @param start The first; from the end if negative; 0 when left out.
   * @param end The first that is not copied; from the end if negative; all the rest when left out.
   */
  slice(start?: number, end?: number): Promise<Element<T>[]> {
    return call(this, "slice", [start, end]);
  }

  /** How many numbers there are: `await array.length`, or `await array.length()`. */
  get length(): Count {
    return count(() => call(this, "length"));
  }

  /** All of it, as an array of this process. */
  copy(): Promise<Element<T>[]> {
    return call(this, "copy");
  }

  /** Yields the numbers, as they are now. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<Element<T>> {
    yield* await this.copy();
  }
}

proxyTravels(ValueProxy, "Value");
proxyTravels(ArrayProxy, "Array");
