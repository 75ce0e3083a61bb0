/** A socket's end over a connection of the runtime, for the event loop. */

import { OSError, TimeoutError } from "../base/errors.ts";
import { addressOf, faultOf, type NetConn, osError } from "../platform/net.ts";
import {
  type Address,
  brokenPipe,
  closedHere,
  type Endpoint,
  noSyncHere,
  resetByPeer,
  sendingEnded,
  tooLate,
} from "./endpoint.ts";

/** Most bytes one read asks the kernel for. */
const CHUNK_BYTES = 64 * 1024;

/** An end over a connection of the runtime. */
export class ConnEndpoint implements Endpoint {
  /** The connection. */
  readonly conn: NetConn;
  readonly local: Address;
  readonly peer: Address;
  #chunk = new Uint8Array(0);
  /** A read that nobody waits for any more, since a timeout cannot take it back. */
  #reading: Promise<number | null> | undefined;
  /** Bytes that such a read brought. */
  #ahead = new Uint8Array(0);
  #closed = false;
  #deaf = false;
  #ended = false;

  constructor(conn: NetConn) {
    this.conn = conn;
    this.local = addressOf(conn.localAddr);
    this.peer = addressOf(conn.remoteAddr);
  }

  /** Whether the socket was closed on this side. */
  get closed(): boolean {
    return this.#closed;
  }

  open(): Promise<void> | undefined {
    return this.conn.handshake === undefined ? undefined : this.#agree(this.conn.handshake());
  }

  async #agree(handshake: Promise<unknown>): Promise<void> {
    try {
      await handshake;
    } catch (error) {
      throw new OSError(`Cannot agree on TLS with the other side: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  readNow(max: number): Uint8Array<ArrayBuffer> | undefined {
    if (this.#closed) throw closedHere("receive");
    if (this.#ahead.length > 0) {
      const bytes = this.#ahead.slice(0, max);
      this.#ahead = this.#ahead.subarray(max);
      return bytes;
    }
    return this.#deaf ? new Uint8Array(0) : undefined;
  }

  readSoon(max: number): Uint8Array<ArrayBuffer> | undefined {
    return this.readNow(max);
  }

  async read(max: number, ms: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytesAhead = this.readNow(max);
    if (bytesAhead !== undefined) return bytesAhead;
    const reading = this.#reading ??= this.#startReading(max);
    let count: number | null;
    try {
      count = await within(reading, ms, () => tooLate("receive", ms));
    } catch (error) {
      throw this.#failure("receive", error);
    }
    this.#reading = undefined;
    if (count === null) return new Uint8Array(0);
    const bytes = this.#chunk.slice(0, Math.min(count, max));
    // A read that an earlier call began may bring more than this one asks for.
    if (count > max) this.#ahead = this.#chunk.slice(max, count);
    return bytes;
  }

  readSync(): Uint8Array<ArrayBuffer> {
    throw noSyncHere("recvSync", "recv");
  }

  writeNow(): number {
    this.#checkWritable();
    return 0;
  }

  async write(data: Uint8Array, start: number, ms: number): Promise<void> {
    const end = ms === Infinity ? Infinity : performance.now() + ms;
    try {
      for (let at = start; at < data.length;) {
        const left = end === Infinity ? end : Math.max(0, end - performance.now());
        at += await within(
          this.conn.write(at === 0 ? data : data.subarray(at)),
          left,
          () => tooLate("send", ms),
        );
      }
    } catch (error) {
      throw this.#failure("send", error);
    }
  }

  writeSync(): void {
    throw noSyncHere("sendSync", "send");
  }

  stopReading(): void {
    this.#deaf = true;
  }

  async stopWriting(): Promise<void> {
    this.#ended = true;
    try {
      await this.conn.closeWrite();
    } catch (error) {
      throw this.#failure("shut down", error);
    }
  }

  setNoDelay(on: boolean): void {
    this.conn.setNoDelay?.(on);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reading?.catch(() => {}); // interrupted by us
    try {
      this.conn.close();
    } catch (error) {
      if (faultOf(error) !== "closed") throw error;
    }
  }

  #startReading(max: number): Promise<number | null> {
    const size = Math.min(max, CHUNK_BYTES);
    if (this.#chunk.length < size) this.#chunk = new Uint8Array(size);
    return this.conn.read(this.#chunk.subarray(0, size));
  }

  #checkWritable(): void {
    if (this.#closed) throw closedHere("send");
    if (this.#ended) throw sendingEnded();
  }

  #failure(what: string, error: unknown): unknown {
    if (this.#closed) return closedHere(what);
    if (error instanceof TimeoutError) return error; // what was begun goes on
    if (what === "receive") this.#reading = undefined;
    if (faultOf(error) === "other") {
      return error instanceof OSError ? error : osError(`Cannot ${what}`, error);
    }
    return what === "send" ? brokenPipe(error) : resetByPeer(what, error);
  }
}

/** The promise's value, or an error if it takes longer than `ms`; the promise itself goes on. */
function within<T>(promise: Promise<T>, ms: number, late: () => Error): Promise<T> {
  if (ms === Infinity || ms >= 2 ** 31) return promise;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      promise.catch(() => {});
      reject(late());
    }, ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
