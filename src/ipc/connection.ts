/** Pipe and Connection: a two-way channel between two processes. */

import {
  BrokenPipeError,
  BufferTooShort,
  EOFError,
  OSError,
  TimeoutError,
  ValueError,
} from "../base/errors.ts";
import { waitMs, type WaitOptions, wholeNumber } from "../base/options.ts";
import { arrive, arriving } from "../transport/arriving.ts";
import { DISCARDED, ENDED, type Lane, NOTHING, type PutResult, SHUT, type Taken } from "../transport/lane.ts";
import { travels } from "../transport/registry.ts";
import { newPipe, type PackedEnd, type PipeEnd } from "./_pipe_end.ts";
import { unpackEnd } from "./_remote_end.ts";
import { SocketEnd } from "./_socket_end.ts";

/** Where a connection reads, if it is open and can; for the other files of this room. */
export let incomingOf: (connection: Connection) => Lane;
/** Both lanes of a connection, for rooms above that speak over a connection of their own. */
export let lanesOf: (connection: Connection) => { readonly incoming: Lane; readonly outgoing: Lane };

/** How {@link Connection.send} sends: what to move instead of copying. */
export interface SendOptions {
  /** Buffers and ports in the object that move to the receiver. */
  transfer?: Transferable[];
}

/**
 * One end of a {@link Pipe}, or of a connection over a socket, which {@link Listener} and {@link Client} make.
 *
 * - Objects arrive whole, in the order they were sent.
 * - Several processes may hold the same end; each object is received by one of them.
 * - Once every process that held the other end has closed it or ended, `recv` throws {@link EOFError} when
 *   everything sent was received, and `send` throws {@link BrokenPipeError}. A copy of the other end that this
 *   process only handed on does not hold that up (in Python it does).
 * - It travels: as an argument, on a queue, over a connection, nested in anything. What was handed on is the same end
 *   there; the copy here may be used on, which makes it hold the end, or closed at once.
 * - Over a socket it travels as well. The socket stays in the process that accepted or opened it, which from then on
 *   carries the messages in the background: whoever has the connection depends on that process, which must live and
 *   let its event loop turn. When it ends, the connection ends, on both sides. In Python the system gives each process
 *   a copy of the socket.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.connection.Connection | multiprocessing.connection.Connection}.
 *
 * @typeParam T What is sent and received.
 *
 * @example A child that echoes
 * ```ts
 * import { Pipe, Process } from "@multiprocessing/deno";
 * import { echo } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * const [mine, theirs] = Pipe<string>();
 * await using child = new Process({ target: echo, args: [theirs] });
 * child.start();
 * await mine.send("hello");
 * assert.equal(await mine.recv(), "hello");
 * mine.close();
 * await child.join();
 * ```
 */
export class Connection<T = unknown> implements AsyncIterable<T>, Disposable {
  readonly #end: PipeEnd;
  #closed = false;

  /** Connections are made by {@link Pipe}, {@link Listener} and {@link Client}. */
  constructor() {
    const end = arriving<PipeEnd>();
    if (end === undefined) throw new ValueError("Cannot construct a Connection by itself; call Pipe()");
    this.#end = end;
  }

  /**
   * Sends an object, waiting while more than 1 MiB is unread.
   *
   * @param obj What to send; `undefined` and everything the structured clone knows included.
   * @param options `transfer`.
   * @throws {BrokenPipeError} If nobody holds the other end any more.
   * @throws {PicklingError} If the object cannot travel; the message names where.
   * @throws {OSError} If this end is closed, or only receives.
   *
   * @example Move a buffer
   * ```ts
   * import { Pipe } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * const [mine, theirs] = Pipe<Uint8Array>();
   * const picture = new Uint8Array(1_000_000);
   * await mine.send(picture, { transfer: [picture.buffer] });
   * assert.equal(picture.length, 0); // it is theirs now
   * assert.equal((await theirs.recv()).length, 1_000_000);
   * ```
   */
  async send(obj: T, options?: SendOptions): Promise<void> {
    this.#check("send", "write");
    this.#sent(await this.#end.outgoing.put(obj, how(options), Infinity));
  }

  /**
   * Like {@link Connection.send}, blocking the thread.
   *
   * @param obj What to send.
   * @param options `transfer`.
   * @throws {RuntimeError} In a `"spawn"` child, which shares no memory with the pipe; over a socket in the process that
   * has the socket.
   */
  sendSync(obj: T, options?: SendOptions): void {
    this.#check("send", "write");
    this.#sent(this.#end.outgoing.putSync(obj, how(options), Infinity));
  }

