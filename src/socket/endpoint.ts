/** What a socket stands on: one end of a stream of bytes. */

import { OSError, TimeoutError } from "../base/errors.ts";

/** Host and port. */
export type Address = [hostname: string, port: number];

/** One end of a connection. Times are milliseconds; `Infinity` waits for ever. Calls come one after the other. */
export interface Endpoint {
  /** The address of this end. */
  readonly local: Address;
  /** The address of the other end. */
  readonly peer: Address;
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
