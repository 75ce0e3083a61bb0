/**
 * Condition, for each start method. The names in comments are those of CPython's tests: `_TestCondition` of
 * `_test_multiprocessing.py` and `ConditionTests` of `lock_tests.py`.
 *
 * A child that sleeps says when it has acquired the lock; whoever acquires it after that finds it in line.
 *
 * @module
 */
import {
  AssertionError,
  Condition,
  type Context,
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
  type Call,
  DEATH_MS,
  dies,
  endAll,
  nested,
  Puppet,
  puppets,
  ways,
} from "../fixtures/sync_targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { CLOCK_SLACK_MS, isPending, timed, within } from "../support/gates.ts";

/** Puts a child to sleep in `condition`, holding its lock so many times; it is in line when this returns. */
async function sleep(child: Puppet, depth = 1, name = "condition", options: unknown = {}): Promise<Call> {
  for (let i = 0; i < depth; i++) await child.call(`${name}.acquire`);
  return await child.begin(`${name}.wait`, options);
}

/** A child that goes to sleep in the blocking form; it is in line once we get the lock. */
async function sleepSync(child: Puppet, condition: Condition, options: unknown = {}): Promise<Call> {
  await child.call("condition.acquireSync");
  const call = await child.begin("condition.waitSync", options);
  using _ = await condition.guard();
  return call;
}

async function notify(condition: Condition, count?: number): Promise<void> {
  using _ = await condition.guard();
  condition.notify(count);
}

async function notifyAll(condition: Condition): Promise<void> {
  using _ = await condition.guard();
  condition.notifyAll();
}

/** The indices of the calls that ended. */
async function woken(calls: readonly Call[]): Promise<number[]> {
  const found: number[] = [];
  for (const [i, { result }] of calls.entries()) if (!await isPending(result)) found.push(i);
  return found;
}

/** Waits until these calls have ended, in whatever order they get the lock, and has each give it up. */
async function wake(children: readonly Puppet[], calls: readonly Call[], ...which: number[]): Promise<void> {
  await Promise.all(which.map(async (i) => {
    assert.equal(await within(AT_ONCE_MS, calls[i]!.result, `wait() of ${i}`), true);
    await children[i]!.call("condition.release");
  }));
}

const notHeld = { name: "AssertionError", message: /must acquire\(\) condition before using/ };

function kinds(mp: Context): [name: string, make: () => Condition][] {
  return [
    ["its own lock", () => new mp.Condition()],
    ["an RLock", () => new mp.Condition(new mp.RLock())],
    ["a Lock", () => new mp.Condition(new mp.Lock())],
  ];
}

