/** Running a program to its end, in one call. */

import { ValueError } from "../base/errors.ts";
import { checkInput } from "./_plan.ts";
import { CompletedProcess } from "./completed_process.ts";
import { CalledProcessError } from "./errors.ts";
import {
  type Args,
  type CallOptions,
  type CapturedOf,
  type Only,
  type OutputOf,
  type OutputOptions,
  PIPE,
  type PopenOptions,
  type RunOptions,
  STDOUT,
} from "./options.ts";
import { abandon, Popen } from "./popen.ts";

/**
 * Runs a program and waits for its end.
 *
 * - Without `captureOutput` or `PIPE`, it writes where this program writes.
 * - When the time is over, or `signal` aborts, it is killed, and nothing of it is left when the call rejects. What it has
 *   started itself may live on, as in Python, and holds nothing up.
 *
 * Python: {@link https://docs.python.org/3/library/subprocess.html#subprocess.run | subprocess.run}.
 * Here `timeout` is in milliseconds.
 *
 * @typeParam O The options, from which follows what is captured.
 * @param args The program and its arguments; a string is the program's name alone, or with `shell` the command line.
 * @param options How it is run, and what becomes of its output.
 * @returns How it ended, and what was captured.
 * @throws {CalledProcessError} With `check`, if its exit code is not 0.
 * @throws {TimeoutExpired} If it takes longer, with what has come so far. An aborted `signal` throws its own reason.
 * @throws {OSError} If it cannot be started: see {@link Popen}.
 * @throws {ValueError} If the options contradict each other.
 *
 * @example
 * ```ts
 * import { run } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * const { stdout } = await run(["sort"], { input: "milk\nbread\n", captureOutput: true, text: true, check: true });
 * assert.equal(stdout, "bread\nmilk\n");
 * ```
 */
export async function run<const O extends RunOptions = RunOptions>(
  args: Args,
  options?: Only<O, RunOptions>,
): Promise<CompletedProcess<CapturedOf<O, "stdout">, CapturedOf<O, "stderr">>> {
  const { input, captureOutput, check, timeout, signal, ...start }: RunOptions = options ?? {};
  checkInput(input);
  const given = (value: unknown) => value !== undefined && value !== null;
  if (given(input) && given(start.stdin)) {
    throw new ValueError("Cannot run: stdin and input arguments may not both be used");
  }
  if (captureOutput && (given(start.stdout) || given(start.stderr))) {
    throw new ValueError("Cannot run: stdout and stderr arguments may not be used with captureOutput");
  }
  const streams: PopenOptions = {
    ...(given(input) && { stdin: PIPE }),
    ...(captureOutput && { stdout: PIPE, stderr: PIPE }),
  };
  const [returncode, [stdout, stderr]] = await attended(
    args,
    { ...start, ...streams },
    signal,
    (child) => child.communicate(input, { timeout, signal }),
  );
  const done = new CompletedProcess(args, returncode, stdout, stderr);
  if (check) done.checkReturncode();
  return done as CompletedProcess<CapturedOf<O, "stdout">, CapturedOf<O, "stderr">>;
}

/**
 * Runs a program, waits for its end and gives its exit code. Its output goes where this program's goes, unless options
 * say otherwise; a pipe that nobody reads would stop it.
 *
 * Python: {@link https://docs.python.org/3/library/subprocess.html#subprocess.call | subprocess.call}.
 *
 * @param args The program and its arguments; a string is the program's name alone, or with `shell` the command line.
 * @param options How it is run.
 * @returns Its exit code; −N if it was ended by signal N.
 * @throws {TimeoutExpired} If it takes longer; it is killed. An aborted `signal` throws its own reason.
 * @throws {OSError} If it cannot be started: see {@link Popen}.
 *
 * @example
 * ```ts
 * import { call } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * assert.equal(await call(["test", "-d", "."]), 0);
 * assert.equal(await call("exit 3", { shell: true }), 3);
 * ```
 */
export async function call(args: Args, options: CallOptions = {}): Promise<number> {
  const { timeout, signal, ...start } = options;
  const [returncode] = await attended(args, start, signal, (child) => child.wait({ timeout, signal }));
  return returncode;
}

/**
 * Like {@link call}, but it must end well.
 *
 * Python: {@link https://docs.python.org/3/library/subprocess.html#subprocess.check_call | subprocess.check_call}.
 *
 * @param args The program and its arguments; a string is the program's name alone, or with `shell` the command line.
 * @param options How it is run.
 * @returns Always 0.
 * @throws {CalledProcessError} If its exit code is not 0.
 * @throws {TimeoutExpired} If it takes longer; it is killed. An aborted `signal` throws its own reason.
 * @throws {OSError} If it cannot be started: see {@link Popen}.
 *
 * @example
 * ```ts
 * import { CalledProcessError, checkCall } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * assert.equal(await checkCall(["true"]), 0);
 * await assert.rejects(checkCall(["false"]), CalledProcessError);
 * ```
 */
