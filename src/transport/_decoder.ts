/**
 * The half of the codec that reads. The format is told in `_tags.ts`.
 *
 * The input is not trusted: nothing is allocated on the word of a count, only as the bytes themselves come.
 */

import * as errors from "../base/errors.ts";
import { describe } from "./_refusal.ts";
import { errorClassByName, functionTraveller, Stranger, travellerByTag } from "./registry.ts";
import type { UnpackContext } from "./registry.ts";
import {
  ARRAY,
  ASCII,
  ATTACHED,
  BARE_OBJECT,
  BIGINT,
  BOX,
  BUFFER,
  DATE,
  ERROR,
  FALSE,
  FLOAT64,
  FUNCTION,
  HOLES,
  INT32,
  isStackOverflow,
  KEY_END,
  LONG_KEY,
  MAP,
  MAX_DEPTH,
  NULL,
  OBJECT,
  REF,
  REGEXP,
  SET,
  SHORT_KEY,
  SMALL,
  TRAVELLER,
  TRUE,
  UNDEFINED,
  UTF16,
  UTF8,
  VIEW,
  VIEW_CLASSES,
} from "./_tags.ts";

/** Takes the number of something that is not built yet. */
const PENDING = Symbol("pending");
const KEPT_REFS = 64;
const NONE: readonly unknown[] = [];
const NOTHING = new Uint8Array(0);
/** Below this length a loop beats the engine's decoder. */
const LOOP_LENGTH = 16;

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** For an even number of bytes. */
function utf16(bytes: Uint8Array): string {
  const units = new Uint16Array(new Uint8Array(bytes).buffer); // a copy, for the alignment
  let text = "";
  // In pieces, for the arguments of a call lie on the stack.
  for (let at = 0; at < units.length; at += 4_096) {
    text += String.fromCharCode(...units.subarray(at, at + 4_096));
  }
  return text;
}

const double = new Float64Array(1);
const octets = new Uint8Array(double.buffer);

// The keys met last, by a cheap hash of their bytes: the same few come over and over, and comparing is faster
// than building a string and looking it up among all property names.
const KEY_CACHE = 512;
const keys: string[] = new Array(KEY_CACHE).fill("");

/** Reads one message at a time. */
export class Decoder {
  /** Whether a message is being read; an `unpack()` that decodes meanwhile needs another decoder. */
  busy = false;
  /** Whether something of the last message is left: its end may have found no room on the stack to clear up. */
  #dirty = false;

  #bytes: Uint8Array = NOTHING;
  #at = 0;
  #end = 0;
  #depth = 0;
  /** What has an identity, by its number. Short ones are cleared and used again. */
  #refs: unknown[] = [];
  #count = 0;
  #buffers: ArrayBuffer[] | undefined;
  #buffersUsed = 0;
  /** Where each buffer of the store began in the one it was cut from. */
  readonly #starts = new WeakMap<object, number>();
  #attachments = NONE;
  #context: unknown;
  #transit = false;
  #unpackContext: UnpackContext | undefined;

