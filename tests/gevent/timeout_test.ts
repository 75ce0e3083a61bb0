/**
 * Timeout. What is expected is what gevent documents.
 *
 * @module
 */
import { RuntimeError, ValueError } from "@multiprocessing/deno";
import { interruptible, sleep, spawn, Timeout, withTimeout } from "@multiprocessing/deno/gevent";
import { Queue } from "@multiprocessing/deno/queue";
import { Condition, Event, Lock } from "@multiprocessing/deno/threading";
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { CLOCK_SLACK_MS, timed } from "../support/gates.ts";
import { inThread } from "../threading/bunch.ts";

const FOR_EVER_MS = 3_600_000;

Deno.test("Timeout as `using` begins there, and is over at the end of the block", async () => {
  const { ms, error } = await timed(async () => {
    using _ = new Timeout(30);
    await sleep(FOR_EVER_MS);
  });
  assert.ok(error instanceof Timeout && ms >= 30 - CLOCK_SLACK_MS, `${ms} ms`);
  assert.deepEqual([error.name, error.ms], ["Timeout", 30]);
  {
    using timeout = new Timeout(1);
    assert.equal(timeout.pending, true);
  }
  await sleep(10); // it comes to nothing
});

Deno.test("Timeout.start() and cancel(): it is thrown, and one can tell which", async () => {
  const [inner, outer] = [new Timeout(10), new Timeout(FOR_EVER_MS)];
  assert.equal(inner.pending, false);
  outer.start();
  inner.start();
  assert.throws(() => inner.start(), RuntimeError);
  await assert.rejects(sleep(FOR_EVER_MS), (error) => error === inner);
  assert.equal(inner.pending, false);
  await sleep(1); // thrown once
  inner.start();
  await assert.rejects(new Queue().get(), (error) => error === inner);
  inner.cancel();
  outer.close();
  outer.cancel();
  assert.throws(() => new Timeout(-1), ValueError);
});

Deno.test("Timeout throws another error when it is told to", async () => {
  const mine = new RangeError("mine");
  for (
    const [given, expected] of [[mine, (error: unknown) => error === mine], [RangeError, RangeError]] as const
  ) {
    const late = async () => {
      using _ = Timeout.startNew(1, given);
      await sleep(FOR_EVER_MS);
    };
    await assert.rejects(late(), expected);
  }
});

Deno.test("Timeout that ran out while nobody waited is thrown at the next wait, unless it was cancelled", async () => {
  const timeout = Timeout.startNew(1);
  await delay(10); // by a timer of the runtime, which no Timeout reaches
  assert.equal(timeout.pending, false);
  await assert.rejects(sleep(0), (error) => error === timeout);
  await sleep(0);
  timeout.start();
  await delay(10);
  timeout.cancel();
  await sleep(0);
});

Deno.test("Timeouts that ran out together are thrown one after another", async () => {
  const [a, b, c] = [Timeout.startNew(1), Timeout.startNew(1), Timeout.startNew(1)];
  await delay(10);
  b!.cancel();
  for (const timeout of [a, c]) await assert.rejects(sleep(0), (error) => error === timeout);
  await sleep(0);
});

Deno.test("Timeout of nothing never runs out", async () => {
  for (const ms of [null, undefined, 2 ** 40]) {
    using timeout = new Timeout(ms);
    assert.equal(timeout.pending, false);
    await sleep(1);
  }
});

Deno.test("Timeout.startNew() takes a timeout as well", () => {
  using timeout = Timeout.startNew(FOR_EVER_MS);
  assert.equal(Timeout.startNew(timeout), timeout);
  timeout.cancel();
  assert.equal(Timeout.startNew(timeout).pending, true);
});

Deno.test("Timeout is thrown into the greenlet or thread that started it, and no other", async () => {
  const ends: string[] = [];
  const leave = new Event();
  const body = (who: string, ms: number) => async () => {
    using _ = new Timeout(ms);
    await leave.wait().then(() => ends.push(`${who} left`), (error) => ends.push(`${who}: ${error.name}`));
  };
  const greenlets = [spawn(body("a", 1)), spawn(body("b", FOR_EVER_MS))];
  await inThread(body("thread", 1));
  await greenlets[0]!.join();
  leave.set();
  await greenlets[1]!.join();
  assert.deepEqual(ends.sort(), ["a: Timeout", "b left", "thread: Timeout"]);
});

Deno.test("Timeout leaves what was waited for in order", async () => {
  const [lock, queue, condition] = [new Lock(), new Queue<number>(1), new Condition()];
  await lock.acquire();
  await queue.put(1);
  for (const wait of [() => lock.acquire(), () => queue.put(2)]) {
    using timeout = new Timeout(1);
    await assert.rejects(wait(), (error) => error === timeout);
  }
  lock.release();
  assert.equal(lock.locked(), false);
  assert.deepEqual([await queue.get(), queue.qsize()], [1, 0]);
  const late = async () => {
    using _guard = await condition.guard();
    using _ = new Timeout(1);
    await condition.wait();
  };
  await assert.rejects(late(), Timeout);
  assert.equal(await inThread(() => condition.acquire({ block: false })), true);
});

Deno.test("withTimeout() gives up also on what awaits the runtime", async () => {
  assert.equal(await withTimeout(FOR_EVER_MS, (a: number, b: number) => a + b, 1, 2), 3);
  await assert.rejects(withTimeout(FOR_EVER_MS, () => Promise.reject(new RangeError("its own"))), RangeError);
  await assert.rejects(
    withTimeout(FOR_EVER_MS, () => {
      throw new RangeError("its own");
    }),
    RangeError,
  );
  const gate = Promise.withResolvers<void>();
  const { ms, error } = await timed(() => withTimeout(30, () => gate.promise));
  assert.ok(error instanceof Timeout && ms >= 30 - CLOCK_SLACK_MS, `${ms} ms`);
  gate.reject(new RangeError("nobody waits for this any more"));
  const cleaned: string[] = [];
  const cooperative = async () => {
    try {
      await sleep(FOR_EVER_MS);
    } finally {
      cleaned.push("up");
    }
  };
  await assert.rejects(withTimeout(1, cooperative), Timeout);
  assert.deepEqual(cleaned, ["up"]);
  await sleep(0);
});

Deno.test("interruptible() gives its signal to what awaits the runtime", async () => {
  const late = async () => {
    using _ = new Timeout(1);
    await interruptible((signal) => delay(FOR_EVER_MS, undefined, { signal }));
  };
  await assert.rejects(late(), Timeout);
  const nothingElse = async () => {
    using _ = new Timeout(1);
    await interruptible((signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
    );
  };
  await assert.rejects(nothingElse(), Timeout); // the program stays up for it
  assert.equal(await interruptible(() => Promise.resolve("not needed")), "not needed");
  await assert.rejects(interruptible(() => Promise.reject(new RangeError("its own"))), RangeError);
});
