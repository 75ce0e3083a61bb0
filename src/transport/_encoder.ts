/** The half of the codec that writes. The format is told in `_tags.ts`. */

import { PicklingError } from "../base/errors.ts";
import type { EncodeOptions, Packed } from "./codec.ts";
import { describe, memberStep, propertyStep, reasonAgainst, Refusal } from "./_refusal.ts";
import { errorClassByName, errorNameOf, functionTraveller, travellerOf } from "./registry.ts";
import type { PackContext, Traveller } from "./registry.ts";
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
  SHORT_TEXT,
  SMALL,
  TRAVELLER,
  TRUE,
  UNDEFINED,
  UTF16,
  UTF8,
  VIEW,
  VIEW_CLASSES,
} from "./_tags.ts";

/** A scratch buffer that grew beyond this is not kept after the message. */
const KEPT_BYTES = 1 << 20;
/** For results up to this length the views of the scratch buffer are kept: making one costs more than writing. */
const KEPT_VIEWS = 256;
/** Up to this many objects are looked up one by one, beyond it in a Map. */
const FEW = 8;
/** A longer text gets room for one byte per unit first, for three only if it turns out to need them. */
const LONG_TEXT = 4_096;

const NO_OPTIONS: EncodeOptions = {};
const utf8 = new TextEncoder();
const plainPrototype = Object.prototype;
const arrayPrototype = Array.prototype;
const hasOwn = Object.prototype.hasOwnProperty;
// Node's Buffer is no more than a Uint8Array to structuredClone() either. By name, since importing it costs 5 ms.
function bufferKind(prototype: object): number | undefined {
  const isBuffer = Object.getPrototypeOf(prototype) === Uint8Array.prototype &&
    prototype.constructor.name === "Buffer";
  return isBuffer ? VIEW_CLASSES.indexOf(Uint8Array) : undefined;
}

const viewKinds = new Map<object, number>(VIEW_CLASSES.map((Class, kind) => [Class.prototype, kind]));

/** The part of an ArrayBuffer that the message needs. */
interface Range {
  start: number;
  end: number;
}

/** Writes one message at a time. */
export class Encoder {
  /** Whether a message is being written; a `pack()` that encodes meanwhile needs another encoder. */
  busy = false;
  /** Whether something of the last message is left: its end may have found no room on the stack to clear up. */
  #dirty = false;

  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #at = 0;
  #kept: Uint8Array<ArrayBuffer>;
  #views: Uint8Array[] = [];
  #depth = 0;

  // What has an identity, in the order of its numbers: in #few, and once that is full in #many.
  #few: unknown[] = new Array(FEW).fill(undefined);
  #many: Map<unknown, number> | undefined;
  #count = 0;

  /** The travellers whose payload is being written: they cannot be referred to, for they are not yet built. */
  #open: number[] = [];
  #ranges: Map<ArrayBuffer, Range> | undefined;
  #given: Set<unknown> | undefined;
  #attachments: unknown[] = [];
  #transfer: Transferable[] = [];
  #options: EncodeOptions = NO_OPTIONS;
  #packContext: PackContext | undefined;
  /** What was done for the message elsewhere, and is taken back if it is refused. */
  readonly #undos: (() => void)[] = [];

