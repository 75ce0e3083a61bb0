/**
 * ShareableList: a list of fixed length in shared memory.
 *
 * ```
 * words:  guard · mark · length · (unused)            then 4 words a slot: where · room · type · size
 * bytes:  the slots, each at a multiple of 8
 * ```
 *
 * A slot is read and written under the guard, so nobody ever sees the type of one item with the bytes of another.
 */

import { RuntimeError, ValueError } from "../base/errors.ts";
import { type Agent, thisAgent } from "../transport/agent.ts";
import { arrive, arriving } from "../transport/arriving.ts";
import { enter, leave } from "../transport/guard.ts";
import { travels } from "../transport/registry.ts";
import {
  type Caller,
  type Exportable,
  packCore,
  type Reference,
  RemoteCore,
  unpackCore,
} from "../transport/remote.ts";
import { constructThere, offerConstruction, randomName, SERVICES } from "./_names.ts";
import { noMemoryHere } from "./_typecode.ts";
import { notAttached, SharedMemory } from "./shared_memory.ts";

/** What a {@link ShareableList} can hold. */
export type ShareableItem = number | bigint | boolean | string | Uint8Array | null;

const GUARD = 0;
const MARK = 1;
const LENGTH = 2;
const HEADER_WORDS = 4;
const SLOT_WORDS = 4;
const WHERE = 0;
const ROOM = 1;
const TYPE = 2;
const SIZE = 3;

/** Tells the memory of a list from any other. */
const A_LIST = 0x6c697374;

const NULL = 0;
const BOOLEAN = 1;
const NUMBER = 2;
const BIGINT = 3;
const STRING = 4;
const BYTES = 5;

/** Slots begin at multiples of this. */
const ALIGNMENT = 8;
const utf8 = new TextEncoder();

interface Encoded {
  readonly type: number;
  readonly bytes: Uint8Array;
}

function encodeItem(item: unknown): Encoded {
  switch (typeof item) {
    case "string":
      return { type: STRING, bytes: utf8.encode(item) };
    case "number":
      return { type: NUMBER, bytes: new Uint8Array(new Float64Array([item]).buffer) };
    case "boolean":
      return { type: BOOLEAN, bytes: new Uint8Array([item ? 1 : 0]) };
    case "bigint":
      if (BigInt.asIntN(64, item) === item) {
        return { type: BIGINT, bytes: new Uint8Array(new BigInt64Array([item]).buffer) };
      }
      throw new ValueError(`Cannot store ${item}n in a shareable list: it does not fit into 64 bits`);
  }
  if (item === null) return { type: NULL, bytes: new Uint8Array(0) };
  if (item instanceof Uint8Array) return { type: BYTES, bytes: item };
  const shown = typeof item === "object" ? `an object of class ${item.constructor?.name}` : String(item);
  throw new TypeError(
    `Cannot store ${shown} in a shareable list: it holds numbers, bigints, booleans, strings, Uint8Arrays and null`,
  );
}

/** `bytes` is a copy. */
function decodeItem(type: number, bytes: Uint8Array<ArrayBuffer>): ShareableItem {
  switch (type) {
    case STRING:
      return new TextDecoder().decode(bytes);
    case NUMBER:
      return new Float64Array(bytes.buffer)[0]!;
    case BOOLEAN:
      return bytes[0] === 1;
    case BIGINT:
      return new BigInt64Array(bytes.buffer)[0]!;
    case BYTES:
      return bytes;
    default:
      return null;
  }
}

interface Items extends Exportable {
  read(start: number, end: number): Promise<ShareableItem[]>;
  write(position: number, item: ShareableItem): Promise<void>;
}

