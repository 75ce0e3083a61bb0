/**
 * A lane: values from any number of senders to any number of receivers, in one order, first come first served.
 *
 * {@link Lane} is what queues and connections are written against. {@link SharedLane} is the lane itself: a ring
 * of frames and two wait lists in shared memory. A `"spawn"` child has a {@link RemoteLane} instead, whose
 * operations are requests to the process where the shared one lives.
 *
 * ```
 * put ─▶ encode ─▶ [too large, or with attachments: leave them with the courier] ─▶ ring.push ─▶ grant a receiver
 * take ─▶ ring.shift ─▶ grant a sender ─▶ [claim what the courier holds] ─▶ decode
 * ```
 *
 * Invariants, each under the guard:
 * - A receiver in line is granted as soon as a frame is there for it; frames granted but not collected are not
 *   given to latecomers (`count > takers.granted`), so nobody overtakes.
 * - A frame is taken when it is asked for, never ahead: a slow or dead receiver strands nothing.
 */

import { RuntimeError } from "../base/errors.ts";
import type { Agent, Outcome } from "./agent.ts";
import { thisAgent } from "./agent.ts";
import { decode, encode, type EncodeOptions, type Packed } from "./codec.ts";
import { claim, claimable, claimSync, deposit } from "./courier.ts";
import { enter, leave } from "./guard.ts";
import { Ring, RING_WORDS } from "./ring.ts";
import { newRingMemory } from "./ring.ts";
import { Spin } from "./spin.ts";
import { WAIT_LIST_WORDS, WaitList } from "./wait_list.ts";

/** How a put can end. */
export type PutResult = "done" | "full" | "shut" | "ended";

/** Why a take gave no value. Symbols cannot travel, so none of these can be mistaken for one. */
export const NOTHING: unique symbol = Symbol("nothing came in time");
/** The lane was shut down and is empty. */
export const SHUT: unique symbol = Symbol("shut down");
/** Nobody is left at the other end. */
export const ENDED: unique symbol = Symbol("ended");
/** The decoder's context for a value that nobody will see: what arrives with it lets go of what it holds. */
export const DISCARDED: unique symbol = Symbol("discarded");
/** What a take gives: a value, or why there is none. */
export type Taken = unknown;

/** What becomes of what is taken; {@link decode} when nothing is said. The bytes are valid until it returns. */
export type Reader = (bytes: Uint8Array, attachments?: unknown[]) => unknown;

/** What queues and connections ask of a lane. Times are milliseconds; `0` does not wait. */
export interface Lane {
  /** Adds a value. */
  put(value: unknown, options: EncodeOptions, ms: number, signal?: AbortSignal): Promise<PutResult>;
  /** As {@link put}, blocking. */
  putSync(value: unknown, options: EncodeOptions, ms: number): PutResult;
  /** Takes the next value. */
  take(ms: number, signal?: AbortSignal, read?: Reader): Promise<Taken>;
  /** As {@link take}, blocking. */
  takeSync(ms: number): Taken;
  /** Waits until there is something to take, or nothing will come any more; `false` if `ms` passed first. */
  ready(ms: number, signal?: AbortSignal): Promise<boolean>;
  /** Values in the lane. */
  readonly count: number;
  /** Refuses further values, and, with `immediate`, drops those inside. */
  shut(immediate: boolean): void;
  /** One value is finished with; `false` if every one is already. */
  taskDone(): boolean;
  /** Waits until every value that was put is finished with; `false` if `ms` passed first. */
  join(ms: number, signal?: AbortSignal): Promise<boolean>;
  /** As {@link join}, blocking. */
  joinSync(ms: number): boolean;
}

const GUARD = 0;
const FLAGS = 1;
const MAX_COUNT = 2;
const MAX_USED = 3;
const RING = 4;
const TAKERS = RING + RING_WORDS;
const PUTTERS = TAKERS + WAIT_LIST_WORDS;
/** Values that were put and not finished with; only joinable queues look at it. */
const UNFINISHED = PUTTERS + WAIT_LIST_WORDS;
const JOINERS = UNFINISHED + 1;
/** Words a lane takes in its block. */
export const LANE_WORDS: number = JOINERS + WAIT_LIST_WORDS;

const FLAG_SHUT = 1;
/** A larger payload travels as shared memory of its own beside the ring. */
const SPILL_BYTES = 64 * 1024;
/** No frame is taken for larger than this. */
const MOST_ELSEWHERE = 2 ** 30;

/** Whether nobody can put any more (for receivers) or take any more (for senders). Asked under the guard. */
export interface Ends {
  /** Every sender is gone. */
  noSender(): boolean;
  /** Every receiver is gone. */
  noReceiver(): boolean;
}

