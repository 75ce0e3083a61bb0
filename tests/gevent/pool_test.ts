/**
 * pool.Pool. What is expected is what gevent documents.
 *
 * @module
 */
import { ValueError } from "@multiprocessing/deno";
import { type Greenlet, GreenletExit, pool, sleep, spawn, Timeout } from "@multiprocessing/deno/gevent";
import { Event } from "@multiprocessing/deno/threading";
import assert from "node:assert/strict";
import { isPending } from "../support/gates.ts";
import { Program } from "../support/program.ts";
import { rest } from "../threading/bunch.ts";

const FOR_EVER_MS = 3_600_000;
const { Pool } = pool;

Deno.test("Pool.spawn() waits while the pool is full", async () => {
  const two = new Pool(2);
  assert.deepEqual([two.size, two.length, two.freeCount(), two.full()], [2, 0, 2, false]);
  const gate = new Event();
  const greenlets = [await two.spawn(() => gate.wait()), await two.spawn(sleep, FOR_EVER_MS)];
  assert.deepEqual([two.length, two.freeCount(), two.full()], [2, 0, true]);
  assert.deepEqual([...two], greenlets as Greenlet[]);
  const third = two.spawn((what: string) => what, "third");
  const available = two.waitAvailable();
  assert.equal(await isPending(Promise.race([third, available])), true);
  assert.equal(await two.waitAvailable({ timeout: 1 }), 0);
  gate.set();
  assert.equal(await (await third).get(), "third");
  assert.equal(await available, 1);
  await two.kill();
  assert.deepEqual([two.length, two.freeCount()], [0, 2]);
});

Deno.test("Pool without a size is never full", async () => {
  for (const all of [new Pool(), new Pool(null)]) {
    const greenlets = [];
    for (let i = 0; i < 100; i++) greenlets.push(await all.spawn(sleep, FOR_EVER_MS));
    assert.deepEqual([all.size, all.full(), all.freeCount(), all.length], [undefined, false, Infinity, 100]);
    assert.equal(await all.waitAvailable(), Infinity);
    await all.kill();
    assert.ok(greenlets.every(({ value }) => value as unknown instanceof GreenletExit));
  }
  assert.throws(() => new Pool(-1), ValueError);
  assert.throws(() => new Pool(1.5), ValueError);
});

Deno.test("Pool.join() waits until the pool is empty", async () => {
  const two = new Pool(2);
  assert.equal(await two.join(), true);
  const gate = new Event();
  await two.spawn(() => gate.wait());
  const joined = two.join();
  assert.equal(await two.join({ timeout: 10 }), false);
  assert.equal(await isPending(joined), true);
  gate.set();
  assert.equal(await joined, true);
  assert.equal(two.length, 0);
});

Deno.test("Pool.join() knows what was spawned before it, awaited or not", async () => {
  const two = new Pool(2);
  const done: number[] = [];
  for (let n = 0; n < 5; n++) {
    void two.spawn(async () => {
      await sleep();
      done.push(n);
    });
  }
  assert.equal(two.length, 2);
  await two.join();
  assert.deepEqual(done, [0, 1, 2, 3, 4]);
  assert.deepEqual([two.length, two.freeCount()], [0, 2]);
});

Deno.test("Pool.apply() gives what a function returns, also from within the pool", async () => {
  const one = new Pool(1);
  assert.equal(await one.apply((a: number, b: number) => a + b, [1, 2]), 3);
  // With a greenlet of its own the inner call would wait for the place of the outer one.
  assert.equal(await one.apply(() => one.apply(() => "inner")), "inner");
});

Deno.test("Pool.map() gives the results in the order of the items, so many calls at a time", async () => {
  const three = new Pool(3);
  let [inside, most] = [0, 0];
  const visit = async (n: number) => {
    most = Math.max(most, ++inside);
    await sleep(n % 3);
    inside--;
    return n * n;
  };
  const items = Array.from({ length: 20 }, (_, n) => n);
  assert.deepEqual(await three.map(visit, items), items.map((n) => n * n));
  assert.deepEqual([most, three.length], [3, 0]);
  assert.deepEqual(await three.map(visit, []), []);
  const generated = async function* () {
    yield* [1, 2];
  };
  assert.deepEqual(await three.map(visit, generated()), [1, 4]);
});

