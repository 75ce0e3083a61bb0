/**
 * Other programs, as in Python's `subprocess`: started, fed, read, waited for and ended.
 *
 * ```ts
 * import { PIPE, Popen, run } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * const { stdout } = await run(["echo", "bread"], { captureOutput: true, text: true, timeout: 10_000 });
 * assert.equal(stdout, "bread\n");
 *
 * await using child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE, text: true });
 * await child.stdin.write("milk\n");
 * assert.equal(await child.stdout.readline(), "milk\n");
 * ```
 *
 * @module
 */

export type { WaitOptions } from "../base/options.ts";
export { CompletedProcess } from "./completed_process.ts";
export { CalledProcessError, SubprocessError, TimeoutExpired } from "./errors.ts";
export { list2cmdline } from "./list2cmdline.ts";
export {
  type Args,
  type CallOptions,
  type CapturedOf,
  DEVNULL,
  type Input,
  type Only,
  type OptionOf,
  type OutputOf,
  type OutputOptions,
  PIPE,
  type PipeOf,
  type PopenOptions,
  type ResultOf,
  type RunOptions,
  type Sink,
  type Source,
  STDOUT,
  type Sure,
} from "./options.ts";
export { type CommunicateOptions, Popen } from "./popen.ts";
export { ReadPipe } from "./read_pipe.ts";
export { call, checkCall, checkOutput, getoutput, getstatusoutput, run } from "./run.ts";
export { WritePipe } from "./write_pipe.ts";
