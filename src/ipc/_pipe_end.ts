/**
 * One end of a pipe: a lane to read from, a lane to write to, and who holds which end.
 *
 * ```
 * block: lane 0 (end 0 ─▶ end 1) · lane 1 (end 1 ─▶ end 0) · holders of end 0 · holders of end 1
 * ```
 *
 * An end is gone when nobody holds it: then the other one's `recv` ends, and its `send` fails.
 */

import { RuntimeError } from "../base/errors.ts";
import { thisAgent } from "../transport/agent.ts";
import { type Ends, type Lane, LANE_WORDS, SharedLane } from "../transport/lane.ts";
import type { PackContext, UnpackContext } from "../transport/registry.ts";
import { type Caller, type Exportable, packCore, type Reference } from "../transport/remote.ts";
import { bringsValue, invokeLane, undoLane } from "../transport/remote_lane.ts";
import { newRingMemory } from "../transport/ring.ts";
import { destinationOf, Hold, Holders, HOLDERS_WORDS } from "./_holders.ts";

/** Whether an end can read and write, or only one of the two. */
export type Mode = "duplex" | "read" | "write";

/** What a connection asks of its end. */
export interface PipeEnd {
  /** Where it reads. */
  readonly incoming: Lane;
  /** Where it writes. */
  readonly outgoing: Lane;
  /** What it can do. */
  readonly mode: Mode;
  /** Marks the end as in use by this process. */
  use(): void;
  /** Gives the end up. */
  close(): void;
  /** The same end for another process. */
  pack(context: PackContext): PackedEnd;
}

/** What an end is in a message. */
export interface PackedEnd {
  /** The end. */
  readonly end: Reference<EndPayload>;
  /** Within a program, of an end that is not in memory: the table of who holds it, and the entry there. */
  readonly hold?: readonly [words: number, entry: number];
  /** That it carries the messages of a socket: see `_socket_end.ts`. */
  readonly socket?: { readonly maxlength: number; readonly home: number };
}

/** Senders wait while more than this is unread, as they do for a full pipe of the operating system. */
const UNREAD_BYTES = 1024 * 1024;

const BLOCK_WORDS = 2 * LANE_WORDS + 2 * HOLDERS_WORDS;

type Side = 0 | 1;
const MODES = ["duplex", "read", "write"] as const;

/** The payload of an end within the program. */
export type EndPayload = [words: number, rings: [number, number], side: Side, entry: number, mode: number];

/** Makes both ends of a pipe. With `duplex: false` the first only reads and the second only writes. */
export function newPipe(duplex: boolean): [SharedEnd, SharedEnd] {
  const words = new Int32Array(new SharedArrayBuffer(BLOCK_WORDS * 4));
  SharedLane.limit(words, 0, { maxUsed: UNREAD_BYTES });
  SharedLane.limit(words, LANE_WORDS, { maxUsed: UNREAD_BYTES });
  const pipe = { words, rings: [newRingMemory(), newRingMemory()] } as const;
  const hold = (side: Side) => new Hold(holdersOf(pipe, side), thisAgent().id);
  return [
    new SharedEnd(pipe, 0, duplex ? "duplex" : "read", hold(0)),
    new SharedEnd(pipe, 1, duplex ? "duplex" : "write", hold(1)),
  ];
}

/** The memory of a pipe. */
interface PipeMemory {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly rings: readonly [SharedArrayBuffer, SharedArrayBuffer];
}

function holdersOf({ words }: PipeMemory, side: Side): Holders {
  return new Holders(words, 2 * LANE_WORDS + side * HOLDERS_WORDS);
}

/** An end in shared memory: one Connection to it, of this process, or of one at the other side of a link. */
export class SharedEnd implements PipeEnd, Exportable {
  readonly incoming: SharedLane;
  readonly outgoing: SharedLane;
  readonly mode: Mode;
  readonly #pipe: PipeMemory;
  readonly #side: Side;
  readonly #hold: Hold;
  #closed = false;

