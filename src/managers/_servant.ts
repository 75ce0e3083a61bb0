/** Servants: how the server does what a proxy asks, on behalf of the process that asks. */

import { PicklingError, RemoteError } from "../base/errors.ts";
import type { Address } from "../process/target.ts";
import { findExport } from "../team/whereabouts.ts";
import type { Caller } from "../transport/remote.ts";

/** On whose behalf a servant does something. */
export interface Asker extends Caller {
  /** Aborted when it is gone. */
  readonly gone: AbortSignal;
  /** Whether it is of the program that the server belongs to, and may name functions for the server to call. */
  readonly ours: boolean;
}

/** Does what proxies ask of one object. */
export interface Servant {
  /** The object. */
  readonly object: unknown;
  /** Calls a method of it. */
  invoke(method: string, args: readonly unknown[], asker: Asker): unknown;
  /** Methods that must be done before anything that is asked of the object later, although they take a while. */
  readonly exclusive?: ReadonlySet<string>;
  /** Methods whose answers must arrive, or be undone. */
  readonly undoable?: ReadonlySet<string>;
  /** Ends what goes on in the object, for the end of the server. */
  stop?(): Promise<void>;
  /** Takes back what a method did, because its answer never arrived. */
  undo?(method: string, answer: unknown): void;
}

/** What a registered type lets its proxies do. */
export interface Exposure {
  /** The methods that can be called; every public one when left out. */
  readonly exposed?: readonly string[] | undefined;
  /** Of methods whose results stay in the server: which types these are. */
  readonly methodToTypeid?: Readonly<Record<string, string>> | undefined;
}

/** Puts a result into the server and gives a proxy of it. */
export type Share = (typeid: string, object: unknown) => unknown;

/** Methods by their names. */
export type Methods = Readonly<Record<string, (args: readonly unknown[], asker: Asker) => unknown>>;

/** The error for a method that an object does not have, or does not expose. */
export function notExposed(typeid: string, method: string): RemoteError {
  return new RemoteError(
    `Cannot call ${method}() of a shared ${typeid}: it is not among the methods it exposes`,
  );
}

/** The servant of something whose methods are listed here. */
export class TableServant implements Servant {
  readonly object: unknown;
  readonly #typeid: string;
  readonly #methods: Methods;

  constructor(typeid: string, object: unknown, methods: Methods) {
    this.#typeid = typeid;
    this.object = object;
    this.#methods = methods;
  }

  invoke(method: string, args: readonly unknown[], asker: Asker): unknown {
    if (!Object.hasOwn(this.#methods, method)) throw notExposed(this.#typeid, method);
    return this.#methods[method]!(args, asker);
  }
}

/** Any function at all. */
// deno-lint-ignore no-explicit-any -- what it is called with is between the caller and the function
export type Work = (...args: any[]) => unknown;

/** Imports the function that a process of ours names. Others cannot have code run: a socket carries none. */
export async function findWork(where: unknown, { ours }: Asker): Promise<Work> {
  if (ours) return await findExport(where as Address) as Work;
  throw new PicklingError(
    "Cannot call the function: the server takes functions from processes of its own program only, and none over a socket",
  );
}
