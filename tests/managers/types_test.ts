/**
 * Every type of a manager, made here and used by a child, for each start method. The names in comments are those of
 * CPython's `TestSyncManagerTypes` in `_test_multiprocessing.py`. Where a child there ends with a lock and leaves it locked,
 * here the lock is free again.
 *
 * @module
 */
import {
  ArrayProxy,
  AssertionError,
  BarrierProxy,
  BrokenBarrierError,
  ConditionProxy,
  DictProxy,
  Empty,
  EventProxy,
  Full,
  ListProxy,
  LockProxy,
  NamespaceProxy,
  PicklingError,
  PoolProxy,
  type ProcessOptions,
  QueueProxy,
  SemaphoreProxy,
  SetProxy,
  ShutDown,
  type SyncManager,
  TimeoutError,
  ValueError,
  ValueProxy,
} from "@multiprocessing/deno";
import assert from "node:assert/strict";
import * as targets from "../fixtures/manager_targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { CLOCK_SLACK_MS, isPending, timed } from "../support/gates.ts";

for (const mp of contexts()) {
  /** A test with a manager of its own, and a way to run a child. */
  const managed = (
    name: string,
    body: (
      manager: SyncManager,
      run: <A extends unknown[]>(target: ProcessOptions<A>["target"], ...args: A) => Promise<void>,
    ) => Promise<void>,
  ) =>
    test(mp, name, async () => {
      await using manager = mp.Manager();
      await body(manager, async (target, ...args) => {
        await using child = new mp.Process({ target, args, daemon: true });
        child.start();
        await child.join();
        assert.equal(child.exitcode, 0, "the child failed; its error is above");
      });
    });

  // test_event
  managed("Event of a manager", async (manager, run) => {
    const o = manager.Event();
    assert.ok(o instanceof EventProxy);
    await o.set();
    await run(targets.testEvent, o);
    assert.equal(await o.isSet(), false);
    assert.equal(await o.wait({ timeout: 1 }), false);
    const waiting = o.wait();
    await o.set();
    await o.clear();
    assert.equal(await waiting, true);
  });

  // test_lock
  managed("Lock of a manager", async (manager, run) => {
    const o = manager.Lock();
    assert.ok(o instanceof LockProxy);
    await run(targets.testLock, o);
    // It came back from the child that has ended with it.
    assert.equal(await o.acquire({ timeout: 1_000 }), true);
    assert.equal(o.abandoned, true);
    await o.release();
    await assert.rejects(o.release(), ValueError);
    await o.acquire();
    assert.equal(o.abandoned, false);
    await run(targets.testRlock, manager.Lock());
    // Anybody may release it.
    const other = manager.dict<string, LockProxy>({ o });
    await (await other.get("o"))!.release();
    assert.equal(await o.locked(), false);
  });

  managed("Lock of a manager serves in order, and forgets who gave up", async (manager) => {
    const lock = manager.Lock();
    await lock.acquire();
    const order: number[] = [];
    const waits = [1, 2, 3].map((n) => lock.acquire().then(() => order.push(n)));
    const hurry = new AbortController();
    const given = lock.acquire({ signal: hurry.signal });
    const { ms, value } = await timed(() => lock.acquire({ timeout: 30 }));
    assert.equal(value, false);
    assert.ok(ms >= 30 - CLOCK_SLACK_MS);
    hurry.abort(new RangeError("enough"));
    await assert.rejects(given, RangeError);
    assert.equal(await lock.acquire({ block: false }), false);
    for (const wait of waits) {
      await lock.release();
      await wait;
    }
    assert.deepEqual(order, [1, 2, 3]);
    await lock.release();
    {
      await using _ = await lock.guard();
      await assert.rejects(lock.guard({ timeout: 1 }), TimeoutError);
    }
    {
      using _ = await lock.guard();
      assert.equal(await lock.locked(), true);
    }
    assert.equal(await lock.locked(), false);
    await assert.rejects(lock.acquire({ timeout: -1 }), ValueError);
  });

  // test_rlock
  managed("RLock of a manager", async (manager, run) => {
    const o = manager.RLock();
    await run(targets.testRlock, o);
    await o.acquire();
    await o.acquire();
    await o.release();
    assert.equal(await o.locked(), true);
    await o.release();
    assert.equal(await o.locked(), false);
    await assert.rejects(o.release(), AssertionError);
    await run(targets.testLock, o); // and ends with it
    assert.equal(await o.acquire({ timeout: 1_000 }), true);
    assert.equal(o.abandoned, true);
  });

  // test_semaphore, test_bounded_semaphore
  for (const type of ["Semaphore", "BoundedSemaphore"] as const) {
    managed(`${type} of a manager`, async (manager, run) => {
      const o = manager[type]();
      assert.ok(o instanceof SemaphoreProxy);
      await run(targets.testLock, o);
      assert.equal(await o.acquire({ timeout: 1_000 }), true);
      assert.equal(await o.getValue(), 0);
      assert.equal(await o.acquire({ block: false }), false);
      await o.release();
      assert.equal(await o.getValue(), 1);
      if (type === "BoundedSemaphore") await assert.rejects(o.release(), ValueError);
      else {
        await o.release();
        assert.equal(await o.getValue(), 2);
      }
      assert.throws(() => manager[type](-1), ValueError);
    });
  }

  // test_condition
  managed("Condition of a manager", async (manager, run) => {
    const o = manager.Condition();
    assert.ok(o instanceof ConditionProxy);
    await run(targets.testRlock, o);
    await assert.rejects(o.wait(), AssertionError);
    await assert.rejects(o.notify(), AssertionError);
    await assert.rejects(o.release(), AssertionError);
    await o.acquire();
    await o.acquire();
    assert.equal(await o.wait({ timeout: 5 }), false);
    let level = 0;
    assert.equal(await o.waitFor(() => level > 0, { timeout: 10 }), false);
    level = 1;
    assert.equal(await o.waitFor(async () => (await null, level > 0)), true);
    await o.release();
    await o.release(); // a wait gives back as often as it was taken
    await assert.rejects(o.release(), AssertionError);
  });

  managed("ConditionProxy.notify(n) wakes n, in the order in which they came", async (manager) => {
    const o = manager.Condition(manager.Lock());
    const woken: number[] = [];
    const waiting = manager.Semaphore(0);
    const waits = [1, 2, 3].map(async (n) => {
      await o.acquire();
      await waiting.release();
      assert.equal(await o.wait(), true);
      woken.push(n);
      await o.release();
    });
    for (let i = 0; i < 3; i++) await waiting.acquire();
    await o.acquire(); // so all of them wait
    await o.notify(2);
    await o.release();
    await Promise.all(waits.slice(0, 2));
    assert.deepEqual(woken, [1, 2]);
    assert.equal(await isPending(waits[2]!), true);
    await o.acquire();
    await o.notifyAll();
    await o.release();
    await waits[2];
  });

  managed("Conditions of a manager may share a lock of it", async (manager) => {
    const lock = manager.Lock();
    const [a, b] = [manager.Condition(lock), manager.Condition(lock)];
    await a.acquire();
    assert.equal(await lock.locked(), true);
    assert.equal(await b.acquire({ block: false }), false);
    const waiting = b.wait(); // we do hold its lock
    await lock.acquire();
    await b.notify();
    await lock.release();
    assert.equal(await waiting, true);
    await a.release();
    assert.equal(await lock.locked(), false);
  });

  // test_barrier
  managed("Barrier of a manager", async (manager, run) => {
    const o = manager.Barrier(5);
    assert.ok(o instanceof BarrierProxy);
    await run(targets.testBarrier, o);
    const indices = await Promise.all([1, 2, 3, 4, 5].map(() => o.wait()));
    assert.deepEqual(indices.sort(), [0, 1, 2, 3, 4]);
    const waiting = o.wait();
    waiting.catch(() => {});
    assert.equal(await o.nWaiting, 1);
    await o.abort();
    await assert.rejects(waiting, BrokenBarrierError);
    assert.equal(await o.broken, true);
    await o.reset();
    assert.equal(await o.broken, false);
    await assert.rejects(o.wait({ timeout: 5 }), BrokenBarrierError);
    assert.throws(() => manager.Barrier(0), ValueError);
    const hasty = manager.Barrier(2, { timeout: 5 });
    await assert.rejects(hasty.wait(), BrokenBarrierError);
  });

  // test_pool
  managed("Pool of a manager", async (manager, run) => {
    const o = manager.Pool(2);
    assert.ok(o instanceof PoolProxy);
    assert.equal(await o.apply(targets.triple, [3]), 9);
    assert.deepEqual(await o.map(targets.triple, [1, 2, 3]), [3, 6, 9]);
    assert.deepEqual(await o.starmap(targets.plus, [[1, 2], [3, 4]], { chunksize: 1 }), [3, 7]);
    assert.deepEqual(await Array.fromAsync(o.imap(targets.triple, [1, 2, 3])), [3, 6, 9]);
    const unordered = await Array.fromAsync(o.imapUnordered(targets.triple, [1, 2, 3]));
    assert.deepEqual(unordered.sort(), [3, 6, 9]);
    const called: unknown[] = [];
    const result = o.applyAsync(targets.triple, [4], { callback: (value) => called.push(value) });
    assert.equal(await result.get(), 12);
    assert.equal(result.successful(), true);
    assert.deepEqual(called, [12]);
    await assert.rejects(o.apply(targets.failsWith, ["in the pool"]), {
      name: "RangeError",
      message: "in the pool",
    });
    await assert.rejects(o.apply(() => 1), PicklingError);
    const hurry = new AbortController();
    const given = o.applyAsync(targets.neverEnds, [], { signal: hurry.signal });
    hurry.abort(new RangeError("enough"));
    await assert.rejects(given.get(), RangeError);
    await run(targets.testPool, o); // which ends it
    await assert.rejects(o.apply(targets.triple, [1]), ValueError);
    assert.throws(() => manager.Pool(0), ValueError);
    const busy = manager.Pool(1);
    busy.applyAsync(targets.neverEnds); // and the manager ends all the same
    assert.equal(await manager.list([1]).length, 1);
  });

  // test_queue, test_joinable_queue
  for (const type of ["Queue", "JoinableQueue"] as const) {
    managed(`${type} of a manager`, async (manager, run) => {
      const o = manager[type]<number>(2);
      assert.ok(o instanceof QueueProxy);
      await o.put(5);
      await o.put(6);
      await assert.rejects(o.put(7, { timeout: 5 }), Full);
      await assert.rejects(o.putNowait(7), Full);
      await run(targets.testQueue, o);
      assert.equal(await o.empty(), true);
      assert.equal(await o.full(), false);
      await assert.rejects(o.get({ timeout: 5 }), Empty);
      await assert.rejects(o.getNowait(), Empty);

      const joined = o.join();
      assert.equal(await isPending(joined), true);
      await o.taskDone();
      await o.taskDone();
      await joined;
      await assert.rejects(o.taskDone(), ValueError);
      await o.put(1);
      await assert.rejects(o.join({ timeout: 5 }), TimeoutError);

      const hurry = new AbortController();
      await o.get();
      const given = o.get({ signal: hurry.signal });
      hurry.abort(new RangeError("enough"));
      await assert.rejects(given, RangeError);
      await o.put(8);
      await o.shutdown();
      assert.deepEqual(await Array.fromAsync(o), [8]);
      await assert.rejects(o.get(), ShutDown);
      await assert.rejects(o.put(9), ShutDown);
      assert.throws(() => manager[type](-1), ValueError);
    });
  }

  // test_list
  managed("list of a manager", async (manager, run) => {
    const o = manager.list<number>();
    assert.ok(o instanceof ListProxy);
    await o.append(5);
    await run(targets.testList, o);
    assert.equal(await o.length, 0);
  });

  // test_dict
  managed("dict of a manager", async (manager, run) => {
    const o = manager.dict<string, number>();
    assert.ok(o instanceof DictProxy);
    await o.set("foo", 5);
    await run(targets.testDict, o);
    assert.equal(await o.size, 0);
  });

  managed("set of a manager", async (manager, run) => {
    const o = manager.set([5]);
    assert.ok(o instanceof SetProxy);
    await run(targets.testSet, o);
    assert.deepEqual(await o.values(), [6]);
  });

  // test_value
  managed("Value of a manager", async (manager, run) => {
    const o = manager.Value("i", 1);
    assert.ok(o instanceof ValueProxy);
    await run(targets.testValue, o);
    assert.equal(await o.value, 2);
    assert.equal(await o.get(), 2);
    o.value = 3;
    assert.equal(await o.add(4), 7);
    const any = manager.Value<unknown>("i", "text");
    await assert.rejects(any.add(1 as never), TypeError);
    await any.set([1]);
    assert.deepEqual(await any.value, [1]);
  });

  // test_array
  managed("Array of a manager", async (manager, run) => {
    const o = manager.Array("i", [0, 1]);
    assert.ok(o instanceof ArrayProxy);
    await run(targets.testArray, o);
    assert.deepEqual(await o.copy(), [0, 7]);
    assert.deepEqual(await o.slice(1), [7]);
    await assert.rejects(o.get(2), RangeError);
    await assert.rejects(o.set(2, 1), RangeError);
    await assert.rejects(o.set(0, 0.5), TypeError);
    assert.deepEqual(await manager.Array("q", 2).copy(), [0n, 0n]);
    await assert.rejects(manager.Array("?" as "i", 2).copy(), ValueError);
  });

  // test_namespace
  managed("Namespace of a manager", async (manager, run) => {
    const o = manager.Namespace();
    assert.ok(o instanceof NamespaceProxy);
    o.x = 0;
    o.y = 1;
    await run(targets.testNamespace, o);
    assert.deepEqual(await o.z, [0, 1]);
  });
}
