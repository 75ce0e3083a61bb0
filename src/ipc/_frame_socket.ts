/**
 * A socket as two lanes of frames: what a {@link SocketEnd} puts its messages on.
 *
 * ```
 * put ─▶ one write after the other ─▶ socket ─▶ [nobody asks: left there] ─▶ first in line ─▶ take
 * ```
 *
 * The socket is only read while somebody asks for something, so that a sender waits when nobody receives.
 */

import { OSError, RuntimeError } from "../base/errors.ts";
import { settledWithin } from "../platform/runtime.ts";
import { type Stream, turn } from "../platform/stream.ts";
import type { EncodeOptions } from "../transport/codec.ts";
import { ENDED, type Lane, NOTHING, type PutResult, type Taken } from "../transport/lane.ts";
import { framed, type FrameReader } from "./_frames.ts";

/**
 * How many turns of the event loop what is there already may take to come in: while it has other things to do, Deno's
 * event loop looks at its sockets in every 61st turn only. So many turns take 0.2 ms.
 */
const TURNS = 128;

interface Taker {
  frame: Uint8Array | undefined;
  wake(): void;
}

/** The error of a `…Sync` call where the event loop has to move the bytes. */
export function noSync(method: string): RuntimeError {
  return new RuntimeError(
    `Cannot call ${method}() of a connection over a socket here: the event loop of this process has to move its ` +
      `bytes; use the async form`,
  );
}

/** The operations that a socket's lanes do not have. */
abstract class SocketLane implements Lane {
  readonly count: number = 0;
  put(_value: unknown, _options: EncodeOptions, _ms: number): Promise<PutResult> {
    return Promise.reject(new OSError("Cannot send here: this lane only receives"));
  }
  take(_ms: number, _signal?: AbortSignal): Promise<Taken> {
    return Promise.reject(new OSError("Cannot receive here: this lane only sends"));
  }
  ready(_ms: number, _signal?: AbortSignal): Promise<boolean> {
    return Promise.resolve(false);
  }
  putSync(): PutResult {
    throw noSync("sendSync");
  }
  takeSync(): Taken {
    throw noSync("recvSync");
  }
  shut(_immediate: boolean): void {}
  taskDone(): boolean {
    return false;
  }
  join(_ms: number): Promise<boolean> {
    return Promise.resolve(true);
  }
  joinSync(_ms: number): boolean {
    return true;
  }
}

class Incoming extends SocketLane {
  readonly #stream: Stream;
  readonly #reader: FrameReader;
  readonly #maxlength: number;
  /** Read, and nobody's yet. */
  readonly #frames: Uint8Array[] = [];
  readonly #takers = new Set<Taker>();
  /** Those who want to know that there is something. */
  readonly #watchers = new Set<() => void>();
  #reading = false;
  /** Why nothing comes any more: an error of the stream, or its orderly end. */
  #ended: OSError | "orderly" | undefined;

  constructor(stream: Stream, reader: FrameReader, maxlength: number) {
    super();
    this.#stream = stream;
    this.#reader = reader;
    this.#maxlength = maxlength;
  }

  /** Whether nothing comes any more but what was read already. */
  get ended(): boolean {
    return this.#ended !== undefined;
  }

  override async take(ms: number, signal?: AbortSignal): Promise<Taken> {
    signal?.throwIfAborted();
    if (ms === 0) await this.#glimpse();
    const free = this.#free();
    if (free !== undefined) return free;
    if (ms === 0) return NOTHING;
    const { promise, resolve } = Promise.withResolvers<void>();
    const taker = this.#queueUp(resolve);
    let aborted: unknown;
    try {
      await settledWithin(promise, ms, signal);
    } catch (reason) {
      aborted = reason;
    }
    this.#takers.delete(taker);
    // However the wait ended: a frame that is ours already would be lost.
    if (taker.frame !== undefined) return taker.frame;
    if (signal?.aborted) throw aborted;
    return this.#ended === undefined ? NOTHING : this.#end(this.#ended);
  }