const NEVER_ENDS: Ends = { noSender: () => false, noReceiver: () => false };

/** A value that was taken back, unseen. */
export interface TakenBack {
  /** Whether it is all in its bytes: it carries no handles, memory or ports. */
  readonly plain: boolean;
  /** Gives the value as it is to be put elsewhere: see `transit` of {@link decode}. */
  read(): unknown;
  /** Lets go of what came with it. */
  discard(): void;
}

/** Limits of a new lane; 0 for none. */
export interface LaneLimits {
  /** At most so many values inside. */
  maxCount?: number;
  /** Senders wait while more than so many bytes are inside. */
  maxUsed?: number;
}

/** The lane in shared memory. */
export class SharedLane implements Lane {
  /** What another agent of the program needs to see the same lane. */
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly #at: number;
  readonly #agent: Agent;
  readonly #ring: Ring;
  readonly #takers: WaitList;
  readonly #putters: WaitList;
  readonly #joiners: WaitList;
  readonly #ends: Ends;
  readonly #spin = new Spin();

  constructor(
    words: Int32Array<SharedArrayBuffer>,
    at: number,
    ring: SharedArrayBuffer,
    ends: Ends = NEVER_ENDS,
  ) {
    this.words = words;
    this.#at = at;
    this.#agent = thisAgent();
    this.#ring = new Ring(words, at + RING, ring);
    this.#takers = new WaitList(this.#agent, words, at + TAKERS);
    this.#putters = new WaitList(this.#agent, words, at + PUTTERS);
    this.#joiners = new WaitList(this.#agent, words, at + JOINERS);
    this.#ends = ends;
  }

  /** A new lane in words of its own. */
  static create(limits: LaneLimits): SharedLane {
    const words = new Int32Array(new SharedArrayBuffer(LANE_WORDS * 4));
    SharedLane.limit(words, 0, limits);
    return new SharedLane(words, 0, newRingMemory());
  }

  /** Writes the limits into the words of a new lane. */
  static limit(words: Int32Array<SharedArrayBuffer>, at: number, limits: LaneLimits): void {
    words[at + MAX_COUNT] = limits.maxCount ?? 0;
    words[at + MAX_USED] = limits.maxUsed ?? 0;
  }

  /** The ring's memory. */
  get memory(): SharedArrayBuffer {
    return this.#ring.memory;
  }

