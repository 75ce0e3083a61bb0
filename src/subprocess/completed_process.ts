/** CompletedProcess: how a process that was run to its end has ended, and what it said. */

import { travels } from "../transport/registry.ts";
import { CalledProcessError } from "./errors.ts";
import type { Args } from "./options.ts";

/**
 * What {@link run} gives: a process that has ended. It travels to other processes.
 *
 * Python: {@link https://docs.python.org/3/library/subprocess.html#subprocess.CompletedProcess | CompletedProcess}.
 *
 * @typeParam Out What was captured of stdout: bytes or text, or `null` if nothing was to be.
 * @typeParam Err What was captured of stderr.
 *
 * @example
 * ```ts
 * import { run } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * const done = await run(["echo", "bread"], { captureOutput: true, text: true });
 * assert.deepEqual([done.returncode, done.stdout, done.stderr], [0, "bread\n", ""]);
 * done.checkReturncode(); // throws unless it is 0
 * ```
 */
export class CompletedProcess<Out = unknown, Err = unknown> {
  /** What was run. */
  readonly args: Args;
  /** Its exit code; −N if it was ended by signal N. */
  readonly returncode: number;
  /** What was captured of its stdout; `null` if nothing was to be. */
  readonly stdout: Out;
  /** What was captured of its stderr; `null` if nothing was to be. */
  readonly stderr: Err;

  /**
   * Describes a process that has ended.
   *
   * @param args What was run.
   * @param returncode Its exit code; −N for signal N.
   * @param stdout What was captured of its stdout.
   * @param stderr What was captured of its stderr.
   */
  constructor(args: Args, returncode: number, stdout: Out, stderr: Err) {
    this.args = args;
    this.returncode = returncode;
    this.stdout = stdout;
    this.stderr = stderr;
  }

  /**
   * Checks that it has ended well.
   *
   * @throws {CalledProcessError} If its exit code is not 0.
   */
  checkReturncode(): void {
    if (this.returncode !== 0) {
      throw new CalledProcessError(this.returncode, this.args, this.stdout, this.stderr);
    }
  }
}

travels<CompletedProcess, ConstructorParameters<typeof CompletedProcess>>(CompletedProcess, {
  tag: "CompletedProcess",
  pack: ({ args, returncode, stdout, stderr }) => [args, returncode, stdout, stderr],
  unpack: (parts) => new CompletedProcess(...parts),
});
