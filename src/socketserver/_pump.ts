/**
 * The pump: carries the bytes of one connection between its kernel socket and the rings of a handler worker.
 *
 * ```
 * client ─▶ conn.read into the ring ─▶ handler        handler ─▶ ring ─▶ conn.write out of the ring ─▶ client
 * ```
 *
 * The kernel reads and writes the rings themselves, so bytes are never copied here. Where a ring is full or empty
 * the pump stands still, which is the backpressure. A wake-up of this thread comes from its agent, which serves all
 * connections that have output at once; there is no promise per request but those of `read` and `write`.
 *
 * Invariant: while `#reading` or `#writing`, the kernel may touch the rings, so nobody else may have them.
 */

import type { NetConn } from "../platform/net.ts";
import { afterMs } from "../platform/runtime.ts";
import type { ConnEndpoint } from "../socket/conn_endpoint.ts";
import type { Rings } from "../socket/ring_endpoint.ts";
import type { RingReader, RingWriter } from "../transport/byte_ring.ts";

/** A read that was begun so long ago would have been done if there were anything. */
const QUIET_MS = 10;

/** Carries one connection. */
export class Pump {
  readonly #endpoint: ConnEndpoint;
  readonly #conn: NetConn;
  readonly #toHandler: RingWriter;
  readonly #fromHandler: RingReader;
  /** Whether no other connection needs this thread. */
  readonly #alone: () => boolean;
  #reading = false;
  #writing = false;
  /** The handler is done: what it left is written, and nothing is read any more. */
  #finishing = false;
  #inputOver = false;
  #outputOver = false;
  /** How many reads and writes have been done: no change means that the connection was silent. */
  activity = 0;
  /** How many reads have been done. */
  #reads = 0;
  readonly #flushed = Promise.withResolvers<void>();
  readonly #settled = Promise.withResolvers<void>();

  constructor(endpoint: ConnEndpoint, rings: Rings, alone: () => boolean) {
    this.#alone = alone;
    this.#endpoint = endpoint;
    this.#conn = endpoint.conn;
    this.#toHandler = rings.outgoing;
    this.#fromHandler = rings.incoming;
    this.#read();
    this.#write();
  }

  /** Whether {@link flushed} has settled. */
  get isFlushed(): boolean {
    return this.#finishing && this.#outputOver && !this.#writing;
  }

  /** Settles when the handler is done and its output has gone to the client, or cannot. */
  get flushed(): Promise<void> {
    return this.#flushed.promise;
  }

  /** Settles when the kernel has nothing to do with the rings any more. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  /** The handler is done, or dead. */
  finish(): void {
    this.#finishing = true;
    this.#inputOver = true;
    this.#toHandler.cancel();
    this.#fromHandler.cancel();
    this.#write();
    this.#check();
  }

  /** Lets the handler see the end of the stream after what has come so far. */
  async endInput(): Promise<void> {
    // The runtime does not tell whether something is there. What is there ends a read that was begun.
    for (let seen = -1; !this.#inputOver && (seen !== this.#reads || !this.#reading);) {
      seen = this.#reads;
      await afterMs(QUIET_MS);
    }
    if (!this.#inputOver) this.#endInput();
  }

  #endInput(): void {
    this.#inputOver = true;
    this.#toHandler.end(false);
  }

  /** Cuts the connection off; for the handler the client has gone. */
  abort(): void {
    this.#endInput();
    this.#breakOutput();
    this.#endpoint.close();
    this.#check();
  }

  readonly #read = (): void => {
    if (this.#reading) return;
    for (;;) {
      if (this.#inputOver || this.#toHandler.broken) return this.#check();
      const region = this.#toHandler.region();
      if (region.length > 0) {
        const ahead = this.#endpoint.readNow(region.length);
        if (ahead !== undefined && ahead.length > 0) {
          this.#toHandler.write(ahead, 0);
          continue;
        }
        this.#reading = true;
        this.#conn.read(region).then(this.#gotInput, this.#inputFailed);
        return;
      }
      if (!this.#toHandler.arm(this.#read)) return;
    }
  };

  readonly #gotInput = (count: number | null): void => {
    this.#reading = false;
    this.activity++;
    this.#reads++;
    if (!this.#inputOver) {
      if (count !== null) this.#toHandler.commit(count);
      else this.#endInput();
    }
    this.#read();
    // Who has nobody else to serve saves a wake-up by waiting for the answer here.
    if (this.#alone() && !this.#writing && !this.#outputOver) {
      this.#fromHandler.look();
      this.#write();
    }
  };

  // Reset by the client, or closed on this side.
  readonly #inputFailed = (): void => {
    this.#reading = false;
    if (!this.#inputOver) {
      this.#inputOver = true;
      this.#toHandler.end(true);
    }
    this.#breakOutput();
    this.#check();
  };

  readonly #write = (): void => {
    if (this.#writing || this.#outputOver) return;
    for (;;) {
      const region = this.#fromHandler.region();
      if (region.length > 0) {
        this.#writing = true;
        this.#conn.write(region).then(this.#wrote, this.#outputFailed);
        return;
      }
      if (this.#finishing) {
        this.#outputOver = true;
        return this.#check();
      }
      if (this.#fromHandler.ended) {
        if (this.#fromHandler.available > 0) continue;
        this.#outputOver = true;
        // The handler has closed its side, and may go on receiving.
        this.#conn.closeWrite().catch(() => {});
        return this.#check();
      }
      if (!this.#fromHandler.arm(this.#write)) return;
    }
  };

  readonly #wrote = (count: number): void => {
    this.#writing = false;
    this.activity++;
    this.#fromHandler.consume(count);
    this.#write();
    this.#check();
  };

  readonly #outputFailed = (): void => {
    this.#writing = false;
    this.#breakOutput();
    this.#check();
  };

  #breakOutput(): void {
    this.#outputOver = true;
    this.#fromHandler.close();
  }

  #check(): void {
    if (!this.isFlushed) return;
    this.#flushed.resolve();
    if (!this.#reading) this.#settled.resolve();
  }
}