  constructor(pipe: PipeMemory, side: Side, mode: Mode, hold: Hold) {
    this.#pipe = pipe;
    this.#side = side;
    this.mode = mode;
    this.#hold = hold;
    // Closed here, nothing comes and goes any more: a wait of ours that is pending ends.
    const gone = (of: Side) => {
      const holders = of === side ? hold.holders : holdersOf(pipe, of);
      return () => this.#closed || !holders.anybody();
    };
    const lane = (from: Side, to: Side): SharedLane => {
      const ends: Ends = { noSender: gone(from), noReceiver: gone(to) };
      return new SharedLane(pipe.words, from * LANE_WORDS, pipe.rings[from], ends);
    };
    const [from0, from1] = [lane(0, 1), lane(1, 0)];
    [this.outgoing, this.incoming] = side === 0 ? [from0, from1] : [from1, from0];
  }

  use(): void {
    this.#hold.use();
  }

  close(): void {
    this.#closed = true;
    this.#hold.close();
    this.#wakeAll();
  }

  pack(context: PackContext): PackedEnd {
    const to = destinationOf(context);
    context.onRefusal(() => this.#wakeAll());
    let end: Reference<EndPayload>;
    if (context.wire) {
      // What the process over there does with it counts as its doing, so that its death is a hang-up here.
      const lent = new SharedEnd(this.#pipe, this.#side, this.mode, new Hold(this.#hold.holders, to));
      context.onRefusal(() => lent.close());
      end = packCore(lent, context, never);
    } else {
      end = packCore(this, context, () => {
        const { words, rings: [ring0, ring1] } = this.#pipe;
        const rings: EndPayload[1] = [context.attach(ring0), context.attach(ring1)];
        const entry = this.#hold.send(to, context);
        return [context.attach(words.buffer), rings, this.#side, entry, MODES.indexOf(this.mode)];
      });
    }
    this.#hold.handedOn(context);
    return { end };
  }

  /** The end that arrived within the program. */
  static unpack([words, rings, side, entry, mode]: EndPayload, { attachments }: UnpackContext): SharedEnd {
    const pipe = {
      words: new Int32Array(attachments[words] as SharedArrayBuffer),
      rings: rings.map((at) => attachments[at]) as [SharedArrayBuffer, SharedArrayBuffer],
    };
    return new SharedEnd(pipe, side, MODES[mode]!, Hold.arrive(holdersOf(pipe, side), entry));
  }

  /** The same end for this process, to which it has come back over a link. */
  comeHome(): SharedEnd {
    return new SharedEnd(this.#pipe, this.#side, this.mode, new Hold(this.#hold.holders, thisAgent().id));
  }

  /** What the process at the other end of a link asks. */
  invoke(method: string, args: readonly unknown[], caller: Caller): unknown {
    if (method === "rest") {
      this.#hold.rest();
      return this.#wakeAll();
    }
    this.use();
    if (method === "use") return;
    if (method === "incoming.restore") return this.incoming.restore(args[0]);
    const [lane, operation] = method.split(".");
    return invokeLane(lane === "incoming" ? this.incoming : this.outgoing, operation!, args, caller);
  }

  handsOn(method: string): boolean {
    return bringsValue(method.slice(method.indexOf(".") + 1));
  }

  released(): void {
    this.close();
  }

  undo(method: string, answer: unknown): void {
    if (method.startsWith("incoming.")) undoLane(this.incoming, method.slice("incoming.".length), answer);
  }

  mirror(): Mode {
    return this.mode;
  }

  /** Lets everybody in line look whether the other end is gone. */
  #wakeAll(): void {
    this.incoming.wakeAll();
    this.outgoing.wakeAll();
  }
}

function never(): never {
  throw new RuntimeError("Cannot hand the connection on: what goes over a link has no memory");
}
