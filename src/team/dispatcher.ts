/**
 * The dispatcher: which member of a team runs which call. Under pools and executors.
 *
 * ```
 * submit ─▶ queue ─▶ a member with room ─▶ its line ─▶ runs them in turn ─▶ answers, in the same order ─▶ settled
 *             ▲            │ an idle one takes back what a busy one has not begun
 *             └────────────┘
 * a member dies ─▶ what it had not begun goes back to the queue; what it was running fails
 * ```
 *
 * Invariants:
 * - A call is in the queue, on the line of exactly one member, or settled; it settles once, on every path.
 * - A member answers its calls in their order. So the first call without an answer is the one it is at, and no call
 *   needs a number: an answer that cannot even be read belongs to that one.
 * - Where calls are long a line holds one of them. Where they are short it holds as many as take about 2 ms, so
 *   that the member need not wait for us in between.
 * - Calls without an answer keep the program up.
 */

import { BrokenProcessPool, PicklingError, ValueError } from "../base/errors.ts";
import { afterMs, nextTurn } from "../platform/runtime.ts";
import type { StartMethod } from "../process/hub.ts";
import { unfinishedWork } from "../process/process.ts";
import { type Callable, callingModule, ownRef } from "../process/target.ts";
import { encode } from "../transport/codec.ts";
import { Sealed } from "../transport/sealed.ts";
import type { CallKind, PostedCall } from "./calls.ts";
import { type ErrorClass, regainClass } from "./error_class.ts";
import type { Member } from "./member.ts";
import { Durations, type TeamStats } from "./stats.ts";
import { Team } from "./team.ts";
import { returnedArgs, Whereabouts } from "./whereabouts.ts";

/** What workers a dispatcher has. */
export interface DispatcherOptions {
  /** What they are called, before a number. */
  name: string;
  /** How they are started. */
  startMethod: StartMethod;
  /** How many at most. */
  max: number;
  /** How many are kept when idle; none is started before it is needed. */
  keep: number;
  /** How long others are kept. */
  idleMs: number;
  /** Called in each before anything else. */
  initializer?: Callable | undefined;
  /** What it is called with. */
  initargs?: readonly unknown[] | undefined;
  /** After so many calls a worker is replaced by another. */
  maxTasksPerChild?: number | undefined;
  /** What they may do; `"spawn"` only. */
  permissions?: Deno.PermissionOptions | undefined;
  /** How large the heap of each may become. */
  maxMemoryMb?: number | undefined;
  /** Whether they may have children of their own. */
  parental: boolean;
  /** Whether a death that nobody asked for is the end of all calls, and not only of the one that was running. */
  fragile: boolean;
  /** The error for calls that a death has ended. */
  mourn(facts: Death): Error;
}

/** What is known of a death. */
export interface Death {
  /** How many calls it ended. */
  readonly calls: number;
  /** The worker's name. */
  readonly worker: string;
  /** Its process id. */
  readonly pid: number | undefined;
  /** Its exit code. */
  readonly exitcode: number;
  /** The name of the function it was running, if it was. */
  readonly running: string | undefined;
  /** All of that as a sentence. */
  readonly message: string;
}

/** A call, and whoever wants to know what becomes of it. */
export interface Call {
  /** The function. */
  readonly fn: Callable;
  /** How the arguments are meant. */
  readonly kind: CallKind;
  /** The arguments. */
  readonly args: unknown[];
  /** Of a part of many calls: the number of the first one. */
  readonly first?: number;
  /** What of them moves to the worker. */
  readonly transfer?: readonly Transferable[] | undefined;
  /** A worker is at it. */
  started?(): void;
  /** It has not begun and shall be cancelled, by {@link Dispatcher.withdraw}. */
  cancel?(): void;
  /** It gave a value. */
  done(value: unknown): void;
  /** It ended otherwise. */
  failed(error: unknown): void;
}

/** A call in our hands. */
export interface Task {
  readonly call: Call;
  readonly known: Known;
  readonly sinceMs: number;
  args: unknown[];
  /** What of them still has to move to the worker. */
  transfer: readonly Transferable[];
  hand: Hand | undefined;
  started: boolean;
  settled: boolean;
}

