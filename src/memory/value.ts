/** Value and RawValue: one number that processes share. */

import type { WaitOptions } from "../base/options.ts";
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
} from "./_typecode.ts";

export type { MemoryOptions } from "./_lock.ts";
export type { BigCode, Element, NumberCode, Numeric, TypeCode, Views } from "./_typecode.ts";

/** What a value consists of when it exists already. */
interface Existing {
  readonly kind: Kind;
  readonly cells: Cells;
}

let partsOf: (value: RawValue) => Existing;

/**
 * A number in shared memory, without a lock.
 *
 * Every access is whole and in order: no process ever sees half of a number. {@link RawValue.add} is one step for
 * all processes; reading and then writing are two, between which another may write.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.sharedctypes.RawValue | multiprocessing.sharedctypes.RawValue}.
 * Integers that are too large wrap around. `l` and `L` have 32 bits.
 *
 * @typeParam T The type code.
 *
 * @example Count in one step
 * ```ts
 * import { RawValue } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const count = new RawValue("i", 41);
 * assert.equal(await count.add(1), 42);
 * assert.equal(count.value, 42);
 * ```
 */
export class RawValue<T extends TypeCode = NumberCode> {
  readonly #kind: Kind;
  readonly #cells: Cells;

  /**
   * Makes a number that processes can share.
   *
   * @param typecode What kind of number: see {@link Views}.
   * @param init What it is at first; 0 when left out.
   * @throws {ValueError} If there is no such type code.
   * @throws {TypeError} If `init` is no number, or no whole one where such belong.
   */
  constructor(typecode: T, init: Numeric = 0) {
    const given = arriving<Existing>();
    this.#kind = given?.kind ?? kindOf(typecode);
    if (given !== undefined) {
      this.#cells = given.cells;
    } else {
      const first = checked(this.#kind, init);
      const cells = SharedCells.create(this.#kind, 1);
      cells.store(0, first);
      this.#cells = cells;
    }
  }

  /**
   * The number.
   *
   * @throws {TypeError} If it is set to something that is no number, or no whole one where such belong.
   * @throws {RuntimeError} In a `"spawn"` child, which shares no memory with the value: there `get`, `set` and `add`
   * do.
   */
  get value(): Element<T> {
    return this.#here().load(0) as Element<T>;
  }

  set value(value: Element<T>) {
    this.#here().store(0, checked(this.#kind, value));
  }

  /**
   * Reads the number. Unlike `value` it works in a `"spawn"` child, too.
   *
   * @returns The number.
   */
  async get(): Promise<Element<T>> {
    return (await this.#cells.read(0, 1))[0] as Element<T>;
  }

  /**
   * Writes the number. Unlike `value` it works in a `"spawn"` child, too.
   *
   * @param value The new number.
   * @throws {TypeError} If it is no number, or no whole one where such belong.
   */
  async set(value: Element<T>): Promise<void> {
    await this.#cells.write(checkedAll(this.#kind, [value]), 0);
  }

  /**
   * Adds to the number in one step: of any number of processes that add at once, each counts. It asks for no lock.
   *
   * @param delta How much to add.
   * @returns The number with it added.
   * @throws {TypeError} If `delta` is no number, or no whole one where such belong.
   *
   * @example Two children count
   * ```ts
   * import { Process, RawValue } from "@multiprocessing/deno";
   * import { addOnes } from "examples/targets.ts";
   * import assert from "node:assert/strict";
   *
   * const count = new RawValue("i");
   * const children = [1, 2].map(() => new Process({ target: addOnes, args: [count, 1_000] }));
   * for (const child of children) child.start();
   * for (const child of children) await child.join();
   * assert.equal(count.value, 2_000);
   * ```
   */
  async add(delta: Element<T>): Promise<Element<T>> {
    return await this.#cells.add(0, checked(this.#kind, delta)) as Element<T>;
  }

  #here(): SharedCells {
    if (this.#cells instanceof SharedCells) return this.#cells;
    throw noMemoryHere("value", "get(), set() or add()");
  }

  static {
    partsOf = (value) => ({ kind: value.#kind, cells: value.#cells });
  }
}

let lockIn: (value: Value) => Lock | undefined;

/**
 * A number in shared memory, with a lock.
 *
 * Access asks for the lock no more than {@link RawValue} does; whoever reads, computes and writes takes it:
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.Value | multiprocessing.Value}.
 * There each single access waits for the lock; here none does, since each is one step anyway. `with value.get_lock():`
 * is `using _ = await value.guard()`.
 *
 * @typeParam T The type code.
 *
 * @example Read, compute and write undisturbed
 * ```ts
 * import { Value } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const balance = new Value("d", 100);
 * {
 *   using _ = await balance.guard();
 *   balance.value = balance.value * 1.5;
 * }
 * assert.equal(balance.value, 150);
 * ```
 */
export class Value<T extends TypeCode = NumberCode> extends RawValue<T> {
  readonly #lock: Lock | undefined;

  /**
   * Makes a number that processes can share, with a lock.
   *
   * @param typecode What kind of number: see {@link Views}.
   * @param init What it is at first; 0 when left out.
   * @param options The lock: an `RLock` of its own when left out.
   * @throws {ValueError} If there is no such type code.
   * @throws {TypeError} If `init` is no number, or no whole one where such belong, or the lock is none.
   */
  constructor(typecode: T, init: Numeric = 0, options?: MemoryOptions) {
    const given = arriving<Existing & { lock: Lock | undefined }>();
    if (given !== undefined) offer(() => given);
    super(typecode, init);
    this.#lock = given === undefined ? lockFor(options) : given.lock;
  }

  /**
   * The lock that goes with the number.
   *
   * @returns The lock; the same object every time.
   * @throws {ValueError} If there is none.
   *
   * @example One lock for two values
   * ```ts
   * import { Lock, Value } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * const lock = new Lock();
   * const [from, to] = [new Value("i", 100, { lock }), new Value("i", 0, { lock })];
   * assert.equal(from.getLock(), to.getLock());
   * {
   *   using _ = await lock.guard();
   *   from.value -= 30;
   *   to.value += 30;
   * }
   * assert.deepEqual([from.value, to.value], [70, 30]);
   * ```
   */
  getLock(): Lock {
    return lockOf("value", this.#lock);
  }

  /**
   * The number without the lock.
   *
   * @returns A {@link RawValue} of the same memory.
   */
  getObj(): RawValue<T> {
    return arrive(RawValue as unknown as new () => RawValue<T>, partsOf(this as unknown as RawValue));
  }

  /**
   * Acquires the lock for a block: `using _ = await value.guard()`.
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
    lockIn = (value) => value.#lock;
  }
}

travels<RawValue, PackedCells>(RawValue, {
  tag: "RawValue",
  pack(value, context) {
    const { kind, cells } = partsOf(value);
    return packCells(kind, 1, cells, context);
  },
  unpack(packed, context) {
    const [kind, , cells] = unpackCells(packed, context);
    return arrive(RawValue as unknown as new () => RawValue, { kind, cells });
  },
});

travels<Value, [PackedCells, Lock | undefined]>(Value, {
  tag: "Value",
  pack(value, context) {
    const { kind, cells } = partsOf(value);
    return [packCells(kind, 1, cells, context), lockIn(value)];
  },
  unpack([packed, lock], context) {
    const [kind, , cells] = unpackCells(packed, context);
    return arrive(Value as unknown as new () => Value, { kind, cells, lock });
  },
});
