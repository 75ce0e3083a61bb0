/** What a socket stands on: one end of a stream of bytes. */

import { BrokenPipeError, OSError, RuntimeError, TimeoutError, ValueError } from "../base/errors.ts";
import type { NetAddress } from "../platform/net.ts";

/** Host and port, or the path of a Unix socket. */
export type Address = NetAddress;

/** All addresses of the kind that `A` is of: every path is of one kind. */
export type SameKind<A extends Address> = A extends string ? string : A;

/** One end of a connection. Times are milliseconds; `Infinity` waits for ever. Calls come one after the other. */
export interface Endpoint {
  /** The address of this end. */
  readonly local: Address;
  /** The address of the other end. */
  readonly peer: Address;
  /** Does what has to be done before the first byte, if there is such a thing. */
  open?(): Promise<void> | undefined;
  /** Up to `max` bytes that are there already, none at the end; `undefined` if one has to wait. */
  readNow(max: number): Uint8Array<ArrayBuffer> | undefined;
  /** As {@link readNow}, but the thread may block for a moment if that is likely to save a wait. */
  readSoon(max: number, ms: number): Uint8Array<ArrayBuffer> | undefined;
  /** Up to `max` bytes, at least one but at the end. */
  read(max: number, ms: number): Promise<Uint8Array<ArrayBuffer>>;
  /** As {@link read}, blocking. */
  readSync(max: number, ms: number): Uint8Array<ArrayBuffer>;
  /** Sends what goes without waiting; returns how many bytes that were. */
  writeNow(data: Uint8Array): number;
  /** Sends everything from `start` on. */
  write(data: Uint8Array, start: number, ms: number): Promise<void>;
  /** As {@link write}, blocking. */
  writeSync(data: Uint8Array, start: number, ms: number): void;
  /** Takes no more bytes. */
  stopReading(): void;
  /** Tells the other side that no more bytes will come. */
  stopWriting(): Promise<void>;
  /** Sends small amounts at once, or gathers them. */
  setNoDelay(on: boolean): void;
  /** Lets the connection go; pending calls reject. */
  close(): void;
}

const encoder = new TextEncoder();

/** What is to be sent, as bytes. */
export function asBytes(data: Uint8Array | string): Uint8Array {
  if (typeof data === "string") return encoder.encode(data);
  if (data instanceof Uint8Array) return data;
  throw new TypeError(
    `Cannot send ${Object.prototype.toString.call(data)}: it must be a Uint8Array or a string`,
  );
}

/** A timeout of a socket as milliseconds. */
export function timeoutMs(ms: number | null): number {
  if (ms !== null && !(typeof ms === "number" && ms >= 0)) {
    throw new ValueError(`Cannot wait for ${String(ms)} ms: a timeout is null or at least 0`);
  }
  return ms ?? Infinity;
}

/** What a read that found the socket closed says. */
export function closedHere(what: string): OSError {
  return new OSError(`Cannot ${what}: the socket was closed; Bad file descriptor`);
}

/** What a read says that found the connection reset. */
export function resetByPeer(what: string, cause?: unknown): OSError {
  const error = new OSError(
    `Cannot ${what}: Connection reset by peer`,
    cause === undefined ? undefined : { cause },
  );
  return Object.assign(error, { code: "ECONNRESET" });
}

/** What a wait says that took too long. */
export function tooLate(what: string, ms: number): TimeoutError {
  return new TimeoutError(`Cannot ${what} within ${ms} ms: timed out`);
}

/** What a write says whose peer is gone. */
export function brokenPipe(cause?: unknown): BrokenPipeError {
  return new BrokenPipeError(
    "Cannot send: the peer is gone; Broken pipe",
    cause === undefined ? {} : { cause },
  );
}

/** What a write says after the end of sending. */
export function sendingEnded(): BrokenPipeError {
  return new BrokenPipeError("Cannot send: shutdown() has ended sending; Broken pipe");
}

/** What a blocking call says where the thread must not block. */
export function noSyncHere(method: string, cure: string): RuntimeError {
  return new RuntimeError(
    `Cannot call ${method}() here: blocking this process would also stop the event loop that serves its sockets; ` +
      `await ${cure}(), or use a handler of a Threading server, which has a worker to itself`,
  );
}
