/** The kinds of numbers that shared memory can hold, by the codes of Python's `array` and by JavaScript's names. */

import { RuntimeError, ValueError } from "../base/errors.ts";

/**
 * For each type code the typed array that looks at memory of that kind.
 *
 * @example Bigints for 64 bits
 * ```ts
 * import { RawArray, RawValue } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const bytes = new RawArray("B", 4);
 * assert.ok(bytes.view instanceof Uint8Array);
 * const large = new RawValue("q", 2n ** 40n);
 * assert.equal(large.value, 1_099_511_627_776n);
 * ```
 */
export interface Views {
  /** A character, as its code: 8 bits, unsigned. */
  c: Uint8Array<SharedArrayBuffer>;
  /** 8 bits, signed. */
  b: Int8Array<SharedArrayBuffer>;
  /** 8 bits, unsigned. */
  B: Uint8Array<SharedArrayBuffer>;
  /** 16 bits, signed. */
  h: Int16Array<SharedArrayBuffer>;
  /** 16 bits, unsigned. */
  H: Uint16Array<SharedArrayBuffer>;
  /** 32 bits, signed. */
  i: Int32Array<SharedArrayBuffer>;
  /** 32 bits, unsigned. */
  I: Uint32Array<SharedArrayBuffer>;
  /** 32 bits, signed, on every system; what C calls long, and so Python, has 64 bits on most. */
  l: Int32Array<SharedArrayBuffer>;
  /** 32 bits, unsigned, on every system. */
  L: Uint32Array<SharedArrayBuffer>;
  /** 64 bits, signed, as bigints. */
  q: BigInt64Array<SharedArrayBuffer>;
  /** 64 bits, unsigned, as bigints. */
  Q: BigUint64Array<SharedArrayBuffer>;
  /** Floating point of 32 bits. */
  f: Float32Array<SharedArrayBuffer>;
  /** Floating point of 64 bits: every number of JavaScript. */
  d: Float64Array<SharedArrayBuffer>;
  /** The same as `b`. */
  int8: Int8Array<SharedArrayBuffer>;
  /** The same as `B`. */
  uint8: Uint8Array<SharedArrayBuffer>;
  /** The same as `h`. */
  int16: Int16Array<SharedArrayBuffer>;
  /** The same as `H`. */
  uint16: Uint16Array<SharedArrayBuffer>;
  /** The same as `i`. */
  int32: Int32Array<SharedArrayBuffer>;
  /** The same as `I`. */
  uint32: Uint32Array<SharedArrayBuffer>;
  /** The same as `q`. */
  bigint64: BigInt64Array<SharedArrayBuffer>;
  /** The same as `Q`. */
  biguint64: BigUint64Array<SharedArrayBuffer>;
  /** The same as `f`. */
  float32: Float32Array<SharedArrayBuffer>;
  /** The same as `d`. */
  float64: Float64Array<SharedArrayBuffer>;
}

/** A kind of number: see {@link Views} for what each code stands for. */
export type TypeCode = keyof Views;

/** The type codes whose values are bigints. */
export type BigCode = "q" | "Q" | "bigint64" | "biguint64";

/** The type codes whose values are numbers. */
export type NumberCode = Exclude<TypeCode, BigCode>;

/** What memory of a type code holds: `number`, or `bigint` for the 64-bit integers. */
export type Element<T extends TypeCode> = Views[T][number];

/** A number of either type. */
export type Numeric = number | bigint;

/** Any of the views, as far as all of them agree: what is read and written must be of the right type already. */
export type View =
  & {
    [index: number]: Numeric;
    readonly length: number;
    readonly buffer: ArrayBufferLike;
    set(values: ArrayLike<Numeric>, offset?: number): void;
    slice(start?: number, end?: number): View;
  }
  & Iterable<Numeric>
  & ArrayBufferView;

