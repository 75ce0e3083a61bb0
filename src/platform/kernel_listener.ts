/** A listening socket of the kernel whose connections are descriptors, which can be handed on. */

import { OSError } from "../base/errors.ts";
import { KernelSocket } from "./kernel_socket.ts";
import { type NetAddress, removeSocketFile, shownAddress } from "./net.ts";
import { Alarm, Watch } from "./watch.ts";
import {
  addressFrom,
  AF_UNIX,
  CLOEXEC,
  EAGAIN,
  EINTR,
  errno,
  granted,
  type Io,
  io,
  type Listening,
  listening,
  NONBLOCK,
  POLLIN,
  SOCK_STREAM,
  SOL_SOCKET,
  systemError,
  textAt,
  whyNoLibc,
} from "./libc.ts";

const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
/** The longest path of a Unix socket, with its closing zero. */
const PATH_BYTES = 108;

/** Why this program cannot listen there with a {@link KernelListener}, if so. Nobody is asked for a permission. */
export function whyNotInKernel(address: Readonly<NetAddress>): string | undefined {
  const why = whyNoLibc();
  if (why !== undefined) return why;
  if (typeof address === "string") {
    const allowed = granted({ name: "read", path: address }) && granted({ name: "write", path: address });
    return allowed ? undefined : `there is no permission to read and write ${address}`;
  }
  const host = `${address[0] || "0.0.0.0"}:${address[1]}`;
  return granted({ name: "net", host }) ? undefined : `there is no permission for ${host}`;
}

/** A listening socket. While it is `ref`ed, waiting for a connection keeps the event loop up. */
export class KernelListener {
  /** Where it listens, with the port it really has. */
  readonly address: NetAddress;
  readonly #io: Io = io.hold();
  readonly #functions: Listening = listening.hold();
  readonly #fd: number;
  readonly #watch: Watch;
  /** The file of a Unix socket. */
  readonly #path: string | undefined;
  #closed = false;
  /** Settles when no other thread accepts connections any more. */
  #lent: Promise<void> | undefined;

