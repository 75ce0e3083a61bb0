/**
 * The plain objects that a manager's server holds: what DictProxy, ListProxy and the others stand for, with the same
 * methods, since an AutoProxy may stand for one, too.
 */

import { RuntimeError, ValueError } from "../base/errors.ts";
import { RawArray } from "../memory/shared_array.ts";
import type { Numeric, TypeCode } from "../memory/value.ts";
import { type Entries, entriesOf } from "./dict_proxy.ts";
import { compare, same } from "./_order.ts";

/** Gives a copy of the whole object. */
export const VALUE: unique symbol = Symbol("value");

/** A dict. */
export class DictObject {
  readonly #map: Map<unknown, unknown>;

  constructor(map: Map<unknown, unknown> = new Map()) {
    this.#map = map;
  }

  get(key: unknown, fallback?: unknown): unknown {
    return this.#map.has(key) ? this.#map.get(key) : fallback;
  }

  set(key: unknown, value: unknown): void {
    this.#map.set(key, value);
  }

  has(key: unknown): boolean {
    return this.#map.has(key);
  }

  delete(key: unknown): boolean {
    return this.#map.delete(key);
  }

  pop(key: unknown, ...fallback: unknown[]): unknown {
    const value = this.get(key, fallback[0]);
    if (!this.#map.delete(key) && fallback.length === 0) {
      throw new RangeError(
        `Cannot pop ${JSON.stringify(key) ?? String(key)}: there is no such key in the dict`,
      );
    }
    return value;
  }

