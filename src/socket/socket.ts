/** Socket: one end of a connection. */

import { OSError, ValueError } from "../base/errors.ts";
import { wholeNumber } from "../base/options.ts";
import { arriving } from "../transport/arriving.ts";
import { type Address, asBytes, closedHere, type Endpoint, timeoutMs } from "./endpoint.ts";
import { SocketFile } from "./socket_file.ts";

/** For {@link Socket.shutdown}: receive no more. */
export const SHUT_RD = 0;
/** For {@link Socket.shutdown}: send no more. */
export const SHUT_WR = 1;
/** For {@link Socket.shutdown}: neither receive nor send any more. */
export const SHUT_RDWR = 2;

/** For {@link Socket.setsockopt}: the options of TCP. */
export const IPPROTO_TCP = 6;
/** For {@link Socket.setsockopt}: send small amounts at once. On for every socket of this library. */
export const TCP_NODELAY = 1;

const CHUNK_BYTES = 64 * 1024;
const DONE: Promise<void> = Promise.resolve();

/** What a socket stands on, for the servers. */
export let endpointOf: (socket: Socket<Address>) => Endpoint;

/** Lets one in at a time, in the order they came. */
class Turns {
  #busy = false;
  readonly #line: (() => void)[] = [];

  get free(): boolean {
    return !this.#busy;
  }

