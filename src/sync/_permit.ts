/** What locks and semaphores stand on: something that is acquired and released, here or elsewhere. */

import { ValueError } from "../base/errors.ts";
import { currentTask } from "../platform/task.ts";
import { noSyncHere } from "../transport/lane.ts";
import { type Caller, type Exportable, RemoteCore } from "../transport/remote.ts";

/** Who acquires: an agent, and which of its cooperative tasks. */
export interface Holder {
  readonly agent: number;
  readonly task: number;
}

/** What a {@link Lock} asks of what it stands on. */
export interface Permit extends Exportable {
  /** Takes it if it is free. */
  tryAcquire(): boolean;
  /** Waits for it; `false` if `ms` passed first. */
  acquire(ms: number, signal?: AbortSignal): Promise<boolean>;
  /** As {@link acquire}, blocking. */
  acquireSync(ms: number): boolean;
  /** Gives it up. */
  release(): void;
  /** Whether nobody could take it now. */
  locked(): boolean;
  /** How many could still take it. */
  value(): number;
  /** Whether it came from a holder that died with it; `true` once. */
  abandoned(): boolean;
  /** Whether this process, and this task of it where that counts, holds it. */
  mine(): boolean;
  /** Gives it up however often it was taken, and says how often that was; for a wait on a condition. */
  releaseAll(): number;
  /** Undoes {@link releaseAll}, once it was acquired again. */
  restore(depth: number): void;
}

/** What goes along with each answer: how many are free now, and how many there can be. */
export type PermitMirror = readonly [free: number, most: number];

/** What a shared permit does for a {@link RemotePermit}. */
export interface ServedPermit extends Permit {
  /** Waits for it on behalf of `holder`. */
  acquireFor(holder: Holder, ms: number, signal?: AbortSignal): Promise<boolean>;
  /** Gives it up on behalf of `holder`. */
  releaseFor(holder: Holder): void;
  /** Whether `holder` has it. */
  heldBy(holder: Holder): boolean;
  /** Gives it up however often `holder` has it, and says how often that was. */
  releaseAllFor(holder: Holder): number;
}

/** Does for a link what a {@link RemotePermit} asks. */
export function invokePermit(
  permit: ServedPermit,
  method: string,
  args: readonly unknown[],
  caller: Caller,
): unknown {
  switch (method) {
    case "acquire": {
      const [ms, task] = args as [number, number];
      return permit.acquireFor({ agent: caller.agent, task }, ms, caller.signal).then((
        got,
      ) => [got, got && permit.abandoned()]);
    }
    case "restore":
      return permit.restore(args[0] as number);
    case "release":
      return permit.releaseFor({ agent: caller.agent, task: args[0] as number });
    default:
      throw new ValueError(`Cannot call ${method}() of a lock`);
  }
}

const UNKNOWN: PermitMirror = [0, Infinity];

// Several processes may reach a lock by the same relay, and are one agent to its home then: a number of our own
// keeps our tasks and theirs apart.
const OWN_TASKS = crypto.getRandomValues(new Int32Array(1))[0]!;
const abroad = (task: number) => OWN_TASKS + task | 0;

/** A permit of another operating-system process. */
export class RemotePermit extends RemoteCore implements Permit {
  #abandoned = false;
  // What this process holds, by task.
  readonly #held = new Map<number, number>();

  tryAcquire(): boolean {
    return false; // never without asking
  }

  async acquire(ms: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    const task = currentTask();
    const [got, abandoned] = await this.ask("acquire", [ms, abroad(task)], signal) as [boolean, boolean];
    if (got) this.#held.set(task, (this.#held.get(task) ?? 0) + 1);
    this.#abandoned ||= abandoned;
    return got;
  }

  acquireSync(): boolean {
    throw noSyncHere("acquireSync");
  }

  release(): void {
    const task = currentTask();
    const held = this.#held.get(task) ?? 0;
    if (held > 0) this.#held.set(task, held - 1);
    else this.refuseRelease();
    this.tell("release", [abroad(task)]);
  }

  /**
   * A release by this task, which holds nothing: anybody may release what others hold, so that is for home to judge.
   * One too many is an uncaught error here then. Reentrant ones know better.
   */
  protected refuseRelease(): void {}

  locked(): boolean {
    return [...this.#held.values()].some((times) => times > 0) || this.#known[0] === 0;
  }

  value(): number {
    return this.#known[0];
  }

  abandoned(): boolean {
    const was = this.#abandoned;
    this.#abandoned = false;
    return was;
  }

  mine(): boolean {
    return (this.#held.get(currentTask()) ?? 0) > 0;
  }

  releaseAll(): number {
    const depth = this.#held.get(currentTask()) ?? 0;
    for (let i = 0; i < depth; i++) this.release();
    return depth;
  }

  restore(depth: number): void {
    if (depth > 1) this.tell("restore", [depth]);
    this.#held.set(currentTask(), depth);
  }

  /** As of the last answer, and what this process has released since. */
  get #known(): PermitMirror {
    const [free, most] = this.glance() as PermitMirror | undefined ?? UNKNOWN;
    return [free + this.unseen, most];
  }
}

/** The error for a release too many. */
export function notAcquired(): ValueError {
  return new ValueError("semaphore or lock released too many times: nobody holds it");
}
