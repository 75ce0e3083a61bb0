/** A socket's end in the kernel, by its descriptor: in the thread that accepted it, or in the one it was moved to. */

import {
  type Guest,
  type KernelSocket,
  TO_RECEIVE,
  TO_SEND,
  WOULD_BLOCK,
} from "../platform/kernel_socket.ts";
import { thisAgent } from "../transport/agent.ts";
import { Doze } from "../transport/doze.ts";
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

const CHUNK_BYTES = 64 * 1024;
/** How long a call of the kernel may block, so that a thread which shall end does not sleep through it. */
const SLICE_MS = 50;

/** The clock is looked at only every so many reads. */
const READS_PER_LOOK = 8;

const chunk = new Uint8Array(CHUNK_BYTES);

/**
 * The habit of a thread that serves one connection after the other. It dozes rather too often: the other way to wait
 * takes a thread beside this one, which on a busy machine has to wait for its turn as well.
 */
export const serversDoze: Doze = new Doze(4);

const deadline = (ms: number) => ms === Infinity ? Infinity : performance.now() + ms;
const leftMs = (end: number) => end === Infinity ? Infinity : end - performance.now();

/**
 * An end over a descriptor.
 *
 * Who has accepted the connection is its owner; a guest serves it, in a thread of its own. While a guest may use the
 * owner's descriptor the owner keeps it open, since the kernel would give the number to another connection.
 */
export class KernelEndpoint implements Endpoint {
  readonly local: Address;
  readonly peer: Address;
  readonly #socket: KernelSocket;
  readonly #guest: Guest | undefined;
  readonly #doze: Doze | undefined;
  #reads = 0;
  #closed = false;
  #ended = false;
  /** How many waits of the thread beside this one are under way. */
  #waiting = 0;
  #lent = false;

  /** An owner's, or a guest's. */
  constructor(socket: KernelSocket, guest?: Guest) {
    this.#socket = socket;
    this.#guest = guest;
    this.#doze = guest === undefined ? undefined : serversDoze;
    ({ local: this.local, peer: this.peer } = guest ?? socket);
  }

