/** Datagrams of a Unix socket, by its descriptor: Deno's own cannot send while somebody waits to receive. */

import { OSError } from "../base/errors.ts";
import type { Datagram, DatagramPort } from "./datagram.ts";
import { unixAddress } from "./kernel_listener.ts";
import {
  ADDRESS_BYTES,
  addressIn,
  AF_UNIX,
  CLOEXEC,
  EAGAIN,
  EINTR,
  errno,
  type Io,
  io,
  type Listening,
  listening,
  NONBLOCK,
  POLLIN,
  systemError,
} from "./libc.ts";
import { type NetAddress, removeSocketFile, shownAddress } from "./net.ts";
import { Alarm, Watch } from "./watch.ts";

const SOCK_DGRAM = 2;
const POLLOUT = 4;
/** The longest datagram that is received; the kernel's own limit lies beyond. */
const LONGEST_BYTES = 256 * 1024;

/** A bound Unix socket for datagrams. */
export class KernelDatagramPort implements DatagramPort {
  readonly address: string;
  readonly #io: Io = io.hold();
  readonly #functions: Listening = listening.hold();
  readonly #fd: number;
  readonly #watch: Watch;
  /** Ends the waits of senders. */
  readonly #over: Alarm;
  readonly #waits = new Set<Promise<unknown>>();
  readonly #buffer = new Uint8Array(LONGEST_BYTES);
  #refs = 0;
  #closed = false;

  /** Binds the path. */
  constructor(path: string) {
    this.address = path;
    this.#fd = this.#functions.socket(AF_UNIX, SOCK_DGRAM | NONBLOCK | CLOEXEC, 0);
    try {
      const address = unixAddress(path);
      if (this.#functions.bind(this.#fd, address, address.length) < 0) {
        const number = errno(this.#io);
        throw systemError(this.#io, `Cannot bind ${shownAddress(path)}`, number, "choose another path");
      }
    } catch (error) {
      this.#release();
      throw error;
    }
    this.#watch = new Watch(this.#fd, this.#io, this.#functions);
    this.#watch.unref();
    this.#over = new Alarm(this.#io, this.#functions);
  }

  async receive(): Promise<Datagram> {
    const from = new Uint8Array(ADDRESS_BYTES);
    const length = new Uint32Array(1);
    while (!this.#closed) {
      length[0] = ADDRESS_BYTES;
      const most = BigInt(LONGEST_BYTES);
      const count = this.#functions.recvfrom(this.#fd, this.#buffer, most, 0, from, length);
      if (count >= 0) return [this.#buffer.slice(0, count), addressIn(from, length[0])];
      const number = errno(this.#io);
      if (number === EAGAIN) await this.#watch.change();
      else if (number !== EINTR) throw systemError(this.#io, "Cannot receive", number);
    }
    throw new OSError("Cannot receive: the socket was closed; Bad file descriptor");
  }

  async send(data: Uint8Array, to: NetAddress): Promise<number> {
    const address = unixAddress(to as string);
    const bytes = data.slice(); // ours while it waits
    while (!this.#closed) {
      const length = BigInt(bytes.length);
      const count = this.#functions.sendto(this.#fd, bytes, length, 0, address, address.length);
      if (count >= 0) return count;
      const number = errno(this.#io);
      if (number === EAGAIN) await this.#room(address);
      else if (number !== EINTR) throw systemError(this.#io, `Cannot send to ${shownAddress(to)}`, number);
    }
    throw new OSError("Cannot send: the socket was closed; Bad file descriptor");
  }

  ref(): void {
    if (this.#refs++ === 0) this.#watch.ref();
  }

  unref(): void {
    if (--this.#refs === 0) this.#watch.unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    removeSocketFile(this.address);
    this.#over.ring();
    await Promise.all([this.#watch.close(), ...this.#waits]);
    this.#over.close();
    this.#release();
  }

  /**
   * Settles when a receiver may have room again. A socket that is not connected counts as ready to send to anybody, so
   * another one asks that is connected to the receiver.
   */
  async #room(address: Uint8Array<ArrayBuffer>): Promise<void> {
    const asking = this.#functions.socket(AF_UNIX, SOCK_DGRAM | NONBLOCK | CLOEXEC, 0);
    try {
      if (this.#functions.connect(asking, address, address.length) < 0) return; // sending says why
      const polled = new Int32Array([asking, POLLOUT, this.#over.fd, POLLIN]);
      const wait = this.#io.pollAside(polled, 2n, -1);
      this.#waits.add(wait);
      await wait;
      this.#waits.delete(wait);
    } finally {
      this.#io.close(asking);
    }
  }

  #release(): void {
    this.#io.close(this.#fd);
    io.drop();
    listening.drop();
  }
}