/** What there is to know about a type code. */
export interface Kind {
  /** The code, as it was given. */
  readonly code: TypeCode;
  /** Looks at memory of this kind. */
  readonly View: {
    new (length: number): View;
    new (buffer: ArrayBufferLike, offset?: number, length?: number): View;
  };
  /** How many bytes one takes. */
  readonly size: number;
  /** What it holds. */
  readonly holds: "whole numbers" | "numbers" | "bigints";
  /** One place to bring a value into the form that memory of this kind gives it. */
  readonly scratch: View;
}

type Class = Kind["View"] & { readonly BYTES_PER_ELEMENT: number };
const classes: Record<TypeCode, unknown> = {
  c: Uint8Array,
  b: Int8Array,
  B: Uint8Array,
  h: Int16Array,
  H: Uint16Array,
  i: Int32Array,
  I: Uint32Array,
  l: Int32Array,
  L: Uint32Array,
  q: BigInt64Array,
  Q: BigUint64Array,
  f: Float32Array,
  d: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  bigint64: BigInt64Array,
  biguint64: BigUint64Array,
  float32: Float32Array,
  float64: Float64Array,
};

const kinds = new Map<string, Kind>(
  (Object.entries(classes) as [TypeCode, Class][]).map(([code, View]) => [code, {
    code,
    View,
    size: View.BYTES_PER_ELEMENT,
    holds: /^[qQ]|^big/.test(code) ? "bigints" : /^[fd]|^float/.test(code) ? "numbers" : "whole numbers",
    scratch: new View(1),
  }]),
);

/** What `code` stands for. Throws a {@link ValueError} if there is no such code. */
export function kindOf(code: unknown): Kind {
  const kind = kinds.get(code as string);
  if (kind === undefined) {
    const shown = typeof code === "string" ? JSON.stringify(code) : String(code);
    throw new ValueError(`bad typecode: ${shown} is none of ${[...kinds.keys()].join(" ")}`);
  }
  return kind;
}

/**
 * The value as memory of this kind keeps it: integers that are too large wrap around, as in a typed array.
 *
 * @throws {TypeError} If it is no number, or one with a fraction where whole numbers belong.
 */
export function checked(kind: Kind, value: unknown): Numeric {
  const { scratch, holds, code } = kind;
  if (holds === "bigints") {
    if (typeof value === "number" && Number.isInteger(value)) value = BigInt(value);
    if (typeof value !== "bigint") throw wrongType(code, holds, value);
  } else {
    if (typeof value !== "number") throw wrongType(code, holds, value);
    if (holds === "whole numbers" && !Number.isInteger(value)) throw wrongType(code, holds, value);
  }
  scratch[0] = value as Numeric;
  return scratch[0]!;
}

function wrongType(code: TypeCode, holds: string, value: unknown): TypeError {
  const shown = typeof value === "string"
    ? JSON.stringify(value)
    : typeof value === "bigint"
    ? `${value}n`
    : typeof value === "object" && value !== null
    ? "an object"
    : String(value);
  const cure = typeof value === "bigint"
    ? 'use type "q" for bigints, or Number() of it'
    : typeof value === "number"
    ? 'use type "d" for fractions, or Math.trunc() of it'
    : `give a ${holds === "bigints" ? "bigint" : "number"}`;
  return new TypeError(`Cannot store ${shown} in memory of type "${code}": it holds ${holds}; ${cure}`);
}

/** All of `values` as memory of this kind keeps them; `values` is a size instead for so many zeros. */
export function checkedAll(kind: Kind, values: Iterable<unknown>): View {
  const list = [...values];
  const view = new kind.View(list.length);
  for (let i = 0; i < list.length; i++) view[i] = checked(kind, list[i]);
  return view;
}

/** New shared memory. */
export function newMemory(sizeBytes: number): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(sizeBytes);
  } catch (cause) {
    throw new ValueError(`Cannot share ${sizeBytes} bytes of memory: there is not so much`, { cause });
  }
}

/** The error for what needs memory that is not here; `instead` does without. */
export function noMemoryHere(what: string, instead: string): RuntimeError {
  return new RuntimeError(
    `Cannot use ${what} here: this memory lives in another operating-system process, as between a "spawn" child and its ` +
      `parent; use \`await ${instead}\`, or the start method "worker"`,
  );
}
