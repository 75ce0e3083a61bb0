/**
 * Queue, LifoQueue and PriorityQueue between the threads of a process. The names in comments are those of CPython's
 * `test_queue.py`, for shutdown of 3.13.
 *
 * @module
 */
import { PicklingError, Queue as SharedQueue, TimeoutError, ValueError } from "@multiprocessing/deno";
import { Empty, Full, LifoQueue, PriorityQueue, Queue, ShutDown } from "@multiprocessing/deno/queue";
import { Barrier, Event, Lock } from "@multiprocessing/deno/threading";
import assert from "node:assert/strict";
import { CLOCK_SLACK_MS, isPending, timed, within } from "../support/gates.ts";
import { Bunch } from "../threading/bunch.ts";

const QUEUE_SIZE = 5;
const NET_MS = 20_000;

const kinds = [
  [Queue, [111, 333, 222]],
  [LifoQueue, [222, 333, 111]],
  [PriorityQueue, [111, 222, 333]],
] as const;

/** Checks that a wait waits, and goes on once something is done. */
async function goesOnAfter<R>(wait: () => Promise<R>, what: () => Promise<unknown>): Promise<R> {
  const waiting = wait();
  assert.equal(await isPending(waiting), true);
  await what();
  return await within(NET_MS, waiting, "the wait");
}

