/**
 * The team: warm children that take calls. One engine under servers, pools and executors.
 *
 * ```
 * take() ─▶ an idle member ──────────────────────────▶ member.call(…) … member.release() ─▶ the first in line, or idle
 *      └─▶ none: wait in line; start another, up to `max` ─▶ ready ─▶ the first in line
 * idle for `idleMs`, above `warm` ─▶ retired          died ─▶ its call rejects, the next take starts another
 * ```
 *
 * A member runs {@link memberLoop}: it calls the team's *job* once, which gives the function that takes the calls.
 *
 * Invariants:
 * - A member is idle, with one taker, starting, or leaving; whoever waits is served in the order they came.
 * - Members are started one after the other, and the event loop turns in between: a start blocks its thread for
 *   some 30 ms.
 * - A start that fails rejects those who wait, and is not tried again before somebody asks again.
 * - Nothing here keeps the program up but somebody who waits in line, or for a call: when nothing else is left to do,
 *   a team whose members the program would wait for lets them go.
 */

import { RuntimeError, TimeoutError } from "../base/errors.ts";
import { waitMs, type WaitOptions } from "../base/options.ts";
import { afterMs, keepAlive } from "../platform/runtime.ts";
import type { StartMethod } from "../process/hub.ts";
import { thisAgent } from "../transport/agent.ts";
import { type Job, Member } from "./member.ts";
import { parentalTeams } from "./parental_teams.ts";

export type { Job, Member };

/** What a team is. */
export interface TeamOptions {
  /** What its members are called, before a number. */
  name: string;
  /** What each member does first: an exported function, or a `ref` to one. */
  job: Job;
  /** What the job is called with, after its context. Asked for at each start. */
  init(): readonly unknown[];
  /** At most so many members. */
  max: number;
  /** So many idle members are started ahead of need, and kept. */
  warm: number;
  /** So many idle members are kept once they are there; `warm` when left out. */
  keep?: number;
  /** Whether a member serves another taker after it was released; else it leaves. */
  recycle: boolean;
  /** How long one above that is kept idle; 2 s when left out. */
  idleMs?: number;
  /** How members are started; `"worker"` when left out. */
  startMethod?: StartMethod;
  /** Whether members may have children of their own; then the program's end does not just end them. */
  parental?: boolean;
  /** What members may do; `"spawn"` only. */
  permissions?: Deno.PermissionOptions | undefined;
  /** How large the heap of a member may become, in MiB. */
  maxMemoryMb?: number | undefined;
  /** Called with each message that a member sends beside its answers. */
  onNotice?(message: unknown, member: Member): void;
  /** Called when a member could not be started, before those who wait for one hear of it. */
  onFailedStart?(error: unknown): void;
  /** Called when a member has died, whatever the reason. */
  onGone?(member: Member): void;
}

interface Waiter {
  readonly sinceMs: number;
  take(member: Member): void;
  fail(error: unknown): void;
}

const IDLE_MS = 2_000;
/** So many members are made as soon as somebody wants one. */
const EAGER = 8;
/**
 * Beyond those another is made only when somebody has waited for so long: a burst of short calls is served sooner by
 * the members there are than by a creator that makes members for 30 ms each, and they take 12 MB apiece.
 */
const PATIENCE_MS = 100;
/** Between two starts, so that the event loop turns. */
const BETWEEN_STARTS_MS = 1;

/** A set of warm children. */
export class Team {
  readonly #options: TeamOptions;
  readonly #members = new Set<Member>();
  /** Idle members, the one that was used last at the end. */
  #idle: { member: Member; sinceMs: number }[] = [];
  #waiting: Waiter[] = [];
  #starting = 0;
  /** The last start failed: only for somebody who waits another one is worth while. */
  #failing = false;
  #filling = false;
  #thinning = false;
  #made = 0;
  #state: "open" | "closed" = "open";
  /** Whether whoever becomes idle leaves. */
  #letsGo = false;

  constructor(options: TeamOptions) {
    this.#options = options;
    // The members of others end with the process that started them.
    if (options.parental === true && thisAgent().isHub) parentalTeams.add(this);
  }

  /** How many members there are, starting and leaving ones included. */
  get size(): number {
    return this.#members.size;
  }

  /** Whether it takes no more calls. */
  get closed(): boolean {
    return this.#state === "closed";
  }

  /** Starts members until `warm` are idle, without waiting for them. */
  prepare(): void {
    this.#fill();
  }

  /** Takes an idle member, if there is one. */
  takeNow(): Member | undefined {
    if (this.#state === "closed") return undefined;
    this.#letsGo = false;
    for (let last; (last = this.#idle.pop()) !== undefined;) {
      if (!last.member.alive) continue;
      if (this.#idle.length < this.#options.warm) this.#fill();
      return last.member;
    }
    return undefined;
  }

  /**
   * Takes a member, waiting until one is free.
   *
   * @throws {TimeoutError} If none was free within `timeout` milliseconds. An aborted `signal` throws its own reason.
   * @throws {RuntimeError} If the team is closed, or is closed meanwhile; and whatever the start of a member threw.
   */
  take(options?: WaitOptions): Promise<Member> {
    if (options?.signal?.aborted) return Promise.reject(options.signal.reason);
    if (this.#state === "closed") return Promise.reject(this.#closedError());
    const idle = this.takeNow();
    if (idle !== undefined) return Promise.resolve(idle);
    return this.#takeLater(waitMs(options), options?.signal);
  }

  #takeLater(ms: number, signal: AbortSignal | undefined): Promise<Member> {
    return new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const leave = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        keepAlive.drop();
      };
      const giveUp = (error: unknown) => {
        this.#waiting = this.#waiting.filter((it) => it !== waiter);
        leave();
        reject(error);
      };
      const abort = () => giveUp(signal!.reason);
      const waiter: Waiter = {
        sinceMs: performance.now(),
        take: (member) => (leave(), resolve(member)),
        fail: (error) => (leave(), reject(error)),
      };
      keepAlive.hold();
      signal?.addEventListener("abort", abort, { once: true });
      if (ms < 2 ** 31) {
        const late = () =>
          giveUp(new TimeoutError(`Cannot take a worker within ${ms} ms: all ${this.#options.max} are busy`));
        timer = setTimeout(late, ms);
      }
      this.#waiting.push(waiter);
      this.#fill();
    });
  }

