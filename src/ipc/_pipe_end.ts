/**
 * One end of a pipe: a lane to read from, a lane to write to, and who holds which end.
 *
 * ```
 * block:  lane 0 (end 0 ─▶ end 1) · lane 1 (end 1 ─▶ end 0) · holders of end 0 · holders of end 1
 * holders: guard · copies in flight to nobody knows whom · how many entries were ever used · entries
 * entry:   the holder's agent id, or 0 · flags: used, handed on · how many Connections it has there
 * ```
 *
 * An end is gone when no entry of it counts any more and none is in flight. Entries of dead agents do not count. Nor does a copy that was handed on and never used: where CPython needs the parent to close its copy
 * of the child's end, or else waits for ever for a dead child, here the copy matters only once it is used.
 */

import { RuntimeError } from "../base/errors.ts";
import { thisAgent } from "../transport/agent.ts";
import * as guard from "../transport/guard.ts";
import { type Ends, type Lane, LANE_WORDS, SharedLane } from "../transport/lane.ts";
import type { PackContext, UnpackContext } from "../transport/registry.ts";
import { type Caller, type Exportable, type Link, RemoteCore } from "../transport/remote.ts";
import { invokeLane, RemoteLane, undoLane } from "../transport/remote_lane.ts";
import { newRingMemory } from "../transport/ring.ts";

/** What a connection asks of its end. */
export interface PipeEnd extends Exportable {
  /** Where it reads. */
  readonly incoming: Lane;
  /** Where it writes. */
  readonly outgoing: Lane;
  /** Whether it can read and write, or only one of the two. */
  readonly mode: "duplex" | "read" | "write";
  /** Marks the end as in use by this process. */
  use(): void;
  /** Gives the end up. */
  close(): void;
}

/** Senders wait while more than this is unread, as they do for a full pipe of the operating system. */
const UNREAD_BYTES = 1024 * 1024;

const ENTRIES = 64;
const GUARD = 0;
const IN_FLIGHT = 1;
const USED_ENTRIES = 2;
const FIRST_ENTRY = 3;
const ENTRY_WORDS = 3;
const FLAGS = 1;
const CONNECTIONS = 2;
const HOLDERS_WORDS = FIRST_ENTRY + ENTRIES * ENTRY_WORDS;
const BLOCK_WORDS = 2 * LANE_WORDS + 2 * HOLDERS_WORDS;

/** Instead of a holder: whoever takes the message. */
const UNKNOWN = -1;
/** The holder has sent or received there. */
const USED = 1;
/** The holder has passed the end on. */
const HANDED_ON = 2;

type Side = 0 | 1;
const MODES = ["duplex", "read", "write"] as const;

/** The payload of an end within the program. */
export type EndPayload = [words: number, rings: [number, number], side: Side, entry: number, mode: number];

/** Makes both ends of a pipe. With `duplex: false` the first only reads and the second only writes. */
export function newPipe(duplex: boolean): [SharedEnd, SharedEnd] {
  const words = new Int32Array(new SharedArrayBuffer(BLOCK_WORDS * 4));
  SharedLane.limit(words, 0, { maxUsed: UNREAD_BYTES });
  SharedLane.limit(words, LANE_WORDS, { maxUsed: UNREAD_BYTES });
  const rings: Rings = [newRingMemory(), newRingMemory()];
  const me = thisAgent().id;
  return [
    new SharedEnd(words, rings, 0, enter(words, 0, me), duplex ? "duplex" : "read"),
    new SharedEnd(words, rings, 1, enter(words, 1, me), duplex ? "duplex" : "write"),
  ];
}

type Rings = [SharedArrayBuffer, SharedArrayBuffer];

const holdersAt = (side: Side) => 2 * LANE_WORDS + side * HOLDERS_WORDS;
const entryAt = (side: Side, entry: number) => holdersAt(side) + FIRST_ENTRY + entry * ENTRY_WORDS;

/** Enters a holder, or one more Connection of it; returns its entry. */
function enter(words: Int32Array<SharedArrayBuffer>, side: Side, holder: number): number {
  const agent = thisAgent();
  const at = holdersAt(side);
  guard.enter(agent, words, at + GUARD);
  try {
    const used = words[at + USED_ENTRIES]!;
    const entries = Array.from({ length: used }, (_, entry) => entry);
    const known = entries.find((entry) => words[entryAt(side, entry)] === holder);
    if (known !== undefined) {
      words[entryAt(side, known) + CONNECTIONS]!++;
      return known;
    }
    const free = entries.find((entry) => !agent.directory.alive(words[entryAt(side, entry)]!)) ?? used;
    if (free === ENTRIES) {
      throw new RuntimeError(
        `Cannot hand the connection on: ${ENTRIES} processes hold this end of the pipe already`,
      );
    }
    const word = entryAt(side, free);
    words[word + FLAGS] = 0;
    words[word + CONNECTIONS] = 1;
    Atomics.store(words, word, holder);
    words[at + USED_ENTRIES] = Math.max(used, free + 1);
    return free;
  } finally {
    guard.leave(words, at + GUARD);
  }
}

