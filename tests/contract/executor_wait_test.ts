/**
 * wait() and asCompleted().
 *
 * The names in the comments are those of CPython 3.13's `test_concurrent_futures`: `WaitTests` (`test_wait.py`) and
 * `AsCompletedTests` (`test_as_completed.py`). Where those sleep until something has surely happened, a gate opens here.
 *
 * @module
 */
import { CancelledError, ValueError } from "@multiprocessing/deno";
import {
  ALL_COMPLETED,
  asCompleted,
  FIRST_COMPLETED,
  FIRST_EXCEPTION,
  Future,
  TimeoutError,
  wait,
} from "@multiprocessing/deno/futures";
import assert from "node:assert/strict";
import * as targets from "../fixtures/executor_targets.ts";
import { kinds, testKind } from "../support/executors.ts";
import { allCollected } from "../support/garbage.ts";
import { isPending, timed } from "../support/gates.ts";

const cancelled = new Future<number>();
cancelled.cancel();
const notified = new Future<number>();
notified.cancel();
notified.setRunningOrNotifyCancel();
const failed = new Future<number>();
failed.setException(new Error("failed before"));
const successful = new Future<number>();
successful.setResult(42);

for (const kind of kinds()) {
  const { mp, make } = kind;

  // --- WaitTests ----------------------------------------------------------------------------------------------------

  // test_20369
  testKind(kind, "wait() counts a future that comes twice once", async () => {
    await using executor = make();
    const future = executor.submit(targets.mul, 2, 3);
    const { done, notDone } = await wait([future, future], { returnWhen: ALL_COMPLETED });
    assert.deepEqual([...done], [future]);
    assert.equal(notDone.size, 0);
  });

  // test_first_completed. A cancelled future is done here, so it is none of those that are waited for.
  testKind(kind, "wait() returns when the first one has ended", async () => {
    await using executor = make({ maxWorkers: 2 });
    const go = new mp.Event();
    const [first, second] = [executor.submit(targets.mul, 21, 2), executor.submit(targets.waitFor, go)];
    const { done, notDone } = await wait<Future<unknown>>([first, second], { returnWhen: FIRST_COMPLETED });
    assert.deepEqual([...done], [first]);
    assert.deepEqual([...notDone], [second]);
    go.set();
  });

  // test_first_completed_some_already_completed
  testKind(kind, "wait() for the first one returns at once when some have ended before", async () => {
    await using executor = make();
    const go = new mp.Event();
    const future = executor.submit(targets.waitFor, go);
    const all = [notified, cancelled, successful, future];
    const { done, notDone } = await wait<Future<unknown>>(all, { returnWhen: FIRST_COMPLETED });
    assert.deepEqual([...done], [notified, cancelled, successful]);
    assert.deepEqual([...notDone], [future]);
    go.set();
  });

  // test_first_exception
  testKind(kind, "wait() returns when the first one has ended with an error", async () => {
    await using executor = make({ maxWorkers: 3 });
    const [fails, ends] = [new mp.Event(), new mp.Event()];
    const futures: Future<unknown>[] = [
      executor.submit(targets.mul, 2, 21),
      executor.submit(targets.throwAfter, fails),
      executor.submit(targets.waitFor, ends),
    ];
    const waited = wait(futures, { returnWhen: FIRST_EXCEPTION });
    await futures[0];
    assert.ok(await isPending(waited), "a result is no reason to return");
    fails.set();
    const { done, notDone } = await waited;
    assert.deepEqual([...done], futures.slice(0, 2));
    assert.deepEqual([...notDone], futures.slice(2));
    ends.set();
  });

  // test_first_exception_some_already_complete
  testKind(kind, "wait() for the first error does not take a result or a cancellation for one", async () => {
    await using executor = make({ maxWorkers: 2 });
    const ends = new mp.Event();
    const fails = executor.submit(targets.divmod, 21, 0);
    const waits = executor.submit(targets.waitFor, ends);
    const all = [successful, cancelled, notified, fails, waits];
    const { done, notDone } = await wait<Future<unknown>>(all, { returnWhen: FIRST_EXCEPTION });
    assert.deepEqual([...done], [successful, cancelled, notified, fails]);
    assert.deepEqual([...notDone], [waits]);
    ends.set();
  });

  // test_first_exception_one_already_failed
  testKind(kind, "wait() for the first error returns at once when one has failed before", async () => {
    await using executor = make();
    const go = new mp.Event();
    const future = executor.submit(targets.waitFor, go);
    const { done, notDone } = await wait<Future<unknown>>([failed, future], { returnWhen: FIRST_EXCEPTION });
    assert.deepEqual([...done], [failed]);
    assert.deepEqual([...notDone], [future]);
    go.set();
  });

  // test_all_completed
  testKind(kind, "wait() returns when all have ended, however they did", async () => {
    await using executor = make();
    const all: Future<unknown>[] = [
      successful,
      cancelled,
      notified,
      failed,
      executor.submit(targets.divmod, 2, 0),
      executor.submit(targets.mul, 2, 21),
    ];
    const { done, notDone } = await wait(all, { returnWhen: ALL_COMPLETED });
    assert.deepEqual([...done], all);
    assert.equal(notDone.size, 0);
  });

  // test_timeout
  testKind(kind, "wait() with a timeout tells what has ended by then", async () => {
    await using executor = make();
    const go = new mp.Event();
    const future = executor.submit(targets.waitFor, go);
    const before = [notified, failed, successful];
    const { value, ms } = await timed(() => wait<Future<unknown>>([...before, future], { timeout: 50 }));
    assert.deepEqual([...value!.done], before);
    assert.deepEqual([...value!.notDone], [future]);
    assert.ok(ms >= 48, `${ms} ms`);
    go.set();
  });

  // ThreadPoolWaitTests.test_pending_calls_race
  testKind(kind, "wait() sees a hundred calls end that are let go at once", async () => {
    await using executor = make({ maxWorkers: 4 });
    const go = new mp.Event();
    const futures = Array.from({ length: 100 }, () => executor.submit(targets.waitFor, go));
    const waited = wait(futures);
    go.set();
    assert.equal((await waited).done.size, 100);
  });

  testKind(
    kind,
    "wait() and asCompleted() settle when the executor is shut down meanwhile and cancels",
    async () => {
      const executor = make({ maxWorkers: 1 });
      const go = new mp.Event();
      using said = new mp.Queue<string>();
      const futures = Array.from({ length: 4 }, () => executor.submit(targets.waitFor, go, said));
      await said.get();
      const all = wait(futures);
      const first = wait(futures, { returnWhen: FIRST_COMPLETED });
      const ended: unknown[] = [];
      const iterated = (async () => {
        for await (const future of asCompleted(futures)) ended.push(future);
      })();
      const shutdown = executor.shutdown({ cancelFutures: true });
      assert.deepEqual([...(await first).done], futures.slice(1));
      assert.ok(await isPending(all));
      assert.deepEqual(ended, futures.slice(1));
      go.set();
      assert.deepEqual([...(await all).done], futures);
      await iterated;
      assert.deepEqual(ended, [...futures.slice(1), futures[0]]);
      await shutdown;
    },
  );

  // --- AsCompletedTests ---------------------------------------------------------------------------------------------

  // test_no_timeout
  testKind(kind, "asCompleted() yields those that have ended, and then the others as they end", async () => {
    await using executor = make({ maxWorkers: 3 });
    const gates = [new mp.Event(), new mp.Event(), new mp.Event()];
    const futures = gates.map((gate, i) => executor.submit(targets.giveAfter, i, gate));
    const iterator = asCompleted([notified, ...futures, failed, successful]);
    for (const before of [notified, failed, successful]) {
      assert.equal((await iterator.next()).value, before);
    }
    for (const i of [2, 0, 1]) {
      const next = iterator.next();
      gates[i]!.set();
      assert.equal((await next).value, futures[i]);
    }
    assert.deepEqual(await iterator.next(), { done: true, value: undefined });
  });

  // test_future_times_out, which was test_zero_timeout before
  testKind(kind, "asCompleted() with a timeout yields what has ended by then, and throws", async () => {
    await using executor = make();
    const go = new mp.Event();
    const future = executor.submit(targets.waitFor, go);
    const before = [notified, failed, successful];
    for (const timeout of [0, 100]) {
      const ended: unknown[] = [];
      await assert.rejects(async () => {
        for await (const it of asCompleted<Future<unknown>>([...before, future], { timeout })) ended.push(it);
      }, TimeoutError);
      assert.deepEqual(ended, before);
    }
    go.set();
  });

  // test_duplicate_futures
  testKind(kind, "asCompleted() yields a future that comes several times once", async () => {
    await using executor = make();
    const future = executor.submit(targets.mul, 2, 3);
    function* repeated() {
      for (let i = 0; i < 3; i++) yield future;
    }
    assert.deepEqual(await Array.fromAsync(asCompleted(repeated())), [future]);
  });
}

