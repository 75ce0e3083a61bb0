/**
 * ProcessPoolExecutor: its workers, how they die, and what comes back from them.
 *
 * The names in the comments are those of CPython 3.13's `test_concurrent_futures`: `ProcessPoolExecutorTest`
 * (`test_process_pool.py`) and `ProcessPoolShutdownTest` (`test_shutdown.py`); those of `test_force_shutdown_workers_*`
 * are of 3.14.
 *
 * @module
 */
import {
  activeChildren,
  PicklingError,
  type Process,
  RemoteTraceback,
  RuntimeError,
} from "@multiprocessing/deno";
import {
  asCompleted,
  BrokenProcessPool,
  CancelledError,
  mapOptions,
  ProcessPoolExecutor,
  wait,
} from "@multiprocessing/deno/futures";
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import * as targets from "../fixtures/executor_targets.ts";
import { remembered, remembers } from "../fixtures/pool_targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { isPending, within } from "../support/gates.ts";
import { allGone, canLook } from "../support/leftovers.ts";

/** How long after a death everything that depended on the dead may take to settle. */
const DEATH_MS = 2_000;

const range = (length: number) => Array.from({ length }, (_, i) => i);

/** The one child there is. */
function onlyChild(): Process {
  const [child, ...others] = activeChildren();
  assert.deepEqual(others, []);
  return child!;
}

async function broken(promise: PromiseLike<unknown>): Promise<BrokenProcessPool & Record<string, unknown>> {
  try {
    await within(DEATH_MS, promise, "the call");
  } catch (error) {
    assert.ok(error instanceof BrokenProcessPool, Deno.inspect(error));
    return error as BrokenProcessPool & Record<string, unknown>;
  }
  throw new Error("the call has given a result");
}

interface Way {
  name: string;
  kill(child: Process): void;
  exitcode: number;
  methods?: readonly string[];
}

const ways: Way[] = [
  { name: "terminate()", kill: (child) => child.terminate(), exitcode: -15 },
  { name: "kill()", kill: (child) => child.kill(), exitcode: -9 },
  // A worker has no process id of the operating system that a signal could be sent to.
  {
    name: "SIGKILL from outside",
    kill: (child) => Deno.kill(child.pid!, "SIGKILL"),
    exitcode: -9,
    methods: ["spawn"],
  },
];

