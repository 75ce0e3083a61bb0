/**
 * A connected socket of the kernel by its descriptor, which is good in every thread of the process.
 *
 * Its calls return at once or block the thread for a while; or else a thread beside this one watches the descriptor for
 * the event loop. The descriptor itself blocks, so that a blocking call is one call of the kernel, as in C.
 */

import { OSError } from "../base/errors.ts";
import { addressFrom, EAGAIN, EINTR, errno, type Io, io, SOL_SOCKET, systemError } from "./libc.ts";
import type { NetAddress, NetConn } from "./net.ts";

/** Nothing could be received or sent without waiting. */
export const WOULD_BLOCK = -1;

/** What to wait for: something to receive, or the end. */
export const TO_RECEIVE = 0x001;
/** What to wait for: room to send. */
export const TO_SEND = 0x004;

const DONTWAIT = 0x40;
const NOSIGNAL = 0x4000;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;

/** What one call is given at most: the counts come back as 32 bits. */
const MOST_BYTES = 2 ** 30;
/** Shorter data is copied: V8 keeps small arrays in its heap, and moving one out for the kernel costs more. */
const COPIED_BYTES = 1024;
const copied = new Uint8Array(COPIED_BYTES);
/** No wait beside this thread lasts longer, so that one which nobody needs any more ends. */
const LONGEST_WAIT_MS = 1000;

/** For a thread that uses such sockets until it ends: loading the functions takes 2 ms. */
export function keepKernelSockets(): void {
  io.hold();
}

/** For {@link KernelSocket.shutdown}. */
export type Direction = 0 | 1 | 2;

/** Ends receiving, sending or both of a connection that another thread serves. */
export function endConnection(fd: number, direction: Direction): void {
  io.hold().shutdown(fd, direction);
  io.drop();
}

/** Closes a descriptor that a thread has left behind. */
export function closeLeftBehind(fd: number): void {
  io.hold().close(fd);
  io.drop();
}

let lastCount = 0;
let lastBigInt = 0n;

/** A count as the C library takes it. Mostly it is the same as the last time. */
function asBigInt(count: number): bigint {
  if (count !== lastCount) lastBigInt = BigInt(lastCount = count);
  return lastBigInt;
}

/** A connected socket. Whoever made it closes it; what is called afterwards is an error of the caller. */
export class KernelSocket {
  /** The descriptor. */
  readonly fd: number;
  readonly #io: Io = io.hold();
  readonly #check: () => void;
  /** A `struct pollfd`. */
  readonly #polled: Int32Array<ArrayBuffer>;
  #receiveMs = 0;
  #sendMs = 0;

  /**
   * Takes a descriptor.
   *
   * @param check Throws if this thread may not use it any more; called before each use.
   */
  constructor(fd: number, check: () => void = () => {}) {
    this.fd = fd;
    this.#check = check;
    this.#polled = new Int32Array([fd, 0]);
  }

