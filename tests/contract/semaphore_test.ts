/**
 * Semaphore and BoundedSemaphore, for each start method. The names in comments are those of CPython's tests:
 * `_TestSemaphore` of `_test_multiprocessing.py`, `SemaphoreTests` and `BoundedSemaphoreTests` of `lock_tests.py`.
 *
 * @module
 */
import {
  BoundedSemaphore,
  getContext,
  Lock,
  Pipe,
  RuntimeError,
  Semaphore,
  TimeoutError,
  ValueError,
} from "@multiprocessing/deno";
import assert from "node:assert/strict";
import {
  AT_ONCE_MS,
  DEATH_MS,
  dies,
  endAll,
  nested,
  Puppet,
  puppets,
  ways,
  worksUnder,
  worksUnderSync,
} from "../fixtures/sync_targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { CLOCK_SLACK_MS, isPending, timed, within } from "../support/gates.ts";

const tooOften = { name: "ValueError", message: /semaphore or lock released too many times/ };

/** Takes every permit that is free, without waiting; says how many those were, and gives them back. */
async function free(semaphore: Semaphore): Promise<number> {
  let count = 0;
  while (await semaphore.acquire({ block: false })) count++;
  for (let i = 0; i < count; i++) semaphore.release();
  return count;
}

for (const mp of contexts()) {
  const forms = mp.name === "worker" ? ["acquire", "acquireSync"] : ["acquire"];

  // --- _TestSemaphore, SemaphoreTests -------------------------------------------------------------------------------

  // test_semaphore, test_bounded_semaphore, test_acquire, test_try_acquire
  for (const name of ["Semaphore", "BoundedSemaphore"] as const) {
    test(mp, `${name} counts down and up`, async () => {
      const sem = new mp[name](2);
      assert.ok(sem instanceof Lock && sem instanceof Semaphore);
      assert.equal(sem.getValue(), 2);
      assert.equal(await sem.acquire(), true);
      assert.equal(sem.getValue(), 1);
      assert.equal(sem.locked(), false);
      assert.equal(await sem.acquire(), true);
      assert.equal(sem.getValue(), 0);
      assert.equal(sem.locked(), true);
      assert.equal(await sem.acquire({ block: false }), false);
      assert.equal(sem.acquireSync({ block: false }), false);
      assert.equal(sem.getValue(), 0);
      assert.equal(sem.release(), undefined);
      assert.equal(sem.getValue(), 1);
      assert.equal(sem.acquireSync(), true);
      sem.release();
      sem.release();
      assert.equal(sem.getValue(), 2);
    });

    // test_default_value
    test(mp, `${name} has one permit unless said otherwise`, async () => {
      const sem = new mp[name]();
      assert.equal(sem.getValue(), 1);
      assert.equal(await sem.acquire({ block: false }), true);
      assert.equal(await sem.acquire({ block: false }), false);
      sem.release();
      assert.equal(await sem.acquire({ block: false }), true);
      sem.release();
    });

    // test_with
    test(mp, `${name}.guard() holds a permit for a block, also one that throws`, async () => {
      const sem = new mp[name](2);
      {
        using _outer = await sem.guard();
        assert.equal(sem.getValue(), 1);
        {
          using _inner = sem.guardSync();
          assert.equal(sem.getValue(), 0);
          await assert.rejects(sem.guard({ timeout: 20 }), TimeoutError);
          assert.throws(() => sem.guardSync({ block: false }), TimeoutError);
        }
        assert.equal(sem.getValue(), 1);
      }
      await assert.rejects(async () => {
        using _ = await sem.guard();
        throw new RangeError("inside");
      }, new RangeError("inside"));
      assert.equal(sem.getValue(), 2);
      const guard = await sem.guard();
      guard[Symbol.dispose]();
      guard[Symbol.dispose](); // releases once
      assert.equal(sem.getValue(), 2);
    });

    // test_constructor
    test(mp, `${name} refuses bad values`, () => {
      for (
        const value of [
          -1,
          -(2 ** 31),
          0.5,
          NaN,
          Infinity,
          "2" as unknown as number,
          null as unknown as number,
        ]
      ) {
        assert.throws(() => new mp[name](value), ValueError, String(value));
      }
      assert.equal(new mp[name](0).getValue(), 0);
    });

    // CPython refuses what its counter cannot hold.
    test(mp, `${name} counts to what it was given, or says that it cannot`, async () => {
      for (const value of [2 ** 30 - 1, 2 ** 30, 2 ** 31 - 1, 2 ** 31, 2 ** 40]) {
        let sem;
        try {
          sem = new mp[name](value);
        } catch (error) {
          assert.ok(error instanceof ValueError, String(error));
          continue;
        }
        assert.equal(sem.getValue(), value);
        assert.equal(await sem.acquire({ block: false }), true);
        assert.equal(sem.getValue(), value - 1);
        sem.release();
        assert.equal(sem.getValue(), value);
      }
    });
  }

  // test_semaphore, SemaphoreTests.test_release_unacquired
  test(mp, "Semaphore may be released above its first value", async () => {
    const sem = new mp.Semaphore(1);
    sem.release();
    sem.release();
    assert.equal(sem.getValue(), 3);
    await using child = await Puppet.start(mp, { sem });
    await child.call("sem.release");
    assert.equal(await free(sem), 4);
    for (const form of forms) {
      assert.equal(await child.call(`sem.${form}`, { block: false }), true);
      await child.call("sem.release");
    }
    assert.equal(await free(sem), 4);
    await child.end();
  });

  // test_bounded_semaphore, BoundedSemaphoreTests.test_release_unacquired
  test(mp, "BoundedSemaphore refuses a release too many, here and in the child", async () => {
    const sem = new mp.BoundedSemaphore(2);
    assert.throws(() => sem.release(), tooOften);
    assert.throws(() => sem.release(), ValueError);
    await using child = await Puppet.start(mp, { sem });
    for (const form of forms) {
      await child.call(`sem.${form}`);
      await child.call(`sem.${form}`);
      await child.call("releaseTimes", "sem", 2);
      // A "spawn" child cannot know; what comes of it there is tested with the Lock.
      if (mp.name === "worker") await assert.rejects(child.call("sem.release"), tooOften);
    }
    assert.equal(sem.getValue(), 2);
    await child.end();
  });

  test(mp, "BoundedSemaphore refuses a release too many to a child that never acquired", async () => {
    const sem = new mp.BoundedSemaphore(2);
    await using child = await Puppet.start(mp, { sem });
    if (mp.name === "worker") {
      await assert.rejects(child.call("sem.release"), tooOften);
      await child.end();
    } else {
      // It cannot know whether somebody else holds it; the error comes from its home, and is its end.
      child.begin("sem.release").catch(() => {});
      await within(DEATH_MS, child.process.join(), "join()");
      assert.equal(child.process.exitcode, 1);
    }
    assert.equal(sem.getValue(), 2);
  });

  // test_acquire_contended, test_multirelease
  test(mp, "Semaphore.acquire() gives exactly as many permits as are released", async () => {
    const sem = new mp.Semaphore(3);
    for (let i = 0; i < 3; i++) await sem.acquire();
    await using children = await puppets(mp, 2, { sem });
    const waits: Promise<unknown>[] = [];
    for (let i = 0; i < 6; i++) waits.push((await children[i % 2]!.begin("sem.acquire")).result);
    const got = async () => {
      const pending = await Promise.all(waits.map((wait) => isPending(wait)));
      return pending.filter((waits) => !waits).length;
    };
    assert.equal(await got(), 0);
    let released = 0;
    for (const more of [1, 3, 2]) {
      for (let i = 0; i < more; i++) sem.release();
      released += more;
      await within(AT_ONCE_MS, Promise.all(waits.slice(0, released)), `${released} permits`);
      assert.equal(await got(), released);
      assert.equal(sem.getValue(), 0);
    }
    for (let i = 0; i < 6; i++) await children[i % 2]!.call("sem.release");
    assert.equal(sem.getValue(), 6); // the first three were released for the children
    await endAll(children);
  });

  // test_try_acquire_contended, test_acquire_timeout, test_timeout
  for (const form of forms) {
    test(mp, `Semaphore without permits is refused to the child, in time, ${form}()`, async () => {
      const sem = new mp.Semaphore(0);
      await using child = await Puppet.start(mp, { sem });
      for (const options of [{ block: false }, { timeout: 0 }, { block: false, timeout: 10_000 }]) {
        const { ms, value } = await timed(() => child.call(`sem.${form}`, options));
        assert.equal(value, false);
        assert.ok(ms < AT_ONCE_MS, `${ms} ms`);
      }
      for (const timeout of [40, 90]) {
        const { ms, value } = await timed(() => child.call(`sem.${form}`, { timeout }));
        assert.equal(value, false);
        assert.ok(ms >= timeout - CLOCK_SLACK_MS, `${ms} ms`);
      }
      sem.release();
      assert.equal(await child.call(`sem.${form}`, { timeout: 10_000 }), true);
      await child.end();
    });

    // test_acquire_contended
    test(mp, `Semaphore.${form}() in the child waits for release() here`, async () => {
      const sem = new mp.Semaphore(0);
      await using child = await Puppet.start(mp, { sem });
      for (let i = 0; i < 3; i++) {
        const { result } = await child.begin(`sem.${form}`);
        assert.ok(await isPending(result));
        sem.release();
        assert.equal(await within(AT_ONCE_MS, result, "the child's acquire()"), true);
        assert.equal(sem.getValue(), 0);
      }
      await child.end();
    });
  }

  test(mp, "Semaphore here without permits is refused in time, and got when the child releases", async () => {
    const sem = new mp.Semaphore(0);
    await using child = await Puppet.start(mp, { sem });
    for (const timeout of [0, 60]) {
      const { ms, value } = await timed(() => sem.acquire({ timeout }));
      assert.equal(value, false);
      assert.ok(ms >= timeout - CLOCK_SLACK_MS && ms < timeout + AT_ONCE_MS, `${ms} ms`);
    }
    assert.equal(sem.acquireSync({ timeout: 30 }), false);
    const mine = sem.acquire();
    assert.ok(await isPending(mine));
    await child.call("sem.release");
    assert.equal(await within(AT_ONCE_MS, mine, "acquire()"), true);
    assert.equal(sem.getValue(), 0);
    await child.end();
  });

  test(mp, "BoundedSemaphore may be released by a process other than the one that acquired it", async () => {
    const sem = new mp.BoundedSemaphore(1);
    await using child = await Puppet.start(mp, { sem });
    await sem.acquire(); // after the child has got it
    const mine = sem.acquire();
    await child.call("sem.release");
    assert.equal(await within(AT_ONCE_MS, mine, "acquire()"), true);
    await child.call("sem.release");
    assert.equal(await free(sem), 1);
    // Also by one that has held it before.
    await child.call("sem.acquire");
    await child.call("sem.release");
    await sem.acquire();
    await child.call("sem.release");
    assert.equal(await sem.acquire({ timeout: AT_ONCE_MS }), true);
    sem.release();
    assert.throws(() => sem.release(), tooOften);
    await child.end();
  });

  test(mp, "Semaphore.getValue() and locked() in the child", async () => {
    const sem = new mp.Semaphore(3);
    await using child = await Puppet.start(mp, { sem });
    await child.call("sem.acquire");
    assert.equal(await child.call("sem.getValue"), 2);
    await child.call("sem.acquire");
    await child.call("sem.acquire");
    assert.deepEqual([await child.call("sem.getValue"), await child.call("sem.locked")], [0, true]);
    await child.call("sem.release");
    assert.equal(await child.call("sem.getValue"), 1);
    assert.equal(sem.getValue(), 1);
    await child.end();
  });

  const targets = mp.name === "worker" ? [worksUnder, worksUnderSync, worksUnder] : [worksUnder, worksUnder];
  test(mp, `Semaphore of two is never held by three of ${targets.length + 1} processes`, async () => {
    const sem = new mp.Semaphore(2);
    const log = new mp.Queue<number>();
    const times = mp.name === "worker" ? 300 : 60;
    const children = targets.map((target) => new mp.Process({ target, args: [sem, log, times] }));
    for (const child of children) child.start();
    await worksUnder(sem, log, times);
    for (const child of children) await child.join();
    let holders = 0;
    let most = 0;
    for (let i = 0; i < 2 * times * (targets.length + 1); i++) {
      holders += await log.getNowait();
      most = Math.max(most, holders);
    }
    assert.equal(holders, 0);
    assert.ok(most <= 2, `${most} at a time`);
    assert.equal(await free(sem), 2);
  });

  // --- Order, early ends, bad input -----------------------------------------------------------------------------

  test(mp, "Semaphore.acquire() serves waiters in order", async () => {
    const sem = new mp.Semaphore(0);
    await using children = await puppets(mp, 3, { sem });
    const waits: Promise<unknown>[] = [];
    for (const child of children) waits.push((await child.begin("sem.acquire")).result);
    waits.push(sem.acquire());
    for (const [i, wait] of waits.entries()) {
      sem.release();
      assert.equal(await within(AT_ONCE_MS, wait, `acquire() of ${i}`), true);
      for (const later of waits.slice(i + 1)) assert.ok(await isPending(later));
    }
    await endAll(children);
  });

  test(mp, "Semaphore.acquire() of a newcomer does not overtake", async () => {
    const sem = new mp.Semaphore(0);
    await using child = await Puppet.start(mp, { sem });
    const first = await child.begin("sem.acquire");
    sem.release();
    assert.equal(await sem.acquire({ block: false }), false); // it belongs to the child
    assert.equal(await within(AT_ONCE_MS, first.result, "the child's acquire()"), true);
    await child.end();
  });

  test(mp, "Semaphore.acquire() that ends early gives up its place and takes nothing", async () => {
    const sem = new mp.Semaphore(0);
    await using children = await puppets(mp, 2, { sem });
    const [first, second] = [children[0]!, children[1]!];
    const aborted = await first.begin("sem.acquire", { abortAt: "a" });
    const late = await first.begin("sem.acquire", { timeout: 40 });
    const waiting = await second.begin("sem.acquire");
    await first.call("abort", "a");
    await assert.rejects(aborted.result, new RangeError("enough"));
    assert.equal(await late.result, false);
    assert.ok(await isPending(waiting.result));
    sem.release();
    assert.equal(await within(AT_ONCE_MS, waiting.result, "the one still in line"), true);
    assert.equal(sem.getValue(), 0);
    const controller = new AbortController();
    const mine = sem.acquire({ signal: controller.signal });
    const behind = await second.begin("sem.acquire");
    controller.abort(new RangeError("enough"));
    await assert.rejects(mine, new RangeError("enough"));
    sem.release();
    assert.equal(await within(AT_ONCE_MS, behind.result, "the one behind us"), true);
    await endAll(children);
  });

  test(
    mp,
    "Semaphore.acquire() with an aborted signal takes nothing, even when a permit is free",
    async () => {
      const sem = new mp.Semaphore(1);
      await using child = await Puppet.start(mp, { sem });
      const signal = AbortSignal.abort(new RangeError("already"));
      await assert.rejects(sem.acquire({ signal }), new RangeError("already"));
      await assert.rejects(sem.guard({ signal }), new RangeError("already"));
      await assert.rejects(child.call("sem.acquire", { aborted: true }), new RangeError("already"));
      assert.equal(sem.getValue(), 1);
      await child.end();
    },
  );

  test(mp, "Semaphore refuses bad timeouts", async () => {
    const sem = new mp.Semaphore(1);
    await using child = await Puppet.start(mp, { sem });
    for (const timeout of [-1, NaN, "1" as unknown as number]) {
      await assert.rejects(sem.acquire({ timeout }), ValueError);
      assert.throws(() => sem.acquireSync({ timeout }), ValueError);
      await assert.rejects(child.call("sem.acquire", { timeout }), ValueError);
    }
    assert.equal(sem.getValue(), 1);
    await child.end();
  });

  // --- Travelling -----------------------------------------------------------------------------------------------

  for (const name of ["Semaphore", "BoundedSemaphore"] as const) {
    test(
      mp,
      `${name} travels nested in arguments, over a queue and over a pipe, and stays the same`,
      async () => {
        const sems: Record<string, Semaphore> = {
          inArgs: new mp[name](1),
          inItem: new mp[name](1),
          inMessage: new mp[name](1),
        };
        const queue = new mp.Queue<unknown>();
        const [ours, theirs] = Pipe<unknown>();
        await using child = await Puppet.start(mp, { data: nested(sems.inArgs), queue, connection: theirs });
        const data = await child.call("get", "data", "list") as [null, Map<string, { it: Semaphore }>];
        await child.call("keep", "inArgs", { list: data });
        await queue.put(nested(sems.inItem));
        await child.call("keep", "inItem", await child.call("queue.get"));
        await ours.send(nested(sems.inMessage));
        await child.call("keep", "inMessage", await child.call("connection.recv"));
        for (const [at, sem] of Object.entries(sems)) {
          assert.equal(await child.call("isA", at, name), true);
          assert.equal(await child.call("isA", at, "BoundedSemaphore"), name === "BoundedSemaphore");
          await child.call(`${at}.acquire`);
          assert.equal(sem.getValue(), 0);
          assert.equal(await sem.acquire({ block: false }), false);
          await child.call(`${at}.release`);
          assert.equal(await free(sem), 1);
          if (name === "BoundedSemaphore" && mp.name === "worker") {
            await assert.rejects(child.call(`${at}.release`), tooOften);
          }
        }
        ours.close();
        await child.end();
      },
    );

    test(mp, `${name} made by a child is used by us`, async () => {
      await using child = await Puppet.start(mp);
      const sem = await child.call("create", "sem", name, 2) as Semaphore;
      assert.ok(sem instanceof (name === "Semaphore" ? Semaphore : BoundedSemaphore));
      assert.equal(await sem.acquire(), true);
      assert.equal(sem.getValue(), 1);
      await child.call("sem.acquire");
      assert.equal(await sem.acquire({ block: false }), false);
      const mine = sem.acquire();
      assert.ok(await isPending(mine));
      await child.call("sem.release");
      assert.equal(await within(AT_ONCE_MS, mine, "acquire()"), true);
      sem.release();
      sem.release();
      if (name === "BoundedSemaphore" && mp.name === "worker") assert.throws(() => sem.release(), tooOften);
      assert.equal(await free(sem), 2);
      await child.end();
    });
  }

  // --- Death ----------------------------------------------------------------------------------------------------

  for (const way of ways(mp)) {
    test(mp, `Semaphore permits of a child that ${way.name} return`, async () => {
      const sem = new mp.Semaphore(3);
      await using child = await Puppet.start(mp, { sem });
      for (let i = 0; i < 3; i++) await child.call("sem.acquire");
      const mine = sem.acquire();
      assert.ok(await isPending(mine));
      await dies(child, way);
      assert.equal(await within(DEATH_MS, mine, "acquire()"), true);
      assert.equal(sem.abandoned, true);
      for (let i = 0; i < 2; i++) assert.equal(await sem.acquire({ timeout: DEATH_MS }), true);
      assert.equal(sem.abandoned, false);
      assert.equal(await sem.acquire({ block: false }), false);
      for (let i = 0; i < 3; i++) sem.release();
      assert.equal(sem.getValue(), 3);
    });
  }

  test(mp, "Semaphore permits of a killed child go to all who wait", async () => {
    const sem = new mp.Semaphore(3);
    await using child = await Puppet.start(mp, { sem });
    await using other = await Puppet.start(mp, { sem });
    for (let i = 0; i < 3; i++) await child.call("sem.acquire");
    const waits = [(await other.begin("sem.acquire")).result, sem.acquire(), sem.acquire(), sem.acquire()];
    child.process.kill();
    await within(DEATH_MS, Promise.all(waits.slice(0, 3)), "three acquires");
    assert.ok(await isPending(waits[3]!));
    await other.call("sem.release");
    assert.equal(await within(AT_ONCE_MS, waits[3]!, "the fourth"), true);
    for (let i = 0; i < 3; i++) sem.release();
    assert.equal(await free(sem), 3);
    await other.end();
  });

  for (const name of ["Semaphore", "BoundedSemaphore"] as const) {
    test(mp, `${name} whose holder was killed has its permits back before anybody asks for one`, async () => {
      const sem = new mp[name](3);
      await using child = await Puppet.start(mp, { sem });
      await child.call("sem.acquire");
      await child.call("sem.acquire");
      assert.equal(sem.getValue(), 1);
      child.process.kill();
      await child.process.join();
      assert.equal(sem.getValue(), 3);
      assert.equal(await free(sem), 3);
      if (name === "BoundedSemaphore" && mp.name === "worker") assert.throws(() => sem.release(), tooOften);
    });

    test(mp, `${name} all of whose permits a killed child had is not locked any more`, async () => {
      const sem = new mp[name](1);
      await using child = await Puppet.start(mp, { sem });
      await child.call("guard", "sem");
      child.process.kill();
      await child.process.join();
      assert.equal(sem.locked(), false);
      using _ = await sem.guard({ block: false });
      assert.equal(sem.abandoned, true);
    });
  }

  test(mp, "Semaphore whose waiter was killed serves the next in line", async () => {
    const sem = new mp.Semaphore(0);
    await using children = await puppets(mp, 2, { sem });
    const [doomed, next] = [children[0]!, children[1]!];
    await doomed.begin("sem.acquire");
    const waiting = await next.begin("sem.acquire");
    doomed.process.kill();
    await doomed.process.join();
    sem.release();
    assert.equal(await within(DEATH_MS, waiting.result, "the next in line"), true);
    assert.equal(sem.getValue(), 0);
    await next.end();
  });

  test(mp, "Semaphore permit granted to a child that is killed before it could notice goes on", async () => {
    const sem = new mp.Semaphore(1);
    await sem.acquire();
    await using child = await Puppet.start(mp, { sem });
    await child.begin("sem.acquire");
    await child.begin("spins");
    sem.release(); // straight to the child, which never looks
    const mine = sem.acquire();
    assert.ok(await isPending(mine));
    child.process.kill();
    assert.equal(await within(DEATH_MS, mine, "acquire()"), true);
    assert.equal(sem.getValue(), 0);
    sem.release();
    assert.equal(await free(sem), 1);
  });

  test(mp, "Semaphore returns nothing for a dead consumer of what others released", async () => {
    const items = new mp.Semaphore(0);
    await using child = await Puppet.start(mp, { items });
    for (let i = 0; i < 3; i++) {
      items.release();
      await child.call("items.acquire");
    }
    child.process.kill();
    await child.process.join();
    assert.equal(await items.acquire({ timeout: 30 }), false);
    items.release();
    assert.equal(await free(items), 1);
  });

  test(mp, "Semaphore permit released for a killed child returns only once", async () => {
    const sem = new mp.BoundedSemaphore(2);
    await using child = await Puppet.start(mp, { sem });
    await child.call("sem.acquire");
    await child.call("sem.acquire");
    sem.release(); // one of the child's two
    child.process.kill();
    await child.process.join();
    assert.equal(await sem.acquire({ block: false }), true);
    assert.equal(await sem.acquire({ timeout: DEATH_MS }), true);
    assert.equal(await sem.acquire({ timeout: 20 }), false);
    sem.release();
    sem.release();
    assert.throws(() => sem.release(), tooOften);
  });

  test(mp, "Semaphore survives holders that are killed again and again", async () => {
    const sem = new mp.BoundedSemaphore(2);
    for (let round = 0; round < (mp.name === "worker" ? 6 : 3); round++) {
      await using children = await puppets(mp, 2, { sem });
      for (const child of children) await child.call("sem.acquire", { timeout: DEATH_MS });
      assert.equal(await sem.acquire({ block: false }), false);
      for (const child of children) child.process.kill();
      for (const child of children) await child.process.join();
      assert.equal(await free(sem), 2);
    }
  });
}

const spawn = getContext("spawn");

test(spawn, "Semaphore refuses its blocking twins in the child and says why", async () => {
  const sem = new spawn.Semaphore(1);
  await using child = await Puppet.start(spawn, { sem });
  for (const path of ["sem.acquireSync", "sem.guardSync"]) {
    await assert.rejects(child.call(path), RuntimeError);
    await assert.rejects(child.call(path), /the async form/);
  }
  assert.equal(sem.getValue(), 1);
  await child.end();
});
