/**
 * The sixteen situations of CPython's `ExecutorDeadlockTest` (3.13, `test_concurrent_futures/test_deadlock.py`), by name.
 * In each the calls settle within two seconds, and so does shutdown().
 *
 * Where Python injects accidents by `__reduce__`, we do by the `reduce` and `rebuild` of a registered class. Two
 * differences:
 * - An error that is met while something is taken apart or put together fails the one call. In Python some of them
 *   break the executor.
 * - `exit()` ends a process of ours at once. In Python it is an exception, which the future gets.
 *
 * @module
 */
import { type Context, PicklingError } from "@multiprocessing/deno";
import {
  BrokenProcessPool,
  type Future,
  mapOptions,
  ProcessPoolExecutor,
} from "@multiprocessing/deno/futures";
import assert from "node:assert/strict";
import * as targets from "../fixtures/executor_targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { within } from "../support/gates.ts";
import { allGone, canLook } from "../support/leftovers.ts";
import { Program } from "../support/program.ts";

/** How long after an accident everything that depended on it may take to settle. */
const SETTLED_MS = 2_000;

/** An executor with a worker that is up: how long a start takes is not what is tested. */
async function warm(mp: Context): Promise<ProcessPoolExecutor> {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2, mpContext: mp });
  assert.equal(await executor.submit(targets.same, 42), 42);
  return executor;
}

/** How an accident that ends a worker is told. */
const fates: Record<targets.Accident, RegExp> = {
  crash: /was ended by signal 9/,
  exit: /ended with exit code 1/,
  error: /./,
};

interface Situation {
  /** CPython's name for it. */
  name: string;
  accident: targets.Accident;
  submit(executor: ProcessPoolExecutor, accident: targets.Accident): Future<unknown>;
  /** The call that was running. */
  running: string;
  /** What the call fails with if the worker lives on. */
  failure?: { name: string; message: RegExp };
}

const decoding = (executor: ProcessPoolExecutor, accident: targets.Accident) =>
  executor.submit(targets.same, new targets.BadToRebuild(accident));
const executing = (executor: ProcessPoolExecutor, accident: targets.Accident) =>
  executor.submit(targets.suffer, accident);
const encoding = (executor: ProcessPoolExecutor, accident: targets.Accident) =>
  executor.submit(targets.giveBadToReduce, accident);

const situations: Situation[] = [
  {
    name: "error_at_task_pickle",
    accident: "error",
    submit: (executor) => executor.submit(targets.same, new targets.BadToReduce("error")),
    running: "same",
    failure: { name: "PicklingError", message: /^Cannot send args\[0\] to process .*an accident/ },
  },
  { name: "exit_at_task_unpickle", accident: "exit", submit: decoding, running: "same" },
  {
    name: "error_at_task_unpickle", // in Python it breaks the executor
    accident: "error",
    submit: decoding,
    running: "same",
    failure: { name: "RangeError", message: /cannot be rebuilt: RangeError: an accident/ },
  },
  { name: "crash_at_task_unpickle", accident: "crash", submit: decoding, running: "same" },
  { name: "crash_during_func_exec_on_worker", accident: "crash", submit: executing, running: "suffer" },
  { name: "exit_during_func_exec_on_worker", accident: "exit", submit: executing, running: "suffer" },
  {
    name: "error_during_func_exec_on_worker",
    accident: "error",
    submit: executing,
    running: "suffer",
    failure: { name: "RangeError", message: /^an accident$/ },
  },
  {
    name: "crash_during_result_pickle_on_worker",
    accident: "crash",
    submit: encoding,
    running: "giveBadToReduce",
  },
  {
    name: "exit_during_result_pickle_on_worker",
    accident: "exit",
    submit: encoding,
    running: "giveBadToReduce",
  },
  {
    name: "error_during_result_pickle_on_worker",
    accident: "error",
    submit: encoding,
    running: "giveBadToReduce",
    failure: { name: "PicklingError", message: /^Cannot send result to .*an accident/ },
  },
  {
    name: "error_during_result_unpickle_in_result_handler", // in Python it breaks the executor
    accident: "error",
    submit: (executor) => executor.submit(targets.giveBadToRebuild, "error"),
    running: "giveBadToRebuild",
    failure: { name: "RangeError", message: /cannot be rebuilt: RangeError: an accident/ },
  },
];

