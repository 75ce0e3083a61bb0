/**
 * The C library: what the kernel does for a socket that the runtime does not. A descriptor is good in every thread of
 * the process, so a connection can be served where it was not accepted, and a thread may block on it.
 *
 * On Linux, where the program may call foreign functions (`--allow-ffi`, part of `-A`); nowhere else.
 */

import { OSError } from "../base/errors.ts";
import type { NetAddress } from "./net.ts";

const IO = {
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
  poll: { parameters: ["buffer", "usize", "i32"], result: "i32" },
  /** On a thread beside this one. */
  pollAside: { name: "poll", parameters: ["buffer", "usize", "i32"], result: "i32", nonblocking: true },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  strerror: { parameters: ["i32"], result: "pointer" },
  __errno_location: { parameters: [], result: "pointer" },
} as const;

const LISTENING = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  accept4: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  recvfrom: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "buffer"], result: "i32" },
  sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  getaddrinfo: { parameters: ["buffer", "buffer", "buffer", "buffer"], result: "i32" },
  freeaddrinfo: { parameters: ["pointer"], result: "void" },
  gai_strerror: { parameters: ["i32"], result: "pointer" },
} as const;

const SHARING = {
  accept4: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  /** On a thread beside this one. */
  epollWaitAside: {
    name: "epoll_wait",
    parameters: ["i32", "buffer", "i32", "i32"],
    result: "i32",
    nonblocking: true,
  },
} as const;

const PASSING = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  sendmsg: { parameters: ["i32", "buffer", "i32"], result: "isize" },
  recvmsg: { parameters: ["i32", "buffer", "i32"], result: "isize" },
  geteuid: { parameters: [], result: "u32" },
} as const;

/** Functions of the C library, there while somebody holds them: loading them takes 2 ms, and is a resource. */
class Functions<S extends Deno.ForeignLibraryInterface> {
  readonly #interface: S;
  #library: Deno.DynamicLibrary<S> | undefined;
  #holders = 0;

  constructor(symbols: S) {
    this.#interface = symbols;
  }

  /** Until as many calls of {@link drop}. */
  hold(): Deno.DynamicLibrary<S>["symbols"] {
    this.#holders++;
    this.#library ??= Deno.dlopen("libc.so.6", this.#interface);
    return this.#library.symbols;
  }

  drop(): void {
    if (--this.#holders > 0) return;
    this.#library!.close();
    this.#library = undefined;
  }
}

/** What one needs to use a connection. */
export const io: Functions<typeof IO> = new Functions(IO);
/** What one needs besides to listen. */
export const listening: Functions<typeof LISTENING> = new Functions(LISTENING);
/** What one needs to accept connections of somebody else's listening socket. */
export const sharing: Functions<typeof SHARING> = new Functions(SHARING);
/** What one needs to pass a descriptor to another process. */
export const passing: Functions<typeof PASSING> = new Functions(PASSING);

/** The functions of {@link io}. */
export type Io = ReturnType<typeof io.hold>;
/** The functions of {@link listening}. */
export type Listening = ReturnType<typeof listening.hold>;

/** The functions of {@link sharing}. */
export type Sharing = ReturnType<typeof sharing.hold>;
/** The functions of {@link passing}. */
export type Passing = ReturnType<typeof passing.hold>;

/** Why the C library cannot be called, if so. */
export function whyNoLibc(): string | undefined {
  if (Deno.build.os !== "linux") return "only on Linux a descriptor can be handed on";
  return granted({ name: "ffi" })
    ? undefined
    : "it needs the permission ffi; start Deno with --allow-ffi or -A";
}

/** Whether the program has a permission, without asking anybody for it. */
export function granted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}

let errnoOfThread: Int32Array | undefined;

/** Why the last call of this thread failed. Read at once: a later call overwrites it. */
export function errno(functions: Io): number {
  errnoOfThread ??= new Int32Array(
    Deno.UnsafePointerView.getArrayBuffer(functions.__errno_location()!, Int32Array.BYTES_PER_ELEMENT),
  );
  return errnoOfThread[0]!;
}

/** The text at a pointer. */
export function textAt(pointer: Deno.PointerValue): string {
  return pointer === null ? "" : new Deno.UnsafePointerView(pointer).getCString();
}

const NAMES: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  4: "EINTR",
  9: "EBADF",
  11: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  22: "EINVAL",
  23: "ENFILE",
  24: "EMFILE",
  32: "EPIPE",
  97: "EAFNOSUPPORT",
  98: "EADDRINUSE",
  99: "EADDRNOTAVAIL",
  101: "ENETUNREACH",
  103: "ECONNABORTED",
  104: "ECONNRESET",
  105: "ENOBUFS",
  107: "ENOTCONN",
  110: "ETIMEDOUT",
  113: "EHOSTUNREACH",
};

/** The family of paths. */
export const AF_UNIX = 1;
/** Sockets for connections. */
export const SOCK_STREAM = 1;
/** The options of any socket. */
export const SOL_SOCKET = 1;
/** Of a new descriptor: its calls return at once. */
export const NONBLOCK = 0o4000;
/** Of a new descriptor: programs that are started do not have it. */
export const CLOEXEC = 0o2000000;
/** Something can be received, or accepted. */
export const POLLIN = 1;

/** A call that a signal cut short: to be made again. */
export const EINTR = 4;
/** Nothing there yet. */
export const EAGAIN = 11;

/** The error that a number stands for, with the system's words and its `code`. */
export function systemError(functions: Io, what: string, number: number, cure?: string): OSError {
  const why = textAt(functions.strerror(number));
  const error = new OSError(`${what}: ${why}${cure === undefined ? "" : `; ${cure}`}`);
  const code = NAMES[number];
  return code === undefined ? error : Object.assign(error, { code });
}

const INET = 2;
const INET6 = 10;

/** The room for any address. */
export const ADDRESS_BYTES = 128;

/** Asks the kernel for an address. */
export function addressFrom(
  ask: (address: Uint8Array<ArrayBuffer>, length: Uint32Array<ArrayBuffer>) => number,
): NetAddress {
  const bytes = new Uint8Array(ADDRESS_BYTES);
  const length = new Uint32Array([ADDRESS_BYTES]);
  return ask(bytes, length) < 0 ? ["", 0] : addressIn(bytes, length[0]!); // gone already
}

/** The address in a `struct sockaddr`: host and port, or the path of a Unix socket. */
export function addressIn(bytes: Uint8Array<ArrayBuffer>, length: number): NetAddress {
  const view = new DataView(bytes.buffer);
  const family = view.getUint16(0, true);
  if (family === INET) return [bytes.subarray(4, 8).join("."), view.getUint16(2)];
  if (family === INET6) return [ipv6(view, 8), view.getUint16(2)];
  const path = bytes.subarray(2, length);
  // A path ends with a zero; a name without a file begins with one.
  const end = path[0] === 0 ? path.length : path.indexOf(0);
  return new TextDecoder().decode(end < 0 ? path : path.subarray(0, end));
}

function ipv6(view: DataView, at: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(at + 2 * i));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${[12, 13, 14, 15].map((i) => view.getUint8(at + i)).join(".")}`;
  }
  // URLs have the usual short form.
  return new URL(`http://[${groups.map((group) => group.toString(16)).join(":")}]`).hostname.slice(1, -1);
}
