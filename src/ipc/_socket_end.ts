/**
 * The end of a connection over a socket: what a {@link Connection} from Listener or Client stands on.
 *
 * ```
 * send ─▶ encode ─▶ frame ─▶ one write after the other ─▶ socket
 * socket ─▶ frame ─▶ [nobody asks: kept] ─▶ first in line ─▶ decode
 * ```
 *
 * The socket is only read while somebody asks for something, so that a sender waits when nobody receives. The other
 * side may be any program: what comes is checked as a frame, then decoded as plain data. Whatever only means something
 * within one program (handles, functions, memory) is refused on the way out and on the way in.
 */

import { OSError, PicklingError, RuntimeError } from "../base/errors.ts";
import { settledWithin } from "../platform/runtime.ts";
import { type Stream, turn } from "../platform/stream.ts";
import { decode, encode, type EncodeOptions } from "../transport/codec.ts";
import { ENDED, type Lane, NOTHING, type PutResult, type Taken } from "../transport/lane.ts";
import { type FunctionTraveller, functionTraveller, setFunctionTraveller } from "../transport/registry.ts";
import type { Link } from "../transport/remote.ts";
import { framed, type FrameReader } from "./_frames.ts";
import type { PipeEnd } from "./_pipe_end.ts";

const OVER_THERE = "the other end of the connection";

function refused(): never {
  throw new PicklingError(
    `Cannot send it to ${OVER_THERE}: it is a handle, which only processes of one program can share, and a socket ` +
      `may lead to another; send plain data, or use a Pipe`,
  );
}

function notReceived(what: string): never {
  throw new PicklingError(`Cannot receive the message: it holds ${what}, which a socket does not carry`);
}

// Handles ask the link they travel over for a number, and for whom they are: this one gives neither.
const noLink = {
  get peer(): never {
    return refused();
  },
  export: refused,
  exported: () => notReceived("a handle"),
  import: () => notReceived("a handle"),
} as unknown as Link;

const noAttachments = new Proxy<unknown[]>([], {
  get: (_, key) => key === "length" ? 0 : notReceived("memory"),
});

// A function that arrives is a name, but whoever calls it, were it only `await` looking for a `then`, imports what it
// names: the other side could have any code run.
const noFunctions: FunctionTraveller = {
  pack() {
    throw new PicklingError(
      `Cannot send it to ${OVER_THERE}: it is a function, and a socket does not carry code; send a name for it`,
    );
  },
  unpack: () => notReceived("a function"),
};

/** Encodes or decodes, with functions refused meanwhile. Neither ever awaits, so nobody else notices. */
function withoutFunctions<R>(work: () => R): R {
  const functions = functionTraveller();
  setFunctionTraveller(noFunctions);
  try {
    return work();
  } finally {
    setFunctionTraveller(functions);
  }
}

function decodeFrame(frame: Uint8Array): unknown {
  try {
    return withoutFunctions(() => decode(frame, noAttachments, noLink));
  } catch (error) {
    if (error instanceof PicklingError) throw error;
    throw new PicklingError("Cannot receive the message: it is no value that this library has written", {
      cause: error,
    });
  }
}

/**
 * How many turns of the event loop what is there already may take to come in: while it has other things to do, Deno's
 * event loop looks at its sockets in every 61st turn only. So many turns take 0.2 ms.
 */
const TURNS = 128;

interface Taker {
  frame: Uint8Array | undefined;
  wake(): void;
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

function noSync(method: string): RuntimeError {
  return new RuntimeError(
    `Cannot call ${method}() of a connection over a socket: the event loop has to move its bytes; use the async form`,
  );
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
    const free = this.#takers.size === 0 ? this.#frames.shift() : undefined;
    if (free !== undefined) return decodeFrame(free);
    if (this.#ended !== undefined) return this.#end(this.#ended);
    if (ms === 0) return NOTHING;
    const { promise, resolve } = Promise.withResolvers<void>();
    const taker: Taker = { frame: undefined, wake: resolve };
    this.#takers.add(taker);
    this.#read();
    let aborted: unknown;
    try {
      await settledWithin(promise, ms, signal);
    } catch (reason) {
      aborted = reason;
    }
    this.#takers.delete(taker);
    // However the wait ended: a frame that is ours already would be lost.
    if (taker.frame !== undefined) return decodeFrame(taker.frame);
    if (signal?.aborted) throw aborted;
    return this.#ended === undefined ? NOTHING : this.#end(this.#ended);
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
    for (const wake of this.#watchers) wake();
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
      for (const wake of this.#watchers) wake();
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
  readonly #maxlength: number;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(stream: Stream, incoming: Incoming, maxlength: number) {
    super();
    this.#stream = stream;
    this.#incoming = incoming;
    this.#maxlength = maxlength;
  }

  override async put(value: unknown, options: EncodeOptions): Promise<PutResult> {
    const frame = withoutFunctions(() => {
      const how = { ...options, wire: true, context: noLink, receiver: OVER_THERE };
      const { bytes } = encode(value, how);
      if (bytes.length > this.#maxlength) {
        throw new PicklingError(
          `Cannot send a message of ${bytes.length} bytes to ${OVER_THERE}: 'maxlength' is ${this.#maxlength}; send ` +
            `it in parts, or raise it on both sides`,
        );
      }
      return framed(bytes);
    });
    if (this.#incoming.ended) return "ended";
    const written = this.#last.then(() => this.#stream.write(frame));
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

/** An end of a connection over a socket. */
export class SocketEnd implements PipeEnd {
  readonly incoming: Lane;
  readonly outgoing: Lane;
  readonly mode = "duplex" as const;
  readonly #stream: Stream;
  readonly #reading: Incoming;
  readonly #writing: Outgoing;

  constructor(stream: Stream, reader: FrameReader, maxlength: number) {
    this.#stream = stream;
    this.incoming = this.#reading = new Incoming(stream, reader, maxlength);
    this.outgoing = this.#writing = new Outgoing(stream, this.#reading, maxlength);
  }

  use(): void {}

  close(): void {
    this.#writing.stop();
    this.#stream.close();
    this.#reading.stop("orderly");
  }

  /** Never exported, so never asked. */
  invoke(): never {
    throw this.staysHere();
  }

  /** The error for handing it on. */
  staysHere(): PicklingError {
    return new PicklingError(
      "Cannot hand on the connection: it is over a socket, which stays in the process that accepted or opened it; " +
        "open one there with Client(), or pass the messages on over a Pipe",
    );
  }
}