for (const mp of contexts()) {
  const make = (maxWorkers: number, options = {}) =>
    new ProcessPoolExecutor({ ...options, maxWorkers, mpContext: mp });

  // --- Workers ------------------------------------------------------------------------------------------------------

  // test_saturation
  test(mp, "ProcessPoolExecutor starts as many workers as it may when there is work for them", async () => {
    await using executor = make(3);
    const lock = new mp.Semaphore(0);
    using said = new mp.Queue<string>();
    const futures = range(15).map(() => executor.submit(targets.acquireLock, lock, said));
    for (let i = 0; i < 3; i++) await said.get();
    assert.equal(executor.stats().size, 3);
    assert.equal(activeChildren().length, 3);
    for (let i = 0; i < 15; i++) lock.release();
    await Promise.all(futures);
    assert.equal(executor.stats().size, 3);
  });

  // test_idle_process_reuse_one
  test(mp, "ProcessPoolExecutor starts no second worker while the first one is free", async () => {
    await using executor = make(4);
    assert.equal(executor.stats().size, 0, "none is started ahead of need");
    const workers = new Set<string>();
    for (let i = 0; i < 5; i++) workers.add(String(await executor.submit(targets.whoAmI)));
    assert.equal(workers.size, 1);
    assert.equal(executor.stats().size, 1);
  });

  // test_idle_process_reuse_multiple
  test(mp, "ProcessPoolExecutor uses the workers there are", async () => {
    await using executor = make(5);
    await executor.submit(targets.mul, 12, 7);
    for (let i = 0; i < 3; i++) {
      executor.submit(targets.mul, 33, 25);
      await executor.submit(targets.mul, 25, 26);
    }
    assert.ok(executor.stats().size <= 3, `${executor.stats().size} workers`);
  });

  test(mp, "ProcessPoolExecutor runs calls in other processes, whose names it gives", async () => {
    await using executor = make(1);
    const [name, pid] = await executor.submit(targets.whoAmI);
    assert.match(name, mp.name === "spawn" ? /^SpawnProcess-1$/ : /^WorkerProcess-1$/);
    assert.equal(onlyChild().name, name);
    assert.equal(onlyChild().pid, pid);
    assert.notEqual(pid, Deno.pid);
  });

  // test_max_tasks_per_child
  test(mp, "ProcessPoolExecutor({ maxTasksPerChild }) replaces a worker after so many calls", async () => {
    await using executor = make(1, { maxTasksPerChild: 3 });
    const pids: number[] = [];
    for (let i = 0; i < 7; i++) pids.push((await executor.submit(targets.whoAmI))[1]);
    assert.deepEqual(pids.map((pid) => pids.indexOf(pid)), [0, 0, 0, 3, 3, 3, 6]);
    assert.equal(executor.stats().size, 1);
  });

  // test_max_tasks_early_shutdown
  test(mp, "ProcessPoolExecutor({ maxTasksPerChild }) runs all calls after shutdown()", async () => {
    const executor = make(3, { maxTasksPerChild: 1 });
    const futures = range(6).map((n) => executor.submit(targets.mul, n, n));
    await executor.shutdown();
    assert.deepEqual(await Promise.all(futures), range(6).map((n) => n * n));
  });

  test(mp, "ProcessPoolExecutor({ minWorkers, idleTimeout }) lets idle workers go", async () => {
    await using executor = make(3, { minWorkers: 1, idleTimeout: 0 });
    const go = new mp.Event();
    using said = new mp.Queue<string>();
    const futures = range(3).map(() => executor.submit(targets.waitFor, go, said));
    for (let i = 0; i < 3; i++) await said.get();
    const left = activeChildren();
    go.set();
    await Promise.all(futures);
    await within(
      20_000,
      Promise.any([0, 1, 2].map((one) => Promise.all(left.toSpliced(one, 1).map(gone)))),
      "the end of two workers",
    );
    assert.deepEqual(await executor.submit(targets.same, 1), 1);
    assert.equal(activeChildren().length, 1);
  });

  // test_processes_terminate, test_context_manager_shutdown
  test(mp, "ProcessPoolExecutor.shutdown() ends when every worker has", async () => {
    const executor = make(3);
    const pids = await Promise.all(range(3).map(() => executor.submit(targets.whoAmI)));
    const children = activeChildren();
    assert.ok(children.length >= 1);
    await executor.shutdown();
    for (const child of children) assert.equal(child.exitcode, 0);
    if (mp.name === "spawn" && canLook) assert.deepEqual(await allGone(pids.map(([, pid]) => pid), 0), []);
  });

  // test_ressources_gced_in_workers
  test(mp, "ProcessPoolExecutor's workers keep no argument and no result", async () => {
    await using executor = new ProcessPoolExecutor({ maxWorkers: 1, mpContext: mp });
    assert.deepEqual(await executor.submit(remembers, { n: 1 }), { n: 1 });
    const chunks = executor.map(remembers, [{ n: 2 }, { n: 3 }, { n: 4 }], mapOptions({ chunksize: 2 }));
    assert.equal((await Array.fromAsync(chunks)).length, 3);
    // A worker has what it returned last in its hands until it gets the next call.
    await executor.submit(targets.pow, 2, 2);
    assert.deepEqual(await executor.submit(remembered), [4, 0]);
  });

  // --- Deaths -------------------------------------------------------------------------------------------------------

  for (const { name, kill, exitcode, methods } of ways) {
    if (methods && !methods.includes(mp.name)) continue;

    // test_killed_child
    test(mp, `ProcessPoolExecutor is broken by ${name} of a worker that is at work`, async () => {
      await using executor = make(1);
      const go = new mp.Event();
      using said = new mp.Queue<string>();
      const running = executor.submit(targets.waitFor, go, said);
      const waiting = executor.submit(targets.pow, 2, 8);
      await said.get();
      const child = onlyChild();
      kill(child);
      const error = await broken(running);
      const worker = child.name;
      const facts = { worker, pid: child.pid, exitcode, running: "waitFor" };
      assert.deepEqual({ ...error }, facts);
      const how = `worker "${worker}" was ended by signal ${-exitcode} while running waitFor()`;
      assert.equal(error.message, `Cannot finish 2 calls: ${how}`);
      assert.equal(await broken(waiting), error, "whoever waits has the same reason");
      assert.throws(() => executor.submit(targets.pow, 2, 8), (again) => {
        assert.ok(again instanceof BrokenProcessPool);
        assert.match(
          again.message,
          /^A child process terminated abruptly, the process pool is not usable anymore/,
        );
        assert.ok(again.message.endsWith(how));
        assert.deepEqual({ ...again, cause: undefined }, { ...facts, cause: undefined });
        assert.equal(again.cause, error);
        return true;
      });
      assert.throws(() => executor.map(targets.same, [1]), BrokenProcessPool);
      await within(DEATH_MS, executor.shutdown(), "shutdown()");
    });

    test(mp, `ProcessPoolExecutor is broken by ${name} of a worker that spins`, async () => {
      await using executor = make(1);
      using said = new mp.Queue<string>();
      const future = executor.submit(targets.spin, said);
      await said.get();
      kill(onlyChild());
      assert.equal((await broken(future)).exitcode, exitcode);
    });

    test(mp, `ProcessPoolExecutor is broken by ${name} of an idle worker`, async () => {
      await using executor = make(2);
      await executor.submit(targets.pow, 2, 8);
      const child = onlyChild();
      kill(child);
      await within(DEATH_MS, gone(child), "the end of the worker");
      assert.throws(() => executor.submit(targets.pow, 2, 8), (error) => {
        assert.ok(error instanceof BrokenProcessPool);
        const how = `worker "${child.name}" was ended by signal ${-exitcode} with nothing to do`;
        assert.match(error.message, new RegExp(`: ${how}$`));
        assert.deepEqual({ ...error }, { worker: child.name, pid: child.pid, exitcode, running: undefined });
        return true;
      });
      await within(DEATH_MS, executor.shutdown(), "shutdown()");
    });

    test(mp, `ProcessPoolExecutor: ${name} of one of several workers fails the calls of all`, async () => {
      await using executor = make(3);
      const go = new mp.Event();
      using said = new mp.Queue<string>();
      const futures = range(6).map(() => executor.submit(targets.waitFor, go, said));
      for (let i = 0; i < 3; i++) await said.get();
      const all = wait(futures);
      const iterated = Array.fromAsync(asCompleted(futures));
      kill(activeChildren()[1]!);
      for (const future of futures) {
        assert.match((await broken(future)).message, /^Cannot finish 6 calls: worker/);
      }
      assert.equal((await all).done.size, 6);
      assert.equal((await iterated).length, 6);
      await within(DEATH_MS, executor.shutdown(), "shutdown()");
      assert.deepEqual(activeChildren(), []);
    });

    // The result is more than a line takes, so that it is in several pieces on its way.
    test(
      mp,
      `ProcessPoolExecutor: a call settles whenever in its course ${name} hits its worker`,
      async () => {
        for (const ms of [0, 1, 2, 4, 8]) {
          await using executor = make(1);
          await executor.submit(targets.same, 1);
          const future = executor.submit(targets.text, 2 ** 22);
          await delay(ms); // some moment or other
          kill(onlyChild());
          const outcome = await within(DEATH_MS, future.exception(), "the call");
          assert.ok(outcome === null || outcome instanceof BrokenProcessPool);
          await within(DEATH_MS, executor.shutdown(), "shutdown()");
        }
      },
    );
  }

  test(mp, "ProcessPoolExecutor is broken by a call that ends its process", async () => {
    for (
      const [accident, how] of [["exit", "ended with exit code 1"], [
        "crash",
        "was ended by signal 9",
      ]] as const
    ) {
      await using executor = make(1);
      const error = await broken(executor.submit(targets.suffer, accident));
      assert.match(
        error.message,
        new RegExp(`^Cannot finish suffer\\(\\): worker ".*-1" ${how} while running suffer\\(\\)$`),
      );
    }
  });

  test(
    mp,
    "ProcessPoolExecutor is broken by an error that nobody catches in a worker, after the call",
    async () => {
      await using executor = make(1);
      await executor.submit(targets.pow, 2, 8);
      const child = onlyChild();
      await executor.submit(targets.throwLater);
      await gone(child);
      assert.throws(() => executor.submit(targets.pow, 2, 8), /ended with exit code 1 with nothing to do$/);
    },
  );

  test(mp, "ProcessPoolExecutor is broken by an initializer that ends its process", async () => {
    await using executor = make(1, { initializer: targets.initExit, initargs: [3] });
    const error = await broken(executor.submit(targets.pow, 2, 8));
    assert.match(error.message, /^Cannot start a worker of .*: .*ended with exit code 3$/);
  });

  test(mp, "ProcessPoolExecutor({ maxMemoryMb }) ends a worker that needs more", async () => {
    await using executor = make(1, { maxMemoryMb: 64 });
    await executor.submit(targets.same, 1);
    const future = executor.submit(targets.hoard);
    await assert.rejects(within(20_000, future, "the call"), BrokenProcessPool);
  });

  // --- terminateWorkers, killWorkers --------------------------------------------------------------------------------

  for (const [method, exitcode] of [["terminateWorkers", -15], ["killWorkers", -9]] as const) {
    // test_force_shutdown_workers, test_force_shutdown_workers_stops_pool
    test(
      mp,
      `ProcessPoolExecutor.${method}() ends what runs, even if it spins, and cancels the rest`,
      async () => {
        await using executor = make(1);
        using said = new mp.Queue<string>();
        const running = executor.submit(targets.spin, said);
        const waiting = range(3).map(() => executor.submit(targets.pow, 2, 8));
        await said.get();
        const child = onlyChild();
        const all = wait([running, ...waiting]);
        const iterated = Array.fromAsync(
          asCompleted<typeof running | typeof waiting[0]>([running, ...waiting]),
        );
        executor[method]();
        assert.match((await broken(running)).message, new RegExp(`${method}\\(\\) was called$`));
        for (const future of waiting) await assert.rejects(future.result(), CancelledError);
        assert.equal((await all).done.size, 4);
        assert.equal((await iterated).length, 4);
        assert.throws(() => executor.submit(targets.pow, 2, 8), {
          name: "RuntimeError",
          message: "cannot schedule new futures after shutdown",
        });
        await within(DEATH_MS, executor.shutdown(), "shutdown()");
        assert.equal(child.exitcode, exitcode);
        executor[method]();
      },
    );

    // test_force_shutdown_workers_not_started_yet, _dead_workers
    test(mp, `ProcessPoolExecutor.${method}() of one without workers shuts it down`, async () => {
      const unused = make(1);
      unused[method]();
      assert.throws(() => unused.submit(targets.pow, 2, 8), RuntimeError);
      await unused.shutdown();

      const starting = make(1);
      const future = starting.submit(targets.pow, 2, 8);
      starting[method]();
      await assert.rejects(within(DEATH_MS, future, "the call"), CancelledError);
      await starting.shutdown();

      const dead = make(1);
      await broken(dead.submit(targets.suffer, "exit"));
      dead[method]();
      assert.throws(() => dead.submit(targets.pow, 2, 8), BrokenProcessPool);
      await dead.shutdown();
    });

    test(mp, `ProcessPoolExecutor.${method}() ends a shutdown() that waits`, async () => {
      const executor = make(2);
      using said = new mp.Queue<string>();
      const futures = range(2).map(() => executor.submit(targets.spin, said));
      await said.get();
      await said.get();
      const shutdown = executor.shutdown();
      assert.ok(await isPending(shutdown));
      executor[method]();
      await within(DEATH_MS, shutdown, "shutdown()");
      for (const future of futures) await broken(future);
    });
  }

  // --- What comes back ----------------------------------------------------------------------------------------------

  // test_traceback
  test(
    mp,
    "ProcessPoolExecutor brings an error back with its class, its causes and its stack over there",
    async () => {
      await using executor = make(1);
      const error = await executor.submit(targets.reserve, "7b").exception();
      assert.ok(error instanceof targets.SeatTaken);
      assert.ok(error instanceof RangeError);
      assert.equal(error.message, "seat 7b is taken");
      assert.equal(error.seat, "7b");
      const traceback = error.cause as Error;
      assert.ok(traceback instanceof RemoteTraceback);
      assert.match(traceback.message, /seat 7b is taken\n\s+at reserve \(.*executor_targets\.ts:\d+:\d+\)/);
      const car = traceback.cause as Error;
      assert.ok(car instanceof TypeError);
      assert.equal(car.message, "no such car");
      assert.equal((car.cause as Error).message, "the train is full");
      assert.match(
        Deno.inspect(error),
        /executor_targets\.ts:\d+/,
        "where it is printed one sees where it happened",
      );
    },
  );

  test(mp, "ProcessPoolExecutor brings an error back with its own properties", async () => {
    await using executor = make(1);
    const error = await executor.submit(targets.throwWithProperties).exception();
    assert.ok(error instanceof RangeError);
    assert.deepEqual({ ...error, cause: undefined }, {
      code: "E_FAR",
      details: { km: 42 },
      cause: undefined,
    });
  });

  test(mp, "ProcessPoolExecutor brings back what is thrown and is no error", async () => {
    await using executor = make(1);
    for (const thrown of ["text", 42, { why: "because" }, ["a"]]) {
      await assert.rejects(executor.submit(targets.throwThis, thrown).result(), (error) => {
        assert.deepEqual(error, thrown);
        return true;
      });
    }
    await assert.rejects(executor.submit(targets.throwThis, undefined).result(), { name: "Error" });
  });

  test(
    mp,
    "ProcessPoolExecutor: what cannot travel fails its call, named by its path, and no other",
    async () => {
      await using executor = make(1);
      const callback = () => 1;
      await assert.rejects(executor.submit(targets.same, { callback }).result(), (error) => {
        assert.ok(error instanceof PicklingError);
        assert.match(
          error.message,
          /^Cannot send args\[0\]\.callback to process ".*Process-1": it is a function/,
        );
        return true;
      });
      await assert.rejects(executor.submit(targets.giveFunction).result(), (error) => {
        assert.ok(error instanceof PicklingError);
        assert.match(error.message, /^Cannot send result\.callback to /);
        return true;
      });
      // What of an error cannot travel is told as text, for the error is more important.
      await assert.rejects(executor.submit(targets.throwWithFunction).result(), {
        name: "RangeError",
        message: "with a function",
        callback: "()=>1",
      });
      assert.equal(await executor.submit(targets.same, 1), 1);
    },
  );

  test(
    mp,
    "ProcessPoolExecutor: a function that no module exports fails its call, and no other",
    async () => {
      await using executor = make(1);
      await assert.rejects(executor.submit(() => 1).result(), PicklingError);
      await assert.rejects(executor.submit(function hidden() {}).result(), /Cannot run function hidden/);
      assert.throws(() => executor.submit(Math.max, 1, 2), PicklingError);
      assert.equal(await executor.submit(targets.same, 1), 1);
    },
  );

  test(mp, "ProcessPoolExecutor carries large arguments and results, and live handles", async () => {
    await using executor = make(2);
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    const large = range(20).map(() => bytes.slice());
    assert.deepEqual(await executor.submit(targets.same, large), large);
    assert.equal((await executor.submit(targets.text, 2 ** 22)).length, 2 ** 22);
    using queue = new mp.Queue<string>();
    await executor.submit(targets.note, "hello", queue);
    assert.equal(await queue.get(), "hello");
  });

  // --- Lines --------------------------------------------------------------------------------------------------------

  // Calls that are as short as these stand on a line in front of their worker, from which cancel() takes them back.
  test(mp, "ProcessPoolExecutor never mixes results up, however calls are cancelled", async () => {
    await using executor = make(2);
    for (let i = 0; i < 200; i++) await executor.submit(targets.same, i);
    let cancelled = 0;
    for (let round = 0; round < 300; round++) {
      const futures = range(8).map((n) => executor.submit(targets.same, n));
      for (let turn = 0; turn < round % 7; turn++) await null;
      for (const at of [7, round % 8, 3]) futures[at]!.cancel();
      for (const [n, future] of futures.entries()) {
        if (future.cancelled()) cancelled++;
        else assert.equal(await future.result(), n);
      }
    }
    assert.ok(cancelled > 0);
  });

  // --- stats --------------------------------------------------------------------------------------------------------

  test(mp, "ProcessPoolExecutor.stats() counts workers and calls", async () => {
    await using executor = make(2);
    const none = { p50: 0, p90: 0, p99: 0, max: 0 };
    const nothing = { size: 0, busy: 0, queued: 0, done: 0, failed: 0, waitMs: none, runMs: none };
    assert.deepEqual(executor.stats(), nothing);
    const go = new mp.Event();
    using said = new mp.Queue<string>();
    const futures = range(5).map(() => executor.submit(targets.waitFor, go, said));
    await said.get();
    await said.get();
    const { size, busy, queued, done, failed } = executor.stats();
    assert.deepEqual({ size, busy, queued, done, failed }, {
      size: 2,
      busy: 2,
      queued: 3,
      done: 0,
      failed: 0,
    });
    futures[4]!.cancel();
    go.set();
    await wait(futures);
    await executor.submit(targets.suffer, "error").exception();
    await executor.submit(targets.busyFor, 5);
    const stats = executor.stats();
    assert.equal(stats.done, 5);
    assert.equal(stats.failed, 2);
    assert.equal(stats.queued, 0);
    assert.ok(stats.runMs.max >= 5);
    for (const { p50, p90, p99, max } of [stats.runMs, stats.waitMs]) {
      assert.ok(0 <= p50 && p50 <= p90 && p90 <= p99 && p99 <= max);
    }
  });

  // --- Executors in executors ---------------------------------------------------------------------------------------

  for (const inner of contexts()) {
    test(
      mp,
      `ProcessPoolExecutor in a call of another, which starts workers by "${inner.name}"`,
      async () => {
        await using executor = make(2);
        const futures = range(2).map(() => executor.submit(targets.squaresInside, inner.name, range(5)));
        for (const future of futures) assert.deepEqual(await future.result(), [0, 1, 4, 9, 16]);
      },
    );
  }

  test(mp, "ProcessPoolExecutor in a call of another, in a call of another", async () => {
    await using executor = make(1);
    assert.equal(await executor.submit(targets.depth, mp.name, 2), 2);
  });

  // In Python, too, a process ends after the calls that its executors have under way, and after its children.
  for (const inner of contexts()) {
    test(
      mp,
      `ProcessPoolExecutor.shutdown() waits for calls under way in its workers, by "${inner.name}"`,
      async () => {
        const executor = make(1);
        const go = new mp.Event();
        using said = new mp.Queue<string>();
        await executor.submit(targets.leaveCalls, inner.name, go, said);
        assert.equal(await said.get(), "begun");
        const shutdown = executor.shutdown();
        // A worker that were not waited for would be ended by force in the meantime.
        assert.equal(
          await Promise.race([shutdown.then(() => "ended"), delay(1_000).then(() => "waits")]),
          "waits",
        );
        go.set();
        await shutdown;
        assert.deepEqual([await said.get(), await said.get(), await said.get()], ["ended", "begun", "ended"]);
      },
    );
  }

  test(mp, "ProcessPoolExecutor.shutdown() waits for the children of its workers", async () => {
    const executor = make(1);
    const go = new mp.Event();
    using said = new mp.Queue<string>();
    await executor.submit(targets.leaveChild, mp.name, go, said);
    assert.equal(await said.get(), "begun");
    const shutdown = executor.shutdown();
    assert.equal(
      await Promise.race([shutdown.then(() => "ended"), delay(1_000).then(() => "waits")]),
      "waits",
    );
    go.set();
    await shutdown;
    assert.equal(await said.get(), "ended");
  });
}

async function gone(child: Process): Promise<void> {
  await child.sentinel;
}
