/**
 * ThreadPoolExecutor: its threads. What it has in common with the executor of processes is in `executor_test.ts`.
 *
 * The names in the comments are those of CPython 3.13's `test_concurrent_futures`: `ThreadPoolExecutorTest`
 * (`test_thread_pool.py`) and `ThreadPoolShutdownTest` (`test_shutdown.py`).
 *
 * @module
 */
import { cpuCount, RuntimeError } from "@multiprocessing/deno";
import { BrokenThreadPool, ThreadPoolExecutor } from "@multiprocessing/deno/futures";
import { currentThread, enumerate, Event, Semaphore } from "@multiprocessing/deno/threading";
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";

const range = (length: number) => Array.from({ length }, (_, i) => i);

const threadsOf = (prefix: string) =>
  enumerate().map(({ name }) => name).filter((name) => name.startsWith(prefix));

async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) await setImmediate();
}

// test_map_submits_without_iteration
Deno.test("ThreadPoolExecutor.map() runs its calls whether anybody reads or not", async () => {
  const executor = new ThreadPoolExecutor(5);
  const finished: number[] = [];
  executor.map((n: number) => void finished.push(n), range(10));
  await executor.shutdown();
  assert.deepEqual(finished.sort(), range(10));
});

// test_default_workers
Deno.test("ThreadPoolExecutor has 4 threads more than there are processors, at most 32, when nothing is said", async () => {
  await using executor = new ThreadPoolExecutor({ threadNamePrefix: "default" });
  const go = new Event();
  const futures = range(50).map(() => executor.submit(() => go.wait()));
  await turns();
  const expected = Math.min(32, cpuCount() + 4);
  assert.equal(futures.filter((future) => future.running()).length, expected);
  assert.equal(threadsOf("default_").length, expected);
  go.set();
  await Promise.all(futures);
});

// test_saturation, test_threads_terminate
Deno.test("ThreadPoolExecutor starts as many threads as it may, and they end with it", async () => {
  const executor = new ThreadPoolExecutor({ maxWorkers: 4, threadNamePrefix: "saturation" });
  const semaphore = new Semaphore(0);
  for (let i = 0; i < 15 * 4; i++) executor.submit(() => semaphore.acquire());
  await turns();
  assert.equal(threadsOf("saturation_").length, 4);
  for (let i = 0; i < 15 * 4; i++) semaphore.release();
  await executor.shutdown();
  assert.deepEqual(threadsOf("saturation_"), []);
});

// test_idle_thread_reuse
Deno.test("ThreadPoolExecutor starts no second thread while the first one is free", async () => {
  await using executor = new ThreadPoolExecutor({ maxWorkers: 4, threadNamePrefix: "reuse" });
  const name = () => currentThread().name;
  for (let i = 0; i < 3; i++) assert.equal(await executor.submit(name), "reuse_0");
  assert.deepEqual(threadsOf("reuse_"), ["reuse_0"]);
});

// test_thread_names_assigned, test_thread_names_default
Deno.test("ThreadPoolExecutor names its threads", async () => {
  const names = async (executor: ThreadPoolExecutor) => {
    const go = new Event();
    const futures = range(3).map(() =>
      executor.submit(async () => {
        await go.wait();
        return currentThread().name;
      })
    );
    go.set();
    return (await Promise.all(futures)).sort();
  };
  await using special = new ThreadPoolExecutor({ maxWorkers: 3, threadNamePrefix: "SpecialPool" });
  assert.deepEqual(await names(special), ["SpecialPool_0", "SpecialPool_1", "SpecialPool_2"]);
  await using one = new ThreadPoolExecutor(3);
  await using other = new ThreadPoolExecutor(3);
  const [ones, others] = [await names(one), await names(other)];
  for (const name of [...ones, ...others]) assert.match(name, /^ThreadPoolExecutor-\d+_[0-2]$/);
  assert.notDeepEqual(ones, others, "each executor has a number");
});

Deno.test("ThreadPoolExecutor runs any function, in the memory of this process", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const seen: string[] = [];
  class Account {
    balance = 0;
    add(sum: number) {
      this.balance += sum;
      return this;
    }
  }
  const account = new Account();
  assert.equal(await executor.submit((name: string) => seen.push(name), "closure"), 1);
  assert.equal(await executor.submit(account.add.bind(account), 5), account);
  assert.equal(await executor.submit(Math.max, 1, 7, 3), 7);
  assert.deepEqual([seen, account.balance], [["closure"], 5]);
});

Deno.test("ThreadPoolExecutor gives an error back as it was thrown", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const error = new TypeError("mine");
  for (
    const call of [() => Promise.reject(error), (): never => {
      throw error;
    }]
  ) {
    assert.equal(await executor.submit(call).exception(), error);
  }
});

Deno.test("ThreadPoolExecutor whose initializer fails takes no more calls, and fails those that wait", async () => {
  const fate = new Event();
  const executor = new ThreadPoolExecutor({
    maxWorkers: 1,
    async initializer() {
      await fate.wait();
      throw new TypeError("not today");
    },
  });
  const futures = [executor.submit(() => 1), executor.submit(() => 2)];
  fate.set();
  for (const future of futures) {
    const error = await future.exception();
    assert.ok(error instanceof BrokenThreadPool);
    assert.ok(error instanceof RuntimeError);
    assert.match(error.message, /^A thread initializer failed, the thread pool is not usable anymore/);
  }
  assert.throws(() => executor.submit(() => 3), BrokenThreadPool);
  await executor.shutdown();
});

// In Python, too.
Deno.test("ThreadPoolExecutor: a call that waits for another one needs a thread for each", async () => {
  await using executor = new ThreadPoolExecutor(2);
  const outer = executor.submit(async () => 1 + await executor.submit(() => 1).result());
  assert.equal(await outer, 2);
});

Deno.test("ThreadPoolExecutor: a call can shut its executor down without waiting", async () => {
  const executor = new ThreadPoolExecutor(1);
  const futures = [executor.submit(() => executor.shutdown({ wait: false })), executor.submit(() => 1)];
  assert.deepEqual(await Promise.all(futures), [undefined, 1]);
  await executor.shutdown();
});
