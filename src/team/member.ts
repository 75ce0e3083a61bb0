/** One member of a team: a child process and the line over which it takes calls. */

import { BrokenPipeError, EOFError, ProcessError } from "../base/errors.ts";
import { type Connection, lanesOf, Pipe } from "../ipc/connection.ts";
import { afterMs, settledWithin } from "../platform/runtime.ts";
import type { StartMethod } from "../process/hub.ts";
import { followStarter, Process } from "../process/process.ts";
import { ownRef } from "../process/target.ts";
import { thisAgent } from "../transport/agent.ts";
import { ENDED, type SharedLane, type Taken, type TakenBack } from "../transport/lane.ts";
import { regainClass } from "./error_class.ts";
import { type AnswerFrame, type Job, LEAVING_MS, type MemberContext } from "./member_loop.ts";

/** How a member tells its team what becomes of it. */
export interface Membership {
  /** It is free again. */
  released(member: Member): void;
  /** It has died. */
  died(member: Member): void;
  /** It sent a message beside the answers. */
  notice(message: unknown, member: Member): void;
}

/** What a member is. */
export interface MemberOptions {
  /** What it is called. */
  name: string;
  /** What it does first. */
  job: Job;
  /** What the job is called with, after its context. */
  init: readonly unknown[];
  /** How it is started; `"worker"` when left out. */
  startMethod?: StartMethod | undefined;
  /** Whether it may have children of its own, after which it ends; else it is a daemon. */
  parental: boolean;
  /** What it may do; `"spawn"` only. */
  permissions?: Deno.PermissionOptions | undefined;
  /** How large its heap may become. */
  maxMemoryMb?: number | undefined;
}

const loop = ownRef(import.meta.resolve("./member_loop.ts"), "memberLoop", () => import("./member_loop.ts"));

class WorkerMember extends Process {
  static override readonly startMethod: StartMethod = "worker";
}

class SpawnMember extends Process {
  static override readonly startMethod: StartMethod = "spawn";
}

/**
 * A child that takes calls and answers them in the order they came. Whoever took it from the team has it alone until
 * `release`. Servers `call` it; the dispatcher `post`s several calls and reads the answers.
 */
export class Member {
  readonly #process: Process;
  readonly #line: Connection<unknown>;
  /** In memory, since the pipe was made here. */
  readonly #lanes: { readonly incoming: SharedLane; readonly outgoing: SharedLane };
  readonly #team: Membership;
  #alive = true;
  #started = false;
  #leaving = false;

