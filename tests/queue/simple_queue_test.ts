/**
 * SimpleQueue between the threads of a process. The names in comments are those of CPython's `test_queue.py`.
 *
 * @module
 */
import { PicklingError, Queue, ValueError } from "@multiprocessing/deno";
import { Empty, SimpleQueue } from "@multiprocessing/deno/queue";
import { Event } from "@multiprocessing/deno/threading";
import assert from "node:assert/strict";
import { Bunch } from "../threading/bunch.ts";

/** Waits as the runtime does, so that threads take turns. */
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

// test_basic
Deno.test("queue.SimpleQueue: put() and get() in order, refused at the end", async () => {
  const queue = new SimpleQueue<number>();
  const state = () => [queue.empty(), queue.qsize()];
  assert.deepEqual(state(), [true, 0]);
  await queue.put(1);
  assert.deepEqual(state(), [false, 1]);
  await queue.put(2);
  await queue.putNowait(3);
  await queue.put(4);
  assert.deepEqual(state(), [false, 4]);
  assert.equal(await queue.get(), 1);
  assert.equal(await queue.getNowait(), 2);
  assert.equal(await queue.get({ block: false }), 3);
  assert.deepEqual(state(), [false, 1]);
  assert.equal(await queue.get({ timeout: 100 }), 4);
  assert.deepEqual(state(), [true, 0]);
  await assert.rejects(queue.get({ block: false }), Empty);
  await assert.rejects(queue.get({ timeout: 1 }), Empty);
  await assert.rejects(queue.getNowait(), Empty);
  assert.deepEqual(state(), [true, 0]);
});

// test_negative_timeout_raises_exception
Deno.test("queue.SimpleQueue: a negative timeout is refused, and takes nothing", async () => {
  const queue = new SimpleQueue<number>();
  await queue.put(1);
  await assert.rejects(queue.get({ timeout: -1 }), ValueError);
  assert.equal(queue.qsize(), 1);
});

// test_order, test_many_threads, test_many_threads_nonblock, test_many_threads_timeout
const consume: Record<string, (queue: SimpleQueue<number | null>) => Promise<number | null>> = {
  "get()": (queue) => queue.get(),
  "get({ block: false })": (queue) => untilThere(queue, { block: false }),
  "get({ timeout: 0.01 })": (queue) => untilThere(queue, { timeout: 0.01 }),
};

async function untilThere(
  queue: SimpleQueue<number | null>,
  options: { block?: boolean; timeout?: number },
): Promise<number | null> {
  for (;;) {
    try {
      return await queue.get(options);
    } catch (error) {
      if (!(error instanceof Empty)) throw error;
      await pause(0);
    }
  }
}

for (const [threads, items] of [[1, 100], [50, 2_000]] as const) {
  for (const [how, get] of Object.entries(consume)) {
    Deno.test(`queue.SimpleQueue: ${threads} feeders and as many consumers by ${how} lose nothing`, async () => {
      const queue = new SimpleQueue<number | null>();
      const inputs = Array.from({ length: items }, (_, i) => i);
      const left = inputs.toReversed();
      const results: number[] = [];
      const feeders = new Bunch(threads, async () => {
        while (left.length > 0) {
          await queue.put(left.pop()!);
          if (Math.random() > 0.5) await pause(Math.random());
        }
        await queue.put(null);
      });
      const consumers = new Bunch(threads, async () => {
        for (let item = await get(queue); item !== null; item = await get(queue)) results.push(item);
      });
      await feeders.end();
      await consumers.end();
      assert.equal(queue.qsize(), 0);
      assert.deepEqual(threads === 1 ? results : results.sort((a, b) => a - b), inputs);
    });
  }
}

Deno.test("queue.SimpleQueue: who waits is served in the order of coming, who gives up loses nothing", async () => {
  const queue = new SimpleQueue<number>();
  const got: [number, number][] = [];
  const enough = new AbortController();
  const bunch = new Bunch(3, async (index) => {
    if (index === 1) await assert.rejects(queue.get({ signal: enough.signal }), /enough/);
    else got.push([index, await queue.get()]);
  });
  await bunch.settled();
  enough.abort(new Error("enough"));
  const told = new Event();
  const putter = new Bunch(1, async () => {
    await queue.put(1);
    await queue.put(2);
    told.set();
  });
  await told.wait();
  await bunch.end();
  await putter.end();
  assert.deepEqual(got, [[0, 1], [2, 2]]);
});

Deno.test("queue.SimpleQueue does not travel to another process", async () => {
  using queue = new Queue<unknown>();
  await assert.rejects(queue.put(new SimpleQueue()), PicklingError);
});
