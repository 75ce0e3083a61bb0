/**
 * Thread, who it is, its end and its errors. The names in comments are those of CPython's `test_threading.py`.
 *
 * @module
 */
import { AssertionError, PicklingError, Queue, RuntimeError, ValueError } from "@multiprocessing/deno";
import {
  activeCount,
  BoundedSemaphore,
  currentThread,
  enumerate,
  Event,
  excepthook,
  type ExceptHookArgs,
  getIdent,
  getNativeId,
  mainThread,
  RLock,
  setExcepthook,
  Thread,
  Timer,
} from "@multiprocessing/deno/threading";
import assert from "node:assert/strict";
import { CLOCK_SLACK_MS, timed } from "../support/gates.ts";
import { Bunch, inThread, rest } from "./bunch.ts";

/** Waits a little by the runtime's own timers. */
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function run(thread: Thread): Promise<void> {
  thread.start();
  await thread.join();
}

// --- ThreadTests ----------------------------------------------------------------------------------------------------

// test_name
Deno.test("Thread.name is what it is told, or Thread-N with the name of the target", () => {
  const func = () => {};
  assert.equal(new Thread({ name: "myname1" }).name, "myname1");
  assert.equal(new Thread({ target: func, name: "myname2" }).name, "myname2");
  const first = Number(/^Thread-(\d+)$/.exec(new Thread({ name: "" }).name)![1]);
  assert.equal(new Thread().name, `Thread-${first + 1}`);
  assert.equal(new Thread({ target: func }).name, `Thread-${first + 2} (func)`);
  assert.equal(new Thread({ target: (() => () => {})() }).name, `Thread-${first + 3}`);
  const thread = new Thread();
  thread.name = "renamed";
  assert.equal(thread.name, "renamed");
});

// test_args_argument
Deno.test("Thread calls its target with args, and kwargs as last argument", async () => {
  const calls: unknown[][] = [];
  const target = (...args: unknown[]) => void calls.push(args);
  await run(new Thread({ target }));
  await run(new Thread({ target, args: [1, "str"] }));
  await run(new Thread({ target, args: [[1]], kwargs: { politely: true } }));
  assert.deepEqual(calls, [[], [1, "str"], [[1], { politely: true }]]);
  assert.throws(() => new Thread({ target: 3 as never }), TypeError);
  assert.throws(() => new Thread({ target, args: "str" as never }), TypeError);
  assert.throws(() => new Thread({ group: {} as never }), AssertionError);
  await run(new Thread()); // does nothing, as in Python
});

// test_various_ops
Deno.test("Threads do their work, never more at a time than a semaphore lets in", async () => {
  const [seats, mutex, threeInside] = [new BoundedSemaphore(3), new RLock(), new Event()];
  let inside = 0;
  let most = 0;
  class Task extends Thread {
    override async run() {
      using _seat = await seats.guard();
      await mutex.acquire();
      most = Math.max(most, ++inside);
      mutex.release();
      if (inside === 3) threeInside.set();
      await threeInside.wait();
      await pause(Math.random());
      using _ = await mutex.guard();
      inside--;
    }
  }
  const threads = Array.from({ length: 10 }, (_, i) => new Task({ name: `<thread ${i}>` }));
  for (const thread of threads) {
    assert.equal(thread.ident, undefined);
    assert.match(`${thread}`, /^<Task\(<thread \d>, initial\)>$/);
    thread.start();
    assert.match(`${thread}`, /^<Task\(<thread \d>, started \d+\)>$/);
  }
  for (const thread of threads) {
    await thread.join();
    assert.equal(thread.isAlive(), false);
    assert.match(`${thread}`, /^<Task\(<thread \d>, stopped \d+\)>$/);
  }
  assert.equal(new Set(threads.map(({ ident }) => ident)).size, 10);
  assert.deepEqual([inside, most], [0, 3]);
});

