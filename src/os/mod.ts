/**
 * The part of Python's `os` that concerns processes: who am I, `fork`, `wait`.
 *
 * ```ts
 * import { cpuCount, getpid, wait, WEXITSTATUS } from "@multiprocessing/deno/os";
 * import { Popen } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * assert.ok(cpuCount() >= 1);
 * const child = new Popen("exit 3", { shell: true });
 * assert.notEqual(child.pid, getpid());
 * const [pid, status] = await wait();
 * assert.deepEqual([pid, WEXITSTATUS(status)], [child.pid, 3]);
 * ```
 *
 * @module
 */

export type { WaitOptions } from "../base/options.ts";
export { cpuCount, getpid, getppid } from "../process/process.ts";
export { fork } from "./fork.ts";
export { waitstatusToExitcode, WEXITSTATUS, WIFEXITED, WIFSIGNALED, WTERMSIG } from "./status.ts";
export { wait, type Waited, waitpid, WNOHANG } from "./wait.ts";
