/**
 * wait(), waitpid() and what their status says.
 *
 * @module
 */
import { OSError, TimeoutError, ValueError } from "@multiprocessing/deno";
import * as mp from "@multiprocessing/deno";
import {
  cpuCount,
  getpid,
  getppid,
  wait,
  waitpid,
  waitstatusToExitcode,
  WEXITSTATUS,
  WIFEXITED,
  WIFSIGNALED,
  WNOHANG,
  WTERMSIG,
} from "@multiprocessing/deno/os";
import { PIPE, Popen } from "@multiprocessing/deno/subprocess";
import assert from "node:assert/strict";
import { isPending } from "../support/gates.ts";

// A shell is what these tests run; Windows has none of the kind.
const ignore = Deno.build.os === "windows";

function test(name: string, fn: () => Promise<void> | void): void {
  Deno.test({
    name,
    ignore,
    async fn() {
      await fn();
      await assert.rejects(wait(), { code: "ECHILD" }, "a child is left over");
    },
  });
}

const exiting = (code: number) => new Popen(`exit ${code}`, { shell: true });
/** A child that runs until its stdin is closed. */
const waiting = () => new Popen(["cat"], { stdin: PIPE });

test("getpid(), getppid() and cpuCount() are those of the main door", () => {
  assert.deepEqual([getpid, getppid, cpuCount], [mp.getpid, mp.getppid, mp.cpuCount]);
  assert.equal(getpid(), Deno.pid);
  assert.equal(getppid(), Deno.ppid);
});

test("wait() gives each child once, and then says that there is none", async () => {
  const started = [exiting(0), exiting(3), exiting(255)];
  const waited = [await wait(), await wait(), await wait()];
  const codes = new Map(waited.map(([pid, status]) => [pid, WEXITSTATUS(status)]));
  assert.deepEqual(started.map(({ pid }) => codes.get(pid)), [0, 3, 255]);
  await assert.rejects(wait(), (error) => {
    assert.ok(error instanceof OSError);
    assert.match(error.message, /No child processes/);
    return (error as { code?: string }).code === "ECHILD";
  });
});

test("wait() of several callers gives each of them another child", async () => {
  const [first, second, third] = [wait(), wait(), wait()].map((waited) =>
    waited.catch((error) => error.code)
  );
  // Whoever comes before there are children is told so at once.
  assert.deepEqual(await Promise.all([first, second, third]), ["ECHILD", "ECHILD", "ECHILD"]);
  const children = [waiting(), waiting()];
  const calls = [wait(), wait(), wait().catch((error) => error.code)];
  assert.equal(await isPending(Promise.race(calls)), true);
  await Promise.all(children.map((child) => child.stdin.close()));
  const [one, two, none] = await Promise.all(calls);
  assert.deepEqual([one![0], two![0]].sort(), children.map(({ pid }) => pid).sort());
  assert.equal(none, "ECHILD");
});

test("waitpid() waits for one child and leaves the others", async () => {
  const [early, late] = [exiting(1), waiting()];
  const waited = waitpid(late.pid);
  assert.equal(await isPending(waited), true);
  await late.stdin.close();
  assert.deepEqual(await waited, [late.pid, 0]);
  assert.deepEqual(await waitpid(early.pid), [early.pid, 1 << 8]);
  await assert.rejects(waitpid(early.pid), { name: "OSError", code: "ECHILD" });
  await assert.rejects(waitpid(Deno.pid), { name: "OSError", code: "ECHILD" });
});

test("waitpid() of -1 and 0 waits for any child", async () => {
  for (const any of [-1, 0]) {
    const child = exiting(4);
    assert.deepEqual(await waitpid(any), [child.pid, 4 << 8]);
  }
});

test("waitpid() with WNOHANG gives [0, 0] for a child that runs", async () => {
  const child = waiting();
  assert.deepEqual(await waitpid(child.pid, WNOHANG), [0, 0]);
  assert.deepEqual(await waitpid(-1, WNOHANG), [0, 0]);
  assert.deepEqual(await waitpid(-1, { block: false }), [0, 0]);
  await child.stdin.close();
  assert.deepEqual(await waitpid(child.pid, 0), [child.pid, 0]);
  await assert.rejects(waitpid(child.pid, WNOHANG), { code: "ECHILD" });
});

test("waitpid() with WNOHANG in a loop that does nothing else comes to its end", async () => {
  const child = exiting(3);
  let waited;
  do waited = await waitpid(child.pid, WNOHANG); while (waited[0] === 0);
  assert.deepEqual(waited, [child.pid, 3 << 8]);
});

test("wait() gives up after its timeout, and on an aborted signal, and takes nothing", async () => {
  const child = waiting();
  await assert.rejects(wait({ timeout: 10 }), TimeoutError);
  await assert.rejects(waitpid(child.pid, { timeout: 0 }), TimeoutError);
  const controller = new AbortController();
  const aborted = wait({ signal: controller.signal });
  assert.equal(await isPending(aborted), true);
  controller.abort(new Error("enough"));
  await assert.rejects(aborted, { message: "enough" });
  await assert.rejects(wait({ signal: controller.signal }), { message: "enough" });
  await child.stdin.close();
  assert.deepEqual(await wait(), [child.pid, 0]);
});

test("waitpid() refuses what is no process and no option", async () => {
  for (const pid of [-2, 1.5, NaN]) await assert.rejects(waitpid(pid), ValueError);
  await assert.rejects(waitpid(-1, 2 as 1), ValueError);
  await assert.rejects(waitpid(-1, { timeout: -1 }), ValueError);
});

test("wait() and Popen know each other: whoever asks first is told by wait(), both by Popen", async () => {
  const told = exiting(5);
  assert.deepEqual(await waitpid(told.pid), [told.pid, 5 << 8]);
  assert.equal(told.returncode, null); // nobody has asked the Popen yet
  assert.equal(told.poll(), 5);
  const asked = exiting(6);
  assert.equal(await asked.wait(), 6);
  await assert.rejects(waitpid(asked.pid), { code: "ECHILD" });
});

test("the status of a child that was killed names the signal", async () => {
  const child = waiting();
  child.kill();
  const [, status] = await waitpid(child.pid);
  assert.deepEqual([WIFEXITED(status), WIFSIGNALED(status), WTERMSIG(status)], [false, true, 9]);
  assert.equal(waitstatusToExitcode(status), -9);
  await child.stdin.close();
});

test("the status of a child that has exited names the code", () => {
  const status = 7 << 8;
  assert.deepEqual([WIFEXITED(status), WIFSIGNALED(status)], [true, false]);
  assert.deepEqual([WEXITSTATUS(status), WTERMSIG(status)], [7, 0]);
  assert.equal(waitstatusToExitcode(status), 7);
});