for (const mp of contexts()) {
  const forms = mp.name === "worker" ? ["", "Sync"] : [""];

  // --- _TestCondition, ConditionTests ---------------------------------------------------------------------------

  for (const [lockName, make] of kinds(mp)) {
    // test_unacquired_wait, test_unacquired_notify, test_release_save_unacquired
    test(mp, `Condition with ${lockName} refuses wait() and notify() without the lock`, async () => {
      const condition = make();
      await using child = await Puppet.start(mp, { condition });
      for (const held of ["by nobody", "by another"]) {
        if (held === "by another") await child.call("condition.acquire");
        await assert.rejects(condition.wait(), notHeld, held);
        await assert.rejects(condition.wait({ timeout: 0 }), AssertionError, held);
        await assert.rejects(condition.waitFor(() => false), AssertionError, held);
        assert.throws(() => condition.waitSync(), notHeld, held);
        assert.throws(() => condition.notify(), notHeld, held);
        assert.throws(() => condition.notifyAll(), notHeld, held);
      }
      await child.call("condition.release");
      for (const path of ["wait", "notify", "notifyAll"]) {
        await assert.rejects(child.call(`condition.${path}`), notHeld);
      }
      // Nobody was put in line, nobody holds anything.
      assert.equal(await condition.acquire({ timeout: 0 }), true);
      condition.release();
      await child.end();
    });

    // test_wait_result, test_timeout
    test(mp, `Condition with ${lockName}: wait() says whether it was notified`, async () => {
      const condition = make();
      await using child = await Puppet.start(mp, { condition });
      await condition.acquire();
      for (const options of [{ timeout: 0 }, { block: false }, { timeout: 80 }]) {
        const atLeast = options.timeout ?? 0;
        const { ms, value } = await timed(() => condition.wait(options));
        assert.equal(value, false);
        assert.ok(ms >= atLeast - CLOCK_SLACK_MS && ms < atLeast + AT_ONCE_MS, `${ms} ms`);
      }
      assert.equal(await child.call("condition.acquire", { block: false }), false); // it is ours again
      const notified = condition.wait({ timeout: 60_000 });
      await child.call("notifies", "condition");
      assert.equal(await within(AT_ONCE_MS, notified, "wait()"), true);
      assert.equal(await child.call("condition.acquire", { block: false }), false);
      condition.release();
      await child.end();
    });

    // test_acquire
    test(mp, `Condition with ${lockName}: acquire(), release() and guard() are the lock's`, async () => {
      const condition = make();
      await using child = await Puppet.start(mp, { condition });
      assert.equal(await condition.acquire(), true);
      assert.equal(await child.call("condition.acquire", { timeout: 20 }), false);
      await assert.rejects(child.call("guard", "condition", { timeout: 20 }), TimeoutError);
      assert.equal(condition.release(), undefined);
      {
        using _ = await condition.guard();
        assert.equal(await child.call("condition.acquire", { block: false }), false);
      }
      assert.equal(condition.acquireSync(), true);
      condition.release();
      {
        using _ = condition.guardSync();
        assert.equal(await child.call("condition.acquire", { block: false }), false);
      }
      await child.call("guard", "condition");
      assert.equal(await condition.acquire({ timeout: 20 }), false);
      await assert.rejects(condition.guard({ timeout: 20 }), TimeoutError);
      await child.call("leaveBlock");
      assert.equal(await condition.acquire({ block: false }), true);
      condition.release();
      assert.throws(() => condition.release(), lockName === "a Lock" ? ValueError : AssertionError);
      await child.end();
    });
  }

  // test_notify
  test(mp, "Condition.notify() wakes one at a time, in order", async () => {
    const condition = new mp.Condition();
    await using children = await puppets(mp, 3, { condition });
    const calls: Call[] = [];
    for (const child of children) calls.push(await sleep(child));
    assert.deepEqual(await woken(calls), []);
    for (let i = 0; i < 3; i++) {
      await notify(condition);
      await wake(children, calls, i);
      assert.deepEqual(await woken(calls), [0, 1, 2].slice(0, i + 1));
    }
    await notify(condition); // nobody is left, and nobody who comes later gets it
    await condition.acquire();
    assert.equal(await condition.wait({ timeout: 30 }), false);
    condition.release();
    await endAll(children);
  });

  // test_notify_n
  test(mp, "Condition.notify(n) wakes exactly n, or all there are", async () => {
    const condition = new mp.Condition();
    await using children = await puppets(mp, 4, { condition });
    const calls: Call[] = [];
    for (const child of children) calls.push(await sleep(child));
    await notify(condition, 0);
    assert.deepEqual(await woken(calls), []);
    await notify(condition, 3);
    await wake(children, calls, 0, 1, 2);
    assert.deepEqual(await woken(calls), [0, 1, 2]);
    calls[0] = await sleep(children[0]!);
    await notify(condition, 100);
    await wake(children, calls, 3, 0);
    await notify(condition, 3);
    await condition.acquire();
    assert.equal(await condition.wait({ timeout: 30 }), false);
    condition.release();
    await endAll(children);
  });

  // test_notify_all
  for (const form of forms) {
    test(mp, `Condition.notifyAll() wakes all, after all had timed out, wait${form}()`, async () => {
      const condition = new mp.Condition();
      await using children = await puppets(mp, 3, { condition });
      const sleeping = (options: unknown) =>
        Promise.all(children.map((child) => child.begin(`sleeps${form}`, "condition", options)));
      const timedOut = await sleeping({ timeout: 50 });
      assert.deepEqual(
        await within(AT_ONCE_MS, Promise.all(timedOut.map(({ result }) => result)), "3 timeouts"),
        [false, false, false],
      );
      const calls: Call[] = [];
      for (const child of children) {
        calls.push(form === "" ? await sleep(child) : await sleepSync(child, condition));
      }
      assert.deepEqual(await woken(calls), []);
      await notifyAll(condition);
      await wake(children, calls, 0, 1, 2);
      assert.equal(await condition.acquire({ timeout: AT_ONCE_MS }), true);
      condition.release();
      await endAll(children);
    });
  }

  test(mp, "Condition.notify() in the child wakes us and the others in order", async () => {
    const condition = new mp.Condition();
    await using children = await puppets(mp, 2, { condition });
    const [sleeper, notifier] = [children[0]!, children[1]!];
    await condition.acquire();
    const mine = condition.wait();
    const theirs = await sleep(sleeper);
    await notifier.call("notifies", "condition", 1);
    assert.equal(await within(AT_ONCE_MS, mine, "our wait()"), true);
    condition.release();
    assert.ok(await isPending(theirs.result));
    await notifier.call("notifies", "condition", Infinity);
    assert.equal(await within(AT_ONCE_MS, theirs.result, "the child's wait()"), true);
    await sleeper.call("condition.release");
    await endAll(children);
  });

  test(mp, "Condition.wait() that was notified waits for the lock", async () => {
    const condition = new mp.Condition();
    await using child = await Puppet.start(mp, { condition });
    const { result } = await sleep(child);
    await condition.acquire();
    condition.notify();
    assert.ok(await isPending(result));
    condition.release();
    assert.equal(await within(AT_ONCE_MS, result, "wait()"), true);
    await child.call("condition.release");
    await child.end();
  });

  test(mp, "Condition.wait() whose time is up waits for the lock, beyond its timeout", async () => {
    const [condition, never] = [new mp.Condition(), new mp.Event()];
    await using child = await Puppet.start(mp, { condition, never });
    const { result } = await sleep(child, 1, "condition", { timeout: 20 });
    {
      using _ = await condition.guard();
      await child.call("never.wait", { timeout: 40 }); // the 20 ms have passed there
      if (await isPending(result)) condition.notify(); // too late for it
      else assert.fail("wait() came back without the lock");
    }
    assert.equal(await within(AT_ONCE_MS, result, "wait()"), false);
    assert.equal(await condition.acquire({ block: false }), false);
    await child.call("condition.release");
    await child.end();
  });

  test(mp, "Condition.wait() gives an RLock up three levels deep, and has it back as deep", async () => {
    const lock = new mp.RLock();
    const condition = new mp.Condition(lock);
    await using child = await Puppet.start(mp, { condition, lock });
    for (let round = 0; round < 2; round++) {
      const { result } = await sleep(child, 3);
      assert.equal(await lock.acquire({ timeout: AT_ONCE_MS }), true);
      condition.notify();
      lock.release();
      assert.equal(await within(AT_ONCE_MS, result, "wait()"), true);
      for (let depth = 3; depth > 0; depth--) {
        assert.equal(await lock.acquire({ block: false }), false, `depth ${depth}`);
        await child.call("lock.release");
      }
      await assert.rejects(child.call("lock.release"), AssertionError);
      assert.equal(await lock.acquire({ timeout: AT_ONCE_MS }), true);
      lock.release();
    }
    // The same for us.
    for (let i = 0; i < 3; i++) await lock.acquire();
    const mine = condition.wait();
    await child.call("notifies", "condition");
    assert.equal(await within(AT_ONCE_MS, mine, "our wait()"), true);
    for (let i = 0; i < 3; i++) {
      assert.equal(await child.call("lock.acquire", { block: false }), false);
      lock.release();
    }
    assert.throws(() => lock.release(), AssertionError);
    await child.end();
  });

  // test_waitfor
  for (const form of forms) {
    test(mp, `Condition.waitFor${form}() asks at each notification and gives the answer`, async () => {
      const [condition, log] = [new mp.Condition(), new mp.Queue<number>()];
      await using child = await Puppet.start(mp, { condition, log });
      await child.call("condition.acquire");
      // Asked at once, then at each of four notifications.
      const { result } = await child.begin(`waitForAsked${form}`, "condition", 5);
      if (!await isPending(result)) await result; // says why
      for (let asked = 1; asked < 5; asked++) {
        assert.equal(await within(AT_ONCE_MS, log.get(), "being asked"), asked);
        assert.ok(await isPending(result));
        await notify(condition); // once we have the lock, it is in line again
      }
      assert.equal(await within(AT_ONCE_MS, result, "waitFor()"), "asked 5 times");
      assert.equal(await condition.acquire({ block: false }), false);
      await child.call("condition.release");
      await child.end();
    });

    // test_waitfor_timeout
    test(mp, `Condition.waitFor${form}() gives the last answer when its time is up`, async () => {
      const [condition, log] = [new mp.Condition(), new mp.Queue<number>()];
      await using child = await Puppet.start(mp, { condition, log });
      await child.call("condition.acquire");
      const begin = performance.now();
      const { result } = await child.begin(`waitForAsked${form}`, "condition", 1_000, { timeout: 150 });
      if (!await isPending(result)) await result; // says why
      for (let i = 0; i < 3; i++) await notify(condition); // that is not enough
      assert.equal(await within(AT_ONCE_MS, result, "waitFor()"), false);
      const ms = performance.now() - begin;
      assert.ok(ms >= 150 - CLOCK_SLACK_MS, `${ms} ms`);
      await child.call("condition.release");
      const asked = log.qsize();
      assert.ok(asked >= 2 && asked <= 5, `asked ${asked} times`);
      assert.equal(await condition.acquire({ timeout: AT_ONCE_MS }), true);
      condition.release();
      await child.end();
    });
  }

  test(
    mp,
    "Condition.waitFor() of something true does not wait, and passes errors on under the lock",
    async () => {
      const condition = new mp.Condition();
      await using child = await Puppet.start(mp, { condition });
      await condition.acquire();
      const bread = { name: "bread" };
      assert.equal(await condition.waitFor(() => bread), bread);
      assert.equal(await condition.waitFor(() => "now", { timeout: 0 }), "now");
      assert.equal(await condition.waitFor(() => 0, { timeout: 0 }), 0);
      assert.equal(await condition.waitFor(() => null, { block: false }), null);
      const { ms, value } = await timed(() => condition.waitFor(() => "", { timeout: 60 }));
      assert.equal(value, "");
      assert.ok(ms >= 60 - CLOCK_SLACK_MS, `${ms} ms`);
      await assert.rejects(
        condition.waitFor(() => {
          throw new RangeError("asked");
        }),
        new RangeError("asked"),
      );
      assert.equal(await child.call("condition.acquire", { block: false }), false); // still ours
      condition.release();
      await child.end();
    },
  );

  // --- The blocking form ----------------------------------------------------------------------------------------

  if (mp.name === "worker") {
    test(mp, "Condition.waitSync() in the child is notified, in order with the async ones", async () => {
      const condition = new mp.Condition();
      await using children = await puppets(mp, 3, { condition });
      const calls = [
        await sleepSync(children[0]!, condition),
        await sleep(children[1]!),
        await sleepSync(children[2]!, condition),
      ];
      for (let i = 0; i < 3; i++) {
        assert.deepEqual(await woken(calls), [0, 1, 2].slice(0, i));
        await notify(condition);
        await wake(children, calls, i);
      }
      await endAll(children);
    });

    test(mp, "Condition.waitSync() gives up in time, and gives an RLock up three levels deep", async () => {
      const condition = new mp.Condition();
      await using child = await Puppet.start(mp, { condition });
      for (let i = 0; i < 3; i++) await child.call("condition.acquireSync");
      for (const timeout of [0, 60]) {
        const { ms, value } = await timed(() => child.call("condition.waitSync", { timeout }));
        assert.equal(value, false);
        assert.ok(ms >= timeout - CLOCK_SLACK_MS, `${ms} ms`);
      }
      const { result } = await child.begin("condition.waitSync");
      await notify(condition); // we get the lock, so all three levels were given up
      assert.equal(await within(AT_ONCE_MS, result, "waitSync()"), true);
      for (let i = 0; i < 3; i++) {
        assert.equal(await condition.acquire({ block: false }), false);
        await child.call("condition.release");
      }
      await assert.rejects(child.call("condition.release"), AssertionError);
      await assert.rejects(child.call("condition.waitSync"), notHeld);
      await child.end();
    });

    test(mp, "Condition.waitSync() of a blocked main process is notified by a child", async () => {
      const condition = new mp.Condition();
      await using child = await Puppet.start(mp, { condition });
      condition.acquireSync();
      const notified = child.begin("notifiesSync", "condition");
      assert.equal(condition.waitSync({ timeout: 10_000 }), true);
      assert.equal(condition.waitSync({ timeout: 20 }), false);
      condition.release();
      await (await notified).result;
      await child.end();
    });
  }

  // --- Early ends, bad input ------------------------------------------------------------------------------------

  test(mp, "Condition.wait() that is aborted has the lock again, and no notification", async () => {
    const condition = new mp.Condition();
    await using children = await puppets(mp, 2, { condition });
    const [first, second] = [children[0]!, children[1]!];
    const aborted = await sleep(first, 2, "condition", { abortAt: "a" });
    const waiting = await sleep(second);
    await condition.acquire();
    await first.call("abort", "a");
    assert.ok(await isPending(aborted.result)); // the lock is ours
    condition.release();
    await assert.rejects(within(AT_ONCE_MS, aborted.result, "wait()"), new RangeError("enough"));
    for (let i = 0; i < 2; i++) {
      assert.equal(await condition.acquire({ block: false }), false);
      await first.call("condition.release");
    }
    await notify(condition, 1);
    assert.equal(await within(AT_ONCE_MS, waiting.result, "the other wait()"), true);
    await second.call("condition.release");
    await endAll(children);
  });

  test(mp, "Condition.wait() of ours that is aborted has the lock again", async () => {
    const condition = new mp.Condition();
    await using child = await Puppet.start(mp, { condition });
    const controller = new AbortController();
    await condition.acquire();
    const mine = condition.wait({ signal: controller.signal });
    await child.call("guard", "condition");
    controller.abort(new RangeError("enough"));
    assert.ok(await isPending(mine));
    await child.call("leaveBlock");
    await assert.rejects(within(AT_ONCE_MS, mine, "wait()"), new RangeError("enough"));
    assert.equal(await child.call("condition.acquire", { block: false }), false);
    condition.notify();
    condition.release();
    await child.end();
  });

  test(mp, "Condition.wait() and waitFor() with an aborted signal reject and keep the lock", async () => {
    const condition = new mp.Condition();
    await using child = await Puppet.start(mp, { condition });
    const signal = AbortSignal.abort(new RangeError("already"));
    await assert.rejects(condition.acquire({ signal }), new RangeError("already"));
    await condition.acquire();
    await assert.rejects(condition.wait({ signal }), new RangeError("already"));
    await assert.rejects(condition.waitFor(() => false, { signal }), new RangeError("already"));
    assert.equal(await child.call("condition.acquire", { block: false }), false);
    condition.release();
    await child.call("condition.acquire");
    await assert.rejects(child.call("condition.wait", { aborted: true }), new RangeError("already"));
    assert.equal(await condition.acquire({ block: false }), false);
    await child.call("condition.release");
    await child.end();
  });

  test(mp, "Condition.notify(n) counts neither those whose time was up nor those who gave up", async () => {
    const condition = new mp.Condition();
    await using children = await puppets(mp, 3, { condition });
    const aborted = await sleep(children[1]!, 1, "condition", { abortAt: "a" });
    const waiting = await sleep(children[2]!);
    // Last, since it has the lock again when its time is up, and nobody else could get in line then.
    const late = await sleep(children[0]!, 1, "condition", { timeout: 30 });
    assert.equal(await within(AT_ONCE_MS, late.result, "the short wait()"), false);
    await children[0]!.call("condition.release");
    await children[1]!.call("abort", "a");
    await assert.rejects(within(AT_ONCE_MS, aborted.result, "the aborted wait()"), RangeError);
    await children[1]!.call("condition.release");
    await notify(condition);
    assert.equal(await within(AT_ONCE_MS, waiting.result, "the long wait()"), true);
    await children[2]!.call("condition.release");
    await endAll(children);
  });

  test(mp, "Condition refuses bad counts and timeouts", async () => {
    const condition = new mp.Condition();
    await using child = await Puppet.start(mp, { condition });
    await condition.acquire();
    for (const count of [-1, 1.5, NaN, "1" as unknown as number]) {
      assert.throws(() => condition.notify(count), ValueError, String(count));
    }
    for (const timeout of [-1, NaN, "1" as unknown as number]) {
      await assert.rejects(condition.acquire({ timeout }), ValueError);
      await assert.rejects(condition.wait({ timeout }), ValueError);
      await assert.rejects(condition.waitFor(() => false, { timeout }), ValueError);
      assert.throws(() => condition.waitSync({ timeout }), ValueError);
    }
    // Nothing was given up by all that.
    assert.equal(await child.call("condition.acquire", { block: false }), false);
    condition.release();
    assert.throws(() => condition.release(), AssertionError);
    await child.end();
  });

  // --- Locks and travelling -------------------------------------------------------------------------------------

  test(mp, "Condition twice under one lock: each has a line of its own", async () => {
    const lock = new mp.Lock();
    const [full, empty] = [new mp.Condition(lock), new mp.Condition(lock)];
    await using children = await puppets(mp, 2, { full, empty, lock });
    const waits = [await sleep(children[0]!, 1, "full"), await sleep(children[1]!, 1, "empty")];
    await lock.acquire();
    assert.equal(await full.acquire({ block: false }), false);
    empty.notify(5);
    lock.release();
    assert.equal(await within(AT_ONCE_MS, waits[1]!.result, "wait()"), true);
    await children[1]!.call("lock.release");
    assert.ok(await isPending(waits[0]!.result));
    await children[1]!.call("notifies", "full");
    assert.equal(await within(AT_ONCE_MS, waits[0]!.result, "wait()"), true);
    await children[0]!.call("full.release");
    await endAll(children);
  });

  test(mp, "Condition travels nested and with its lock, and they stay together", async () => {
    const lock = new mp.RLock();
    const condition = new mp.Condition(lock);
    const queue = new mp.Queue<unknown>();
    const [ours, theirs] = Pipe<unknown>();
    await using child = await Puppet.start(mp, { data: nested(condition), lock, queue, connection: theirs });
    await child.call("keep", "inArgs", { list: await child.call("get", "data", "list") });
    await queue.put(nested(condition));
    await child.call("keep", "inItem", await child.call("queue.get"));
    await ours.send(nested(condition));
    await child.call("keep", "inMessage", await child.call("connection.recv"));
    for (const at of ["inArgs", "inItem", "inMessage"]) {
      assert.equal(await child.call("isA", at, "Condition"), true);
      await condition.acquire();
      const mine = condition.wait();
      await child.call("lock.acquire"); // the lock that it stands on
      await child.call(`${at}.notify`);
      await child.call("lock.release");
      assert.equal(await within(AT_ONCE_MS, mine, at), true);
      condition.release();
      const theirs = await sleep(child, 1, at);
      await notify(condition);
      assert.equal(await within(AT_ONCE_MS, theirs.result, at), true);
      assert.throws(() => lock.release(), AssertionError);
      await child.call("lock.release");
    }
    ours.close();
    await child.end();
  });

  test(mp, "Condition made by a child is used by us and another child", async () => {
    await using maker = await Puppet.start(mp);
    const condition = await maker.call("create", "condition", "Condition") as Condition;
    assert.ok(condition instanceof Condition);
    await using other = await Puppet.start(mp, { condition });
    await condition.acquire();
    const mine = condition.wait();
    const theirs = await sleep(other);
    await maker.call("notifies", "condition");
    assert.equal(await within(AT_ONCE_MS, mine, "our wait()"), true);
    condition.notify();
    condition.release();
    assert.equal(await within(AT_ONCE_MS, theirs.result, "the other's wait()"), true);
    await other.call("condition.release");
    const makers = await sleep(maker, 2);
    await other.call("notifies", "condition");
    assert.equal(await within(AT_ONCE_MS, makers.result, "the maker's wait()"), true);
    assert.equal(await condition.acquire({ block: false }), false);
    await maker.call("condition.release");
    assert.equal(await condition.acquire({ block: false }), false);
    await maker.call("condition.release");
    assert.equal(await condition.acquire({ timeout: AT_ONCE_MS }), true);
    await assert.rejects(maker.call("condition.notify"), notHeld);
    condition.release();
    await other.end();
    await maker.end();
  });

  test(mp, "Condition made by a child on a lock of ours", async () => {
    const lock = new mp.Lock();
    await using maker = await Puppet.start(mp, { lock });
    const condition = await maker.call("create", "condition", "Condition", "lock") as Condition;
    await lock.acquire();
    const mine = condition.wait();
    await maker.call("lock.acquire");
    await maker.call("condition.notify");
    assert.ok(await isPending(mine));
    await maker.call("lock.release");
    assert.equal(await within(AT_ONCE_MS, mine, "wait()"), true);
    assert.equal(lock.locked(), true);
    condition.release();
    assert.equal(lock.locked(), false);
    await maker.end();
  });

  // --- Death ----------------------------------------------------------------------------------------------------

  for (const way of ways(mp)) {
    test(mp, `Condition whose lock a child holds that ${way.name} goes on`, async () => {
      const lock = new mp.RLock();
      const condition = new mp.Condition(lock);
      await using child = await Puppet.start(mp, { condition });
      await using sleeper = await Puppet.start(mp, { condition });
      const waiting = await sleep(sleeper);
      await child.call("condition.acquire");
      await child.call("condition.acquire");
      await child.call("condition.notify"); // and dies before it releases
      const mine = condition.acquire();
      assert.ok(await isPending(waiting.result));
      await dies(child, way);
      // The notified sleeper and we are both in line for the lock.
      const got = await within(
        DEATH_MS,
        Promise.race([mine.then(() => "we"), waiting.result.then(() => "sleeper")]),
        "the lock",
      );
      if (got === "we") condition.release();
      assert.equal(await within(DEATH_MS, waiting.result, "wait()"), true);
      await sleeper.call("condition.release");
      assert.equal(await within(DEATH_MS, mine, "acquire()"), true);
      if (got !== "we") condition.release();
      assert.throws(() => condition.release(), AssertionError);
      await sleeper.end();
    });

    if (!way.amidWait) continue;
    test(mp, `Condition in which a child waits that ${way.name} goes on without it`, async () => {
      const condition = new mp.Condition();
      await using children = await puppets(mp, 2, { condition });
      const [doomed, next] = [children[0]!, children[1]!];
      await sleep(doomed, 2);
      const waiting = await sleep(next);
      await dies(doomed, way);
      assert.ok(await isPending(waiting.result));
      assert.equal(await condition.acquire({ timeout: DEATH_MS }), true);
      condition.notify(1); // does not count the dead
      condition.release();
      assert.equal(await within(DEATH_MS, waiting.result, "wait()"), true);
      await next.call("condition.release");
      await next.end();
    });
  }

  test(
    mp,
    "Condition notification to a child that is killed before it could notice goes to the next",
    async () => {
      const condition = new mp.Condition();
      await using children = await puppets(mp, 2, { condition });
      const [doomed, next] = [children[0]!, children[1]!];
      await sleep(doomed);
      const waiting = await sleep(next);
      await doomed.begin("spins");
      await notify(condition, 1); // to the first in line, which never looks
      assert.ok(await isPending(waiting.result));
      doomed.process.kill();
      assert.equal(await within(DEATH_MS, waiting.result, "the next in line"), true);
      await next.call("condition.release");
      await next.end();
    },
  );

  test(mp, "Condition notification in the very moment of a waiter's death goes to the next", async () => {
    const condition = new mp.Condition();
    await using children = await puppets(mp, 2, { condition });
    const [doomed, next] = [children[0]!, children[1]!];
    await sleep(doomed);
    const waiting = await sleep(next);
    await condition.acquire();
    doomed.process.kill();
    condition.notify(1);
    condition.release();
    assert.equal(await within(DEATH_MS, waiting.result, "the next in line"), true);
    await next.call("condition.release");
    await next.end();
  });

  test(mp, "Condition notification that a dead child had wakes nobody who comes later", async () => {
    const condition = new mp.Condition();
    await using children = await puppets(mp, 2, { condition });
    const [doomed, other] = [children[0]!, children[1]!];
    await sleep(doomed);
    await doomed.begin("spins");
    await notify(condition, 1); // to the only one in line
    doomed.process.kill();
    await doomed.process.join();
    await condition.acquire();
    const mine = condition.wait({ timeout: 150 });
    other.process.kill(); // so that everybody looks again
    await other.process.join();
    assert.equal(await mine, false);
    condition.release();
  });

  test(mp, "Condition.notifyAll() wakes the living when some of the line are dead", async () => {
    const condition = new mp.Condition();
    await using children = await puppets(mp, 3, { condition });
    const calls: Call[] = [];
    for (const child of children) calls.push(await sleep(child));
    children[1]!.process.kill();
    await children[1]!.process.join();
    await notifyAll(condition);
    await wake(children, calls, 0, 2);
    await endAll([children[0]!, children[2]!]);
  });
}

