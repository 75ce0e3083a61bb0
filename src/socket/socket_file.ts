/** SocketFile: lines and whole messages out of a socket, and a buffer before it. */

import { ValueError } from "../base/errors.ts";

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
const NEWLINE = 10;
const encoder = new TextEncoder();

/** Asks for more bytes; gets them, or none at the end of the stream. */
type Reading<T> = Generator<void, T, Uint8Array<ArrayBuffer>>;

/**
 * A file over a socket: made by {@link Socket.makefile}, and what a StreamRequestHandler has as `rfile` and `wfile`.
 *
 * It reads ahead into a buffer of its own, so what it holds is no longer there for `recv`. Closing it writes what is
 * gathered and leaves the socket open.
 *
 * Python: what {@link https://docs.python.org/3/library/socket.html#socket.socket.makefile | socket.makefile} returns.
 * Here it always reads and writes bytes; a string is written as UTF-8.
 */
export class SocketFile implements AsyncIterable<Uint8Array>, AsyncDisposable {
  readonly #socket: FileSource;
  readonly #readSize: number;
  readonly #writeSize: number;
  #unread = new Uint8Array(0);
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
    return this.#run(this.#bytes(size));
  }

  /**
   * Like {@link SocketFile.read}, blocking the thread.
   *
   * @param size How many.
   * @returns The bytes.
   */
  readSync(size: number = -1): Uint8Array<ArrayBuffer> {
    return this.#runSync(this.#bytes(size));
  }

  /**
   * Reads a line.
   *
   * @param size The most bytes of it; the whole line when left out or negative.
   * @returns The line with its newline, which only the last one may lack; nothing at the end of the stream.
   */
  readline(size: number = -1): Promise<Uint8Array<ArrayBuffer>> {
    return this.#run(this.#line(size));
  }

  /**
   * Like {@link SocketFile.readline}, blocking the thread.
   *
   * @param size The most bytes of it.
   * @returns The line.
   */
  readlineSync(size: number = -1): Uint8Array<ArrayBuffer> {
    return this.#runSync(this.#line(size));
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

  *#bytes(size: number): Reading<Uint8Array<ArrayBuffer>> {
    const parts: Uint8Array[] = [];
    for (let left = size < 0 ? Infinity : size; left > 0;) {
      if (this.#unread.length === 0) {
        this.#unread = yield;
        if (this.#unread.length === 0) break;
      }
      left -= this.#cut(Math.min(left, this.#unread.length), parts);
    }
    return join(parts);
  }

  *#line(size: number): Reading<Uint8Array<ArrayBuffer>> {
    const parts: Uint8Array[] = [];
    for (let left = size < 0 ? Infinity : size; left > 0;) {
      if (this.#unread.length === 0) {
        this.#unread = yield;
        if (this.#unread.length === 0) break;
      }
      const newline = this.#unread.indexOf(NEWLINE);
      const end = newline < 0 ? this.#unread.length : newline + 1;
      const whole = newline >= 0 && end <= left;
      left -= this.#cut(Math.min(left, end), parts);
      if (whole) break;
    }
    return join(parts);
  }

  #cut(count: number, parts: Uint8Array[]): number {
    parts.push(this.#unread.subarray(0, count));
    this.#unread = this.#unread.subarray(count);
    return count;
  }

  async #run<T>(reading: Reading<T>): Promise<T> {
    this.#check();
    let step = reading.next();
    while (!step.done) step = reading.next(await this.#socket.recv(this.#readSize));
    return step.value;
  }

  #runSync<T>(reading: Reading<T>): T {
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
    const bytes = this.#unsent.length === 1 ? this.#unsent[0]! : join(this.#unsent);
    this.#unsent = [];
    this.#unsentBytes = 0;
    return bytes;
  }

  #check(): void {
    if (this.#closed) throw new ValueError("Cannot use the file: I/O operation on closed file");
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