  popitem(): [unknown, unknown] {
    const last = [...this.#map].at(-1);
    if (last === undefined) throw new RangeError("Cannot pop an item: the dict is empty");
    this.#map.delete(last[0]);
    return last;
  }

  setdefault(key: unknown, value: unknown): unknown {
    if (!this.#map.has(key)) this.#map.set(key, value);
    return this.#map.get(key);
  }

  update(entries: Entries<unknown, unknown>): void {
    for (const [key, value] of entriesOf(entries)) this.#map.set(key, value);
  }

  increment(key: unknown, by: unknown = 1): unknown {
    const before = this.#map.has(key) ? this.#map.get(key) : typeof by === "bigint" ? 0n : 0;
    const after = sum(before, by);
    this.#map.set(key, after);
    return after;
  }

  change(key: unknown, change: (value: unknown) => unknown): unknown {
    const after = change(this.#map.get(key));
    if (after instanceof Promise) {
      throw new TypeError(
        "Cannot update the value: the function gives a Promise; it must not await, to be one step",
      );
    }
    this.#map.set(key, after);
    return after;
  }

  clear(): void {
    this.#map.clear();
  }

  size(): number {
    return this.#map.size;
  }

  keys(): unknown[] {
    return [...this.#map.keys()];
  }

  values(): unknown[] {
    return [...this.#map.values()];
  }

  items(): [unknown, unknown][] {
    return [...this.#map];
  }

  entries(): [unknown, unknown][] {
    return this.items();
  }

  copy(): Map<unknown, unknown> {
    return this.#map;
  }

  [VALUE](): unknown {
    return this.#map;
  }

  [Symbol.iterator](): Iterator<unknown> {
    return unchanging("dictionary", this.#map);
  }
}

/** A list. */
export class ListObject {
  #items: unknown[];

  constructor(items: unknown[] = []) {
    this.#items = items;
  }

  get(index: number): unknown {
    return this.#items[this.#at(index, "read")];
  }

  set(index: number, item: unknown): void {
    this.#items[this.#at(index, "replace")] = item;
  }

  append(item: unknown): void {
    this.#items.push(item);
  }

  extend(items: unknown[]): void {
    for (const item of items) this.#items.push(item);
  }

  insert(index: number, item: unknown): void {
    this.#items.splice(whole(index), 0, item);
  }

  pop(index = -1): unknown {
    return this.#items.splice(this.#at(index, "pop"), 1)[0];
  }

  remove(item: unknown): void {
    this.#items.splice(this.index(item), 1);
  }

  index(item: unknown, start = 0, stop = this.#items.length): number {
    const fromEnd = (at: number) => at < 0 ? Math.max(0, at + this.#items.length) : at;
    const end = Math.min(fromEnd(stop), this.#items.length);
    for (let at = fromEnd(start); at < end; at++) if (same(this.#items[at], item)) return at;
    throw new ValueError("Cannot find the item: x is not in list");
  }

  has(item: unknown): boolean {
    return this.#items.some((one) => same(one, item));
  }

  count(item: unknown): number {
    return this.#items.filter((one) => same(one, item)).length;
  }

  reverse(): void {
    this.#items.reverse();
  }

  sort(options?: { reverse?: boolean }): void {
    const sign = options?.reverse === true ? -1 : 1;
    // In place only once all could be compared.
    const sorted = this.#items.toSorted((a, b) => sign * compare(a, b));
    for (const [at, item] of sorted.entries()) this.#items[at] = item;
  }

  increment(index: number, by: unknown = 1): unknown {
    const at = this.#at(index, "replace");
    return this.#items[at] = sum(this.#items[at], by);
  }

  clear(): void {
    this.#items.length = 0;
  }

  slice(start?: number, end?: number): unknown[] {
    return this.#items.slice(start, end);
  }

  length(): number {
    return this.#items.length;
  }

  copy(): unknown[] {
    return this.#items;
  }

  [VALUE](): unknown {
    return this.#items;
  }

  #at(index: number, what: string): number {
    const { length } = this.#items;
    const at = whole(index) < 0 ? index + length : index;
    if (at >= 0 && at < length) return at;
    throw new RangeError(`Cannot ${what} item ${index}: list index out of range, there are ${length} items`);
  }
}

/** A set. */
export class SetObject {
  readonly #set: Set<unknown>;

  constructor(members: Iterable<unknown> = []) {
    this.#set = members instanceof Set ? members : new Set(members);
  }

  add(member: unknown): void {
    this.#set.add(member);
  }

  has(member: unknown): boolean {
    return this.#set.has(member);
  }

  delete(member: unknown): boolean {
    return this.#set.delete(member);
  }

  discard(member: unknown): void {
    this.#set.delete(member);
  }

  remove(member: unknown): void {
    if (this.#set.delete(member)) return;
    throw new RangeError(
      `Cannot remove ${JSON.stringify(member) ?? String(member)}: it is no member of the set`,
    );
  }

  pop(): unknown {
    if (this.#set.size === 0) throw new RangeError("Cannot pop a member: the set is empty");
    const [first] = this.#set;
    this.#set.delete(first);
    return first;
  }

  update(members: unknown[]): void {
    for (const member of members) this.#set.add(member);
  }

  clear(): void {
    this.#set.clear();
  }

  size(): number {
    return this.#set.size;
  }

  values(): unknown[] {
    return [...this.#set];
  }

  copy(): Set<unknown> {
    return this.#set;
  }

  [VALUE](): unknown {
    return this.#set;
  }

  [Symbol.iterator](): Iterator<unknown> {
    return unchanging("set", this.#set);
  }
}

/** An object with attributes. */
export class NamespaceObject {
  readonly #attributes: Map<string, unknown>;

  constructor(attributes: Record<string, unknown> = {}) {
    this.#attributes = new Map(Object.entries(attributes));
  }

  get(name: string): unknown {
    return this.#attributes.get(name);
  }

  set(name: string, value: unknown): void {
    this.#attributes.set(name, value);
  }

  delete(name: string): void {
    this.#attributes.delete(name);
  }

  [VALUE](): unknown {
    return Object.fromEntries(this.#attributes);
  }
}

/** A value. */
export class ValueObject {
  #value: unknown;

  constructor(_typecode: unknown, value: unknown) {
    this.#value = value;
  }

  get(): unknown {
    return this.#value;
  }

  set(value: unknown): void {
    this.#value = value;
  }

  add(delta: unknown): unknown {
    return this.#value = sum(this.#value, delta);
  }

  [VALUE](): unknown {
    return this.#value;
  }
}

/** An array of numbers. */
export class ArrayObject {
  readonly #array: RawArray<TypeCode>;

  constructor(typecode: TypeCode, sizeOrInit: number | Iterable<Numeric>) {
    this.#array = new RawArray(typecode, sizeOrInit);
  }

  get(index: number): Numeric {
    return this.#array.at(index);
  }

  set(index: number, value: Numeric): void {
    const at = whole(index) < 0 ? index + this.#array.length : index;
    if (at < 0 || at >= this.#array.length) {
      throw new RangeError(
        `Cannot write number ${index}: array index out of range, there are ${this.#array.length} numbers`,
      );
    }
    this.#array.set([value], at);
  }

  slice(start?: number, end?: number): Numeric[] {
    return this.#array.slice(start, end);
  }

  length(): number {
    return this.#array.length;
  }

  copy(): Numeric[] {
    return this.slice();
  }

  [VALUE](): unknown {
    return this.slice();
  }
}

function whole(index: unknown): number {
  if (Number.isSafeInteger(index)) return index as number;
  throw new TypeError(`Cannot use ${String(index)} as index: it must be a whole number`);
}

function sum(a: unknown, b: unknown): number | bigint {
  if (typeof a === "number" && typeof b === "number") return a + b;
  if (typeof a === "bigint" && typeof b === "bigint") return a + b;
  throw new TypeError(`Cannot add a ${typeof b} to a ${typeof a}: both must be numbers, or both bigints`);
}

/** Yields the keys or members, unless some come or go meanwhile. */
function unchanging(what: string, of: Map<unknown, unknown> | Set<unknown>): Iterator<unknown> {
  const { size } = of;
  const keys = of.keys();
  return {
    next() {
      if (of.size === size) return keys.next();
      throw new RuntimeError(`${what} changed size during iteration`);
    },
  };
}
