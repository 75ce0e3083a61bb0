/**
 * How a value becomes bytes and a value again.
 *
 *     encode(value) ─► bytes ······················· decode() ─► value
 *                  └─► attachments, transfer ─ posted ─┘
 *
 * Plain data is written by the encoder itself. Instances of a class travel if the class is registered (see
 * `registry.ts`), and so arrive as what they were. Memory that is shared, and ports, cannot be written: they go
 * beside the bytes, as attachments, for the engine to bring over.
 *
 * Invariants: the same object twice in one message is one object on arrival; a value that is refused leaves
 * nothing behind, and nothing is detached before all is written; decode() trusts no byte.
 *
 * What does not travel, as with `structuredClone()`: symbol keys, getters (their value does), property
 * attributes, `lastIndex` of a RegExp. Neither do the named properties of an array, nor that an ArrayBuffer is
 * resizable. A view takes along only that part of its buffer which the views in the message cover.
 */

import { Decoder } from "./_decoder.ts";
import { Encoder } from "./_encoder.ts";

export { describe } from "./_refusal.ts";

/** A value on its way. */
export interface Packed {
  /** A view of a scratch buffer that is used again: valid until the next `encode()`. */
  bytes: Uint8Array;
  /** What the bytes refer to and must be posted beside them. */
  attachments: unknown[];
  /** Which of it changes hands; and what the caller asked to transfer besides. */
  transfer: Transferable[];
}

/** Where a value goes, and how. */
export interface EncodeOptions {
  /** The word that paths in error messages start with, such as `args`; `value` when left out. */
  root?: string;
  /** Who is to receive it, for error messages, such as `process "eater"`; `another process` when left out. */
  receiver?: string;
  /** Whether it goes to another OS process, to which only bytes can go. */
  wire?: boolean;
  /** What changes hands instead of being copied. On the wire it is copied and then detached. */
  transfer?: readonly Transferable[];
  /** Handed to every `pack()`. */
  context?: unknown;
}

// One of each serves all: only a pack() that encodes, or an unpack() that decodes, needs another.
const encoder = new Encoder(16_384);
const decoder = new Decoder();

/**
 * Turns a value into bytes.
 *
 * @param value The value.
 * @param options Where it goes.
 * @returns The bytes, and what goes beside them.
 * @throws {PicklingError} If something in it cannot travel; the message names the path to it.
 */
export function encode(value: unknown, options?: EncodeOptions): Packed {
  return (encoder.busy ? new Encoder(1_024) : encoder).encode(value, options);
}

/**
 * Turns bytes into the value again. Nothing in the result refers to the input.
 *
 * @param bytes What `encode()` gave.
 * @param attachments What was posted beside it, in the same order.
 * @param context Handed to every `unpack()`.
 * @param transit Whether this process only hands the value on. Then no code of the user's runs: an instance of a user's
 * class stays what it was packed as, and encodes as that.
 * @returns The value.
 * @throws {RangeError} If the bytes are not what `encode()` gives, or an `unpack()` threw, whose error is its cause.
 * Errors of this library come through an `unpack()` as they are.
 */
export function decode(
  bytes: Uint8Array,
  attachments: readonly unknown[] = [],
  context?: unknown,
  transit = false,
): unknown {
  return (decoder.busy ? new Decoder() : decoder).decode(bytes, attachments, context, transit);
}
