/**
 * Greenlet: spawning, waiting for, killing. What is expected is what gevent documents.
 *
 * @module
 */
import {
  Lock as SharedLock,
  PicklingError,
  Queue as SharedQueue,
  RuntimeError,
  ValueError,
} from "@multiprocessing/deno";
import {
  getcurrent,
  Greenlet,
  GreenletExit,
  interruptible,
  joinall,
  killall,
  sleep,
  spawn,
  spawnLater,
  Timeout,
} from "@multiprocessing/deno/gevent";
import { LifoQueue, Queue } from "@multiprocessing/deno/queue";
import {
  Barrier,
  Condition,
  currentThread,
  enumerate,
  Event,
  local,
  Lock,
  mainThread,
  RLock,
  Semaphore,
  Thread,
} from "@multiprocessing/deno/threading";
import assert from "node:assert/strict";
import { CLOCK_SLACK_MS, isPending, timed } from "../support/gates.ts";
import { Program } from "../support/program.ts";
import { rest } from "../threading/bunch.ts";

const FOR_EVER_MS = 3_600_000;

Deno.test("spawn() runs a function beside others, and keeps what it returns", async () => {
  const said: string[] = [];
  const greenlet = spawn(
    async (name: string, n: number) => {
      said.push("begins");
      await sleep();
      return `${name} ${n}`;
    },
    "egon",
    3,
  );
  assert.deepEqual([greenlet.started, greenlet.ready(), greenlet.dead, said], [true, false, false, []]);
  assert.deepEqual([greenlet.successful(), greenlet.value, greenlet.exception], [false, undefined, null]);
  assert.equal(await greenlet.get() satisfies string, "egon 3");
  assert.deepEqual([greenlet.started, greenlet.ready(), greenlet.dead], [false, true, true]);
  assert.deepEqual([greenlet.successful(), greenlet.value, greenlet.exception], [true, "egon 3", null]);
  assert.equal(await greenlet.get(), "egon 3");
  await greenlet.join();
  assert.throws(() => spawn(3 as never), TypeError);
});

Deno.test("Greenlet that was not started waits for that; a subclass has a run() of its own", async () => {
  class Square extends Greenlet<number> {
    constructor(readonly n: number) {
      super();
    }
    override run() {
      return this.n ** 2;
    }
  }
  const square = new Square(3);
  assert.deepEqual([square.started, square.ready()], [false, false]);
  for (const wait of [square.join(), square.get(), joinall([square])]) {
    await assert.rejects(
      wait,
      /RuntimeError: Cannot wait for greenlet "Greenlet-\d+": it has not been started/,
    );
  }
  square.start();
  square.start();
  assert.equal(await square.get(), 9);
  square.start();
  assert.match(`${square}`, /^<Square "Greenlet-\d+": Square>$/);
});

Deno.test("Greenlet.get() throws what it threw, which is printed as well", async () => {
  const { code, stderr, lines } = await Program.deno("tests/gevent/programs/failing.ts").end();
  assert.deepEqual([code, lines], [0, [
    "get: RangeError: no such page",
    "false undefined RangeError: no such page",
  ]]);
  assert.match(
    stderr,
    /^<Greenlet "Greenlet-0": fails> failed with RangeError\nRangeError: no such page\n {4}at fails /,
  );
  assert.match(
    stderr,
    /Exception in a function linked to <Greenlet "Greenlet-1": succeeds>:\nTypeError: in the link\n/,
  );
  assert.equal(stderr.match(/^\S+Error: /gm)?.length, 2);
});

Deno.test("Greenlet.get() and join() give up after their timeout, or when their signal says so", async () => {
  const sleeper = spawn(sleep, FOR_EVER_MS);
  const get = await timed(() => sleeper.get({ timeout: 30 }));
  assert.ok(get.error instanceof Timeout && get.ms >= 30 - CLOCK_SLACK_MS, `${get.ms} ms`);
  await assert.rejects(sleeper.get({ block: false }), Timeout);
  await sleeper.join({ timeout: 1 });
  await sleeper.join({ block: false });
  assert.equal(sleeper.ready(), false);
  await assert.rejects(sleeper.join({ timeout: -1 }), ValueError);
  const enough = new AbortController();
  const waiting = sleeper.get({ signal: enough.signal });
  enough.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
  await sleeper.kill();
});

Deno.test("Greenlet.join() of oneself is refused", async () => {
  const greenlet: Greenlet<unknown> = spawn(() => assert.rejects(greenlet.join(), RuntimeError));
  await greenlet.get();
});

Deno.test("Greenlet is a daemon thread of its own", async () => {
  const mine = new local<{ x: number }>();
  mine.x = 1;
  const lock = new RLock();
  await lock.acquire();
  const greenlet: Greenlet<unknown> = spawn(async () => {
    const me = currentThread();
    assert.deepEqual([me.name, me.daemon, mine.x], [greenlet.name, true, undefined]);
    assert.equal(await lock.acquire({ block: false }), false);
    assert.ok(enumerate().includes(me));
    assert.equal(getcurrent(), greenlet);
    await sleep();
    assert.equal(getcurrent(), greenlet);
    assert.equal(currentThread(), me);
  });
  await greenlet.get();
  assert.deepEqual(enumerate(), [mainThread()]);
});

