/**
 * Barrier among the threads of a process. The names in comments are those of CPython's `lock_tests.py`.
 *
 * @module
 */
import { PicklingError, Queue, RuntimeError } from "@multiprocessing/deno";
import { Barrier, BrokenBarrierError } from "@multiprocessing/deno/threading";
import assert from "node:assert/strict";
import { CLOCK_SLACK_MS, timed } from "../support/gates.ts";
import { Bunch } from "./bunch.ts";

const N = 5;

// test_barrier, test_barrier_10
for (const passes of [1, 10]) {
  Deno.test(`threading.Barrier is passed in lockstep, ${passes} times`, async () => {
    const barrier = new Barrier(N);
    let [come, gone] = [0, 0];
    const bunch = new Bunch(N, async () => {
      for (let i = 0; i < passes; i++) {
        come++;
        assert.equal(gone, i * N);
        await barrier.wait();
        gone++;
        assert.equal(come, (i + 1) * N);
        await barrier.wait();
      }
    });
    await bunch.end();
    assert.deepEqual([barrier.nWaiting, barrier.broken], [0, false]);
  });
}

// test_wait_return
Deno.test("threading.Barrier.wait() gives each thread a number of its own", async () => {
  const barrier = new Barrier(N);
  const results: number[] = [];
  await new Bunch(N, async () => void results.push(await barrier.wait())).end();
  assert.deepEqual(results.sort(), [0, 1, 2, 3, 4]);
});

// test_action
Deno.test("threading.Barrier runs its action once, before anybody goes on", async () => {
  let runs = 0;
  const barrier = new Barrier(N, { action: () => void runs++ });
  await new Bunch(N, async () => {
    await barrier.wait();
    assert.equal(runs, 1);
  }).end();
});

Deno.test("threading.Barrier breaks when its action throws", async () => {
  const barrier = new Barrier(2, {
    action() {
      throw new RangeError("no");
    },
  });
  const errors: string[] = [];
  await new Bunch(2, () => barrier.wait().then(() => {}, (error) => void errors.push(error.name))).end();
  assert.deepEqual(errors.sort(), ["BrokenBarrierError", "RangeError"]);
  assert.equal(barrier.broken, true);
});

// test_abort
Deno.test("threading.Barrier.abort() sends everybody away", async () => {
  const barrier = new Barrier(N);
  let [passed, sentAway] = [0, 0];
  await new Bunch(N, async () => {
    try {
      if (await barrier.wait() === N >> 1) return barrier.abort();
      await barrier.wait();
      passed++;
    } catch (error) {
      assert.ok(error instanceof BrokenBarrierError);
      sentAway++;
    }
  }).end();
  assert.deepEqual([passed, sentAway, barrier.broken], [0, N - 1, true]);
});

// test_reset
Deno.test("threading.Barrier.reset() sends away who waits, and it can be passed again", async () => {
  const barrier = new Barrier(N);
  let [sentAway, passed] = [0, 0];
  const bunch: Bunch = new Bunch(N, async () => {
    if (await barrier.wait() === N >> 1) {
      await bunch.settled();
      assert.equal(barrier.nWaiting, N - 1);
      barrier.reset();
    } else {
      await assert.rejects(barrier.wait(), BrokenBarrierError);
      sentAway++;
    }
    await barrier.wait();
    passed++;
  });
  await bunch.end();
  assert.deepEqual([sentAway, passed], [N - 1, N]);
});

// test_abort_and_reset
Deno.test("threading.Barrier.reset() repairs a broken barrier", async () => {
  const [barrier, other] = [new Barrier(N), new Barrier(N)];
  let [sentAway, passed] = [0, 0];
  await new Bunch(N, async () => {
    if (await barrier.wait() === N >> 1) barrier.abort();
    else {
      await assert.rejects(barrier.wait(), BrokenBarrierError);
      sentAway++;
    }
    if (await other.wait() === N >> 1) barrier.reset();
    await other.wait();
    await barrier.wait();
    passed++;
  }).end();
  assert.deepEqual([sentAway, passed], [N - 1, N]);
});

// test_timeout, test_default_timeout
for (
  const [how, barrier, options] of [
    ["wait({ timeout })", new Barrier(2), { timeout: 50 }],
    ["wait() of a barrier with a timeout", new Barrier(2, { timeout: 50 }), undefined],
  ] as const
) {
  Deno.test(`threading.Barrier.${how} breaks it after that long`, async () => {
    const { ms, error } = await timed(() => barrier.wait(options));
    assert.ok(error instanceof BrokenBarrierError);
    assert.ok(ms >= 50 - CLOCK_SLACK_MS, `${ms} ms`);
    await assert.rejects(barrier.wait(), BrokenBarrierError);
  });
}

// test_single_thread
Deno.test("threading.Barrier of one is passed at once", async () => {
  const barrier = new Barrier(1);
  assert.deepEqual([await barrier.wait(), await barrier.wait(), barrier.waitSync()], [0, 0, 0]);
});

// test_repr says it by the text form
Deno.test("threading.Barrier.nWaiting and broken tell how far it is", async () => {
  const barrier = new Barrier(3);
  assert.equal(barrier.nWaiting, 0);
  const bunch = new Bunch(2, () => barrier.wait());
  await bunch.settled();
  assert.deepEqual([barrier.nWaiting, barrier.parties, barrier.broken], [2, 3, false]);
  assert.equal(barrier.waitSync(), 2); // the last one need not wait
  await bunch.end();
  assert.equal(barrier.nWaiting, 0);
  barrier.abort();
  assert.equal(barrier.broken, true);
  assert.throws(() => barrier.waitSync(), BrokenBarrierError);
});

Deno.test("threading.Barrier.waitSync() refuses to block, since that would be for ever", () => {
  assert.throws(() => new Barrier(2).waitSync(), RuntimeError);
});

Deno.test("threading.Barrier does not travel to another process", async () => {
  using queue = new Queue<unknown>();
  await assert.rejects(queue.put(new Barrier(2)), PicklingError);
});
