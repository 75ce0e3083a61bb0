/** Listener: connections from other programs, each made sure of before it is accepted. */

import { OSError, TimeoutError, ValueError } from "../base/errors.ts";
import { waitMs, type WaitOptions, wholeNumber } from "../base/options.ts";
import { settledWithin, unrefTimer } from "../platform/runtime.ts";
import { listenStream, type SocketAddress, type Stream, type StreamListener } from "../platform/stream.ts";
import { arrive } from "../transport/arriving.ts";
import { admit, importKey } from "./_auth.ts";
import { FrameSocket } from "./_frame_socket.ts";
import { FrameReader, LONGEST_FRAME } from "./_frames.ts";
import { SocketEnd } from "./_socket_end.ts";
import { authkeyFor } from "./authkey.ts";
import { Connection } from "./connection.ts";

/** Where to listen or connect to: the path of a Unix socket, or host and port. */
export type Address = string | {
  /** The host; `127.0.0.1` when left out. */
  hostname?: string | undefined;
  /** The port; for a listener 0 or nothing for any that is free. */
  port?: number | undefined;
};

/** What connections over sockets are made of, on both sides. */
export interface SocketOptions {
  /**
   * The key that both sides have to know; `true` for the `authkey` of this process, which its children have, too.
   * Without one nobody proves anything: then whoever can reach the address can connect.
   */
  authkey?: Uint8Array | true | undefined;
  /** The longest message to send and to accept, in bytes; 256 MiB when left out. */
  maxlength?: number | undefined;
}

/** What a {@link Listener} is made of. */
export interface ListenerOptions extends SocketOptions {
  /** Where to listen; when left out, a Unix socket in a new directory that only this user can enter. */
  address?: Address | undefined;
  /** How many clients may wait for `accept`; further ones wait outside. 128 when left out. */
  backlog?: number | undefined;
  /** How long a client has to prove itself, in milliseconds; 10 000 when left out. */
  handshakeTimeout?: number | undefined;
}

/** See {@link SocketOptions.maxlength}. */
const MAXLENGTH = 256 * 1024 * 1024;
const BACKLOG = 128;
const HANDSHAKE_MS = 10_000;
/** So many clients are made sure of at once. One more, and the one that has taken longest is sent away. */
const MOST_GREETED = 64;

/** The address as the platform takes it; with `port: 0` where that may be left out. */
export function checkedAddress(address: Address, listening: boolean): SocketAddress {
  if (typeof address === "string") {
    if (address !== "") return address;
    throw new ValueError("address type of '' unrecognized: give the path of a socket, or { hostname, port }");
  }
  if (address === null || typeof address !== "object" || Array.isArray(address)) {
    throw new ValueError(
      `address type of ${String(address)} unrecognized: give the path of a socket, or { hostname, port }`,
    );
  }
  const { hostname = "127.0.0.1", port = listening ? 0 : undefined } = address;
  if (typeof hostname !== "string") {
    throw new TypeError(`Cannot use ${String(hostname)} as hostname: give a text`);
  }
  if (wholeNumber("port", port, listening ? 0 : 1) > 65_535) {
    throw new ValueError(`Cannot use ${port} as port: it must be at most 65535`);
  }
  return { hostname, port: port! };
}

/** The `maxlength` of both sides. */
export function checkedMaxlength(maxlength: number = MAXLENGTH): number {
  return Math.min(wholeNumber("maxlength", maxlength, 1), LONGEST_FRAME);
}

/** Somebody at the door. */
interface Guest {
  readonly stream: Stream;
  readonly reader: FrameReader;
}

interface Accept {
  guest: Guest | undefined;
  wake(): void;
}

