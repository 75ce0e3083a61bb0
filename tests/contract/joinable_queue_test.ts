/**
 * JoinableQueue, for each start method: what it has beyond Queue. The names in comments are those of CPython's tests:
 * `_TestQueue` of `_test_multiprocessing.py` and, for what its threads share, `test_queue.py`.
 *
 * @module
 */
import {
  Empty,
  Full,
  getContext,
  JoinableQueue,
  PicklingError,
  Pipe,
  Queue,
  RuntimeError,
  ShutDown,
  TimeoutError,
  ValueError,
} from "@multiprocessing/deno";
import assert from "node:assert/strict";
import {
  AT_ONCE_MS,
  DEATH_MS,
  dies,
  endAll,
  finishes,
  finishesSync,
  nested,
  Puppet,
  puppets,
  ways,
} from "../fixtures/sync_targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { CLOCK_SLACK_MS, isPending, timed, within } from "../support/gates.ts";

const tooOften = { name: "ValueError", message: /task_done\(\) called too many times/ };

/** Whether everything is finished with. */
async function joined(queue: JoinableQueue<unknown>): Promise<boolean> {
  try {
    await queue.join({ timeout: 0 });
    return true;
  } catch (error) {
    if (error instanceof TimeoutError) return false;
    throw error;
  }
}

