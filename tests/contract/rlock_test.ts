/**
 * RLock, for each start method. The names in comments are those of CPython's tests: `_TestLock` of
 * `_test_multiprocessing.py` and `RLockTests` of `lock_tests.py`.
 *
 * @module
 */
import {
  AssertionError,
  getContext,
  Lock,
  Pipe,
  RLock,
  RuntimeError,
  TimeoutError,
  ValueError,
} from "@multiprocessing/deno";
import assert from "node:assert/strict";
import {
  AT_ONCE_MS,
  DEATH_MS,
  dies,
  endAll,
  incrementsDeep,
  incrementsDeepSync,
  nested,
  Puppet,
  puppets,
  ways,
} from "../fixtures/sync_targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { CLOCK_SLACK_MS, isPending, timed, within } from "../support/gates.ts";

const notOwned = { name: "AssertionError", message: /attempt to release recursive lock not owned by thread/ };

for (const mp of contexts()) {
  const forms = mp.name === "worker" ? ["acquire", "acquireSync"] : ["acquire"];

  // --- _TestLock, RLockTests ------------------------------------------------------------------------------------

  // test_constructor, test_rlock, test_acquire_release
  test(mp, "RLock.acquire() three times takes three times release(), and a fourth is refused", async () => {
    const lock = new mp.RLock();
    assert.ok(lock instanceof Lock);
    assert.equal(lock.locked(), false);
    for (let i = 0; i < 3; i++) assert.equal(await lock.acquire(), true);
    for (let i = 0; i < 3; i++) {
      assert.equal(lock.locked(), true);
      assert.equal(lock.release(), undefined);
    }
    assert.equal(lock.locked(), false);
    assert.throws(() => lock.release(), notOwned);
    assert.throws(() => lock.release(), AssertionError);
    assert.equal(lock.locked(), false);
  });

  // test_reacquire, test_try_acquire
  test(mp, "RLock.acquire() of its holder never waits, in whatever form", async () => {
    const lock = new mp.RLock();
    assert.equal(await lock.acquire({ block: false }), true);
    assert.equal(await lock.acquire({ timeout: 0 }), true);
    assert.equal(await lock.acquire({ timeout: 10_000 }), true);
    assert.equal(await lock.acquire({ signal: new AbortController().signal }), true);
    assert.equal(lock.acquireSync(), true);
    assert.equal(lock.acquireSync({ block: false }), true);
    for (let i = 0; i < 6; i++) lock.release();
    assert.throws(() => lock.release(), AssertionError);
  });

  // test_release_unacquired
  test(mp, "RLock.release() is refused while nobody holds it, before and after", async () => {
    const lock = new mp.RLock();
    assert.throws(() => lock.release(), notOwned);
    for (let i = 0; i < 3; i++) await lock.acquire();
    for (let i = 0; i < 3; i++) lock.release();
    assert.throws(() => lock.release(), notOwned);
    await using child = await Puppet.start(mp, { lock });
    await assert.rejects(child.call("lock.release"), notOwned);
    for (const form of forms) {
      await child.call(`lock.${form}`);
      await child.call(`lock.${form}`);
      await child.call("releaseTimes", "lock", 2);
      await assert.rejects(child.call("lock.release"), AssertionError);
    }
    assert.equal(await lock.acquire({ block: false }), true);
    lock.release();
    await child.end();
  });

  // test_recursion_count
  for (const form of forms) {
    test(mp, `RLock counts in the child, ${form}()`, async () => {
      const lock = new mp.RLock();
      await using child = await Puppet.start(mp, { lock });
      for (let depth = 1; depth <= 3; depth++) {
        assert.equal(await child.call(`lock.${form}`), true);
        assert.equal(lock.locked(), true);
        assert.equal(await lock.acquire({ block: false }), false);
      }
      assert.equal(await child.call("lock.locked"), true);
      for (let depth = 3; depth >= 1; depth--) {
        assert.equal(await lock.acquire({ block: false }), false, `depth ${depth}`);
        await child.call("lock.release");
      }
      assert.equal(await within(AT_ONCE_MS, lock.acquire(), "acquire()"), true);
      assert.equal(lock.abandoned, false);
      lock.release();
      await child.end();
    });
  }

  // test_different_thread, test__is_owned
  test(mp, "RLock.release() is refused to whoever does not hold it", async () => {
    const lock = new mp.RLock();
    await using child = await Puppet.start(mp, { lock });
    await lock.acquire();
    await lock.acquire();
    await assert.rejects(child.call("lock.release"), notOwned);
    assert.equal(lock.locked(), true);
    lock.release();
    lock.release(); // it is still ours
    assert.equal(await child.call("lock.acquire"), true);
    assert.throws(() => lock.release(), notOwned);
    assert.equal(lock.locked(), true);
    await child.call("lock.release");
    await child.end();
  });

  // test_try_acquire_contended, test_timeout
  test(mp, "RLock held here, twice, is refused to the child in time", async () => {
    const lock = new mp.RLock();
    await lock.acquire();
    await lock.acquire();
    await using child = await Puppet.start(mp, { lock });
    for (let depth = 2; depth > 0; depth--) {
      for (const form of forms) {
        for (const options of [{ block: false }, { timeout: 0 }]) {
          const { ms, value } = await timed(() => child.call(`lock.${form}`, options));
          assert.equal(value, false);
          assert.ok(ms < AT_ONCE_MS, `${ms} ms`);
        }
        const { ms, value } = await timed(() => child.call(`lock.${form}`, { timeout: 60 }));
        assert.equal(value, false);
        assert.ok(ms >= 60 - CLOCK_SLACK_MS, `${ms} ms`);
      }
      await assert.rejects(child.call("guard", "lock", { timeout: 20 }), TimeoutError);
      lock.release();
    }
    assert.equal(await child.call("lock.acquire", { block: false }), true);
    await child.call("lock.release");
    await child.end();
  });

  // test_acquire_contended
  for (const form of forms) {
    test(mp, `RLock.${form}() in the child waits for the last release here`, async () => {
      const lock = new mp.RLock();
      for (let i = 0; i < 3; i++) await lock.acquire();
      await using child = await Puppet.start(mp, { lock });
      const { result } = await child.begin(`lock.${form}`);
      for (let i = 0; i < 3; i++) {
        assert.ok(await isPending(result));
        lock.release();
      }
      assert.equal(await within(AT_ONCE_MS, result, "the child's acquire()"), true);
      const mine = lock.acquire();
      assert.ok(await isPending(mine));
      await child.call("lock.release");
      assert.equal(await mine, true);
      lock.release();
      await child.end();
    });
  }

  // test_with, test_lock_context
  test(mp, "RLock.guard() nests, and releases once", async () => {
    const lock = new mp.RLock();
    {
      using _outer = await lock.guard();
      {
        using _inner = await lock.guard();
        using _blocking = lock.guardSync();
      }
      assert.equal(lock.locked(), true);
    }
    assert.equal(lock.locked(), false);
    await assert.rejects(async () => {
      using _outer = await lock.guard();
      using _inner = await lock.guard();
      throw new RangeError("inside");
    }, new RangeError("inside"));
    assert.equal(lock.locked(), false);
    const [first, second] = [await lock.guard(), await lock.guard()];
    second[Symbol.dispose]();
    second[Symbol.dispose]();
    assert.equal(lock.locked(), true);
    first[Symbol.dispose]();
    assert.equal(lock.locked(), false);
  });

  test(mp, "RLock.guard() disposed of while a child waits lets it go on", async () => {
    const lock = new mp.RLock();
    await using child = await Puppet.start(mp, { lock });
    const guard = await lock.guard();
    const { result } = await child.begin("guard", "lock");
    assert.ok(await isPending(result));
    guard[Symbol.dispose]();
    await within(AT_ONCE_MS, result, "the child's guard()");
    await assert.rejects(lock.guard({ timeout: 20 }), TimeoutError);
    await child.call("leaveBlock");
    await child.end();
    using _ = await lock.guard();
    assert.equal(lock.abandoned, false);
  });

  test(mp, "RLock keeps steps of three processes apart, three levels deep", async () => {
    const lock = new mp.RLock();
    const cell = new mp.Queue<number>();
    await cell.put(0);
    const times = mp.name === "worker" ? 300 : 60;
    const targets = mp.name === "worker"
      ? [incrementsDeep, incrementsDeepSync]
      : [incrementsDeep, incrementsDeep];
    const children = targets.map((target) => new mp.Process({ target, args: [lock, cell, times] }));
    for (const child of children) child.start();
    await incrementsDeep(lock, cell, times);
    for (const child of children) await child.join();
    assert.deepEqual(children.map((child) => child.exitcode), [0, 0]);
    assert.equal(await cell.get(), 3 * times);
    assert.equal(lock.locked(), false);
  });

  // --- Order, early ends, bad input -----------------------------------------------------------------------------

  test(mp, "RLock.acquire() serves waiters in order, and its holder before them", async () => {
    const lock = new mp.RLock();
    await using children = await puppets(mp, 3, { lock });
    await lock.acquire();
    const waits: Promise<unknown>[] = [];
    for (const child of children) waits.push((await child.begin("lock.acquire")).result);
    assert.equal(await within(AT_ONCE_MS, lock.acquire(), "the holder's acquire()"), true);
    lock.release();
    lock.release();
    const mine = lock.acquire();
    for (const [i, child] of children.entries()) {
      assert.equal(await within(AT_ONCE_MS, waits[i]!, `acquire() of ${i}`), true);
      for (const later of [...waits.slice(i + 1), mine]) assert.ok(await isPending(later));
      await child.call("lock.release");
    }
    assert.equal(await mine, true);
    lock.release();
    await endAll(children);
  });

  test(mp, "RLock.acquire() that ends early gives up its place and takes nothing", async () => {
    const lock = new mp.RLock();
    await using children = await puppets(mp, 2, { lock });
    const [first, second] = [children[0]!, children[1]!];
    await lock.acquire();
    const aborted = await first.begin("lock.acquire", { abortAt: "a" });
    const waiting = await second.begin("lock.acquire");
    await first.call("abort", "a");
    await assert.rejects(aborted.result, new RangeError("enough"));
    assert.equal(await first.call("lock.acquire", { timeout: 20 }), false);
    lock.release();
    assert.equal(await within(AT_ONCE_MS, waiting.result, "the second in line"), true);
    await second.call("lock.release");
    assert.equal(await lock.acquire({ block: false }), true);
    lock.release();
    await endAll(children);
  });

  test(mp, "RLock.acquire() with an aborted signal rejects, even for its holder", async () => {
    const lock = new mp.RLock();
    await using child = await Puppet.start(mp, { lock });
    const signal = AbortSignal.abort(new RangeError("already"));
    await assert.rejects(lock.acquire({ signal }), new RangeError("already"));
    await lock.acquire();
    await assert.rejects(lock.acquire({ signal }), new RangeError("already"));
    await assert.rejects(lock.guard({ signal }), new RangeError("already"));
    lock.release();
    assert.equal(lock.locked(), false); // nothing was counted
    await assert.rejects(child.call("lock.acquire", { aborted: true }), new RangeError("already"));
    assert.equal(lock.locked(), false);
    await child.end();
  });

  test(mp, "RLock refuses bad timeouts, in the child too", async () => {
    const lock = new mp.RLock();
    await using child = await Puppet.start(mp, { lock });
    for (const timeout of [-1, NaN, "1" as unknown as number]) {
      await assert.rejects(lock.acquire({ timeout }), ValueError);
      assert.throws(() => lock.acquireSync({ timeout }), ValueError);
      await assert.rejects(child.call("lock.acquire", { timeout }), ValueError);
    }
    assert.equal(lock.locked(), false);
    await child.end();
  });

  // --- Travelling -----------------------------------------------------------------------------------------------

  test(
    mp,
    "RLock travels nested in arguments, over a queue and over a pipe, and stays the same",
    async () => {
      const [inArgs, inItem, inMessage] = [new mp.RLock(), new mp.RLock(), new mp.RLock()];
      const queue = new mp.Queue<unknown>();
      const [ours, theirs] = Pipe<unknown>();
      const handles = { data: nested(inArgs), queue, connection: theirs };
      await using child = await Puppet.start(mp, handles);
      const data = await child.call("get", "data", "list") as [
        null,
        Map<string, { it: RLock; twice: RLock }>,
      ];
      const back = data[1].get("here")!;
      assert.ok(back.it instanceof RLock && back.twice instanceof RLock);
      await child.call("keep", "inArgs", nested(inArgs));
      await queue.put(nested(inItem));
      await child.call("keep", "inItem", await child.call("queue.get"));
      await ours.send(nested(inMessage));
      await child.call("keep", "inMessage", await child.call("connection.recv"));
      for (const [name, lock] of Object.entries({ inArgs, inItem, inMessage })) {
        assert.equal(await child.call("isA", name, "RLock"), true);
        await child.call(`${name}.acquire`);
        await child.call(`${name}.acquire`);
        assert.equal(lock.locked(), true);
        assert.throws(() => lock.release(), AssertionError);
        await child.call(`${name}.release`);
        assert.equal(await lock.acquire({ block: false }), false);
        await child.call(`${name}.release`);
        assert.equal(await lock.acquire({ block: false }), true);
        lock.release();
      }
      // What came back is ours again, not a stand-in.
      await back.it.acquire();
      assert.equal(await inArgs.acquire({ block: false }), true);
      inArgs.release();
      back.twice.release();
      assert.equal(inArgs.locked(), false);
      ours.close();
      await child.end();
    },
  );

  test(mp, "RLock has one owner whichever way its handle came", async () => {
    const lock = new mp.RLock();
    const queue = new mp.Queue<RLock>();
    await queue.put(lock);
    await using child = await Puppet.start(mp, { lock, queue });
    await child.call("keep", "same", nested(await child.call("queue.get")));
    await child.call("lock.acquire");
    await child.call("same.acquire");
    await child.call("same.release");
    await child.call("same.release");
    assert.equal(await lock.acquire({ timeout: AT_ONCE_MS }), true);
    lock.release();
    await child.end();
  });

  test(mp, "RLock made by a child is used by us, and reentered", async () => {
    await using child = await Puppet.start(mp);
    const lock = await child.call("create", "lock", "RLock") as RLock;
    assert.ok(lock instanceof RLock);
    for (let i = 0; i < 3; i++) assert.equal(await lock.acquire(), true);
    assert.equal(await child.call("lock.acquire", { block: false }), false);
    await assert.rejects(child.call("lock.release"), notOwned);
    for (let i = 0; i < 3; i++) lock.release();
    assert.throws(() => lock.release(), notOwned);
    assert.equal(await child.call("lock.acquire", { timeout: AT_ONCE_MS }), true);
    assert.equal(await lock.acquire({ block: false }), false);
    assert.throws(() => lock.release(), notOwned);
    await child.call("lock.release");
    assert.equal(await lock.acquire({ timeout: AT_ONCE_MS }), true);
    lock.release();
    await child.end();
  });

  test(mp, "RLock made by a child has one owner among us and another child", async () => {
    await using maker = await Puppet.start(mp);
    const lock = await maker.call("create", "lock", "RLock") as RLock;
    await using other = await Puppet.start(mp, { lock });
    await lock.acquire();
    assert.equal(await other.call("lock.acquire", { block: false }), false);
    assert.equal(await maker.call("lock.acquire", { block: false }), false);
    lock.release();
    assert.equal(await other.call("lock.acquire", { timeout: AT_ONCE_MS }), true);
    assert.equal(await lock.acquire({ block: false }), false);
    await other.call("lock.release");
    await other.end();
    await maker.end();
  });

  // --- Death ----------------------------------------------------------------------------------------------------

  for (const way of ways(mp)) {
    test(mp, `RLock of a child that ${way.name}, holding it three times, goes to the next`, async () => {
      const lock = new mp.RLock();
      await using child = await Puppet.start(mp, { lock });
      for (let i = 0; i < 3; i++) await child.call("lock.acquire");
      const mine = lock.acquire();
      assert.ok(await isPending(mine));
      await dies(child, way);
      assert.equal(await within(DEATH_MS, mine, "acquire()"), true);
      assert.equal(lock.abandoned, true);
      // Its count is ours, not the dead one's.
      lock.release();
      assert.equal(lock.locked(), false);
      assert.throws(() => lock.release(), AssertionError);
      await lock.acquire();
      assert.equal(lock.abandoned, false);
      lock.release();
    });
  }

  test(mp, "RLock of a killed child is free for who comes later", async () => {
    const lock = new mp.RLock();
    await using child = await Puppet.start(mp, { lock });
    await using later = await Puppet.start(mp, { lock });
    await child.call("guard", "lock");
    await child.call("guard", "lock");
    child.process.kill();
    await child.process.join();
    assert.equal(lock.locked(), false);
    assert.equal(await later.call("lock.acquire", { timeout: DEATH_MS }), true);
    assert.equal(await later.call("get", "lock", "abandoned"), true);
    await assert.rejects(lock.guard({ timeout: 20 }), TimeoutError);
    await later.call("lock.release");
    await later.end();
  });
}

const spawn = getContext("spawn");

test(spawn, "RLock refuses its blocking twins in the child and says why", async () => {
  const lock = new spawn.RLock();
  await using child = await Puppet.start(spawn, { lock });
  for (const path of ["lock.acquireSync", "lock.guardSync"]) {
    await assert.rejects(child.call(path), RuntimeError);
    await assert.rejects(child.call(path), /the async form/);
  }
  assert.equal(lock.locked(), false);
  await child.end();
});