// test_enumerate_after_join, test_leak_without_join
Deno.test("enumerate() and activeCount() hold who has started and not ended", async () => {
  assert.deepEqual([enumerate(), activeCount()], [[mainThread()], 1]);
  const leave = new Event();
  const [staying, going] = [new Thread({ target: () => leave.wait() }), new Thread({ target: () => {} })];
  staying.start();
  going.start();
  assert.deepEqual([enumerate(), activeCount()], [[mainThread(), staying, going], 3]);
  await going.join();
  assert.deepEqual(enumerate(), [mainThread(), staying]);
  leave.set();
  await rest(); // nobody joins it
  assert.deepEqual(enumerate(), [mainThread()]);
});

// test_repr_daemon, test_daemon_param
Deno.test("Thread.daemon is what it is told, or as with its creator", async () => {
  assert.deepEqual([new Thread().daemon, new Thread({ daemon: false }).daemon], [false, false]);
  const daemon = new Thread({
    target: () => void inherited.push(new Thread().daemon, new Thread({ daemon: false }).daemon),
    daemon: true,
  });
  const inherited: boolean[] = [];
  assert.match(`${daemon}`, /initial daemon/);
  await run(daemon);
  assert.deepEqual([daemon.daemon, inherited], [true, [true, false]]);
  const thread = new Thread();
  thread.daemon = true;
  assert.match(`${thread}`, /initial daemon/);
});

// test_main_thread
Deno.test("mainThread() is whoever no Thread has begun", async () => {
  const main = mainThread();
  assert.deepEqual([main.name, main.ident, main.isAlive(), main.daemon], ["MainThread", 1, true, false]);
  assert.deepEqual([currentThread(), getIdent(), getNativeId()], [main, main.ident, main.nativeId]);
  await inThread(() => assert.notEqual(mainThread().ident, currentThread().ident));
});

Deno.test("currentThread() follows a thread wherever it goes", async () => {
  const seen: Thread[] = [];
  const look = () => void seen.push(currentThread());
  const emitter = new EventTarget();
  emitter.addEventListener("ring", look);
  const thread = new Thread({
    async target() {
      look();
      await pause(1);
      look();
      await Promise.all([pause(1).then(look), (async () => (await null, look()))()]);
      await new Promise<void>((resolve) => queueMicrotask(() => (look(), resolve())));
      await new Promise<void>((resolve) => setTimeout(() => (look(), resolve()), 1));
      for await (
        const _ of (async function* () {
          yield look();
        })()
      );
      emitter.dispatchEvent(new CustomEvent("ring")); // whoever rings, not whoever listens
      await new Event().wait({ timeout: 1 });
      look();
    },
  });
  await run(thread);
  assert.deepEqual(seen, Array(9).fill(thread));
  const other = new Thread({ target: () => run(new Thread({ target: look, name: "inner" })) });
  await run(other);
  assert.equal(seen.at(-1)!.name, "inner");
  assert.equal(currentThread(), mainThread());
});

Deno.test("Thread.start() lets its starter go on first, and others whenever a thread awaits", async () => {
  const said: string[] = [];
  const speak = async (who: string) => {
    said.push(`${who} begins`);
    await null;
    said.push(`${who} ends`);
  };
  const threads = ["a", "b"].map((who) => new Thread({ target: speak, args: [who] }));
  for (const thread of threads) thread.start();
  said.push("both started");
  for (const thread of threads) await thread.join();
  assert.deepEqual(said, ["both started", "a begins", "b begins", "a ends", "b ends"]);
});

Deno.test("Thread.join() gives up after its timeout, or when its signal says so", async () => {
  const leave = new Event();
  const thread = new Thread({ target: () => leave.wait() });
  thread.start();
  const { ms } = await timed(() => thread.join({ timeout: 50 }));
  assert.ok(ms >= 50 - CLOCK_SLACK_MS, `${ms} ms`);
  assert.equal(thread.isAlive(), true);
  await thread.join({ block: false });
  await assert.rejects(thread.join({ timeout: -1 }), ValueError);
  await assert.rejects(thread.join({ signal: AbortSignal.abort(new Error("enough")) }), /enough/);
  const joined = new Bunch(3, () => thread.join());
  await joined.settled();
  leave.set();
  await joined.end();
  await thread.join(); // any number of times
});