/** A function that was called. */
interface Known {
  readonly number: number;
  readonly where: Whereabouts;
}

/** A member and what it has on its line. */
interface Hand {
  readonly member: Member;
  /** In the order of the line; the first is the one it is at. */
  readonly tasks: Task[];
  /** The functions it has found. */
  readonly found: Set<number>;
  /** Calls it has been given. */
  given: number;
  /** Whether its answers are being waited for. */
  heard: boolean;
  /** Whether it has answered one. */
  proven: boolean;
  /** Whether the call it is at takes longer than it seemed. */
  late: boolean;
}

const job = ownRef(import.meta.resolve("./calls.ts"), "callRunner", () => import("./calls.ts"));

/** The calls on a line take about so long together. */
const LINE_MS = 2;
/** A call that runs for so long was not short, and nobody shall wait behind it. */
const LATE_MS = 20;
/** While workers are being started, which blocks this thread for that long each. */
const LONG_LINE_MS = 30;
const MOST_ON_LINE = 64;
/** How much the last call counts in the average. */
const RECENT = 0.1;
/** After so long without a pause the event loop has its turn. */
const TURN_MS = 2;
/** After so many starts that failed one after the other, with no call answered meanwhile, no more are tried. */
const FAILED_STARTS = 3;
/** A worker that was killed while it started is no such: whoever kills them may stop. But for so long at most. */
const KILLED_STARTS_MS = 30_000;