for (const mp of contexts()) {
  for (const { name, accident, submit, running, failure } of situations) {
    test(mp, `ExecutorDeadlockTest.test_${name}`, async () => {
      await using executor = await warm(mp);
      const future = submit(executor, accident);
      if (failure !== undefined) {
        await assert.rejects(within(SETTLED_MS, future, "the call"), failure);
        assert.equal(await executor.submit(targets.same, 43), 43, "only that call has failed");
      } else {
        await assert.rejects(within(SETTLED_MS, future, "the call"), (error) => {
          assert.ok(error instanceof BrokenProcessPool, String(error));
          assert.match(error.message, new RegExp(`^Cannot finish ${running}\\(\\): worker ".*Process-1" `));
          assert.match(error.message, fates[accident]);
          assert.match(error.message, new RegExp(`while running ${running}\\(\\)$`));
          return true;
        });
        assert.throws(() => executor.submit(targets.same, 43), BrokenProcessPool);
      }
      await within(SETTLED_MS, executor.shutdown(), "shutdown()");
    });
  }

  // The process that waits for the result ends while it puts it together: nobody is left to be told, and no worker.
  test(mp, "ExecutorDeadlockTest.test_exit_during_result_unpickle_in_result_handler", async () => {
    await using program = Program.deno("tests/fixtures/programs/executor_ends.ts", [mp.name, "exitOnResult"]);
    const [, pid] = await program.line(/^worker (\d+)$/);
    const { code, lines, stderr } = await within(SETTLED_MS, program.end(), "the program");
    assert.equal(stderr, "");
    assert.equal(lines.length, 1);
    assert.equal(code, 7);
    if (mp.name === "spawn" && canLook) assert.deepEqual(await allGone([Number(pid)], SETTLED_MS), []);
  });

  test(mp, "ExecutorDeadlockTest.test_shutdown_deadlock", async () => {
    const executor = await warm(mp);
    const go = new mp.Event();
    const future = executor.submit(targets.sufferAfter, go, "crash");
    const shutdown = executor.shutdown();
    go.set();
    await within(SETTLED_MS, shutdown, "shutdown()");
    await assert.rejects(future.result(), BrokenProcessPool);
  });

  test(mp, "ExecutorDeadlockTest.test_shutdown_deadlock_pickle", async () => {
    const executor = await warm(mp);
    const future = executor.submit(targets.same, new targets.BadToReduce("error"));
    await executor.shutdown({ wait: false });
    await assert.rejects(within(SETTLED_MS, future, "the call"), PicklingError);
    await within(SETTLED_MS, executor.shutdown(), "shutdown()");
  });

  // More than a pipe takes, and more than the ring of a line does.
  for (const length of [2 ** 18, 2 ** 22]) {
    test(mp, `ExecutorDeadlockTest.test_crash_big_data, ${length} bytes`, async () => {
      await using executor = await warm(mp);
      const data = targets.text(length);
      const results = executor.map(targets.sufferWith, Array(10).fill("crash"), Array(10).fill(data));
      await assert.rejects(within(SETTLED_MS, results.next(), "map()"), BrokenProcessPool);
      await within(SETTLED_MS, executor.shutdown(), "shutdown()");
    });
  }

  // There a pipe that wakes the manager thread ran full; here all calls are submitted before anybody can take one.
  test(mp, "ExecutorDeadlockTest.test_gh105829_should_not_deadlock_if_wakeup_pipe_full", async () => {
    await using executor = await warm(mp);
    // More than the lines to two workers hold.
    const texts = Array(3_000).fill(targets.text(1_024));
    const calls = Array.fromAsync(executor.map(targets.same, texts));
    assert.deepEqual(await within(SETTLED_MS, calls, "the calls"), texts);
    const numbers = Array.from({ length: 20_000 }, (_, i) => i);
    assert.deepEqual(await Array.fromAsync(executor.map(targets.same, numbers)), numbers);
    const chunks = executor.map(targets.same, numbers, mapOptions({ chunksize: 7 }));
    assert.deepEqual(await Array.fromAsync(chunks), numbers);
  });
}
