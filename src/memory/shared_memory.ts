/** SharedMemory: bytes that processes share, by name. */

import { OSError, PicklingError, RuntimeError, ValueError } from "../base/errors.ts";
import { wholeNumber } from "../base/options.ts";
import { arrive, arriving } from "../transport/arriving.ts";
import { travels } from "../transport/registry.ts";
import {
  type Caller,
  type Exportable,
  packCore,
  type Reference,
  RemoteCore,
  unpackCore,
} from "../transport/remote.ts";
import {
  constructThere,
  findName,
  giveName,
  offerConstruction,
  randomName,
  SERVICES,
  takeName,
  takeNameThere,
} from "./_names.ts";
import { newMemory, noMemoryHere } from "./_typecode.ts";

/** What a {@link SharedMemory} is, or is to be. */
export interface SharedMemoryOptions {
  /** Its name; one that nobody else has when it is created without. */
  name?: string | undefined;
  /** Whether to make a new block; to attach to one that exists when left out. */
  create?: boolean | undefined;
  /** How many bytes a new block has. */
  size?: number | undefined;
}

interface Segment extends Exportable {
  read(start: number, end: number | undefined): Promise<Uint8Array>;
  write(bytes: Uint8Array, offset: number): Promise<void>;
  unlink(): void;
}

class SharedSegment implements Segment {
  readonly name: string;
  readonly memory: SharedArrayBuffer;
  readonly bytes: Uint8Array<SharedArrayBuffer>;

  constructor(name: string, memory: SharedArrayBuffer) {
    this.name = name;
    this.memory = memory;
    this.bytes = new Uint8Array(memory);
  }

  read(start: number, end: number | undefined): Promise<Uint8Array> {
    return Promise.resolve(this.bytes.slice(start, end));
  }

  write(bytes: Uint8Array, offset: number): Promise<void> {
    this.bytes.set(bytes, offset);
    return Promise.resolve();
  }

  unlink(): void {
    if (!takeName(this.name)) throw noSuchName("unlink", this.name);
  }

  invoke(method: string, args: readonly unknown[], _caller: Caller): unknown {
    switch (method) {
      case "read":
        return this.read(args[0] as number, args[1] as number | undefined);
      case "write":
        return this.write(args[0] as Uint8Array, args[1] as number);
      case "unlink":
        // Told without answer: that the name is gone already is nobody's error any more.
        return void takeName(this.name);
      default:
        throw new TypeError(`Cannot call ${method}() of shared memory`);
    }
  }
}

class RemoteSegment extends RemoteCore implements Segment {
  async read(start: number, end: number | undefined): Promise<Uint8Array> {
    return await this.ask("read", [start, end]) as Uint8Array;
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    await this.ask("write", [bytes, offset]);
  }

  unlink(): void {
    this.tell("unlink", []);
  }
}

/** What a block consists of when it exists already. */
interface Existing {
  readonly name: string;
  readonly size: number;
  readonly segment: Segment;
}

/** What a block consists of in a `"spawn"` child, which learns later whether it exists. */
interface Pending {
  readonly name: string;
  /** Known of a new one. */
  readonly size: number | undefined;
  readonly there: Promise<SharedMemory>;
}

/**
 * A block of memory that processes share, known by a name.
 *
 * - Whoever has the name attaches to it, as long as nobody has unlinked it. The block itself travels as well, and
 *   arrives attached, whatever has become of the name.
 * - `close` ends its use by this process. `unlink` takes the name away, once, when all have attached; whoever is
 *   attached keeps the memory, and when nobody is any more it is freed. Nothing else takes a name away but the end of
 *   the program.
 * - The names are those of the whole program, of all its processes, however deeply nested, and all blocks lie in the
 *   memory of the main program. A `"spawn"` child, which shares none, has `read` and `write` instead of `buf`, whether
 *   it was given the block, attaches to it by its name, or makes it. It learns from {@link SharedMemory.attached}, or
 *   from its first `read` or `write`, whether that went well; until then it cannot hand the block on.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.shared_memory.html | multiprocessing.shared_memory.SharedMemory}.
 * There the names are the system's, and blocks whose creator has ended may vanish while others use them.
 *
 * @example
 * ```ts
 * import { SharedMemory } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * using block = new SharedMemory({ create: true, size: 16 });
 * block.buf.set([1, 2, 3]);
 * using same = new SharedMemory({ name: block.name });
 * assert.deepEqual([...same.buf.subarray(0, 3)], [1, 2, 3]);
 * block.unlink();
 * ```
 */
export class SharedMemory implements Disposable {
  readonly #name: string;
  #size: number | undefined;
  #segment: Segment | undefined;
  /** Settles when the segment is there. */
  readonly #pending: Promise<void> | undefined;
  #handedOn = false;
  #closed = false;