for (const mp of contexts()) {
  const joins = mp.name === "worker" ? ["join", "joinSync"] : ["join"];

  // test_task_done
  for (const target of mp.name === "worker" ? [finishes, finishesSync] : [finishes]) {
    test(mp, `JoinableQueue.join() waits for four children, ${target.name}()`, async () => {
      const queue = new mp.JoinableQueue<number | null>();
      const seen = new mp.Queue<number>();
      const children = [0, 1, 2, 3].map(() => new mp.Process({ target, args: [queue, seen] }));
      for (const child of children) child.start();
      for (let i = 0; i < 20; i++) await queue.put(i);
      await within(20_000, queue.join(), "join()");
      assert.equal(seen.qsize(), 20); // each was noted before it was finished with
      for (const _ of children) await queue.put(null);
      await within(20_000, queue.join(), "join()");
      for (const child of children) await child.join();
      assert.deepEqual(children.map((child) => child.exitcode), [0, 0, 0, 0]);
      const items: number[] = [];
      while (!seen.empty()) items.push(await seen.get());
      assert.deepEqual(items.toSorted((a, b) => a - b), Array.from({ length: 20 }, (_, i) => i));
      assert.throws(() => queue.taskDone(), tooOften);
    });
  }

  // test_queue_task_done
  test(mp, "JoinableQueue.taskDone() is refused when it is called too often", async () => {
    const queue = new mp.JoinableQueue<number>();
    assert.ok(queue instanceof Queue);
    assert.throws(() => queue.taskDone(), tooOften);
    await queue.put(1);
    await queue.put(2);
    assert.equal(await queue.get(), 1);
    assert.equal(queue.taskDone(), undefined);
    assert.equal(await queue.get(), 2);
    queue.taskDone();
    assert.throws(() => queue.taskDone(), ValueError);
    await queue.join();
    await using child = await Puppet.start(mp, { queue });
    await queue.put(3);
    assert.equal(await child.call("queue.get"), 3);
    await child.call("queue.taskDone");
    // A "spawn" child cannot know; what comes of it there has a test of its own.
    if (mp.name === "worker") await assert.rejects(child.call("queue.taskDone"), tooOften);
    await child.call("queue.put", 4);
    assert.equal(await child.call("queue.get"), 4);
    await child.call("queue.taskDone");
    await within(AT_ONCE_MS, queue.join(), "join()");
    assert.throws(() => queue.taskDone(), tooOften);
    await child.end();
  });

  test(
    mp,
    "JoinableQueue.taskDone() is refused to a child that took nothing, when nothing is left",
    async () => {
      const queue = new mp.JoinableQueue<number>();
      await using child = await Puppet.start(mp, { queue });
      if (mp.name === "worker") {
        await assert.rejects(child.call("queue.taskDone"), tooOften);
        await child.end();
      } else {
        // It cannot know what others took; the error comes from the queue's home, and is its end.
        child.begin("queue.taskDone").catch(() => {});
        await within(DEATH_MS, child.process.join(), "join()");
        assert.equal(child.process.exitcode, 1);
      }
      await queue.put(1);
      await queue.get();
      queue.taskDone();
      assert.throws(() => queue.taskDone(), tooOften);
    },
  );

  // test_queue_join
  test(mp, "JoinableQueue.join() of an empty queue returns at once, any number of times", async () => {
    const queue = new mp.JoinableQueue<number>();
    await using child = await Puppet.start(mp, { queue });
    for (let round = 0; round < 2; round++) {
      await within(AT_ONCE_MS, queue.join(), "join()");
      await queue.join({ timeout: 0 });
      await queue.join({ block: false });
      queue.joinSync();
      for (const form of joins) await within(AT_ONCE_MS, child.call(`queue.${form}`), form);
      await queue.put(round);
      assert.equal(await joined(queue), false);
      await queue.get();
      assert.equal(await joined(queue), false); // taken is not finished with
      queue.taskDone();
    }
    await child.end();
  });

  for (const form of joins) {
    test(mp, `JoinableQueue.${form}() in the child waits for taskDone() here`, async () => {
      const queue = new mp.JoinableQueue<number>();
      await using child = await Puppet.start(mp, { queue });
      await queue.put(1);
      await queue.put(2);
      const { result } = await child.begin(`queue.${form}`);
      for (let i = 0; i < 2; i++) {
        assert.ok(await isPending(result));
        await queue.get();
        assert.ok(await isPending(result));
        queue.taskDone();
      }
      await within(AT_ONCE_MS, result, "the child's join()");
      await child.end();
    });

    test(mp, `JoinableQueue.${form}() in the child gives up in time`, async () => {
      const queue = new mp.JoinableQueue<number>();
      await using child = await Puppet.start(mp, { queue });
      await queue.put(1);
      for (const timeout of [0, 60]) {
        const { ms, error } = await timed(() => child.call(`queue.${form}`, { timeout }));
        assert.ok(error instanceof TimeoutError, String(error));
        assert.ok(ms >= timeout - CLOCK_SLACK_MS && ms < timeout + AT_ONCE_MS, `${ms} ms`);
      }
      const { error } = await timed(() => child.call(`queue.${form}`, { block: false }));
      assert.ok(error instanceof TimeoutError, String(error));
      await queue.get();
      queue.taskDone();
      await child.call(`queue.${form}`, { timeout: 10_000 });
      await child.end();
    });
  }

  test(mp, "JoinableQueue.join() here gives up in time, and waits for the child's taskDone()", async () => {
    const queue = new mp.JoinableQueue<number>();
    await using child = await Puppet.start(mp, { queue });
    await child.call("queue.put", 1);
    const { ms, error } = await timed(() => queue.join({ timeout: 60 }));
    assert.ok(error instanceof TimeoutError);
    assert.ok(ms >= 60 - CLOCK_SLACK_MS && ms < 60 + AT_ONCE_MS, `${ms} ms`);
    assert.throws(() => queue.joinSync({ timeout: 20 }), TimeoutError);
    const mine = queue.join();
    assert.equal(await child.call("queue.get"), 1);
    assert.ok(await isPending(mine));
    await child.call("queue.taskDone");
    await within(AT_ONCE_MS, mine, "join()");
    await child.end();
  });

  test(mp, "JoinableQueue.join() of several wakes all of them", async () => {
    const queue = new mp.JoinableQueue<number>();
    await using children = await puppets(mp, 2, { queue });
    await queue.put(1);
    const waits: Promise<unknown>[] = [queue.join(), queue.join()];
    for (const child of children) waits.push((await child.begin("queue.join")).result);
    for (const wait of waits) assert.ok(await isPending(wait));
    await queue.get();
    queue.taskDone();
    await queue.put(2); // comes too late for them
    await within(AT_ONCE_MS, Promise.all(waits), "4 joins");
    assert.equal(await joined(queue), false);
    await queue.get();
    queue.taskDone();
    await endAll(children);
  });

  test(mp, "JoinableQueue counts what every process puts and finishes with", async () => {
    const queue = new mp.JoinableQueue<number>();
    await using children = await puppets(mp, 2, { queue });
    for (const [i, child] of children.entries()) {
      for (let n = 0; n < 5; n++) await child.call("queue.put", 10 * i + n);
    }
    await queue.put(100);
    for (let n = 0; n < 11; n++) {
      assert.equal(await joined(queue), false, `${n} are finished with`);
      const child = children[n % 3];
      if (child === undefined) {
        await queue.get();
        queue.taskDone();
      } else {
        await child.call("queue.get");
        await child.call("queue.taskDone");
      }
    }
    await within(AT_ONCE_MS, queue.join(), "join()");
    await endAll(children);
  });

  test(
    mp,
    "JoinableQueue.taskDone() may be called by a process other than the one that took the item",
    async () => {
      const queue = new mp.JoinableQueue<number>();
      await using child = await Puppet.start(mp, { queue });
      await queue.put(1); // after the child has got it
      assert.equal(await queue.get(), 1);
      await child.call("queue.taskDone");
      await within(AT_ONCE_MS, queue.join(), "join()");
      await child.end();
    },
  );

  test(mp, "JoinableQueue is bounded, timed and closed as a Queue is", async () => {
    const queue = new mp.JoinableQueue<number>(2);
    await queue.put(1);
    await queue.put(2);
    assert.equal(queue.full(), true);
    await assert.rejects(queue.put(3, { timeout: 20 }), Full);
    await assert.rejects(queue.putNowait(3), Full);
    await assert.rejects(queue.put((() => {}) as unknown as number, { block: false }), PicklingError);
    assert.equal(await queue.get(), 1);
    assert.equal(await queue.get(), 2);
    await assert.rejects(queue.get({ timeout: 20 }), Empty);
    // What was refused is not waited for.
    queue.taskDone();
    queue.taskDone();
    await queue.join({ timeout: 0 });
    assert.throws(() => new mp.JoinableQueue(-1), ValueError);
    queue.close();
    await assert.rejects(queue.put(4), { name: "ValueError", message: /is closed/ });
    await assert.rejects(queue.get(), { name: "ValueError", message: /is closed/ });
  });

  // 3.13: test_shutdown_join, test_shutdown_immediate_*
  test(mp, "JoinableQueue.shutdown() leaves items to be finished with, at once it does not", async () => {
    const queue = new mp.JoinableQueue<number>();
    await using child = await Puppet.start(mp, { queue });
    await queue.put(1);
    await queue.put(2);
    queue.shutdown();
    await assert.rejects(queue.put(3), ShutDown);
    const mine = queue.join();
    const { result } = await child.begin("queue.join");
    assert.equal(await child.call("queue.get"), 1);
    await child.call("queue.taskDone");
    assert.equal(await queue.get(), 2);
    await assert.rejects(queue.get(), ShutDown);
    assert.ok(await isPending(mine));
    queue.taskDone();
    await within(AT_ONCE_MS, Promise.all([mine, result]), "both joins");

    const other = new mp.JoinableQueue<number>();
    await child.call("keep", "other", nested(other));
    await other.put(1);
    await other.put(2);
    await other.get();
    const theirs = await child.begin("other.join");
    await child.call("other.shutdown", { immediate: true }); // drops one; one is taken and not finished with
    assert.ok(await isPending(theirs.result));
    await assert.rejects(other.get(), ShutDown);
    other.taskDone();
    await within(AT_ONCE_MS, theirs.result, "the child's join()");
    assert.throws(() => other.taskDone(), tooOften);
    await child.end();
  });

  test(mp, "JoinableQueue.shutdown() wakes everybody who waits, also with an item on its way", async () => {
    const queue = new mp.JoinableQueue<number>();
    await using children = await puppets(mp, 2, { queue });
    const waits: Promise<unknown>[] = [queue.get(), queue.get()];
    for (const child of children) waits.push((await child.begin("queue.get")).result);
    const ends = waits.map((wait) => wait.catch((error) => error.name));
    const put = queue.put(1); // granted to the first in line, which has not looked yet
    queue.shutdown();
    await put;
    const outcomes = await within(AT_ONCE_MS, Promise.all(ends), "4 waits");
    assert.deepEqual(outcomes.toSorted(), [1, "ShutDown", "ShutDown", "ShutDown"]);
    queue.taskDone();
    await queue.join({ timeout: 0 });
    await endAll(children);
  });

  // --- Early ends, bad input ------------------------------------------------------------------------------------

  test(mp, "JoinableQueue.join() that is aborted ends with the reason, and the others wait on", async () => {
    const queue = new mp.JoinableQueue<number>();
    await using child = await Puppet.start(mp, { queue });
    await queue.put(1);
    const aborted = await child.begin("queue.join", { abortAt: "a" });
    const waiting = await child.begin("queue.join");
    const controller = new AbortController();
    const mine = queue.join({ signal: controller.signal });
    mine.catch(() => {}); // looked at later
    await child.call("abort", "a");
    controller.abort(new RangeError("enough"));
    await assert.rejects(aborted.result, new RangeError("enough"));
    await assert.rejects(mine, new RangeError("enough"));
    assert.ok(await isPending(waiting.result));
    await queue.get();
    queue.taskDone();
    await within(AT_ONCE_MS, waiting.result, "the other join()");
    await child.end();
  });

  test(
    mp,
    "JoinableQueue.join() refuses aborted signals and bad timeouts, even with nothing to wait for",
    async () => {
      const queue = new mp.JoinableQueue<number>();
      await using child = await Puppet.start(mp, { queue });
      const signal = AbortSignal.abort(new RangeError("already"));
      await assert.rejects(queue.join({ signal }), new RangeError("already"));
      await assert.rejects(child.call("queue.join", { aborted: true }), new RangeError("already"));
      for (const timeout of [-1, NaN, "1" as unknown as number]) {
        await assert.rejects(queue.join({ timeout }), ValueError);
        assert.throws(() => queue.joinSync({ timeout }), ValueError);
        await assert.rejects(child.call("queue.join", { timeout }), ValueError);
      }
      await child.end();
    },
  );

  // --- Travelling -----------------------------------------------------------------------------------------------

  test(
    mp,
    "JoinableQueue travels nested in arguments, over a queue and over a pipe, and stays the same",
    async () => {
      const queues: Record<string, JoinableQueue<number>> = {
        inArgs: new mp.JoinableQueue<number>(),
        inItem: new mp.JoinableQueue<number>(3),
        inMessage: new mp.JoinableQueue<number>(),
      };
      const queue = new mp.Queue<unknown>();
      const [ours, theirs] = Pipe<unknown>();
      await using child = await Puppet.start(mp, { data: nested(queues.inArgs), queue, connection: theirs });
      await child.call("keep", "inArgs", { list: await child.call("get", "data", "list") });
      await queue.put(nested(queues.inItem));
      await child.call("keep", "inItem", await child.call("queue.get"));
      await ours.send(nested(queues.inMessage));
      await child.call("keep", "inMessage", await child.call("connection.recv"));
      for (const [at, joinable] of Object.entries(queues)) {
        assert.equal(await child.call("isA", at, "JoinableQueue"), true);
        await joinable.put(7);
        const mine = joinable.join();
        assert.equal(await child.call(`${at}.get`), 7);
        assert.ok(await isPending(mine));
        await child.call(`${at}.taskDone`);
        await within(AT_ONCE_MS, mine, at);
        if (mp.name === "worker") await assert.rejects(child.call(`${at}.taskDone`), tooOften);
      }
      ours.close();
      await child.end();
    },
  );

  test(mp, "JoinableQueue made by a child is used by us", async () => {
    await using child = await Puppet.start(mp);
    const queue = await child.call("create", "queue", "JoinableQueue", 2) as JoinableQueue<number>;
    assert.ok(queue instanceof JoinableQueue);
    await queue.put(1);
    await child.call("queue.put", 2);
    const mine = queue.join();
    const theirs = await child.begin("queue.join");
    assert.equal(await queue.get(), 1);
    assert.equal(await child.call("queue.get"), 2);
    queue.taskDone();
    assert.ok(await isPending(mine));
    await child.call("queue.taskDone");
    await within(AT_ONCE_MS, Promise.all([mine, theirs.result]), "both joins");
    if (mp.name === "worker") assert.throws(() => queue.taskDone(), tooOften);
    await child.end();
  });

  // --- Death ----------------------------------------------------------------------------------------------------

  for (const way of ways(mp)) {
    test(
      mp,
      `JoinableQueue whose consumer ${way.name} with an item waits for somebody to finish with it`,
      async () => {
        const queue = new mp.JoinableQueue<number>();
        await using child = await Puppet.start(mp, { queue });
        await child.call("queue.put", 1);
        await child.call("queue.put", 2);
        assert.equal(await child.call("queue.get"), 1);
        if (way.amidWait) await child.begin("queue.join");
        const mine = queue.join();
        await dies(child, way);
        assert.ok(await isPending(mine)); // as in Python: the count is of items, not of processes
        assert.equal(await queue.get(), 2);
        queue.taskDone();
        assert.ok(await isPending(mine));
        queue.taskDone(); // the one that the dead one had
        await within(DEATH_MS, mine, "join()");
        assert.throws(() => queue.taskDone(), tooOften);
        await queue.put(3);
        assert.equal(await queue.getNowait(), 3);
        queue.taskDone();
        await queue.join({ timeout: 0 });
      },
    );
  }

  test(mp, "JoinableQueue.join() of a killed child is in nobody's way", async () => {
    const queue = new mp.JoinableQueue<number>();
    await queue.put(1);
    await using children = await puppets(mp, 2, { queue });
    await children[0]!.begin("queue.join");
    const waiting = await children[1]!.begin("queue.join");
    children[0]!.process.kill();
    await children[0]!.process.join();
    assert.equal(await queue.get(), 1);
    queue.taskDone();
    await within(DEATH_MS, waiting.result, "the other's join()");
    await children[1]!.end();
  });

  // The five questions of disposal.
  test(mp, "JoinableQueue disposed of twice here is still the child's, also amid a wait", async () => {
    const queue = new mp.JoinableQueue<number>();
    await using child = await Puppet.start(mp, { queue });
    const getting = await child.begin("queue.get");
    const mine = queue.join();
    await queue.put(1);
    queue[Symbol.dispose]();
    queue[Symbol.dispose]();
    await assert.rejects(queue.put(2), ValueError);
    assert.equal(await within(AT_ONCE_MS, getting.result, "the child's get()"), 1);
    await child.call("queue.put", 2);
    assert.equal(await child.call("queue.get"), 2);
    await child.call("queue.taskDone");
    await child.call("queue.taskDone");
    await child.call("queue.join");
    await within(AT_ONCE_MS, mine, "join()");
    await child.end();
  });
}

const spawn = getContext("spawn");

test(spawn, "JoinableQueue refuses its blocking twins in the child and says why", async () => {
  const queue = new spawn.JoinableQueue<number>();
  await using child = await Puppet.start(spawn, { queue });
  for (const path of ["queue.joinSync", "queue.getSync"]) {
    await assert.rejects(child.call(path), RuntimeError);
    await assert.rejects(child.call(path), /the async form/);
  }
  await child.end();
});