for (const [Class, order] of kinds) {
  const name = `queue.${Class.name}`;

  // test_basic
  Deno.test(`${name}: put() and get() in its order, refused and waiting at both ends`, async () => {
    const queue = new Class<number>(QUEUE_SIZE);
    for (let round = 0; round < 2; round++) {
      assert.deepEqual([queue.empty(), queue.full(), queue.qsize()], [true, false, 0]);
      for (const item of [111, 333, 222]) await queue.put(item);
      assert.deepEqual([await queue.get(), await queue.get(), await queue.get()], order);
      for (let i = 0; i < QUEUE_SIZE - 1; i++) {
        await queue.put(i);
        assert.equal(queue.qsize(), i + 1);
      }
      assert.equal(queue.full(), false);
      await queue.put(2 * QUEUE_SIZE);
      assert.deepEqual([queue.full(), queue.empty()], [true, false]);
      await assert.rejects(queue.put(99, { block: false }), Full);
      await assert.rejects(queue.put(99, { timeout: 10 }), Full);
      await goesOnAfter(() => queue.put(99), () => queue.get());
      await goesOnAfter(() => queue.put(99, { timeout: 10_000 }), () => queue.get());
      for (let i = 0; i < QUEUE_SIZE; i++) await queue.get();
      assert.equal(queue.qsize(), 0);
      await assert.rejects(queue.get({ block: false }), Empty);
      await assert.rejects(queue.get({ timeout: 10 }), Empty);
      assert.equal(await goesOnAfter(() => queue.get(), () => queue.put(7)), 7);
      assert.equal(await goesOnAfter(() => queue.get({ timeout: 10_000 }), () => queue.put(8)), 8);
    }
  });

  // test_nowait
  Deno.test(`${name}: putNowait() and getNowait() never wait`, async () => {
    const queue = new Class<number>(QUEUE_SIZE);
    for (let i = 0; i < QUEUE_SIZE; i++) await queue.putNowait(1);
    await assert.rejects(queue.putNowait(1), Full);
    for (let i = 0; i < QUEUE_SIZE; i++) await queue.getNowait();
    await assert.rejects(queue.getNowait(), Empty);
  });

  // test_negative_timeout_raises_exception
  Deno.test(`${name}: a negative timeout is refused, and changes nothing`, async () => {
    const queue = new Class<number>(1);
    await assert.rejects(queue.put(1, { timeout: -1 }), ValueError);
    await assert.rejects(queue.get({ timeout: -1 }), ValueError);
    await assert.rejects(queue.join({ timeout: -1 }), ValueError);
    assert.equal(queue.qsize(), 0);
  });

  Deno.test(`${name}: a timeout lasts as long as it says`, async () => {
    const queue = new Class<number>(1);
    const get = await timed(() => queue.get({ timeout: 50 }));
    assert.ok(get.error instanceof Empty && get.ms >= 50 - CLOCK_SLACK_MS, `${get.ms} ms`);
    await queue.put(1);
    const put = await timed(() => queue.put(2, { timeout: 50 }));
    assert.ok(put.error instanceof Full && put.ms >= 50 - CLOCK_SLACK_MS, `${put.ms} ms`);
    const join = await timed(() => queue.join({ timeout: 50 }));
    assert.ok(join.error instanceof TimeoutError && join.ms >= 50 - CLOCK_SLACK_MS, `${join.ms} ms`);
    assert.equal(await queue.get(), 1);
  });

  // test_shrinking_queue (issue 10110)
  Deno.test(`${name}: maxsize can be changed`, async () => {
    const queue = new Class<number>(3);
    for (const item of [1, 2, 3]) await queue.put(item);
    await assert.rejects(queue.putNowait(4), Full);
    assert.equal(queue.qsize(), 3);
    queue.maxsize = 2;
    await assert.rejects(queue.putNowait(4), Full);
    const [fourth, fifth] = [queue.put(4), queue.put(5)];
    assert.equal(await isPending(Promise.race([fourth, fifth])), true);
    queue.maxsize = 4;
    await fourth;
    assert.equal(await isPending(fifth), true);
    queue.maxsize = 0;
    await fifth;
    assert.equal(queue.qsize(), 5);
    assert.throws(() => queue.maxsize = 1.5, ValueError);
  });

  Deno.test(`${name}: a maxsize of 0 or less is no limit`, async () => {
    for (const maxsize of [undefined, 0, -1]) {
      const queue = new Class<number>(maxsize);
      for (let i = 0; i < 100; i++) await queue.putNowait(i);
      assert.deepEqual([queue.full(), queue.qsize()], [false, 100]);
    }
    assert.throws(() => new Class("3" as never), ValueError);
  });

  // test_queue_task_done
  Deno.test(`${name}: taskDone() is refused when everything is done`, async () => {
    const queue = new Class<number>();
    const refused = { name: "ValueError", message: /called too many times/ };
    assert.throws(() => queue.taskDone(), refused);
    await queue.put(1);
    assert.equal(queue.unfinishedTasks, 1);
    queue.taskDone();
    assert.throws(() => queue.taskDone(), refused);
  });

  // test_queue_join
  Deno.test(`${name}: join() waits until everything is done`, async () => {
    const queue = new Class<number>();
    for (let round = 0; round < 2; round++) {
      let sum = 0;
      const lock = new Lock();
      const workers = new Bunch(2, async () => {
        for (;;) {
          const item = await queue.get();
          if (item >= 0) {
            using _ = await lock.guard();
            sum += item;
          }
          queue.taskDone();
          if (item < 0) return;
        }
      });
      for (let i = 0; i < 100; i++) await queue.put(i);
      await queue.join();
      assert.equal(sum, 4950);
      for (let i = 0; i < 2; i++) await queue.put(-1);
      await queue.join();
      await workers.end();
    }
    assert.throws(() => queue.taskDone(), ValueError);
    await queue.join();
  });

  Deno.test(`${name}: who waits is served in the order of coming, who gives up loses nothing`, async () => {
    const queue = new Class<number>(1);
    const got: [number, number][] = [];
    const enough = new AbortController();
    const getters = new Bunch(4, async (index) => {
      if (index === 1) await assert.rejects(queue.get({ signal: enough.signal }), /enough/);
      else got.push([index, await queue.get()]);
    });
    await getters.settled();
    enough.abort(new Error("enough"));
    for (const item of [1, 2, 3]) await queue.put(item);
    await getters.end();
    assert.deepEqual(got, [[0, 1], [2, 2], [3, 3]]);

    await queue.put(0);
    const giveUp = new AbortController();
    const putters = new Bunch(4, async (index) => {
      if (index === 2) await assert.rejects(queue.put(9, { signal: giveUp.signal }), /enough/);
      else await queue.put(index + 1);
    });
    await putters.settled();
    giveUp.abort(new Error("enough"));
    const items = [];
    for (let i = 0; i < 4; i++) items.push(await queue.get());
    await putters.end();
    assert.deepEqual([items, queue.qsize()], [[0, 1, 2, 4], 0]);
  });

  Deno.test(`${name}: an item handed over in the turn of an abort is not lost`, async () => {
    const queue = new Class<number>();
    const enough = new AbortController();
    const waiting = queue.get({ signal: enough.signal });
    void queue.put(1);
    enough.abort();
    assert.equal(await waiting, 1);
    await assert.rejects(queue.get({ signal: enough.signal }), { name: "AbortError" });
  });

  Deno.test(`${name}: items are the objects that were put`, async () => {
    const queue = new Class<{ valueOf(): number }>();
    const item = { valueOf: () => 1 };
    await queue.put(item);
    assert.equal(await queue.get(), item);
  });

  Deno.test(`${name} does not travel to another process`, async () => {
    using shared = new SharedQueue<unknown>();
    await assert.rejects(
      shared.put({ queue: new Class() }),
      (error) => error instanceof PicklingError && /item\.queue .*lives in one process/.test(error.message),
    );
  });

  // --- shutdown, of 3.13 --------------------------------------------------------------------------------------------

  // test_shutdown_empty
  Deno.test(`${name}.shutdown() of an empty queue refuses put and get`, async () => {
    const queue = new Class<string>();
    queue.shutdown();
    await assert.rejects(queue.put("data"), ShutDown);
    await assert.rejects(queue.get(), ShutDown);
  });

  // test_shutdown_nonempty
  Deno.test(`${name}.shutdown() lets what is inside be got`, async () => {
    const queue = new Class<string>();
    await queue.put("data");
    queue.shutdown();
    assert.equal(await queue.get(), "data");
    await assert.rejects(queue.get(), ShutDown);
  });

  // test_shutdown_immediate
  Deno.test(`${name}.shutdown({ immediate: true }) drops what is inside`, async () => {
    const queue = new Class<string>();
    await queue.put("data");
    queue.shutdown({ immediate: true });
    await assert.rejects(queue.get(), ShutDown);
  });

  // test_shutdown_allowed_transitions
  Deno.test(`${name}.shutdown() may follow another`, () => {
    const queue = new Class<string>();
    const states = [queue.isShutdown];
    for (const immediate of [false, true, false]) {
      queue.shutdown({ immediate });
      states.push(queue.isShutdown);
    }
    assert.deepEqual(states, [false, true, true, true]);
  });

  for (const immediate of [false, true]) {
    const shutdown = `shutdown(${immediate ? "{ immediate: true }" : ""})`;

    // test_shutdown_all_methods_in_one_thread, test_shutdown_immediate_…
    Deno.test(`${name}.${shutdown}: every method afterwards`, async () => {
      const queue = new Class<string>(2);
      await queue.put("L");
      await queue.putNowait("O");
      queue.shutdown({ immediate });
      await assert.rejects(queue.put("E"), ShutDown);
      await assert.rejects(queue.putNowait("W"), ShutDown);
      if (immediate) assert.throws(() => queue.taskDone(), ValueError);
      else {
        for (let i = 0; i < 2; i++) {
          assert.match(await queue.get(), /^[LO]$/);
          queue.taskDone();
        }
      }
      await queue.join();
      for (const wait of [queue.get(), queue.getNowait(), queue.get({ timeout: 1_000 })]) {
        await assert.rejects(wait, ShutDown);
      }
    });

    // test_shutdown_all_methods_in_many_threads, test_shutdown_immediate_…
    Deno.test(`${name}.${shutdown} while many threads are at work`, async () => {
      const [writers, readers, joiners] = [4, 6, immediate ? 2 : 0];
      const each = 512;
      const queue = new Class<number>();
      const [start, now] = [new Barrier(writers + readers + joiners), new Event()];
      const ends: string[] = [];
      const bunches = [
        new Bunch(writers, async () => {
          for (let i = 0; i < each / 4; i++) await queue.put(i);
          await start.wait();
          try {
            for (let i = 0;; i++) {
              await queue.put(i);
              if (i === each / 4) now.set();
              if (i % 16 === 0) await new Event().wait({ timeout: 1 });
            }
          } catch (error) {
            assert.ok(error instanceof ShutDown);
            ends.push("writer");
          }
        }),
        new Bunch(readers, async () => {
          await queue.get();
          queue.taskDone();
          await start.wait();
          try {
            for (;;) {
              await queue.get();
              queue.taskDone();
            }
          } catch (error) {
            assert.ok(error instanceof ShutDown);
            ends.push("reader");
          }
        }),
        new Bunch(joiners, async () => {
          await start.wait();
          await queue.join();
        }),
        new Bunch(1, async () => {
          await now.wait();
          queue.shutdown({ immediate });
          if (immediate) assert.equal(queue.qsize(), 0);
        }),
      ];
      for (const bunch of bunches) await bunch.end();
      assert.deepEqual(ends.sort(), [...Array(readers).fill("reader"), ...Array(writers).fill("writer")]);
      assert.deepEqual([queue.qsize(), queue.unfinishedTasks], [0, 0]);
    });

    // test_shutdown_get, test_shutdown_immediate_get; test_shutdown_pending_get
    Deno.test(`${name}.${shutdown} tells those who wait to get, beyond what is inside`, async () => {
      const queue = new Class<string>();
      const pending = new Bunch(2, () => assert.rejects(queue.get(), ShutDown));
      await pending.settled();
      queue.shutdown({ immediate });
      await pending.end();

      const two = new Class<string>(2);
      await two.put("Y");
      await two.put("D");
      two.shutdown({ immediate });
      const results = await Promise.allSettled([two.get(), two.get(), two.get()]);
      const expected = immediate ? Array(3).fill("rejected") : ["fulfilled", "fulfilled", "rejected"];
      assert.deepEqual(results.map(({ status }) => status), expected);
    });

    // test_shutdown_put, test_shutdown_immediate_put
    Deno.test(`${name}.${shutdown} tells those who wait to put`, async () => {
      const queue = new Class<string>(2);
      await queue.put("Y");
      await queue.put("D");
      const putters = new Bunch(2, () => assert.rejects(queue.put("E"), ShutDown));
      await putters.settled();
      queue.shutdown({ immediate });
      await putters.end();
      assert.equal(queue.qsize(), immediate ? 0 : 2);
    });

    // test_shutdown_join, test_shutdown_put_join, test_shutdown_get_task_done_join and their immediate twins
    Deno.test(`${name}.${shutdown} and join()`, async () => {
      const queue = new Class<string>(2);
      await queue.put("Y");
      await queue.put("D");
      assert.equal(queue.unfinishedTasks, queue.qsize());
      const joiners = new Bunch(2, () => queue.join());
      await joiners.settled();
      queue.shutdown({ immediate });
      await assert.rejects(queue.put("E"), ShutDown);
      if (!immediate) {
        await joiners.settled();
        for (let i = 0; i < 2; i++) {
          await queue.get();
          queue.taskDone();
        }
      }
      await joiners.end();
    });
  }

  Deno.test(`${name} yields its items and ends at shutdown()`, async () => {
    const queue = new Class<number>();
    const seen: number[] = [];
    const consumers = new Bunch(2, async () => {
      for await (const item of queue) seen.push(item);
    });
    await consumers.settled();
    for (const item of [1, 2, 3]) await queue.put(item);
    queue.shutdown();
    await consumers.end();
    assert.deepEqual(seen.sort(), [1, 2, 3]);
  });
}