// --- Without an executor --------------------------------------------------------------------------------------------

// test_free_reference_yielded_future
Deno.test("asCompleted() keeps no future that it has yielded", async () => {
  const futures = new Set<Future<string>>();
  const add = (end: (future: Future<string>) => unknown) => {
    const future = new Future<string>();
    end(future);
    futures.add(future);
  };
  for (let i = 0; i < 8; i++) add(() => {});
  add((future) => future.cancel());
  add((future) => future.setResult("42"));
  const take = async (iterator: AsyncIterator<Future<string>>) => {
    const { done, value } = await iterator.next();
    if (done) return undefined;
    futures.delete(value);
    return new WeakRef(value);
  };
  const hasty = asCompleted(futures, { timeout: 0 });
  for (let i = 0; i < 2; i++) await allCollected([(await take(hasty))!]);
  await assert.rejects(take(hasty), TimeoutError);

  const endOne = () => {
    for (const future of futures) return future.setResult("test");
  };
  const rest = asCompleted(futures);
  for (let left = 8; left > 0; left--) {
    endOne();
    await allCollected([(await take(rest))!]);
  }
  assert.equal(await take(rest), undefined);
});

// test_correct_timeout_exception_msg
Deno.test("asCompleted() says how many futures are unfinished", async () => {
  const running = new Future<number>();
  running.setRunningOrNotifyCancel();
  const all = [notified, new Future<number>(), running, successful];
  await assert.rejects(Array.fromAsync(asCompleted(all, { timeout: 0 })), (error) => {
    assert.ok(error instanceof TimeoutError);
    assert.match(error.message, /^2 \(of 4\) futures unfinished/);
    return true;
  });
});