const spawn = getContext("spawn");

test(spawn, "Condition refuses its blocking twins in the child and says why", async () => {
  const condition = new spawn.Condition();
  await using child = await Puppet.start(spawn, { condition });
  for (const path of ["condition.acquireSync", "condition.guardSync"]) {
    await assert.rejects(child.call(path), RuntimeError);
  }
  await child.call("condition.acquire");
  await assert.rejects(child.call("condition.waitSync"), RuntimeError);
  await assert.rejects(child.call("condition.waitSync"), /the async form/);
  assert.equal(await condition.acquire({ block: false }), false); // it holds the lock still
  await child.call("condition.release");
  await child.end();
});

// Two tasks of one process are one owner of an RLock; a plain Lock tells their waits apart.
Deno.test("Condition with a Lock: several waits of one process", async () => {
  const condition = new Condition(new Lock());
  assert.ok(new Condition(new RLock()) instanceof Condition);
  const woken: number[] = [];
  const waits = [0, 1, 2].map(async (i) => {
    using _ = await condition.guard();
    assert.equal(await condition.wait(), true);
    woken.push(i);
  });
  await notify(condition, 2);
  await Promise.all(waits.slice(0, 2));
  assert.deepEqual(woken, [0, 1]);
  await notifyAll(condition);
  await within(AT_ONCE_MS, Promise.all(waits), "the last wait()");
  assert.deepEqual(woken, [0, 1, 2]);
});