  constructor(size: number) {
    this.#bytes = this.#kept = new Uint8Array(size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  encode(value: unknown, options: EncodeOptions | undefined): Packed {
    if (this.#dirty) {
      this.#takeBack();
      this.#reset();
    }
    this.busy = this.#dirty = true;
    try {
      if (options !== undefined) {
        this.#options = options;
        if (options.transfer !== undefined && options.transfer.length > 0) this.#give(options.transfer);
      }
      this.#write(value);
      if (this.#ranges !== undefined) this.#store(this.#ranges);
      if (this.#given !== undefined) this.#handOver(this.#given);
      this.#undos.length = 0;
      return { bytes: this.#result(), attachments: this.#attachments, transfer: this.#transfer };
    } catch (error) {
      this.#takeBack();
      if (error instanceof PicklingError) throw error; // about the transfer list, and complete
      throw refusal(error).toError(options?.root ?? "value", this.#receiver());
    } finally {
      this.busy = false;
      this.#reset();
    }
  }

  #takeBack(): void {
    while (this.#undos.length > 0) this.#undos.pop()!();
  }

  #reset(): void {
    this.#at = this.#depth = 0;
    if (this.#count > 0) {
      for (let i = 0; i < this.#count && i < FEW; i++) this.#few[i] = undefined;
      this.#many = undefined;
      this.#count = 0;
      this.#ranges = undefined;
      this.#open.length = 0;
    }
    this.#given = this.#packContext = undefined;
    this.#options = NO_OPTIONS;
    this.#attachments = [];
    this.#transfer = [];
    if (this.#bytes !== this.#kept) {
      if (this.#bytes.length <= KEPT_BYTES) {
        this.#kept = this.#bytes;
        this.#views = [];
      } else {
        this.#bytes = this.#kept;
        this.#view = new DataView(this.#kept.buffer);
      }
    }
    this.#dirty = false;
  }

  #result(): Uint8Array {
    const length = this.#at;
    if (length >= KEPT_VIEWS || this.#bytes !== this.#kept) return this.#bytes.subarray(0, length);
    return this.#views[length] ??= this.#bytes.subarray(0, length);
  }

  #receiver(): string {
    return this.#options.receiver ?? "another process";
  }

  // --- room and small parts

  #reserve(more: number): void {
    if (this.#at + more > this.#bytes.length) this.#grow(this.#at + more);
  }

  #grow(needed: number): void {
    const size = Math.max(this.#bytes.length * 2, needed);
    let bytes;
    try {
      bytes = new Uint8Array(size);
    } catch (cause) {
      throw new Refusal(
        `the message takes more than ${this.#bytes.length} bytes, and there is no memory for that`,
        cause,
      );
    }
    bytes.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  #byte(byte: number): void {
    this.#reserve(1);
    this.#bytes[this.#at++] = byte;
  }

  #number(n: number): void {
    this.#reserve(8);
    while (n >= 0x80) {
      this.#bytes[this.#at++] = n % 0x80 + 0x80;
      n = Math.floor(n / 0x80);
    }
    this.#bytes[this.#at++] = n;
  }

  #float64(n: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#at, n, true);
    this.#at += 8;
  }

  /** A container begins. Its end takes one from #depth. */
  #enter(tag: number): void {
    if (++this.#depth > MAX_DEPTH) throw tooDeep();
    this.#byte(tag);
  }

  // --- values

  #write(value: unknown): void {
    switch (typeof value) {
      case "string":
        this.#string(value);
        break;
      case "number":
        this.#double(value);
        break;
      case "object":
        if (value === null) this.#byte(NULL);
        else this.#object(value);
        break;
      case "boolean":
        this.#byte(value ? TRUE : FALSE);
        break;
      case "undefined":
        this.#byte(UNDEFINED);
        break;
      case "bigint":
        this.#bigint(value);
        break;
      case "function":
        this.#function(value);
        break;
      default:
        throw new Refusal(reasonAgainst(value));
    }
  }