  decode(
    bytes: Uint8Array,
    attachments: readonly unknown[],
    context: unknown,
    transit: boolean,
  ): unknown {
    if (this.#dirty) this.#reset();
    this.busy = this.#dirty = true;
    this.#bytes = bytes;
    this.#end = bytes.length;
    this.#attachments = attachments;
    this.#context = context;
    this.#transit = transit;
    try {
      const value = this.#read();
      if (this.#at !== this.#end) {
        this.#fail(`the value ends here and ${this.#end - this.#at} bytes are left over`);
      }
      return value;
    } catch (error) {
      if (isStackOverflow(error)) this.#fail("the value is nested too deeply for the stack");
      throw error;
    } finally {
      this.busy = false;
      this.#reset();
    }
  }

  #reset(): void {
    this.#bytes = NOTHING;
    this.#at = this.#end = this.#depth = 0;
    if (this.#count > KEPT_REFS) this.#refs = [];
    else for (let i = 0; i < this.#count; i++) this.#refs[i] = undefined;
    this.#count = 0;
    this.#buffers = this.#context = this.#unpackContext = undefined;
    this.#buffersUsed = 0;
    this.#attachments = NONE;
    this.#dirty = false;
  }

  #fail(what: string, cause?: unknown): never {
    throw new RangeError(
      `Cannot decode byte ${this.#at}: ${what}`,
      cause === undefined ? undefined : { cause },
    );
  }

  // --- small parts

  #byte(): number {
    if (this.#at >= this.#end) this.#fail("the message ends too early");
    return this.#bytes[this.#at++] as number;
  }

  #number(): number {
    let n = 0;
    let unit = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.#byte();
      n += (byte & 0x7f) * unit;
      if (byte < 0x80) {
        if (n > Number.MAX_SAFE_INTEGER) break;
        return n;
      }
      unit *= 0x80;
    }
    return this.#fail("a number is too large");
  }

  /** Where `length` bytes begin that are surely there; they count as read. */
  #skip(length: number): number {
    const start = this.#at;
    if (length > this.#end - start) {
      this.#fail(`${length} bytes are announced and ${this.#end - start} are left`);
    }
    this.#at = start + length;
    return start;
  }

  #int32(): number {
    const at = this.#skip(4);
    const bytes = this.#bytes as ArrayLike<number> as number[];
    return bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
  }

  #float64(): number {
    const at = this.#skip(8);
    // Byte by byte: a DataView of the input would cost more than the few numbers most messages hold.
    for (let i = 0; i < 8; i++) octets[i] = this.#bytes[at + i] as number;
    return double[0] as number;
  }

  #enter(): void {
    if (++this.#depth > MAX_DEPTH) this.#fail(`the value is nested more than ${MAX_DEPTH} levels deep`);
  }

  #remember<T>(thing: T): T {
    this.#refs[this.#count++] = thing;
    return thing;
  }

  #reserveRef(): number {
    this.#refs[this.#count] = PENDING;
    return this.#count++;
  }

  // --- values

  #read(): unknown {
    const tag = this.#byte();
    if (tag >= SMALL) return tag - SMALL;
    switch (tag) {
      case ASCII:
        return this.#ascii(this.#byte());
      case OBJECT:
        return this.#object(this.#remember({}));
      case ARRAY:
        return this.#array();
      case NULL:
        return null;
      case TRUE:
        return true;
      case FALSE:
        return false;
      case INT32:
        return this.#int32();
      case FLOAT64:
        return this.#float64();
      case UNDEFINED:
        return undefined;
      case REF:
        return this.#ref();
      case UTF8:
      case UTF16:
        return this.#longString(tag);
      case VIEW:
        return this.#view();
      default:
        return this.#readRarer(tag);
    }
  }

  #readRarer(tag: number): unknown {
    switch (tag) {
      case MAP:
        return this.#map();
      case SET:
        return this.#set();
      case DATE:
        return this.#remember(new Date(this.#float64()));
      case BIGINT:
        return this.#bigint();
      case BARE_OBJECT:
        return this.#object(this.#remember(Object.create(null)));
      case BUFFER:
        return this.#remember(this.#buffer());
      case ATTACHED:
        return this.#attached();
      case TRAVELLER:
        return this.#traveller();
      case FUNCTION:
        return this.#function();
      case ERROR:
        return this.#error();
      case REGEXP:
        return this.#regExp();
      case BOX:
        return this.#box();
      default:
        this.#at--;
        return this.#fail(`no value begins with ${tag}`);
    }
  }

  #ref(): unknown {
    const number = this.#number();
    const thing = number < this.#count ? this.#refs[number] : PENDING;
    if (thing === PENDING) this.#fail(`object ${number} is referred to before it is there`);
    return thing;
  }

  #bigint(): bigint {
    const negative = this.#byte() === 1;
    const start = this.#skip(this.#number());
    if (start === this.#at) this.#fail("a bigint has no digits");
    try {
      const n = BigInt("0x" + this.#bytes.subarray(start, this.#at).toHex());
      return negative ? -n : n;
    } catch (error) {
      return this.#fail("a bigint is too large", error);
    }
  }

  // --- strings

  #ascii(length: number): string {
    const start = this.#skip(length);
    if (length >= LOOP_LENGTH) return utf8.decode(this.#bytes.subarray(start, this.#at));
    const bytes = this.#bytes;
    let text = "";
    for (let i = start; i < this.#at; i++) text += String.fromCharCode(bytes[i] as number);
    return text;
  }

  #longString(tag: number): string {
    if (tag === UTF8) {
      const start = this.#skip(this.#int32() >>> 0);
      return utf8.decode(this.#bytes.subarray(start, this.#at));
    }
    const length = this.#number();
    if (length % 2 !== 0) this.#fail("a UTF-16 string has half a unit");
    const start = this.#skip(length);
    return utf16(this.#bytes.subarray(start, this.#at));
  }

  /** A string where nothing else may be. */
  #string(): string {
    const tag = this.#byte();
    if (tag === ASCII) return this.#ascii(this.#byte());
    if (tag === UTF8 || tag === UTF16) return this.#longString(tag);
    return this.#fail("a string is missing");
  }

  /** A key, or `undefined` at the end of the keys. */
  #key(): string | undefined {
    const length = this.#byte();
    if (length > SHORT_KEY) {
      if (length === KEY_END) return undefined;
      return length === LONG_KEY ? this.#string() : this.#fail(`no key begins with ${length}`);
    }
    if (length === 0) return "";
    const start = this.#skip(length);
    const bytes = this.#bytes as ArrayLike<number> as number[];
    const slot =
      (length * 37 + bytes[start]! * 11 + bytes[start + (length >> 1)]! * 5 + bytes[this.#at - 1]! * 3) %
      KEY_CACHE;
    const cached = keys[slot] as string;
    compare: if (cached.length === length) {
      for (let i = 0; i < length; i++) if (cached.charCodeAt(i) !== bytes[start + i]) break compare;
      return cached;
    }
    this.#at = start;
    // Through an object, so that what is kept is the engine's own copy of the name: the one that compares fastest.
    return keys[slot] = Object.keys({ [this.#ascii(length)]: 0 })[0] as string;
  }

  // --- containers

  #object(target: Record<string, unknown>): object {
    this.#enter();
    for (let key = this.#key(); key !== undefined; key = this.#key()) {
      const item = this.#read();
      if (key === "__proto__") define(target, key, item, true); // assigning would change the prototype
      else target[key] = item;
    }
    this.#depth--;
    return target;
  }

  #array(): unknown[] {
    this.#enter();
    const items: unknown[] = this.#remember([]);
    const length = this.#number();
    if (length > 0xffff_ffff) this.#fail(`no array has ${length} items`);
    for (let i = 0; i < length; i++) {
      if (this.#bytes[this.#at] === HOLES) {
        this.#at++;
        this.#holes(items, length);
        break;
      }
      items[i] = this.#read();
    }
    this.#depth--;
    return items;
  }

  #holes(items: unknown[], length: number): void {
    let least = items.length;
    items.length = length;
    for (let left = this.#number(); left > 0; left--) {
      const place = this.#number();
      if (place < least || place >= length) this.#fail(`an item has the impossible index ${place}`);
      items[place] = this.#read();
      least = place + 1;
    }
  }

  #map(): Map<unknown, unknown> {
    this.#enter();
    const map = this.#remember(new Map<unknown, unknown>());
    for (let left = this.#number(); left > 0; left--) {
      const key = this.#read();
      map.set(key, this.#read());
    }
    this.#depth--;
    return map;
  }

  #set(): Set<unknown> {
    this.#enter();
    const set = this.#remember(new Set<unknown>());
    for (let left = this.#number(); left > 0; left--) set.add(this.#read());
    this.#depth--;
    return set;
  }

  #regExp(): RegExp {
    const source = this.#string();
    const flags = this.#string();
    try {
      return this.#remember(new RegExp(source, flags));
    } catch (error) {
      return this.#fail("a regular expression is not valid", error);
    }
  }

  #box(): object {
    const number = this.#reserveRef();
    const tag = this.#bytes[this.#at] ?? UNDEFINED;
    if (tag === UNDEFINED || tag === NULL || (tag >= FUNCTION && tag < SMALL)) {
      this.#fail("a primitive is missing");
    }
    return this.#refs[number] = Object(this.#read());
  }

  // --- memory

  #buffer(): ArrayBuffer {
    this.#buffers ??= this.#openStore();
    const buffer = this.#buffers[this.#buffersUsed++];
    return buffer ?? this.#fail("a buffer is missing");
  }

  #openStore(): ArrayBuffer[] {
    const valueAt = this.#at;
    const footer = this.#end - 8;
    if (footer < valueAt) this.#fail("the store of the buffers is missing");
    this.#at = footer;
    const storeAt = this.#float64();
    if (!(Number.isInteger(storeAt) && storeAt >= valueAt && storeAt < footer)) {
      this.#fail("the store of the buffers is not where it should be");
    }
    this.#at = storeAt;
    this.#end = footer;
    const buffers: ArrayBuffer[] = [];
    for (let left = this.#number(); left > 0; left--) {
      const origin = this.#number();
      const start = this.#skip(this.#number());
      // slice() copies, also from a view that is a Node Buffer, whose own slice() does not.
      const { buffer } = Uint8Array.prototype.slice.call(this.#bytes, start, this.#at);
      if (origin > 0) this.#starts.set(buffer, origin);
      buffers.push(buffer);
    }
    if (this.#at !== footer) this.#fail("the store of the buffers is longer than what is in it");
    this.#at = valueAt;
    this.#end = storeAt;
    return buffers;
  }

  #view(): ArrayBufferView {
    const number = this.#reserveRef();
    // Only their common part matters here.
    const Class = VIEW_CLASSES[this.#byte()] as typeof Uint8Array | undefined;
    if (Class === undefined) this.#fail("there is no such kind of view");
    const tag = this.#byte();
    const buffer = tag === BUFFER
      ? this.#remember(this.#buffer())
      : tag === REF
      ? this.#ref()
      : tag === ATTACHED
      ? this.#attached()
      : undefined;
    const offset = this.#number();
    const length = this.#number();
    if (!(buffer instanceof ArrayBuffer || buffer instanceof SharedArrayBuffer)) {
      return this.#fail("a view has no buffer");
    }
    try {
      return this.#refs[number] = new Class(
        buffer,
        offset - (this.#starts.get(buffer) ?? 0),
        length,
      );
    } catch (error) {
      return this.#fail("a view reaches beyond its buffer", error);
    }
  }

  #attached(): unknown {
    const place = this.#number();
    if (place >= this.#attachments.length) {
      this.#fail(`attachment ${place} is used and ${this.#attachments.length} came along`);
    }
    return this.#remember(this.#attachments[place]);
  }

  // --- classes

  #traveller(): object {
    this.#enter();
    const number = this.#reserveRef();
    const tag = this.#key();
    const traveller = tag === undefined ? undefined : travellerByTag(tag);
    if (this.#transit && tag !== undefined && (traveller === undefined || traveller.foreign)) {
      const stranger = new Stranger(tag, this.#read());
      this.#depth--;
      return this.#refs[number] = stranger;
    }
    if (traveller === undefined) {
      return this.#fail(`no class is registered under "${tag}"; import the module that registers it`);
    }
    const payload = this.#read();
    this.#unpackContext ??= { attachments: this.#attachments, context: this.#context };
    let thing: object;
    try {
      thing = traveller.unpack(payload, this.#unpackContext);
    } catch (error) {
      return this.#unpackFailed(`an instance of "${tag}"`, error);
    }
    this.#depth--;
    return this.#refs[number] = thing;
  }

  #function(): unknown {
    this.#enter();
    const payload = this.#read();
    const functions = functionTraveller();
    if (functions === undefined) {
      return this.#fail("a function came, and nothing here knows how functions travel");
    }
    this.#depth--;
    try {
      return functions.unpack(payload);
    } catch (error) {
      return this.#unpackFailed("a function", error);
    }
  }

  /** The errors of this library are meant for the caller; any other means that the payload makes no sense. */
  #unpackFailed(what: string, error: unknown): never {
    if (isStackOverflow(error) || Object.values(errors).some((Class) => error instanceof Class)) throw error;
    return this.#fail(`${what} cannot be rebuilt: ${describe(error)}`, error);
  }

  #error(): Error {
    this.#enter();
    const className = this.#key();
    const Class = className === undefined ? undefined : errorClassByName(className);
    if (Class === undefined) return this.#fail(`no error class is called "${className}"`);
    const message = this.#optionalString();
    const name = this.#optionalString();
    // Without the constructor of the class, which may want other arguments; yet a true error, not a look-alike.
    const dom = Class === DOMException || Class.prototype instanceof DOMException;
    const error: Error = this.#remember(
      dom
        ? Reflect.construct(DOMException, [message, name], Class)
        : Reflect.construct(Error, message === undefined ? [] : [message], Class),
    );
    if (!dom && name !== undefined) define(error, "name", name, false);
    this.#properties(error, false);
    this.#properties(error, true);
    this.#depth--;
    return error;
  }

  #optionalString(): string | undefined {
    if (this.#bytes[this.#at] !== UNDEFINED) return this.#string();
    this.#at++;
    return undefined;
  }

  #properties(error: Error, enumerable: boolean): void {
    for (let key = this.#key(); key !== undefined; key = this.#key()) {
      define(error, key, this.#read(), enumerable);
    }
  }
}

function define(target: object, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(target, key, { value, enumerable, writable: true, configurable: true });
}
