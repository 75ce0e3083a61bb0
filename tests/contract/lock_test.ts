/**
 * Lock, for each start method. The names in comments are those of CPython's tests: `_TestLock` of
 * `_test_multiprocessing.py` and `LockTests` of `lock_tests.py`.
 *
 * @module
 */
import { type Context, getContext, type Lock, TimeoutError, ValueError } from "@multiprocessing/deno";
import assert from "node:assert/strict";
import * as targets from "../fixtures/targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { CLOCK_SLACK_MS, isPending, timed, within } from "../support/gates.ts";

/** No wait that should end at once takes this long, on however busy a machine. */
const AT_ONCE_MS = 1_000;
/** How long a death may take to be known. */
const DEATH_MS = 2_000;

/** A child that holds the lock until it is told to go on. */
async function holder(mp: Context, lock: Lock) {
  const [said, go] = [new mp.Queue<string>(), new mp.Queue<unknown>()];
  const child = new mp.Process({ target: targets.holds, args: [lock, said, go] });
  child.start();
  assert.equal(await said.get(), "held");
  return { child, go };
}

for (const mp of contexts()) {
  // --- _TestLock, LockTests ------------------------------------------------------------------------------------

  // test_lock, test_acquire_release
  test(mp, "Lock.acquire() takes, release() gives back, a release too many is refused", async () => {
    const lock = new mp.Lock();
    assert.equal(lock.locked(), false);
    assert.equal(await lock.acquire(), true);
    assert.equal(lock.locked(), true);
    assert.equal(await lock.acquire({ block: false }), false);
    assert.equal(lock.release(), undefined);
    assert.equal(lock.locked(), false);
    assert.throws(() => lock.release(), {
      name: "ValueError",
      message: /semaphore or lock released too many times/,
    });
    assert.equal(await lock.acquire({ block: false }), true);
    lock.release();
  });

  // test_try_acquire, test_reacquire
  test(mp, "Lock.acquire({ block: false }) takes a free lock, again and again", async () => {
    const lock = new mp.Lock();
    for (let i = 0; i < 3; i++) {
      assert.equal(await lock.acquire({ block: false }), true);
      assert.equal(lock.acquireSync({ block: false }), false);
      lock.release();
      assert.equal(lock.acquireSync(), true);
      lock.release();
    }
  });

  // test_try_acquire_contended, test_timeout
  test(mp, "Lock held here is refused to the child, in time", async () => {
    const lock = new mp.Lock();
    await lock.acquire();
    const out = new mp.Queue<unknown>();
    await using child = new mp.Process({ target: targets.triesLock, args: [lock, out] });
    child.start();
    const tries = await out.get() as [unknown, number][];
    assert.deepEqual(tries.map(([value]) => value), [
      false,
      false,
      false,
      "RangeError",
      "RangeError",
      "TimeoutError",
      "ValueError",
    ]);
    for (const at of [2, 4, 5]) assert.ok(tries[at]![1] >= 60 - CLOCK_SLACK_MS, `${at}: ${tries[at]![1]} ms`);
    for (const at of [0, 1, 3, 6]) assert.ok(tries[at]![1] < AT_ONCE_MS, `${at}: ${tries[at]![1]} ms`);
    await child.join();
    // Nobody of those is in line any more.
    lock.release();
    assert.equal(await lock.acquire({ block: false }), true);
    lock.release();
  });

  test(mp, "Lock held by the child is refused here, in time", async () => {
    const lock = new mp.Lock();
    const { child, go } = await holder(mp, lock);
    assert.equal(lock.locked(), true);
    assert.equal(await lock.acquire({ block: false }), false);
    assert.equal(await lock.acquire({ timeout: 0 }), false);
    const { ms, value } = await timed(() => lock.acquire({ timeout: 60 }));
    assert.equal(value, false);
    assert.ok(ms >= 60 - CLOCK_SLACK_MS, `${ms} ms`);
    assert.equal(lock.acquireSync({ timeout: 30 }), false);
    assert.equal(lock.acquireSync({ block: false }), false);
    await assert.rejects(lock.guard({ timeout: 30 }), TimeoutError);
    assert.throws(() => lock.guardSync({ timeout: 30 }), TimeoutError);
    await go.put(null);
    assert.equal(await within(10_000, lock.acquire(), "acquire()"), true);
    assert.equal(lock.abandoned, false);
    lock.release();
    await child.join();
  });

  // test_acquire_contended
  test(mp, "Lock.acquire() waits until the child releases", async () => {
    const lock = new mp.Lock();
    const { child, go } = await holder(mp, lock);
    const acquired = lock.acquire();
    assert.ok(await isPending(acquired));
    await go.put(null);
    assert.equal(await acquired, true);
    assert.equal(lock.locked(), true);
    lock.release();
    await child.join();
  });

  // test_with, test_lock_context
  test(mp, "Lock.guard() holds for a block, also one that throws", async () => {
    const lock = new mp.Lock();
    {
      using _ = await lock.guard();
      assert.equal(lock.locked(), true);
    }
    assert.equal(lock.locked(), false);
    await assert.rejects(async () => {
      using _ = await lock.guard();
      throw new RangeError("inside");
    }, new RangeError("inside"));
    assert.equal(lock.locked(), false);
    {
      using _ = lock.guardSync();
      assert.equal(lock.locked(), true);
    }
    const guard = await lock.guard();
    guard[Symbol.dispose]();
    guard[Symbol.dispose](); // releases once
    assert.equal(await lock.acquire({ block: false }), true);
    lock.release();
  });

  // test_state_after_timeout
  test(mp, "Lock is whole after a wait that ended early", async () => {
    const lock = new mp.Lock();
    await lock.acquire();
    assert.equal(await lock.acquire({ timeout: 20 }), false);
    lock.release();
    assert.equal(lock.locked(), false);
    assert.equal(await lock.acquire({ timeout: 20 }), true);
    lock.release();
  });

  // test_different_thread
  test(mp, "Lock may be released by another process", async () => {
    const lock = new mp.Lock();
    await lock.acquire();
    const acquired = lock.acquire();
    assert.ok(await isPending(acquired));
    await using child = new mp.Process({ target: targets.releases, args: [lock] });
    child.start();
    assert.equal(await within(10_000, acquired, "acquire()"), true);
    lock.release();
    await child.join();
    assert.equal(child.exitcode, 0);
  });

  // A worker is told at once. A "spawn" child cannot know that nobody else holds the lock: home finds out, and the
  // error, which nobody can catch any more, ends the child.
  test(mp, "Lock that is free: release() in the child fails there", async () => {
    const lock = new mp.Lock();
    const out = new mp.Queue<unknown>();
    await using child = new mp.Process({ target: targets.releasesTooOften, args: [lock, out] });
    child.start();
    if (mp.name === "worker") assert.equal(await out.get(), "ValueError");
    await child.join();
    assert.equal(child.exitcode, mp.name === "worker" ? 0 : 1);
    assert.equal(lock.locked(), false);
  });

  // --- Mutual exclusion and fairness ----------------------------------------------------------------------------

  test(mp, "Lock keeps steps of four processes apart", async () => {
    const lock = new mp.Lock();
    const cell = new mp.Queue<number>();
    await cell.put(0);
    const times = mp.name === "worker" ? 500 : 100;
    const children = [0, 1, 2].map(() =>
      new mp.Process({ target: targets.increments, args: [lock, cell, times] })
    );
    for (const child of children) child.start();
    await targets.increments(lock, cell, times);
    for (const child of children) await child.join();
    assert.deepEqual(children.map((child) => child.exitcode), [0, 0, 0]);
    assert.equal(await cell.get(), 4 * times);
    assert.equal(lock.locked(), false);
  });

  test(mp, "Lock.acquire() serves waiters in order", async () => {
    const lock = new mp.Lock();
    await lock.acquire();
    const [said, order] = [new mp.Queue<string>(), new mp.Queue<string>()];
    const children = [];
    for (const who of ["first", "second", "third"]) {
      const child = new mp.Process({ target: targets.waitsForLock, args: [lock, said, order, who] });
      child.start();
      assert.equal(await said.get(), who); // it is in line before the next one starts
      children.push(child);
    }
    const mine = lock.acquire().then(() => order.put("we"));
    lock.release();
    const got = [];
    for (let i = 0; i < 4; i++) got.push(await order.get());
    assert.deepEqual(got, ["first", "second", "third", "we"]);
    await mine;
    lock.release();
    for (const child of children) await child.join();
  });

  test(mp, "Lock.acquire() that ends early gives up its place", async () => {
    const lock = new mp.Lock();
    await lock.acquire();
    const controller = new AbortController();
    const aborted = assert.rejects(lock.acquire({ signal: controller.signal }), new RangeError("enough"));
    const timedOut = lock.acquire({ timeout: 30 });
    const [said, order] = [new mp.Queue<string>(), new mp.Queue<string>()];
    await using child = new mp.Process({ target: targets.waitsForLock, args: [lock, said, order, "child"] });
    child.start();
    await said.get();
    assert.equal(await timedOut, false);
    controller.abort(new RangeError("enough"));
    await aborted;
    lock.release();
    assert.equal(await order.get(), "child");
    await child.join();
    assert.equal(await lock.acquire({ timeout: 1_000 }), true);
    lock.release();
  });

  test(mp, "Lock.acquire() with an aborted signal rejects, even when the lock is free", async () => {
    const lock = new mp.Lock();
    const signal = AbortSignal.abort(new RangeError("already"));
    await assert.rejects(lock.acquire({ signal }), new RangeError("already"));
    await assert.rejects(lock.guard({ signal }), new RangeError("already"));
    assert.equal(lock.locked(), false);
  });

  test(mp, "Lock refuses bad timeouts", async () => {
    const lock = new mp.Lock();
    for (const timeout of [-1, NaN, -Infinity, "1" as unknown as number]) {
      await assert.rejects(lock.acquire({ timeout }), ValueError);
      await assert.rejects(lock.guard({ timeout }), ValueError);
      assert.throws(() => lock.acquireSync({ timeout }), ValueError);
      assert.throws(() => lock.guardSync({ timeout }), ValueError);
    }
    assert.equal(lock.locked(), false);
  });

  // --- The death of a holder: more in robustness_test.ts ------------------------------------------------------------

  test(mp, "Lock that a child returned with is free, and was abandoned once", async () => {
    const lock = new mp.Lock();
    const said = new mp.Queue<string>();
    await using child = new mp.Process({ target: targets.returnsHolding, args: [lock, said] });
    child.start();
    await child.join();
    assert.equal(lock.locked(), false);
    assert.equal(await lock.acquire({ timeout: DEATH_MS }), true);
    assert.equal(lock.abandoned, true);
    lock.release();
    await lock.acquire();
    assert.equal(lock.abandoned, false);
    lock.release();
  });

  test(mp, "Lock whose holder dies goes to the first in line, and to nobody else", async () => {
    const lock = new mp.Lock();
    const { child } = await holder(mp, lock);
    const [said, order] = [new mp.Queue<string>(), new mp.Queue<string>()];
    const waiter = new mp.Process({ target: targets.waitsForLock, args: [lock, said, order, "waiter"] });
    waiter.start();
    await said.get();
    const mine = lock.acquire().then(() => order.put("we"));
    child.kill();
    await within(DEATH_MS, mine, "our acquire()");
    assert.deepEqual([await order.get(), await order.get()], ["waiter", "we"]);
    lock.release();
    await child.join();
    await waiter.join();
    assert.equal(waiter.exitcode, 0);
  });

  test(mp, "Lock whose waiter dies goes to the next in line", async () => {
    const lock = new mp.Lock();
    await lock.acquire();
    const [said, order] = [new mp.Queue<string>(), new mp.Queue<string>()];
    const doomed = new mp.Process({ target: targets.waitsForLock, args: [lock, said, order, "doomed"] });
    doomed.start();
    await said.get();
    const next = new mp.Process({ target: targets.waitsForLock, args: [lock, said, order, "next"] });
    next.start();
    await said.get();
    doomed.kill();
    await doomed.join();
    lock.release();
    assert.equal(await within(DEATH_MS, order.get(), "the next in line"), "next");
    await next.join();
    assert.equal(await lock.acquire({ timeout: 1_000 }), true);
    lock.release();
  });
}