Deno.test("Pool.imap() keeps the order, imapUnordered() does not", async () => {
  const all = new Pool();
  const gates = [0, 1, 2].map(() => new Event());
  const visit = async (i: number) => {
    await gates[i]!.wait();
    return i;
  };
  const [ordered, unordered] = [all.imap(visit, [0, 1, 2]), all.imapUnordered(visit, [0, 1, 2])];
  const [firstOrdered, firstUnordered] = [ordered.next(), unordered.next()];
  gates[2]!.set();
  assert.equal((await firstUnordered).value, 2);
  assert.equal(await isPending(firstOrdered), true);
  gates[0]!.set();
  assert.equal((await firstOrdered).value, 0);
  assert.equal((await unordered.next()).value, 0);
  gates[1]!.set();
  assert.deepEqual(await Array.fromAsync(ordered), [1, 2]);
  assert.deepEqual(await Array.fromAsync(unordered), [1]);
  assert.equal((await ordered.next()).done, true);
});

Deno.test("Pool.imap() goes on while nobody takes the results, as far as maxsize says", async () => {
  const one = new Pool(1);
  const begun: number[] = [];
  const visit = (n: number) => void begun.push(n);
  const items = [1, 2, 3, 4, 5];
  for (const [options, ahead] of [[undefined, 5], [{ maxsize: 2 }, 2]] as const) {
    for (const imap of ["imap", "imapUnordered"] as const) {
      begun.length = 0;
      const results = one[imap](visit, items, options);
      await rest();
      assert.equal(begun.length, ahead);
      await results.next();
      await rest();
      assert.equal(begun.length, Math.min(5, ahead + 1));
      assert.equal((await Array.fromAsync(results)).length, 4);
      assert.deepEqual(begun, items);
    }
  }
  assert.throws(() => one.imap(visit, items, { maxsize: 0 }), ValueError);
});

Deno.test("Pool.imap() that is left begins no further call, and ends the iterable", async () => {
  const one = new Pool(1);
  let closed = false;
  const items = async function* () {
    try {
      for (let n = 0;; n++) yield n;
    } finally {
      closed = true;
    }
  };
  const begun: number[] = [];
  const visit = async (n: number) => {
    begun.push(n);
    await sleep();
    return n;
  };
  for await (const n of one.imap(visit, items())) if (n === 3) break;
  await one.join();
  const count = begun.length;
  await rest();
  assert.deepEqual([closed, begun.length], [true, count]);
});

Deno.test("Pool: errors of the function and of the iterable", async () => {
  const { code, lines, stderr } = await Program.deno("tests/gevent/programs/pool_errors.ts").end();
  assert.equal(code, 0, stderr);
  assert.deepEqual(lines, [
    "map: RangeError: 2 is too much",
    "imap: 1, RangeError: 2 is too much, 3, end",
    "imapUnordered: 1, RangeError: 2 is too much, 3, end",
    "iterable: 1, TypeError: no more, end",
    "apply: RangeError: 2 is too much",
    "join: RangeError: 2 is too much",
  ]);
  assert.equal(stderr.match(/^<Greenlet "Greenlet-\d+": visit> failed with RangeError$/gm)?.length, 5);
});

Deno.test("Pool refuses what is no function, and then takes no place", async () => {
  const one = new Pool(1);
  await assert.rejects(one.spawn(3 as never), TypeError);
  await assert.rejects(one.map(3 as never, [1]), TypeError);
  await assert.rejects(one.apply(3 as never), TypeError);
  assert.throws(() => one.imapUnordered(3 as never, [1]), TypeError);
  assert.equal(one.freeCount(), 1);
  await one.join();
});

Deno.test("Pool.kill() ends those who are in it, and who waits for a place gets one", async () => {
  const one = new Pool(1);
  const first = await one.spawn(sleep, FOR_EVER_MS);
  const waiting = one.spawn(() => "second");
  await sleep();
  await one.kill();
  assert.ok(first.value as unknown instanceof GreenletExit);
  assert.equal(await (await waiting).get(), "second");
  const slow = await one.spawn(async () => {
    await sleep(FOR_EVER_MS).catch(() => {});
    await sleep(5);
  });
  await sleep();
  await one.kill(Timeout, { block: false });
  assert.equal(slow.ready(), false);
  await one.join();
});

Deno.test("Pool.spawn() that is broken off while it waits takes no place", async () => {
  const one = new Pool(1);
  const gate = new Event();
  await one.spawn(() => gate.wait());
  const spawner = spawn(() => one.spawn(() => assert.fail()));
  await sleep();
  await spawner.kill();
  gate.set();
  await one.join();
  assert.equal(one.freeCount(), 1);
});
