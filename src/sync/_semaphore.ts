/**
 * The counter under Semaphore and BoundedSemaphore.
 *
 * The value word is the number of free permits, with a flag for "somebody is in line". As with the mutex, without
 * the flag a change is one compare-and-swap, and with it a release hands its permit to the first in line.
 *
 * Who holds how many permits is noted per agent slot, so that a death can give them back. A semaphore has no owners,
 * though: a process may acquire what another releases for it, as consumer and producer do, and must then give nothing
 * back when it ends. So of a dead holder's permits only as many return as the semaphore would lack of the number it
 * began with.
 */

import { ValueError } from "../base/errors.ts";
import { wholeNumber } from "../base/options.ts";
import { type Agent, thisAgent } from "../transport/agent.ts";
import { SLOT_LIMIT, slotOf } from "../transport/directory.ts";
import { enter, leave } from "../transport/guard.ts";
import type { Caller } from "../transport/remote.ts";
import { ownerOf, WAIT_LIST_WORDS, WaitList } from "../transport/wait_list.ts";
import { type Holder, invokePermit, type PermitMirror, type ServedPermit } from "./_permit.ts";

const GUARD = 0;
const FREE = 1;
const INITIAL = 2;
const ABANDONED = 3;
const BOUNDED = 4;
const IDENTITY = 5;
const LINE = 6;
/** Per slot: who, and how many. */
const HOLDERS = LINE + WAIT_LIST_WORDS;
const WORDS = HOLDERS + 2 * SLOT_LIMIT;

const IN_LINE = 1 << 30;
const MOST_PERMITS: number = IN_LINE - 1;

/** The counter in shared memory. */
export class SharedSemaphore implements ServedPermit {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly #agent: Agent;
  readonly #line: WaitList;

  constructor(words: Int32Array<SharedArrayBuffer>) {
    this.words = words;
    this.#agent = thisAgent();
    this.#line = new WaitList(this.#agent, words, LINE);
  }

  /** A new one with `value` permits. */
  static create(value: number, bounded: boolean): SharedSemaphore {
    wholeNumber("value of a semaphore", value, 0);
    if (value > MOST_PERMITS) {
      throw new ValueError(`Cannot use ${value} as value of a semaphore: it counts to ${MOST_PERMITS}`);
    }
    const words = new Int32Array(new SharedArrayBuffer(WORDS * 4));
    words[FREE] = value;
    words[INITIAL] = value;
    words[BOUNDED] = bounded ? 1 : 0;
    words[IDENTITY] = thisAgent().directory.ticket();
    return new SharedSemaphore(words);
  }

  get identity(): number {
    return this.words[IDENTITY]!;
  }

  tryAcquire(): boolean {
    return this.#tryFor(this.#agent.id);
  }

