/**
 * Semaphore and BoundedSemaphore among the threads of a process. The names in comments are those of CPython's
 * `lock_tests.py` and `test_threading.py`.
 *
 * @module
 */
import { PicklingError, Queue, RuntimeError, ValueError } from "@multiprocessing/deno";
import { BoundedSemaphore, Semaphore, Thread } from "@multiprocessing/deno/threading";
import assert from "node:assert/strict";
import { CLOCK_SLACK_MS, timed } from "../support/gates.ts";
import { Bunch, rest } from "./bunch.ts";

for (const Class of [Semaphore, BoundedSemaphore]) {
  const name = `threading.${Class.name}`;

  // test_constructor, test_default_value
  Deno.test(`${name} begins with 1, or with as many as it is told`, () => {
    assert.throws(() => new Class(-1), ValueError);
    assert.throws(() => new Class(0.5), ValueError);
    assert.deepEqual([new Class().getValue(), new Class(0).getValue(), new Class(7).getValue()], [1, 0, 7]);
  });

  // test_acquire, test_try_acquire
  Deno.test(`${name}.acquire() takes one and release() gives one back`, async () => {
    const semaphore = new Class(2);
    assert.deepEqual([await semaphore.acquire(), await semaphore.acquire({ block: false })], [true, true]);
    assert.equal(await semaphore.acquire({ block: false }), false);
    assert.throws(() => semaphore.acquireSync(), RuntimeError);
    semaphore.release();
    assert.equal(semaphore.acquireSync(), true);
    semaphore.release();
    semaphore.release();
  });

  // test_try_acquire_contended
  Deno.test(`${name}.acquire({ block: false }) gives as many as there are`, async () => {
    const semaphore = new Class(4);
    await semaphore.acquire();
    const got: boolean[] = [];
    const bunch = new Bunch(5, async () => {
      for (let i = 0; i < 2; i++) got.push(await semaphore.acquire({ block: false }));
    });
    await bunch.end();
    assert.equal(got.filter((one) => one).length, 3);
    assert.equal(got.length, 10);
  });

  // test_acquire_contended, test_multirelease
  for (const atOnce of [false, true]) {
    Deno.test(`${name} lets in as many as are released${atOnce ? " by release(n)" : ""}`, async () => {
      const permits = 7;
      const semaphore = new Class(permits);
      const release = (n: number) => {
        if (atOnce) semaphore.release(n);
        else for (let i = 0; i < n; i++) semaphore.release();
      };
      await semaphore.acquire();
      const phases: number[] = [];
      let phase = 0;
      const bunch = new Bunch(10, async () => {
        for (let i = 0; i < 2; i++) {
          assert.equal(await semaphore.acquire(), true);
          phases.push(phase);
        }
      });
      const counts = () => [0, 1, 2, 3].map((n) => phases.filter((one) => one === n).length);
      await rest();
      assert.deepEqual(counts(), [6, 0, 0, 0]);
      phase = 1;
      release(permits);
      await rest();
      assert.deepEqual(counts(), [6, 7, 0, 0]);
      phase = 2;
      release(permits - 1);
      await bunch.settled(9);
      assert.deepEqual(counts(), [6, 7, 6, 0]);
      assert.equal(await semaphore.acquire({ block: false }), false);
      phase = 3;
      release(1);
      await bunch.end();
      assert.deepEqual(counts(), [6, 7, 6, 1]);
    });
  }

  // test_acquire_timeout
  Deno.test(`${name}.acquire({ timeout }) waits that long`, async () => {
    const semaphore = new Class(2);
    for (const expected of [true, true, false]) {
      assert.equal(await semaphore.acquire({ timeout: 5 }), expected);
    }
    semaphore.release();
    assert.equal(await semaphore.acquire({ timeout: 5 }), true);
    const { ms, value } = await timed(() => semaphore.acquire({ timeout: 50 }));
    assert.equal(value, false);
    assert.ok(ms >= 50 - CLOCK_SLACK_MS, `${ms} ms`);
  });

  // test_with
  Deno.test(`${name}.guard() gives one back at the end of the block, also when it throws`, async () => {
    const semaphore = new Class(2);
    const nested = async (error?: Error) => {
      using _outer = await semaphore.guard();
      using _inner = await semaphore.guard();
      assert.equal(await semaphore.acquire({ block: false }), false);
      if (error) throw error;
    };
    await nested();
    assert.equal(semaphore.getValue(), 2);
    await assert.rejects(nested(new TypeError("in the block")), TypeError);
    assert.equal(semaphore.getValue(), 2);
  });

  Deno.test(`${name}.release(n) takes whole numbers from 1`, async () => {
    const semaphore = new Class(3);
    for (let i = 0; i < 3; i++) await semaphore.acquire();
    assert.throws(() => semaphore.release(0), /n must be one or more/);
    assert.throws(() => semaphore.release(-1), ValueError);
    assert.throws(() => semaphore.release(1.5), ValueError);
    assert.equal(semaphore.getValue(), 0);
    semaphore.release(3);
    assert.equal(semaphore.getValue(), 3);
  });

  Deno.test(`${name} does not travel to another process`, async () => {
    using queue = new Queue<unknown>();
    await assert.rejects(queue.put([new Class()]), PicklingError);
  });
}

// SemaphoreTests.test_release_unacquired
Deno.test("threading.Semaphore may be released beyond its first value", async () => {
  const semaphore = new Semaphore(1);
  semaphore.release();
  assert.equal(semaphore.getValue(), 2);
  await semaphore.acquire();
  await semaphore.acquire();
  semaphore.release();
});

// BoundedSemaphoreTests.test_release_unacquired
Deno.test("threading.BoundedSemaphore refuses to be released beyond its first value, and then gives nothing", async () => {
  const semaphore = new BoundedSemaphore(2);
  const refused = { name: "ValueError", message: "Semaphore released too many times" };
  assert.throws(() => semaphore.release(), refused);
  await semaphore.acquire();
  assert.throws(() => semaphore.release(2), refused);
  assert.equal(semaphore.getValue(), 1);
  semaphore.release();
  assert.throws(() => semaphore.release(), refused);
});

// ThreadTests.test_BoundedSemaphore_limit
Deno.test("threading.BoundedSemaphore counts what threads acquire and release", async () => {
  for (let limit = 1; limit < 10; limit++) {
    const semaphore = new BoundedSemaphore(limit);
    for (const target of [() => semaphore.acquire(), () => semaphore.release()]) {
      const threads = Array.from({ length: limit }, () => new Thread({ target }));
      for (const thread of threads) thread.start();
      for (const thread of threads) await thread.join();
    }
    assert.throws(() => semaphore.release(), ValueError);
  }
});
