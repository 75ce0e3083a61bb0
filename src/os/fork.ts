/** fork: two processes go on from one call. */

import { RuntimeError } from "../base/errors.ts";
import { runAgain, whyNotAgain } from "../platform/again.ts";
import { parentProcess } from "../process/process.ts";
import { firstModuleOfChild, note, recall } from "./_past.ts";

/**
 * Starts a process that goes on from this very call, with 0 for what it gives.
 *
 * Deno cannot copy a process. The child runs the same main program again from its beginning, silent up to the same
 * call, which there gives 0. So, on the way to it:
 *
 * - what the program does to the world happens again: files are written, requests sent, processes started. Call `fork`
 *   early, or do only there what may be done twice. What was read from stdin is not there any more.
 * - variables become what they were, as far as the way depends on nothing but arguments: time, chance and other
 *   people's answers may differ.
 * - nothing is printed by `console`, `Deno.stdout`, `Deno.stderr` or `process.stdout`; what writes to their
 *   descriptors by itself, such as a process that was started, is seen.
 * - {@link fork}, {@link wait}, {@link waitpid}, {@link getpid} and {@link getppid} give what they gave the first time.
 *
 * A child that ends before it comes to the call, or comes there by another way, says so on stderr and has exit code 1.
 *
 * The child has the arguments, the permissions and the standard streams of this program, and begins where this program
 * began, whatever `Deno.chdir` has done since. A permission that was granted for a list of names only, and flags of
 * Deno other than permissions, it does not have. It may fork in turn. This program does not wait for it at its end, and
 * does not end it: without {@link wait} it lives on by itself.
 *
 * Python: {@link https://docs.python.org/3/library/os.html#os.fork | os.fork}, which copies the process. Here it works
 * on Windows as well.
 *
 * @returns The process id of the child; in the child, 0.
 * @throws {RuntimeError} Anywhere but on the main thread of a program that was started as `deno run FILE`: in a worker,
 * in a process started by {@link Process}, under `deno test`. Start a {@link Process} there.
 * @throws {OSError} If the process cannot be started.
 *
 * @example The program `examples/fork.ts`
 * ```ts
 * import { run } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * // console.log(`Process (${getpid()}) start...`);
 * // const pid = fork();
 * // if (pid === 0) console.log(`I am child process (${getpid()}) and my parent is ${getppid()}.`);
 * // else console.log(`I (${getpid()}) just created a child process (${pid}).`);
 * const program = new URL(import.meta.resolve("examples/fork.ts")).pathname;
 * const { stdout } = await run([Deno.execPath(), "run", "-A", program], { captureOutput: true, text: true });
 * assert.equal(stdout.match(/Process \(\d+\) start/g)!.length, 1);
 * const [, parent, child] = /I \((\d+)\) just created a child process \((\d+)\)/.exec(stdout)!;
 * assert.ok(stdout.includes(`I am child process (${child}) and my parent is ${parent}.`));
 * ```
 */
export function fork(): number {
  const why = parentProcess() === null
    ? whyNotAgain()
    : "this process was started by another one; start a Process";
  if (why !== undefined) throw new RuntimeError(`Cannot fork: ${why}`);
  const call = recall("fork") ?? note({ kind: "fork", result: runAgain(firstModuleOfChild()).pid });
  return call.result;
}