/** Takes one Connection of a holder off. */
function withdraw(words: Int32Array<SharedArrayBuffer>, side: Side, entry: number): void {
  const at = holdersAt(side);
  guard.enter(thisAgent(), words, at + GUARD);
  const word = entryAt(side, entry);
  if (--words[word + CONNECTIONS]! === 0) Atomics.store(words, word, 0);
  guard.leave(words, at + GUARD);
}

/** An end in shared memory. */
export class SharedEnd implements PipeEnd {
  readonly incoming: SharedLane;
  readonly outgoing: SharedLane;
  readonly mode: "duplex" | "read" | "write";
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #rings: Rings;
  readonly #side: Side;
  readonly #entry: number;
  #used = false;
  #closed = false;

  constructor(
    words: Int32Array<SharedArrayBuffer>,
    rings: Rings,
    side: Side,
    entry: number,
    mode: "duplex" | "read" | "write",
  ) {
    this.#words = words;
    this.#rings = rings;
    this.#side = side;
    this.#entry = entry;
    this.mode = mode;
    // Closed here, nothing comes and goes any more: a wait of ours that is pending ends.
    const gone = (of: Side) => () => this.#closed || this.#gone(of);
    const lane = (from: Side, to: Side): SharedLane => {
      const ends: Ends = { noSender: gone(from), noReceiver: gone(to) };
      return new SharedLane(words, from * LANE_WORDS, rings[from], ends);
    };
    const [from0, from1] = [lane(0, 1), lane(1, 0)];
    [this.outgoing, this.incoming] = side === 0 ? [from0, from1] : [from1, from0];
  }

  use(): void {
    if (this.#used) return;
    this.#used = true;
    Atomics.or(this.#words, entryAt(this.#side, this.#entry) + FLAGS, USED);
  }

  close(): void {
    this.#closed = true;
    withdraw(this.#words, this.#side, this.#entry);
    this.incoming.wakeAll();
    this.outgoing.wakeAll();
  }

  /** The same end for another process of the program. `holder`: which, if that is known already. */
  pack(context: PackContext): EndPayload {
    const holder = (context.context as { destination?: number } | undefined)?.destination ?? UNKNOWN;
    return [
      context.attach(this.#words.buffer),
      [context.attach(this.#rings[0]), context.attach(this.#rings[1])],
      this.#side,
      this.#handTo(holder),
      MODES.indexOf(this.mode),
    ];
  }

  static unpack([words, rings, side, entry, mode]: EndPayload, { attachments }: UnpackContext): SharedEnd {
    const block = new Int32Array(attachments[words] as SharedArrayBuffer);
    const mine = entry === UNKNOWN ? enter(block, side, thisAgent().id) : entry;
    // Only now that our entry counts, or the end would be gone for a moment.
    if (entry === UNKNOWN) Atomics.sub(block, holdersAt(side) + IN_FLIGHT, 1);
    return new SharedEnd(block, rings.map((at) => attachments[at]) as Rings, side, mine, MODES[mode]!);
  }

  /** The same end for the process at the other end of a link: what it does there counts as that process's doing. */
  forLink(link: Link): SharedEnd {
    return new SharedEnd(this.#words, this.#rings, this.#side, this.#handTo(link.peer), this.mode);
  }

  invoke(method: string, args: readonly unknown[], caller: Caller): unknown {
    this.use();
    if (method === "close") return this.close();
    const [lane, operation] = method.split(".");
    return invokeLane(lane === "incoming" ? this.incoming : this.outgoing, operation!, args, caller);
  }

  undo(method: string, answer: unknown): void {
    if (method.startsWith("incoming.")) undoLane(this.incoming, method.slice("incoming.".length), answer);
  }

  mirror(): string {
    return this.mode;
  }

  #handTo(holder: number): number {
    Atomics.or(this.#words, entryAt(this.#side, this.#entry) + FLAGS, HANDED_ON);
    if (holder === UNKNOWN) {
      Atomics.add(this.#words, holdersAt(this.#side) + IN_FLIGHT, 1);
      return UNKNOWN;
    }
    return enter(this.#words, this.#side, holder);
  }

  #gone(side: Side): boolean {
    const words = this.#words;
    const { directory } = thisAgent();
    if (Atomics.load(words, holdersAt(side) + IN_FLIGHT) > 0) return false;
    const used = words[holdersAt(side) + USED_ENTRIES]!;
    for (let entry = 0; entry < used; entry++) {
      const at = entryAt(side, entry);
      const holder = Atomics.load(words, at);
      if (holder !== 0 && words[at + FLAGS] !== HANDED_ON && directory.alive(holder)) return false;
    }
    return true;
  }
}

/** An end that lives in another operating-system process. */
export class RemoteEnd extends RemoteCore implements PipeEnd {
  readonly incoming: Lane;
  readonly outgoing: Lane;

  constructor(link: Link, number: number) {
    super(link, number);
    const lane = (name: string) =>
      new RemoteLane({
        link,
        ask: (method, args, signal) => this.ask(`${name}.${method}`, args, signal),
        tell: (method, args) => this.tell(`${name}.${method}`, args),
        count: () => 0,
      });
    this.incoming = lane("incoming");
    this.outgoing = lane("outgoing");
  }

  get mode(): "duplex" | "read" | "write" {
    return this.mirror() as "duplex" | "read" | "write" | undefined ?? "duplex";
  }

  use(): void {} // each request says so

  close(): void {
    this.tell("close", []);
  }
}