// --- The blocking twins ------------------------------------------------------------------------------------------------

const worker = getContext("worker");

test(worker, "Lock.acquireSync() and guardSync() keep steps of three processes apart", async () => {
  const lock = new worker.Lock();
  const cell = new worker.Queue<number>();
  await cell.put(0);
  const children = [0, 1].map(() =>
    new worker.Process({ target: targets.incrementsSync, args: [lock, cell, 500] })
  );
  for (const child of children) child.start();
  await targets.increments(lock, cell, 500);
  for (const child of children) await child.join();
  assert.deepEqual(children.map((child) => child.exitcode), [0, 0]);
  assert.equal(await cell.get(), 1_500);
});

test(worker, "Lock.acquireSync() gives up in time", async () => {
  const lock = new worker.Lock();
  await lock.acquire();
  const out = new worker.Queue<unknown>();
  await using child = new worker.Process({ target: targets.triesLockSync, args: [lock, out] });
  child.start();
  const tries = await out.get() as [unknown, number][];
  assert.deepEqual(tries.map(([value]) => value), [false, false, "TimeoutError"]);
  for (const at of [1, 2]) assert.ok(tries[at]![1] >= 60 - CLOCK_SLACK_MS, `${tries[at]![1]} ms`);
  assert.ok(tries[0]![1] < AT_ONCE_MS);
  await child.join();
  lock.release();
});

test(worker, "Lock released on a blocked main process's behalf reaches it", async () => {
  const lock = new worker.Lock();
  const { child, go } = await holder(worker, lock);
  await go.put(null);
  assert.equal(lock.acquireSync({ timeout: 10_000 }), true);
  lock.release();
  await child.join();
});

// "spawn" children have no blocking twins: see "The blocking twins refuse and name the cure" in queue_test.ts.