  acquire(ms: number, signal?: AbortSignal): Promise<boolean> {
    return this.acquireFor({ agent: this.#agent.id, task: 0 }, ms, signal);
  }

  acquireSync(ms: number): boolean {
    if (this.#tryFor(this.#agent.id)) return true;
    if (ms === 0 && !this.#anyDead()) return false;
    const node = this.#queueUp(this.#agent.id);
    if (node === 0) return true;
    const forget = this.#agent.onDeath(this.#recover);
    this.#agent.waitSync(node, ms);
    forget();
    return this.#depart(node);
  }

  async acquireFor({ agent }: Holder, ms: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    if (this.#tryFor(agent)) return true;
    if (ms === 0 && !this.#anyDead()) return false;
    const node = this.#queueUp(agent);
    if (node === 0) return true;
    const forget = this.#agent.onDeath(this.#recover);
    const outcome = await this.#agent.wait(node, ms, signal);
    forget();
    const got = this.#depart(node);
    if (!got && outcome === "aborted") throw signal!.reason;
    return got;
  }

  release(): void {
    this.releaseFor({ agent: this.#agent.id, task: 0 });
  }

  releaseFor({ agent }: Holder): void {
    const { words } = this;
    for (;;) {
      const free = Atomics.load(words, FREE);
      this.#refuseTooMany(free & ~IN_LINE);
      if (free >= IN_LINE) break;
      if (Atomics.compareExchange(words, FREE, free, free + 1) !== free) continue;
      this.#noteGiven(agent);
      return;
    }
    enter(this.#agent, words, GUARD);
    try {
      this.#refuseTooMany(words[FREE]! & ~IN_LINE);
      this.#takeFromDead();
      this.#noteGiven(agent);
      this.#give(1);
    } finally {
      leave(words, GUARD);
    }
  }

  locked(): boolean {
    return this.value() === 0;
  }

  value(): number {
    if (this.#anyDead()) this.#recover();
    return this.#free;
  }

  abandoned(): boolean {
    return Atomics.load(this.words, ABANDONED) !== 0 && Atomics.exchange(this.words, ABANDONED, 0) !== 0;
  }

  mine(): boolean {
    const at = HOLDERS + 2 * slotOf(this.#agent.id);
    return this.words[at] === this.#agent.id && this.words[at + 1]! > 0;
  }

  releaseAll(): number {
    this.release();
    return 1;
  }

  restore(_depth: number): void {}

  invoke(method: string, args: readonly unknown[], caller: Caller): unknown {
    return invokePermit(this, method, args, caller);
  }

  mirror(): PermitMirror {
    return [this.value(), this.#most];
  }

  #refuseTooMany(free: number): void {
    const most = this.#most;
    if (free >= most) {
      throw new ValueError(`semaphore or lock released too many times: all its ${most} permits are free`);
    }
  }

  get #free(): number {
    return Atomics.load(this.words, FREE) & ~IN_LINE;
  }

  get #most(): number {
    return this.words[BOUNDED] === 1 ? this.words[INITIAL]! : MOST_PERMITS;
  }

  #tryFor(owner: number): boolean {
    this.#moveIn(owner);
    for (;;) {
      const free = Atomics.load(this.words, FREE);
      if (free === 0 || free >= IN_LINE) return false;
      if (Atomics.compareExchange(this.words, FREE, free, free - 1) !== free) continue;
      this.#noteTaken(owner);
      return true;
    }
  }

  #queueUp(owner: number): number {
    const { words } = this;
    enter(this.#agent, words, GUARD);
    try {
      this.#takeFromDead();
      for (;;) {
        const free = Atomics.load(words, FREE);
        const count = free & ~IN_LINE;
        if (count > 0 && this.#line.idle) {
          if (Atomics.compareExchange(words, FREE, free, count - 1) !== free) continue;
          this.#noteTaken(owner);
          return 0;
        }
        if (Atomics.compareExchange(words, FREE, free, free | IN_LINE) !== free) continue;
        const node = this.#agent.node(owner);
        this.#line.join(node);
        return node;
      }
    } finally {
      leave(words, GUARD);
    }
  }

  #depart(node: number): boolean {
    enter(this.#agent, this.words, GUARD);
    const granted = this.#line.depart(node);
    if (this.#line.idle) Atomics.and(this.words, FREE, ~IN_LINE);
    leave(this.words, GUARD);
    this.#agent.freeNode(node);
    return granted;
  }

  /** Under the guard: permits become free, or go to those in line. */
  #give(permits: number): void {
    for (; permits > 0; permits--) {
      const node = this.#line.grant();
      if (node === 0) break;
      const owner = ownerOf(this.#agent, node);
      // The process it was for is dead; whoever waits on its behalf will see that. The permit stays here.
      if (this.#agent.directory.alive(owner)) this.#noteTaken(owner);
      else permits++;
    }
    if (this.#line.idle) Atomics.and(this.words, FREE, ~IN_LINE);
    Atomics.add(this.words, FREE, permits);
  }

  readonly #recover = (): void => {
    enter(this.#agent, this.words, GUARD);
    try {
      this.#line.reap();
      this.#takeFromDead();
    } finally {
      leave(this.words, GUARD);
    }
  };

  /** Under the guard: what dead holders had comes back. */
  #takeFromDead(): void {
    const { words } = this;
    let dead = 0;
    let held = 0;
    for (let at = HOLDERS; at < this.#usedWords; at += 2) {
      const holder = words[at]!;
      if (words[at + 1]! <= 0) continue;
      if (this.#agent.directory.alive(holder)) held += words[at + 1]!;
      else {
        dead += words[at + 1]!;
        words[at + 1] = 0;
      }
    }
    const missing = words[INITIAL]! - this.#free - held;
    const back = Math.min(dead, Math.max(0, missing));
    if (back === 0) return;
    Atomics.store(words, ABANDONED, 1);
    this.#give(back);
  }

  #anyDead(): boolean {
    for (let at = HOLDERS; at < this.#usedWords; at += 2) {
      if (this.words[at + 1]! > 0 && !this.#agent.directory.alive(this.words[at]!)) return true;
    }
    return false;
  }

  get #usedWords(): number {
    return HOLDERS + 2 * this.#agent.directory.highWater;
  }

  /**
   * Makes the holders' entry of an agent's slot its own. Before it takes a permit: to recover what the slot's last
   * agent left may be the end of this thread, which must not have an unnoted permit then.
   */
  #moveIn(agent: number): void {
    const { words } = this;
    const at = HOLDERS + 2 * slotOf(agent);
    if (words[at] === agent) return;
    // The slot's last agent is dead. Only its own slot's new agent comes here, so nobody else writes these two.
    if (words[at + 1]! > 0) this.#recover();
    words[at + 1] = 0;
    Atomics.store(words, at, agent);
  }

  /** Notes that an agent, which has moved in, took a permit. */
  #noteTaken(agent: number): void {
    Atomics.add(this.words, HOLDERS + 2 * slotOf(agent) + 1, 1);
  }

  /** Notes that an agent gave a permit back: one of its own, or else one that somebody else had taken. */
  #noteGiven(agent: number): void {
    const own = HOLDERS + 2 * slotOf(agent);
    if (this.words[own] === agent && this.#takeOff(own)) return;
    for (let at = HOLDERS; at < this.#usedWords; at += 2) if (this.#takeOff(at)) return;
  }

  #takeOff(at: number): boolean {
    for (;;) {
      const held = Atomics.load(this.words, at + 1);
      if (held <= 0) return false;
      if (Atomics.compareExchange(this.words, at + 1, held, held - 1) === held) return true;
    }
  }
}
