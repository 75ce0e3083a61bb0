/** Barrier: so many processes meet, and go on together. */

import { BrokenBarrierError } from "../base/errors.ts";
import { waitMs, type WaitOptions, wholeNumber } from "../base/options.ts";
import { type Agent, thisAgent } from "../transport/agent.ts";
import { arrive, arriving } from "../transport/arriving.ts";
import { NODE_VALUE } from "../transport/directory.ts";
import { enter, leave } from "../transport/guard.ts";
import { noSyncHere } from "../transport/lane.ts";
import { travels } from "../transport/registry.ts";
import {
  type Caller,
  type Exportable,
  packCore,
  type Reference,
  RemoteCore,
  unpackCore,
} from "../transport/remote.ts";
import { WAIT_LIST_WORDS, WaitList } from "../transport/wait_list.ts";

/** What a barrier stands on. Whoever arrives last is told so, and must then {@link Meeting.open} or {@link Meeting.break} it. */
interface Meeting extends Exportable {
  readonly parties: number;
  readonly nWaiting: number;
  readonly broken: boolean;
  arrive(ms: number, signal?: AbortSignal): Promise<Arrival>;
  arriveSync(ms: number): Arrival;
  /** Lets all go on; `false` if the barrier was broken or reset meanwhile. */
  open(): boolean | Promise<boolean>;
  openSync(): boolean;
  break(): void;
  reset(): void;
}

/** Who one is in this round. */
interface Arrival {
  readonly index: number;
  readonly last: boolean;
}

const GUARD = 0;
const PARTIES = 1;
const ARRIVED = 2;
const STATE = 3;
/** The agent that arrived last, while it runs the action. */
const ACTOR = 4;
/** Whether somebody wants a reset as soon as the action is over. */
const RESET = 5;
/** Those who have arrived. */
const LINE = 6;
/** Those who came for the next round while this one is not over. */
const DOOR = LINE + WAIT_LIST_WORDS;
const WORDS = DOOR + WAIT_LIST_WORDS;

const FILLING = 0;
const ACTING = 1;
const BROKEN = 2;

const PASSED = 1;
const SENT_AWAY = 2;

class SharedMeeting implements Meeting {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly #agent: Agent = thisAgent();
  readonly #line: WaitList;
  readonly #door: WaitList;

  constructor(words: Int32Array<SharedArrayBuffer>) {
    this.words = words;
    this.#line = new WaitList(this.#agent, words, LINE);
    this.#door = new WaitList(this.#agent, words, DOOR);
  }

  static create(parties: number): SharedMeeting {
    const words = new Int32Array(new SharedArrayBuffer(WORDS * 4));
    words[PARTIES] = parties;
    return new SharedMeeting(words);
  }

  get parties(): number {
    return this.words[PARTIES]!;
  }

  get nWaiting(): number {
    this.#guarded(() => this.#breakIfDead());
    return Atomics.load(this.words, STATE) === FILLING ? Atomics.load(this.words, ARRIVED) : 0;
  }

  get broken(): boolean {
    this.#guarded(() => this.#breakIfDead());
    return Atomics.load(this.words, STATE) === BROKEN;
  }

  arrive(ms: number, signal?: AbortSignal): Promise<Arrival> {
    return this.#arriveFor(this.#agent.id, ms, signal);
  }

