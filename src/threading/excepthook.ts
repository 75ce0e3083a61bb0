/** What happens to errors that a thread does not catch. */

import { printError } from "../platform/runtime.ts";
import type { Thread } from "./thread.ts";

/** What a hook for uncaught errors is told. */
export interface ExceptHookArgs {
  /** The class of what was thrown; `undefined` if it is no object. */
  excType: unknown;
  /** What was thrown. */
  excValue: unknown;
  /** Its stack as text, if it has one. */
  excTraceback: string | undefined;
  /** The thread that threw it. */
  thread: Thread;
}

/** Called with each error that a thread does not catch. */
export type ExceptHook = (args: ExceptHookArgs) => void;

let hook: ExceptHook = excepthook;

/**
 * What is done with an error that a thread does not catch, unless {@link setExcepthook} says otherwise: prints
 * `Exception in thread NAME:` and the error with its stack on stderr.
 *
 * Python: {@link https://docs.python.org/3/library/threading.html#threading.excepthook | threading.excepthook}, which
 * is assigned to; here it is what Python calls `threading.__excepthook__`.
 *
 * @param args What was thrown, and by which thread.
 *
 * @example
 * ```ts
 * import { excepthook, setExcepthook } from "@multiprocessing/deno/threading";
 * import assert from "node:assert/strict";
 *
 * let uncaught = 0;
 * const before = setExcepthook((args) => {
 *   uncaught++;
 *   excepthook(args); // and print it, as ever
 * });
 * assert.equal(before, excepthook);
 * assert.equal(uncaught, 0);
 * setExcepthook(before);
 * ```
 */
export function excepthook(args: ExceptHookArgs): void {
  printError(`Exception in thread ${args.thread.name}:`, args.excValue);
}

/**
 * Says what is done from now on with errors that threads of this process do not catch.
 *
 * Python: an assignment to `threading.excepthook`.
 *
 * @param replacement What is called with each of them; {@link excepthook} again when left out. If it throws itself,
 * that is printed on stderr.
 * @returns What was called until now.
 *
 * @example
 * ```ts
 * import { setExcepthook, Thread } from "@multiprocessing/deno/threading";
 * import assert from "node:assert/strict";
 *
 * const seen: string[] = [];
 * const before = setExcepthook(({ excValue, thread }) => seen.push(`${thread.name}: ${excValue}`));
 * const thread = new Thread({ target: () => Promise.reject(new RangeError("no such seat")), name: "usher" });
 * thread.start();
 * await thread.join();
 * assert.deepEqual(seen, ["usher: RangeError: no such seat"]);
 * setExcepthook(before);
 * ```
 */
export function setExcepthook(replacement: ExceptHook = excepthook): ExceptHook {
  const before = hook;
  hook = replacement;
  return before;
}

/** Calls the hook for an error that `thread` did not catch. */
export function reportUncaught(error: unknown, thread: Thread): void {
  try {
    hook({
      excType: (error as { constructor?: unknown } | null | undefined)?.constructor,
      excValue: error,
      excTraceback: error instanceof Error ? error.stack : undefined,
      thread,
    });
  } catch (failure) {
    printError("Exception in threading.excepthook:", failure);
  }
}
