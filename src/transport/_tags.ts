/**
 * The bytes that say what follows. A message is one value, and after it, if it holds ArrayBuffers, the store:
 *
 *     message = value [store]
 *     store   = count, then for each BUFFER in the order of the value: start, length, bytes; then 8 bytes:
 *               where the store begins (float64)
 *
 * A value is a tag and what the tag announces. Counts and lengths are base-128 numbers, low digits first.
 * Numbers are little-endian, as on every machine Deno runs on. Everything with an identity (all from REF down
 * to TRAVELLER, but for REF itself) takes the next number, counted from 0, before its parts do; REF names one.
 *
 * The store stands apart because two views may share a buffer: only at the end is it known which part of it
 * was needed, so a small view of a large buffer takes little room and sharing is still kept.
 */
export const UNDEFINED = 0;
export const NULL = 1;
export const FALSE = 2;
export const TRUE = 3;
/** 4 bytes. */
export const INT32 = 4;
/** 8 bytes. */
export const FLOAT64 = 5;
/** Sign (0 or 1), length, magnitude with the high byte first. */
export const BIGINT = 6;
/** One byte for the length, ASCII. */
export const ASCII = 7;
/** 4 bytes for the length, UTF-8. */
export const UTF8 = 8;
/** Length in bytes, UTF-16 code units: for strings with lone surrogates, which UTF-8 cannot say. */
export const UTF16 = 9;
/** The value of a FunctionTraveller. No identity of its own: the same payload finds the same function. */
export const FUNCTION = 10;

/** The number of something that came before. */
export const REF = 11;
/** Length, items; HOLES in the place of an item ends the list. */
export const ARRAY = 12;
/** Only within ARRAY: count of the items after the first hole, then index and item for each. */
export const HOLES = 13;
/** Keys and values up to KEY_END. */
export const OBJECT = 14;
/** The same without a prototype. */
export const BARE_OBJECT = 15;
/** Size, keys and values. */
export const MAP = 16;
/** Size, values. */
export const SET = 17;
/** 8 bytes. */
export const DATE = 18;
/** Source, flags. */
export const REGEXP = 19;
/** The primitive in the box. */
export const BOX = 20;
/** The next buffer of the store. */
export const BUFFER = 21;
/** Kind (an index of VIEW_CLASSES), buffer, offset, length. */
export const VIEW = 22;
/** The place among the attachments. */
export const ATTACHED = 23;
/** Class, message, name, hidden properties up to KEY_END, enumerable properties up to KEY_END. */
export const ERROR = 24;
/** Tag as a key, payload. */
export const TRAVELLER = 25;

/** From here on the tag is itself an integer, 0 to 127. */
export const SMALL = 0x80;

/** A key up to this length is a length byte and ASCII. */
export const SHORT_KEY = 64;
/** The key follows as a string value. */
export const LONG_KEY = 0xfe;
export const KEY_END = 0xff;

/** A string up to this length, if ASCII, is written as such: below it a loop beats the engine's encoder. */
export const SHORT_TEXT = 40;

/**
 * How deep values may be nested. Both sides recurse, and the stack of the receiver may be emptier or fuller than
 * the sender's: a limit well below both lets the sender refuse what the receiver could not read.
 */
export const MAX_DEPTH = 1_000;

/** The classes that look into a buffer. Their order is part of the format. */
export const VIEW_CLASSES = [
  DataView,
  Uint8Array,
  Int8Array,
  Uint8ClampedArray,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float16Array,
  Float32Array,
  Float64Array,
  BigUint64Array,
  BigInt64Array,
] as const;

/** The stack ran out, which is told apart from any other RangeError by nothing but its text. */
export function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message === "Maximum call stack size exceeded";
}