/**
 * Accepts connections from other processes and programs, over a Unix socket or TCP.
 *
 * - With an `authkey` both sides prove that they know it, without sending it (HMAC-SHA256 over random bytes of both).
 *   It is a matter of the listener, not of `accept`: clients are made sure of as they come, many at once, each within
 *   `handshakeTimeout`. A client that is wrong, slow or silent is sent away, and `accept` never sees it.
 * - The connections carry plain data only, as values that are checked as they arrive. Handles and functions are
 *   refused on both sides: nothing a client sends makes code run here. There is no encryption.
 * - A connection may be handed on to another process, such as one of several that serve clients; it stays open as long
 *   as somebody there has it. See {@link Connection}.
 * - A listener keeps the program up only while `accept` is awaited.
 *
 * ```
 * socket ─▶ [64 at once: greeting, proof, deadline] ─▶ backlog ─▶ accept()
 * ```
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.connection.Listener | multiprocessing.connection.Listener}.
 * There `accept` itself does the proof, so one silent client holds up all others, and a wrong one is an
 * {@link AuthenticationError} in the server.
 *
 * @example A listener and its client
 * ```ts
 * import { Client, Listener } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const authkey = new TextEncoder().encode("between us");
 * using listener = new Listener({ address: { port: 0 }, authkey });
 * const accepted = listener.accept();
 * using client = await Client(listener.address, { authkey });
 * using server = await accepted;
 * await client.send({ hello: "there" });
 * assert.deepEqual(await server.recv(), { hello: "there" });
 * ```
 *
 * @example A child serves the client
 * ```ts
 * import { Client, Listener, Process } from "@multiprocessing/deno";
 * import { echo } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * using listener = new Listener();
 * using client = await Client<string>(listener.address);
 * using server = await listener.accept<string>();
 * await using child = new Process({ target: echo, args: [server] });
 * child.start();
 * await client.send("hello");
 * assert.equal(await client.recv(), "hello");
 * client.close();
 * await child.join();
 * ```
 */
export class Listener implements Disposable, AsyncDisposable {
  readonly #socket: StreamListener;
  readonly #key: Promise<CryptoKey> | undefined;
  readonly #maxlength: number;
  readonly #backlog: number;
  readonly #handshakeMs: number;
  /** Clients that are being made sure of, the oldest first. */
  readonly #greeted = new Set<Stream>();
  /** Clients that may come in. */
  readonly #ready: Guest[] = [];
  /** Calls of `accept` that wait, in the order they came. */
  readonly #accepts = new Set<Accept>();
  #roomAgain: (() => void) | undefined;
  readonly #listening: Promise<void>;
  #lastAccepted: SocketAddress | null = null;
  #closed = false;

  /**
   * Starts to listen.
   *
   * @param options Where, and which key clients have to know.
   * @throws {OSError} If the address cannot be had; `code` is the system's, such as `"EADDRINUSE"`.
   * @throws {ValueError} If the address or a number among the options is impossible.
   * @throws {TypeError} If the key is no Uint8Array, or empty.
   */
  constructor(options: ListenerOptions = {}) {
    const { address } = options;
    const where = address === undefined ? undefined : checkedAddress(address, true);
    const key = authkeyFor(options.authkey);
    this.#maxlength = checkedMaxlength(options.maxlength);
    this.#backlog = wholeNumber("backlog", options.backlog ?? BACKLOG, 1);
    this.#handshakeMs = waitMs({ timeout: options.handshakeTimeout ?? HANDSHAKE_MS });
    this.#key = key && importKey(key);
    this.#socket = listenStream(where);
    this.#listening = this.#listen();
  }

  /** Where it listens, as {@link Client} takes it: a path, or host and port, with the port it really has. */
  get address(): SocketAddress {
    return this.#socket.address;
  }

  /** Where the client came from that was accepted last: host and port, or `""` over a Unix socket; `null` before. */
  get lastAccepted(): SocketAddress | null {
    return this.#lastAccepted;
  }

