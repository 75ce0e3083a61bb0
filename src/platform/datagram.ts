/** Datagram sockets: UDP with `node:dgram`, since Deno's own need a flag; Unix by their descriptors. */

import type { Socket as UdpSocket } from "node:dgram";
import { OSError, RuntimeError } from "../base/errors.ts";
import { builtin } from "./builtin.ts";
import { KernelDatagramPort } from "./kernel_datagram.ts";
import { whyNotInKernel } from "./kernel_listener.ts";
import { type NetAddress, osError } from "./net.ts";

/** A datagram and where it came from. */
export type Datagram = [data: Uint8Array<ArrayBuffer>, from: NetAddress];

/** A bound datagram socket. It keeps the event loop up, and may wait for datagrams, only while it is `ref`ed. */
export interface DatagramPort {
  /** Where it is bound. */
  readonly address: NetAddress;
  /** The next datagram, one call at a time; rejects once it is closed. */
  receive(): Promise<Datagram>;
  /** Sends a datagram; how many bytes that were. */
  send(data: Uint8Array, to: NetAddress): Promise<number>;
  /** Lets it keep the event loop up, until as many calls of {@link unref}. */
  ref(): void;
  /** Takes a {@link ref} back. */
  unref(): void;
  /** Closes it and takes its socket file away, at once. Settles when no other thread waits for it any more. */
  close(): Promise<void>;
}

/** So much is kept for somebody who does not take it; the kernel would hold as much. */
const HELD_BYTES = 256 * 1024;

/**
 * Binds a datagram socket.
 *
 * @param address Host, every interface when empty, and port, 0 for any that is free; or the path of a Unix socket.
 * @throws {OSError} If the address cannot be had.
 * @throws {RuntimeError} If Unix datagram sockets are not possible here, or not without another flag.
 */
export function bindDatagram(address: Readonly<NetAddress>): DatagramPort {
  if (typeof address !== "string") return new UdpPort(address);
  const why = whyNotInKernel(address);
  if (why === undefined) return new KernelDatagramPort(address);
  throw new RuntimeError(
    `Cannot bind ${JSON.stringify(address)} for datagrams: ${why}; or use a Unix stream socket`,
  );
}

const closed = () => new OSError("Cannot receive: the socket was closed; Bad file descriptor");

class UdpPort implements DatagramPort {
  readonly address: NetAddress;
  readonly #socket: UdpSocket;
  readonly #held: Datagram[] = [];
  #heldBytes = 0;
  #waiting: { resolve(datagram: Datagram): void; reject(error: unknown): void } | undefined;
  #failure: unknown;
  #refs = 0;

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
    this.#socket.on("error", (error) => {
      failure = error;
      this.#failure = osError("Cannot receive", error);
    });
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
    if (this.#refs++ === 0) this.#socket.ref();
  }

  unref(): void {
    if (--this.#refs === 0) this.#socket.unref();
  }

  close(): Promise<void> {
    this.#failure = closed();
    this.#socket.close();
    this.#waiting?.reject(this.#failure);
    return Promise.resolve();
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

// Loaded when first needed.
const node = () => ({
  ...builtin<typeof import("node:dgram")>("node:dgram"),
  ...builtin<typeof import("node:net")>("node:net"),
  dns: builtin<typeof import("node:dns")>("node:dns"),
});
