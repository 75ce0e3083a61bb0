/** Condition: waiting, under a lock, for what another process announces. */

import { AssertionError } from "../base/errors.ts";
import { waitMs, type WaitOptions, wholeNumber } from "../base/options.ts";
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
import { ownerOf, WAIT_LIST_WORDS, WaitList } from "../transport/wait_list.ts";
import { type Lock, permitOf } from "./lock.ts";
import { RLock } from "./rlock.ts";

/** Those who wait for the announcement. */
interface Line extends Exportable {
  /** Is in line when it returns; the promise says whether it was notified. */
  wait(ms: number, signal?: AbortSignal): Promise<boolean>;
  /** As {@link wait}; calls `left` once it is in line. */
  waitSync(ms: number, left: () => void): boolean;
  notify(count: number): void;
}

const GUARD = 0;
const LINE = 1;
const WORDS = LINE + WAIT_LIST_WORDS;

class SharedLine implements Line {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly #agent: Agent = thisAgent();
  readonly #line: WaitList;

  constructor(words: Int32Array<SharedArrayBuffer> = new Int32Array(new SharedArrayBuffer(WORDS * 4))) {
    this.words = words;
    this.#line = new WaitList(this.#agent, words, LINE);
  }

  wait(ms: number, signal?: AbortSignal): Promise<boolean> {
    return this.#waitFor(this.#agent.id, ms, signal);
  }

  async #waitFor(owner: number, ms: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    const node = this.#queueUp(owner);
    const forget = this.#agent.onDeath(this.#revise);
    const outcome = await this.#agent.wait(node, ms, signal);
    forget();
    const notified = this.#depart(node);
    if (!notified && outcome === "aborted") throw signal!.reason;
    return notified;
  }

  waitSync(ms: number, left: () => void): boolean {
    const node = this.#queueUp(this.#agent.id);
    left();
    const forget = this.#agent.onDeath(this.#revise);
    this.#agent.waitSync(node, ms);
    forget();
    return this.#depart(node);
  }

  notify(count: number): void {
    enter(this.#agent, this.words, GUARD);
    this.#wake(count);
    leave(this.words, GUARD);
  }

  invoke(method: string, args: readonly unknown[], caller: Caller): unknown {
    if (method === "wait") return this.#waitFor(caller.agent, args[0] as number, caller.signal);
    return this.notify(args[0] as number);
  }

  undo(method: string, answer: unknown): void {
    if (method === "wait" && answer === true) this.notify(1);
  }

  /** A notification that a process took into its grave goes to the next. */
  readonly #revise = (): void => {
    enter(this.#agent, this.words, GUARD);
    this.#wake(this.#line.reap());
    leave(this.words, GUARD);
  };

  /** Under the guard: wakes so many of those whose process lives. */
  #wake(count: number): void {
    while (count > 0) {
      const node = this.#line.grant();
      if (node === 0) return;
      if (this.#agent.directory.alive(ownerOf(this.#agent, node))) count--;
    }
  }

  #queueUp(owner: number): number {
    const node = this.#agent.node(owner);
    enter(this.#agent, this.words, GUARD);
    this.#wake(this.#line.reap()); // what a dead one had is for those who are in line already
    this.#line.join(node);
    leave(this.words, GUARD);
    return node;
  }

  #depart(node: number): boolean {
    enter(this.#agent, this.words, GUARD);
    const granted = this.#line.depart(node);
    leave(this.words, GUARD);
    this.#agent.freeNode(node);
    return granted;
  }
}

/** What a condition stands on; for the other files of this room. */
export let partsOf: (condition: Condition) => { readonly lock: Lock; readonly line: Exportable };

class RemoteLine extends RemoteCore implements Line {
  wait(ms: number, signal?: AbortSignal): Promise<boolean> {
    return this.ask("wait", [ms], signal) as Promise<boolean>;
  }

  waitSync(): boolean {
    throw noSyncHere("waitSync");
  }

  notify(count: number): void {
    this.tell("notify", [count]);
  }
}

/**
 * A condition: a lock, and a line of those who gave it up until somebody announces a change.
 *
 * - `notify(n)` wakes exactly `n` of those who wait, first come first served, or all if they are fewer; those who
 *   give up or die do not count.
 * - Whoever is woken has the lock again when `wait` returns.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.Condition | multiprocessing.Condition}.
 * Here times are milliseconds.
 *
 * @example
 * ```ts
 * import { Condition } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const condition = new Condition();
 * using _ = await condition.guard();
 * assert.equal(await condition.wait({ timeout: 10 }), false);
 * condition.notifyAll();
 * ```
 */
export class Condition {
  /** The lock that is held around everything done with the condition. */
  readonly #lock: Lock;
  readonly #line: Line;

  /**
   * Makes a condition.
   *
   * @param lock The lock to use, for several conditions under one lock; an {@link RLock} of its own when left out.
   */
  constructor(lock?: Lock) {
    const given = arriving<{ lock: Lock; line: Line }>();
    this.#lock = given?.lock ?? lock ?? new RLock();
    this.#line = given?.line ?? new SharedLine();
  }

  /**
   * Acquires the lock; see {@link Lock.acquire}.
   *
   * @param options How long to wait; for ever when left out.
   * @returns Whether this process holds the lock now.
   */
  acquire(options?: WaitOptions): Promise<boolean> {
    return this.#lock.acquire(options);
  }

  /**
   * Like {@link Condition.acquire}, blocking the thread.
   *
   * @param options How long to wait; for ever when left out.
   * @returns Whether this process holds the lock now.
   */
  acquireSync(options?: WaitOptions): boolean {
    return this.#lock.acquireSync(options);
  }

