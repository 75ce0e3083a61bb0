/**
 * Lock and RLock among the threads of a process. The names in comments are those of CPython's `lock_tests.py`.
 *
 * @module
 */
import { PicklingError, Queue, RuntimeError, TimeoutError, ValueError } from "@multiprocessing/deno";
import { Condition, getIdent, Lock, RLock } from "@multiprocessing/deno/threading";
import assert from "node:assert/strict";
import { CLOCK_SLACK_MS, timed } from "../support/gates.ts";
import { Bunch, inThread } from "./bunch.ts";

// ConditionAsRLockTests runs RLockTests on a Condition as well.
const kinds = [["Lock", () => new Lock()], ["RLock", () => new RLock()], [
  "Condition",
  () => new Condition(),
]] as const;

for (const [name, make] of kinds) {
  // test_acquire_release, test_try_acquire
  Deno.test(`threading.${name}.acquire() takes it and release() gives it up`, async () => {
    const lock = make();
    for (const options of [undefined, { block: false }, { timeout: 1_000 }, { timeout: 0 }]) {
      assert.equal(await lock.acquire(options), true);
      lock.release();
    }
    assert.equal(lock.acquireSync(), true);
    lock.release();
  });

  // test_try_acquire_contended
  Deno.test(`threading.${name}.acquire({ block: false }) is refused while another thread holds it`, async () => {
    const lock = make();
    await lock.acquire();
    assert.equal(await inThread(() => lock.acquire({ block: false })), false);
    assert.equal(await inThread(() => lock.acquireSync({ block: false })), false);
    lock.release();
    assert.equal(await inThread(async () => await lock.acquire() && (lock.release(), true)), true);
  });

  // test_acquire_contended
  Deno.test(`threading.${name}.acquire() waits, and serves in the order of coming`, async () => {
    const lock = make();
    await lock.acquire();
    const order: number[] = [];
    const bunch = new Bunch(5, async (index) => {
      await lock.acquire();
      order.push(index);
      lock.release();
    });
    await bunch.settled();
    lock.release();
    await bunch.end();
    assert.deepEqual(order, [0, 1, 2, 3, 4]);
  });

  // test_with
  Deno.test(`threading.${name}.guard() releases at the end of the block, also when it throws`, async () => {
    const lock = make();
    const failing = async (how: () => Promise<Disposable> | Disposable) => {
      using _ = await how();
      throw new TypeError("in the block");
    };
    await assert.rejects(failing(() => lock.guard()), TypeError);
    await assert.rejects(failing(() => lock.guardSync()), TypeError);
    assert.equal(
      await inThread(() => lock.acquire({ block: false }).then((got) => (lock.release(), got))),
      true,
    );
    await lock.acquire();
    await inThread(() => assert.rejects(lock.guard({ timeout: 1 }), TimeoutError));
    lock.release();
  });

  // test_timeout
  Deno.test(`threading.${name}.acquire({ timeout }) waits that long and no longer than needed`, async () => {
    const lock = make();
    await assert.rejects(lock.acquire({ timeout: -100 }), ValueError);
    assert.equal(await lock.acquire({ timeout: 2 ** 40 }), true);
    const { ms, value } = await inThread(() => timed(() => lock.acquire({ timeout: 50 })));
    assert.equal(value, false);
    assert.ok(ms >= 50 - CLOCK_SLACK_MS, `${ms} ms`);
    lock.release();
    assert.equal(await lock.acquire({ timeout: 5_000 }), true);
    lock.release();
  });

  // test_state_after_timeout (issue 11618)
  Deno.test(`threading.${name}.acquire() that timed out leaves it in order`, async () => {
    const lock = make();
    await lock.acquire();
    assert.equal(await inThread(() => lock.acquire({ timeout: 1 })), false);
    lock.release();
    assert.equal(
      await inThread(async () => await lock.acquire({ block: false }) && (lock.release(), true)),
      true,
    );
  });

  Deno.test(`threading.${name}.acquire({ signal }) gives up its place`, async () => {
    const lock = make();
    await lock.acquire();
    const enough = new AbortController();
    const given = new Bunch(1, () => assert.rejects(lock.acquire({ signal: enough.signal }), /enough/));
    const waiting = new Bunch(1, async () => (await lock.acquire(), lock.release()));
    await given.settled();
    enough.abort(new Error("enough"));
    await given.end();
    lock.release();
    await waiting.end();
  });

  Deno.test(`threading.${name}.acquireSync() refuses to block, since that would be for ever`, async () => {
    const lock = make();
    await lock.acquire();
    await inThread(() => {
      assert.throws(() => lock.acquireSync(), RuntimeError);
      assert.throws(() => lock.acquireSync({ timeout: 10 }), RuntimeError);
      assert.throws(() => lock.guardSync(), RuntimeError);
    });
    lock.release();
  });

  Deno.test(`threading.${name} does not travel to another process`, async () => {
    using queue = new Queue<unknown>();
    await assert.rejects(
      queue.put({ lock: make() }),
      (error) =>
        error instanceof PicklingError && error.message.includes("item.lock") &&
        error.message.includes(`threading.${name}, which lives in one process`),
    );
  });
}