  /** The address of this end. */
  get local(): NetAddress {
    return addressFrom((address, length) => this.#io.getsockname(this.fd, address, length));
  }

  /** The address of the other end. */
  get peer(): NetAddress {
    return addressFrom((address, length) => this.#io.getpeername(this.fd, address, length));
  }

  /**
   * Receives what comes within `ms` into `buffer`, at most `count` bytes; 0 at the end. The kernel counts time in
   * steps of some milliseconds.
   */
  receive(buffer: Uint8Array, count: number, ms: number): number {
    this.#check();
    if (ms > 0 && ms !== this.#receiveMs) this.#setTimeout(SO_RCVTIMEO, this.#receiveMs = ms);
    const flags = ms > 0 ? 0 : DONTWAIT;
    const most = asBigInt(count);
    for (;;) {
      const received = this.#io.recv(this.fd, buffer as Uint8Array<ArrayBuffer>, most, flags);
      if (received >= 0) return received;
      const number = errno(this.#io);
      if (number === EAGAIN) return WOULD_BLOCK;
      if (number !== EINTR) throw systemError(this.#io, "Cannot receive", number);
    }
  }

  /** Sends what the kernel has room for within `ms`; how many bytes that were. */
  send(data: Uint8Array, start: number, ms: number): number {
    this.#check();
    if (ms > 0 && ms !== this.#sendMs) this.#setTimeout(SO_SNDTIMEO, this.#sendMs = ms);
    const flags = ms > 0 ? NOSIGNAL : DONTWAIT | NOSIGNAL;
    const count = Math.min(data.length - start, MOST_BYTES);
    let from = start === 0 ? data : data.subarray(start);
    if (count <= COPIED_BYTES) {
      copied.set(from);
      from = copied;
    }
    const most = asBigInt(count);
    for (;;) {
      const sent = this.#io.send(this.fd, from as Uint8Array<ArrayBuffer>, most, flags);
      if (sent >= 0) return sent;
      const number = errno(this.#io);
      if (number === EAGAIN) return WOULD_BLOCK;
      if (number !== EINTR) throw systemError(this.#io, "Cannot send", number);
    }
  }

  #setTimeout(option: number, ms: number): void {
    const micros = Math.max(1, Math.round(ms * 1000)); // none would mean for ever
    const seconds = Math.floor(micros / 1e6);
    const timeval = new BigInt64Array([BigInt(seconds), BigInt(micros - seconds * 1e6)]);
    this.#io.setsockopt(this.fd, SOL_SOCKET, option, timeval, timeval.byteLength);
  }

  /** Blocks until there is something to receive, at most `ms`, which the kernel here counts exactly; whether there is. */
  wait(ms: number): boolean {
    this.#check();
    this.#polled[1] = TO_RECEIVE;
    return this.#io.poll(this.#polled, 1n, ms) > 0;
  }

  /** Settles when the socket is ready, or after `ms` or some time less. It may be closed meanwhile. */
  async ready(event: number, ms: number): Promise<void> {
    // A `struct pollfd`. The kernel writes into it while this thread goes on.
    const polled = new Int32Array([this.fd, event]);
    await this.#io.pollAside(polled, 1n, Math.ceil(Math.min(ms, LONGEST_WAIT_MS)));
  }

  /** Ends receiving, sending or both. Waits of other threads end, too. Nothing happens if it is over already. */
  shutdown(direction: Direction): void {
    this.#check();
    this.#io.shutdown(this.fd, direction);
  }

  /** Sends small amounts at once, or gathers them. */
  setNoDelay(on: boolean): void {
    this.#check();
    this.#io.setsockopt(this.fd, IPPROTO_TCP, TCP_NODELAY, new Int32Array([Number(on)]), 4);
  }

  /** Gives the socket up. A descriptor that is not `borrowed` is closed; no other thread may use it any more. */
  release(borrowed: boolean): void {
    if (!borrowed) this.#io.close(this.fd);
    io.drop();
  }
}

/** How a connection is used by a thread or process that has not accepted it. */
export interface Guest {
  /** Where our end is. */
  readonly local: NetAddress;
  /** Where the client is. */
  readonly peer: NetAddress;
  /** Whether the descriptor is that of another thread, which will close it. */
  readonly borrowed: boolean;
  /** Called whenever bytes have flowed. */
  note(): void;
}

/** A guest's connected socket as a connection for the event loop. */
export class KernelConn implements NetConn {
  readonly localAddr: Deno.Addr;
  readonly remoteAddr: Deno.Addr;
  readonly #socket: KernelSocket;
  readonly #guest: Guest;
  #closed = false;

  constructor(socket: KernelSocket, guest: Guest) {
    this.#socket = socket;
    this.#guest = guest;
    this.localAddr = netAddr(guest.local);
    this.remoteAddr = netAddr(guest.peer);
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      this.#check();
      const count = this.#socket.receive(into, into.length, 0);
      if (count !== WOULD_BLOCK) {
        this.#guest.note();
        return count === 0 ? null : count;
      }
      await this.#socket.ready(TO_RECEIVE, Infinity);
    }
  }

  async write(from: Uint8Array): Promise<number> {
    for (;;) {
      this.#check();
      const count = this.#socket.send(from, 0, 0);
      if (count !== WOULD_BLOCK) {
        this.#guest.note();
        return count;
      }
      await this.#socket.ready(TO_SEND, Infinity);
    }
  }

  closeWrite(): Promise<void> {
    this.#socket.shutdown(1);
    return Promise.resolve();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.shutdown(0); // ends a wait
    this.#socket.release(this.#guest.borrowed);
  }

  setNoDelay(on: boolean): void {
    this.#socket.setNoDelay(on);
  }

  #check(): void {
    if (this.#closed) throw new OSError("Cannot use the connection: it was closed; Bad file descriptor");
  }
}

function netAddr(address: NetAddress): Deno.Addr {
  if (typeof address === "string") return { transport: "unix", path: address };
  const [hostname, port] = address;
  return { transport: "tcp", hostname, port };
}
