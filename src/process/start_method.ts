/** Which start method a process gets when none is named. */

import { ValueError } from "../base/errors.ts";
import type { StartMethod } from "./hub.ts";

const METHODS: readonly StartMethod[] = ["worker", "spawn"];
let chosen: StartMethod = "worker";

/**
 * Sets the start method of every process that is made from now on without one of its own. The children that are
 * started have it too.
 *
 * Python: `multiprocessing.set_start_method`. Here it may be called more than once.
 *
 * @param method `"worker"`: a Deno Worker, which shares memory with this process and starts in a few milliseconds.
 * `"spawn"`: an operating-system process.
 * @throws {ValueError} If there is no such method.
 *
 * @example Run what follows in operating-system processes
 * ```ts
 * import { getStartMethod, setStartMethod } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * setStartMethod("spawn");
 * assert.equal(getStartMethod(), "spawn");
 * setStartMethod("worker");
 * ```
 */
export function setStartMethod(method: StartMethod): void {
  chosen = checkedMethod(method);
}

/**
 * The start method that processes get when none is named.
 *
 * Python: `multiprocessing.get_start_method`.
 *
 * @returns `"worker"` or `"spawn"`.
 *
 * @example
 * ```ts
 * import { getContext, getStartMethod } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * assert.equal(getStartMethod(), "worker");
 * assert.equal(getContext().name, getStartMethod());
 * ```
 */
export function getStartMethod(): StartMethod {
  return chosen;
}

/**
 * Every start method there is, the default first.
 *
 * Python: `multiprocessing.get_all_start_methods`.
 *
 * @returns `["worker", "spawn"]`.
 *
 * @example Do something under each
 * ```ts
 * import { getAllStartMethods, getContext } from "@multiprocessing/deno";
 * import { square } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * for (const method of getAllStartMethods()) {
 *   const mp = getContext(method);
 *   await using child = new mp.Process({ target: square, args: [3] });
 *   child.start();
 *   await child.join();
 *   assert.equal(child.exitcode, 0);
 * }
 * ```
 */
export function getAllStartMethods(): StartMethod[] {
  return [...METHODS];
}

/** Throws a {@link ValueError} for what is no start method. */
export function checkedMethod(method: unknown): StartMethod {
  if (!METHODS.includes(method as StartMethod)) {
    throw new ValueError(
      `Cannot find context for ${JSON.stringify(method)}: the start methods are "worker" and "spawn"`,
    );
  }
  return method as StartMethod;
}