  /** Takes no more calls, lets every member go once it is released, and waits until all are gone. */
  async close(): Promise<void> {
    this.shut();
    while (this.#members.size > 0) {
      const [member] = this.#members;
      await member!.gone();
      this.#members.delete(member!);
    }
  }

  /** Ends every member, whatever it does, and waits until all are gone. `how`: by which signal. */
  async terminate(how: "terminate" | "kill" = "terminate"): Promise<void> {
    this.shut();
    for (const member of this.#members) member[how]();
    await this.close();
  }

  /** Takes no more calls and lets idle members go. */
  shut(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    parentalTeams.delete(this);
    for (const { member } of this.#idle.splice(0)) member.retire();
    for (const waiter of this.#waiting.splice(0)) waiter.fail(this.#closedError());
  }

  /** Lets idle members go, and those that become idle, until somebody takes one again. */
  letGo(): void {
    this.#letsGo = true;
    for (const { member } of this.#idle.splice(0)) member.retire();
  }

  #closedError(): RuntimeError {
    return new RuntimeError(`Cannot take a worker of ${this.#options.name}: it was closed`);
  }

  // --- Starts ---------------------------------------------------------------------------------------------------

  async #fill(): Promise<void> {
    if (this.#filling) return;
    this.#filling = true;
    while (this.#lacks()) {
      const patienceMs = this.#patienceMs();
      if (patienceMs === 0) this.#start();
      await afterMs(Math.max(patienceMs, BETWEEN_STARTS_MS));
    }
    this.#filling = false;
  }

  #lacks(): boolean {
    const { max, warm } = this.#options;
    if (this.#state === "closed" || this.#members.size >= max) return false;
    const spare = this.#failing || this.#members.size >= EAGER ? 0 : warm;
    return this.#waiting.length + spare > this.#idle.length + this.#starting;
  }

  /** How long to go on with the members there are. */
  #patienceMs(): number {
    const [first] = this.#waiting;
    if (first === undefined || this.#members.size < EAGER) return 0;
    return Math.max(0, first.sinceMs + PATIENCE_MS - performance.now());
  }

  async #start(): Promise<void> {
    this.#starting++;
    let member: Member | undefined;
    try {
      const { job, init, startMethod, permissions, maxMemoryMb } = this.#options;
      const name = `${this.#options.name}-${++this.#made}`;
      member = new Member(this.#membership, {
        name,
        job,
        init: init(),
        startMethod,
        parental: this.#options.parental ?? false,
        permissions,
        maxMemoryMb,
      });
      this.#members.add(member);
      await member.ready();
      this.#starting--;
      this.#failing = false;
      this.#welcome(member);
    } catch (error) {
      this.#starting--;
      this.#failing = true;
      member?.retire();
      this.#options.onFailedStart?.(error);
      for (const waiter of this.#waiting.splice(0)) waiter.fail(error);
    }
  }

  readonly #membership = {
    released: (member: Member): void => {
      if (this.#options.recycle && this.#state === "open") this.#welcome(member);
      else this.#leave(member);
    },
    died: (member: Member): void => {
      this.#members.delete(member);
      this.#idle = this.#idle.filter((idle) => idle.member !== member);
      this.#options.onGone?.(member);
      if (this.#waiting.length > 0) this.#fill();
    },
    notice: (message: unknown, member: Member): void => this.#options.onNotice?.(message, member),
  };

  // --- Idle members ---------------------------------------------------------------------------------------------

  #welcome(member: Member): void {
    if (!member.alive) return;
    if (this.#state === "closed") return this.#leave(member);
    const first = this.#waiting.shift();
    if (first !== undefined) return first.take(member);
    if (this.#letsGo) return this.#leave(member);
    this.#idle.push({ member, sinceMs: performance.now() });
    if (this.#idle.length > this.#kept) this.#thin();
  }

  #leave(member: Member): void {
    member.retire();
  }

  get #kept(): number {
    return this.#options.keep ?? this.#options.warm;
  }

  /** Lets idle members that need not be kept go when their time has come. */
  async #thin(): Promise<void> {
    if (this.#thinning) return;
    this.#thinning = true;
    const idleMs = this.#options.idleMs ?? IDLE_MS;
    while (this.#idle.length > this.#kept) {
      const first = this.#idle[0]!;
      const leftMs = first.sinceMs + idleMs - performance.now();
      if (leftMs > 0) await afterMs(leftMs);
      else this.#leave(this.#idle.shift()!.member);
    }
    this.#thinning = false;
  }
}
