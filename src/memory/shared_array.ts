/** SharedArray and RawArray: numbers that processes share. */

import { ValueError } from "../base/errors.ts";
import { type WaitOptions, wholeNumber } from "../base/options.ts";
import type { Lock } from "../sync/lock.ts";
import { arrive, arriving, offer } from "../transport/arriving.ts";
import { travels } from "../transport/registry.ts";
import { type Cells, packCells, type PackedCells, SharedCells, unpackCells } from "./_cell.ts";
import { lockFor, lockOf, type MemoryOptions } from "./_lock.ts";
import {
  checked,
  checkedAll,
  type Element,
  type Kind,
  kindOf,
  noMemoryHere,
  type NumberCode,
  type Numeric,
  type TypeCode,
  type Views,
} from "./_typecode.ts";

/** What an array consists of when it exists already. */
interface Existing {
  readonly kind: Kind;
  readonly length: number;
  readonly cells: Cells;
}

let partsOf: (array: RawArray) => Existing;

/**
 * Numbers in shared memory, without a lock.
 *
 * - `array[i]` and `at(i)` read and write one number whole; `slice`, `set` and `view` are copies and plain memory,
 *   which another process may be writing to.
 * - `view` is the memory itself, as a typed array: the fastest way by far, and the one for whole computations.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.sharedctypes.RawArray | multiprocessing.sharedctypes.RawArray}.
 * Integers that are too large wrap around; the type codes `l` and `L` have 32 bits. An index from the end is
 * `at(-1)`.
 *
 * @typeParam T The type code.
 *
 * @example
 * ```ts
 * import { RawArray } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const squares = new RawArray("i", [0, 1, 4, 0]);
 * squares[3] = 9;
 * assert.equal(squares.at(-1), 9);
 * assert.deepEqual([...squares], [0, 1, 4, 9]);
 * ```
 */
export class RawArray<T extends TypeCode = NumberCode> implements Iterable<Element<T>> {
  /** One number. An index outside of the array is a `RangeError`. */
  [index: number]: Element<T>;
  readonly #kind: Kind;
  readonly #length: number;
  readonly #cells: Cells;

