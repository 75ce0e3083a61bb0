/**
 * Threads in processes: each process has its own, and its end waits for them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { contexts, test } from "../support/contexts.ts";
import { isPending } from "../support/gates.ts";
import * as targets from "./targets.ts";

for (const mp of contexts()) {
  test(mp, "a process has threads of its own, the first called MainThread", async () => {
    using answers = new mp.Queue<unknown>();
    await using child = new mp.Process({ target: targets.sayWho, args: [answers] });
    child.start();
    assert.deepEqual(await answers.get(), ["MainThread", 1, false, "MainThread", 1]);
    assert.deepEqual(await answers.get(), ["Thread-1 (who)", 2, false, "MainThread", 2]);
    assert.deepEqual(await answers.get(), ["MainThread"]);
    await child.join();
    assert.equal(child.exitcode, 0);
  });

  // _TestProcess.test_wait_for_threads
  test(mp, "a process ends when its threads have, but does not wait for daemons", async () => {
    using go = new mp.Queue<null>();
    using answers = new mp.Queue<string>();
    using never = new mp.Queue<null>();
    await using child = new mp.Process({ target: targets.leaveThreads, args: [go, answers, never] });
    child.start();
    assert.equal(await answers.get(), "main is through");
    assert.equal(await isPending(child.sentinel), true);
    await go.put(null);
    assert.equal(await answers.get(), "from the thread");
    await child.join();
    assert.equal(child.exitcode, 0);
  });

  test(mp, "an error in a thread of a process does not end the process with an error", async () => {
    await using child = new mp.Process({ target: targets.throwInThread });
    child.start();
    await child.join();
    assert.equal(child.exitcode, 0);
  });

  test(mp, "RLock of multiprocessing belongs to one thread of one process", async () => {
    const lock = new mp.RLock();
    const [mine, theirs] = mp.Pipe<boolean>();
    await using child = new mp.Process({ target: targets.lockInThreads, args: [lock, theirs] });
    child.start();
    assert.equal(await mine.recv(), true);
    assert.equal(await mine.recv(), true);
    assert.equal(await mine.recv(), false);
    assert.equal(await lock.acquire({ block: false }), false);
    await mine.send(true);
    assert.equal(await mine.recv(), false);
    assert.equal(await lock.acquire(), true);
    lock.release();
    await child.join();
  });
}
