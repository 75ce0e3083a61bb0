/** How a process ended, in the one number that waiting for it gives. */

const CODE_SHIFT = 8;
const SIGNAL_BITS = 0x7f;

/** The status of a process that has ended with an exit code, or −N by signal N. */
export function statusOf(code: number): number {
  return code < 0 ? -code : (code & 0xff) << CODE_SHIFT;
}

/**
 * Whether a process has ended by itself.
 *
 * Python: `os.WIFEXITED`.
 *
 * @param status What {@link wait} or {@link waitpid} has given.
 * @returns Whether {@link WEXITSTATUS} tells its exit code.
 *
 * @example
 * ```ts
 * import { WEXITSTATUS, WIFEXITED } from "@multiprocessing/deno/os";
 * import assert from "node:assert/strict";
 *
 * const status = 3 << 8;
 * assert.equal(WIFEXITED(status), true);
 * assert.equal(WEXITSTATUS(status), 3);
 * ```
 */
export function WIFEXITED(status: number): boolean {
  return (status & SIGNAL_BITS) === 0;
}

/**
 * The exit code of a process that has ended by itself.
 *
 * Python: `os.WEXITSTATUS`.
 *
 * @param status What {@link wait} or {@link waitpid} has given.
 * @returns The exit code, from 0 to 255.
 *
 * @example
 * ```ts
 * import { waitpid, WEXITSTATUS } from "@multiprocessing/deno/os";
 * import { Popen } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * const [, status] = await waitpid(new Popen("exit 3", { shell: true }).pid);
 * assert.equal(WEXITSTATUS(status), 3);
 * ```
 */
export function WEXITSTATUS(status: number): number {
  return (status >> CODE_SHIFT) & 0xff;
}

/**
 * Whether a process was ended by a signal.
 *
 * Python: `os.WIFSIGNALED`.
 *
 * @param status What {@link wait} or {@link waitpid} has given.
 * @returns Whether {@link WTERMSIG} tells the signal.
 *
 * @example
 * ```ts
 * import { WIFSIGNALED, WTERMSIG } from "@multiprocessing/deno/os";
 * import assert from "node:assert/strict";
 *
 * assert.equal(WIFSIGNALED(15), true);
 * assert.equal(WTERMSIG(15), 15);
 * assert.equal(WIFSIGNALED(3 << 8), false); // it has ended by itself, with exit code 3
 * ```
 */
export function WIFSIGNALED(status: number): boolean {
  return !WIFEXITED(status);
}

/**
 * The signal that has ended a process.
 *
 * Python: `os.WTERMSIG`.
 *
 * @param status What {@link wait} or {@link waitpid} has given.
 * @returns The number of the signal; 0 if there was none.
 *
 * @example
 * ```ts
 * import { waitpid, WTERMSIG } from "@multiprocessing/deno/os";
 * import { Popen } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * const child = new Popen(["sleep", "60"]);
 * child.kill();
 * const [, status] = await waitpid(child.pid);
 * assert.equal(WTERMSIG(status), 9);
 * ```
 */
export function WTERMSIG(status: number): number {
  return status & SIGNAL_BITS;
}

/**
 * The exit code in the form that {@link Popen.returncode} has.
 *
 * Python: `os.waitstatus_to_exitcode`.
 *
 * @param status What {@link wait} or {@link waitpid} has given.
 * @returns The exit code; −N for signal N.
 *
 * @example
 * ```ts
 * import { waitstatusToExitcode } from "@multiprocessing/deno/os";
 * import assert from "node:assert/strict";
 *
 * assert.equal(waitstatusToExitcode(3 << 8), 3);
 * assert.equal(waitstatusToExitcode(15), -15);
 * ```
 */
export function waitstatusToExitcode(status: number): number {
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
