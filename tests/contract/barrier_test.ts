/**
 * Barrier, for each start method. The names in comments are those of CPython's tests: `_TestBarrier` of
 * `_test_multiprocessing.py` and `BarrierTests` of `lock_tests.py`.
 *
 * @module
 */
import {
  Barrier,
  BrokenBarrierError,
  getContext,
  PicklingError,
  Pipe,
  RuntimeError,
  ValueError,
  type WaitOptions,
} from "@multiprocessing/deno";
import assert from "node:assert/strict";
import {
  AT_ONCE_MS,
  type Call,
  DEATH_MS,
  dies,
  endAll,
  failing,
  leaving,
  logging,
  logTo,
  looping,
  nested,
  passes,
  passesSync,
  Puppet,
  puppets,
  until,
  waitingAtGate,
  ways,
} from "../fixtures/sync_targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { CLOCK_SLACK_MS, isPending, timed, within } from "../support/gates.ts";

/** Lets children wait at the barrier; they have arrived when this returns. */
async function arrive(children: readonly Puppet[], options: unknown = {}, form = "wait"): Promise<Call[]> {
  const calls: Call[] = [];
  for (const child of children) calls.push(await child.begin(`barrier.${form}`, options));
  return calls;
}

/** Comes to the barrier ourselves; how that ends is looked at later. */
function come(barrier: Barrier, options?: WaitOptions): Promise<number> {
  const wait = barrier.wait(options);
  wait.catch(() => {});
  return wait;
}

/** How waits ended: the index, or the name of the error. */
async function ends(waits: readonly (Call | Promise<unknown>)[]): Promise<unknown[]> {
  return await within(
    DEATH_MS,
    Promise.all(waits.map((wait) => {
      const result = "result" in wait ? wait.result : wait;
      return result.catch((error) => error.name);
    })),
    "the waits at the barrier",
  );
}

const sorted = (indices: unknown[]) => indices.toSorted();
const BROKEN = "BrokenBarrierError";
const broken = { name: BROKEN };

