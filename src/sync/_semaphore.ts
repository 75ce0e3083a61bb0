/**
 * The counter under Semaphore and BoundedSemaphore.
 *
 * Who holds how many permits is noted per agent slot, so that a death can give them back. A semaphore has no owners,
 * though: a process may acquire what another releases for it, as consumer and producer do, and must then give nothing
 * back when it ends. So of a dead holder's permits only as many return as the semaphore would lack of the number it
 * began with.
 *
 * That sum is only right when counter and notes are changed together, so every change is made under the guard. Should
 * a holder of the guard be ended in between, it has noted a permit too many for itself, which the sum does not count.
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

const MOST_PERMITS: number = 2 ** 30;

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
    if (ms === 0) return this.#tryFor(this.#agent.id);
    const node = this.#queueUp(this.#agent.id);
    if (node === 0) return true;
    const forget = this.#agent.onDeath(this.#recover);
    this.#agent.waitSync(node, ms);
    forget();
    return this.#depart(node);
  }

  async acquireFor({ agent }: Holder, ms: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    if (ms === 0) return this.#tryFor(agent);
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
    enter(this.#agent, words, GUARD);
    try {
      const most = this.#most;
      if (words[FREE]! >= most) {
        throw new ValueError(`semaphore or lock released too many times: all its ${most} permits are free`);
      }
      this.#free(1);
      this.#noteGiven(agent);
      this.#handOut();
    } finally {
      leave(words, GUARD);
    }
  }

  locked(): boolean {
    return this.value() === 0;
  }

  value(): number {
    if (this.#anyDead()) this.#recover();
    return Atomics.load(this.words, FREE);
  }

  abandoned(): boolean {
    return Atomics.load(this.words, ABANDONED) !== 0 && Atomics.exchange(this.words, ABANDONED, 0) !== 0;
  }

  mine(): boolean {
    return this.heldBy({ agent: this.#agent.id, task: 0 });
  }

  heldBy({ agent }: Holder): boolean {
    const at = HOLDERS + 2 * slotOf(agent);
    return this.words[at] === agent && this.words[at + 1]! > 0;
  }

  releaseAll(): number {
    return this.releaseAllFor({ agent: this.#agent.id, task: 0 });
  }

  releaseAllFor(holder: Holder): number {
    this.releaseFor(holder);
    return 1;
  }

  restore(_depth: number): void {}

  invoke(method: string, args: readonly unknown[], caller: Caller): unknown {
    return invokePermit(this, method, args, caller);
  }

  mirror(): PermitMirror {
    return [this.value(), this.#most];
  }

  get #most(): number {
    return this.words[BOUNDED] === 1 ? this.words[INITIAL]! : MOST_PERMITS;
  }

  #tryFor(owner: number): boolean {
    const { words } = this;
    enter(this.#agent, words, GUARD);
    const got = this.#takeFor(owner);
    leave(words, GUARD);
    return got;
  }

  /** Takes a permit, or else a place in line; 0 for a permit. */
  #queueUp(owner: number): number {
    const { words } = this;
    enter(this.#agent, words, GUARD);
    try {
      if (this.#takeFor(owner)) return 0;
      const node = this.#agent.node(owner);
      this.#line.join(node);
      return node;
    } finally {
      leave(words, GUARD);
    }
  }

  #depart(node: number): boolean {
    enter(this.#agent, this.words, GUARD);
    const granted = this.#line.depart(node);
    leave(this.words, GUARD);
    this.#agent.freeNode(node);
    return granted;
  }

  readonly #recover = (): void => {
    enter(this.#agent, this.words, GUARD);
    this.#line.reap();
    this.#takeFromDead();
    leave(this.words, GUARD);
  };

  // --- Under the guard ------------------------------------------------------------------------------------------

  /** Takes a permit if one is free and nobody is in line for it. */
  #takeFor(owner: number): boolean {
    this.#moveIn(owner);
    if (!this.#line.idle || this.words[FREE] === 0) {
      this.#takeFromDead();
      if (!this.#line.idle || this.words[FREE] === 0) return false;
    }
    this.#noteTaken(owner);
    this.#free(-1);
    return true;
  }

  #free(permits: number): void {
    this.words[FREE]! += permits;
  }

  /** Free permits go to those in line. */
  #handOut(): void {
    while (this.words[FREE]! > 0) {
      const node = this.#line.grant();
      if (node === 0) return;
      const owner = ownerOf(this.#agent, node);
      // The process it was for is dead; whoever waits on its behalf will see that. The permit stays here.
      if (!this.#agent.directory.alive(owner)) continue;
      this.#noteTaken(owner);
      this.#free(-1);
    }
  }

  /** What dead holders had comes back. */
  #takeFromDead(): void {
    const { words } = this;
    let dead = 0;
    let held = 0;
    for (let at = HOLDERS; at < this.#usedWords; at += 2) {
      const count = words[at + 1]!;
      if (count === 0) continue;
      if (this.#agent.directory.alive(words[at]!)) held += count;
      else {
        dead += count;
        words[at + 1] = 0;
      }
    }
    if (dead === 0) return;
    const missing = words[INITIAL]! - words[FREE]! - held;
    const back = Math.min(dead, Math.max(0, missing));
    if (back === 0) return;
    Atomics.store(words, ABANDONED, 1);
    this.#free(back);
    this.#handOut();
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

  /** Makes the holders' entry of an agent's slot its own. */
  #moveIn(agent: number): void {
    const { words } = this;
    const at = HOLDERS + 2 * slotOf(agent);
    if (words[at] === agent) return;
    this.#takeFromDead(); // the slot's last agent
    Atomics.store(words, at, agent);
  }

  /** Notes that an agent, which has moved in, took a permit. */
  #noteTaken(agent: number): void {
    this.words[HOLDERS + 2 * slotOf(agent) + 1]!++;
  }

  /** Notes that an agent gave a permit back: one of its own, or else one that somebody else had taken. */
  #noteGiven(agent: number): void {
    const own = HOLDERS + 2 * slotOf(agent);
    if (this.words[own] === agent && this.#takeOff(own)) return;
    for (let at = HOLDERS; at < this.#usedWords; at += 2) if (this.#takeOff(at)) return;
  }

  #takeOff(at: number): boolean {
    if (this.words[at + 1] === 0) return false;
    this.words[at + 1]!--;
    return true;
  }
}
