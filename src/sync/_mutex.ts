/**
 * What a {@link Lock} stands on: a mutex in shared memory, or a request to where it lives.
 *
 * The owner word is 0, or the owner's agent id with a flag for "somebody is in line". Without the flag acquire
 * and release are one compare-and-swap. With it every change goes through the guard, and a release hands the mutex
 * straight to the first in line, so nobody overtakes. Since the word names its owner, a dead owner is seen by the
 * next who tries, and by all in line when the death rings their bells.
 */

import { ValueError } from "../base/errors.ts";
import { type Agent, thisAgent } from "../transport/agent.ts";
import { enter, leave } from "../transport/guard.ts";
import { type Caller, type Exportable, RemoteCore } from "../transport/remote.ts";
import { noSyncHere } from "../transport/lane.ts";
import { ownerOf, WAIT_LIST_WORDS, WaitList } from "../transport/wait_list.ts";

/** What a lock asks of its mutex. */
export interface Mutex extends Exportable {
  /** Takes it if it is free. */
  tryAcquire(): boolean;
  /** Waits for it; `false` if `ms` passed first. */
  acquire(ms: number, signal?: AbortSignal): Promise<boolean>;
  /** As {@link acquire}, blocking. */
  acquireSync(ms: number): boolean;
  /** Gives it up. */
  release(): void;
  /** Whether somebody has it. */
  locked(): boolean;
  /** Whether it came from an owner that died holding it; `true` once. */
  abandoned(): boolean;
}

const GUARD = 0;
const OWNER = 1;
const ABANDONED = 2;
const LINE = 3;
const WORDS = LINE + WAIT_LIST_WORDS;

const IN_LINE = 1 << 30;

/** The mutex in shared memory. */
export class SharedMutex implements Mutex {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly #agent: Agent;
  readonly #me: number;
  readonly #line: WaitList;

  constructor(words: Int32Array<SharedArrayBuffer> = new Int32Array(new SharedArrayBuffer(WORDS * 4))) {
    this.words = words;
    this.#agent = thisAgent();
    this.#me = this.#agent.id;
    this.#line = new WaitList(this.#agent, words, LINE);
  }

  tryAcquire(): boolean {
    return this.#tryFor(this.#me);
  }

  acquire(ms: number, signal?: AbortSignal): Promise<boolean> {
    return this.#acquireFor(this.#me, ms, signal);
  }

  acquireSync(ms: number): boolean {
    if (this.#tryFor(this.#me)) return true;
    if (ms === 0) return false;
    const node = this.#queueUp(this.#me);
    if (node === 0) return true;
    const forget = this.#agent.onDeath(this.#recover);
    this.#agent.waitSync(node, ms);
    forget();
    return this.#depart(node);
  }

  release(): void {
    const { words } = this;
    const held = Atomics.load(words, OWNER);
    if (held === 0) {
      throw new ValueError(
        "Cannot release the lock: it is not acquired; semaphore or lock released too many times",
      );
    }
    if (held < IN_LINE && Atomics.compareExchange(words, OWNER, held, 0) === held) return;
    enter(this.#agent, words, GUARD);
    try {
      this.#handOver();
    } finally {
      leave(words, GUARD);
    }
  }

  locked(): boolean {
    const owner = Atomics.load(this.words, OWNER);
    return owner !== 0 && this.#agent.directory.alive(owner & ~IN_LINE);
  }

  abandoned(): boolean {
    return Atomics.load(this.words, ABANDONED) !== 0 && Atomics.exchange(this.words, ABANDONED, 0) !== 0;
  }

  invoke(method: string, args: readonly unknown[], caller: Caller): unknown {
    switch (method) {
      case "acquire":
        return this.#acquireFor(caller.agent, args[0] as number, caller.signal).then((
          got,
        ) => [got, got && this.abandoned()]);
      case "release":
        return this.release();
      default:
        throw new ValueError(`Cannot call ${method}() of a lock`);
    }
  }

  mirror(): unknown {
    return this.locked();
  }

  async #acquireFor(owner: number, ms: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    if (this.#tryFor(owner)) return true;
    if (ms === 0) return false;
    const node = this.#queueUp(owner);
    if (node === 0) return true;
    const forget = this.#agent.onDeath(this.#recover);
    const outcome = await this.#agent.wait(node, ms, signal);
    forget();
    const got = this.#depart(node);
    if (!got && outcome === "aborted") throw signal!.reason;
    return got;
  }

  #tryFor(owner: number): boolean {
    const held = Atomics.compareExchange(this.words, OWNER, 0, owner);
    if (held === 0) return true;
    if (this.#agent.directory.alive(held & ~IN_LINE)) return false;
    this.#recover();
    return Atomics.compareExchange(this.words, OWNER, 0, owner) === 0;
  }

  /** Takes the mutex or a place in line; returns the node, 0 for the mutex. */
  #queueUp(owner: number): number {
    const { words } = this;
    enter(this.#agent, words, GUARD);
    try {
      for (;;) {
        const held = Atomics.compareExchange(words, OWNER, 0, owner);
        if (held === 0) return 0;
        if (!this.#agent.directory.alive(held & ~IN_LINE)) {
          this.#inherit();
          continue;
        }
        // A release by compare-and-swap may come between the two: then the swap fails and we look again.
        if (Atomics.compareExchange(words, OWNER, held, held | IN_LINE) !== held) continue;
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
    leave(this.words, GUARD);
    this.#agent.freeNode(node);
    return granted;
  }

  /** Gives a dead owner's mutex to the next. */
  readonly #recover = (): void => {
    enter(this.#agent, this.words, GUARD);
    try {
      this.#line.reap();
      const held = Atomics.load(this.words, OWNER);
      if (held !== 0 && !this.#agent.directory.alive(held & ~IN_LINE)) this.#inherit();
    } finally {
      leave(this.words, GUARD);
    }
  };

  /** Under the guard: the owner is dead. */
  #inherit(): void {
    Atomics.store(this.words, ABANDONED, 1);
    // From a dead owner without the flag somebody may swap too, but only to this same end: 0 or a live owner.
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
      const owner = ownerOf(this.#agent, node);
      if (!this.#agent.directory.alive(owner)) continue;
      Atomics.store(this.words, OWNER, this.#line.idle ? owner : owner | IN_LINE);
      return;
    }
  }
}

/** The mutex of a lock that lives in another operating-system process. */
export class RemoteMutex extends RemoteCore implements Mutex {
  #abandoned = false;
  // What this process holds, so that a release too many fails here as it does at home.
  #held = 0;

  tryAcquire(): boolean {
    return false; // never without asking
  }

  async acquire(ms: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    const [got, abandoned] = await this.ask("acquire", [ms], signal) as [boolean, boolean];
    if (got) this.#held++;
    this.#abandoned ||= abandoned;
    return got;
  }

  acquireSync(): boolean {
    throw noSyncHere("acquireSync");
  }

  release(): void {
    if (this.#held > 0) this.#held--;
    else if (!this.locked()) {
      throw new ValueError(
        "Cannot release the lock: it is not acquired; semaphore or lock released too many times",
      );
    }
    this.tell("release", []);
  }

  locked(): boolean {
    return this.#held > 0 || this.glance() === true;
  }

  abandoned(): boolean {
    const was = this.#abandoned;
    this.#abandoned = false;
    return was;
  }
}