  /** The most values that may be inside; 0 for no limit. */
  get maxCount(): number {
    return this.words[this.#at + MAX_COUNT]!;
  }

  get count(): number {
    return this.#ring.count;
  }

  /** Whether the lane was shut down. */
  get isShut(): boolean {
    return (Atomics.load(this.words, this.#at + FLAGS) & FLAG_SHUT) !== 0;
  }

  /** What cannot travel is refused before this returns. */
  put(value: unknown, options: EncodeOptions, ms: number, signal?: AbortSignal): Promise<PutResult> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const frame = this.#pack(value, options);
    const result = this.#tryPut(frame);
    if (result === "full" && ms > 0) return this.#putLater(frame, ms, signal);
    return Promise.resolve(this.#finally(frame, result));
  }

  async #putLater(frame: Frame, ms: number, signal?: AbortSignal): Promise<PutResult> {
    let result: PutResult = "full";
    const kept = { ...frame, bytes: frame.bytes.slice() };
    const end = performance.now() + ms;
    for (;;) {
      const node = this.#queueUp(this.#putters, () => result = this.#push(kept));
      if (node === 0) return this.#finally(frame, result);
      const forget = this.#agent.onDeath(this.#revise);
      const outcome = await this.#agent.wait(node, end - performance.now(), signal);
      forget();
      this.#collect(this.#putters, node, outcome, () => result = this.#push(kept));
      if (result === "full" && outcome === "granted") continue;
      this.#finally(frame, result);
      if (result === "full" && outcome === "aborted") throw signal!.reason;
      return result;
    }
  }

  putSync(value: unknown, options: EncodeOptions, ms: number): PutResult {
    const frame = this.#pack(value, options);
    let result = this.#tryPut(frame);
    if (result !== "full" || ms === 0) return this.#finally(frame, result);
    const kept = { ...frame, bytes: frame.bytes.slice() };
    const end = performance.now() + ms;
    for (;;) {
      const node = this.#queueUp(this.#putters, () => result = this.#push(kept));
      if (node === 0) return this.#finally(frame, result);
      const forget = this.#agent.onDeath(this.#revise);
      const outcome = this.#agent.waitSync(node, end - performance.now());
      forget();
      this.#collect(this.#putters, node, outcome, () => result = this.#push(kept));
      if (result !== "full" || outcome === "timeout") return this.#finally(frame, result);
    }
  }

  /** Whether a put would be done at once. */
  get hasRoom(): boolean {
    return this.#roomFor(1);
  }

  /** What is there to take without waiting; a promise if what it comes with has yet to be brought. */
  takeNow(): Taken | Promise<Taken> {
    const frame = this.#tryTake();
    if (typeof frame === "symbol") return frame;
    return frame.ticket === 0 ? decode(frame.bytes) : this.#open(frame);
  }

  take(ms: number, signal?: AbortSignal, read: Reader = decode): Promise<Taken> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const frame = this.#tryTake();
    if (frame === NOTHING && ms > 0) return this.#takeLater(ms, signal, read);
    if (typeof frame === "symbol") return Promise.resolve(frame);
    if (frame.ticket !== 0) return this.#open(frame, read);
    try {
      return Promise.resolve(read(frame.bytes));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #takeLater(ms: number, signal: AbortSignal | undefined, read: Reader): Promise<Taken> {
    let frame: Frame | Nothing = NOTHING;
    if (this.#spin.until(this.#somethingThere)) frame = this.#tryTake();
    const end = performance.now() + ms;
    while (frame === NOTHING) {
      const node = this.#queueUp(this.#takers, () => frame = this.#shift(false, false));
      if (node === 0) break;
      const forget = this.#agent.onDeath(this.#revise);
      const outcome = await this.#agent.wait(node, end - performance.now(), signal);
      forget();
      this.#collect(this.#takers, node, outcome, () => frame = this.#shift(false, true));
      if (frame !== NOTHING) break;
      if (outcome === "aborted") throw signal!.reason;
      if (outcome === "timeout") return NOTHING;
    }
    return this.#open(frame, read);
  }

  takeSync(ms: number): Taken {
    let frame = this.#tryTake(true);
    if (frame === NOTHING && ms > 0) {
      if (this.#spin.until(this.#somethingThere)) frame = this.#tryTake(true);
      const end = performance.now() + ms;
      while (frame === NOTHING) {
        const node = this.#queueUp(this.#takers, () => frame = this.#shift(true, false));
        if (node === 0) break;
        const forget = this.#agent.onDeath(this.#revise);
        const outcome = this.#agent.waitSync(node, end - performance.now());
        forget();
        this.#collect(this.#takers, node, outcome, () => frame = this.#shift(true, true));
        if (outcome === "timeout") break;
      }
    }
    if (typeof frame === "symbol") return frame;
    return decode(...this.#openSync(frame));
  }

  async ready(ms: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    const look = () => this.#somethingThere() || this.isShut || this.#ends.noSender();
    if (look() || ms === 0) return look();
    const end = performance.now() + ms;
    let ready = false;
    for (;;) {
      const node = this.#queueUp(this.#takers, () => {
        ready = look();
        return ready ? SHUT : NOTHING;
      });
      if (node === 0) return true;
      const forget = this.#agent.onDeath(this.#revise);
      const outcome = await this.#agent.wait(node, end - performance.now(), signal);
      forget();
      // Looking takes nothing: the frame we were granted goes to the next in line.
      this.#collect(this.#takers, node, outcome, () => {
        ready = look();
        this.#grantTakers();
        return NOTHING;
      });
      if (ready) return true;
      if (outcome === "aborted") throw signal!.reason;
      if (outcome === "timeout") return false;
    }
  }

  shut(immediate: boolean): void {
    let dropped: number[] = [];
    this.#locked(() => {
      Atomics.or(this.words, this.#at + FLAGS, FLAG_SHUT);
      if (immediate) dropped = this.#ring.clear();
      this.#finish(dropped.length);
      this.#takers.grantAll();
      this.#putters.grantAll();
    });
    for (const ticket of dropped) this.#discard(ticket);
  }

  /**
   * Takes back what nobody has taken or been granted: the last values, at `most` so many, in their order. Each is to
   * be read or discarded; until then it is not decoded, which may run code of the user's.
   */
  takeBack(most: number): TakenBack[] {
    const frames: Frame[] = [];
    this.#locked(() => {
      this.#takers.reap();
      while (this.#ring.count > 0) {
        const ticket = this.#ring.peekTicket();
        frames.push({ bytes: this.#ring.shift().slice(), ticket });
      }
      // What was granted is at the front, where the granted will look for it.
      const kept = frames.splice(0, Math.max(this.#takers.granted, frames.length - most));
      for (const { bytes, ticket } of kept) this.#ring.push(bytes, ticket);
      this.#finish(frames.length);
      this.#grantPutters();
    });
    return frames.map((frame) => ({
      plain: frame.ticket === 0,
      read: () => {
        const [bytes, attachments] = this.#openSync(frame);
        return decode(bytes, attachments, undefined, true);
      },
      discard: () => this.#discard(frame.ticket),
    }));
  }

  /** Puts a value back that was taken on behalf of a process which died before it had it. */
  restore(value: unknown): void {
    const frame = this.#pack(value, {});
    this.#locked(() => {
      this.#ring.unshift(frame.bytes, frame.ticket);
      this.#grantTakers();
    });
  }