Deno.test("Thread does not travel to another process", async () => {
  using queue = new Queue<unknown>();
  await assert.rejects(queue.put(new Thread()), PicklingError);
});

// --- ThreadingExceptionTests ----------------------------------------------------------------------------------------

// test_start_thread_again
Deno.test("Thread.start() is for once", async () => {
  const thread = new Thread();
  const refused = { name: "RuntimeError", message: "threads can only be started once" };
  thread.start();
  assert.throws(() => thread.start(), refused);
  await thread.join();
  assert.throws(() => thread.start(), refused);
});

// test_joining_current_thread
Deno.test("Thread.join() of oneself is refused, and of the main thread", async () => {
  const refused = { name: "RuntimeError", message: "cannot join current thread" };
  await inThread(() => assert.rejects(currentThread().join(), refused));
  await assert.rejects(mainThread().join(), refused);
  await inThread(() => assert.rejects(mainThread().join(), RuntimeError));
});

// test_joining_inactive_thread
Deno.test("Thread.join() before start() is refused", async () => {
  await assert.rejects(new Thread().join(), {
    name: "RuntimeError",
    message: /^cannot join thread before it is/,
  });
});

// test_daemonize_active_thread
Deno.test("Thread.daemon is settled at the start", async () => {
  const thread = new Thread();
  thread.start();
  assert.throws(() => thread.daemon = true, {
    name: "RuntimeError",
    message: "cannot set daemon status of active thread",
  });
  await thread.join();
  assert.throws(() => thread.daemon = true, RuntimeError);
});

// --- ExceptHookTests ------------------------------------------------------------------------------------------------

// test_custom_excepthook, test_original_excepthook
Deno.test("setExcepthook() is called with what a thread throws, and the thread has ended", async () => {
  const seen: ExceptHookArgs[] = [];
  const before = setExcepthook((args) => seen.push(args));
  try {
    assert.equal(before, excepthook);
    const error = new RangeError("run failed");
    const threads = [
      new Thread({
        target() {
          throw error;
        },
      }),
      new Thread({ target: () => Promise.reject("no error at all") }),
    ];
    for (const thread of threads) {
      await run(thread);
      assert.equal(thread.isAlive(), false);
    }
    assert.deepEqual(seen, [
      { excType: RangeError, excValue: error, excTraceback: error.stack, thread: threads[0]! },
      { excType: String, excValue: "no error at all", excTraceback: undefined, thread: threads[1]! },
    ]);
  } finally {
    setExcepthook();
  }
  assert.equal(setExcepthook(), excepthook);
});

// --- TimerTests -----------------------------------------------------------------------------------------------------

// test_init_immutable_default_args, and what the documentation says
Deno.test("Timer calls its function after the interval, with its arguments", async () => {
  const calls: unknown[][] = [];
  const spy = (...args: unknown[]) => void calls.push(args);
  const timer = new Timer(30, spy, ["a", 1], { b: 2 });
  const { ms } = await timed(() => run(timer));
  assert.ok(ms >= 30 - CLOCK_SLACK_MS, `${ms} ms`);
  await run(new Timer(0, spy));
  assert.deepEqual(calls, [["a", 1, { b: 2 }], []]);
  assert.match(timer.name, /^Thread-\d+$/);
  assert.throws(() => new Timer(-1, spy), ValueError);
  assert.throws(() => new Timer(1, "spy" as never), TypeError);
});

Deno.test("Timer.cancel() ends the wait at once, and is in vain afterwards", async () => {
  const calls: string[] = [];
  const cancelled = new Timer(3_600_000, () => calls.push("cancelled"));
  cancelled.start();
  await pause(1);
  cancelled.cancel();
  await cancelled.join();
  const early = new Timer(3_600_000, () => calls.push("cancelled before the start"));
  early.cancel();
  await run(early);
  const late = new Timer(1, () => calls.push("called"));
  await run(late);
  late.cancel();
  assert.deepEqual(calls, ["called"]);
});