// --- kill -----------------------------------------------------------------------------------------------------------

const held = async (lock: Lock | RLock | Semaphore) => {
  await lock.acquire();
  return lock;
};

/** Each wait that `kill` ends. */
const waits: Record<string, () => Promise<unknown>> = {
  "sleep()": () => sleep(FOR_EVER_MS),
  "Lock.acquire()": async () => (await held(new Lock())).acquire(),
  "Lock.guard()": async () => (await held(new Lock())).guard(),
  "RLock.acquire()": async () => {
    const lock = new RLock();
    const other = new Thread({ target: () => lock.acquire() });
    other.start();
    await other.join();
    await lock.acquire({ timeout: FOR_EVER_MS });
  },
  "Semaphore.acquire()": () => new Semaphore(0).acquire(),
  "Event.wait()": () => new Event().wait(),
  "Barrier.wait()": () => new Barrier(2).wait(),
  "Condition.wait()": async () => {
    const condition = new Condition();
    using _ = await condition.guard();
    await condition.wait(); // the guard releases what the wait has acquired again
  },
  "Queue.get()": () => new Queue().get(),
  "Queue.put()": async () => {
    const queue = new Queue<number>(1);
    await queue.put(1);
    await queue.put(2);
  },
  "Queue.join()": async () => {
    const queue = new LifoQueue<number>();
    await queue.put(1);
    await queue.join();
  },
  "Thread.join()": async () => {
    const thread = new Thread({ target: () => new Event().wait(), daemon: true });
    thread.start();
    await thread.join();
  },
  "Greenlet.get()": async () => {
    const sleeper = spawn(sleep, FOR_EVER_MS);
    await sleeper.get().finally(() => sleeper.kill());
  },
  "interruptible()": () =>
    interruptible((signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
    ),
  "interruptible(), whatever error that throws": () =>
    interruptible((signal) =>
      new SharedQueue().get({ signal, timeout: FOR_EVER_MS }).catch((cause) => {
        throw Object.assign(new Error("aborted", { cause }), { name: "AbortError" }); // as Node's waits do
      })
    ),
};

for (const [name, wait] of Object.entries(waits)) {
  Deno.test(`Greenlet.kill() ends a wait in ${name}`, async () => {
    const ends: unknown[] = [];
    const greenlet = spawn(async () => {
      try {
        await wait();
      } catch (error) {
        ends.push(error);
        await sleep(); // it is thrown once
        throw error;
      }
    });
    await isPending(greenlet.join());
    await greenlet.kill();
    assert.ok(ends[0] instanceof GreenletExit);
    assert.deepEqual([ends.length, greenlet.dead, greenlet.successful()], [1, true, true]);
    assert.equal(greenlet.value, ends[0]);
    assert.equal(await greenlet.get(), ends[0]);
  });
}

Deno.test("Greenlet.kill() before it has begun: it never does", async () => {
  const unstarted = new Greenlet(() => assert.fail());
  await unstarted.kill();
  unstarted.start();
  const started = spawn(() => assert.fail());
  await started.kill();
  const later = spawnLater(FOR_EVER_MS, () => assert.fail());
  await later.kill();
  for (const greenlet of [unstarted, started, later]) {
    assert.ok(greenlet.dead && greenlet.value as unknown instanceof GreenletExit);
  }
});

Deno.test("Greenlet.kill() of what awaits the runtime takes hold at the next wait of the library", async () => {
  const gate = Promise.withResolvers<void>();
  const said: string[] = [];
  const greenlet = spawn(async () => {
    await gate.promise;
    said.push("past the gate");
    await sleep();
    said.push("not reached");
  });
  await sleep();
  const killed = greenlet.kill();
  assert.equal(await isPending(killed), true);
  gate.resolve();
  await killed;
  assert.deepEqual([said, greenlet.value instanceof GreenletExit], [["past the gate"], true]);
});

Deno.test("Greenlet.kill() is caught like any error, and then the greenlet goes on", async () => {
  const stubborn = spawn(async () => {
    await assert.rejects(sleep(FOR_EVER_MS), RangeError);
    await sleep(1);
    return "went on";
  });
  await sleep();
  await stubborn.kill(RangeError, { block: false });
  assert.equal(stubborn.ready(), false);
  assert.equal(await stubborn.get(), "went on");
  await stubborn.kill(); // in vain
  assert.equal(stubborn.value, "went on");
});

Deno.test("Greenlet.kill() twice throws twice", async () => {
  const ends: string[] = [];
  const greenlet = spawn(async () => {
    for (let i = 0; i < 2; i++) await sleep(FOR_EVER_MS).catch((error) => ends.push(error.message));
  });
  await sleep();
  void greenlet.kill(new RangeError("first"));
  await greenlet.kill(new RangeError("second"));
  assert.deepEqual(ends, ["first", "second"]);
});

Deno.test("Greenlet.kill() of oneself throws at once", async () => {
  const greenlet: Greenlet<unknown> = spawn(async () => {
    await greenlet.kill();
    assert.fail();
  });
  await greenlet.join();
  assert.ok(greenlet.value instanceof GreenletExit);
});

Deno.test("Greenlet.kill({ timeout }) gives up waiting", async () => {
  const gate = Promise.withResolvers<void>();
  const greenlet = spawn(() => gate.promise);
  await sleep();
  await greenlet.kill(undefined, { timeout: 10 });
  assert.equal(greenlet.ready(), false);
  gate.resolve();
  await greenlet.join();
});

Deno.test("a killed greenlet loses no item and holds no lock", async () => {
  const [queue, lock] = [new Queue<number>(), new Lock()];
  await lock.acquire();
  const greenlets = [spawn(() => queue.get()), spawn(() => lock.acquire())];
  await sleep();
  await killall(greenlets);
  await queue.put(1);
  lock.release();
  assert.deepEqual([await queue.getNowait(), lock.locked()], [1, false]);
  const taker = spawn(() => queue.get());
  await sleep();
  void queue.put(2);
  await taker.kill(); // in the turn in which it was served
  assert.equal(taker.value, 2);
});

Deno.test("what multiprocessing waits for is not ended by kill, but by a signal", async () => {
  const lock = new SharedLock();
  await lock.acquire();
  const greenlet = spawn(() => interruptible((signal) => lock.acquire({ signal })));
  await sleep();
  await greenlet.kill();
  assert.ok(greenlet.value instanceof GreenletExit);
});

// --- many -----------------------------------------------------------------------------------------------------------

Deno.test("joinall() gives those that have ended, in the order they did", async () => {
  const gates = [1, 2, 3].map(() => new Event());
  const greenlets = gates.map((gate, i) => spawn(async () => (await gate.wait(), i)));
  const all = joinall(greenlets);
  const two = joinall(greenlets, { count: 2 });
  for (const i of [2, 0]) {
    await rest();
    assert.equal(await isPending(two), true);
    gates[i]!.set();
  }
  assert.deepEqual((await two).map(({ value }) => value), [2, 0]);
  assert.deepEqual((await joinall(greenlets, { timeout: 10 })).length, 2);
  assert.equal(await isPending(all), true);
  gates[1]!.set();
  assert.deepEqual((await all).map(({ value }) => value), [2, 0, 1]);
  assert.equal((await joinall(greenlets, { timeout: 0 })).length, 3);
  assert.deepEqual(await joinall([]), []);
});

Deno.test("joinall({ raiseError }) throws the first error there is", async () => {
  const { code, lines } = await Program.deno("tests/gevent/programs/joined.ts").end();
  assert.deepEqual([code, lines], [0, ["2 ended", "Empty: its own", "Empty: its own"]]);
});

Deno.test("killall() kills all, and waits for them unless told otherwise", async () => {
  const make =
    () => [spawn(sleep, FOR_EVER_MS), spawnLater(FOR_EVER_MS, sleep), new Greenlet(() => assert.fail())];
  const all = make();
  await sleep();
  await killall(all);
  assert.ok(all.every(({ dead, value }) => dead && value instanceof GreenletExit));
  const running = spawn(sleep, FOR_EVER_MS);
  await sleep();
  await killall([running], undefined, { block: false });
  await running.join();
});

Deno.test("spawnLater() begins after a while", async () => {
  const { ms, value } = await timed(() => spawnLater(30, () => "now").get());
  assert.equal(value, "now");
  assert.ok(ms >= 30 - CLOCK_SLACK_MS, `${ms} ms`);
  assert.throws(() => spawnLater(-1, () => {}), ValueError);
  const early = spawnLater(FOR_EVER_MS, () => "started before");
  early.start();
  assert.equal(await early.get(), "started before");
});

Deno.test("Greenlet.link() calls back when it has ended, also when it had before", async () => {
  const calls: string[] = [];
  const note = (what: string) => (greenlet: Greenlet) => void calls.push(`${what} ${greenlet.value}`);
  const greenlet = spawn(() => "done");
  const unlinked = note("unlinked");
  greenlet.link(note("link"));
  greenlet.linkValue(note("value"));
  greenlet.linkException(note("exception"));
  greenlet.link(unlinked);
  greenlet.unlink(unlinked);
  await greenlet.join();
  await sleep();
  greenlet.link(note("late"));
  assert.equal(calls.length, 2); // soon, not at once
  await sleep();
  assert.deepEqual(calls, ["link done", "value done", "late done"]);
});

Deno.test("sleep() lasts as long as it says, and lets others run", async () => {
  const { ms } = await timed(() => sleep(30));
  assert.ok(ms >= 30 - CLOCK_SLACK_MS, `${ms} ms`);
  await assert.rejects(sleep(-1), ValueError);
  let turns = 0;
  const other = spawn(async () => {
    for (;;) {
      turns++;
      await sleep();
    }
  });
  while (turns < 3) await sleep();
  await other.kill();
});

Deno.test("Greenlet does not travel to another process", async () => {
  using queue = new SharedQueue<unknown>();
  await assert.rejects(queue.put(new Greenlet(() => {})), PicklingError);
});