Deno.test("asCompleted() yields the futures themselves, to be awaited or not", async () => {
  const results: unknown[] = [];
  for await (const future of asCompleted([failed, successful, cancelled])) {
    assert.ok(future instanceof Future);
    results.push(await future.result().catch((error: Error) => error.constructor));
  }
  assert.deepEqual(results, [Error, 42, CancelledError]);
});

Deno.test("asCompleted(): after a timeout, a break or an abort it is at its end, and the futures go on", async () => {
  const future = new Future<number>();
  const timedOut = asCompleted([future], { timeout: 0 });
  await assert.rejects(timedOut.next(), TimeoutError);
  assert.deepEqual(await timedOut.next(), { done: true, value: undefined });

  const broken = asCompleted([successful, future]);
  for await (const _ of broken) break;
  assert.deepEqual(await broken.next(), { done: true, value: undefined });

  const stop = new AbortController();
  const aborted = asCompleted([future], { signal: stop.signal });
  const next = aborted.next();
  stop.abort("enough");
  await assert.rejects(next, (reason) => reason === "enough");
  assert.deepEqual(await aborted.next(), { done: true, value: undefined });

  const returned = asCompleted([future]);
  const pending = returned.next();
  await returned.return!();
  assert.deepEqual(await pending, { done: true, value: undefined });
  future.setResult(1);
  assert.equal(await future, 1);
});

Deno.test("asCompleted() serves several readers in their order", async () => {
  const futures = [new Future<number>(), new Future<number>()];
  const iterator = asCompleted(futures);
  const reads = [iterator.next(), iterator.next(), iterator.next()];
  futures[1]!.setResult(1);
  futures[0]!.setResult(0);
  const [first, second, third] = await Promise.all(reads);
  assert.equal(first!.value, futures[1]);
  assert.equal(second!.value, futures[0]);
  assert.equal(third!.done, true);
});

Deno.test("wait() for nothing returns at once", async () => {
  for (const returnWhen of [ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION]) {
    const { done, notDone } = await wait([], { returnWhen });
    assert.equal(done.size + notDone.size, 0);
  }
  assert.deepEqual(await Array.fromAsync(asCompleted([])), []);
});

Deno.test("wait(): an aborted signal ends the wait with its reason", async () => {
  const future = new Future<number>();
  const stop = new AbortController();
  const waited = wait([future], { signal: stop.signal });
  stop.abort("enough");
  await assert.rejects(waited, (reason) => reason === "enough");
  await assert.rejects(wait([future], { signal: stop.signal }), (reason) => reason === "enough");
  future.setResult(1);
});

Deno.test("wait() and asCompleted() refuse what they cannot wait for", async () => {
  await assert.rejects(wait([], { returnWhen: "SOON" as never }), ValueError);
  await assert.rejects(wait([], { timeout: -1 }), ValueError);
  await assert.rejects(wait([Promise.resolve(1)] as never), TypeError);
  assert.throws(() => asCompleted([42] as never), TypeError);
  assert.throws(() => asCompleted([], { timeout: NaN }), ValueError);
});