class SharedItems implements Items {
  readonly #agent: Agent = thisAgent();
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, memory.byteLength >> 2);
    this.#bytes = new Uint8Array(memory);
  }

  /** Lays out a new list. */
  static create(items: readonly ShareableItem[], name: string | undefined): [SharedMemory, SharedItems] {
    const encoded = items.map(encodeItem);
    const rooms = encoded.map(({ type, bytes }) =>
      type === STRING || type === BYTES ? ALIGNMENT * (Math.floor(bytes.length / ALIGNMENT) + 1) : ALIGNMENT
    );
    const table = (HEADER_WORDS + SLOT_WORDS * items.length) * 4;
    const size = rooms.reduce((sum, room) => sum + room, table);
    const shm = new SharedMemory({ create: true, size, ...(name !== undefined && { name }) });
    const list = new SharedItems(shm.buf.buffer);
    const words = list.#words;
    let where = table;
    for (const [position, room] of rooms.entries()) {
      const at = list.#slot(position);
      words[at + WHERE] = where;
      words[at + ROOM] = room;
      list.#put(at, encoded[position]!);
      where += room;
    }
    words[LENGTH] = items.length;
    // Last: whoever finds the mark finds a list behind it.
    Atomics.store(words, MARK, A_LIST);
    return [shm, list];
  }

  get isList(): boolean {
    return this.#words.length >= HEADER_WORDS && Atomics.load(this.#words, MARK) === A_LIST;
  }

  get length(): number {
    return this.#words[LENGTH]!;
  }

  get(position: number): ShareableItem {
    return decodeItem(...this.#guarded(() => this.#take(this.#slot(position))));
  }

  set(position: number, item: ShareableItem): void {
    const encoded = encodeItem(item);
    const at = this.#slot(position);
    const room = this.#words[at + ROOM]!;
    if (encoded.bytes.length > room) {
      throw new ValueError(
        `bytes/str item exceeds available storage: it takes ${encoded.bytes.length} bytes and slot ${position} has ` +
          `${room}, by the item it was made with`,
      );
    }
    this.#guarded(() => this.#put(at, encoded));
  }

  format(): string {
    let format = "";
    for (let position = 0; position < this.length; position++) {
      const at = this.#slot(position);
      const type = this.#words[at + TYPE]!;
      const text = type === STRING || type === BYTES;
      format += text ? `${this.#words[at + ROOM]}s` : ["xxxxxx?x", "xxxxxxx?", "d", "q"][type];
    }
    return format;
  }

  read(start: number, end: number): Promise<ShareableItem[]> {
    const items: ShareableItem[] = [];
    for (let position = start; position < end; position++) items.push(this.get(position));
    return Promise.resolve(items);
  }

  write(position: number, item: ShareableItem): Promise<void> {
    return Promise.resolve(this.set(position, item));
  }

  invoke(method: string, args: readonly unknown[], _caller: Caller): unknown {
    return method === "read"
      ? this.read(args[0] as number, args[1] as number)
      : this.write(args[0] as number, args[1] as ShareableItem);
  }

  #slot(position: number): number {
    return HEADER_WORDS + position * SLOT_WORDS;
  }

  #guarded<R>(work: () => R): R {
    enter(this.#agent, this.#words, GUARD);
    try {
      return work();
    } finally {
      leave(this.#words, GUARD);
    }
  }

  #put(at: number, { type, bytes }: Encoded): void {
    this.#bytes.set(bytes, this.#words[at + WHERE]!);
    this.#words[at + TYPE] = type;
    this.#words[at + SIZE] = bytes.length;
  }

  #take(at: number): [number, Uint8Array<ArrayBuffer>] {
    const where = this.#words[at + WHERE]!;
    const bytes = new Uint8Array(this.#words[at + SIZE]!);
    bytes.set(this.#bytes.subarray(where, where + bytes.length));
    return [this.#words[at + TYPE]!, bytes];
  }
}

class RemoteItems extends RemoteCore implements Items {
  async read(start: number, end: number): Promise<ShareableItem[]> {
    return await this.ask("read", [start, end]) as ShareableItem[];
  }

  async write(position: number, item: ShareableItem): Promise<void> {
    await this.ask("write", [position, item]);
  }
}

/** Options of a new {@link ShareableList}. */
export interface ShareableListOptions {
  /** The name of its memory: of a new list, or, without items, of the list to attach to. */
  name?: string | undefined;
}

/** What a list consists of when it exists already. */
interface Existing {
  readonly shm: SharedMemory;
  readonly items: Items;
  readonly length: number;
}

/** What a list consists of in a `"spawn"` child, which learns later whether it exists. */
interface Pending {
  readonly shm: SharedMemory;
  /** Known of a new one. */
  readonly length: number | undefined;
  readonly there: Promise<ShareableList>;
}

/**
 * A list in shared memory: numbers, bigints of 64 bits, booleans, strings, bytes and `null`.
 *
 * - Its length is fixed, and so is the room of each slot, by the item it is made with: 8 bytes, or for a text or
 *   bytes the next multiple of 8 above their size (a text's in UTF-8). Within that, any item may take the place of
 *   any other.
 * - Items are copies: changing bytes that were read changes nothing in the list.
 * - One item is read and written whole, whoever else writes.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.shared_memory.html#multiprocessing.shared_memory.ShareableList | multiprocessing.shared_memory.ShareableList}.
 * There `list[i]` is `list.get(i)` and `list.set(i, item)` here, and zero bytes at the end of a text are lost. In a
 * `"spawn"` child `read` and `write` are what works.
 *
 * @example
 * ```ts
 * import { ShareableList } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const list = new ShareableList(["howdy", -273.154, true, null]);
 * const same = new ShareableList(undefined, { name: list.shm.name });
 * same.set(0, "hello");
 * assert.deepEqual([...list], ["hello", -273.154, true, null]);
 * list.shm.close();
 * list.shm.unlink();
 * ```
 */
export class ShareableList implements Iterable<ShareableItem> {
  readonly #shm: SharedMemory;
  #items: Items | undefined;
  #length: number | undefined;
  /** In a `"spawn"` child: settles when the items are there. */
  readonly #pending: Promise<void> | undefined;

  /**
   * Makes a list, or attaches to one.
   *
   * @param sequence The items of a new list; to attach to the list called `name` when left out.
   * @param options The name.
   * @throws {OSError} With `code` `"EEXIST"` or `"ENOENT"`, as {@link SharedMemory}.
   * @throws {TypeError} If an item is of a type that a list does not hold.
   * @throws {ValueError} If the memory of that name is no list. In a `"spawn"` child this and the `OSError` are what
   * `attached`, `read` and `write` reject with.
   */
  constructor(sequence?: Iterable<ShareableItem>, options?: ShareableListOptions) {
    const given = arriving<Existing>() ?? obtain(sequence, options?.name);
    this.#shm = given.shm;
    this.#length = given.length;
    if ("items" in given) {
      this.#items = given.items;
    } else {
      this.#pending = given.there.then(async (list) => {
        await this.#shm.attached();
        this.#items = list.#items;
        this.#length = list.#length;
      });
      this.#pending.catch(() => {}); // whoever uses the list is told
    }
  }

  /**
   * Waits until the list is attached. Only in a `"spawn"` child that is not so from the beginning; `read` and `write`
   * wait by themselves.
   *
   * @returns The list itself.
   * @throws {OSError} With `code` `"EEXIST"` or `"ENOENT"`, where the constructor could not say so.
   * @throws {ValueError} If the memory of that name is no list.
   *
   * @example In a child of either kind
   * ```ts
   * import { ShareableList } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * const list = new ShareableList(["howdy", 1], { name: "greetings" });
   * // a child that was told the name:
   * const same = await new ShareableList(undefined, { name: "greetings" }).attached();
   * assert.deepEqual(await same.read(), ["howdy", 1]);
   * list.shm.unlink();
   * ```
   */
  async attached(): Promise<this> {
    await this.#pending;
    return this;
  }

  /** The memory of the list, to be closed by every process and unlinked by one. */
  get shm(): SharedMemory {
    return this.#shm;
  }

  /**
   * How many items there are.
   *
   * @throws {RuntimeError} In a `"spawn"` child that attaches by a name and has not waited for
   * {@link ShareableList.attached}.
   */
  get length(): number {
    if (this.#length !== undefined) return this.#length;
    throw new RuntimeError(
      `Cannot tell the length of the list "${this.#shm.name}" yet: a "spawn" child has to ask for it; call ` +
        `\`await list.attached()\` first`,
    );
  }

  /**
   * How the slots are stored now, in the code of Python's `struct`: `d` a number, `q` a bigint, `16s` a text or bytes
   * in 16 bytes, `xxxxxxx?` a boolean, `xxxxxx?x` null.
   */
  get format(): string {
    return this.#here("format").format();
  }

  /**
   * One item.
   *
   * @param position Which; from the end if negative.
   * @returns A copy.
   * @throws {RangeError} If there is no such position.
   * @throws {RuntimeError} In a `"spawn"` child.
   */
  get(position: number): ShareableItem {
    return this.#here("get()").get(this.#checkedPosition("index", position));
  }

  /**
   * Puts an item into the place of another.
   *
   * @param position Which; from the end if negative.
   * @param item The item.
   * @throws {RangeError} If there is no such position.
   * @throws {ValueError} If a text or bytes need more room than the slot has; then nothing is changed.
   * @throws {TypeError} If it is of a type that a list does not hold.
   * @throws {RuntimeError} In a `"spawn"` child.
   *
   * @example Room for eight bytes
   * ```ts
   * import { ShareableList, ValueError } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * const list = new ShareableList(["howdy"]); // 5 bytes, in a slot of 8
   * list.set(0, "good day");
   * assert.throws(() => list.set(0, "good morning"), ValueError);
   * list.set(0, 42n);
   * assert.equal(list.get(-1), 42n);
   * list.shm.unlink();
   * ```
   */
  set(position: number, item: ShareableItem): void {
    this.#here("set()").set(this.#checkedPosition("assignment index", position), item);
  }

  /**
   * How often an item is in the list.
   *
   * @param item The item; bytes are compared by what they hold.
   * @returns How often.
   */
  count(item: ShareableItem): number {
    return [...this].filter((other) => same(item, other)).length;
  }

  /**
   * Where an item is first.
   *
   * @param item The item; bytes are compared by what they hold.
   * @returns Its position.
   * @throws {ValueError} If it is not in the list.
   */
  index(item: ShareableItem): number {
    const position = [...this].findIndex((other) => same(item, other));
    if (position < 0) {
      throw new ValueError(`${typeof item === "string" ? `'${item}'` : item} not in this container`);
    }
    return position;
  }

  /**
   * Copies a part of the list. It works in a `"spawn"` child, too.
   *
   * @param start The first; from the end if negative; 0 when left out.
   * @param end The first that is not copied; from the end if negative; the length when left out.
   * @returns The items.
   */
  async read(start: number = 0, end?: number): Promise<ShareableItem[]> {
    this.#refuseClosed();
    const items = this.#items ?? await this.#attachedItems();
    const { length } = this;
    const clamped = (at: number) => Math.min(Math.max(at < 0 ? at + length : at, 0), length);
    return await items.read(clamped(Math.trunc(start)), clamped(Math.trunc(end ?? length)));
  }

  /**
   * Puts an item into the place of another, as {@link ShareableList.set} does. It works in a `"spawn"` child, too.
   *
   * @param position Which; from the end if negative.
   * @param item The item.
   * @throws {RangeError} If there is no such position.
   * @throws {ValueError} If a text or bytes need more room than the slot has; then nothing is changed.
   * @throws {TypeError} If it is of a type that a list does not hold.
   */
  async write(position: number, item: ShareableItem): Promise<void> {
    this.#refuseClosed();
    encodeItem(item); // refused here, if at all
    const items = this.#items ?? await this.#attachedItems();
    await items.write(this.#checkedPosition("assignment index", position), item);
  }

  /** The items, each as it is when its turn comes. */
  [Symbol.iterator](): IterableIterator<ShareableItem> {
    const items = this.#here("iteration");
    const { length } = this;
    return function* () {
      for (let position = 0; position < length; position++) yield items.get(position);
    }();
  }

  async #attachedItems(): Promise<Items> {
    await this.#pending;
    return this.#items!;
  }

  #refuseClosed(): void {
    if (this.#items instanceof SharedItems) void this.#shm.buf;
  }

  #here(what: string): SharedItems {
    this.#refuseClosed();
    if (this.#items instanceof SharedItems) return this.#items;
    throw noMemoryHere(what, "read() or write()");
  }

  #checkedPosition(what: string, position: number): number {
    const { length } = this;
    const at = position < 0 ? position + length : position;
    if (Number.isInteger(at) && at >= 0 && at < length) return at;
    throw new RangeError(
      `${what} out of range: ${String(position)} is asked for and the list has ${length} items`,
    );
  }

  static {
    travels<ShareableList, [SharedMemory, number, Reference<null>]>(ShareableList, {
      tag: "ShareableList",
      pack(list, context) {
        const items = list.#items;
        if (items === undefined) throw notAttached("list", list.#shm.name, "list");
        return [list.#shm, list.length, packCore(items, context, () => null)];
      },
      unpack([shm, length, reference], context) {
        const local = () => new SharedItems(shm.buf.buffer);
        const items = unpackCore<null, Items>(reference, context, local, RemoteItems);
        return arrive(ShareableList, { shm, items, length });
      },
    });
  }
}

function obtain(sequence: Iterable<ShareableItem> | undefined, name: string | undefined): Existing | Pending {
  const attaches = sequence === undefined && name !== undefined;
  const list = [...sequence ?? []];
  const nameThere = name ?? randomName(32);
  const there = constructThere<ShareableList>(SERVICES.list, () => {
    for (const item of list) encodeItem(item); // refused here, if at all
    return [attaches ? undefined : list, { name: nameThere }];
  });
  if (there !== undefined) {
    const pending = { name: nameThere, size: undefined, there: there.then((list) => list.shm) };
    const shm = arrive(SharedMemory as unknown as new () => SharedMemory, pending);
    return { shm, length: attaches ? undefined : list.length, there };
  }
  if (!attaches) {
    const [shm, items] = SharedItems.create(list, name);
    return { shm, items, length: list.length };
  }
  const shm = new SharedMemory({ name });
  const items = new SharedItems(shm.buf.buffer);
  if (items.isList) return { shm, items, length: items.length };
  throw new ValueError(`Cannot attach to "${name}": it is shared memory, but not that of a list`);
}

offerConstruction(SERVICES.list, (sequence: ShareableItem[] | undefined, options: ShareableListOptions) => {
  return new ShareableList(sequence, options);
});

function same(a: ShareableItem, b: ShareableItem): boolean {
  if (!(a instanceof Uint8Array) || !(b instanceof Uint8Array)) return a === b;
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