  /**
   * Receives the next object, waiting until there is one.
   *
   * @param options How long to wait; for ever when left out.
   * @returns The object.
   * @throws {EOFError} If everything sent was received and nobody holds the other end any more.
   * @throws {TimeoutError} If nothing came within `timeout` milliseconds. An aborted `signal` throws its own reason.
   * @throws {OSError} If this end is closed, or only sends.
   *
   * @example A child that does not answer
   * ```ts
   * import { Pipe, Process, TimeoutError } from "@multiprocessing/deno";
   * import { spin } from "examples/targets.ts";
   * import assert from "node:assert/strict";
   *
   * const [mine, theirs] = Pipe<string>();
   * await using child = new Process({ target: spin });
   * child.start();
   * await assert.rejects(mine.recv({ timeout: 20 }), TimeoutError);
   * await theirs.send("someone else's answer");
   * assert.equal(await mine.recv(), "someone else's answer");
   * ```
   */
  async recv(options?: WaitOptions): Promise<T> {
    this.#check("receive", "read");
    const ms = waitMs(options);
    return this.#received(await this.#end.incoming.take(ms, options?.signal), ms);
  }

  /**
   * Like {@link Connection.recv}, blocking the thread.
   *
   * @param options How long to wait; for ever when left out.
   * @returns The object.
   * @throws {RuntimeError} In a `"spawn"` child, which shares no memory with the pipe; over a socket in the process that
   * has the socket.
   */
  recvSync(options?: WaitOptions): T {
    this.#check("receive", "read");
    const ms = waitMs(options);
    return this.#received(this.#end.incoming.takeSync(ms), ms);
  }

  /**
   * Sends bytes as one message.
   *
   * @param bytes The bytes.
   * @param options Which part of them: from `offset`, `size` many; all when left out.
   * @throws {ValueError} If the part lies outside of the bytes.
   *
   * @example
   * ```ts
   * import { Pipe } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * const [mine, theirs] = Pipe();
   * await mine.sendBytes(new Uint8Array([1, 2, 3, 4]), { offset: 1, size: 2 });
   * assert.deepEqual(await theirs.recvBytes(), new Uint8Array([2, 3]));
   * ```
   */
  async sendBytes(bytes: Uint8Array, options?: { offset?: number; size?: number }): Promise<void> {
    const offset = wholeNumber("offset", options?.offset ?? 0, 0);
    if (offset > bytes.length) {
      throw new ValueError(`Cannot send from offset ${offset}: there are ${bytes.length} bytes`);
    }
    const size = wholeNumber("size", options?.size ?? bytes.length - offset, 0);
    if (offset + size > bytes.length) {
      throw new ValueError(
        `Cannot send ${size} bytes from offset ${offset}: there are ${bytes.length} bytes`,
      );
    }
    await (this as Connection<unknown>).send(bytes.subarray(offset, offset + size).slice());
  }

  /**
   * Receives one message of bytes.
   *
   * @param options How long to wait; `maxlength`, the longest message to accept.
   * @returns The bytes.
   * @throws {OSError} If the message is longer than `maxlength`, after which the connection is closed, or is not bytes.
   * @throws {EOFError} As {@link Connection.recv}.
   */
  async recvBytes(options?: WaitOptions & { maxlength?: number }): Promise<Uint8Array> {
    const longest = options?.maxlength === undefined
      ? Infinity
      : wholeNumber("maxlength", options.maxlength, 0);
    const message: unknown = await this.recv(options);
    if (!(message instanceof Uint8Array)) {
      throw new OSError(
        `Cannot receive bytes: the message is of another kind (${typeof message}); use recv()`,
      );
    }
    if (message.length > longest) {
      this.close();
      throw new OSError(
        `Cannot receive ${message.length} bytes: 'maxlength' is ${longest}; the connection is closed now`,
      );
    }
    return message;
  }

  /**
   * Receives one message of bytes into a buffer.
   *
   * @param buffer Where the bytes go.
   * @param offset From where on.
   * @returns How many bytes came.
   * @throws {BufferTooShort} If the message is longer than the room in the buffer.
   *
   * @example
   * ```ts
   * import { Pipe } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * const [mine, theirs] = Pipe();
   * await mine.sendBytes(new Uint8Array([1, 2, 3]));
   * const buffer = new Uint8Array(5);
   * assert.equal(await theirs.recvBytesInto(buffer, 2), 3);
   * assert.deepEqual(buffer, new Uint8Array([0, 0, 1, 2, 3]));
   * ```
   */
  async recvBytesInto(buffer: Uint8Array, offset: number = 0): Promise<number> {
    if (wholeNumber("offset", offset, 0) > buffer.length) {
      throw new ValueError(`Cannot receive at offset ${offset}: the buffer has ${buffer.length} bytes`);
    }
    const message = await this.recvBytes();
    if (message.length > buffer.length - offset) {
      throw new BufferTooShort(
        `Cannot receive ${message.length} bytes: the buffer has room for ${buffer.length - offset}`,
        { cause: message },
      );
    }
    buffer.set(message, offset);
    return message.length;
  }

