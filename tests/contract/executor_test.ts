/**
 * What every executor does: that of processes, by each start method, and that of threads.
 *
 * The names in the comments are those of CPython 3.13's `test_concurrent_futures`: `ExecutorTest` (`executor.py`),
 * `InitializerMixin` and `FailingInitializerMixin` (`test_init.py`), `ExecutorShutdownTest` (`test_shutdown.py`).
 *
 * @module
 */
import { RuntimeError, ValueError } from "@multiprocessing/deno";
import {
  BrokenProcessPool,
  BrokenThreadPool,
  CancelledError,
  mapOptions,
  ProcessPoolExecutor,
  ThreadPoolExecutor,
} from "@multiprocessing/deno/futures";
import assert from "node:assert/strict";
import * as targets from "../fixtures/executor_targets.ts";
import { kinds, testKind } from "../support/executors.ts";
import { allCollected } from "../support/garbage.ts";
import { isPending } from "../support/gates.ts";

const range = (length: number) => Array.from({ length }, (_, i) => i);

for (const kind of kinds()) {
  const { mp, make } = kind;
  const Broken = kind.name === "thread" ? BrokenThreadPool : BrokenProcessPool;

  // --- ExecutorTest -------------------------------------------------------------------------------------------------

  // test_submit
  testKind(kind, "Executor.submit() gives the future of what the function returns", async () => {
    await using executor = make();
    const future = executor.submit(targets.pow, 2, 8);
    assert.equal(await future.result(), 256);
    assert.equal(await future.exception(), null);
    assert.equal(await executor.submit(targets.mulLater, 2, 8), 16, "an async function is awaited");
  });

  // test_submit_keyword: an object takes the place of keywords.
  testKind(kind, "Executor.submit() hands every argument on as it is", async () => {
    await using executor = make();
    const given = [1, { self: 2, fn: 3 }, undefined, null, [new Map([["k", new Date(0)]])], 7n];
    assert.deepEqual(await executor.submit(targets.capture, ...given), given);
    assert.deepEqual(await executor.submit(targets.capture), []);
    for (const nothing of [undefined, null, "pow", { pow: targets.pow }]) {
      assert.throws(() => executor.submit(nothing as never), TypeError);
    }
  });

  // test_map
  testKind(kind, "Executor.map() gives the results in order", async () => {
    await using executor = make();
    const squares = range(10).map((n) => n ** n);
    assert.deepEqual(await Array.fromAsync(executor.map(targets.pow, range(10), range(10))), squares);
    for (const chunksize of [3, 10, 50]) {
      const results = executor.map(targets.pow, range(10), range(10), mapOptions({ chunksize }));
      assert.deepEqual(await Array.fromAsync(results), squares);
    }
  });

  // test_map_exception
  testKind(kind, "Executor.map() throws an error in the place of the result, and ends", async () => {
    await using executor = make();
    const results = executor.map(targets.divmod, [1, 1, 1, 1], [2, 3, 0, 5]);
    assert.deepEqual(await results.next(), { done: false, value: [0, 1] });
    assert.deepEqual(await results.next(), { done: false, value: [0, 1] });
    await assert.rejects(results.next(), { name: "RangeError", message: /modulo by zero/ });
    assert.deepEqual(await results.next(), { done: true, value: undefined });
  });

  // test_map_timeout
  testKind(kind, "Executor.map() with a timeout gives what is there in time, and then throws", async () => {
    await using executor = make({ maxWorkers: 3 });
    const [open, shut] = [new mp.Event(), new mp.Event()];
    open.set();
    await executor.submit(targets.waitFor, open); // the workers' start is not what is timed
    const results: unknown[] = [];
    await assert.rejects(async () => {
      const gates = [open, open, shut];
      for await (
        const result of executor.map(
          targets.waitFor,
          gates,
          gates.map(() => undefined),
          mapOptions({ timeout: 1_000 }),
        )
      ) {
        results.push(result);
      }
    }, { name: "TimeoutError" });
    assert.deepEqual(results, [undefined, undefined]);
    shut.set();
  });

  // test_shutdown_race_issue12456
  testKind(kind, "Executor.shutdown() runs what map() has submitted", async () => {
    const executor = make({ maxWorkers: 5 });
    const results = executor.map(targets.same, Array(6).fill(2));
    await executor.shutdown();
    assert.deepEqual(await Array.fromAsync(results), Array(6).fill(2));
  });

  // test_max_workers_negative
  testKind(kind, "Executor refuses a number of workers below 1", () => {
    for (const maxWorkers of [0, -1, 1.5, NaN]) {
      assert.throws(() => make({ maxWorkers }), (error) => {
        assert.ok(error instanceof ValueError);
        assert.match(error.message, /max_workers must be greater than 0/);
        return true;
      });
    }
  });

  // test_no_stale_references
  testKind(kind, "Executor keeps no argument and no result of a call whose future nobody keeps", async () => {
    await using executor = make({ maxWorkers: 1 });
    const refs: WeakRef<object>[] = [];
    await (async () => {
      const given = { an: "argument" };
      const got = await executor.submit(targets.same, given);
      refs.push(new WeakRef(given), new WeakRef(got));
    })();
    await allCollected(refs);
    await executor.submit(targets.pow, 2, 2);
  });

  // test_free_reference
  testKind(kind, "Executor.map() keeps no result that it has given", async () => {
    await using executor = make();
    const results = executor.map(targets.makeObject, range(10));
    const take = async () => {
      const { done, value } = await results.next();
      return done ? undefined : new WeakRef(value);
    };
    let count = 0;
    for (let ref; (ref = await take()) !== undefined; count++) await allCollected([ref]);
    assert.equal(count, 10);
  });

  testKind(kind, "Executor runs no more calls at a time than it has workers", async () => {
    await using executor = make({ maxWorkers: 2 });
    const go = new mp.Event();
    using said = new mp.Queue<string>();
    const futures = range(5).map(() => executor.submit(targets.waitFor, go, said));
    await said.get();
    await said.get();
    assert.ok(await isPending(said.get({ timeout: 10_000 })), "a third one has begun");
    assert.deepEqual(futures.map((future) => future.running()), [true, true, false, false, false]);
    go.set();
    for (let i = 0; i < 2; i++) await said.get();
    for (const future of futures) assert.equal(await future.result(), undefined);
  });

  testKind(kind, "Future.cancel() cancels a call that waits, and not one that runs", async () => {
    await using executor = make({ maxWorkers: 1 });
    const go = new mp.Event();
    using said = new mp.Queue<string>();
    const running = executor.submit(targets.waitFor, go, said);
    const [first, second] = [executor.submit(targets.pow, 2, 2), executor.submit(targets.pow, 2, 3)];
    await said.get();
    assert.equal(running.cancel(), false);
    assert.equal(first.cancel(), true);
    assert.equal(first.cancel(), true);
    assert.equal(first.cancelled(), true);
    await assert.rejects(first.result(), CancelledError);
    go.set();
    assert.equal(await running.result(), undefined);
    assert.equal(await second.result(), 8);
    assert.equal(second.cancel(), false);
  });

  testKind(
    kind,
    "Future of an executor: settled by hand, it stays so, and the executor goes on",
    async () => {
      await using executor = make({ maxWorkers: 1 });
      const go = new mp.Event();
      using said = new mp.Queue<string>();
      const [running, waiting, begun] = [1, 2, 3].map(() => executor.submit(targets.waitFor, go, said));
      await said.get();
      running!.setResult(undefined);
      waiting!.setException(new Error("mine"));
      begun!.setRunningOrNotifyCancel();
      go.set();
      await assert.rejects(waiting!.result(), /mine/);
      assert.equal(await begun!.result(), undefined);
      assert.equal(await executor.submit(targets.pow, 2, 4), 16);
    },
  );

  // --- Initializers -------------------------------------------------------------------------------------------------

  // InitializerMixin.test_initializer
  for (const initializer of [targets.init, targets.initLater]) {
    testKind(kind, `Executor calls ${initializer.name}() in each worker first`, async () => {
      await using executor = make({ maxWorkers: 2, initializer, initargs: ["initialized"] });
      const futures = range(4).map(() => executor.submit(targets.getInitStatus));
      for (const future of futures) assert.equal(await future.result(), "initialized");
    });
  }

  // FailingInitializerMixin.test_initializer. What Python logs is the cause of the error.
  testKind(kind, "Executor whose initializer fails is broken, and says why", async () => {
    using calls = new mp.Queue<number>();
    await using executor = make({ maxWorkers: 2, initializer: targets.initFail, initargs: [calls] });
    const futures = [executor.submit(targets.getInitStatus), executor.submit(targets.getInitStatus)];
    for (const future of futures) {
      await assert.rejects(future.result(), (error) => {
        assert.ok(error instanceof Broken);
        assert.ok(error.cause instanceof TypeError);
        assert.equal(error.cause.message, "error in initializer");
        return true;
      });
    }
    assert.throws(() => executor.submit(targets.getInitStatus), Broken);
    assert.throws(() => executor.map(targets.same, [1]), Broken);
    await executor.shutdown();
    assert.ok(calls.qsize() <= 2, `it was called ${calls.qsize()} times`);
  });

  // --- ExecutorShutdownTest -----------------------------------------------------------------------------------------

  // test_run_after_shutdown
  testKind(kind, "Executor.submit() and map() are refused after shutdown()", async () => {
    const executor = make();
    await executor.shutdown();
    const message = "cannot schedule new futures after shutdown";
    assert.throws(
      () => executor.submit(targets.pow, 2, 5),
      (error) => error instanceof RuntimeError && error.message === message,
    );
    assert.throws(() => executor.map(targets.same, [1]), { name: "RuntimeError", message });
  });

  // test_hang_issue12364
  testKind(kind, "Executor.shutdown() waits for every call", async () => {
    const executor = make({ maxWorkers: 5 });
    const futures = range(50).map(() => executor.submit(targets.busyFor, 2));
    await executor.shutdown();
    assert.ok(futures.every((future) => future.done()));
    for (const future of futures) assert.equal(await future.result(), undefined);
  });

  // test_cancel_futures
  testKind(
    kind,
    "Executor.shutdown({ cancelFutures: true }) cancels what waits, and waits for what runs",
    async () => {
      const executor = make({ maxWorkers: 2 });
      const go = new mp.Event();
      using said = new mp.Queue<string>();
      const running = range(2).map(() => executor.submit(targets.waitFor, go, said));
      const waiting = range(48).map(() => executor.submit(targets.pow, 2, 2));
      await said.get();
      await said.get();
      const shutdown = executor.shutdown({ cancelFutures: true });
      assert.ok(waiting.every((future) => future.cancelled()));
      assert.ok(await isPending(shutdown));
      go.set();
      await shutdown;
      for (const future of running) assert.equal(await future.exception(), null);
    },
  );

  // test_hang_gh94440
  testKind(kind, "Executor.shutdown() does not wait for a call that was cancelled right before", async () => {
    const executor = make({ maxWorkers: 1 });
    await executor.submit(targets.pow, 2, 2);
    executor.submit(targets.pow, 2, 2).cancel();
    await executor.shutdown();
  });

  // ThreadPoolShutdownTest and ProcessPoolShutdownTest: test_shutdown_no_wait
  testKind(kind, "Executor.shutdown({ wait: false }) returns at once, and all calls are run", async () => {
    const executor = make({ maxWorkers: 2 });
    const go = new mp.Event();
    const futures = range(5).map((n) => executor.submit(targets.giveAfter, n, go));
    await executor.shutdown({ wait: false });
    assert.ok(futures.every((future) => !future.done()));
    assert.throws(() => executor.submit(targets.pow, 2, 2), RuntimeError);
    go.set();
    assert.deepEqual(await Promise.all(futures), range(5));
    await executor.shutdown(); // it can be waited for all the same
  });

  // test_context_manager_shutdown
  testKind(kind, "Executor is shut down by `await using`", async () => {
    let results: AsyncIterable<number>;
    let executor: ReturnType<typeof make>;
    {
      await using scoped = executor = make({ maxWorkers: 5 });
      results = scoped.map(targets.mul, range(10), range(10));
    }
    assert.throws(() => executor.submit(targets.pow, 2, 2), RuntimeError);
    assert.deepEqual(await Array.fromAsync(results), range(10).map((n) => n * n));
  });

  testKind(kind, "Executor.shutdown() twice, at once and after another, is one", async () => {
    const executor = make({ maxWorkers: 1 });
    const future = executor.submit(targets.pow, 2, 2);
    await Promise.all([executor.shutdown(), executor.shutdown(), executor[Symbol.asyncDispose]()]);
    assert.equal(await future, 4);
    await executor.shutdown({ cancelFutures: true });
  });

  testKind(kind, "Executor that was never used shuts down", async () => {
    await make().shutdown();
    await make().shutdown({ wait: false, cancelFutures: true });
  });
}

Deno.test("Executor options of the wrong kind are refused where they are given", () => {
  for (const Executor of [ProcessPoolExecutor, ThreadPoolExecutor]) {
    assert.throws(() => new Executor({ initializer: "init" as never }), TypeError);
    assert.throws(() => new Executor("3" as never), ValueError);
  }
  assert.throws(() => new ProcessPoolExecutor({ mpContext: "fork" as never }), ValueError);
  assert.throws(() => new ProcessPoolExecutor({ maxTasksPerChild: 0 }), ValueError);
  assert.throws(() => new ProcessPoolExecutor({ maxMemoryMb: -1 }), ValueError);
  assert.throws(() => new ProcessPoolExecutor({ minWorkers: -1 }), ValueError);
  assert.throws(() => new ProcessPoolExecutor({ idleTimeout: -1 }), ValueError);
  assert.throws(
    () => new ProcessPoolExecutor({ mpContext: "worker", permissions: { net: false } }),
    ValueError,
  );
});