// --- FailingQueueTest -----------------------------------------------------------------------------------------------

class FailingQueue<T> extends Queue<T> {
  failNextPut = false;
  failNextGet = false;
  protected override _put(item: T): void {
    if (this.failNextPut) {
      this.failNextPut = false;
      throw new RangeError("You Lose");
    }
    super._put(item);
  }
  protected override _get(): T {
    if (this.failNextGet) {
      this.failNextGet = false;
      throw new RangeError("You Lose");
    }
    return super._get();
  }
}

// test_failing_queue
Deno.test("queue.Queue: a _put or _get that throws fails one call and leaves the queue in order", async () => {
  const queue = new FailingQueue<string>(QUEUE_SIZE);
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < QUEUE_SIZE - 1; i++) await queue.put(String(i));
    for (const options of [{ block: false }, { timeout: 10 }]) {
      queue.failNextPut = true;
      await assert.rejects(queue.put("oops", options), RangeError);
    }
    await queue.put("last");
    for (const options of [undefined, { timeout: 10_000 }]) {
      assert.equal(queue.full(), true);
      queue.failNextPut = true;
      await assert.rejects(goesOnAfter(() => queue.put("full", options), () => queue.get()), RangeError);
      await queue.put("last"); // the put failed, but the get did not
    }
    assert.equal(queue.full(), true);
    await queue.get();
    assert.equal(queue.full(), false);
    await queue.put("last");
    await goesOnAfter(() => queue.put("full"), () => queue.get());
    for (let i = 0; i < QUEUE_SIZE; i++) await queue.get();
    assert.equal(queue.qsize(), 0);

    await queue.put("first");
    for (const options of [undefined, { timeout: 10 }]) {
      queue.failNextGet = true;
      await assert.rejects(queue.get(options), RangeError);
      assert.equal(queue.qsize(), 1);
    }
    assert.equal(await queue.get(), "first");
    queue.failNextGet = true;
    await assert.rejects(goesOnAfter(() => queue.get(), () => queue.put("kept")), RangeError);
    assert.equal(queue.qsize(), 1);
    assert.equal(await queue.get(), "kept");
  }
});

Deno.test("queue.Queue: of two who wait, a _get that throws fails the first and serves the second", async () => {
  const queue = new FailingQueue<string>();
  const [first, second] = [queue.get(), queue.get()];
  queue.failNextGet = true;
  await queue.put("bread");
  await assert.rejects(first, RangeError);
  assert.equal(await second, "bread");
});

Deno.test("queue.Queue: of two who wait for room, a _put that throws fails the first and lets in the second", async () => {
  const queue = new FailingQueue<string>(1);
  await queue.put("bread");
  const [first, second] = [queue.put("milk"), queue.put("jam")];
  queue.failNextPut = true;
  assert.equal(await queue.get(), "bread");
  await assert.rejects(first, RangeError);
  await second;
  assert.deepEqual([await queue.get(), queue.unfinishedTasks], ["jam", 2]);
});