  #double(n: number): void {
    this.#reserve(9);
    if ((n | 0) === n && (n !== 0 || 1 / n > 0)) {
      if (n >= 0 && n < 0x80) {
        this.#bytes[this.#at++] = SMALL + n;
      } else {
        this.#bytes[this.#at] = INT32;
        this.#view.setInt32(this.#at + 1, n, true);
        this.#at += 5;
      }
    } else {
      this.#bytes[this.#at] = FLOAT64;
      this.#view.setFloat64(this.#at + 1, n, true);
      this.#at += 9;
    }
  }

  #bigint(n: bigint): void {
    const hex = (n < 0n ? -n : n).toString(16);
    const digits = hex.length % 2 === 0 ? hex : "0" + hex;
    this.#byte(BIGINT);
    this.#byte(n < 0n ? 1 : 0);
    this.#number(digits.length / 2);
    this.#reserve(digits.length / 2);
    this.#bytes.subarray(this.#at).setFromHex(digits);
    this.#at += digits.length / 2;
  }

  #string(text: string): void {
    const length = text.length;
    if (length > SHORT_TEXT) return this.#longString(text);
    this.#reserve(length + 2);
    const bytes = this.#bytes;
    const start = this.#at + 2;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) return this.#longString(text);
      bytes[start + i] = unit;
    }
    bytes[start - 2] = ASCII;
    bytes[start - 1] = length;
    this.#at = start + length;
  }

  #longString(text: string): void {
    const length = text.length;
    if (!text.isWellFormed()) {
      this.#byte(UTF16);
      this.#number(length * 2);
      this.#reserve(length * 2);
      for (let i = 0; i < length; i++) this.#view.setUint16(this.#at + i * 2, text.charCodeAt(i), true);
      this.#at += length * 2;
      return;
    }
    this.#reserve(5 + (length > LONG_TEXT ? length : length * 3));
    this.#bytes[this.#at] = UTF8;
    const sizeAt = this.#at + 1;
    this.#at += 5;
    const { read, written } = utf8.encodeInto(text, this.#bytes.subarray(this.#at));
    this.#at += written;
    if (read < length) {
      this.#reserve((length - read) * 3);
      this.#at += utf8.encodeInto(text.slice(read), this.#bytes.subarray(this.#at)).written;
    }
    this.#view.setUint32(sizeAt, this.#at - sizeAt - 4, true);
  }

  #key(key: string): void {
    const length = key.length;
    if (length > SHORT_KEY) return this.#longKey(key);
    this.#reserve(length + 1);
    const bytes = this.#bytes;
    const start = this.#at + 1;
    for (let i = 0; i < length; i++) {
      const unit = key.charCodeAt(i);
      if (unit > 0x7f) return this.#longKey(key);
      bytes[start + i] = unit;
    }
    bytes[start - 1] = length;
    this.#at = start + length;
  }

  #longKey(key: string): void {
    this.#byte(LONG_KEY);
    this.#longString(key);
  }

  #function(fn: NonNullable<unknown>): void {
    let payload: unknown;
    try {
      // deno-lint-ignore ban-types -- typeof said so
      payload = functionTraveller()?.pack(fn as Function);
    } catch (error) {
      throw this.#packFailed(error);
    }
    if (payload === undefined) throw new Refusal(reasonAgainst(fn));
    this.#enter(FUNCTION);
    this.#write(payload);
    this.#depth--;
  }

  // --- what has an identity

  /** The number of `thing`, or -1 if it is new. */
  #known(thing: unknown): number {
    if (this.#many !== undefined) return this.#many.get(thing) ?? -1;
    const few = this.#few;
    for (let i = 0; i < this.#count; i++) if (few[i] === thing) return i;
    return -1;
  }

  #remember(thing: unknown): void {
    if (this.#count < FEW) {
      this.#few[this.#count] = thing;
    } else {
      this.#many ??= new Map(this.#few.map((thing, number) => [thing, number]));
      this.#many.set(thing, this.#count);
    }
    this.#count++;
  }

  /** Forgets everything from the given number on. */
  #forget(from: number): void {
    if (this.#many !== undefined) {
      for (const [thing, number] of this.#many) if (number >= from) this.#many.delete(thing);
      if (from <= FEW) this.#many = undefined;
    }
    if (from < FEW) this.#few.fill(undefined, from);
    this.#count = from;
  }

  #ref(number: number): void {
    if (this.#open.length > 0 && this.#open.includes(number)) {
      throw new Refusal(
        "it leads back to the object it is a part of, which cannot be rebuilt without it; break the cycle",
      );
    }
    this.#byte(REF);
    this.#number(number);
  }

  #object(thing: object): void {
    const number = this.#known(thing);
    if (number >= 0) {
      this.#ref(number);
      if (this.#ranges !== undefined && thing instanceof ArrayBuffer) this.#widen(thing, 0, thing.byteLength);
      return;
    }
    this.#remember(thing);
    if (this.#given !== undefined && this.#given.has(thing) && this.#options.wire !== true) {
      return this.#attached(thing, true);
    }
    const prototype: unknown = Object.getPrototypeOf(thing);
    if (prototype === plainPrototype) this.#plain(thing, OBJECT);
    else if (prototype === arrayPrototype && Array.isArray(thing)) this.#array(thing);
    else this.#other(thing, prototype as object | null);
  }

  #plain(thing: object, tag: number): void {
    this.#enter(tag);
    let key = "";
    try {
      // for-in, for the engine then reads the properties by their place; hasOwn, for it also walks the prototypes.
      for (key in thing) {
        if (!hasOwn.call(thing, key)) continue;
        const item = (thing as Record<string, unknown>)[key];
        this.#key(key);
        this.#write(item);
      }
    } catch (error) {
      throw within(error, propertyStep(key));
    }
    this.#byte(KEY_END);
    this.#depth--;
  }

  #array(items: readonly unknown[]): void {
    const length = items.length;
    this.#enter(ARRAY);
    this.#number(length);
    let i = 0;
    try {
      for (; i < length; i++) {
        const item = items[i];
        if (item === undefined && !hasOwn.call(items, i)) break;
        this.#write(item);
      }
    } catch (error) {
      throw within(error, `[${i}]`);
    }
    if (i < length) this.#holes(items, i, length);
    this.#depth--;
  }

  /** The rest of an array from its first hole on, by what is there: a sparse array may be as long as it likes. */
  #holes(items: readonly unknown[], from: number, length: number): void {
    const places: number[] = [];
    for (const key of Object.keys(items)) {
      const place = Number(key);
      if (String(place >>> 0) !== key || place >= length) break; // the indices come first
      if (place >= from) places.push(place);
    }
    this.#byte(HOLES);
    this.#number(places.length);
    for (const place of places) {
      try {
        this.#number(place);
        this.#write(items[place]);
      } catch (error) {
        throw within(error, `[${place}]`);
      }
    }
  }

  #other(thing: object, prototype: object | null): void {
    const kind = prototype === null ? undefined : viewKinds.get(prototype) ?? bufferKind(prototype);
    if (kind !== undefined) return this.#bufferView(thing as ArrayBufferView, kind);
    switch (prototype) {
      case null:
        return this.#plain(thing, BARE_OBJECT);
      case Map.prototype:
        return this.#map(thing as Map<unknown, unknown>);
      case Set.prototype:
        return this.#set(thing as Set<unknown>);
      case Date.prototype:
        this.#byte(DATE);
        return this.#float64(Date.prototype.getTime.call(thing));
      case RegExp.prototype:
        this.#byte(REGEXP);
        this.#string((thing as RegExp).source);
        return this.#string((thing as RegExp).flags);
      case ArrayBuffer.prototype:
        return this.#buffer(thing as ArrayBuffer, 0, (thing as ArrayBuffer).byteLength);
      case SharedArrayBuffer.prototype:
        return this.#attached(thing, false);
      case Number.prototype:
        this.#byte(BOX);
        return this.#double(Number.prototype.valueOf.call(thing));
      case String.prototype:
        this.#byte(BOX);
        return this.#string(String.prototype.valueOf.call(thing));
      case Boolean.prototype:
        this.#byte(BOX);
        return this.#byte(Boolean.prototype.valueOf.call(thing) ? TRUE : FALSE);
      case BigInt.prototype:
        this.#byte(BOX);
        return this.#bigint(BigInt.prototype.valueOf.call(thing));
    }
    const traveller = travellerOf(thing);
    if (traveller !== undefined) return this.#traveller(thing, traveller);
    if (thing instanceof Error) return this.#error(thing);
    if (thing instanceof MessagePort) return this.#attached(thing, true);
    throw new Refusal(reasonAgainst(thing));
  }

  #map(map: Map<unknown, unknown>): void {
    const size = map.size;
    this.#enter(MAP);
    this.#number(size);
    let done = 0;
    let key: unknown;
    let step = "get";
    try {
      for (const entry of map) {
        key = entry[0];
        if (++done > size) throw changed();
        step = "keys";
        this.#write(key);
        step = "get";
        this.#write(entry[1]);
      }
    } catch (error) {
      throw within(error, memberStep(step, key));
    }
    if (done < size) throw changed();
    this.#depth--;
  }

  #set(set: Set<unknown>): void {
    const size = set.size;
    this.#enter(SET);
    this.#number(size);
    let done = 0;
    let item: unknown;
    try {
      for (item of set) {
        if (++done > size) throw changed();
        this.#write(item);
      }
    } catch (error) {
      throw within(error, memberStep("has", item));
    }
    if (done < size) throw changed();
    this.#depth--;
  }

  // --- memory

  #bufferView(view: ArrayBufferView, kind: number): void {
    const { buffer, byteOffset, byteLength } = view;
    this.#byte(VIEW);
    this.#byte(kind);
    const number = this.#known(buffer);
    if (number >= 0) {
      this.#ref(number);
      this.#widen(buffer, byteOffset, byteOffset + byteLength);
    } else {
      this.#remember(buffer);
      if (this.#given !== undefined && this.#given.has(buffer) && this.#options.wire !== true) {
        this.#attached(buffer, true);
      } else if (buffer instanceof SharedArrayBuffer) {
        this.#attached(buffer, false);
      } else {
        this.#buffer(buffer, byteOffset, byteOffset + byteLength);
      }
    }
    this.#number(byteOffset);
    this.#number(kind === 0 ? byteLength : (view as Uint8Array).length);
  }

  #buffer(buffer: ArrayBuffer, start: number, end: number): void {
    if (buffer.detached) {
      throw new Refusal("it is an ArrayBuffer that was transferred before, so it is empty now; send it once");
    }
    this.#byte(BUFFER);
    this.#ranges ??= new Map();
    // From a multiple of 8, so that every view that was aligned stays so.
    this.#ranges.set(buffer, { start: start - start % 8, end });
  }

  #widen(buffer: ArrayBufferLike, start: number, end: number): void {
    const range = this.#ranges?.get(buffer as ArrayBuffer);
    if (range === undefined) return; // attached, not copied
    range.start = Math.min(range.start, start - start % 8);
    range.end = Math.max(range.end, end);
  }

  #store(ranges: Map<ArrayBuffer, Range>): void {
    const storeAt = this.#at;
    this.#number(ranges.size);
    for (const [buffer, { start, end }] of ranges) {
      const length = end - start;
      this.#number(start);
      this.#number(length);
      this.#reserve(length);
      this.#bytes.set(new Uint8Array(buffer, start, length), this.#at);
      this.#at += length;
    }
    this.#float64(storeAt);
  }

  // --- beside the bytes

  #give(list: readonly Transferable[]): void {
    for (const [i, thing] of list.entries()) {
      const reason = ArrayBuffer.isView(thing)
        ? "a view cannot be transferred; list its buffer instead"
        : thing instanceof SharedArrayBuffer
        ? "a SharedArrayBuffer is shared, never transferred; leave it out of the list"
        : thing instanceof ArrayBuffer
        ? thing.detached ? "it is an ArrayBuffer that was transferred before; transfer it once" : undefined
        : this.#options.wire === true
        ? `it is a ${wireReason(thing)}`
        : undefined;
      if (reason !== undefined) {
        throw new PicklingError(`Cannot transfer transfer[${i}] to ${this.#receiver()}: ${reason}`);
      }
    }
    this.#given = new Set(list);
  }

  /** All is written: what was listed changes hands now, also if the value did not contain it. */
  #handOver(given: Set<unknown>): void {
    if (this.#options.wire === true) {
      for (const thing of given) (thing as ArrayBuffer).transfer();
      return;
    }
    for (const thing of given) {
      if (!this.#transfer.includes(thing as Transferable)) this.#transfer.push(thing as Transferable);
    }
  }

  #attached(thing: object, transfer: boolean): void {
    if (this.#options.wire === true) throw new Refusal(`it is a ${wireReason(thing)}`);
    this.#byte(ATTACHED);
    this.#number(this.#attach(thing, transfer));
  }

  #attach(thing: object, transfer: boolean): number {
    if (transfer && !this.#transfer.includes(thing as Transferable)) {
      this.#transfer.push(thing as Transferable);
    }
    const place = this.#attachments.indexOf(thing);
    return place >= 0 ? place : this.#attachments.push(thing) - 1;
  }

  // --- classes

  #traveller(thing: object, traveller: Traveller): void {
    this.#enter(TRAVELLER);
    this.#key(traveller.tag);
    this.#open.push(this.#count - 1);
    let payload: unknown;
    try {
      payload = traveller.pack(thing, this.#packContext ??= this.#newPackContext());
    } catch (error) {
      throw this.#packFailed(error);
    }
    this.#write(payload);
    this.#open.pop();
    this.#depth--;
  }

  #newPackContext(): PackContext {
    const wire = this.#options.wire === true;
    const receiver = this.#receiver();
    return {
      wire,
      context: this.#options.context,
      attach: (thing, transfer = false) => {
        if (wire) {
          throw new PicklingError(`Cannot send a part of it to ${receiver}: it holds a ${wireReason(thing)}`);
        }
        return this.#attach(thing, transfer);
      },
      onRefusal: (undo) => void this.#undos.push(undo),
    };
  }

  /** What a `pack()` threw, with its own words as the reason. */
  #packFailed(error: unknown): unknown {
    if (isStackOverflow(error)) return error;
    if (!(error instanceof PicklingError)) {
      return new Refusal(`packing it failed with ${describe(error)}`, error);
    }
    const opening = ` to ${this.#receiver()}: `;
    const at = error.message.indexOf(opening);
    return new Refusal(at < 0 ? error.message : error.message.slice(at + opening.length), error);
  }

  // --- errors

  /**
   * An error is news that must arrive: whatever in it cannot travel is left out or becomes its text. So getters
   * that throw are looked at with care, and everything but the class is optional.
   */
  #error(error: Error): void {
    this.#enter(ERROR);
    const className = errorNameOf(error);
    const ancestor: unknown = errorClassByName(className)?.prototype;
    this.#key(className);
    const dom = ancestor instanceof DOMException || ancestor === DOMException.prototype;
    this.#optionalString(
      property(error, "message"),
      dom || hasOwn.call(error, "message"),
      property(ancestor, "message"),
    );
    this.#optionalString(
      property(error, "name"),
      dom || hasOwn.call(error, "name"),
      property(ancestor, "name"),
    );
    for (const key of ["stack", "cause", "errors"]) {
      const descriptor = Object.getOwnPropertyDescriptor(error, key);
      if (descriptor !== undefined && !descriptor.enumerable) this.#lenientProperty(error, key);
    }
    this.#byte(KEY_END);
    for (const key of Object.keys(error)) this.#lenientProperty(error, key);
    this.#byte(KEY_END);
    this.#depth--;
  }

  /** A text that the class itself would not give. */
  #optionalString(text: unknown, own: boolean, inherited: unknown): void {
    if (text === undefined || (!own && text === inherited)) this.#byte(UNDEFINED);
    else this.#string(describe(text));
  }

  #lenientProperty(error: Error, key: string): void {
    let value: unknown;
    try {
      value = (error as unknown as Record<string, unknown>)[key];
    } catch {
      return;
    }
    this.#key(key);
    this.#lenient(value);
  }

  #lenient(value: unknown): void {
    const at = this.#at;
    const depth = this.#depth;
    const count = this.#count;
    const open = this.#open.length;
    const ranges = this.#ranges?.size ?? 0;
    const attachments = this.#attachments.length;
    const transfer = this.#transfer.length;
    try {
      return this.#write(value);
    } catch {
      this.#at = at;
      this.#depth = depth;
      this.#forget(count);
      this.#open.length = open;
      this.#attachments.length = attachments;
      this.#transfer.length = transfer;
      if (this.#ranges !== undefined) {
        for (const buffer of [...this.#ranges.keys()].slice(ranges)) this.#ranges.delete(buffer);
        if (ranges === 0) this.#ranges = undefined;
      }
    }
    // The errors of an AggregateError are as precious as itself.
    if (Array.isArray(value) && this.#depth < MAX_DEPTH) {
      this.#remember(value);
      this.#enter(ARRAY);
      this.#number(value.length);
      for (let i = 0; i < value.length; i++) this.#lenient(value[i]);
      this.#depth--;
    } else {
      this.#string(describe(value));
    }
  }
}

function property(object: unknown, key: string): unknown {
  try {
    return (object as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

function refusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (isStackOverflow(error)) return tooDeep();
  return new Refusal(`it cannot be read: ${describe(error)}`, error);
}

function within(error: unknown, step: string): unknown {
  // A full stack has no room for anything but the way up.
  if (isStackOverflow(error)) return error;
  const refused = refusal(error);
  refused.steps.push(step);
  return refused;
}

function tooDeep(): Refusal {
  return new Refusal(
    `it is nested too deeply, more than ${MAX_DEPTH} levels or than the stack has room for; flatten it`,
  );
}

function changed(): Refusal {
  return new Refusal("it changed while it was being packed; send a copy");
}

function wireReason(thing: unknown): string {
  if (thing instanceof SharedArrayBuffer) {
    return "SharedArrayBuffer, and memory cannot cross to another OS process; send a SharedMemory, or a copy of the bytes";
  }
  if (thing instanceof MessagePort) {
    return "MessagePort, and a port cannot cross to another OS process; send a Connection or a Queue";
  }
  const name = (thing as object).constructor?.name ?? "thing";
  return `${name}, and it cannot cross to another OS process; send what it holds`;
}
