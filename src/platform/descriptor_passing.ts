/**
 * Descriptors on their way to another process. The receiver connects to the sender's Unix socket, which has a name and
 * no file; who has connected says the kernel.
 */

import { OSError } from "../base/errors.ts";
import { KernelListener, unixAddress } from "./kernel_listener.ts";
import type { KernelSocket } from "./kernel_socket.ts";
import {
  AF_UNIX,
  CLOEXEC,
  errno,
  type Io,
  io,
  type Passing,
  passing,
  SOCK_STREAM,
  SOL_SOCKET,
  systemError,
} from "./libc.ts";

const SO_PEERCRED = 17;
const SCM_RIGHTS = 1;
const NOSIGNAL = 0x4000;
const CMSG_CLOEXEC = 0x40000000;
const BACKLOG = 128;

/** Sends descriptors to processes of this user that were told its name. */
export class DescriptorSender {
  /** Where a {@link DescriptorReceiver} connects. */
  readonly name: string = `\0multiprocessing-${crypto.randomUUID()}`;
  readonly #listener: KernelListener = new KernelListener(this.name, BACKLOG);
  readonly #passing: Passing = passing.hold();
  readonly #io: Io = io.hold();
  readonly #lines = new Map<number, KernelSocket>();
  #accepting: Promise<void> = Promise.resolve();

  /**
   * Sends a descriptor, which stays open here, too.
   *
   * @param mark A byte by which the receiver knows it.
   * @throws {OSError} If the process is gone.
   */
  async send(pid: number, fd: number, mark: number): Promise<void> {
    while (!this.#lines.has(pid)) {
      await (this.#accepting = this.#accepting.then(() => this.#accept(pid), () => this.#accept(pid)));
    }
    const message = messageWith(fd, mark);
    if (this.#passing.sendmsg(this.#lines.get(pid)!.fd, message, NOSIGNAL) < 0) {
      throw systemError(this.#io, `Cannot send a descriptor to process ${pid}`, errno(this.#io));
    }
  }

  /** The process is gone. */
  forget(pid: number): void {
    this.#lines.get(pid)?.release(false);
    this.#lines.delete(pid);
  }

  /** Sends no more. */
  async close(): Promise<void> {
    for (const pid of [...this.#lines.keys()]) this.forget(pid);
    await this.#listener.close();
    passing.drop();
    io.drop();
  }

  /** Takes the next line, unless that of the process is there already. */
  async #accept(pid: number): Promise<void> {
    if (this.#lines.has(pid)) return;
    const line = await this.#listener.accept();
    // struct ucred: pid, uid, gid. Deno.uid() would need a permission more.
    const peer = new Uint32Array(3);
    this.#passing.getsockopt(line.fd, SOL_SOCKET, SO_PEERCRED, peer, new Uint32Array([peer.byteLength]));
    if (peer[1] === this.#passing.geteuid()) this.#lines.set(peer[0]!, line);
    else line.release(false);
  }
}

/** Receives the descriptors that were sent to this process. */
export class DescriptorReceiver {
  readonly #passing: Passing = passing.hold();
  readonly #io: Io = io.hold();
  readonly #fd: number;

  /** Connects to the sender of that name. */
  constructor(name: string) {
    const address = unixAddress(name);
    this.#fd = this.#passing.socket(AF_UNIX, SOCK_STREAM | CLOEXEC, 0);
    if (this.#passing.connect(this.#fd, address, address.length) < 0) {
      throw systemError(this.#io, "Cannot connect to the sender of descriptors", errno(this.#io));
    }
  }

  /** The descriptor with that mark; blocks until it is there. Those before it were meant for nobody. */
  receive(mark: number): number {
    for (;;) {
      const message = messageWith(-1, 0);
      if (this.#passing.recvmsg(this.#fd, message, CMSG_CLOEXEC) <= 0) {
        throw new OSError("Cannot receive a descriptor: whoever should send it is gone");
      }
      const fd = new DataView(message.buffer).getInt32(DESCRIPTOR, true);
      if (message[BYTE] === mark) return fd;
      this.#io.close(fd);
    }
  }
}

// A `struct msghdr`, and behind it what it points to: one `struct iovec`, one `struct cmsghdr` with the descriptor, and
// the one byte that has to be sent with it.
const IOVEC = 56;
const CONTROL = 72;
const DESCRIPTOR = CONTROL + 16;
const BYTE = 96;
const MESSAGE_BYTES = 104;

function messageWith(descriptor: number, mark: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(MESSAGE_BYTES);
  const view = new DataView(bytes.buffer);
  const here = Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
  const word = (at: number, value: bigint) => view.setBigUint64(at, value, true);
  word(16, here + BigInt(IOVEC));
  word(24, 1n);
  word(32, here + BigInt(CONTROL));
  word(40, BigInt(BYTE - CONTROL));
  word(IOVEC, here + BigInt(BYTE));
  word(IOVEC + 8, 1n);
  word(CONTROL, 20n);
  view.setInt32(CONTROL + 8, SOL_SOCKET, true);
  view.setInt32(CONTROL + 12, SCM_RIGHTS, true);
  view.setInt32(DESCRIPTOR, descriptor, true);
  bytes[BYTE] = mark;
  return bytes;
}
