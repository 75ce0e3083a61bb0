/** One member of a team: a child process and the line over which it takes calls. */

import { BrokenPipeError, EOFError, ProcessError } from "../base/errors.ts";
import { type Connection, Pipe } from "../ipc/connection.ts";
import { afterMs, settledWithin } from "../platform/runtime.ts";
import type { StartMethod } from "../process/hub.ts";
import { Process } from "../process/process.ts";
import { ref } from "../process/target.ts";
import type { AnswerFrame, Job, MemberContext } from "./member_loop.ts";

/** How a member tells its team what becomes of it. */
export interface Membership {
  /** It is free again. */
  released(member: Member): void;
  /** It has died. */
  died(member: Member): void;
  /** It sent a message beside the answers. */
  notice(message: unknown, member: Member): void;
}

/** How long a member whose line was closed has to leave by itself. */
const LEAVING_MS = 500;

const loop = ref(import.meta.resolve("./member_loop.ts"), "memberLoop");

/** Members share memory with their team, whatever start method the program uses. */
class MemberProcess extends Process {
  static override readonly startMethod: StartMethod = "worker";
}

/** A child that takes calls. Whoever took it from the team has it alone until `release`. */
export class Member {
  readonly #process: Process;
  readonly #line: Connection<unknown>;
  readonly #team: Membership;
  #alive = true;

  /** Starts the child; it takes calls once {@link ready} has settled. */
  constructor(team: Membership, name: string, job: Job, init: readonly unknown[]) {
    this.#team = team;
    const [mine, theirs] = Pipe();
    this.#line = mine;
    this.#process = new MemberProcess({ target: loop, args: [theirs, job, init], name, daemon: true });
    this.#process.start();
    theirs.close();
    this.#process.sentinel.then(() => {
      this.#alive = false;
      this.#line.close();
      team.died(this);
    });
  }

  /** What the child is called. */
  get name(): string {
    return this.#process.name;
  }

  /** Whether the child lives. */
  get alive(): boolean {
    return this.#alive && this.#process.exitcode === null;
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
    await this.#answer("start");
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
    return await this.#answer("finish the call");
  }

  /** Gives the member back to its team. */
  release(): void {
    this.#team.released(this);
  }

  /** Lets the child go: it leaves once it is done, by force if it does not. */
  retire(): void {
    if (!this.#alive) return;
    this.#line.close();
    afterMs(LEAVING_MS).then(() => this.terminate());
  }

  /** Ends the child, whatever it does. */
  terminate(): void {
    if (this.#alive) this.#process.terminate();
  }

  async #answer(what: string): Promise<unknown> {
    for (;;) {
      let frame: AnswerFrame;
      try {
        frame = await this.#line.recv() as AnswerFrame;
      } catch (error) {
        throw await this.#explained(error, what);
      }
      const [kind, thing] = frame;
      if (kind === "notice") this.#team.notice(thing, this);
      else if (kind === "failed") throw thing;
      else return thing;
    }
  }

  /** Says how the child died, if that is why the line failed. */
  async #explained(error: unknown, what: string): Promise<unknown> {
    // Our own end of the line is closed when the child is dead.
    if (this.alive && !(error instanceof EOFError || error instanceof BrokenPipeError)) return error;
    await this.gone();
    const exitcode = this.#process.exitcode!;
    const how = exitcode < 0 ? `was ended by signal ${-exitcode}` : `ended with exit code ${exitcode}`;
    return Object.assign(new ProcessError(`Cannot ${what}: process "${this.name}" ${how}`), { exitcode });
  }
}

export type { Job, MemberContext };