  /** Takes the turn; `undefined` if that was possible at once. */
  begin(): Promise<void> | undefined {
    if (this.#busy) return new Promise((resolve) => this.#line.push(resolve));
    this.#busy = true;
    return undefined;
  }

  end(): void {
    const next = this.#line.shift();
    if (next === undefined) this.#busy = false;
    else next();
  }
}

/**
 * One end of a connection: what a request handler has as `this.request`, and a client from {@link createConnection}.
 *
 * - Bytes arrive in the order they were sent, with no boundaries between messages.
 * - `recv` gives an empty array once the peer has ended sending and everything was received.
 * - A peer that is gone: `send` throws {@link BrokenPipeError}; `recv` throws an {@link OSError} with the code
 *   `ECONNRESET` if the connection was reset, and is at its end if it was closed.
 * - Several calls at a time wait for each other, so what one of them sends stays in one piece.
 * - The `…Sync` forms block the thread. They are there in the handlers of a `Threading…` server, which have a
 *   worker each, and for a {@link socketpair}.
 *
 * @typeParam A What its addresses are: host and port, or the path of a Unix socket.
 *
 * Python: {@link https://docs.python.org/3/library/socket.html#socket-objects | socket.socket}.
 * Here times are milliseconds, `send` sends everything as `sendall` does, and a string is sent as UTF-8.
 *
 * @example Both ends in one process
 * ```ts
 * import { socketpair } from "@multiprocessing/deno/socket";
 * import assert from "node:assert/strict";
 *
 * const [left, right] = socketpair();
 * await left.sendall("hello");
 * left.close();
 * assert.equal(new TextDecoder().decode(await right.recv(1024)), "hello");
 * assert.equal((await right.recv(1024)).length, 0);
 * right.close();
 * ```
 */
export class Socket<A extends Address = [hostname: string, port: number]>
  implements Disposable, AsyncDisposable {
  readonly #endpoint: Endpoint;
  readonly #receiving = new Turns();
  readonly #sending = new Turns();
  #timeoutMs = Infinity;
  #closed = false;
  #readable: ReadableStream<Uint8Array> | undefined;
  #writable: WritableStream<Uint8Array> | undefined;

  /** Sockets are made by a server, {@link createConnection} or {@link socketpair}. */
  constructor() {
    const endpoint = arriving<Endpoint>();
    if (endpoint === undefined) {
      throw new ValueError("Cannot construct a Socket by itself; call createConnection() or socketpair()");
    }
    this.#endpoint = endpoint;
  }

  /**
   * Receives what has come, waiting until there is something.
   *
   * @param size The most bytes to receive.
   * @returns At least one byte, or none at the end of the stream.
   * @throws {TimeoutError} If nothing came within the time of {@link Socket.settimeout}.
   * @throws {OSError} If the socket is closed, or the peer reset the connection.
   *
   * @example Until the end of the stream
   * ```ts
   * import { socketpair } from "@multiprocessing/deno/socket";
   * import assert from "node:assert/strict";
   *
   * const [left, right] = socketpair();
   * void left.sendall("one and ").then(() => left.sendall("two")).then(() => left.close());
   * const decoder = new TextDecoder();
   * let text = "";
   * for (let data; (data = await right.recv(4)).length > 0;) text += decoder.decode(data, { stream: true });
   * assert.equal(text, "one and two");
   * right.close();
   * ```
   */
  recv(size: number): Promise<Uint8Array<ArrayBuffer>> {
    try {
      if (this.#receiving.free) {
        const bytes = size === 0 ? undefined : this.#endpoint.readSoon(checkedSize(size), this.#timeoutMs);
        if (bytes !== undefined) return Promise.resolve(bytes);
      }
      return this.#receive(checkedSize(size));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #receive(size: number): Promise<Uint8Array<ArrayBuffer>> {
    const turn = this.#receiving.begin();
    if (turn !== undefined) await turn;
    try {
      if (this.#closed) throw closedHere("receive");
      if (size === 0) return new Uint8Array(0);
      return await this.#endpoint.read(size, this.#timeoutMs);
    } finally {
      this.#receiving.end();
    }
  }

  /**
   * Like {@link Socket.recv}, blocking the thread.
   *
   * @param size The most bytes to receive.
   * @returns At least one byte, or none at the end of the stream.
   * @throws {RuntimeError} On a socket of the kernel, as in a plain TCPServer or from {@link createConnection}.
   */
  recvSync(size: number): Uint8Array<ArrayBuffer> {
    if (checkedSize(size) === 0) return new Uint8Array(0);
    return this.#endpoint.readSync(size, this.#timeoutMs);
  }

  /**
   * Like {@link Socket.recv}, into a buffer.
   *
   * @param buffer Where the bytes go.
   * @param size The most bytes to receive; the length of the buffer when left out or 0.
   * @returns How many bytes came; 0 at the end of the stream.
   */
  async recvInto(buffer: Uint8Array, size: number = 0): Promise<number> {
    const bytes = await this.recv(Math.min(buffer.length, checkedSize(size) || buffer.length));
    buffer.set(bytes);
    return bytes.length;
  }

  /**
   * Sends everything, waiting while the peer does not keep up.
   *
   * @param data Bytes, or a string as UTF-8.
   * @returns How many bytes were sent: all of them.
   * @throws {BrokenPipeError} If the peer is gone, or {@link Socket.shutdown} has ended sending.
   * @throws {TimeoutError} If the peer did not take it within the time of {@link Socket.settimeout}; how much of it
   * was sent is not known.
   * @throws {OSError} If the socket is closed.
   */
  send(data: Uint8Array | string): Promise<number> {
    const bytes = asBytes(data);
    try {
      let sent = 0;
      if (this.#sending.free) {
        sent = this.#endpoint.writeNow(bytes);
        if (sent === bytes.length) return Promise.resolve(sent);
      }
      return this.#send(bytes, sent);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #send(bytes: Uint8Array, start: number): Promise<number> {
    const turn = this.#sending.begin();
    if (turn !== undefined) await turn;
    try {
      if (this.#closed) throw closedHere("send");
      await this.#endpoint.write(bytes, start, this.#timeoutMs);
      return bytes.length;
    } finally {
      this.#sending.end();
    }
  }

  /**
   * The same as {@link Socket.send}, without the number.
   *
   * @param data Bytes, or a string as UTF-8.
   */
  sendall(data: Uint8Array | string): Promise<void> {
    const bytes = asBytes(data);
    try {
      let sent = 0;
      if (this.#sending.free) {
        sent = this.#endpoint.writeNow(bytes);
        if (sent === bytes.length) return DONE;
      }
      return this.#send(bytes, sent) as Promise<unknown> as Promise<void>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Like {@link Socket.send}, blocking the thread.
   *
   * @param data Bytes, or a string as UTF-8.
   * @returns How many bytes were sent: all of them.
   * @throws {RuntimeError} On a socket of the kernel, as in a plain TCPServer or from {@link createConnection}.
   */
  sendSync(data: Uint8Array | string): number {
    const bytes = asBytes(data);
    const sent = this.#endpoint.writeNow(bytes);
    if (sent < bytes.length) this.#endpoint.writeSync(bytes, sent, this.#timeoutMs);
    return bytes.length;
  }

  /**
   * The same as {@link Socket.sendSync}, without the number.
   *
   * @param data Bytes, or a string as UTF-8.
   */
  sendallSync(data: Uint8Array | string): void {
    this.sendSync(data);
  }

  /**
   * A file that reads lines from the socket and writes to it, with a buffer of its own. Closing it leaves the socket
   * open.
   *
   * @param mode What it is for: `"r"`, `"w"` or `"rw"`; a `b` changes nothing, since it always reads bytes.
   * @param buffering How many bytes it gathers: 0 for none; a usual amount when left out.
   * @returns The file.
   *
   * @example Line by line
   * ```ts
   * import { socketpair } from "@multiprocessing/deno/socket";
   * import assert from "node:assert/strict";
   *
   * const [left, right] = socketpair();
   * await left.sendall("bread\nmilk\n");
   * left.close();
   * const lines = await Array.fromAsync(right.makefile("r"), (line) => new TextDecoder().decode(line));
   * assert.deepEqual(lines, ["bread\n", "milk\n"]);
   * right.close();
   * ```
   */
  makefile(mode: string = "rw", buffering: number = -1): SocketFile {
    if (!/^[rwb]+$/.test(mode) || !/[rw]/.test(mode)) {
      throw new ValueError(
        `Cannot make a file of mode ${JSON.stringify(mode)}: the modes are "r", "w" and "rw"`,
      );
    }
    return new SocketFile(this, buffering, buffering);
  }

  /**
   * Says how long `recv` and `send` wait from now on.
   *
   * @param ms Milliseconds; `null` for ever, as at first.
   * @throws {ValueError} If `ms` is negative.
   *
   * @example
   * ```ts
   * import { TimeoutError } from "@multiprocessing/deno";
   * import { socketpair } from "@multiprocessing/deno/socket";
   * import assert from "node:assert/strict";
   *
   * const [left, right] = socketpair();
   * right.settimeout(10);
   * await assert.rejects(right.recv(1024), TimeoutError);
   * await left.sendall("late");
   * assert.equal((await right.recv(1024)).length, 4);
   * left.close();
   * right.close();
   * ```
   */
  settimeout(ms: number | null): void {
    this.#timeoutMs = timeoutMs(ms);
  }

  /** How long `recv` and `send` wait, in milliseconds; `null` for ever. */
  gettimeout(): number | null {
    return this.#timeoutMs === Infinity ? null : this.#timeoutMs;
  }

  /**
   * Ends one direction, or both. The peer sees the end of the stream once it has received what was sent before.
   *
   * @param how {@link SHUT_RD}, {@link SHUT_WR} or {@link SHUT_RDWR}.
   * @returns Settles when it is done; need not be awaited.
   * @throws {OSError} If the socket is closed or not connected any more.
   *
   * @example Send no more, and still receive
   * ```ts
   * import { SHUT_WR, socketpair } from "@multiprocessing/deno/socket";
   * import assert from "node:assert/strict";
   *
   * const [left, right] = socketpair();
   * await left.sendall("question");
   * left.shutdown(SHUT_WR);
   * assert.equal((await right.recv(1024)).length, 8);
   * assert.equal((await right.recv(1024)).length, 0); // the end
   * await right.sendall("answer");
   * assert.equal((await left.recv(1024)).length, 6);
   * left.close();
   * right.close();
   * ```
   */
  shutdown(how: typeof SHUT_RD | typeof SHUT_WR | typeof SHUT_RDWR): Promise<void> {
    const done = this.#shutdown(how);
    done.catch(() => {});
    return done;
  }

  async #shutdown(how: number): Promise<void> {
    if (this.#closed) throw closedHere("shut down");
    if (how !== SHUT_WR) this.#endpoint.stopReading();
    if (how !== SHUT_RD) await this.#endpoint.stopWriting();
  }

  /** Lets the connection go. Calls that are pending reject. A second time does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#endpoint.close();
  }

  /** The address of the peer: host and port; of a Unix socket its path, which mostly is empty. */
  getpeername(): A {
    if (this.#closed) throw closedHere("ask for the peer");
    return this.#endpoint.peer as A;
  }

  /** The address of this end: host and port; of a Unix socket its path, which may be empty. */
  getsockname(): A {
    if (this.#closed) throw closedHere("ask for the address");
    return this.#endpoint.local as A;
  }

  /**
   * Sets an option: {@link TCP_NODELAY} of {@link IPPROTO_TCP}, which is on from the beginning, is the one there is.
   *
   * @param level Which protocol's.
   * @param option Which.
   * @param value Its value.
   * @throws {OSError} If there is no such option here.
   *
   * @example
   * ```ts
   * import { createConnection, IPPROTO_TCP, TCP_NODELAY } from "@multiprocessing/deno/socket";
   * import { TCPServer } from "@multiprocessing/deno/socketserver";
   * import { EchoHandler } from "examples/handlers.ts";
   * import assert from "node:assert/strict";
   *
   * await using server = new TCPServer(["127.0.0.1", 0], EchoHandler);
   * using client = await createConnection(server.serverAddress);
   * client.setsockopt(IPPROTO_TCP, TCP_NODELAY, false); // gather small amounts, as TCP does by itself
   * assert.throws(() => client.setsockopt(IPPROTO_TCP, 99, true), { name: "OSError" });
   * ```
   */
  setsockopt(level: number, option: number, value: number | boolean): void {
    if (this.#closed) throw closedHere("set an option");
    if (level !== IPPROTO_TCP || option !== TCP_NODELAY) {
      throw new OSError(
        `Cannot set option ${option} of level ${level}: Deno has TCP_NODELAY of IPPROTO_TCP only; Protocol not available`,
      );
    }
    this.#endpoint.setNoDelay(Boolean(value));
  }

  /**
   * What the peer sends, as a web stream. Cancelling it ends receiving.
   *
   * @example
   * ```ts
   * import { socketpair } from "@multiprocessing/deno/socket";
   * import assert from "node:assert/strict";
   *
   * const [left, right] = socketpair();
   * const text = new Blob(["hello"]).stream().pipeTo(left.writable);
   * assert.equal(await new Response(right.readable).text(), "hello");
   * await text;
   * left.close();
   * right.close();
   * ```
   */
  get readable(): ReadableStream<Uint8Array> {
    return this.#readable ??= new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const bytes = await this.recv(CHUNK_BYTES);
        if (bytes.length === 0) controller.close();
        else controller.enqueue(bytes);
      },
      cancel: () => void this.shutdown(SHUT_RD),
    }, { highWaterMark: 0 });
  }

  /** Where to write to the peer, as a web stream. Closing it ends sending. */
  get writable(): WritableStream<Uint8Array> {
    return this.#writable ??= new WritableStream<Uint8Array>({
      write: (bytes) => this.sendall(bytes),
      close: () => this.shutdown(SHUT_WR),
    });
  }

  /** Whether the socket was closed here. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The same as {@link Socket.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** The same as {@link Socket.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  /** For a debugger: where it is connected to. */
  [Symbol.for("Deno.customInspect")](): string {
    if (this.#closed) return "<Socket [closed]>";
    const { local, peer } = this.#endpoint;
    return `<Socket laddr=${shown(local)}, raddr=${shown(peer)}>`;
  }

  static {
    endpointOf = (socket) => socket.#endpoint;
  }
}

const shown = (address: Address) =>
  typeof address === "string" ? `'${address}'` : `('${address[0]}', ${address[1]})`;

function checkedSize(size: number): number {
  return wholeNumber("size", size, 0);
}
