/** A listening socket as another thread has it, which accepts connections, too. */

import {
  ADDRESS_BYTES,
  addressIn,
  CLOEXEC,
  EAGAIN,
  errno,
  type Io,
  io,
  type Sharing,
  sharing,
  systemError,
} from "./libc.ts";
import type { NetAddress } from "./net.ts";

const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;
/** Of the threads that wait only one is woken. */
const EPOLLEXCLUSIVE = 1 << 28;
const ON = new Int32Array([1]);

/** A thread that waits for a worker which was ended goes on for so long. */
const LONGEST_WAIT_MS = 10_000;

/** No connection has come. */
export const NOBODY = -1;

/** A socket that belongs to another thread, which keeps it open. */
export class SharedListener {
  readonly #io: Io = io.hold();
  readonly #functions: Sharing = sharing.hold();
  readonly #fd: number;
  /** Waits for the socket, or for the alarm that ends all waits. */
  readonly epoll: number;
  readonly #events = new Int32Array(4);
  readonly #address = new Uint8Array(ADDRESS_BYTES);
  readonly #length = new Uint32Array(1);

  constructor(fd: number, alarm: number) {
    this.#fd = fd;
    this.epoll = this.#functions.epoll_create1(CLOEXEC);
    for (const [watched, events] of [[fd, EPOLLIN | EPOLLEXCLUSIVE], [alarm, EPOLLIN]] as const) {
      this.#functions.epoll_ctl(this.epoll, EPOLL_CTL_ADD, watched, new Int32Array([events, 0, 0, 0]));
    }
  }

  /**
   * Accepts a connection, if one has come.
   *
   * @returns Its descriptor, which belongs to the caller; or {@link NOBODY}.
   * @throws {OSError} If there is no room for another one, or the socket was closed.
   */
  accept(): number {
    this.#length[0] = ADDRESS_BYTES;
    const fd = this.#functions.accept4(this.#fd, this.#address, this.#length, CLOEXEC);
    if (fd >= 0) return fd;
    const number = errno(this.#io);
    if (number === EAGAIN) return NOBODY;
    throw systemError(this.#io, "Cannot accept a connection", number);
  }

  /** Where the client is that was accepted last. */
  get peer(): NetAddress {
    return addressIn(this.#address, this.#length[0]!);
  }

  /** Lets small amounts leave at once; nothing changes for a Unix socket. */
  setNoDelay(fd: number): void {
    this.#io.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, ON, ON.byteLength);
  }

  /** Blocks until there may be a connection, at most `ms`. */
  wait(ms: number): void {
    this.#functions.epoll_wait(this.epoll, this.#events, 1, ms);
  }

  /** Settles when there may be a connection, or after `ms` or some time less. */
  async knock(ms: number): Promise<void> {
    const mostMs = Math.ceil(Math.min(ms, LONGEST_WAIT_MS));
    await this.#functions.epollWaitAside(this.epoll, new Int32Array(4), 1, mostMs);
  }

  /** Ends a connection: the client sees the end of the stream. */
  finish(fd: number): void {
    this.#io.shutdown(fd, 1);
  }

  /** Closes a connection. */
  closeConnection(fd: number): void {
    this.#io.close(fd);
  }

  /** Waits no more; the socket itself stays open. */
  close(): void {
    this.#io.close(this.epoll);
    io.drop();
    sharing.drop();
  }
}