  async #arriveFor(owner: number, ms: number, signal?: AbortSignal): Promise<Arrival> {
    signal?.throwIfAborted();
    const end = performance.now() + ms;
    for (;;) {
      const place = this.#enter(owner);
      if (place.node === 0) return place;
      const forget = this.#agent.onDeath(this.#revise);
      let outcome = await this.#agent.wait(place.node, end - performance.now(), signal);
      if (outcome !== "granted" && place.index >= 0 && this.#acting) {
        outcome = await this.#agent.wait(place.node, Infinity);
      }
      forget();
      const passed = this.#depart(place);
      if (passed === undefined) continue;
      if (passed) return place;
      if (outcome === "aborted") throw signal!.reason;
      throw broken(outcome === "timeout" ? `nobody else came within ${ms} ms` : "");
    }
  }

  arriveSync(ms: number): Arrival {
    const end = performance.now() + ms;
    for (;;) {
      const place = this.#enter(this.#agent.id);
      if (place.node === 0) return place;
      const forget = this.#agent.onDeath(this.#revise);
      let outcome = this.#agent.waitSync(place.node, end - performance.now());
      if (outcome !== "granted" && place.index >= 0 && this.#acting) {
        outcome = this.#agent.waitSync(place.node, Infinity);
      }
      forget();
      const passed = this.#depart(place);
      if (passed === undefined) continue;
      if (passed) return place;
      throw broken(outcome === "timeout" ? `nobody else came within ${ms} ms` : "");
    }
  }

  open(): boolean {
    let opened = false;
    this.#guarded(() => {
      if (this.words[STATE] !== ACTING) return;
      opened = this.words[RESET] === 0;
      this.#begin();
      this.#dismiss(opened ? PASSED : SENT_AWAY);
    });
    return opened;
  }

  openSync(): boolean {
    return this.open();
  }

  break(): void {
    this.#guarded(() => this.#break());
  }

  reset(): void {
    this.#guarded(() => {
      // All have come, and the last is about to let them go: the reset is for the next round to begin with.
      if (this.words[STATE] === ACTING) {
        this.words[RESET] = 1;
        return;
      }
      this.#begin();
      this.#dismiss(SENT_AWAY);
    });
  }

  /** Whether all have come and the action runs: then nobody's time is up any more. */
  get #acting(): boolean {
    return Atomics.load(this.words, STATE) === ACTING;
  }

  invoke(method: string, args: readonly unknown[], caller: Caller): unknown {
    switch (method) {
      case "arrive":
        return this.#arriveFor(caller.agent, args[0] as number, caller.signal)
          .then(({ index, last }) => ({ index, last }));
      case "open":
        return this.open();
      case "break":
        return this.break();
      default:
        return this.reset();
    }
  }

  mirror(): MeetingMirror {
    return [this.parties, this.nWaiting, this.broken];
  }

  #guarded(work: () => void): void {
    enter(this.#agent, this.words, GUARD);
    try {
      work();
    } finally {
      leave(this.words, GUARD);
    }
  }

  /** Arrives, or waits at the door (`index` -1); node 0 means last. */
  #enter(owner: number): Arrival & { node: number } {
    const { words } = this;
    enter(this.#agent, words, GUARD);
    try {
      this.#breakIfDead();
      if (words[STATE] === BROKEN) throw broken("it was broken before");
      const acting = words[STATE] === ACTING;
      if (!acting) {
        const index = words[ARRIVED]!++;
        if (index === words[PARTIES]! - 1) {
          words[STATE] = ACTING;
          words[ACTOR] = owner;
          return { index, last: true, node: 0 };
        }
        const node = this.#agent.node(owner);
        this.#line.join(node);
        return { index, last: false, node };
      }
      const node = this.#agent.node(owner);
      this.#door.join(node);
      return { index: -1, last: false, node };
    } finally {
      leave(words, GUARD);
    }
  }

  /** Whether this round was passed; `undefined` if it was only the door that opened. */
  #depart({ index, node }: { index: number; node: number }): boolean | undefined {
    enter(this.#agent, this.words, GUARD);
    try {
      const list = index < 0 ? this.#door : this.#line;
      const granted = list.depart(node);
      if (granted && index < 0) return undefined;
      if (granted) return this.#agent.directory.words[node + NODE_VALUE] === PASSED;
      // Whoever gives up leaves a round that can never be full: the others learn it now.
      if (index >= 0) this.#break();
      return false;
    } finally {
      leave(this.words, GUARD);
      this.#agent.freeNode(node);
    }
  }

  #begin(): void {
    this.words[STATE] = FILLING;
    this.words[ARRIVED] = 0;
    this.words[ACTOR] = 0;
    this.words[RESET] = 0;
  }

  #break(): void {
    this.#begin();
    this.words[STATE] = BROKEN;
    this.#dismiss(SENT_AWAY);
  }

  /** Who died here takes the round along. Nobody need have been awake to see it. */
  #breakIfDead(): void {
    const actor = this.words[ACTOR]!;
    const dead = actor !== 0 && !this.#agent.directory.alive(actor);
    if (dead || this.#line.anyDead()) this.#break();
  }

  #dismiss(result: number): void {
    this.#line.grantAll((node) => this.#agent.directory.words[node + NODE_VALUE] = result);
    this.#door.grantAll();
  }

  readonly #revise = (): void => {
    this.#guarded(() => {
      this.#breakIfDead();
      this.#line.reap();
      this.#door.reap();
    });
  };
}