  /** Values that were put and not finished with. */
  get unfinished(): number {
    return Atomics.load(this.words, this.#at + UNFINISHED);
  }

  taskDone(): boolean {
    let done = false;
    this.#locked(() => {
      done = this.unfinished > 0;
      if (done) this.#finish(1);
    });
    return done;
  }

  async join(ms: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    let joined = false;
    const look = () => {
      joined = this.unfinished === 0;
      return joined ? SHUT : NOTHING;
    };
    const node = this.#queueUp(this.#joiners, look);
    if (node === 0) return true;
    const outcome = await this.#agent.wait(node, ms, signal);
    this.#collect(this.#joiners, node, outcome, () => joined = true);
    if (!joined && outcome === "aborted") throw signal!.reason;
    return joined;
  }

  joinSync(ms: number): boolean {
    let joined = false;
    const look = () => {
      joined = this.unfinished === 0;
      return joined ? SHUT : NOTHING;
    };
    const node = this.#queueUp(this.#joiners, look);
    if (node === 0) return true;
    const outcome = this.#agent.waitSync(node, ms);
    this.#collect(this.#joiners, node, outcome, () => joined = true);
    return joined;
  }

  /** Lets everybody in line look again, because one of the ends may be gone. */
  readonly wakeAll = (): void => {
    this.#locked(() => {
      this.#takers.grantAll();
      this.#putters.grantAll();
    });
  };

  /** After a death: what was granted to the dead goes to the next, and who waits for the dead learns of it. */
  readonly #revise = (): void => {
    this.#locked(() => {
      this.#takers.reap();
      this.#putters.reap();
      this.#grantTakers();
      this.#grantPutters();
      if (this.#ends.noSender()) this.#takers.grantAll();
      if (this.#ends.noReceiver()) this.#putters.grantAll();
    });
  };

  readonly #somethingThere = (): boolean => this.#ring.count > this.#takers.granted;

  #locked(work: () => void): void {
    enter(this.#agent, this.words, this.#at + GUARD);
    try {
      work();
    } finally {
      leave(this.words, this.#at + GUARD);
    }
  }

  #pack(value: unknown, options: EncodeOptions): Frame {
    const packed = encode(value, options);
    if (
      packed.attachments.length === 0 && packed.transfer.length === 0 && packed.bytes.length <= SPILL_BYTES
    ) {
      return { bytes: packed.bytes, ticket: 0 };
    }
    return this.#spill(packed);
  }

  // Attachments are left with the courier before the frame is published, so that a claim always finds them.
  #spill(packed: Packed): Frame {
    const memory = new SharedArrayBuffer(packed.bytes.length);
    new Uint8Array(memory).set(packed.bytes);
    let elsewhere = packed.bytes.length;
    for (const it of packed.attachments) if (it instanceof ArrayBuffer) elsewhere += it.byteLength;
    const ticket = deposit(this.#agent, [memory, ...packed.attachments], packed.transfer);
    const bytes = new Uint8Array(Int32Array.of(Math.min(elsewhere, MOST_ELSEWHERE)).buffer);
    return { bytes, ticket };
  }

  async #open(frame: Frame | Nothing, read: Reader = decode): Promise<Taken> {
    if (typeof frame === "symbol") return frame;
    if (frame.ticket === 0) return read(frame.bytes);
    const [memory, ...attachments] = await claim(this.#agent, frame.ticket);
    return read(new Uint8Array(memory as SharedArrayBuffer).slice(), attachments);
  }

  #openSync(frame: Frame): [bytes: Uint8Array, attachments?: unknown[]] {
    if (frame.ticket === 0) return [frame.bytes];
    const [memory, ...attachments] = claimSync(this.#agent, frame.ticket);
    return [new Uint8Array(memory as SharedArrayBuffer).slice(), attachments];
  }

  /** What was left with the courier for a frame that nobody will take is fetched, and let go. */
  #discard(ticket: number): void {
    if (ticket === 0) return;
    const letGo: Reader = (bytes, attachments) => decode(bytes, attachments, DISCARDED, true);
    this.#open({ bytes: NO_BYTES, ticket }, letGo)
      .catch(() => {/* part of it cannot be rebuilt, and nobody asks for it */});
  }

  /** How putting the frame ended. */
  #finally(frame: Frame, result: PutResult): PutResult {
    if (result !== "done") this.#discard(frame.ticket);
    return result;
  }

  /** Under the guard: so many values are finished with. */
  #finish(values: number): void {
    const left = Math.max(0, this.unfinished - values);
    Atomics.store(this.words, this.#at + UNFINISHED, left);
    if (left === 0) this.#joiners.grantAll();
  }

  #tryPut(frame: Frame): PutResult {
    enter(this.#agent, this.words, this.#at + GUARD);
    try {
      return this.#push(frame);
    } finally {
      leave(this.words, this.#at + GUARD);
    }
  }

  #tryTake(sync = false): Frame | Nothing {
    enter(this.#agent, this.words, this.#at + GUARD);
    try {
      return this.#shift(sync, false);
    } finally {
      leave(this.words, this.#at + GUARD);
    }
  }

  /** Under the guard: adds the frame, if it may be added now. */
  #push(frame: Frame): PutResult {
    if (this.isShut) return "shut";
    if (this.#ends.noReceiver()) return "ended";
    if (!this.#roomFor(1) || !this.#ring.push(frame.bytes, frame.ticket)) return "full";
    this.words[this.#at + UNFINISHED]!++;
    this.#grantTakers();
    this.#grantPutters();
    return "done";
  }

  /**
   * Under the guard: takes the first frame that is not somebody else's already. `entitled`: the caller was granted
   * one. At the end of the lane everybody is, and whoever looks first takes what is left.
   */
  #shift(sync: boolean, entitled: boolean): Frame | Nothing {
    const count = this.#ring.count;
    if (count === 0) return this.isShut ? SHUT : this.#ends.noSender() ? ENDED : NOTHING;
    const reserved = !entitled && count <= this.#takers.granted;
    if (reserved && !this.isShut && !this.#ends.noSender()) return NOTHING;
    const ticket = this.#ring.peekTicket();
    if (sync && ticket !== 0 && !claimable(this.#agent, ticket)) {
      throw new RuntimeError(
        "Cannot take this item by a blocking call on the main thread: its event loop has to bring what the item " +
          "carries; use the async form (nothing was taken)",
      );
    }
    const bytes = this.#ring.shift();
    this.#grantPutters();
    return { bytes, ticket };
  }

  #roomFor(more: number): boolean {
    const max = this.words[this.#at + MAX_COUNT]!;
    const reserved = this.#putters.granted;
    if (max !== 0 && this.#ring.count + reserved + more > max) return false;
    const maxUsed = this.words[this.#at + MAX_USED]!;
    return maxUsed === 0 || this.#ring.used < maxUsed;
  }

  #grantTakers(): void {
    while (!this.#takers.idle && this.#ring.count > this.#takers.granted) {
      if (this.#takers.grant() === 0) break;
    }
  }

  #grantPutters(): void {
    while (!this.#putters.idle && this.#roomFor(1)) {
      if (this.#putters.grant() === 0) break;
    }
  }

  /** Tries once more under the guard, and if that gives nothing, takes a place in line. Returns the node, or 0. */
  #queueUp(list: WaitList, attempt: () => unknown): number {
    enter(this.#agent, this.words, this.#at + GUARD);
    try {
      const result = attempt();
      if (result !== NOTHING && result !== "full") return 0;
      const node = this.#agent.node(this.#agent.id);
      list.join(node);
      return node;
    } finally {
      leave(this.words, this.#at + GUARD);
    }
  }

  /** Leaves the line; tries again if the node was granted, however the wait ended: a grant is never lost. */
  #collect(list: WaitList, node: number, outcome: Outcome, attempt: () => unknown): void {
    enter(this.#agent, this.words, this.#at + GUARD);
    try {
      if (list.depart(node) || outcome === "granted") attempt();
    } finally {
      leave(this.words, this.#at + GUARD);
      this.#agent.freeNode(node);
    }
  }
}

const NO_BYTES = new Uint8Array(0);

interface Frame {
  readonly bytes: Uint8Array;
  readonly ticket: number;
}

type Nothing = typeof NOTHING | typeof SHUT | typeof ENDED;

/** Refuses a `…Sync` call where it cannot be. */
export function noSyncHere(method: string): RuntimeError {
  return new RuntimeError(
    `Cannot call ${method}() here: this object lives in the process that created it, which a "spawn" child can ` +
      `only ask; use the async form, or the start method "worker"`,
  );
}
