/** A socket's end in shared memory: what a handler worker has, and both ends of a socket pair. */

import type { Outcome } from "../transport/agent.ts";
import { Doze } from "../transport/doze.ts";
import { RING_BYTES, RingReader, RingWriter } from "../transport/byte_ring.ts";
import {
  type Address,
  brokenPipe,
  closedHere,
  type Endpoint,
  resetByPeer,
  sendingEnded,
  tooLate,
} from "./endpoint.ts";

/** Two rings, one each way. */
export interface Rings {
  /** Where this end reads. */
  readonly incoming: RingReader;
  /** Where this end writes. */
  readonly outgoing: RingWriter;
}

/** The memory that two rings take. */
export const RINGS_BYTES: number = 2 * RING_BYTES;

/** One of the two ends of the rings in `memory`. */
export function ringsIn(memory: SharedArrayBuffer, end: 0 | 1): Rings {
  return {
    incoming: new RingReader(memory, end * RING_BYTES),
    outgoing: new RingWriter(memory, (1 - end) * RING_BYTES),
  };
}

/** An end over two rings, for the length of one connection. */
export class RingEndpoint implements Endpoint {
  readonly local: Address;
  readonly peer: Address;
  readonly #incoming: RingReader;
  readonly #outgoing: RingWriter;
  readonly #own: boolean;
  readonly #doze: Doze | undefined;
  #closed = false;
  #deaf = false;
  #ended = false;

  /**
   * `"whole"`: closing the endpoint also gives up the ends of the rings, which nobody else will use. `"lent"`: the
   * rings serve again, and this thread is the connection's own, so that it may block for a moment.
   */
  constructor({ incoming, outgoing }: Rings, local: Address, peer: Address, use: "whole" | "lent") {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#own = use === "whole";
    this.#doze = use === "lent" ? new Doze() : undefined;
    this.local = local;
    this.peer = peer;
  }

  readNow(max: number): Uint8Array<ArrayBuffer> | undefined {
    if (this.#closed) throw closedHere("receive");
    const ring = this.#incoming;
    if (ring.available > 0) return ring.take(max);
    if (!ring.ended && !this.#deaf) return undefined;
    // What was added before it ended is seen by now.
    if (ring.available > 0) return ring.take(max);
    if (ring.failed && !this.#deaf) throw resetByPeer("receive");
    return new Uint8Array(0);
  }

  readSoon(max: number, ms: number): Uint8Array<ArrayBuffer> | undefined {
    const doze = this.#doze;
    if (doze?.turnDue) return undefined;
    const bytes = this.readNow(max);
    if (bytes !== undefined || doze === undefined) return bytes;
    return doze.until((mostMs) => this.#incoming.waitSync(Math.min(ms, mostMs)) === "granted")
      ? this.readNow(max)
      : undefined;
  }

  async read(max: number, ms: number): Promise<Uint8Array<ArrayBuffer>> {
    const end = ms === Infinity ? Infinity : performance.now() + ms;
    const turn = this.#doze?.turn();
    if (turn !== undefined) await turn;
    for (let outcome: Outcome = "granted";;) {
      const bytes = this.readNow(max);
      if (bytes !== undefined) return bytes;
      if (outcome === "timeout") throw tooLate("receive", ms);
      outcome = await this.#incoming.wait(end === Infinity ? end : end - performance.now());
    }
  }

  readSync(max: number, ms: number): Uint8Array<ArrayBuffer> {
    const end = ms === Infinity ? Infinity : performance.now() + ms;
    for (;;) {
      const bytes = this.readNow(max);
      if (bytes !== undefined) return bytes;
      if (this.#incoming.waitSync(end === Infinity ? end : end - performance.now()) === "timeout") {
        throw tooLate("receive", ms);
      }
    }
  }

  writeNow(data: Uint8Array): number {
    this.#checkWritable();
    return this.#outgoing.write(data, 0);
  }

  async write(data: Uint8Array, start: number, ms: number): Promise<void> {
    const end = ms === Infinity ? Infinity : performance.now() + ms;
    for (let at = start;;) {
      this.#checkWritable();
      at += this.#outgoing.write(data, at);
      if (at === data.length) return;
      if (await this.#outgoing.wait(end === Infinity ? end : end - performance.now()) === "timeout") {
        throw tooLate("send", ms);
      }
    }
  }

  writeSync(data: Uint8Array, start: number, ms: number): void {
    const end = ms === Infinity ? Infinity : performance.now() + ms;
    for (let at = start;;) {
      this.#checkWritable();
      at += this.#outgoing.write(data, at);
      if (at === data.length) return;
      if (this.#outgoing.waitSync(end === Infinity ? end : end - performance.now()) === "timeout") {
        throw tooLate("send", ms);
      }
    }
  }

  stopReading(): void {
    this.#deaf = true;
    this.#incoming.close();
  }

  stopWriting(): Promise<void> {
    this.#ended = true;
    this.#outgoing.end(false);
    return Promise.resolve();
  }

  setNoDelay(): void {} // what is in the ring leaves at once anyway

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#outgoing.end(false);
    this.#incoming.close();
    if (!this.#own) return;
    this.#outgoing.dispose();
    this.#incoming.dispose();
  }

  /** Ends the use of this endpoint, but leaves the connection as it is: for who handed the endpoint out. */
  detach(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#incoming.cancel();
    this.#outgoing.cancel();
  }

  #checkWritable(): void {
    if (this.#closed) throw closedHere("send");
    if (this.#ended) throw sendingEnded();
    if (this.#outgoing.broken) throw brokenPipe();
  }
}