  /**
   * Waits for the next client that has proven itself.
   *
   * @typeParam T What is sent and received.
   * @param options How long to wait; for ever when left out.
   * @returns The connection to it.
   * @throws {OSError} If the listener is closed, also while this waits.
   * @throws {TimeoutError} If none came within `timeout` milliseconds. An aborted `signal` throws its own reason.
   *
   * @example Until told otherwise
   * ```ts
   * import { Client, Listener } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * using listener = new Listener();
   * const closing = new AbortController();
   * const served = (async () => {
   *   for (let count = 0;; count++) {
   *     try {
   *       using connection = await listener.accept<string>({ signal: closing.signal });
   *       await connection.send(`you are number ${count}`);
   *     } catch (error) {
   *       if (closing.signal.aborted) return count;
   *       throw error;
   *     }
   *   }
   * })();
   * for (const answer of ["you are number 0", "you are number 1"]) {
   *   using client = await Client<string>(listener.address);
   *   assert.equal(await client.recv(), answer);
   * }
   * closing.abort();
   * assert.equal(await served, 2);
   * ```
   */
  async accept<T = unknown>(options?: WaitOptions): Promise<Connection<T>> {
    const ms = waitMs(options);
    const signal = options?.signal ?? undefined;
    signal?.throwIfAborted();
    let guest = this.#accepts.size === 0 ? this.#ready.shift() : undefined;
    if (guest === undefined && !this.#closed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const accept: Accept = { guest: undefined, wake: resolve };
      this.#accepts.add(accept);
      let aborted: unknown;
      try {
        await settledWithin(promise, ms, signal);
      } catch (reason) {
        aborted = reason;
      }
      this.#accepts.delete(accept);
      // However the wait ended: a guest who is ours already would be lost.
      guest = accept.guest;
      if (guest === undefined && signal?.aborted) throw aborted;
    }
    if (guest === undefined) {
      if (this.#closed) throw new OSError("Listener is closed: cannot accept after close()");
      throw new TimeoutError(
        `Cannot accept a connection within ${ms} ms: no client has come that knows the key`,
      );
    }
    this.#roomAgain?.();
    const { stream, reader } = guest;
    this.#lastAccepted = stream.peer;
    return arrive<Connection<T>>(
      Connection<T>,
      new SocketEnd(new FrameSocket(stream, reader, this.#maxlength), this.#maxlength),
    );
  }

  /**
   * Stops listening: whoever waits in `accept` gets an {@link OSError}, clients that were not accepted are cut off.
   * Connections that were accepted stay. The system has the address back a moment later; who wants it again at once
   * uses `await using`, which waits for that.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
    for (const stream of this.#greeted) stream.close();
    for (const { stream } of this.#ready.splice(0)) stream.close();
    for (const accept of this.#accepts) accept.wake();
    this.#roomAgain?.();
  }

  /** The same as {@link Listener.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** The same as {@link Listener.close}, and waits until the system has the address back. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await settledWithin(this.#listening, Infinity);
  }

  async #listen(): Promise<void> {
    for (;;) {
      while (this.#ready.length >= this.#backlog && !this.#closed) {
        await new Promise<void>((resolve) => this.#roomAgain = resolve);
      }
      const stream = await this.#socket.accept();
      if (stream === undefined) return;
      const [oldest] = this.#greeted;
      if (this.#greeted.size >= MOST_GREETED) oldest!.close();
      this.#greet(stream);
    }
  }

  async #greet(stream: Stream): Promise<void> {
    this.#greeted.add(stream);
    const reader = new FrameReader(stream);
    const deadline = this.#handshakeMs === Infinity
      ? undefined
      : setTimeout(() => stream.close(), this.#handshakeMs);
    if (deadline !== undefined) unrefTimer(deadline);
    let admitted = false;
    try {
      admitted = await admit(stream, reader, await this.#key);
    } catch {
      // It sent what no client sends.
    }
    clearTimeout(deadline);
    const alive = this.#greeted.delete(stream);
    if (!admitted || !alive || this.#closed) return stream.close();
    const guest = { stream, reader };
    const [first] = this.#accepts;
    if (first === undefined) {
      this.#ready.push(guest);
    } else {
      this.#accepts.delete(first);
      first.guest = guest;
      first.wake();
    }
  }
}