  /** As {@link take}, for as long as it takes; it keeps no event loop up. */
  async next(): Promise<Taken> {
    const free = this.#free();
    if (free !== undefined) return free;
    const { promise, resolve } = Promise.withResolvers<void>();
    const taker = this.#queueUp(resolve);
    await promise;
    return taker.frame ?? this.#end(this.#ended!);
  }

  override async ready(ms: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    const look = () => this.#frames.length > 0 || this.ended;
    if (look()) return true;
    if (ms === 0) {
      await this.#glimpse();
      return look();
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#watchers.add(resolve);
    this.#read();
    try {
      await settledWithin(promise, ms, signal);
    } finally {
      this.#watchers.delete(resolve);
    }
    return look();
  }

  /** Nothing comes any more; those who wait learn it. */
  stop(why: OSError | "orderly"): void {
    this.#ended ??= why;
    for (const taker of this.#takers) taker.wake();
    this.wakeWatchers();
  }

  /** Lets those look again who want to know that there is something. */
  wakeWatchers(): void {
    for (const wake of this.#watchers) wake();
  }

  /** The next frame if it is there and nobody is in line for it; the end, if that is next. */
  #free(): Taken | undefined {
    const frame = this.#takers.size === 0 ? this.#frames.shift() : undefined;
    return frame ?? (this.#ended === undefined ? undefined : this.#end(this.#ended));
  }

  #queueUp(wake: () => void): Taker {
    const taker: Taker = { frame: undefined, wake };
    this.#takers.add(taker);
    this.#read();
    return taker;
  }

  #end(why: OSError | "orderly"): Taken {
    if (why === "orderly") return ENDED;
    throw why;
  }

  /** Reads what has come already. */
  async #glimpse(): Promise<void> {
    if (this.#frames.length > 0 || this.ended) return;
    let there = false;
    const watcher = () => void (there = true);
    this.#watchers.add(watcher);
    this.#read();
    for (let i = 0; i < TURNS && !there; i++) await turn();
    this.#watchers.delete(watcher);
  }

  async #read(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      // Each round is for somebody who waits: a taker, or a watcher while nothing is there.
      while (
        !this.ended && (this.#takers.size > 0 || (this.#watchers.size > 0 && this.#frames.length === 0))
      ) {
        const frame = await this.#reader.next(this.#maxlength);
        if (frame === undefined) this.stop("orderly");
        else if (!this.ended) this.#deliver(frame);
      }
    } catch (error) {
      // Where the next message begins is unknown: nothing good can come any more.
      this.#stream.close();
      this.stop(error as OSError);
    }
    this.#reading = false;
  }

  #deliver(frame: Uint8Array): void {
    const [first] = this.#takers;
    if (first === undefined) {
      this.#frames.push(frame);
      this.wakeWatchers();
      return;
    }
    this.#takers.delete(first);
    first.frame = frame;
    first.wake();
  }
}

class Outgoing extends SocketLane {
  readonly #stream: Stream;
  readonly #incoming: Incoming;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(stream: Stream, incoming: Incoming) {
    super();
    this.#stream = stream;
    this.#incoming = incoming;
  }

  override async put(frame: unknown): Promise<PutResult> {
    if (this.#incoming.ended) return "ended";
    const bytes = framed(frame as Uint8Array);
    const written = this.#last.then(() => this.#stream.write(bytes));
    this.#last = written;
    if (await written) return "done";
    if (this.#closed) throw new OSError("handle is closed: cannot send after close()");
    return "ended";
  }

  /** What is being sent now fails because of ourselves. */
  stop(): void {
    this.#closed = true;
  }
}

/** A socket whose frames are messages. */
export class FrameSocket {
  /** What comes in. */
  readonly incoming: Incoming;
  /** What goes out. */
  readonly outgoing: Outgoing;
  readonly #stream: Stream;

  constructor(stream: Stream, reader: FrameReader, maxlength: number) {
    this.#stream = stream;
    this.incoming = new Incoming(stream, reader, maxlength);
    this.outgoing = new Outgoing(stream, this.incoming);
  }

  /** Closes it. What was written is still delivered. */
  close(): void {
    this.outgoing.stop();
    this.#stream.close();
    this.incoming.stop("orderly");
  }
}