  /**
   * Makes a block, or attaches to one.
   *
   * @param options Its name, and whether and how large to make it.
   * @throws {OSError} With `code` `"EEXIST"` if it is to be made and the name is taken; with `"ENOENT"` if it is not,
   * and there is no such name. In a `"spawn"` child that is what `attached`, `read` and `write` reject with.
   * @throws {ValueError} If a new block has no size above 0, or there is neither name nor `create`.
   */
  constructor(options: SharedMemoryOptions) {
    const given = arriving<Existing | Pending>() ??
      (options?.create === true ? create(options) : attach(options));
    this.#name = given.name;
    this.#size = given.size;
    if ("segment" in given) {
      this.#segment = given.segment;
    } else {
      this.#pending = given.there.then((block) => {
        this.#segment = block.#segment;
        this.#size = block.#size;
        if (this.#closed) this.#release();
      });
      this.#pending.catch(() => {}); // whoever uses the block is told
    }
  }

  /**
   * Waits until the block is attached. Only in a `"spawn"` child that is not so from the beginning; `read` and `write`
   * wait by themselves.
   *
   * @returns The block itself.
   * @throws {OSError} With `code` `"EEXIST"` or `"ENOENT"`, where the constructor could not say so.
   *
   * @example In a child of either kind
   * ```ts
   * import { SharedMemory } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * using block = new SharedMemory({ create: true, size: 16, name: "minutes" });
   * // a child that was told the name:
   * using same = await new SharedMemory({ name: "minutes" }).attached();
   * assert.equal(same.size, 16);
   * await same.write(new Uint8Array([1]));
   * assert.equal(block.buf[0], 1);
   * block.unlink();
   * ```
   */
  async attached(): Promise<this> {
    await this.#pending;
    return this;
  }

  /** The name of the block. */
  get name(): string {
    return this.#name;
  }

  /**
   * How many bytes it has.
   *
   * @throws {RuntimeError} In a `"spawn"` child that has not waited for {@link SharedMemory.attached}.
   */
  get size(): number {
    if (this.#size !== undefined) return this.#size;
    throw new RuntimeError(
      `Cannot tell the size of shared memory "${this.#name}" yet: a "spawn" child has to ask for it; call ` +
        `\`await block.attached()\` first`,
    );
  }

  /**
   * The memory. What is written there is seen by every process at once; views of it that somebody keeps go on
   * working after `close`.
   *
   * @throws {ValueError} After {@link SharedMemory.close}.
   * @throws {RuntimeError} In a `"spawn"` child, which shares no memory with the block: there `read` and `write` do.
   */
  get buf(): Uint8Array<SharedArrayBuffer> {
    this.#refuseClosed("use");
    if (this.#segment instanceof SharedSegment) return this.#segment.bytes;
    throw noMemoryHere("buf", "read() or write()");
  }

  /**
   * Copies bytes out of the block. Unlike `buf` it works in a `"spawn"` child, too.
   *
   * @param start The first; from the end if negative; 0 when left out.
   * @param end The first that is not copied; from the end if negative; the size when left out.
   * @returns The bytes.
   * @throws {ValueError} After {@link SharedMemory.close}.
   */
  async read(start: number = 0, end?: number): Promise<Uint8Array> {
    this.#refuseClosed("read");
    const segment = this.#segment ?? await this.#attachedSegment();
    return await segment.read(start, end);
  }

  /**
   * Copies bytes into the block. Unlike `buf` it works in a `"spawn"` child, too.
   *
   * @param bytes The bytes.
   * @param offset Where the first goes; 0 when left out.
   * @throws {RangeError} If they do not fit.
   * @throws {ValueError} After {@link SharedMemory.close}.
   *
   * @example A child writes
   * ```ts
   * import { Process, SharedMemory } from "@multiprocessing/deno";
   * import { fill } from "examples/targets.ts";
   * import assert from "node:assert/strict";
   *
   * using memory = new SharedMemory({ create: true, size: 16 });
   * await using child = new Process({ target: fill, args: [memory, new Uint8Array([1, 2, 3])] });
   * child.start(); // await memory.write(bytes);
   * await child.join();
   * assert.deepEqual(await memory.read(0, 4), new Uint8Array([1, 2, 3, 0]));
   * memory.unlink();
   * ```
   */
  async write(bytes: Uint8Array, offset: number = 0): Promise<void> {
    this.#refuseClosed("write");
    if (!(bytes instanceof Uint8Array)) {
      throw new TypeError(`Cannot write ${String(bytes)} to shared memory: give a Uint8Array`);
    }
    wholeNumber("offset", offset, 0);
    const segment = this.#segment ?? await this.#attachedSegment();
    if (offset + bytes.length > this.size) {
      throw new RangeError(
        `Cannot write ${bytes.length} bytes from ${offset} on: the block "${this.#name}" has ${this.size}`,
      );
    }
    await segment.write(bytes, offset);
  }

  /** Ends the use of the block by this process. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
  }

  /**
   * Takes the block's name away, for every process. To be called once, by one of them.
   *
   * @throws {OSError} With `code` `"ENOENT"` if the name is gone already; a `"spawn"` child is not told.
   *
   * @example Who has it keeps it
   * ```ts
   * import { OSError, SharedMemory } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * using memory = new SharedMemory({ create: true, size: 16, name: "lunch" });
   * memory.unlink();
   * memory.buf[0] = 7;
   * assert.equal(memory.buf[0], 7);
   * assert.throws(() => new SharedMemory({ name: "lunch" }), OSError);
   * ```
   */
  unlink(): void {
    if (this.#pending === undefined) this.#segment!.unlink();
    else takeNameThere(this.#name);
  }

  /** The same as {@link SharedMemory.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** What was constructed elsewhere for us alone need not wait for the garbage collector to be let go. */
  #release(): void {
    const segment = this.#segment;
    if (this.#pending !== undefined && !this.#handedOn && segment instanceof RemoteSegment) {
      segment.link.release(segment.number);
    }
  }

  async #attachedSegment(): Promise<Segment> {
    await this.#pending;
    return this.#segment!;
  }

  #refuseClosed(what: string): void {
    if (this.#closed) {
      throw new ValueError(`Cannot ${what} the memory "${this.#name}": this process closed it`);
    }
  }

  static {
    travels<SharedMemory, [name: string, size: number, Reference<number>]>(SharedMemory, {
      tag: "SharedMemory",
      pack(block, context) {
        const segment = block.#segment;
        if (segment === undefined) throw notAttached("shared memory", block.#name, "block");
        block.#handedOn = true;
        const local = () => context.attach((segment as SharedSegment).memory);
        return [block.#name, block.size, packCore(segment, context, local)];
      },
      unpack([name, size, reference], context) {
        const local = (at: number) => new SharedSegment(name, context.attachments[at] as SharedArrayBuffer);
        const segment = unpackCore<number, Segment>(reference, context, local, RemoteSegment);
        return arrive(SharedMemory as unknown as new () => SharedMemory, { name, size, segment });
      },
    });
  }
}

offerConstruction(SERVICES.block, (options: SharedMemoryOptions) => new SharedMemory(options));

/** The error for handing on what may not exist. */
export function notAttached(what: string, name: string, variable: string): PicklingError {
  return new PicklingError(
    `Cannot hand on the ${what} "${name}": a "spawn" child has to ask for it, and the answer is not there; call ` +
      `\`await ${variable}.attached()\` first`,
  );
}

function create({ name, size = 0 }: SharedMemoryOptions): Existing | Pending {
  if (typeof size !== "number" || !(size >= 0)) {
    throw new ValueError(`'size' must be a positive integer: it is ${String(size)}`);
  }
  if (size === 0) throw new ValueError("'size' must be a positive number different from zero");
  wholeNumber("size of shared memory", size, 1);
  const wanted = name === undefined ? undefined : checkedName(name);
  const nameThere = wanted ?? randomName(32);
  const there = constructThere<SharedMemory>(SERVICES.block, () => [{ name: nameThere, create: true, size }]);
  if (there !== undefined) return { name: nameThere, size, there };
  const memory = newMemory(size);
  if (wanted === undefined) {
    let random: string;
    do random = randomName(); while (!giveName(random, memory));
    return { name: random, size, segment: new SharedSegment(random, memory) };
  }
  if (!giveName(wanted, memory)) {
    throw Object.assign(
      new OSError(
        `Cannot create shared memory "${name}": File exists: the name is taken; choose another, or leave 'create' ` +
          `out to attach`,
      ),
      { code: "EEXIST" },
    );
  }
  return { name: wanted, size, segment: new SharedSegment(wanted, memory) };
}

function attach(options: SharedMemoryOptions | undefined): Existing | Pending {
  const name = options?.name;
  if (name === undefined) throw new ValueError("'name' can only be left out with 'create: true'");
  checkedName(name);
  const there = constructThere<SharedMemory>(SERVICES.block, () => [{ name }]);
  if (there !== undefined) return { name, size: undefined, there };
  const memory = findName(name);
  if (memory === undefined) throw noSuchName("attach to", name);
  return { name, size: memory.byteLength, segment: new SharedSegment(name, memory) };
}

function checkedName(name: unknown): string {
  if (typeof name === "string" && name !== "") return name;
  throw new ValueError(
    `Cannot call shared memory ${JSON.stringify(name)}: a name is a text that is not empty`,
  );
}

function noSuchName(what: string, name: string): OSError {
  return Object.assign(
    new OSError(
      `Cannot ${what} shared memory "${name}": No such file or directory: nobody created it, or it was unlinked; ` +
        `create it first`,
    ),
    { code: "ENOENT" },
  );
}
