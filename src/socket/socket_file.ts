/** SocketFile: lines and whole messages out of a socket, and a buffer before it. */

import { ValueError } from "../base/errors.ts";
import { BYTES, joinBytes, PartReader, type Reading } from "../base/reading.ts";

/** What a file needs of its socket. */
export interface FileSource {
  /** Receives up to `size` bytes. */
  recv(size: number): Promise<Uint8Array<ArrayBuffer>>;
  /** As `recv`, blocking. */
  recvSync(size: number): Uint8Array<ArrayBuffer>;
  /** Sends everything. */
  send(data: Uint8Array | string): Promise<number>;
  /** As `send`, blocking. */
  sendSync(data: Uint8Array | string): number;
}

const USUAL_BYTES = 64 * 1024;
const encoder = new TextEncoder();

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * A file over a socket: made by {@link Socket.makefile}, and what a StreamRequestHandler has as `rfile` and `wfile`.
 *
 * It reads ahead into a buffer of its own, so what it holds is no longer there for `recv`. Closing it writes what is
 * gathered and leaves the socket open.
 *
 * Python: what {@link https://docs.python.org/3/library/socket.html#socket.socket.makefile | socket.makefile} returns.
 * Here it always reads and writes bytes; a string is written as UTF-8.
 *
 * @example Lines one way, a buffer the other
 * ```ts
 * import { socketpair } from "@multiprocessing/deno/socket";
 * import assert from "node:assert/strict";
 *
 * const [left, right] = socketpair();
 * await using out = left.makefile("w");
 * await out.write("bread\n");
 * await out.write("milk\n");
 * await out.flush(); // both lines leave now
 * const file = right.makefile("r");
 * assert.equal(new TextDecoder().decode(await file.readline()), "bread\n");
 * assert.equal(new TextDecoder().decode(await file.read(2)), "mi");
 * left.close();
 * right.close();
 * ```
 */
export class SocketFile implements AsyncIterable<Uint8Array>, AsyncDisposable {
  readonly #socket: FileSource;
  readonly #readSize: number;
  readonly #writeSize: number;
  readonly #reader = new PartReader(BYTES);
  #unsent: Uint8Array[] = [];
  #unsentBytes = 0;
  #closed = false;

  /**
   * Makes a file.
   *
   * @param socket What it reads from and writes to.
   * @param readSize How many bytes it reads ahead; 0 for none, negative for a usual amount.
   * @param writeSize How many bytes it gathers before it sends them; 0 for none, negative for a usual amount.
   */
  constructor(socket: FileSource, readSize: number, writeSize: number) {
    this.#socket = socket;
    this.#readSize = readSize < 0 ? USUAL_BYTES : Math.max(readSize, 1);
    this.#writeSize = writeSize < 0 ? USUAL_BYTES : writeSize;
  }

  /** Whether the file was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Reads bytes.
   *
   * @param size How many, fewer only at the end of the stream; all until the end when left out or negative.
   * @returns The bytes.
   */
  read(size: number = -1): Promise<Uint8Array<ArrayBuffer>> {
    return this.#run(this.#reader.read(size));
  }

  /**
   * Like {@link SocketFile.read}, blocking the thread.
   *
   * @param size How many.
   * @returns The bytes.
   */
  readSync(size: number = -1): Uint8Array<ArrayBuffer> {
    return this.#runSync(this.#reader.read(size));
  }

  /**
   * Reads a line.
   *
   * @param size The most bytes of it; the whole line when left out or negative.
   * @returns The line with its newline, which only the last one may lack; nothing at the end of the stream.
   */
  readline(size: number = -1): Promise<Uint8Array<ArrayBuffer>> {
    return this.#run(this.#reader.line(size));
  }

  /**
   * Like {@link SocketFile.readline}, blocking the thread.
   *
   * @param size The most bytes of it.
   * @returns The line.
   */
  readlineSync(size: number = -1): Uint8Array<ArrayBuffer> {
    return this.#runSync(this.#reader.line(size));
  }

  /** Reads all lines until the end of the stream. */
  readlines(): Promise<Uint8Array<ArrayBuffer>[]> {
    return Array.fromAsync(this);
  }

  /**
   * Writes bytes, or gathers them until {@link SocketFile.flush} if the file has a buffer for that.
   *
   * @param data Bytes, or a string as UTF-8.
   * @returns How many bytes those are.
   */
  async write(data: Uint8Array | string): Promise<number> {
    const bytes = this.#gather(data);
    if (this.#unsentBytes > this.#writeSize) await this.flush();
    return bytes;
  }

  /**
   * Like {@link SocketFile.write}, blocking the thread.
   *
   * @param data Bytes, or a string as UTF-8.
   * @returns How many bytes those are.
   */
  writeSync(data: Uint8Array | string): number {
    const bytes = this.#gather(data);
    if (this.#unsentBytes > this.#writeSize) this.flushSync();
    return bytes;
  }

  /** Sends what was gathered. */
  async flush(): Promise<void> {
    if (this.#unsentBytes > 0) await this.#socket.send(this.#gathered());
  }

  /** Like {@link SocketFile.flush}, blocking the thread. */
  flushSync(): void {
    if (this.#unsentBytes > 0) this.#socket.sendSync(this.#gathered());
  }

  /** Sends what was gathered and closes the file; the socket stays open. */
  async close(): Promise<void> {
    if (this.#closed) return;
    try {
      await this.flush();
    } finally {
      this.#closed = true;
    }
  }

  /** Yields the lines until the end of the stream. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
    for (let line; (line = await this.readline()).length > 0;) yield line;
  }

  /** The same as {@link SocketFile.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run(reading: Reading<Bytes>): Promise<Bytes> {
    this.#check();
    let step = reading.next();
    while (!step.done) step = reading.next(await this.#socket.recv(this.#readSize));
    return step.value;
  }

  #runSync(reading: Reading<Bytes>): Bytes {
    this.#check();
    let step = reading.next();
    while (!step.done) step = reading.next(this.#socket.recvSync(this.#readSize));
    return step.value;
  }

  #gather(data: Uint8Array | string): number {
    this.#check();
    // What waits to be sent is ours; what leaves at once need not be copied.
    const bytes = typeof data === "string" ? encoder.encode(data) : this.#writeSize > 0 ? data.slice() : data;
    this.#unsent.push(bytes);
    this.#unsentBytes += bytes.length;
    return bytes.length;
  }

  #gathered(): Uint8Array {
    const bytes = this.#unsent.length === 1 ? this.#unsent[0]! : joinBytes(this.#unsent);
    this.#unsent = [];
    this.#unsentBytes = 0;
    return bytes;
  }

  #check(): void {
    if (this.#closed) throw new ValueError("Cannot use the file: I/O operation on closed file");
  }
}
