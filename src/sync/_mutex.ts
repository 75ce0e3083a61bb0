/**
 * The mutex under Lock and RLock.
 *
 * The owner word is 0, or the owner's agent id with a flag for "somebody is in line". Without the flag acquire
 * and release are one compare-and-swap. With it every change goes through the guard, and a release hands the mutex
 * straight to the first in line, so nobody overtakes. Since the word names its owner, a dead owner is seen by the
 * next who tries, and by all in line when the death rings their bells.
 */

import { AssertionError } from "../base/errors.ts";
import { currentTask } from "../platform/task.ts";
import { type Agent, thisAgent } from "../transport/agent.ts";
import { NODE_VALUE } from "../transport/directory.ts";
import { enter, leave } from "../transport/guard.ts";
import type { Caller } from "../transport/remote.ts";
import { ownerOf, WAIT_LIST_WORDS, WaitList } from "../transport/wait_list.ts";
import {
  type Holder,
  invokePermit,
  notAcquired,
  type PermitMirror,
  RemotePermit,
  type ServedPermit,
} from "./_permit.ts";

const GUARD = 0;
const OWNER = 1;
const ABANDONED = 2;
/** Which task of the owner, and how often it acquired; for the reentrant kind. Only the owner touches them. */
const TASK = 3;
const DEPTH = 4;
const IDENTITY = 5;
const LINE = 6;
const WORDS = LINE + WAIT_LIST_WORDS;

const IN_LINE = 1 << 30;

/** The mutex in shared memory. */
export class SharedMutex implements ServedPermit {
  readonly words: Int32Array<SharedArrayBuffer>;
  protected readonly agent: Agent;
  readonly #line: WaitList;

  constructor(words: Int32Array<SharedArrayBuffer> = new Int32Array(new SharedArrayBuffer(WORDS * 4))) {
    this.words = words;
    this.agent = thisAgent();
    if (words[IDENTITY] === 0) words[IDENTITY] = this.agent.directory.ticket();
    this.#line = new WaitList(this.agent, words, LINE);
  }

  get identity(): number {
    return this.words[IDENTITY]!;
  }

  /** Who we are to a mutex that tells tasks apart; this one does not. */
  protected get me(): Holder {
    return { agent: this.agent.id, task: 0 };
  }

  tryAcquire(): boolean {
    return this.tryFor(this.agent.id, 0);
  }

  acquire(ms: number, signal?: AbortSignal): Promise<boolean> {
    return this.acquireFor(this.me, ms, signal);
  }

  acquireSync(ms: number): boolean {
    const { agent, task } = this.me;
    if (this.tryFor(agent, task)) return true;
    if (ms === 0) return false;
    const node = this.#queueUp(agent, task);
    if (node === 0) return true;
    const forget = this.agent.onDeath(this.#recover);
    this.agent.waitSync(node, ms);
    forget();
    return this.#depart(node);
  }

  async acquireFor({ agent, task }: Holder, ms: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    if (this.tryFor(agent, task)) return true;
    if (ms === 0) return false;
    const node = this.#queueUp(agent, task);
    if (node === 0) return true;
    const forget = this.agent.onDeath(this.#recover);
    const outcome = await this.agent.wait(node, ms, signal);
    forget();
    const got = this.#depart(node);
    if (!got && outcome === "aborted") throw signal!.reason;
    return got;
  }

  release(): void {
    this.releaseFor(this.me);
  }

  releaseFor(_holder: Holder): void {
    const { words } = this;
    const held = Atomics.load(words, OWNER);
    if (held === 0) throw notAcquired();
    if (held < IN_LINE && Atomics.compareExchange(words, OWNER, held, 0) === held) return;
    enter(this.agent, words, GUARD);
    try {
      this.#handOver();
    } finally {
      leave(words, GUARD);
    }
  }

  locked(): boolean {
    const owner = this.owner;
    return owner !== 0 && this.agent.directory.alive(owner);
  }

  value(): number {
    return this.locked() ? 0 : 1;
  }

  abandoned(): boolean {
    return Atomics.load(this.words, ABANDONED) !== 0 && Atomics.exchange(this.words, ABANDONED, 0) !== 0;
  }

  mine(): boolean {
    return this.heldBy(this.me);
  }

  heldBy({ agent }: Holder): boolean {
    return this.owner === agent;
  }

  releaseAll(): number {
    return this.releaseAllFor(this.me);
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
    return [this.value(), 1];
  }

  /** The agent that holds it; 0 for none. */
  protected get owner(): number {
    return Atomics.load(this.words, OWNER) & ~IN_LINE;
  }

  /** Takes it for `owner` if it is free, or its holder died. */
  protected tryFor(owner: number, _task: number): boolean {
    const held = Atomics.compareExchange(this.words, OWNER, 0, owner);
    if (held === 0) return true;
    if (this.agent.directory.alive(held & ~IN_LINE)) return false;
    this.#recover();
    return Atomics.compareExchange(this.words, OWNER, 0, owner) === 0;
  }

  /** Called when `owner` has just got it, by whoever gave it. */
  protected granted(_task: number): void {}

  /** Takes the mutex or a place in line; returns the node, 0 for the mutex. */
  #queueUp(owner: number, task: number): number {
    const { words } = this;
    enter(this.agent, words, GUARD);
    try {
      for (;;) {
        const held = Atomics.compareExchange(words, OWNER, 0, owner);
        if (held === 0) {
          this.granted(task);
          return 0;
        }
        if (!this.agent.directory.alive(held & ~IN_LINE)) {
          this.#inherit();
          continue;
        }
        // A release by compare-and-swap may come between the two: then the swap fails and we look again.
        if (Atomics.compareExchange(words, OWNER, held, held | IN_LINE) !== held) continue;
        const node = this.agent.node(owner);
        this.agent.directory.words[node + NODE_VALUE] = task;
        this.#line.join(node);
        return node;
      }
    } finally {
      leave(words, GUARD);
    }
  }

  #depart(node: number): boolean {
    enter(this.agent, this.words, GUARD);
    const granted = this.#line.depart(node);
    leave(this.words, GUARD);
    this.agent.freeNode(node);
    return granted;
  }

