/** What a member of a team does: takes calls from its line, one after the other, until the line ends. */

import { BrokenPipeError, PicklingError, RemoteError } from "../base/errors.ts";
import { type Connection, lanesOf } from "../ipc/connection.ts";
import { afterMs, exitNow, settledWithin } from "../platform/runtime.ts";
import { activeChildren, currentProcess, workDone } from "../process/process.ts";
import { describe, encode } from "../transport/codec.ts";
import { Doze } from "../transport/doze.ts";
import { ENDED, type Lane, NOTHING, SharedLane, type Taken } from "../transport/lane.ts";
import { type ErrorClass, lostClass } from "./error_class.ts";
import { parentalTeams } from "./parental_teams.ts";
import { traced } from "./traced.ts";

/** How long a member that was let go has to end by itself. */
export const LEAVING_MS = 500;

/** From the team to a member: the arguments of a call. */
export type CallFrame = unknown[];

/** From a member to the team. */
export type AnswerFrame =
  /** It can take calls. */
  | [kind: "ready"]
  /** What the call gave, and how long it took. */
  | [kind: "done", value: unknown, ms: number]
  /**
   * What the call threw; before `ready`: why the member cannot work. An error's cause is its stack there. The class
   * comes along where the error loses it.
   */
  | [kind: "failed", error: unknown, ms: number, lost?: ErrorClass]
  /** A message beside the answers. */
  | [kind: "notice", message: unknown];

/** What the job of a team is given beside its own arguments. */
export interface MemberContext {
  /** Sends a message to the team at once, also from the midst of a call. */
  notify(message: unknown): void;
}

/** The job of a team: called once in each member, gives the function that takes the calls. */
// deno-lint-ignore no-explicit-any -- what it is called with is between the team's owner and its job
export type Job = (context: MemberContext, ...init: any[]) => unknown;

/** The loop of one member. */
export async function memberLoop(
  line: Connection<unknown>,
  job: Job,
  init: unknown[],
): Promise<void> {
  let work: (...args: unknown[]) => unknown;
  try {
    work = await job({ notify: (message) => void tell(line, ["notice", message]) }, ...init) as typeof work;
  } catch (error) {
    await tell(line, failure(error, 0));
    return;
  }
  const calls = lanesOf(line).incoming;
  const doze = calls instanceof SharedLane ? new Doze() : undefined;
  await tell(line, ["ready"]);
  for (;;) {
    let frame: AnswerFrame;
    let startedMs = 0;
    try {
      const args = await nextCall(calls, doze);
      if (args === ENDED) return leave();
      startedMs = performance.now();
      const value = await work(...args as CallFrame);
      frame = ["done", value, performance.now() - startedMs];
    } catch (error) {
      frame = failure(error, startedMs === 0 ? 0 : performance.now() - startedMs);
    }
    await tell(line, frame);
  }
}

/**
 * The team has let us go. A daemon it ends itself. Who may have children ends after them, as any process does; all else
 * that goes on here (timers, listeners) has a little time.
 */
function leave(): void {
  if (currentProcess().daemon) return;
  afterMs(LEAVING_MS).then(async () => {
    await workDone();
    parentalTeams.letGo();
    for (let child; (child = activeChildren().find((child) => !child.daemon)) !== undefined;) {
      await settledWithin(child.sentinel, Infinity);
    }
    exitNow(0);
  });
}

/** The next call, or the end of the line. The next one often comes soon, so a thread that can dozes first. */
async function nextCall(calls: Lane, doze: Doze | undefined): Promise<Taken> {
  if (doze === undefined) return await calls.take(Infinity);
  const turn = doze.turn();
  if (turn !== undefined) await turn;
  let taken: Taken = NOTHING;
  const came = doze.until((ms) => (taken = calls.takeSync(ms)) !== NOTHING);
  return came ? taken : await calls.take(Infinity);
}

function failure(error: unknown, ms: number): AnswerFrame {
  const lost = lostClass(error);
  const thrown = traced(error);
  return lost === undefined ? ["failed", thrown, ms] : ["failed", thrown, ms, lost];
}

/** Tells the team something; what cannot travel becomes an error that says so. */
async function tell(line: Connection<unknown>, frame: AnswerFrame): Promise<void> {
  try {
    try {
      await line.send(frame);
    } catch (error) {
      if (error instanceof BrokenPipeError || frame[0] === "notice") throw error;
      await line.send(failure(refusal(frame, error), 0));
    }
  } catch (error) {
    if (!(error instanceof BrokenPipeError)) throw error; // the team has let us go in the meantime
  }
}

/** Why a frame could not be sent, in the words of whoever made the call. */
function refusal([kind, thing]: AnswerFrame, error: unknown): unknown {
  if (kind === "failed") return new RemoteError(describe(thing), { cause: error });
  if (!(error instanceof PicklingError)) return error;
  try {
    // Once more by itself, so that the message names the path within the result.
    encode(thing, { root: "result", receiver: "the process that asked for it" });
  } catch (why) {
    return why;
  }
  return error;
}