// test_reacquire of LockTests
Deno.test("threading.Lock is no RLock: its holder waits as well", async () => {
  const lock = new Lock();
  const phase: number[] = [];
  const bunch = new Bunch(1, async () => {
    await lock.acquire();
    phase.push(1);
    await lock.acquire();
    phase.push(2);
  });
  await bunch.settled();
  assert.deepEqual(phase, [1]);
  lock.release();
  await bunch.end();
  assert.deepEqual(phase, [1, 2]);
});

// test_different_thread of LockTests, ThreadingExceptionTests.test_releasing_unacquired_lock
Deno.test("threading.Lock.release() is for any thread, but only of what is held", async () => {
  const lock = new Lock();
  assert.throws(() => lock.release(), { name: "RuntimeError", message: "release unlocked lock" });
  await lock.acquire();
  assert.equal(lock.locked(), true);
  await inThread(() => lock.release());
  assert.equal(lock.locked(), false);
  assert.throws(() => lock.release(), RuntimeError);
});

Deno.test("threading.Lock stays held when its thread ends, as in Python", async () => {
  const lock = new Lock();
  await inThread(() => lock.acquire());
  assert.equal(await lock.acquire({ timeout: 1 }), false);
  lock.release();
});

// test_reacquire, test_release_unacquired of RLockTests
Deno.test("threading.RLock is released as often as it was acquired", async () => {
  const lock = new RLock();
  const free = () => inThread(async () => await lock.acquire({ block: false }) && (lock.release(), true));
  const refused = { name: "RuntimeError", message: "cannot release un-acquired lock" };
  assert.throws(() => lock.release(), refused);
  await lock.acquire();
  await lock.acquire();
  lock.release();
  assert.equal(lock.acquireSync(), true);
  lock.release();
  assert.equal(await free(), false);
  lock.release();
  assert.equal(await free(), true);
  assert.throws(() => lock.release(), refused);
});

// test_different_thread of RLockTests
Deno.test("threading.RLock.release() is for the thread that holds it", async () => {
  const lock = new RLock();
  await inThread(() => lock.acquire());
  assert.throws(() => lock.release(), RuntimeError);
  await inThread(() => assert.throws(() => lock.release(), RuntimeError));
});

Deno.test("threading.RLock belongs to its thread through awaits, and to nobody it begins", async () => {
  const lock = new RLock();
  const bunch = new Bunch(3, async () => {
    const me = getIdent();
    await lock.acquire();
    await new Promise((resolve) => setTimeout(resolve, 1));
    await lock.acquire(); // another thread would wait for ever here
    assert.equal(getIdent(), me);
    await inThread(async () => assert.equal(await lock.acquire({ block: false }), false));
    lock.release();
    lock.release();
  });
  await bunch.end();
  assert.equal(lock.locked(), false);
});