for (const mp of contexts()) {
  const forms = mp.name === "worker" ? ["wait", "waitSync"] : ["wait"];

  // --- _TestBarrier, BarrierTests -------------------------------------------------------------------------------

  // test_constructor
  test(mp, "Barrier says what it is, and refuses bad parties and timeouts", async () => {
    const barrier = new mp.Barrier(3);
    assert.deepEqual([barrier.parties, barrier.nWaiting, barrier.broken], [3, 0, false]);
    for (
      const parties of [0, -1, 1.5, NaN, Infinity, "2" as unknown as number, undefined as unknown as number]
    ) {
      assert.throws(() => new mp.Barrier(parties), ValueError, String(parties));
    }
    for (const timeout of [-1, NaN, "1" as unknown as number]) {
      assert.throws(() => new mp.Barrier(2, { timeout }), ValueError);
      await assert.rejects(barrier.wait({ timeout }), ValueError);
      assert.throws(() => barrier.waitSync({ timeout }), ValueError);
    }
    assert.deepEqual([barrier.nWaiting, barrier.broken], [0, false]);
  });

  // test_barrier, test_barrier_10, test_thousand
  const times = mp.name === "worker" ? 1_000 : 150;
  const targets = mp.name === "worker" ? [passes, passesSync] : [passes, passes];
  test(mp, `Barrier is passed in lockstep ${times} times`, async () => {
    const barrier = new mp.Barrier(3);
    const log = new mp.Queue<number>();
    const children = targets.map((target) => new mp.Process({ target, args: [barrier, log, times] }));
    for (const child of children) child.start();
    await passes(barrier, log, times);
    for (const child of children) await child.join();
    assert.deepEqual(children.map((child) => child.exitcode), [0, 0]);
    // Nobody begins a phase before all have come to the end of the one before.
    for (let phase = 0; phase < times; phase++) {
      for (let i = 0; i < 3; i++) {
        if (await log.getNowait() !== phase) assert.fail(`phase ${phase} was overtaken`);
      }
    }
    assert.equal(log.empty(), true);
    assert.deepEqual([barrier.nWaiting, barrier.broken], [0, false]);
  });

  // test_wait_return
  for (const form of forms) {
    test(mp, `Barrier.${form}() gives each its own index, one of them 0`, async () => {
      const barrier = new mp.Barrier(4);
      await using children = await puppets(mp, 3, { barrier });
      for (let round = 0; round < 3; round++) {
        const calls = await arrive(children, {}, form);
        const all = await ends([...calls, barrier.wait()]);
        assert.deepEqual(sorted(all), [0, 1, 2, 3]);
        // In the order in which they came, where we know it.
        if (form === "wait") assert.deepEqual(all, [0, 1, 2, 3]);
        assert.equal(barrier.nWaiting, 0);
      }
      await endAll(children);
    });
  }

  // test_action
  test(mp, "Barrier runs its action once a round, whoever comes last, before anybody goes on", async () => {
    const log = new mp.Queue<unknown>();
    const barrier = new mp.Barrier(3, { action: logging });
    logTo(log);
    await using children = await puppets(mp, 2, { barrier, log });
    const [first, second] = [children[0]!, children[1]!];
    const goesOn = (wait: Promise<unknown>) => wait.then(() => log.put("we go on"));
    for (const last of ["we", "first", "second"]) {
      const others = children.filter((child) => child !== (last === "first" ? first : second));
      const waits: Promise<unknown>[] = [];
      if (last === "we") {
        for (const { result } of await arrive(children)) waits.push(result);
        waits.push(goesOn(barrier.wait()));
      } else {
        for (const { result } of await arrive(others.slice(0, 1))) waits.push(result);
        waits.push(goesOn(barrier.wait()));
        for (const { result } of await arrive([last === "first" ? first : second])) waits.push(result);
      }
      await within(AT_ONCE_MS, Promise.all(waits), `the round in which ${last} came last`);
      assert.deepEqual(
        [await log.get(), await log.get(), log.qsize()],
        ["action", "we go on", 0],
        `${last} came last`,
      );
    }
    await endAll(children);
  });

  test(mp, "Barrier whose action throws is broken, and the thrower gets the error", async () => {
    let ran = 0;
    const here = new mp.Barrier(2, {
      action: () => {
        ran++;
        throw new RangeError("in the action");
      },
    });
    const first = come(here);
    await assert.rejects(here.wait(), new RangeError("in the action"));
    await assert.rejects(first, broken);
    assert.deepEqual([ran, here.broken], [1, true]);
    const there = new mp.Barrier(2, { action: failing });
    await using child = await Puppet.start(mp, { barrier: there });
    const mine = come(there);
    const [theirs] = await arrive([child]);
    assert.deepEqual(await ends([mine, theirs!]), [BROKEN, "RangeError"]);
    assert.equal(there.broken, true);
    await child.end();
  });

  test(mp, "Barrier with an action that no module exports does not travel", async () => {
    const barrier = new mp.Barrier(2, { action: () => {} });
    const process = new mp.Process({ target: passes, args: [barrier, new mp.Queue<number>(), 1] });
    assert.throws(() => process.start(), PicklingError);
    await assert.rejects(new mp.Queue<unknown>().put({ deep: [barrier] }), PicklingError);
  });

  // test_abort
  test(mp, "Barrier.abort() breaks it for those there and those to come", async () => {
    for (const who of ["we", "a child"]) {
      const barrier = new mp.Barrier(4);
      await using children = await puppets(mp, 3, { barrier });
      const calls = await arrive(children.slice(0, 2));
      const mine = come(barrier);
      if (who === "we") barrier.abort();
      else await children[2]!.call("barrier.abort");
      assert.deepEqual(await ends([...calls, mine]), [BROKEN, BROKEN, BROKEN], who);
      assert.deepEqual([barrier.broken, barrier.nWaiting], [true, 0]);
      await assert.rejects(barrier.wait(), BrokenBarrierError);
      assert.throws(() => barrier.waitSync(), BrokenBarrierError);
      await assert.rejects(children[2]!.call("barrier.wait"), BrokenBarrierError);
      assert.equal(await children[2]!.call("get", "barrier", "broken"), true);
      await endAll(children);
    }
  });

  // test_reset
  test(mp, "Barrier.reset() sends those there away and is as new for those to come", async () => {
    for (const who of ["we", "a child"]) {
      const barrier = new mp.Barrier(3);
      await using children = await puppets(mp, 2, { barrier });
      const calls = await arrive(children.slice(0, 1));
      const mine = come(barrier);
      assert.equal(barrier.nWaiting, 2);
      if (who === "we") barrier.reset();
      else await children[1]!.call("barrier.reset");
      assert.deepEqual(await ends([...calls, mine]), [BROKEN, BROKEN], who);
      assert.deepEqual([barrier.broken, barrier.nWaiting], [false, 0]);
      assert.deepEqual(await ends([...await arrive(children), barrier.wait()]), [0, 1, 2]);
      await endAll(children);
    }
  });

  // test_abort_and_reset
  test(mp, "Barrier.reset() after abort() mends it", async () => {
    const barrier = new mp.Barrier(3);
    await using children = await puppets(mp, 2, { barrier });
    const calls = await arrive(children);
    barrier.abort();
    assert.deepEqual(await ends(calls), [BROKEN, BROKEN]);
    await assert.rejects(children[0]!.call("barrier.wait"), BrokenBarrierError);
    await children[1]!.call("barrier.reset");
    await until("the reset", () => !barrier.broken);
    for (let round = 0; round < 2; round++) {
      assert.deepEqual(await ends([...await arrive(children), barrier.wait()]), [0, 1, 2]);
    }
    await endAll(children);
  });

  // test_timeout
  for (const form of forms) {
    test(mp, `Barrier.${form}() in the child that gives up in time breaks it for all`, async () => {
      const barrier = new mp.Barrier(4);
      await using children = await puppets(mp, 3, { barrier });
      assert.deepEqual(sorted(await ends([...await arrive(children, {}, form), barrier.wait()])), [
        0,
        1,
        2,
        3,
      ]);
      const patient = await arrive(children.slice(0, 2), { timeout: 20_000 }, form);
      const mine = come(barrier, { timeout: 20_000 });
      const { ms, error } = await timed(() => children[2]!.call("barrier.nothing")); // the barrier has no such method
      assert.ok(error instanceof TypeError && ms < AT_ONCE_MS);
      barrier.reset();
      assert.deepEqual(await ends([...patient, mine]), [BROKEN, BROKEN, BROKEN]);
      const waiting = await arrive(children.slice(0, 2), { timeout: 20_000 }, form);
      const start = performance.now();
      const late = come(barrier, { timeout: 60 });
      assert.deepEqual(await ends([...waiting, late]), [BROKEN, BROKEN, BROKEN]);
      assert.ok(performance.now() - start >= 60 - CLOCK_SLACK_MS);
      assert.equal(barrier.broken, true);
      barrier.reset();
      const [impatient] = await arrive([children[0]!], { timeout: 60 }, form);
      const ours = come(barrier);
      assert.deepEqual(await ends([impatient!, ours]), [BROKEN, BROKEN]);
      assert.equal(barrier.broken, true);
      await endAll(children);
    });
  }

  test(mp, "Barrier.wait() with no time passes only as the last", async () => {
    const barrier = new mp.Barrier(2);
    await using child = await Puppet.start(mp, { barrier });
    for (const options of [{ timeout: 0 }, { block: false }]) {
      const [theirs] = await arrive([child]);
      assert.equal(await barrier.wait(options), 1);
      assert.equal(await theirs!.result, 0);
      await assert.rejects(barrier.wait(options), BrokenBarrierError);
      assert.equal(barrier.broken, true);
      barrier.reset();
    }
    await child.end();
  });

  // test_default_timeout
  test(mp, "Barrier with a timeout of its own uses it for each wait that has none", async () => {
    const barrier = new mp.Barrier(2, { timeout: 60 });
    await using child = await Puppet.start(mp, { barrier });
    for (const form of forms) {
      const { ms, error } = await timed(() => child.call(`barrier.${form}`));
      assert.ok(error instanceof BrokenBarrierError);
      assert.ok(ms >= 60 - CLOCK_SLACK_MS, `${ms} ms`);
      barrier.reset();
    }
    const { ms, error } = await timed(() => barrier.wait());
    assert.ok(error instanceof BrokenBarrierError);
    assert.ok(ms >= 60 - CLOCK_SLACK_MS && ms < 60 + AT_ONCE_MS, `${ms} ms`);
    barrier.reset();
    // One that says otherwise outlasts it.
    const mine = come(barrier, { timeout: 20_000 });
    await assert.rejects(child.call("barrier.nothing"), TypeError);
    const never = new mp.Event();
    assert.equal(await never.wait({ timeout: 90 }), false);
    assert.ok(await isPending(mine));
    assert.equal(await child.call("barrier.wait"), 1);
    assert.equal(await mine, 0);
    await child.end();
  });

  // test_single_thread
  test(mp, "Barrier of one lets everybody pass at once", async () => {
    const barrier = new mp.Barrier(1);
    await using child = await Puppet.start(mp, { barrier });
    for (let i = 0; i < 3; i++) {
      assert.equal(await barrier.wait(), 0);
      assert.equal(barrier.waitSync(), 0);
      for (const form of forms) assert.equal(await child.call(`barrier.${form}`), 0);
    }
    assert.deepEqual([barrier.nWaiting, barrier.broken], [0, false]);
    await child.end();
  });

  // test_repr, as far as it tells something
  test(mp, "Barrier.nWaiting counts those who wait, here and in the child", async () => {
    const barrier = new mp.Barrier(4);
    await using children = await puppets(mp, 3, { barrier });
    const calls = await arrive(children.slice(0, 2));
    assert.equal(barrier.nWaiting, 2);
    const mine = come(barrier);
    assert.equal(barrier.nWaiting, 3);
    assert.equal(await children[2]!.call("get", "barrier", "parties"), 4);
    assert.equal(await children[2]!.call("barrier.wait"), 3);
    assert.deepEqual(await ends([...calls, mine]), [0, 1, 2]);
    assert.equal(barrier.nWaiting, 0);
    assert.equal(await children[2]!.call("get", "barrier", "nWaiting"), 0);
    await endAll(children);
  });

  // --- Rounds that touch each other -----------------------------------------------------------------------------

  test(mp, "Barrier that somebody comes back to before the others have left has its next round", async () => {
    const barrier = new mp.Barrier(3);
    await using children = await puppets(mp, 2, { barrier });
    const calls = await arrive(children);
    // The third comes once for this round and, in the same breath, for the next one.
    const [now, next] = [come(barrier), come(barrier)];
    assert.deepEqual(await ends([...calls, now]), [0, 1, 2]);
    assert.ok(await isPending(next));
    assert.deepEqual(await ends([next, ...await arrive(children)]), [0, 1, 2]);
    await endAll(children);
  });

  // The blocking action: a worker child waits in it.
  if (mp.name === "worker") {
    test(mp, "Barrier whose action is running makes newcomers wait for the next round", async () => {
      const [barrier, gate] = [new mp.Barrier(2, { action: waitingAtGate }), new mp.Event()];
      await using children = await puppets(mp, 2, { barrier, gate });
      const first = await arrive([children[0]!]);
      const last = await arrive([children[1]!], {}, "waitSync"); // runs the action
      await until("the action", () => barrier.nWaiting === 0);
      const newcomer = come(barrier);
      assert.ok(await isPending(first[0]!.result), "went on while the action was running");
      assert.ok(await isPending(newcomer));
      gate.set();
      assert.deepEqual(await ends([...first, ...last]), [0, 1]);
      assert.ok(await isPending(newcomer));
      assert.deepEqual(await ends([newcomer, ...await arrive([children[1]!], {}, "waitSync")]), [0, 1]);
      await endAll(children);
    });

    // In CPython neither can come between: the action runs under the barrier's lock.
    test(mp, "Barrier.reset() while the action is running lets no newcomer pass alone", async () => {
      const [barrier, gate] = [new mp.Barrier(2, { action: waitingAtGate }), new mp.Event()];
      await using children = await puppets(mp, 2, { barrier, gate });
      const first = await arrive([children[0]!]);
      const last = await arrive([children[1]!], {}, "waitSync");
      await until("the action", () => barrier.nWaiting === 0);
      barrier.reset();
      const newcomer = come(barrier);
      gate.set();
      await ends([...first, ...last]);
      assert.ok(await isPending(newcomer), "passed a barrier of two alone");
      assert.deepEqual(await ends([newcomer, ...await arrive([children[1]!], {}, "waitSync")]), [0, 1]);
      await endAll(children);
    });

    test(
      mp,
      "Barrier whose wait is over while the action is running: all pass, or all see it broken",
      async () => {
        const [barrier, gate] = [new mp.Barrier(2, { action: waitingAtGate }), new mp.Event()];
        await using child = await Puppet.start(mp, { barrier, gate });
        const mine = come(barrier, { timeout: 200 });
        const last = await arrive([child], {}, "waitSync");
        await until("the action", () => barrier.nWaiting === 0);
        assert.equal(await new mp.Event().wait({ timeout: 250 }), false); // the 200 ms pass amid the action
        gate.set();
        const all = await ends([mine, ...last]);
        assert.ok(
          JSON.stringify(all) === "[0,1]" || JSON.stringify(all) === JSON.stringify([BROKEN, BROKEN]),
          JSON.stringify(all),
        );
        await child.end();
      },
    );

    test(mp, "Barrier.waitSync() of a blocked main process is passed when a child comes", async () => {
      const barrier = new mp.Barrier(2);
      await using child = await Puppet.start(mp, { barrier });
      const theirs = child.begin("barrier.wait");
      const mine = barrier.waitSync({ timeout: 10_000 });
      assert.deepEqual(sorted([mine, await (await theirs).result]), [0, 1]);
      assert.throws(() => barrier.waitSync({ timeout: 30 }), BrokenBarrierError);
      await child.end();
    });
  }

  // --- Early ends -----------------------------------------------------------------------------------------------

  test(mp, "Barrier.wait() that is aborted throws the reason and breaks the barrier", async () => {
    for (const who of ["we", "a child"]) {
      const barrier = new mp.Barrier(4);
      await using children = await puppets(mp, 2, { barrier });
      const [theirs] = await arrive([children[0]!], who === "we" ? {} : { abortAt: "a" });
      const controller = new AbortController();
      const mine = come(barrier, who === "we" ? { signal: controller.signal } : {});
      const [other] = await arrive([children[1]!]);
      if (who === "we") controller.abort(new RangeError("enough"));
      else await children[0]!.call("abort", "a");
      const expected = who === "we" ? [BROKEN, "RangeError", BROKEN] : ["RangeError", BROKEN, BROKEN];
      assert.deepEqual(await ends([theirs!, mine, other!]), expected);
      assert.equal(barrier.broken, true);
      await endAll(children);
    }
  });

  test(mp, "Barrier.wait() with an aborted signal has not come", async () => {
    const barrier = new mp.Barrier(2);
    await using child = await Puppet.start(mp, { barrier });
    const signal = AbortSignal.abort(new RangeError("already"));
    await assert.rejects(barrier.wait({ signal }), new RangeError("already"));
    await assert.rejects(child.call("barrier.wait", { aborted: true }), new RangeError("already"));
    assert.deepEqual([barrier.nWaiting, barrier.broken], [0, false]);
    const [theirs] = await arrive([child]);
    await assert.rejects(barrier.wait({ signal }), new RangeError("already"));
    assert.ok(await isPending(theirs!.result));
    assert.equal(await barrier.wait(), 1);
    assert.equal(await theirs!.result, 0);
    await child.end();
  });

  // --- Travelling -----------------------------------------------------------------------------------------------

  test(
    mp,
    "Barrier travels nested in arguments, over a queue and over a pipe, and stays the same",
    async () => {
      const barriers: Record<string, Barrier> = {
        inArgs: new mp.Barrier(2),
        inItem: new mp.Barrier(2, { timeout: 20_000 }),
        inMessage: new mp.Barrier(2, { action: logging }),
      };
      const [queue, log] = [new mp.Queue<unknown>(), new mp.Queue<unknown>()];
      logTo(log);
      const [ours, theirs] = Pipe<unknown>();
      await using child = await Puppet.start(mp, {
        data: nested(barriers.inArgs),
        queue,
        connection: theirs,
        log,
      });
      await child.call("keep", "inArgs", { list: await child.call("get", "data", "list") });
      await queue.put(nested(barriers.inItem));
      await child.call("keep", "inItem", await child.call("queue.get"));
      await ours.send(nested(barriers.inMessage));
      await child.call("keep", "inMessage", await child.call("connection.recv"));
      for (const [at, barrier] of Object.entries(barriers)) {
        assert.equal(await child.call("isA", at, "Barrier"), true);
        const { result } = await child.begin(`${at}.wait`);
        assert.equal(barrier.nWaiting, 1);
        assert.equal(await within(AT_ONCE_MS, barrier.wait(), at), 1);
        assert.equal(await within(AT_ONCE_MS, result, at), 0);
        assert.equal(await child.call("get", at, "parties"), 2);
      }
      assert.equal(await log.get(), "action");
      ours.close();
      await child.end();
    },
  );

  test(mp, "Barrier made by a child is used by us and another child", async () => {
    await using maker = await Puppet.start(mp);
    const barrier = await maker.call("create", "barrier", "Barrier", 3) as Barrier;
    assert.ok(barrier instanceof Barrier);
    assert.equal(barrier.parties, 3);
    await using other = await Puppet.start(mp, { barrier });
    for (let round = 0; round < 3; round++) {
      const calls = await arrive([maker, other]);
      assert.deepEqual(sorted(await ends([...calls, barrier.wait()])), [0, 1, 2]);
    }
    assert.equal(await other.call("get", "barrier", "parties"), 3);
    const calls = await arrive([maker]);
    barrier.abort();
    assert.deepEqual(await ends(calls), [BROKEN]);
    await assert.rejects(other.call("barrier.wait"), BrokenBarrierError);
    await other.end();
    await maker.end();
  });

  if (mp.name === "spawn") {
    test(mp, "Barrier made by a child tells a worker child its parties", async () => {
      await using maker = await Puppet.start(mp);
      const barrier = await maker.call("create", "barrier", "Barrier", 2) as Barrier;
      await using worker = await Puppet.start(getContext("worker"), { barrier });
      assert.equal(await worker.call("get", "barrier", "parties"), 2);
      assert.equal(await worker.call("get", "barrier", "broken"), false);
      await worker.end();
      await maker.end();
    });
  }

  // --- Death ----------------------------------------------------------------------------------------------------

  for (const way of ways(mp).filter(({ amidWait }) => amidWait)) {
    test(mp, `Barrier at which a child waits that ${way.name} breaks for all`, async () => {
      const barrier = new mp.Barrier(4);
      await using children = await puppets(mp, 2, { barrier });
      const [doomed, other] = [children[0]!, children[1]!];
      await arrive([doomed]);
      const waits = [...await arrive([other]), come(barrier)];
      await dies(doomed, way);
      assert.deepEqual(await ends(waits), [BROKEN, BROKEN]);
      assert.deepEqual([barrier.broken, barrier.nWaiting], [true, 0]);
      barrier.reset();
      assert.equal(barrier.broken, false);
      await other.end();
    });
  }

  test(mp, "Barrier at which only a killed child waited is broken for whoever comes", async () => {
    const barrier = new mp.Barrier(2);
    await using child = await Puppet.start(mp, { barrier });
    await arrive([child]);
    assert.equal(barrier.nWaiting, 1);
    child.process.kill();
    await child.process.join();
    // The dead one must not be counted: nobody would be there to meet.
    await assert.rejects(within(DEATH_MS, barrier.wait({ timeout: 5_000 }), "wait()"), broken);
    assert.equal(barrier.broken, true);
    barrier.reset();
    assert.deepEqual(await ends([barrier.wait(), barrier.wait()]), [0, 1]);
  });

  test(mp, "Barrier says at once that it is broken by a death, before anybody comes", async () => {
    const barrier = new mp.Barrier(3);
    await using children = await puppets(mp, 2, { barrier });
    await arrive(children);
    for (const child of children) child.process.kill();
    for (const child of children) await child.process.join();
    assert.deepEqual([barrier.broken, barrier.nWaiting], [true, 0]);
  });

  const inAction: {
    name: string;
    action: () => void;
    exitcode: number;
    form: string;
    die?(child: Puppet): void;
  }[] = [
    { name: "calls exit(3)", action: leaving, exitcode: 3, form: "wait" },
    {
      name: "is terminated in for(;;)",
      action: looping,
      exitcode: -15,
      form: "wait",
      die: (child) => child.process.terminate(),
    },
    {
      name: "is killed in for(;;)",
      action: looping,
      exitcode: -9,
      form: "wait",
      die: (child) => child.process.kill(),
    },
    mp.name === "worker"
      ? {
        name: "is killed in a blocking wait",
        action: waitingAtGate,
        exitcode: -9,
        form: "waitSync",
        die: (child) => child.process.kill(),
      }
      : {
        name: "gets SIGKILL from outside",
        action: looping,
        exitcode: -9,
        form: "wait",
        die: (child) => Deno.kill(child.process.pid!, "SIGKILL"),
      },
  ];
  for (const { name, action, exitcode, form, die } of inAction) {
    test(mp, `Barrier whose last one ${name} in the action breaks for all`, async () => {
      const [barrier, gate] = [new mp.Barrier(3, { action }), new mp.Event()];
      await using children = await puppets(mp, 2, { barrier, gate });
      const [doomed, other] = [children[0]!, children[1]!];
      const mine = come(barrier);
      const waits = [...await arrive([other]), mine];
      // It may end before it can say that it has begun.
      doomed.begin(`barrier.${form}`).catch(() => {});
      await until("the action", () => barrier.nWaiting === 0 || barrier.broken);
      if (die) {
        assert.ok(await isPending(mine), "went on while the action was running");
        die(doomed);
      }
      await within(DEATH_MS, doomed.process.join(), "join()");
      assert.equal(doomed.process.exitcode, exitcode);
      assert.deepEqual(await ends(waits), [BROKEN, BROKEN]);
      assert.equal(barrier.broken, true);
      barrier.reset();
      assert.deepEqual([barrier.broken, barrier.nWaiting], [false, 0]);
      await other.end();
    });
  }

  test(mp, "Barrier whose only one was killed in the action is broken for whoever comes", async () => {
    const barrier = new mp.Barrier(1, { action: looping });
    await using child = await Puppet.start(mp, { barrier });
    child.begin("barrier.wait").catch(() => {});
    await within(DEATH_MS, acting(), "the action");
    child.process.kill();
    await child.process.join();
    await assert.rejects(within(DEATH_MS, barrier.wait({ timeout: 5_000 }), "wait()"), broken);

    // While it acts, whoever comes waits at the door; one who is sent away from there breaks nothing.
    async function acting(): Promise<void> {
      for (let waiting = false; !waiting;) {
        const controller = new AbortController();
        const probe = barrier.wait({ signal: controller.signal }).catch(() => {});
        waiting = await isPending(probe);
        controller.abort();
        await probe;
      }
      assert.equal(barrier.broken, false);
    }
  });

  test(mp, "Barrier in which those at the door are killed goes on with the others", async () => {
    const barrier = new mp.Barrier(2);
    await using children = await puppets(mp, 2, { barrier });
    for (let round = 0; round < 5; round++) {
      assert.deepEqual(sorted(await ends(await arrive(children))), [0, 1]);
    }
    const calls = await arrive(children.slice(0, 1));
    children[1]!.process.kill(); // it does not wait: its death is nobody's business
    await children[1]!.process.join();
    assert.ok(await isPending(calls[0]!.result));
    assert.equal(await barrier.wait(), 1);
    assert.equal(await calls[0]!.result, 0);
    assert.equal(barrier.broken, false);
    await children[0]!.end();
  });
}

const spawn = getContext("spawn");

test(spawn, "Barrier refuses its blocking twin in the child and says why", async () => {
  const barrier = new spawn.Barrier(2);
  await using child = await Puppet.start(spawn, { barrier });
  await assert.rejects(child.call("barrier.waitSync"), RuntimeError);
  await assert.rejects(child.call("barrier.waitSync"), /the async form/);
  assert.deepEqual([barrier.nWaiting, barrier.broken], [0, false]);
  await child.end();
});
