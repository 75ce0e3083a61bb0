/** Datagram sockets of the runtime: UDP with `node:dgram`, which needs no flag; Unix with Deno's own, which does. */

import type { Socket as UdpSocket } from "node:dgram";
import { OSError, RuntimeError } from "../base/errors.ts";
import { builtin } from "./builtin.ts";
import { addressOf, type NetAddress, osError, removeSocketFile, shownAddress } from "./net.ts";

/** A datagram and where it came from. */
export type Datagram = [data: Uint8Array<ArrayBuffer>, from: NetAddress];

/** A bound datagram socket. It keeps the event loop up while it is `ref`ed, which at first it is not. */
export interface DatagramPort {
  /** Where it is bound. */
  readonly address: NetAddress;
  /** The next datagram, one call at a time; rejects once it is closed. */
  receive(): Promise<Datagram>;
  /** Sends a datagram; how many bytes that were. */
  send(data: Uint8Array, to: NetAddress): Promise<number>;
  /** Lets it keep the event loop up. */
  ref(): void;
  /** Lets it keep nothing up. */
  unref(): void;
  /** Closes it and takes its socket file away. */
  close(): void;
}

/** So much is kept for somebody who does not take it; the kernel would hold as much. */
const HELD_BYTES = 256 * 1024;
/** The longest datagram there can be. */
const LONGEST_BYTES = 64 * 1024;

/**
 * Binds a datagram socket.
 *
 * @param address Host, every interface when empty, and port, 0 for any that is free; or the path of a Unix socket.
 * @throws {OSError} If the address cannot be had.
 * @throws {RuntimeError} If Deno was started without the flag that Unix datagram sockets need.
 */
export function bindDatagram(address: Readonly<NetAddress>): DatagramPort {
  return typeof address === "string" ? new UnixPort(address) : new UdpPort(address);
}

const closed = () => new OSError("Cannot receive: the socket was closed; Bad file descriptor");

class UdpPort implements DatagramPort {
  readonly address: NetAddress;
  readonly #socket: UdpSocket;
  readonly #held: Datagram[] = [];
  #heldBytes = 0;
  #waiting: { resolve(datagram: Datagram): void; reject(error: unknown): void } | undefined;
  #failure: unknown;

  constructor(address: readonly [hostname: string, port: number]) {
    const { createSocket, dns, isIP } = node();
    const [hostname, port] = address;
    const numeric = numericHost(address, isIP);
    const family = isIP(numeric) === 6 ? 6 : 4;
    let failure: unknown;
    this.#socket = createSocket({
      type: family === 6 ? "udp6" : "udp4",
      // What is a number already is found at once, so that the socket is bound at once.
      lookup: (host, options, found) =>
        isIP(host) === 0 ? dns.lookup(host, options, found) : found(null, host, family),
    });
    this.#socket.on("error", (error) => failure = this.#failure = error);
    this.#socket.bind(port, numeric);
    if (failure !== undefined) {
      this.#socket.close();
      throw osError(`Cannot bind ${hostname}:${port}`, failure, "choose another address, or port 0 for any");
    }
    const bound = this.#socket.address();
    this.address = [bound.address, bound.port];
    this.#socket.on("message", (data, from) => this.#take([new Uint8Array(data), [from.address, from.port]]));
    this.#socket.unref();
  }

  #take(datagram: Datagram): void {
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      this.#waiting = undefined;
      return waiting.resolve(datagram);
    }
    const size = datagram[0].length;
    if (this.#heldBytes + size > HELD_BYTES) return; // lost, as any datagram may be
    this.#held.push(datagram);
    this.#heldBytes += size;
  }

  receive(): Promise<Datagram> {
    const first = this.#held.shift();
    if (first !== undefined) {
      this.#heldBytes -= first[0].length;
      return Promise.resolve(first);
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => this.#waiting = { resolve, reject });
  }

  send(data: Uint8Array, to: NetAddress): Promise<number> {
    const [hostname, port] = to as [string, number];
    return new Promise((resolve, reject) => {
      this.#socket.send(data, port, hostname, (error, bytes) => {
        if (error === null) resolve(bytes);
        else reject(osError(`Cannot send to ${hostname}:${port}`, error));
      });
    });
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  close(): void {
    this.#failure = closed();
    this.#socket.close();
    this.#waiting?.reject(this.#failure);
  }
}

/** Asks where a host is by listening there for a moment: the one way that does not need the event loop. */
function numericHost(address: readonly [string, number], isIP: (host: string) => number): string {
  const [hostname] = address;
  if (hostname === "") return "0.0.0.0";
  if (isIP(hostname) !== 0) return hostname;
  try {
    using listener = Deno.listen({ hostname, port: 0 });
    return listener.addr.hostname;
  } catch (error) {
    throw osError(`Cannot bind ${address.join(":")}`, error, "choose another host");
  }
}

interface UnstableDatagramConn {
  receive(into: Uint8Array<ArrayBuffer>): Promise<[Uint8Array<ArrayBuffer>, Deno.Addr]>;
  send(data: Uint8Array, to: Deno.Addr): Promise<number>;
  ref(): void;
  unref(): void;
  close(): void;
}

class UnixPort implements DatagramPort {
  readonly address: NetAddress;
  readonly #conn: UnstableDatagramConn;

  constructor(path: string) {
    const { listenDatagram } = Deno as unknown as {
      listenDatagram?(options: { transport: "unixpacket"; path: string }): UnstableDatagramConn;
    };
    if (listenDatagram === undefined) {
      throw new RuntimeError(
        `Cannot bind ${JSON.stringify(path)}: Deno has Unix datagram sockets only when it is started with ` +
          "--unstable-net; start it so, or use a Unix stream socket",
      );
    }
    try {
      this.#conn = listenDatagram({ transport: "unixpacket", path });
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw error;
      throw osError(`Cannot bind ${JSON.stringify(path)}`, error, "choose another path");
    }
    this.#conn.unref();
    this.address = path;
  }

  async receive(): Promise<Datagram> {
    try {
      const [data, from] = await this.#conn.receive(new Uint8Array(LONGEST_BYTES));
      return [data.slice(), addressOf(from)];
    } catch (error) {
      throw error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted
        ? closed()
        : error;
    }
  }

  async send(data: Uint8Array, to: NetAddress): Promise<number> {
    try {
      return await this.#conn.send(data, { transport: "unixpacket", path: to as string } as Deno.Addr);
    } catch (error) {
      throw osError(`Cannot send to ${shownAddress(to)}`, error);
    }
  }

  ref(): void {
    this.#conn.ref();
  }

  unref(): void {
    this.#conn.unref();
  }

  close(): void {
    this.#conn.close();
    removeSocketFile(this.address as string);
  }
}

// Loaded when first needed.
const node = () => ({
  ...builtin<typeof import("node:dgram")>("node:dgram"),
  ...builtin<typeof import("node:net")>("node:net"),
  dns: builtin<typeof import("node:dns")>("node:dns"),
});
