/** A lane that lives in another operating-system process, or is reached through the hub. */

import { PicklingError, ValueError } from "../base/errors.ts";
import { decode, encode, type EncodeOptions } from "./codec.ts";
import {
  ENDED,
  type Lane,
  noSyncHere,
  NOTHING,
  type PutResult,
  type Reader,
  type SharedLane,
  SHUT,
  type Taken,
} from "./lane.ts";
import type { Caller, Link } from "./remote.ts";

const WORDS: Readonly<Record<string, symbol>> = { nothing: NOTHING, shut: SHUT, ended: ENDED };

/** The words for a taskDone() too many. */
export const TOO_OFTEN = "task_done() called too many times: every item that was put is finished with";

/** What is taken for somebody else is for them to rebuild. */
const inTransit: Reader = (bytes, attachments) => decode(bytes, attachments, undefined, true);

/** Of what a {@link RemoteLane} asks: whether it brings a value that is only handed on here. */
export function bringsValue(method: string): boolean {
  return method === "put" || method === "restore";
}

/** Does for a link what a {@link RemoteLane} asks of the lane that lives here. */
export function invokeLane(lane: Lane, method: string, args: readonly unknown[], caller: Caller): unknown {
  switch (method) {
    case "put":
      return lane.put(args[0], {}, args[1] as number, caller.signal);
    case "take":
      return lane.take(args[0] as number, caller.signal, inTransit).then((taken) => {
        const word = Object.keys(WORDS).find((key) => WORDS[key] === taken);
        return word ?? [taken];
      });
    case "ready":
      return lane.ready(args[0] as number, caller.signal);
    case "taskDone":
      if (!lane.taskDone()) throw new ValueError(TOO_OFTEN);
      return undefined;
    case "join":
      return lane.join(args[0] as number, caller.signal);
    case "shut":
      return lane.shut(args[0] as boolean);
    default:
      throw new TypeError(`Cannot call ${method}() of a lane`);
  }
}

/** Takes back an answer of {@link invokeLane} that never arrived: what was taken is put back where it was. */
export function undoLane(lane: SharedLane, method: string, answer: unknown): void {
  if (method === "take" && Array.isArray(answer)) lane.restore(answer[0]);
}

/** How a {@link RemoteLane} reaches its home: through the core of the handle that it belongs to. */
export interface Wire {
  /** The link that the requests go over. */
  readonly link: Link;
  /** Asks the lane's home. */
  ask(method: string, args: readonly unknown[], signal?: AbortSignal): Promise<unknown>;
  /** Tells the lane's home. */
  tell(method: string, args: readonly unknown[]): void;
  /** Values in the lane, as of the last answer. */
  count(): number;
}

/** A lane whose operations are requests. */
export class RemoteLane implements Lane {
  readonly #wire: Wire;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  get count(): number {
    return this.#wire.count();
  }

  async put(value: unknown, options: EncodeOptions, ms: number, signal?: AbortSignal): Promise<PutResult> {
    signal?.throwIfAborted();
    let answer: Promise<unknown>;
    try {
      answer = this.#wire.ask("put", [value, ms], signal);
    } catch (error) {
      // Once more by itself, so that the message names the path within the value.
      if (error instanceof PicklingError) encode(value, { ...options, wire: true, context: this.#wire.link });
      throw error;
    }
    for (const moved of options.transfer ?? []) if (moved instanceof ArrayBuffer) moved.transfer();
    return await answer as PutResult;
  }

  putSync(): PutResult {
    throw noSyncHere("putSync");
  }

  async take(ms: number, signal?: AbortSignal): Promise<Taken> {
    signal?.throwIfAborted();
    const answer = await this.#wire.ask("take", [ms], signal) as string | [unknown];
    if (typeof answer === "string") return WORDS[answer];
    return answer[0];
  }

  takeSync(): Taken {
    throw noSyncHere("getSync");
  }

  async ready(ms: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    return await this.#wire.ask("ready", [ms], signal) as boolean;
  }

  shut(immediate: boolean): void {
    this.#wire.tell("shut", [immediate]);
  }

  taskDone(): boolean {
    this.#wire.tell("taskDone", []);
    return true;
  }

  async join(ms: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    return await this.#wire.ask("join", [ms], signal) as boolean;
  }

  joinSync(): boolean {
    throw noSyncHere("joinSync");
  }
}