  /**
   * Binds and listens. The address may be used again at once after a server that had it has ended.
   *
   * @param address Where.
   * @param backlog How many connections the kernel holds that nobody has accepted yet.
   * @param reusePort Whether others who say the same may listen there too.
   * @throws {OSError} If the address cannot be had.
   */
  constructor(address: Readonly<NetAddress>, backlog: number, reusePort = false) {
    try {
      this.#fd = listenOn(address, backlog, reusePort, this.#io, this.#functions);
    } catch (error) {
      io.drop();
      listening.drop();
      throw error;
    }
    this.#watch = new Watch(this.#fd, this.#io, this.#functions);
    this.#path = typeof address === "string" && !address.startsWith("\0") ? address : undefined;
    this.address = addressFrom((bytes, length) => this.#io.getsockname(this.#fd, bytes, length));
  }

  /** The next connection. Rejects once the listener is closed. */
  async accept(): Promise<KernelSocket> {
    while (!this.#closed) {
      const fd = this.#functions.accept4(this.#fd, null, null, CLOEXEC);
      if (fd >= 0) return new KernelSocket(fd);
      const number = errno(this.#io);
      if (number === EAGAIN) await this.#watch.change();
      else if (number !== EINTR) throw systemError(this.#io, "Cannot accept a connection", number);
    }
    throw closedListener();
  }

  /** Whether there is a connection that nobody has accepted yet. */
  get pending(): boolean {
    return this.#io.poll(new Int32Array([this.#fd, POLLIN]), 1n, 0) > 0;
  }

  /** Settles when there may be such a connection. Rejects once the listener is closed. */
  async knock(): Promise<void> {
    await this.#watch.change();
    if (this.#closed) throw closedListener();
  }

  /** Lets other threads accept connections. The socket stays open until they are known to do so no more. */
  lend(): Loan {
    const loan = new Loan(this.#fd, this.#io, this.#functions);
    this.#lent = loan.ended;
    return loan;
  }

  /** Lets a wait for a connection keep the event loop up. */
  ref(): void {
    this.#watch.ref();
  }

  /** Lets a wait for a connection keep nothing up; it goes on after {@link ref}. */
  unref(): void {
    this.#watch.unref();
  }

  /** Closes it and takes its socket file away. Settles when nobody waits for a connection any more. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#path !== undefined) removeSocketFile(this.#path);
    await this.#watch.close();
    await this.#lent;
    this.#io.close(this.#fd);
    io.drop();
    listening.drop();
  }
}

/** A listening socket that other threads use. */
export class Loan {
  /** The descriptor. */
  readonly fd: number;
  /** Ends their waits. */
  readonly alarm: Alarm;
  readonly #ended = Promise.withResolvers<void>();

  constructor(fd: number, io: Io, functions: Listening) {
    this.fd = fd;
    this.alarm = new Alarm(io, functions);
  }

  /** Settles when it has ended. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** No other thread uses the socket any more. */
  end(): void {
    this.alarm.close();
    this.#ended.resolve();
  }
}

const closedListener = () =>
  new OSError("Cannot accept a connection: the listener was closed; Bad file descriptor");

function listenOn(
  address: Readonly<NetAddress>,
  backlog: number,
  reusePort: boolean,
  io: Io,
  functions: Listening,
): number {
  const [family, bytes] = typeof address === "string"
    ? [AF_UNIX, unixAddress(address)] as const
    : find(address, functions);
  const refused = () => {
    const number = errno(io);
    return systemError(io, cannotListen(address), number, CURE);
  };
  const fd = functions.socket(family, SOCK_STREAM | NONBLOCK | CLOEXEC, 0);
  if (fd < 0) throw refused();
  if (family !== AF_UNIX) {
    io.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, new Int32Array([1]), 4);
    if (reusePort) io.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, new Int32Array([1]), 4);
  }
  if (functions.bind(fd, bytes, bytes.length) < 0 || functions.listen(fd, backlog) < 0) {
    const error = refused();
    io.close(fd);
    throw error;
  }
  return fd;
}

const CURE = "choose another address, or port 0 for any";

const cannotListen = (address: Readonly<NetAddress>) => `Cannot listen on ${shownAddress(address)}`;

/** A `struct sockaddr_un`. A path that begins with a zero is a name without a file. */
export function unixAddress(path: string): Uint8Array<ArrayBuffer> {
  const encoded = new TextEncoder().encode(path.startsWith("\0") ? path : `${path}\0`);
  if (encoded.length > PATH_BYTES) {
    throw new OSError(
      `Cannot use ${shownAddress(path)}: it has more than ${PATH_BYTES - 1} bytes; use a shorter path`,
    );
  }
  const bytes = new Uint8Array(2 + encoded.length);
  bytes.set([AF_UNIX, 0]);
  bytes.set(encoded, 2);
  return bytes;
}

/** Asks the system where a host is: the first address it names. */
function find(
  [hostname, port]: readonly [string, number],
  functions: Listening,
): [family: number, bytes: Uint8Array<ArrayBuffer>] {
  const text = (value: string) => new TextEncoder().encode(`${value}\0`);
  // struct addrinfo: flags, family, socktype, protocol; addrlen; addr, canonname, next.
  const hints = new Int32Array(12);
  hints[2] = SOCK_STREAM;
  const found = new BigUint64Array(1);
  const failed = functions.getaddrinfo(text(hostname || "0.0.0.0"), text(String(port)), hints, found);
  if (failed !== 0) {
    throw new OSError(
      `${cannotListen([hostname, port])}: ${textAt(functions.gai_strerror(failed))}; ${CURE}`,
    );
  }
  const first = Deno.UnsafePointer.create(found[0]!)!;
  const info = new Deno.UnsafePointerView(first);
  const bytes = new Uint8Array(info.getUint32(16));
  new Deno.UnsafePointerView(info.getPointer(24)!).copyInto(bytes);
  const family = info.getInt32(4);
  functions.freeaddrinfo(first);
  return [family, bytes];
}