  /** Releases the lock; see {@link Lock.release}. */
  release(): void {
    this.#lock.release();
  }

  /**
   * Acquires the lock for a block; see {@link Lock.guard}.
   *
   * @param options How long to wait; for ever when left out.
   * @returns What releases the lock when disposed of.
   */
  guard(options?: WaitOptions): Promise<Disposable> {
    return this.#lock.guard(options);
  }

  /**
   * Like {@link Condition.guard}, blocking the thread.
   *
   * @param options How long to wait; for ever when left out.
   * @returns What releases the lock when disposed of.
   */
  guardSync(options?: WaitOptions): Disposable {
    return this.#lock.guardSync(options);
  }

  /**
   * Gives the lock up, waits to be notified, and acquires the lock again; that last step is not bound by `timeout`.
   *
   * @param options How long to wait; for ever when left out.
   * @returns Whether it was notified; `false` after `timeout` milliseconds without.
   * @throws {AssertionError} If this process does not hold the lock. An aborted `signal` throws its own reason, once
   * the lock is held again.
   */
  async wait(options?: WaitOptions): Promise<boolean> {
    const ms = waitMs(options);
    options?.signal?.throwIfAborted();
    const permit = this.#held("wait()");
    const notified = this.#line.wait(ms, options?.signal);
    const depth = permit.releaseAll();
    try {
      return await notified;
    } finally {
      await permit.acquire(Infinity);
      permit.restore(depth);
    }
  }

  /**
   * Like {@link Condition.wait}, blocking the thread.
   *
   * @param options How long to wait; for ever when left out.
   * @returns Whether it was notified.
   * @throws {RuntimeError} In a `"spawn"` child, which shares no memory with the condition.
   */
  waitSync(options?: WaitOptions): boolean {
    const ms = waitMs(options);
    const permit = this.#held("wait()");
    let depth = 0;
    const notified = this.#line.waitSync(ms, () => depth = permit.releaseAll());
    permit.acquireSync(Infinity);
    permit.restore(depth);
    return notified;
  }

  /**
   * Waits until `predicate` gives something true, asking it again at each notification.
   *
   * @typeParam T What the predicate gives.
   * @param predicate What to ask, under the lock.
   * @param options How long to wait altogether; for ever when left out.
   * @returns The last answer; something false only after `timeout` milliseconds.
   *
   * @example Until there is enough
   * ```ts
   * import { Condition, Process, RawValue } from "@multiprocessing/deno";
   * import { raise } from "examples/targets.ts";
   * import assert from "node:assert/strict";
   *
   * const [condition, level] = [new Condition(), new RawValue("i")];
   * await using child = new Process({ target: raise, args: [condition, level, 3] });
   * child.start(); // three times, under the lock: await level.add(1); condition.notifyAll();
   * {
   *   using _ = await condition.guard();
   *   assert.equal(await condition.waitFor(() => level.value >= 3, { timeout: 10_000 }), true);
   * }
   * await child.join();
   * assert.equal(level.value, 3);
   * ```
   */
  async waitFor<T>(predicate: () => T, options?: WaitOptions): Promise<T> {
    const end = performance.now() + waitMs(options);
    for (let answer = predicate();; answer = predicate()) {
      const left = end - performance.now();
      if (answer || left <= 0) return answer;
      await this.wait({ ...options, ...(left < Infinity && { timeout: left }) });
    }
  }

  /**
   * Like {@link Condition.waitFor}, blocking the thread.
   *
   * @typeParam T What the predicate gives.
   * @param predicate What to ask, under the lock.
   * @param options How long to wait altogether; for ever when left out.
   * @returns The last answer; something false only after `timeout` milliseconds.
   * @throws {RuntimeError} In a `"spawn"` child, which shares no memory with the condition.
   */
  waitForSync<T>(predicate: () => T, options?: WaitOptions): T {
    const end = performance.now() + waitMs(options);
    for (let answer = predicate();; answer = predicate()) {
      const left = end - performance.now();
      if (answer || left <= 0) return answer;
      this.waitSync({ ...options, ...(left < Infinity && { timeout: left }) });
    }
  }

  /**
   * Wakes so many of those who wait.
   *
   * @param n How many; 1 when left out.
   * @throws {AssertionError} If this process does not hold the lock.
   */
  notify(n: number = 1): void {
    wholeNumber("number to notify", n, 0);
    this.#held("notify()");
    this.#line.notify(n);
  }

  /**
   * Wakes everybody who waits.
   *
   * @throws {AssertionError} If this process does not hold the lock.
   */
  notifyAll(): void {
    this.#held("notifyAll()");
    this.#line.notify(2 ** 30);
  }

  #held(what: string): ReturnType<typeof permitOf> {
    const permit = permitOf(this.#lock);
    if (!permit.mine()) {
      throw new AssertionError(
        `must acquire() condition before using ${what}: this process does not hold its lock`,
      );
    }
    return permit;
  }

  static {
    partsOf = (condition) => ({ lock: condition.#lock, line: condition.#line });
    travels<Condition, [Lock, Reference<number>]>(Condition, {
      tag: "Condition",
      pack(condition, context) {
        const line = condition.#line;
        return [
          condition.#lock,
          packCore(line, context, () => context.attach((line as SharedLine).words.buffer)),
        ];
      },
      unpack([lock, reference], context) {
        const local = (at: number) =>
          new SharedLine(new Int32Array(context.attachments[at] as SharedArrayBuffer));
        return arrive(Condition, {
          lock,
          line: unpackCore<number, Line>(reference, context, local, RemoteLine),
        });
      },
    });
  }
}
