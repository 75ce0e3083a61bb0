/** Event: a flag that processes can wait for. */

import { waitMs, type WaitOptions } from "../base/options.ts";
import { type Agent, thisAgent } from "../transport/agent.ts";
import { arrive, arriving } from "../transport/arriving.ts";
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

interface Flag extends Exportable {
  isSet(): boolean;
  set(): void;
  clear(): void;
  wait(ms: number, signal?: AbortSignal): Promise<boolean>;
  waitSync(ms: number): boolean;
}

const GUARD = 0;
const SET = 1;
const LINE = 2;
const WORDS = LINE + WAIT_LIST_WORDS;

class SharedFlag implements Flag {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly #agent: Agent = thisAgent();
  readonly #line: WaitList;

  constructor(words: Int32Array<SharedArrayBuffer> = new Int32Array(new SharedArrayBuffer(WORDS * 4))) {
    this.words = words;
    this.#line = new WaitList(this.#agent, words, LINE);
  }

  isSet(): boolean {
    return Atomics.load(this.words, SET) === 1;
  }

  set(): void {
    enter(this.#agent, this.words, GUARD);
    Atomics.store(this.words, SET, 1);
    // Whoever is in line now goes on, even if the flag is cleared before they wake.
    this.#line.grantAll();
    leave(this.words, GUARD);
  }

  clear(): void {
    Atomics.store(this.words, SET, 0);
  }

  async wait(ms: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    if (ms === 0) return this.isSet();
    const node = this.#queueUp();
    if (node === 0) return true;
    const outcome = await this.#agent.wait(node, ms, signal);
    const granted = this.#depart(node);
    if (!granted && outcome === "aborted") throw signal!.reason;
    return granted;
  }

  waitSync(ms: number): boolean {
    if (ms === 0) return this.isSet();
    const node = this.#queueUp();
    if (node === 0) return true;
    this.#agent.waitSync(node, ms);
    return this.#depart(node);
  }

  invoke(method: string, args: readonly unknown[], caller: Caller): unknown {
    if (method === "wait") return this.wait(args[0] as number, caller.signal);
    return method === "set" ? this.set() : this.clear();
  }

  mirror(): boolean {
    return this.isSet();
  }

  /** A place in line; 0 if the flag is set. */
  #queueUp(): number {
    if (this.isSet()) return 0;
    enter(this.#agent, this.words, GUARD);
    try {
      if (this.isSet()) return 0;
      const node = this.#agent.node(this.#agent.id);
      this.#line.join(node);
      return node;
    } finally {
      leave(this.words, GUARD);
    }
  }

  #depart(node: number): boolean {
    enter(this.#agent, this.words, GUARD);
    const granted = this.#line.depart(node);
    leave(this.words, GUARD);
    this.#agent.freeNode(node);
    return granted;
  }
}

class RemoteFlag extends RemoteCore implements Flag {
  isSet(): boolean {
    return this.glance() === true;
  }

  set(): void {
    this.tell("set", []);
  }

  clear(): void {
    this.tell("clear", []);
  }

  async wait(ms: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    return await this.ask("wait", [ms], signal) as boolean;
  }

  waitSync(): boolean {
    throw noSyncHere("waitSync");
  }
}

let flagOf: (event: Event) => Flag;

/**
 * A flag that processes set, clear and wait for.
 *
 * `set` lets everybody go on who waits at that moment, even if `clear` follows before they wake.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.Event | multiprocessing.Event}.
 * Here times are milliseconds.
 *
 * @example
 * ```ts
 * import { Event } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const green = new Event();
 * assert.equal(await green.wait({ timeout: 10 }), false);
 * green.set();
 * assert.equal(await green.wait(), true);
 * ```
 */
export class Event {
  readonly #flag: Flag;

  /** Makes an event that is not set. */
  constructor() {
    this.#flag = arriving<Flag>() ?? new SharedFlag();
  }

  /** Sets the flag and lets everybody go on who waits for it. */
  set(): void {
    this.#flag.set();
  }

  /** Clears the flag. */
  clear(): void {
    this.#flag.clear();
  }

  /** Whether the flag is set. In a `"spawn"` child: as of the last answer from its home. */
  isSet(): boolean {
    return this.#flag.isSet();
  }

  /**
   * Waits until the flag is set.
   *
   * @param options How long to wait; for ever when left out.
   * @returns Whether it was set; `false` after `timeout` milliseconds without.
   * @throws {ValueError} If `timeout` is negative. An aborted `signal` throws its own reason.
   *
   * @example Whoever waits goes on, whatever follows
   * ```ts
   * import { Event } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * const green = new Event();
   * const cars = Promise.all([green.wait(), green.wait()]);
   * green.set();
   * green.clear();
   * assert.deepEqual(await cars, [true, true]);
   * ```
   */
  async wait(options?: WaitOptions): Promise<boolean> {
    return await this.#flag.wait(waitMs(options), options?.signal);
  }

  /**
   * Like {@link Event.wait}, blocking the thread.
   *
   * @param options How long to wait; for ever when left out.
   * @returns Whether it was set.
   * @throws {RuntimeError} In a `"spawn"` child, which shares no memory with the event.
   */
  waitSync(options?: WaitOptions): boolean {
    return this.#flag.waitSync(waitMs(options));
  }

  static {
    flagOf = (event) => event.#flag;
  }
}

travels<Event, Reference<number>>(Event, {
  tag: "Event",
  pack(event, context) {
    const flag = flagOf(event);
    return packCore(flag, context, () => context.attach((flag as SharedFlag).words.buffer));
  },
  unpack(reference, context) {
    const local = (at: number) =>
      new SharedFlag(new Int32Array(context.attachments[at] as SharedArrayBuffer));
    return arrive(Event, unpackCore<number, Flag>(reference, context, local, RemoteFlag));
  },
});