  /** The descriptor, for a guest, until {@link takeBack}. */
  lend(): number {
    if (this.#closed) throw closedHere("serve");
    this.#lent = true;
    return this.#socket.fd;
  }

  /** The guest is done, or dead. */
  takeBack(): void {
    if (!this.#lent) return;
    this.#lent = false;
    if (this.#closed) this.#socket.release(false);
  }

  /** Lets whoever uses the connection see its end: of what comes, or both ways. */
  cut(what: "input" | "both"): void {
    if (!this.#closed || this.#lent) this.#socket.shutdown(what === "input" ? 0 : 2);
  }

  readNow(max: number): Uint8Array<ArrayBuffer> | undefined {
    return this.#receive(max, 0);
  }

  readSoon(max: number, ms: number): Uint8Array<ArrayBuffer> | undefined {
    const doze = this.#doze;
    if (doze === undefined) return this.#receive(max, 0);
    if (this.#reads++ % READS_PER_LOOK === 0 && doze.turnDue) return undefined;
    const longestMs = doze.longestMs;
    if (longestMs === 0) return this.#receive(max, 0);
    const mostMs = ms < longestMs ? ms : longestMs;
    if (doze.pays) {
      // While bytes flow, one call of the kernel both waits and receives, though it would wait some ms too long.
      const bytes = this.#receive(max, mostMs);
      doze.note(bytes !== undefined);
      return bytes;
    }
    if (this.#closed) throw closedHere("receive");
    return doze.note(this.#socket.wait(mostMs)) ? this.#receive(max, 0) : undefined;
  }

  async read(max: number, ms: number): Promise<Uint8Array<ArrayBuffer>> {
    const end = deadline(ms);
    const turn = this.#doze?.turn();
    if (turn !== undefined) await turn;
    for (;;) {
      const bytes = this.readNow(max);
      if (bytes !== undefined) return bytes;
      await this.#ready(TO_RECEIVE, leftMs(end), () => tooLate("receive", ms));
    }
  }

  readSync(max: number, ms: number): Uint8Array<ArrayBuffer> {
    if (this.#guest === undefined) throw noSyncHere("recvSync", "recv");
    if (ms === Infinity) {
      for (;;) {
        const bytes = this.#receive(max, SLICE_MS);
        if (bytes !== undefined) return bytes;
        thisAgent().checkSentence();
      }
    }
    const end = performance.now() + ms;
    for (;;) {
      const left = end - performance.now();
      const bytes = this.#receive(max, Math.max(0, Math.min(left, SLICE_MS)));
      if (bytes !== undefined) return bytes;
      if (left <= 0) throw tooLate("receive", ms);
      thisAgent().checkSentence();
    }
  }

  writeNow(data: Uint8Array): number {
    return this.#send(data, 0, 0);
  }

  async write(data: Uint8Array, start: number, ms: number): Promise<void> {
    const end = deadline(ms);
    for (let at = start; at < data.length;) {
      const sent = this.#send(data, at, 0);
      at += sent;
      if (sent === 0) await this.#ready(TO_SEND, leftMs(end), () => tooLate("send", ms));
    }
  }

  writeSync(data: Uint8Array, start: number, ms: number): void {
    if (this.#guest === undefined) throw noSyncHere("sendSync", "send");
    const end = deadline(ms);
    for (let at = start; at < data.length;) {
      const left = leftMs(end);
      if (left <= 0) throw tooLate("send", ms);
      at += this.#send(data, at, Math.min(left, SLICE_MS));
      thisAgent().checkSentence();
    }
  }

  stopReading(): void {
    this.#socket.shutdown(0);
  }

  stopWriting(): Promise<void> {
    this.#ended = true;
    this.#socket.shutdown(1);
    return Promise.resolve();
  }

  setNoDelay(on: boolean): void {
    this.#socket.setNoDelay(on);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // The other side sees the end at once, whoever else has the descriptor, and so do the waits of this one.
    if (this.#guest !== undefined || this.#lent || this.#waiting > 0) this.#socket.shutdown(2);
    if (!this.#lent) this.#socket.release(this.#guest?.borrowed ?? false);
  }

  /** Ends the use by a guest, but leaves the connection as it is. */
  detach(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#waiting > 0) this.#socket.shutdown(0);
    this.#socket.release(this.#guest!.borrowed);
  }

  /** What comes within `ms`; `undefined` if nothing does. */
  #receive(max: number, ms: number): Uint8Array<ArrayBuffer> | undefined {
    if (this.#closed) throw closedHere("receive");
    let count: number;
    try {
      count = this.#socket.receive(chunk, max < CHUNK_BYTES ? max : CHUNK_BYTES, ms);
    } catch (error) {
      throw isReset(error) ? resetByPeer("receive", error) : error;
    }
    if (count === WOULD_BLOCK) return undefined;
    this.#guest?.note();
    return chunk.slice(0, count);
  }

  /** Sends what the kernel has room for within `ms`; how many bytes that were. */
  #send(data: Uint8Array, start: number, ms: number): number {
    if (this.#closed) throw closedHere("send");
    if (this.#ended) throw sendingEnded();
    let count: number;
    try {
      count = this.#socket.send(data, start, ms);
    } catch (error) {
      throw isReset(error) ? brokenPipe(error) : error;
    }
    if (count === WOULD_BLOCK) return 0;
    this.#guest?.note();
    return count;
  }

  async #ready(event: number, left: number, late: () => Error): Promise<void> {
    if (left <= 0) throw late();
    this.#waiting++;
    try {
      await this.#socket.ready(event, left);
    } finally {
      this.#waiting--;
    }
  }
}

function isReset(error: unknown): boolean {
  return ["ECONNRESET", "EPIPE", "ENOTCONN"].includes((error as { code?: string }).code ?? "");
}