  /**
   * Whether there is something to receive, or the end has come, within `timeout` milliseconds.
   *
   * @param timeout How long to wait; not at all when left out.
   * @returns Whether the next `recv` returns or throws at once.
   *
   * @example
   * ```ts
   * import { Pipe } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * const [mine, theirs] = Pipe<string>();
   * assert.equal(await mine.poll(10), false);
   * await theirs.send("hello");
   * assert.equal(await mine.poll(), true);
   * assert.equal(await mine.recv(), "hello"); // poll() has taken nothing
   * theirs.close();
   * assert.equal(await mine.poll(), true); // recv() would throw an EOFError at once
   * ```
   */
  async poll(timeout: number = 0): Promise<boolean> {
    this.#check("poll", "read");
    const ready = await this.#end.incoming.ready(waitMs({ timeout }));
    if (this.#closed) throw closedHere("poll");
    return ready;
  }

  /** Gives this end up. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#end.close();
  }

  /** Whether this end was closed here. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Whether this end can receive. */
  get readable(): boolean {
    return this.#end.mode !== "write";
  }

  /** Whether this end can send. */
  get writable(): boolean {
    return this.#end.mode !== "read";
  }

  /** Yields the objects as they come and ends where `recv` would throw {@link EOFError}. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<T> {
    for (;;) {
      this.#check("receive", "read");
      const taken = await this.#end.incoming.take(Infinity);
      if (taken === ENDED || taken === SHUT) return;
      yield taken as T;
    }
  }

  /** The same as {@link Connection.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  #check(what: string, needs: "read" | "write"): void {
    if (this.#closed) throw closedHere(what);
    if (this.#end.mode !== "duplex" && this.#end.mode !== needs) {
      throw new OSError(`Cannot ${what}: connection is ${needs === "read" ? "write" : "read"}-only`);
    }
    this.#end.use();
  }

  #sent(result: PutResult): void {
    if (result === "done") return;
    if (this.#closed) throw closedHere("send");
    throw new BrokenPipeError("Cannot send: every process that held the other end is gone");
  }

  #received(taken: Taken, ms: number): T {
    if (taken === NOTHING) throw new TimeoutError(`Cannot receive within ${ms} ms: nothing was sent`);
    if (taken === ENDED || taken === SHUT) {
      if (this.#closed) throw closedHere("receive");
      throw new EOFError(
        "Cannot receive: every process that held the other end is gone, and what they sent was received",
      );
    }
    return taken as T;
  }

  static {
    incomingOf = (connection) => {
      connection.#check("wait", "read");
      return connection.#end.incoming;
    };
    lanesOf = (connection) => {
      connection.#end.use();
      return connection.#end;
    };
    travels(Connection, {
      tag: "Connection",
      pack(connection: Connection, context): PackedEnd {
        if (connection.#closed) throw closedHere("hand on");
        return connection.#end.pack(context);
      },
      unpack(packed: PackedEnd, context) {
        const { socket } = packed;
        const end = unpackEnd(packed, context);
        const connection = arrive<Connection>(
          Connection,
          socket === undefined ? end : new SocketEnd(end, socket.maxlength, socket.home),
        );
        if (context.context === DISCARDED) connection.close();
        return connection;
      },
    });
  }
}

function closedHere(what: string): OSError {
  return new OSError(`handle is closed: cannot ${what} after close()`);
}

function how(options: SendOptions | undefined): { root: string; transfer?: Transferable[] } {
  return { root: "obj", ...(options?.transfer && { transfer: options.transfer }) };
}

/**
 * Makes a pipe and returns its two ends.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.Pipe | multiprocessing.Pipe}.
 *
 * @typeParam T What is sent and received.
 * @param options With `duplex: false` the first end only receives and the second only sends.
 * @returns Both ends.
 *
 * @example One way
 * ```ts
 * import { Pipe } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const [receiver, sender] = Pipe<number[]>({ duplex: false });
 * await sender.send([1, 2]);
 * sender.close();
 * assert.deepEqual(await Array.fromAsync(receiver), [[1, 2]]);
 * ```
 */
export function Pipe<T = unknown>(options?: { duplex?: boolean }): [Connection<T>, Connection<T>] {
  const [first, second] = newPipe(options?.duplex ?? true);
  return [arrive<Connection<T>>(Connection<T>, first), arrive<Connection<T>>(Connection<T>, second)];
}
