/**
 * Cells: memory of one type that Value and SharedArray stand on, here or elsewhere.
 *
 * ```
 * Value, SharedArray ─┬─ SharedCells: a SharedArrayBuffer, seen through a typed array, one Atomics call an access
 *                     └─ RemoteCells: read, write and add as requests to where the memory is
 * ```
 *
 * Floating-point cells are read and written by their bits, because Atomics knows integers only. That makes an
 * access whole and in order, and `add` a loop of compare-and-swap.
 */

import { packCore, type Reference, RemoteCore, unpackCore } from "../transport/remote.ts";
import type { Caller, Exportable } from "../transport/remote.ts";
import type { PackContext, UnpackContext } from "../transport/registry.ts";
import {
  checked,
  type Kind,
  kindOf,
  newMemory,
  type Numeric,
  type TypeCode,
  type View,
} from "./_typecode.ts";

/** What values and arrays ask of their memory. What they pass is checked already. */
export interface Cells extends Exportable {
  /** Copies the cells from `start` to before `end`. */
  read(start: number, end: number): Promise<View>;
  /** Writes cells from `offset` on. */
  write(values: View, offset: number): Promise<void>;
  /** Adds to one cell in one step, and gives what it then is. */
  add(index: number, delta: Numeric): Promise<Numeric>;
}

const float32 = new Float32Array(1);
const float32Bits = new Int32Array(float32.buffer);
const float64 = new Float64Array(1);
const float64Bits = new BigInt64Array(float64.buffer);

/** Cells in shared memory. */
export class SharedCells implements Cells {
  /** The memory. */
  readonly memory: SharedArrayBuffer;
  /** All of it. */
  readonly view: View;
  readonly #kind: Kind;
  /** The same memory as integers, where `view` sees floating-point numbers. */
  readonly #bits: Int32Array | BigInt64Array | undefined;

  constructor(kind: Kind, memory: SharedArrayBuffer) {
    this.memory = memory;
    this.view = new kind.View(memory);
    this.#kind = kind;
    if (kind.holds === "numbers") {
      this.#bits = kind.size === 4 ? new Int32Array(memory) : new BigInt64Array(memory);
    }
  }

  /** New cells, all zero. */
  static create(kind: Kind, length: number): SharedCells {
    return new SharedCells(kind, newMemory(length * kind.size));
  }

  load(index: number): Numeric {
    // Int32Array stands for every integer view: Atomics takes them all, its types do not say so.
    return this.#bits === undefined
      ? Atomics.load(this.view as unknown as Int32Array, index)
      : fromBits(this.#loadBits(index));
  }

  store(index: number, value: Numeric): void {
    if (this.#bits === undefined) Atomics.store(this.view as unknown as Int32Array, index, value as number);
    else Atomics.store(this.#bits as Int32Array, index, toBits(this.#bits, value as number) as number);
  }

  addNow(index: number, delta: Numeric): Numeric {
    const bits = this.#bits as Int32Array | undefined;
    if (bits === undefined) {
      const before = Atomics.add(this.view as unknown as Int32Array, index, delta as number);
      return checked(this.#kind, before + (delta as number));
    }
    for (;;) {
      const seen = this.#loadBits(index);
      const sum = toBits(bits, (fromBits(seen) as number) + (delta as number));
      if (Atomics.compareExchange(bits, index, seen as number, sum as number) === seen) return fromBits(sum);
    }
  }

  read(start: number, end: number): Promise<View> {
    return Promise.resolve(this.view.slice(start, end));
  }

  write(values: View, offset: number): Promise<void> {
    if (values.length === 1) this.store(offset, values[0]!);
    else this.view.set(values, offset);
    return Promise.resolve();
  }

  add(index: number, delta: Numeric): Promise<Numeric> {
    return Promise.resolve(this.addNow(index, delta));
  }

  invoke(method: string, args: readonly unknown[], _caller: Caller): unknown {
    switch (method) {
      case "read":
        return this.read(args[0] as number, args[1] as number);
      case "write":
        return this.write(args[0] as View, args[1] as number);
      case "add":
        return this.add(args[0] as number, args[1] as Numeric);
      default:
        throw new TypeError(`Cannot call ${method}() of shared memory`);
    }
  }

  #loadBits(index: number): Numeric {
    return Atomics.load(this.#bits as Int32Array, index);
  }
}

function fromBits(bits: Numeric): number {
  if (typeof bits === "number") {
    float32Bits[0] = bits;
    return float32[0]!;
  }
  float64Bits[0] = bits;
  return float64[0]!;
}

function toBits(like: Int32Array | BigInt64Array, value: number): Numeric {
  if (like instanceof Int32Array) {
    float32[0] = value;
    return float32Bits[0]!;
  }
  float64[0] = value;
  return float64Bits[0]!;
}

/** Cells of another operating-system process. */
export class RemoteCells extends RemoteCore implements Cells {
  async read(start: number, end: number): Promise<View> {
    return await this.ask("read", [start, end]) as View;
  }

  async write(values: View, offset: number): Promise<void> {
    await this.ask("write", [values, offset]);
  }

  async add(index: number, delta: Numeric): Promise<Numeric> {
    return await this.ask("add", [index, delta]) as Numeric;
  }
}

/** What cells are in a message. */
export type PackedCells = [code: TypeCode, length: number, cells: Reference<number>];

/** Packs cells for wherever the message goes. */
export function packCells(kind: Kind, length: number, cells: Cells, context: PackContext): PackedCells {
  return [
    kind.code,
    length,
    packCore(cells, context, () => context.attach((cells as SharedCells).memory)),
  ];
}

/** The cells that arrived. */
export function unpackCells(packed: PackedCells, context: UnpackContext): [Kind, number, Cells] {
  const [code, length, reference] = packed;
  const kind = kindOf(code);
  const local = (at: number) => new SharedCells(kind, context.attachments[at] as SharedArrayBuffer);
  return [kind, length, unpackCore<number, Cells>(reference, context, local, RemoteCells)];
}