export async function checkCall(args: Args, options: CallOptions = {}): Promise<0> {
  const returncode = await call(args, options);
  if (returncode !== 0) throw new CalledProcessError(returncode, args);
  return 0;
}

/**
 * Runs a program that must end well, and gives what it wrote on stdout.
 *
 * Python: {@link https://docs.python.org/3/library/subprocess.html#subprocess.check_output | subprocess.check_output}.
 *
 * @typeParam O The options, from which follows whether the output is bytes or text.
 * @param args The program and its arguments; a string is the program's name alone, or with `shell` the command line.
 * @param options How it is run. `stderr: STDOUT` has its error output in the result.
 * @returns Its output.
 * @throws {CalledProcessError} If its exit code is not 0; its `output` is what it wrote.
 * @throws {TimeoutExpired} If it takes longer; it is killed. An aborted `signal` throws its own reason.
 * @throws {OSError} If it cannot be started: see {@link Popen}.
 * @throws {ValueError} If `stdout` or `check` is given.
 *
 * @example
 * ```ts
 * import { checkOutput, STDOUT } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(await checkOutput(["printf", "bread"]), new TextEncoder().encode("bread"));
 * const both = await checkOutput("echo bread; echo no milk >&2", { shell: true, stderr: STDOUT, text: true });
 * assert.equal(both, "bread\nno milk\n");
 * ```
 */
export async function checkOutput<const O extends OutputOptions = OutputOptions>(
  args: Args,
  options?: Only<O, OutputOptions>,
): Promise<OutputOf<O>> {
  const given: OutputOptions = options ?? {};
  for (const name of ["stdout", "check"]) {
    if (name in given) {
      throw new ValueError(`Cannot check the output: ${name} argument not allowed, it will be overridden`);
    }
  }
  // As in Python, `null` is no input at all, where nothing given would be ours.
  const input = given.input === null ? { input: "" } : {};
  const { stdout } = await run(args, { ...given, ...input, stdout: PIPE, check: true });
  return stdout as OutputOf<O>;
}

/**
 * Runs a command in a shell, and gives its exit code and everything it wrote, as text without the last newline.
 *
 * Python: {@link https://docs.python.org/3/library/subprocess.html#subprocess.getstatusoutput | getstatusoutput}.
 *
 * @param cmd What the shell is told.
 * @param options The encoding, and how long it may take.
 * @returns Its exit code and its output, stdout and stderr together.
 * @throws {TimeoutExpired} If it takes longer; it is killed. An aborted `signal` throws its own reason.
 *
 * @example
 * ```ts
 * import { getstatusoutput } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(await getstatusoutput("echo bread; exit 3"), [3, "bread"]);
 * ```
 */
export async function getstatusoutput(
  cmd: string,
  options: Pick<CallOptions, "encoding" | "errors" | "timeout" | "signal"> = {},
): Promise<[status: number, output: string]> {
  const { returncode, stdout } = await run(cmd, {
    ...options,
    shell: true,
    text: true,
    stdout: PIPE,
    stderr: STDOUT,
  });
  return [returncode, stdout.replace(/\n$/, "")];
}

/**
 * Like {@link getstatusoutput}, without the exit code.
 *
 * Python: {@link https://docs.python.org/3/library/subprocess.html#subprocess.getoutput | getoutput}.
 *
 * @param cmd What the shell is told.
 * @param options The encoding, and how long it may take.
 * @returns Its output, stdout and stderr together.
 * @throws {TimeoutExpired} If it takes longer; it is killed. An aborted `signal` throws its own reason.
 *
 * @example
 * ```ts
 * import { getoutput } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * assert.equal(await getoutput("echo bread"), "bread");
 * ```
 */
export async function getoutput(
  cmd: string,
  options: Pick<CallOptions, "encoding" | "errors" | "timeout" | "signal"> = {},
): Promise<string> {
  return (await getstatusoutput(cmd, options))[1];
}

/** Starts a child, does `work` with it and sees it to its end; kills it if the work fails. */
async function attended<T>(
  args: Args,
  options: PopenOptions,
  signal: AbortSignal | undefined,
  work: (child: Popen) => Promise<T>,
): Promise<[returncode: number, result: T]> {
  signal?.throwIfAborted();
  const child: Popen = new Popen(args, options);
  try {
    const result = await work(child);
    await child[Symbol.asyncDispose]();
    return [child.returncode!, result];
  } catch (error) {
    await abandon(child);
    throw error;
  }
}