  /** Gives a dead owner's mutex to the next. */
  readonly #recover = (): void => {
    enter(this.agent, this.words, GUARD);
    try {
      this.#line.reap();
      const held = Atomics.load(this.words, OWNER);
      if (held !== 0 && !this.agent.directory.alive(held & ~IN_LINE)) this.#inherit();
    } finally {
      leave(this.words, GUARD);
    }
  };

  /** Under the guard: the owner is dead. */
  #inherit(): void {
    Atomics.store(this.words, ABANDONED, 1);
    this.#handOver();
  }

  /** Under the guard: the first in line whose owner lives gets the mutex. */
  #handOver(): void {
    for (;;) {
      const node = this.#line.grant();
      if (node === 0) {
        Atomics.store(this.words, OWNER, 0);
        return;
      }
      const owner = ownerOf(this.agent, node);
      if (!this.agent.directory.alive(owner)) continue;
      this.granted(this.agent.directory.words[node + NODE_VALUE]!);
      Atomics.store(this.words, OWNER, this.#line.idle ? owner : owner | IN_LINE);
      return;
    }
  }
}

/** The mutex that its owner may acquire again. */
export class SharedReentrantMutex extends SharedMutex {
  protected override get me(): Holder {
    return { agent: this.agent.id, task: currentTask() };
  }

  override tryAcquire(): boolean {
    return this.tryFor(this.agent.id, currentTask());
  }

  override heldBy({ agent, task }: Holder): boolean {
    return this.owner === agent && this.words[TASK] === task;
  }

  override releaseFor(holder: Holder): void {
    if (!this.heldBy(holder)) throw notOwned();
    if (--this.words[DEPTH]! === 0) super.releaseFor(holder);
  }

  override releaseAllFor(holder: Holder): number {
    const depth = this.words[DEPTH]!;
    if (this.heldBy(holder)) this.words[DEPTH] = 1;
    this.releaseFor(holder);
    return depth;
  }

  override restore(depth: number): void {
    this.words[DEPTH] = depth;
  }

  protected override tryFor(owner: number, task: number): boolean {
    if (this.heldBy({ agent: owner, task })) {
      this.words[DEPTH]!++;
      return true;
    }
    if (!super.tryFor(owner, task)) return false;
    this.granted(task);
    return true;
  }

  protected override granted(task: number): void {
    this.words[TASK] = task;
    this.words[DEPTH] = 1;
  }
}

/** A reentrant mutex of another operating-system process. */
export class RemoteReentrantMutex extends RemotePermit {
  protected override refuseRelease(): void {
    throw notOwned();
  }
}

function notOwned(): AssertionError {
  return new AssertionError(
    "attempt to release recursive lock not owned by thread: another process or thread holds it, or nobody",
  );
}