/** Runs calls on the members of a team. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #team: Team;
  readonly #initializer: Whereabouts | undefined;
  readonly #known = new WeakMap<Callable, Known>();
  #functions = 0;
  readonly #hands = new Map<Member, Hand>();
  /** Those we have from the team. */
  readonly #held = new Set<Hand>();
  #queue: Task[] = [];
  /** Where the queue begins. */
  #head = 0;
  #queued = 0;
  /** Calls that were not settled. */
  #pending = 0;
  #taking = 0;
  /** Starts that failed one after the other, and since when. */
  #failedStarts = 0;
  #failingSinceMs: number | undefined;
  #judging: Promise<void> | undefined;
  #averageMs = Infinity;
  #done = 0;
  #failed = 0;
  readonly #waits = new Durations();
  readonly #runs = new Durations();
  /** Nothing more is run, for this reason. */
  #broken: Error | undefined;
  #drained: (() => void)[] = [];
  #feeding = false;
  #watching = false;

  /**
   * Starts nothing yet.
   *
   * @throws {ValueError} If workers that are threads are to have permissions of their own.
   */
  constructor(options: DispatcherOptions) {
    this.#options = options;
    const { initializer, initargs = [] } = options;
    if (options.permissions !== undefined && options.startMethod === "worker") {
      throw new ValueError(
        "Cannot restrict the permissions of workers that are threads: Deno has them for a whole operating-system " +
          'process; use the start method "spawn"',
      );
    }
    this.#initializer = initializer && new Whereabouts(initializer, callingModule());
    this.#team = new Team({
      name: options.name,
      job,
      init: () => [this.#initializer?.address ?? null, Sealed.seal([...initargs], { root: "initargs" })],
      max: options.max,
      warm: 0,
      keep: options.keep,
      recycle: true,
      idleMs: options.idleMs,
      startMethod: options.startMethod,
      parental: options.parental,
      permissions: options.permissions,
      maxMemoryMb: options.maxMemoryMb,
      onFailedStart: (error) => this.#judging = this.#judge(error),
      onGone: (member) => this.#gone(member),
    });
  }

  /** Why nothing more can be run, if that is so. */
  get broken(): Error | undefined {
    return this.#broken;
  }

  /** How many workers there may be. */
  get max(): number {
    return this.#options.max;
  }

  /** Calls that were not settled. */
  get pending(): number {
    return this.#pending;
  }

  /** What it has done and is doing. */
  stats(): TeamStats {
    let behind = 0; // on a line, and not begun
    for (const { tasks } of this.#held) behind += Math.max(0, tasks.length - 1);
    return {
      size: this.#team.size,
      busy: this.#held.size,
      queued: this.#queued + behind,
      done: this.#done,
      failed: this.#failed,
      waitMs: this.#waits.percentiles(),
      runMs: this.#runs.percentiles(),
    };
  }

  /**
   * Runs a call.
   *
   * @throws {TypeError} If its function is none.
   * @throws {PicklingError} If no module can export it. What else cannot travel fails the call.
   */
  submit(call: Call): Task {
    const task: Task = {
      call,
      known: this.#knownOf(call.fn),
      sinceMs: performance.now(),
      args: call.args,
      transfer: call.transfer ?? [],
      hand: undefined,
      started: false,
      settled: false,
    };
    if (++this.#pending === 1 && this.#options.parental) unfinishedWork.add(this.#whenDrained);
    this.#queued++;
    if (this.#broken !== undefined) this.#fail(task, this.#broken);
    else {
      this.#queue.push(task);
      this.#feed();
    }
    return task;
  }

  /** Takes a call back if it has not begun; then nothing more is heard of it. */
  withdraw(task: Task): boolean {
    const { hand } = task;
    const recalled = hand !== undefined && hand.tasks[0] !== task;
    if (recalled) this.#recall(hand);
    const withdrawn = !task.settled && task.hand === undefined;
    if (withdrawn) {
      this.#settle(task);
      this.#failed++;
    }
    if (recalled) this.#feed();
    return withdrawn;
  }

  /** Ends a call for this reason, wherever it is, and the worker that is at it. */
  abort(task: Task, reason: unknown): void {
    if (task.settled) return;
    if (this.withdraw(task)) return task.call.failed(reason);
    this.#fail(task, reason);
    this.#end(task.hand!, task);
  }

  readonly #whenDrained = (): Promise<void> => this.drained();

  /** Settles when every call is settled. */
  drained(): Promise<void> {
    if (this.#pending === 0) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  /** Cancels every call that has not begun. */
  cancelQueued(): void {
    for (const hand of this.#held) this.#recall(hand);
    for (const task of this.#queue.slice(this.#head)) task.call.cancel?.();
    this.#feed();
  }

  /** Lets every worker go once all calls are settled, and waits until they are gone. */
  async close(): Promise<void> {
    await this.drained();
    await this.#team.close();
  }

  /** Ends every worker and every call, and waits until the workers are gone. */
  async terminate(reason: Error, how: "terminate" | "kill" = "terminate"): Promise<void> {
    this.#break(reason, how);
    await this.#team.terminate(how); // broken before, it may still have workers that do not end
  }

  // --- From the queue to the lines ------------------------------------------------------------------------------

  #feed(): void {
    if (this.#feeding || this.#broken !== undefined) return;
    this.#feeding = true;
    for (let task; (task = this.#peek()) !== undefined;) {
      const hand = this.#roomiest();
      if (hand === undefined) break;
      this.#head++;
      this.#queued--;
      this.#give(hand, task);
    }
    if (this.#head > this.#queue.length / 2) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.#feeding = false;
    // One whose only call was refused has nothing to do.
    for (const hand of this.#held) if (hand.tasks.length === 0 && !hand.heard) this.#release(hand);
    const wanted = Math.min(this.#queued, this.#options.max - this.#held.size);
    while (this.#taking < wanted) this.#takeAnother();
  }

  #peek(): Task | undefined {
    for (; this.#head < this.#queue.length; this.#head++) {
      const task = this.#queue[this.#head]!;
      if (!task.settled) return task;
    }
    return undefined;
  }

  /** Whoever has least to do and can have more. */
  #roomiest(): Hand | undefined {
    const lineMs = this.#taking > 0 ? LONG_LINE_MS : LINE_MS;
    const most = this.#averageMs === Infinity
      ? 1
      : Math.max(1, Math.min(MOST_ON_LINE, Math.ceil(lineMs / this.#averageMs)));
    let best: Hand | undefined;
    for (const hand of this.#held) {
      if (hand.tasks.length < (best?.tasks.length ?? most) && this.#canHaveMore(hand)) best = hand;
    }
    if (best?.tasks.length === 0) return best;
    const idle = this.#team.takeNow();
    return idle === undefined ? best : this.#hold(idle);
  }

  #canHaveMore(hand: Hand): boolean {
    return !hand.member.leaving && hand.member.alive && hand.member.hasRoom && !hand.late &&
      hand.given < (this.#options.maxTasksPerChild ?? Infinity);
  }

  #hold(member: Member): Hand {
    let hand = this.#hands.get(member);
    if (hand === undefined) {
      hand = { member, tasks: [], found: new Set(), given: 0, heard: false, proven: false, late: false };
      this.#hands.set(member, hand);
    }
    this.#held.add(hand);
    return hand;
  }

  #give(hand: Hand, task: Task): void {
    const { member, found } = hand;
    const { call: { kind }, known: { number, where }, transfer } = task;
    task.hand = hand;
    let isThere: boolean;
    try {
      const frame: PostedCall = found.has(number)
        ? [number, kind, task.args]
        : [number, kind, Sealed.seal(task.args, { transfer }), where.address];
      isThere = member.post(frame, transfer);
    } catch (error) {
      return this.#fail(task, refusal(task, member, error));
    }
    hand.given++;
    // It died just now: others can run the call, unless what it moves is lost. The end of the answers tells.
    if (!isThere && transfer.length === 0) this.#requeue([task]);
    else if (hand.tasks.push(task) === 1) this.#begin(task);
    else this.#watch();
    if (!hand.heard) this.#listen(hand);
  }

  /** Sees to it that no call waits behind one that takes longer than it seemed, while others could run it. */
  async #watch(): Promise<void> {
    if (this.#watching) return;
    this.#watching = true;
    for (;;) {
      const hands = [...this.#held].filter(({ tasks }) => tasks.length > 1);
      if (hands.length === 0) break;
      const heads = hands.map(({ tasks }) => tasks[0]);
      await afterMs(LATE_MS);
      const late = hands.filter(({ tasks }, at) => tasks.length > 1 && tasks[0] === heads[at]);
      for (const hand of late) {
        hand.late = true;
        this.#recall(hand);
      }
      if (late.length > 0) this.#feed();
    }
    this.#watching = false;
  }

  /** A member is at a call now. */
  #begin(task: Task): void {
    if (task.started) return;
    task.started = true;
    this.#waits.add(performance.now() - task.sinceMs);
    task.call.started?.();
  }

  #takeAnother(): void {
    this.#taking++;
    this.#team.take().then((member) => {
      this.#taking--;
      this.#rest(this.#hold(member));
    }, async (error) => {
      await this.#judging;
      this.#taking--;
      if (this.#team.closed && this.#queued > 0) this.#break(error);
      this.#feed();
    });
  }

  /** A worker could not be started: whether to try again. */
  async #judge(error: unknown): Promise<void> {
    if (await this.#initializer?.elsewhere(error)) return;
    if (this.#queued > 0) this.#notStarted(error, (error as { exitcode?: number } | null)?.exitcode);
  }

  #notStarted(error: unknown, exitcode: number | undefined): void {
    const nowMs = performance.now();
    this.#failingSinceMs ??= nowMs;
    const hopeful = exitcode === -9 || exitcode === -15
      ? nowMs - this.#failingSinceMs < KILLED_STARTS_MS
      : ++this.#failedStarts < FAILED_STARTS;
    if (hopeful && !this.#options.fragile) return;
    const why = error instanceof Error ? error.message : String(error);
    this.#break(
      new BrokenProcessPool(`Cannot start a worker of ${this.#options.name}: ${why}`, { cause: error }),
    );
  }

  // --- From the lines to the callers ----------------------------------------------------------------------------

  /** Hears the member's answers for as long as it has calls. */
  async #listen(hand: Hand): Promise<void> {
    hand.heard = true;
    let turnedMs = performance.now();
    do {
      const now = hand.member.answer();
      const answer = now instanceof Promise ? await now : now; // an await costs a turn of the microtasks
      if (answer === undefined) return this.#bury(hand);
      const [kind, value, ms, lost] = answer as [string, unknown, number, ErrorClass?];
      const task = hand.tasks[0]!;
      if (lost !== undefined) await regainClass(value, lost);
      const elsewhere = kind === "failed" && await this.#isElsewhere(task, value);
      hand.tasks.shift();
      if (hand.tasks.length > 0) this.#begin(hand.tasks[0]!);
      hand.proven = true;
      hand.late = false;
      this.#failedStarts = 0;
      this.#failingSinceMs = undefined;
      if (ms > 0 && !elsewhere) this.#ran(ms);
      if (elsewhere) this.#requeue([task]);
      else if (kind === "failed") this.#fail(task, value);
      else {
        hand.found.add(task.known.number);
        this.#succeed(task, value);
      }
      if (this.#queued > 0) this.#feed();
      if (hand.tasks.length > 0 && performance.now() - turnedMs > TURN_MS) {
        await nextTurn();
        turnedMs = performance.now();
      }
    } while (hand.tasks.length > 0);
    hand.heard = false;
    this.#rest(hand);
  }

  #ran(ms: number): void {
    this.#runs.add(ms);
    this.#averageMs = this.#averageMs === Infinity ? ms : this.#averageMs + RECENT * (ms - this.#averageMs);
  }

  /** Whether the function was only not where it was looked for, and there is another place. */
  async #isElsewhere(task: Task, error: unknown): Promise<boolean> {
    const elsewhere = !task.settled && await task.known.where.elsewhere(error);
    const args = returnedArgs(error);
    if (elsewhere && args !== undefined) this.#regain(task, () => args);
    else args?.discard();
    return elsewhere && !task.settled;
  }

  /** A member has nothing to do: it gets more, or goes back to its team. */
  #rest(hand: Hand): void {
    if (!hand.member.alive) return void this.#bury(hand);
    if (this.#queued === 0) this.#relieve();
    this.#feed();
    if (hand.tasks.length === 0 && this.#held.has(hand)) this.#release(hand);
  }

  #release(hand: Hand): void {
    this.#held.delete(hand);
    if (this.#canHaveMore(hand)) hand.member.release();
    else hand.member.retire();
  }

  /** Takes back what the busiest has not begun. */
  #relieve(): void {
    let busiest: Hand | undefined;
    for (const hand of this.#held) {
      if (hand.tasks.length > Math.max(1, busiest?.tasks.length ?? 0)) busiest = hand;
    }
    if (busiest !== undefined) this.#recall(busiest);
  }

  #recall(hand: Hand): void {
    // The first one counts as begun as long as there is somebody to run it.
    const frames = hand.member.takeBack(hand.tasks.length - (hand.member.alive ? 1 : 0));
    if (frames.length === 0) return;
    const tasks = hand.tasks.splice(hand.tasks.length - frames.length);
    hand.given -= tasks.length;
    for (const [at, task] of tasks.entries()) {
      if (task.settled) frames[at]!.discard();
      else if (!frames[at]!.plain) this.#regain(task, () => (frames[at]!.read() as PostedCall)[2]);
    }
    this.#requeue(tasks);
  }

  /** The arguments as they come back: what was transferred, and the hold on what handles stand for, is there alone. */
  #regain(task: Task, read: () => unknown[] | Sealed): void {
    try {
      const args = read();
      task.args = (args instanceof Sealed ? args.inTransit() : args) as unknown[];
      task.transfer = [];
    } catch (error) {
      // Without transfer ours are as good.
      if (task.transfer.length > 0) this.#fail(task, error);
    }
  }

  /** Puts calls back where they were: at the head of the queue. */
  #requeue(tasks: Task[]): void {
    const living = tasks.filter((task) => !task.settled);
    for (const task of living) task.hand = undefined;
    this.#queue.splice(0, this.#head, ...living);
    this.#head = 0;
    this.#queued += living.length;
  }

  /** Ends a member for the sake of the call it is at; what else is on its line is for others. */
  #end(hand: Hand, task: Task): void {
    this.#recall(hand);
    // What is left was taken by the member, one after the other: it is at the last one, and any before it has its
    // answer, though we have not heard it yet.
    if (hand.tasks.at(-1) === task) hand.member.terminate();
    this.#feed();
  }

  /** A member is dead and all it said was heard. */
  async #bury(hand: Hand): Promise<void> {
    const { member, tasks } = hand;
    await member.gone();
    // The one it was at comes back, too, if it was a "spawn" child that died while it read the call.
    const first = tasks.find((task) => !task.settled);
    this.#recall(hand);
    const victims = tasks.filter((task) => !task.settled);
    if (!member.leaving && this.#options.fragile) this.#mourn(member, first);
    else if (victims.length > 0) {
      for (const victim of victims) this.#fail(victim, this.#options.mourn(facts(member, 1, victim)));
    } else if (!hand.proven && !member.leaving) {
      this.#notStarted(facts(member, 0, undefined).message, member.exitcode!);
    }
    this.#held.delete(hand);
    this.#hands.delete(member);
    this.#feed();
  }

  #gone(member: Member): void {
    const hand = this.#hands.get(member);
    if (hand !== undefined && this.#held.has(hand)) return; // the end of its answers tells
    this.#hands.delete(member);
    if (member.started && !member.leaving && this.#options.fragile) this.#mourn(member, undefined);
  }

  /** A death that ends everything. */
  #mourn(member: Member, victim: Task | undefined): void {
    this.#break(this.#options.mourn(facts(member, this.#pending, victim)));
  }

  // --- Settling -------------------------------------------------------------------------------------------------

  #succeed(task: Task, value: unknown): void {
    if (task.settled) return; // aborted in the meantime
    this.#settle(task);
    this.#done++;
    task.call.done(value);
  }

  #fail(task: Task, error: unknown): void {
    if (task.settled) return;
    this.#settle(task);
    this.#failed++;
    task.call.failed(error);
  }

  #settle(task: Task): void {
    task.settled = true;
    if (task.hand === undefined) {
      this.#queued--;
      // Nobody has what came back to us, and nobody will.
      if (task.args !== task.call.args) letGo(task.args);
    }
    if (--this.#pending > 0) return;
    unfinishedWork.delete(this.#whenDrained);
    for (const drained of this.#drained.splice(0)) drained();
  }

  #break(error: Error, how: "terminate" | "kill" = "terminate"): void {
    if (this.#broken !== undefined) return;
    this.#broken = error;
    const lost = [...this.#hands.values()].flatMap((hand) => hand.tasks).concat(
      this.#queue.slice(this.#head),
    );
    this.#queue = [];
    this.#head = 0;
    for (const task of lost) this.#fail(task, error);
    this.#team.terminate(how);
  }

  #knownOf(fn: Callable): Known {
    if (typeof fn !== "function") {
      throw new TypeError(`Cannot call ${String(fn)}: it must be a function, and is ${typeof fn}`);
    }
    let known = this.#known.get(fn);
    if (known === undefined) {
      known = { number: ++this.#functions, where: new Whereabouts(fn, callingModule()) };
      this.#known.set(fn, known);
    }
    return known;
  }
}

/** Lets go of the handles in arguments that only we have. */
function letGo(args: unknown[]): void {
  try {
    Sealed.seal(args, {}).discard();
  } catch { /* they came from a message, so they go into one, unless a user's class changes its mind */ }
}

/** Why a call could not be put on a line, in the words of whoever made the call. */
function refusal({ args, call: { kind, first = 0 } }: Task, member: Member, error: unknown): unknown {
  if (!(error instanceof PicklingError)) return error;
  const options = { root: kind === "call" ? "args" : "iterable", receiver: `process "${member.name}"` };
  try {
    // Once more by themselves, and with their own numbers, so that the message names the path within them.
    encode(kind === "call" ? args : Object.assign([] as unknown[], { length: first }).concat(args), options);
  } catch (why) {
    return why;
  }
  return error;
}

function facts(member: Member, calls: number, victim: Task | undefined): Death {
  const running = victim && (victim.call.fn.name || "an anonymous function");
  const what = calls === 1 && running !== undefined
    ? `${running}()`
    : `${calls} call${calls === 1 ? "" : "s"}`;
  const doing = running === undefined ? "with nothing to do" : `while running ${running}()`;
  const fate = `worker "${member.name}" ${member.fate} ${doing}`;
  return {
    calls,
    worker: member.name,
    pid: member.pid,
    exitcode: member.exitcode!,
    running,
    message: calls === 0 ? fate : `Cannot finish ${what}: ${fate}`,
  };
}