type MeetingMirror = readonly [parties: number, nWaiting: number, broken: boolean];

const NOBODY: MeetingMirror = [0, 0, false];

class RemoteMeeting extends RemoteCore implements Meeting {
  get parties(): number {
    return (this.mirror() as MeetingMirror | undefined ?? NOBODY)[0];
  }

  get nWaiting(): number {
    return (this.glance() as MeetingMirror | undefined ?? NOBODY)[1];
  }

  get broken(): boolean {
    return (this.glance() as MeetingMirror | undefined ?? NOBODY)[2];
  }

  async arrive(ms: number, signal?: AbortSignal): Promise<Arrival> {
    signal?.throwIfAborted();
    return await this.ask("arrive", [ms], signal) as Arrival;
  }

  arriveSync(): Arrival {
    throw noSyncHere("waitSync");
  }

  async open(): Promise<boolean> {
    return await this.ask("open", []) as boolean;
  }

  openSync(): boolean {
    throw noSyncHere("waitSync");
  }

  break(): void {
    this.tell("break", []);
  }

  reset(): void {
    this.tell("reset", []);
  }
}

function broken(why: string): BrokenBarrierError {
  return new BrokenBarrierError(
    `Cannot pass the barrier: ${why || "a process gave up, ended, or broke or reset it"}`,
  );
}

/** What a {@link Barrier} is made of besides its parties. */
export interface BarrierOptions {
  /** Called by one of the processes in each round, when all have arrived and before any goes on. */
  action?: (() => unknown) | undefined;
  /** How long each `wait` takes at most that does not say otherwise; in milliseconds. */
  timeout?: number | undefined;
}

/**
 * A barrier: whoever comes waits until all are there, then all go on. It can be passed any number of times.
 *
 * If one of those who wait gives up (timeout, abort) or ends, the barrier breaks: everybody there, and whoever comes
 * later, gets a {@link BrokenBarrierError} until `reset`.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.Barrier | multiprocessing.Barrier}.
 * Here times are milliseconds; an `action` that travels to other processes is named by {@link ref}.
 *
 * @example
 * ```ts
 * import { Barrier } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const barrier = new Barrier(2);
 * assert.deepEqual((await Promise.all([barrier.wait(), barrier.wait()])).sort(), [0, 1]);
 * ```
 */
export class Barrier {
  readonly #meeting: Meeting;
  readonly #action: (() => unknown) | undefined;
  readonly #timeout: number | undefined;

