/**
 * Condition among the threads of a process. The names in comments are those of CPython's `lock_tests.py`. What it has
 * of an RLock is in `lock_test.ts`.
 *
 * @module
 */
import { RuntimeError } from "@multiprocessing/deno";
import { Condition, Lock, RLock } from "@multiprocessing/deno/threading";
import assert from "node:assert/strict";
import { CLOCK_SLACK_MS, timed } from "../support/gates.ts";
import { Bunch, inThread } from "./bunch.ts";

const N = 5;

// test_acquire
Deno.test("threading.Condition uses an RLock, or the lock it is given", async () => {
  const own = new Condition();
  await own.acquire();
  await own.acquire();
  own.release();
  own.release();
  const lock = new Lock();
  const condition = new Condition(lock);
  await condition.acquire();
  assert.equal(await lock.acquire({ block: false }), false);
  condition.release();
  assert.equal(await lock.acquire({ block: false }), true);
  assert.equal(await condition.acquire({ block: false }), false);
  lock.release();
  using _ = await condition.guard();
  assert.equal(await lock.acquire({ block: false }), false);
});

// test_unacquired_wait, test_unacquired_notify
Deno.test("threading.Condition refuses wait() and notify() without the lock", async () => {
  for (const condition of [new Condition(), new Condition(new Lock()), new Condition(new RLock())]) {
    const cannot = (what: string) => ({
      name: "RuntimeError",
      message: `cannot ${what} on un-acquired lock`,
    });
    await assert.rejects(condition.wait(), cannot("wait"));
    await assert.rejects(condition.waitFor(() => false), cannot("wait"));
    assert.throws(() => condition.waitSync(), cannot("wait"));
    assert.throws(() => condition.notify(), cannot("notify"));
    assert.throws(() => condition.notifyAll(), cannot("notify"));
  }
  const held = new Condition();
  await inThread(() => held.acquire());
  assert.throws(() => held.notify(), RuntimeError);
});

// test_notify
Deno.test("threading.Condition.notify(n) wakes exactly n, notifyAll() all", async () => {
  const condition = new Condition();
  for (let round = 0; round < 2; round++) {
    let phase = 0;
    const [first, second]: unknown[][] = [[], []];
    const bunch = new Bunch(N, async () => {
      for (const results of [first!, second!]) {
        using _ = await condition.guard();
        results.push([await condition.wait(), phase]);
      }
    });
    const notify = async (change: () => void) => {
      phase++;
      using _ = await condition.guard();
      change();
    };
    const times = (n: number, ...result: unknown[]) => Array(n).fill(result);
    await bunch.settled();
    await notify(() => condition.notify(3));
    await bunch.settled();
    assert.deepEqual([first, second], [times(3, true, 1), []]);
    await notify(() => condition.notify(5)); // two in their first wait, three in their second
    await bunch.settled(3);
    assert.deepEqual([first, second], [[...times(3, true, 1), ...times(2, true, 2)], times(3, true, 2)]);
    await notify(() => condition.notifyAll());
    await bunch.end();
    assert.deepEqual(second, [...times(3, true, 2), ...times(2, true, 3)]);
  }
});

// test_timeout
Deno.test("threading.Condition.wait({ timeout }) gives false after that long, with the lock held again", async () => {
  const condition = new Condition();
  await condition.acquire();
  await condition.acquire(); // given up wholly during the wait
  const waiting = timed(() => condition.wait({ timeout: 50 }));
  assert.equal(await inThread(async () => await condition.acquire() && (condition.release(), true)), true);
  const { ms, value } = await waiting;
  assert.equal(value, false);
  assert.ok(ms >= 50 - CLOCK_SLACK_MS, `${ms} ms`);
  condition.release();
  assert.equal(await inThread(() => condition.acquire({ block: false })), false);
  condition.release();
});

// test_waitfor
Deno.test("threading.Condition.waitFor() asks again at each notification", async () => {
  const condition = new Condition();
  let state = 0;
  let asked = 0;
  const bunch = new Bunch(1, async () => {
    using _ = await condition.guard();
    assert.equal(await condition.waitFor(() => (asked++, state === 4)), true);
    assert.equal(state, 4);
  });
  for (let i = 0; i < 4; i++) {
    await bunch.settled();
    using _ = await condition.guard();
    state++;
    condition.notify();
  }
  await bunch.end();
  assert.equal(asked, 5);
});

// test_waitfor_timeout
Deno.test("threading.Condition.waitFor({ timeout }) gives the last answer after that long altogether", async () => {
  const condition = new Condition();
  let state = 0;
  const bunch = new Bunch(1, async () => {
    using _ = await condition.guard();
    const { ms, value } = await timed(() => condition.waitFor(() => state === 4, { timeout: 50 }));
    assert.equal(value, false);
    assert.ok(ms >= 50 - CLOCK_SLACK_MS, `${ms} ms`);
  });
  for (let i = 0; i < 3; i++) {
    using _ = await condition.guard();
    state++;
    condition.notify();
  }
  await bunch.end();
});

Deno.test("threading.Condition.wait({ signal }) throws once the lock is held again", async () => {
  const condition = new Condition();
  const enough = new AbortController();
  await condition.acquire();
  const waiting = condition.wait({ signal: enough.signal });
  const holder = new Bunch(1, async () => {
    using _ = await condition.guard();
    enough.abort(new Error("enough"));
  });
  await assert.rejects(waiting, /enough/);
  condition.release();
  await holder.end();
});

Deno.test("threading.Condition.waitSync() refuses to block, since that would be for ever", async () => {
  const condition = new Condition();
  using _ = await condition.guard();
  assert.equal(condition.waitSync({ block: false }), false);
  assert.throws(() => condition.waitSync(), RuntimeError);
  assert.throws(() => condition.waitForSync(() => false), RuntimeError);
  assert.equal(condition.waitForSync(() => true), true);
});
