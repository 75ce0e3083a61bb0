/** Waiting for children: those of {@link fork} and of `subprocess`. */

import { OSError, TimeoutError, ValueError } from "../base/errors.ts";
import { waitMs, type WaitOptions } from "../base/options.ts";
import { children, nextEnd, type OsProcess } from "../platform/os_process.ts";
import { nextTurn, settledWithin } from "../platform/runtime.ts";
import { arrival, note, recall, type WaitCall } from "./_past.ts";
import { statusOf } from "./status.ts";

/** For {@link waitpid}: do not wait. */
export const WNOHANG = 1;

/** What is known of a child that has ended: its process id, and its status for {@link WIFEXITED} and its like. */
export type Waited = [pid: number, status: number];

/**
 * Waits until a child has ended: one that {@link fork} or `subprocess` has started and whose end nobody has asked for
 * yet. A {@link Popen} whose end is told here still knows its own `returncode`.
 *
 * Python: {@link https://docs.python.org/3/library/os.html#os.wait | os.wait}.
 *
 * @param options How long to wait, in milliseconds; for ever when left out.
 * @returns Its process id and its status.
 * @throws {OSError} If there are no children to wait for; its `code` is `ECHILD`. In Python: `ChildProcessError`.
 * @throws {TimeoutError} If none ends within `timeout`. An aborted `signal` throws its own reason.
 *
 * @example
 * ```ts
 * import { wait, WEXITSTATUS } from "@multiprocessing/deno/os";
 * import { Popen } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * const child = new Popen("exit 3", { shell: true });
 * const [pid, status] = await wait();
 * assert.equal(pid, child.pid);
 * assert.equal(WEXITSTATUS(status), 3);
 * await assert.rejects(wait(), { name: "OSError", code: "ECHILD" });
 * ```
 */
export function wait(options?: WaitOptions): Promise<Waited> {
  return waitpid(-1, options);
}

/**
 * Waits until a certain child has ended.
 *
 * Python: {@link https://docs.python.org/3/library/os.html#os.waitpid | os.waitpid}. Here there are no process groups
 * to wait for, and `timeout` and `signal` beside `WNOHANG`.
 *
 * @param pid Its process id; −1 or 0 for any child.
 * @param options {@link WNOHANG}, or how long to wait in milliseconds; for ever when left out or 0.
 * @returns Its process id and its status; `[0, 0]` if it has not ended and was not to be waited for.
 * @throws {OSError} If it is no child, or its end was told before; its `code` is `ECHILD`.
 * @throws {ValueError} If `pid` or an option is impossible.
 * @throws {TimeoutError} If it does not end within `timeout`. An aborted `signal` throws its own reason.
 *
 * @example
 * ```ts
 * import { waitpid, WIFSIGNALED, WNOHANG } from "@multiprocessing/deno/os";
 * import { Popen } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * const child = new Popen(["sleep", "60"]);
 * assert.deepEqual(await waitpid(child.pid, WNOHANG), [0, 0]);
 * child.terminate();
 * const [, status] = await waitpid(child.pid);
 * assert.equal(WIFSIGNALED(status), true);
 * ```
 */
export async function waitpid(pid: number, options: 0 | typeof WNOHANG | WaitOptions = {}): Promise<Waited> {
  if (!Number.isInteger(pid) || pid < -1) {
    throw new ValueError(`Cannot wait for process ${String(pid)}: give the id of a child, or -1 for any`);
  }
  if (typeof options === "number" && options !== 0 && options !== WNOHANG) {
    throw new ValueError(`Cannot wait for process ${pid} with option ${options}: there is WNOHANG`);
  }
  const bag: WaitOptions = typeof options === "number" ? { block: options !== WNOHANG } : options;
  const ms = waitMs(bag);
  const before = recall("wait");
  if (before !== undefined) return [...await relived(before, pid, ms, bag)];
  const call = note<WaitCall>({ kind: "wait" });
  try {
    return [...call.result = await waitFor(pid, ms, bag)];
  } catch (error) {
    if (error instanceof OSError) call.result = "no children";
    if (error instanceof TimeoutError) call.result = "timeout";
    throw error;
  }
}

/** What a call gives to a child of the process that made it. */
async function relived(
  { result }: WaitCall,
  pid: number,
  ms: number,
  bag: WaitOptions,
): Promise<Readonly<Waited>> {
  if (result === "no children") throw noChildren(pid);
  if (result === "timeout") throw tooLate(pid, ms);
  if (result !== undefined) return result;
  // It had not ended when its process forked, and whom it waits for is no child of ours.
  const { signal } = bag;
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal!.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    await Promise.race([arrival, aborted.promise]);
  } finally {
    signal?.removeEventListener("abort", abort);
  }
  return await waitFor(pid, ms, bag);
}

async function waitFor(pid: number, ms: number, { block, signal }: WaitOptions): Promise<Waited> {
  const until = performance.now() + ms;
  // A loop of looks must let the event loop hear of an end, or it would go on for ever.
  if (block === false) await nextTurn();
  for (;;) {
    const change = nextEnd();
    const mine = children().filter((child) => pid <= 0 || child.pid === pid);
    if (mine.length === 0) throw noChildren(pid);
    const ended = mine.find((child): child is OsProcess & { code: number } => child.code !== undefined);
    if (ended !== undefined) {
      ended.reap();
      return [ended.pid, statusOf(ended.code)];
    }
    signal?.throwIfAborted();
    const left = Math.max(0, until - performance.now());
    if (left === 0 && block === false) return [0, 0];
    if (!await settledWithin(change, left, signal)) throw tooLate(pid, ms);
  }
}

function tooLate(pid: number, ms: number): TimeoutError {
  return new TimeoutError(
    `Cannot wait for ${pid <= 0 ? "a child" : `process ${pid}`} within ${ms} ms: it runs`,
  );
}

function noChildren(pid: number): OSError {
  const whom = pid <= 0 ? "a child: there is none" : `process ${pid}: it is no child`;
  const error = new OSError(`Cannot wait for ${whom} whose end was not told yet; No child processes`);
  return Object.assign(error, { code: "ECHILD" });
}
