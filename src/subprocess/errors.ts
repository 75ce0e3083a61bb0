/** What goes wrong with processes that were started: they fail, or take too long. */

import { signalName } from "../platform/signals.ts";
import { travelsAsError } from "../transport/registry.ts";
import type { Args } from "./options.ts";

/** A command as part of a sentence. */
export function shownArgs(args: Args): string {
  return typeof args === "string" ? args : JSON.stringify(args);
}

/**
 * The base of the errors of this module.
 *
 * Python: {@link https://docs.python.org/3/library/subprocess.html#subprocess.SubprocessError | SubprocessError}.
 *
 * @example Catch whatever went wrong with a process that ran
 * ```ts
 * import { checkCall, SubprocessError } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * await assert.rejects(checkCall("exit 3", { shell: true }), SubprocessError);
 * ```
 */
export class SubprocessError extends Error {}
Object.defineProperty(SubprocessError.prototype, "name", {
  value: "SubprocessError",
  configurable: true,
  writable: true,
});
travelsAsError(SubprocessError);

/**
 * A process ended with another exit code than 0, and `check` was asked for.
 *
 * Python: {@link https://docs.python.org/3/library/subprocess.html#subprocess.CalledProcessError | CalledProcessError}.
 *
 * @typeParam Out What was captured of stdout.
 * @typeParam Err What was captured of stderr.
 *
 * @example What it had to say
 * ```ts
 * import { CalledProcessError, run } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * const failing = run("echo no bread >&2; exit 3", { shell: true, captureOutput: true, text: true, check: true });
 * await assert.rejects(failing, (error) => {
 *   assert.ok(error instanceof CalledProcessError);
 *   assert.deepEqual([error.returncode, error.stderr], [3, "no bread\n"]);
 *   return true;
 * });
 * ```
 */
export class CalledProcessError<Out = unknown, Err = unknown> extends SubprocessError {
  /** Its exit code; −N if it was ended by signal N. */
  readonly returncode: number;
  /** What was run. */
  readonly cmd: Args;
  /** What was captured of its stdout; `null` if nothing was to be. */
  readonly output: Out | null;
  /** What was captured of its stderr; `null` if nothing was to be. */
  readonly stderr: Err | null;

  /**
   * Makes the error.
   *
   * @param returncode Its exit code; −N for signal N.
   * @param cmd What was run.
   * @param output What was captured of its stdout.
   * @param stderr What was captured of its stderr.
   */
  constructor(returncode: number, cmd: Args, output: Out | null = null, stderr: Err | null = null) {
    super(`Command '${shownArgs(cmd)}' ${howItEnded(returncode)}`);
    this.returncode = returncode;
    this.cmd = cmd;
    this.output = output;
    this.stderr = stderr;
  }

  /** The same as {@link CalledProcessError.output}. */
  get stdout(): Out | null {
    return this.output;
  }
}
Object.defineProperty(CalledProcessError.prototype, "name", {
  value: "CalledProcessError",
  configurable: true,
  writable: true,
});
travelsAsError(CalledProcessError);

function howItEnded(returncode: number): string {
  if (returncode >= 0) return `returned non-zero exit status ${returncode}.`;
  const name = signalName(-returncode);
  return name === undefined
    ? `died with unknown signal ${-returncode}.`
    : `died with signal ${name} (${-returncode}).`;
}

/**
 * A process took longer than its `timeout`. {@link run} and its like have ended it; after {@link Popen.wait} and
 * {@link Popen.communicate} it still runs.
 *
 * Python: {@link https://docs.python.org/3/library/subprocess.html#subprocess.TimeoutExpired | TimeoutExpired}.
 * Here `timeout` is in milliseconds. As there, the output is bytes even in text mode, since it may end amid a
 * character.
 *
 * @example What came until then, if anything did
 * ```ts
 * import { checkOutput, TimeoutExpired } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * await assert.rejects(checkOutput("echo so far; exec sleep 60", { shell: true, timeout: 100 }), (error) => {
 *   assert.ok(error instanceof TimeoutExpired);
 *   const soFar = new TextDecoder().decode(error.output ?? new Uint8Array(0));
 *   assert.ok("so far\n".startsWith(soFar));
 *   return true;
 * });
 * ```
 */
export class TimeoutExpired extends SubprocessError {
  /** What was run. */
  readonly cmd: Args;
  /** How long was waited, in milliseconds. */
  readonly timeout: number;
  /** What had come from its stdout; `null` if nothing had, or nothing was captured. */
  readonly output: Uint8Array<ArrayBuffer> | null;
  /** What had come from its stderr; `null` if nothing had, or nothing was captured. */
  readonly stderr: Uint8Array<ArrayBuffer> | null;

  /**
   * Makes the error.
   *
   * @param cmd What was run.
   * @param timeout How long was waited, in milliseconds.
   * @param output What had come from its stdout.
   * @param stderr What had come from its stderr.
   */
  constructor(
    cmd: Args,
    timeout: number,
    output: Uint8Array<ArrayBuffer> | null = null,
    stderr: Uint8Array<ArrayBuffer> | null = null,
  ) {
    super(`Command '${shownArgs(cmd)}' timed out after ${timeout} ms`);
    this.cmd = cmd;
    this.timeout = timeout;
    this.output = output;
    this.stderr = stderr;
  }

  /** The same as {@link TimeoutExpired.output}. */
  get stdout(): Uint8Array<ArrayBuffer> | null {
    return this.output;
  }
}
Object.defineProperty(TimeoutExpired.prototype, "name", {
  value: "TimeoutExpired",
  configurable: true,
  writable: true,
});
travelsAsError(TimeoutExpired);