  /**
   * Makes an array that processes can share.
   *
   * @param typecode What kind of numbers: see {@link Views}.
   * @param sizeOrInit How many, all 0 at first; or the numbers themselves.
   * @throws {ValueError} If there is no such type code, or the size is not a whole number of at least 0.
   * @throws {TypeError} If one of the numbers is none, or not whole where such belong.
   */
  constructor(typecode: T, sizeOrInit: number | Iterable<Numeric>) {
    const given = arriving<Existing>();
    if (given !== undefined) {
      this.#kind = given.kind;
      this.#length = given.length;
      this.#cells = given.cells;
      return;
    }
    this.#kind = kindOf(typecode);
    if (typeof sizeOrInit === "number") {
      this.#length = wholeNumber("size of a shared array", sizeOrInit, 0);
      this.#cells = SharedCells.create(this.#kind, this.#length);
      return;
    }
    if (sizeOrInit === null || typeof sizeOrInit !== "object" || !(Symbol.iterator in sizeOrInit)) {
      throw new TypeError(
        `Cannot make a shared array of ${String(sizeOrInit)}: give its size, or an iterable of numbers`,
      );
    }
    const init = checkedAll(this.#kind, sizeOrInit);
    const cells = SharedCells.create(this.#kind, init.length);
    cells.view.set(init);
    this.#length = init.length;
    this.#cells = cells;
  }

  /** How many numbers there are. */
  get length(): number {
    return this.#length;
  }

  /**
   * The memory, as a typed array. What is written there is seen by every process at once.
   *
   * @throws {RuntimeError} In a `"spawn"` child, which shares no memory with the array.
   *
   * @example
   * ```ts
   * import { RawArray } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * const samples = new RawArray("d", 1_000);
   * samples.view.fill(0.5);
   * assert.equal(samples.view.reduce((sum, sample) => sum + sample), 500);
   * ```
   */
  get view(): Views[T] {
    return this.#here("view").view as unknown as Views[T];
  }

  /**
   * The text in an array of type `"c"`: its bytes before the first zero. What it is set to may be shorter than the
   * array; a zero is written after it then, and the rest stays.
   *
   * Python: what `Array('c', …).value` is, with `bytes` for a `Uint8Array`.
   *
   * @throws {TypeError} If the array is of another type, or it is set to something else than a `Uint8Array`.
   * @throws {ValueError} If it is set to more bytes than the array has.
   * @throws {RuntimeError} In a `"spawn"` child.
   *
   * @example A text
   * ```ts
   * import { RawArray } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * const name = new RawArray("c", 8);
   * name.value = new TextEncoder().encode("egon");
   * assert.equal(new TextDecoder().decode(name.value), "egon");
   * assert.deepEqual([...name.raw], [101, 103, 111, 110, 0, 0, 0, 0]);
   * ```
   */
  get value(): T extends "c" ? Uint8Array : never {
    const bytes = this.#chars("value");
    const end = bytes.indexOf(0);
    return bytes.slice(0, end < 0 ? undefined : end) as Uint8Array as typeof this.value;
  }

  set value(value: T extends "c" ? Uint8Array : never) {
    const bytes = this.#putChars("value", value);
    if (value.length < bytes.length) bytes[value.length] = 0;
  }

  /**
   * The bytes in an array of type `"c"`, all of them. What it is set to may be shorter than the array; the rest stays.
   *
   * Python: what `Array('c', …).raw` is, with `bytes` for a `Uint8Array`.
   *
   * @throws {TypeError} If the array is of another type, or it is set to something else than a `Uint8Array`.
   * @throws {ValueError} If it is set to more bytes than the array has.
   * @throws {RuntimeError} In a `"spawn"` child.
   */
  get raw(): T extends "c" ? Uint8Array : never {
    return this.#chars("raw").slice() as Uint8Array as typeof this.raw;
  }

  set raw(value: T extends "c" ? Uint8Array : never) {
    this.#putChars("raw", value);
  }

  /**
   * One number.
   *
   * @param index Which; from the end if negative.
   * @returns The number.
   * @throws {RangeError} If the index lies outside of the array.
   * @throws {RuntimeError} In a `"spawn"` child.
   */
  at(index: number): Element<T> {
    const cells = this.#here("at()");
    return cells.load(this.#checkedIndex("read", index < 0 ? index + this.#length : index, index)) as Element<
      T
    >;
  }

  /**
   * Copies a part.
   *
   * @param start The first; from the end if negative; 0 when left out.
   * @param end The first that is not copied; from the end if negative; the length when left out.
   * @returns The numbers.
   * @throws {RuntimeError} In a `"spawn"` child.
   */
  slice(start?: number, end?: number): Element<T>[] {
    return [...this.#here("slice()").view.slice(start, end)] as Element<T>[];
  }

  /**
   * Writes several numbers, or none if one of them cannot be written.
   *
   * @param values The numbers.
   * @param offset Where the first goes; 0 when left out.
   * @throws {RangeError} If they do not fit.
   * @throws {TypeError} If one of them is no number, or no whole one where such belong.
   * @throws {RuntimeError} In a `"spawn"` child.
   */
  set(values: Iterable<Element<T>>, offset: number = 0): void {
    const cells = this.#here("set()");
    const all = checkedAll(this.#kind, values);
    this.#checkRoom(all.length, offset);
    cells.view.set(all, offset);
  }

  /**
   * Copies a part, as {@link RawArray.slice} does. It works in a `"spawn"` child, too.
   *
   * @param start The first; from the end if negative; 0 when left out.
   * @param end The first that is not copied; from the end if negative; the length when left out.
   * @returns The numbers.
   */
  async read(start: number = 0, end: number = this.#length): Promise<Element<T>[]> {
    return [...await this.#cells.read(start, end)] as Element<T>[];
  }

  /**
   * Writes several numbers, as {@link RawArray.set} does. It works in a `"spawn"` child, too.
   *
   * @param values The numbers.
   * @param offset Where the first goes; 0 when left out.
   * @throws {RangeError} If they do not fit.
   * @throws {TypeError} If one of them is no number, or no whole one where such belong.
   *
   * @example
   * ```ts
   * import { RawArray } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * const array = new RawArray("i", 5);
   * await array.write([1, 2, 3], 1);
   * assert.deepEqual(await array.read(), [0, 1, 2, 3, 0]);
   * assert.deepEqual(await array.read(-2), [3, 0]);
   * ```
   */
  async write(values: Iterable<Element<T>>, offset: number = 0): Promise<void> {
    const all = checkedAll(this.#kind, values);
    this.#checkRoom(all.length, offset);
    await this.#cells.write(all, offset);
  }

  /**
   * Adds to one number in one step: of any number of processes that add at once, each counts. It asks for no lock,
   * and works in a `"spawn"` child, too.
   *
   * @param index Which; from the end if negative.
   * @param delta How much to add.
   * @returns The number with it added.
   * @throws {RangeError} If the index lies outside of the array.
   * @throws {TypeError} If `delta` is no number, or no whole one where such belong.
   *
   * @example
   * ```ts
   * import { RawArray } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * const votes = new RawArray("I", 3);
   * assert.equal(await votes.add(2, 1), 1);
   * assert.equal(await votes.add(-1, 1), 2);
   * assert.deepEqual(votes.slice(), [0, 0, 2]);
   * ```
   */
  async add(index: number, delta: Element<T>): Promise<Element<T>> {
    const at = this.#checkedIndex("add to", index < 0 ? index + this.#length : index, index);
    return await this.#cells.add(at, checked(this.#kind, delta)) as Element<T>;
  }

  /** The numbers, each as it is when its turn comes. */
  [Symbol.iterator](): IterableIterator<Element<T>> {
    const cells = this.#here("iteration");
    const { length } = this;
    return function* () {
      for (let i = 0; i < length; i++) yield cells.load(i) as Element<T>;
    }();
  }

  /** The memory of an array of type `"c"`. */
  #chars(what: string): Uint8Array<SharedArrayBuffer> {
    if (this.#kind.code === "c") return this.#here(what).view as unknown as Uint8Array<SharedArrayBuffer>;
    throw new TypeError(
      `Cannot use ${what} of a shared array of type "${this.#kind.code}": only type "c" has it; use slice(), set() or ` +
        `view`,
    );
  }

  #putChars(what: string, value: unknown): Uint8Array {
    const bytes = this.#chars(what);
    if (!(value instanceof Uint8Array)) {
      throw new TypeError(`bytes expected: cannot set ${what} to ${String(value)}; give a Uint8Array`);
    }
    if (value.length > bytes.length) {
      throw new ValueError(
        `byte string too long: cannot set ${what} to ${value.length} bytes, the shared array has ${bytes.length}`,
      );
    }
    bytes.set(value);
    return bytes;
  }

  #here(what: string): SharedCells {
    if (this.#cells instanceof SharedCells) return this.#cells;
    throw noMemoryHere(what, "read() and write()");
  }

  #checkedIndex(what: string, index: number, asked: unknown = index): number {
    if (Number.isInteger(index) && index >= 0 && index < this.#length) return index;
    const range = this.#length === 0 ? "it is empty" : `its indices are 0 to ${this.#length - 1}`;
    throw new RangeError(`Cannot ${what} item ${String(asked)} of the shared array: ${range}; invalid index`);
  }

  #checkRoom(count: number, offset: number): void {
    wholeNumber("offset", offset, 0);
    if (offset + count > this.#length) {
      throw new RangeError(
        `Cannot write ${count} items from ${offset} on: the shared array has ${this.#length} items`,
      );
    }
  }

  static {
    partsOf = (array) => ({ kind: array.#kind, length: array.#length, cells: array.#cells });

    // `array[i]`: no instance has numbers for properties, nor has the class, so the engine asks the prototype behind
    // it, for these and for other names that nobody has. One proxy so serves every array, and costs methods nothing.
    const behind = new Proxy({}, {
      get(target, key, array) {
        if (!isNumeric(key) || !(#cells in array)) return Reflect.get(target, key, array);
        return array.#here("array[i]").load(array.#checkedIndex("read", Number(key), key));
      },
      set(target, key, value, array) {
        if (!isNumeric(key) || !(#cells in array)) return Reflect.set(target, key, value, array);
        const cells = array.#here("array[i]");
        cells.store(array.#checkedIndex("write", Number(key), key), checked(array.#kind, value));
        return true;
      },
    });
    Object.setPrototypeOf(RawArray.prototype, behind);
  }
}

/** Whether a property's name is that of a number, be it an index or not. */
function isNumeric(key: string | symbol): key is string {
  if (typeof key === "symbol") return false;
  const first = key.charCodeAt(0);
  return (first >= 48 && first <= 57 || first === 45) && String(Number(key)) === key;
}

let lockIn: (array: SharedArray) => Lock | undefined;

/**
 * Numbers in shared memory, with a lock. It is also exported as `Array`.
 *
 * Access asks for the lock no more than {@link RawArray} does, which says all else about it.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.Array | multiprocessing.Array}.
 * There each single access waits for the lock; here none does, since each is one step anyway. `with array.get_lock():`
 * is `using _ = await array.guard()`.
 *
 * @typeParam T The type code.
 *
 * @example
 * ```ts
 * import { SharedArray } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const totals = new SharedArray("d", 3);
 * {
 *   using _ = await totals.guard();
 *   totals[0]! += 1.5;
 *   totals.set([2, 3], 1);
 * }
 * assert.deepEqual(totals.slice(), [1.5, 2, 3]);
 * totals.view.fill(0);
 * assert.equal(totals[2], 0);
 * ```
 */
export class SharedArray<T extends TypeCode = NumberCode> extends RawArray<T> {
  readonly #lock: Lock | undefined;

  /**
   * Makes an array that processes can share, with a lock.
   *
   * @param typecode What kind of numbers: see {@link Views}.
   * @param sizeOrInit How many, all 0 at first; or the numbers themselves.
   * @param options The lock: an `RLock` of its own when left out.
   * @throws {ValueError} If there is no such type code, or the size is not a whole number of at least 0.
   * @throws {TypeError} If one of the numbers is none, or not whole where such belong, or the lock is none.
   */
  constructor(typecode: T, sizeOrInit: number | Iterable<Numeric>, options?: MemoryOptions) {
    const given = arriving<Existing & { lock: Lock | undefined }>();
    if (given !== undefined) offer(() => given);
    super(typecode, sizeOrInit);
    this.#lock = given === undefined ? lockFor(options) : given.lock;
  }

  /**
   * The lock that goes with the array.
   *
   * @returns The lock; the same object every time.
   * @throws {ValueError} If there is none.
   */
  getLock(): Lock {
    return lockOf("array", this.#lock);
  }

  /**
   * The array without the lock.
   *
   * @returns A {@link RawArray} of the same memory.
   */
  getObj(): RawArray<T> {
    return arrive(RawArray as unknown as new () => RawArray<T>, partsOf(this as unknown as RawArray));
  }

  /**
   * Acquires the lock for a block: `using _ = await array.guard()`.
   *
   * @param options How long to wait; for ever when left out.
   * @returns What releases the lock when disposed of.
   * @throws {TimeoutError} If the lock did not come free within `timeout` milliseconds.
   * @throws {ValueError} If there is none.
   */
  async guard(options?: WaitOptions): Promise<Disposable> {
    return await this.getLock().guard(options);
  }

  static {
    lockIn = (array) => array.#lock;
  }
}

travels<RawArray, PackedCells>(RawArray, {
  tag: "RawArray",
  pack(array, context) {
    const { kind, length, cells } = partsOf(array);
    return packCells(kind, length, cells, context);
  },
  unpack(packed, context) {
    const [kind, length, cells] = unpackCells(packed, context);
    return arrive(RawArray as unknown as new () => RawArray, { kind, length, cells });
  },
});

travels<SharedArray, [PackedCells, Lock | undefined]>(SharedArray, {
  tag: "SharedArray",
  pack(array, context) {
    const { kind, length, cells } = partsOf(array);
    return [packCells(kind, length, cells, context), lockIn(array)];
  },
  unpack([packed, lock], context) {
    const [kind, length, cells] = unpackCells(packed, context);
    return arrive(SharedArray as unknown as new () => SharedArray, { kind, length, cells, lock });
  },
});