  /** Starts the child; it takes calls once {@link ready} has settled. */
  constructor(team: Membership, options: MemberOptions) {
    const { name, job, init, startMethod, parental, permissions, maxMemoryMb } = options;
    this.#team = team;
    const [mine, theirs] = Pipe();
    this.#line = mine;
    this.#lanes = lanesOf(mine) as { incoming: SharedLane; outgoing: SharedLane };
    const MemberProcess = startMethod === "spawn" ? SpawnMember : WorkerMember;
    const args = [theirs, job, init];
    const daemon = !parental;
    this.#process = new MemberProcess({ target: loop, args, name, daemon, permissions, maxMemoryMb });
    if (parental && !thisAgent().isHub) followStarter(this.#process);
    this.#process.start();
    theirs.close();
    this.#process.sentinel.then(() => {
      this.#alive = false;
      team.died(this);
    });
  }

  /** What the child is called. */
  get name(): string {
    return this.#process.name;
  }

  /** The child's process id. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** How the child ended, or `null`. */
  get exitcode(): number | null {
    return this.#process.exitcode;
  }

  /** Whether the child lives. */
  get alive(): boolean {
    return this.#alive && this.#process.exitcode === null;
  }

  /** Whether it has been able to take calls. */
  get started(): boolean {
    return this.#started;
  }

  /** Whether it was let go, or ended, by us. */
  get leaving(): boolean {
    return this.#leaving;
  }

  /** How it died, for a message. */
  get fate(): string {
    const exitcode = this.#process.exitcode!;
    return exitcode < 0 ? `was ended by signal ${-exitcode}` : `ended with exit code ${exitcode}`;
  }

  /** Settles when the child has died. */
  async gone(): Promise<void> {
    await settledWithin(this.#process.sentinel, Infinity);
  }

  /**
   * Settles when the child can take calls.
   *
   * @throws {ProcessError} If it died before; or else what its job threw.
   */
  async ready(): Promise<void> {
    await this.#result("start");
    this.#started = true;
  }

  /**
   * Calls the function that the team's job made.
   *
   * @throws {PicklingError} If an argument cannot travel; nothing was called then.
   * @throws {ProcessError} If the child dies meanwhile; or else what the function threw.
   */
  async call(...args: unknown[]): Promise<unknown> {
    try {
      await this.#line.send(args);
    } catch (error) {
      throw await this.#explained(error, "take the call");
    }
    return await this.#result("finish the call");
  }

  /** Whether one more call can be put on the line: not while more than 1 MiB of them waits there. */
  get hasRoom(): boolean {
    return this.#lanes.outgoing.hasRoom;
  }

  /**
   * Puts a call on the line, where there is room, to be run after those that are there; its answer comes by
   * {@link answer}.
   *
   * @returns Whether it is there; `false` if the child is gone.
   * @throws {PicklingError} If an argument cannot travel; nothing was put then.
   */
  post(frame: unknown[], transfer: readonly Transferable[]): boolean {
    return this.#lanes.outgoing.putSync(frame, { transfer }, 0) === "done";
  }

  /** Takes calls back that it has not begun: the last ones that were posted, at `most` so many, in their order. */
  takeBack(most: number): TakenBack[] {
    return this.#lanes.outgoing.takeBack(most);
  }

  /**
   * The next answer, or the promise of it; `undefined` when the child is dead and all it said was heard. One that
   * cannot be read is one that failed with the reason.
   */
  answer(): AnswerFrame | Promise<AnswerFrame | undefined> {
    try {
      const frame = this.#lanes.incoming.takeNow();
      if (!Array.isArray(frame)) return this.#answerLater(frame);
      return this.#isNotice(frame as AnswerFrame) ? this.answer() : frame as AnswerFrame;
    } catch (error) {
      return ["failed", error, 0];
    }
  }

  async #answerLater(early: Taken | Promise<Taken>): Promise<AnswerFrame | undefined> {
    const { incoming } = this.#lanes;
    try {
      let frame = early instanceof Promise ? await early : early;
      while (!Array.isArray(frame) || this.#isNotice(frame as AnswerFrame)) {
        if (frame === ENDED) return undefined;
        frame = await incoming.take(Infinity);
      }
      return frame as AnswerFrame;
    } catch (error) {
      return ["failed", error, 0];
    }
  }

  #isNotice(frame: AnswerFrame): boolean {
    if (frame[0] !== "notice") return false;
    this.#team.notice(frame[1], this);
    return true;
  }

  /** Gives the member back to its team. */
  release(): void {
    this.#team.released(this);
  }

  /** Lets the child go: it leaves once it is done and has no children any more, by force if it does not. */
  retire(): void {
    if (!this.#alive || this.#leaving) return;
    this.#leaving = true;
    this.#line.close();
    // One that may have children of its own sees to that itself.
    if (this.#process.daemon) afterMs(LEAVING_MS).then(() => this.terminate());
  }

  /** Ends the child, whatever it does. */
  terminate(): void {
    this.#leaving = true;
    if (this.#alive) this.#process.terminate();
  }

  /** Ends the child with signal 9. */
  kill(): void {
    this.#leaving = true;
    if (this.#alive) this.#process.kill();
  }

  async #result(what: string): Promise<unknown> {
    const answer = await this.answer();
    if (answer === undefined) throw await this.#explained(new EOFError(), what);
    const [kind, thing] = answer;
    if (kind !== "failed") return thing;
    if (answer[3] !== undefined) await regainClass(thing, answer[3]);
    throw thing;
  }

  /** Says how the child died, if that is why the line failed. */
  async #explained(error: unknown, what: string): Promise<unknown> {
    if (this.alive && !(error instanceof EOFError || error instanceof BrokenPipeError)) return error;
    await this.gone();
    return Object.assign(new ProcessError(`Cannot ${what}: process "${this.name}" ${this.fate}`), {
      exitcode: this.exitcode,
    });
  }
}

export type { Job, MemberContext };