  /**
   * Makes a barrier.
   *
   * @param parties How many have to come.
   * @param options An action, and a timeout for every wait.
   * @throws {ValueError} If `parties` is not a whole number of at least 1, or `timeout` is negative.
   */
  constructor(parties: number, options?: BarrierOptions) {
    const given = arriving<{ meeting: Meeting; action?: () => unknown; timeout?: number }>();
    this.#meeting = given?.meeting ?? SharedMeeting.create(wholeNumber("parties of a barrier", parties, 1));
    this.#action = given === undefined ? options?.action : given.action;
    this.#timeout = given === undefined ? options?.timeout : given.timeout;
    waitMs({ timeout: this.#timeout });
  }

  /**
   * Waits until all parties have come.
   *
   * @param options How long to wait; as long as the barrier's own `timeout` when left out.
   * @returns When one came, from 0 to `parties - 1`; different for each.
   * @throws {BrokenBarrierError} If the barrier is or gets broken, or is reset meanwhile; or after `timeout`
   * milliseconds, which breaks it. An aborted `signal` breaks it too and throws its own reason.
   *
   * @example An action for each round
   * ```ts
   * import { Barrier } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * let rounds = 0;
   * const barrier = new Barrier(2, { action: () => rounds++ });
   * for (let round = 1; round <= 3; round++) {
   *   await Promise.all([barrier.wait(), barrier.wait()]);
   *   assert.equal(rounds, round);
   * }
   * ```
   */
  async wait(options?: WaitOptions): Promise<number> {
    const { index, last } = await this.#meeting.arrive(this.#ms(options), options?.signal);
    if (last) await this.#act();
    return index;
  }

  /**
   * Like {@link Barrier.wait}, blocking the thread.
   *
   * @param options How long to wait; as long as the barrier's own `timeout` when left out.
   * @returns When one came.
   * @throws {RuntimeError} In a `"spawn"` child, which shares no memory with the barrier.
   */
  waitSync(options?: WaitOptions): number {
    const { index, last } = this.#meeting.arriveSync(this.#ms(options));
    if (!last) return index;
    try {
      this.#action?.();
    } catch (error) {
      this.#meeting.break();
      throw error;
    }
    if (!this.#meeting.openSync()) throw broken("");
    return index;
  }

  /**
   * Makes the barrier as new; whoever waits at it gets a {@link BrokenBarrierError}.
   *
   * @example Break it, and make it whole
   * ```ts
   * import { Barrier, BrokenBarrierError } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * const barrier = new Barrier(2);
   * await assert.rejects(barrier.wait({ timeout: 10 }), BrokenBarrierError);
   * assert.equal(barrier.broken, true);
   * barrier.reset();
   * const both = await Promise.all([barrier.wait(), barrier.wait()]);
   * assert.equal(both.length, 2);
   * ```
   */
  reset(): void {
    this.#meeting.reset();
  }

  /** Breaks the barrier. */
  abort(): void {
    this.#meeting.break();
  }

  /** How many have to come. */
  get parties(): number {
    return this.#meeting.parties;
  }

  /** How many have come. In a `"spawn"` child: as of the last answer from its home. */
  get nWaiting(): number {
    return this.#meeting.nWaiting;
  }

  /** Whether the barrier is broken. In a `"spawn"` child: as of the last answer from its home. */
  get broken(): boolean {
    return this.#meeting.broken;
  }

  #ms(options: WaitOptions | undefined): number {
    return waitMs({ ...options, timeout: options?.timeout ?? this.#timeout });
  }

  async #act(): Promise<void> {
    try {
      await this.#action?.();
    } catch (error) {
      this.#meeting.break();
      throw error;
    }
    if (!await this.#meeting.open()) throw broken("");
  }

  static {
    type Payload = [Reference<number>, (() => unknown) | undefined, number | undefined];
    travels<Barrier, Payload>(Barrier, {
      tag: "Barrier",
      pack(barrier, context) {
        const meeting = barrier.#meeting;
        const local = () => context.attach((meeting as SharedMeeting).words.buffer);
        return [packCore(meeting, context, local), barrier.#action, barrier.#timeout];
      },
      unpack([reference, action, timeout], context) {
        const local = (at: number) =>
          new SharedMeeting(new Int32Array(context.attachments[at] as SharedArrayBuffer));
        const meeting = unpackCore<number, Meeting>(reference, context, local, RemoteMeeting);
        const Arriving = Barrier as unknown as new () => Barrier;
        return arrive(Arriving, { meeting, action, timeout });
      },
    });
  }
}
