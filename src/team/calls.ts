/** The job of a team that runs whatever function it is sent: looks functions up once, and runs calls and chunks. */

import type { Address } from "../process/target.ts";
import { Sealed } from "../transport/sealed.ts";
import type { MemberContext } from "./member_loop.ts";
import { findExport } from "./whereabouts.ts";

/** How the arguments of a call are meant. */
export type CallKind =
  /** They are the arguments. */
  | "call"
  /** Each is the one argument of a call of its own; the result is the list of results. */
  | "map"
  /** Each is the list of arguments of a call of its own; the result is the list of results. */
  | "starmap";

/**
 * A call as it goes to a member. Until one of a function has given a result there, its address comes along, and the
 * arguments are sealed: the classes in them may be known only once the function's module has been imported.
 */
export type PostedCall = [fn: number, kind: CallKind, args: unknown[] | Sealed, address?: Address];

// deno-lint-ignore no-explicit-any -- whatever the caller's function takes
type Fn = (...args: any[]) => unknown;

/** The job: runs the initializer, and gives the function that runs calls. */
export async function callRunner(
  _context: MemberContext,
  initializer: Address | null,
  initargs: Sealed,
): Promise<(...call: PostedCall) => unknown> {
  if (initializer !== null) {
    const initialize = await findExport(initializer).catch((error) => {
      initargs.discard();
      throw error;
    });
    await (initialize as Fn)(...initargs.open() as unknown[]);
  }
  const known = new Map<number, Fn>();
  return (number, kind, args, address) => {
    const fn = known.get(number);
    if (fn !== undefined) return run(fn, kind, args);
    return findExport(address!).then((found) => {
      known.set(number, found as Fn);
      return run(found as Fn, kind, args);
    }, (error) => {
      // They go back, for another try.
      throw Object.assign(error, { args });
    });
  };
}

function run(fn: Fn, kind: CallKind, given: unknown[] | Sealed): unknown {
  const args = (given instanceof Sealed ? given.open() : given) as unknown[];
  switch (kind) {
    case "call":
      return fn(...args);
    case "map":
      return each(args, (item) => fn(item));
    case "starmap":
      return each(args as unknown[][], (item) => fn(...item));
  }
}

/** One after the other, as in Python; ends at the first that throws. */
function each<T>(items: T[], call: (item: T) => unknown): unknown[] | Promise<unknown[]> {
  const results: unknown[] = [];
  for (let at = 0; at < items.length; at++) {
    const result = call(items[at]!);
    if (isThenable(result)) return eachAsync(items, call, results, result);
    results.push(result);
  }
  return results;
}

async function eachAsync<T>(
  items: T[],
  call: (item: T) => unknown,
  results: unknown[],
  first: PromiseLike<unknown>,
): Promise<unknown[]> {
  results.push(await first);
  while (results.length < items.length) results.push(await call(items[results.length]!));
  return results;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}
