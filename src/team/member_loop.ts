/** What a member of a team does: takes calls from its line, one after the other, until the line ends. */

import { BrokenPipeError, EOFError, PicklingError, RemoteError, TimeoutError } from "../base/errors.ts";
import type { Connection } from "../ipc/connection.ts";
import { Doze } from "../transport/doze.ts";

/** From the team to a member: the arguments of a call. */
export type CallFrame = unknown[];

/** From a member to the team. */
export type AnswerFrame =
  /** It can take calls. */
  | [kind: "ready"]
  /** What the call gave. */
  | [kind: "done", value: unknown]
  /** What the call threw; before `ready`: why the member cannot work. */
  | [kind: "failed", error: unknown]
  /** A message beside the answer. */
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
    work = await job({ notify: (message) => line.sendSync(["notice", message]) }, ...init) as typeof work;
  } catch (error) {
    await answer(line, ["failed", error]);
    return;
  }
  const doze = new Doze();
  await answer(line, ["ready"]);
  for (let args; (args = await nextCall(line, doze)) !== undefined;) {
    let frame: AnswerFrame;
    try {
      frame = ["done", await work(...args)];
    } catch (error) {
      frame = ["failed", error];
    }
    await answer(line, frame);
  }
}

/** The next call; `undefined` at the end of the line. The next one often comes soon, so the thread dozes first. */
async function nextCall(line: Connection<unknown>, doze: Doze): Promise<CallFrame | undefined> {
  try {
    let args: unknown;
    const turn = doze.turn();
    if (turn !== undefined) await turn;
    const came = doze.until((ms) => {
      try {
        args = line.recvSync({ timeout: ms });
        return true;
      } catch (error) {
        if (error instanceof TimeoutError) return false;
        throw error;
      }
    });
    return (came ? args : await line.recv()) as CallFrame;
  } catch (error) {
    if (error instanceof EOFError) return undefined;
    throw error;
  }
}

/** Sends an answer; one that cannot travel becomes an error that says so. */
async function answer(line: Connection<unknown>, frame: AnswerFrame): Promise<void> {
  try {
    await line.send(frame);
  } catch (error) {
    if (error instanceof BrokenPipeError) return; // the team has let us go in the meantime
    if (!(error instanceof PicklingError)) throw error;
    const [kind, thing] = frame;
    await line.send(
      ["failed", kind === "failed" ? new RemoteError(String(thing)) : error] satisfies AnswerFrame,
    );
  }
}
