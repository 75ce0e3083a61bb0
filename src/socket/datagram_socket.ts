/** DatagramSocket: sends and receives single messages, each with an address. */

import { OSError } from "../base/errors.ts";
import { wholeNumber } from "../base/options.ts";
import { bindDatagram, type Datagram, type DatagramPort } from "../platform/datagram.ts";
import { settledWithin } from "../platform/runtime.ts";
import { arriving } from "../transport/arriving.ts";
import { type Address, asBytes, closedHere, type SameKind, timeoutMs, tooLate } from "./endpoint.ts";

const ANY: Address = ["", 0];
/** The most bytes a datagram of UDP can have. */
const MOST_BYTES = 65507;

/** What a datagram socket stands on, for the servers. */
export let portOf: (socket: DatagramSocket<Address>) => DatagramPort;

/**
 * A socket for datagrams: messages of at most 65507 bytes, each by itself, of which any may be lost, doubled or
 * overtaken. What a handler of a {@link UDPServer} has as `this.request[1]`, and what its clients are made with.
 *
 * - A datagram is received whole; what is longer than asked for is cut off.
 * - What comes while nobody receives is kept, up to 256 KiB; further datagrams are lost.
 * - A path as its address makes it a Unix socket: on Linux, with the permission `ffi`, which is part of `-A`.
 *
 * Python: {@link https://docs.python.org/3/library/socket.html#socket.socket | socket.socket(AF_INET, SOCK_DGRAM)}.
 * Here it is bound from the beginning, and times are milliseconds.
 *
 * @typeParam A What its addresses are: host and port, or the path of a Unix socket.
 *
 * @example There and back
 * ```ts
 * import { DatagramSocket } from "@multiprocessing/deno/socket";
 * import assert from "node:assert/strict";
 *
 * using server = new DatagramSocket(["127.0.0.1", 0]);
 * using client = new DatagramSocket(["127.0.0.1", 0]);
 * await client.sendto("hello", server.getsockname());
 * const [data, from] = await server.recvfrom(1024);
 * assert.equal(new TextDecoder().decode(data), "hello");
 * assert.deepEqual(from, client.getsockname());
 * ```
 */
export class DatagramSocket<A extends Address = [hostname: string, port: number]>
  implements Disposable, AsyncDisposable {
  readonly #port: DatagramPort;
  #timeoutMs = Infinity;
  #closed = false;
  #gone: Promise<void> | undefined;
  /** Somebody waits for the port. A wait that is given up leaves what comes to the next one. */
  #receiving = false;
  #arrived: { readonly datagram: Promise<Datagram> } | undefined;
  #heard: (() => void) | undefined;
  #line: Promise<unknown> = Promise.resolve();

  /**
   * Makes a socket and binds it.
   *
   * @param address Where: host, `""` for every interface, and port, 0 for any that is free; or a path. Any port of
   * every interface when left out.
   * @throws {OSError} If the address cannot be had.
   * @throws {RuntimeError} For a path, if there are no such sockets here, or not without the permission `ffi`.
   */
  constructor(address: A = ANY as A) {
    this.#port = arriving<DatagramPort>() ?? bindDatagram(address);
  }

  /**
   * Sends a datagram.
   *
   * @param data Bytes, or a string as UTF-8.
   * @param address Where to.
   * @returns How many bytes were sent: all of them. Whether they arrive nobody knows.
   * @throws {OSError} If it is too long (`Message too long`), or the socket is closed.
   */
  async sendto(data: Uint8Array | string, address: SameKind<A>): Promise<number> {
    const bytes = asBytes(data);
    if (this.#closed) throw closedHere("send");
    if (bytes.length > MOST_BYTES) {
      throw Object.assign(
        new OSError(
          `Cannot send a datagram of ${bytes.length} bytes: Message too long; ${MOST_BYTES} is the most`,
        ),
        { code: "EMSGSIZE" },
      );
    }
    return await this.#port.send(bytes, address);
  }

  /**
   * Receives a datagram, waiting until there is one, which keeps the program up. Calls at a time are served in order.
   *
   * @param size The most bytes of it; the rest is lost.
   * @returns The bytes, and where they come from.
   * @throws {TimeoutError} If nothing came within the time of {@link DatagramSocket.settimeout}.
   * @throws {OSError} If the socket is closed.
   */
  recvfrom(size: number): Promise<[data: Uint8Array<ArrayBuffer>, from: SameKind<A>]> {
    const most = wholeNumber("size", size, 0);
    const received = this.#line.then(() => this.#receive(most));
    this.#line = received.catch(() => {});
    return received;
  }

  async #receive(size: number): Promise<[Uint8Array<ArrayBuffer>, SameKind<A>]> {
    if (this.#closed) throw closedHere("receive");
    if (this.#arrived === undefined) {
      const heard = new Promise<void>((resolve) => this.#heard = resolve);
      if (!this.#receiving) this.#listen();
      this.#port.ref();
      try {
        if (!await settledWithin(heard, this.#timeoutMs)) throw tooLate("receive", this.#timeoutMs);
      } finally {
        if (!this.#closed) this.#port.unref();
      }
    }
    const { datagram } = this.#arrived!;
    this.#arrived = undefined;
    const [data, from] = await datagram;
    return [data.length > size ? data.slice(0, size) : data, from as SameKind<A>];
  }

  #listen(): void {
    this.#receiving = true;
    const datagram = this.#port.receive();
    const arrived = () => {
      this.#receiving = false;
      this.#arrived = { datagram };
      this.#heard?.();
    };
    datagram.then(arrived, arrived);
  }

  /**
   * Says how long `recvfrom` waits from now on.
   *
   * @param ms Milliseconds; `null` for ever, as at first.
   * @throws {ValueError} If `ms` is negative.
   */
  settimeout(ms: number | null): void {
    this.#timeoutMs = timeoutMs(ms);
  }

  /** How long `recvfrom` waits, in milliseconds; `null` for ever. */
  gettimeout(): number | null {
    return this.#timeoutMs === Infinity ? null : this.#timeoutMs;
  }

  /** Where it is bound: host and port, or its path. */
  getsockname(): SameKind<A> {
    if (this.#closed) throw closedHere("ask for the address");
    return this.#port.address as SameKind<A>;
  }

  /** Closes it. A `recvfrom` that is pending rejects. A second time does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#gone = this.#port.close();
  }

  /** Whether the socket was closed here. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The same as {@link DatagramSocket.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Closes it. Settles when nothing in the system waits for it any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#gone;
  }

  static {
    portOf = (socket) => socket.#port;
  }
}
