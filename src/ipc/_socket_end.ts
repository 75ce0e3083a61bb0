/**
 * The end of a connection over a socket: what a {@link Connection} from Listener or Client stands on.
 *
 * ```
 * send ─▶ encode ─▶ frame ─▶ socket ─▶ frame ─▶ decode ─▶ recv
 * ```
 *
 * The other side may be any program: what comes is checked as a frame, then decoded as plain data. Whatever only means
 * something within one program (handles, functions, memory) is refused on the way out and on the way in.
 *
 * A socket stays in the process that accepted or opened it. Once the connection is handed on, that process, its home,
 * lays a pipe: it carries the frames between socket and pipe, and everybody who has the connection, home included, has
 * the other end of the pipe.
 *
 * ```
 * before:  Connection ─▶ SocketEnd ─▶ socket
 * after:   Connection ─▶ SocketEnd ─▶ pipe ═══ home ═══ socket       ═══ frames, carried both ways
 *          elsewhere:    SocketEnd ─▶ ─┘
 * ```
 */

import { type OSError, PicklingError } from "../base/errors.ts";
import { onBehalf, thisAgent } from "../transport/agent.ts";
import { decode, encode, type EncodeOptions } from "../transport/codec.ts";
import type { Lane, PutResult, Taken } from "../transport/lane.ts";
import {
  type FunctionTraveller,
  functionTraveller,
  type PackContext,
  setFunctionTraveller,
} from "../transport/registry.ts";
import type { Link } from "../transport/remote.ts";
import { FrameSocket, noSync } from "./_frame_socket.ts";
import { destinationOf } from "./_holders.ts";
import { newPipe, type PackedEnd, type PipeEnd } from "./_pipe_end.ts";

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

function encodeFrame(value: unknown, options: EncodeOptions, maxlength: number): Uint8Array {
  const { bytes } = withoutFunctions(() =>
    encode(value, { ...options, wire: true, context: noLink, receiver: OVER_THERE })
  );
  if (bytes.length <= maxlength) return bytes.slice();
  throw new PicklingError(
    `Cannot send a message of ${bytes.length} bytes to ${OVER_THERE}: 'maxlength' is ${maxlength}; send it in parts, ` +
      `or raise it on both sides`,
  );
}

/** The value in what a lane of frames gave: through a pipe, the error that has broken the socket may come, too. */
function decodeTaken(taken: Taken): Taken {
  if (taken instanceof Error) throw taken;
  if (!(taken instanceof Uint8Array)) return taken;
  try {
    return withoutFunctions(() => decode(taken, noAttachments, noLink));
  } catch (error) {
    if (error instanceof PicklingError) throw error;
    throw new PicklingError("Cannot receive the message: it is no value that this library has written", {
      cause: error,
    });
  }
}

/** Plain values on a lane of frames. */
class PlainLane implements Lane {
  readonly count: number = 0;
  readonly #frames: () => Lane;
  readonly #maxlength: number;
  readonly #home: boolean;

  /** `frames`: the lane, which is another one from the moment the connection is handed on. */
  constructor(frames: () => Lane, maxlength: number, home: boolean) {
    this.#frames = frames;
    this.#maxlength = maxlength;
    this.#home = home;
  }

  put(value: unknown, options: EncodeOptions, ms: number, signal?: AbortSignal): Promise<PutResult> {
    return this.#frames().put(encodeFrame(value, options, this.#maxlength), {}, ms, signal);
  }

  putSync(value: unknown, options: EncodeOptions, ms: number): PutResult {
    if (this.#home) throw noSync("sendSync");
    return this.#frames().putSync(encodeFrame(value, options, this.#maxlength), {}, ms);
  }

  async take(ms: number, signal?: AbortSignal): Promise<Taken> {
    return decodeTaken(await this.#frames().take(ms, signal));
  }

  takeSync(ms: number): Taken {
    if (this.#home) throw noSync("recvSync");
    return decodeTaken(this.#frames().takeSync(ms));
  }

  async ready(ms: number, signal?: AbortSignal): Promise<boolean> {
    const end = performance.now() + ms;
    for (;;) {
      const frames = this.#frames();
      const ready = await frames.ready(Math.max(0, end - performance.now()), signal);
      if (ready || frames === this.#frames()) return ready;
    }
  }

  shut(): void {}

  taskDone(): boolean {
    return false;
  }

  join(): Promise<boolean> {
    return Promise.resolve(true);
  }

  joinSync(): boolean {
    return true;
  }
}

/** An end of a connection over a socket. */
export class SocketEnd implements PipeEnd {
  readonly incoming: Lane;
  readonly outgoing: Lane;
  readonly mode = "duplex" as const;
  readonly #maxlength: number;
  /** The agent that has the socket. */
  readonly #home: number;
  /** What carries the frames: the socket itself, or an end of the pipe that its home has laid. */
  #frames: FrameSocket | PipeEnd;
  #used = false;

  constructor(frames: FrameSocket | PipeEnd, maxlength: number, home: number = thisAgent().id) {
    this.#frames = frames;
    this.#maxlength = maxlength;
    this.#home = home;
    const here = home === thisAgent().id;
    this.incoming = new PlainLane(() => this.#frames.incoming, maxlength, here);
    this.outgoing = new PlainLane(() => this.#frames.outgoing, maxlength, here);
  }

  use(): void {
    this.#used = true;
    if (!(this.#frames instanceof FrameSocket)) this.#frames.use();
  }

  close(): void {
    this.#frames.close();
  }

  pack(context: PackContext): PackedEnd {
    destinationOf(context); // throws where a handle cannot go: then the socket stays as it is
    if (this.#frames instanceof FrameSocket) {
      const socket = this.#frames;
      this.#frames = serve(socket);
      if (this.#used) this.#frames.use();
      socket.incoming.wakeWatchers(); // they shall watch the pipe now
    }
    return { ...this.#frames.pack(context), socket: { maxlength: this.#maxlength, home: this.#home } };
  }
}

/**
 * Serves a socket to whoever holds the end of a pipe that this returns. It closes the socket when nobody does, once all
 * is written that they have sent.
 */
function serve(socket: FrameSocket): PipeEnd {
  const [mine, theirs] = newPipe(true);
  // Whether the program goes on is a matter of those who use the connection. What is being written counts by itself.
  const quiet = new AbortController().signal;
  onBehalf.add(quiet);
  // An error that breaks the socket is the last that comes.
  const next = () => socket.incoming.next().catch((error: OSError) => error);
  carry(next, (frame) => mine.outgoing.put(frame, {}, Infinity, quiet)).then(() => mine.close());
  carry(() => mine.incoming.take(Infinity, quiet), (frame) => socket.outgoing.put(frame)).then(() => {
    mine.close();
    socket.close();
  });
  return theirs;
}

/** Carries frames until there are no more, or nobody takes them. */
async function carry(take: () => Promise<Taken>, put: (frame: Taken) => Promise<PutResult>): Promise<void> {
  for (;;) {
    const taken = await take();
    if (typeof taken === "symbol" || await put(taken) !== "done" || taken instanceof Error) return;
  }
}
