/**
 * Queue, for each start method. The names in comments are those of CPython's tests: `_test_multiprocessing.py`,
 * `test_queue.py`, and for shutdown `test_queue.py` of 3.13.
 *
 * @module
 */
import {
  Connection,
  type Context,
  Empty,
  Full,
  getContext,
  Lock,
  PicklingError,
  Queue,
  ShutDown,
  ValueError,
} from "@multiprocessing/deno";
import assert from "node:assert/strict";
import * as targets from "../fixtures/targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { CLOCK_SLACK_MS, timed, within } from "../support/gates.ts";

/** No wait that should end at once takes this long, on however busy a machine. */
const AT_ONCE_MS = 1_000;

async function endsWith(
  wait: () => Promise<unknown>,
  Class: new () => Error,
  atLeastMs: number,
): Promise<void> {
  const { ms, error, value } = await timed(wait);
  assert.ok(error instanceof Class, `${error ?? value}`);
  assert.ok(ms >= atLeastMs - CLOCK_SLACK_MS, `${ms} ms`);
  assert.ok(ms < atLeastMs + AT_ONCE_MS, `${ms} ms`);
}

function assertSync(blocked: () => unknown, Class: new () => Error, atLeastMs: number): void {
  const start = performance.now();
  assert.throws(blocked, Class);
  const ms = performance.now() - start;
  assert.ok(ms >= atLeastMs - CLOCK_SLACK_MS, `${ms} ms`);
}

for (const mp of contexts()) {
  // --- _TestQueue -----------------------------------------------------------------------------------------------

  // test_put
  test(mp, "Queue.put() fills up to maxsize, then waits, gives up or is refused", async () => {
    const queue = new mp.Queue<number>(6);
    const [go, done] = [new mp.Queue<null>(), new mp.Queue<string>()];
    await using child = new mp.Process({
      target: targets.getsWhenTold,
      args: [queue, 6, go, done],
      daemon: true,
    });
    child.start();
    assert.equal(queue.empty(), true);
    assert.equal(queue.full(), false);
    await queue.put(1);
    await queue.put(2, { block: true });
    await queue.put(3, { block: true, timeout: undefined });
    await queue.put(4, { block: false });
    await queue.put(5, { block: false, timeout: 100 });
    await queue.putNowait(6);
    assert.equal(queue.empty(), false);
    assert.equal(queue.full(), true);
    assert.equal(queue.qsize(), 6);

    await endsWith(() => queue.put(7, { block: false }), Full, 0);
    await endsWith(() => queue.putNowait(7), Full, 0);
    await endsWith(() => queue.put(7, { timeout: 80 }), Full, 80);
    await endsWith(() => queue.put(7, { block: false, timeout: 10_000 }), Full, 0);
    await endsWith(() => queue.put(7, { timeout: 0 }), Full, 0);

    await go.put(null);
    assert.equal(await done.get(), "done");
    assert.equal(queue.empty(), true);
    assert.equal(queue.full(), false);
    await child.join();
  });

  // test_get
  test(mp, "Queue.get() waits, gives up or is refused", async () => {
    const queue = new mp.Queue<number>();
    const [go, done] = [new mp.Queue<null>(), new mp.Queue<string>()];
    await using child = new mp.Process({
      target: targets.putsWhenTold,
      args: [queue, [1, 2, 3, 4, 5], go, done],
      daemon: true,
    });
    child.start();
    assert.equal(queue.empty(), true);
    await go.put(null);
    assert.equal(await done.get(), "done");
    assert.equal(queue.empty(), false);
    assert.equal(await queue.get(), 1);
    assert.equal(await queue.get({ block: true, timeout: undefined }), 2);
    assert.equal(await queue.get({ block: true }), 3);
    assert.equal(await queue.get({ timeout: 1_000 }), 4);
    assert.equal(await queue.getNowait(), 5);
    assert.equal(queue.empty(), true);

    await endsWith(() => queue.get({ block: false }), Empty, 0);
    await endsWith(() => queue.getNowait(), Empty, 0);
    await endsWith(() => queue.get({ timeout: 80 }), Empty, 80);
    await endsWith(() => queue.get({ block: false, timeout: 10_000 }), Empty, 0);
    await endsWith(() => queue.get({ timeout: 0 }), Empty, 0);
    await child.join();
  });

  // test_qsize, and the counts after what a child did
  test(mp, "Queue.qsize(), empty() and full() are exact", async () => {
    const queue = new mp.Queue<unknown>(3);
    assert.deepEqual([queue.qsize(), queue.empty(), queue.full()], [0, true, false]);
    await queue.put(1);
    assert.deepEqual([queue.qsize(), queue.empty(), queue.full()], [1, false, false]);
    await queue.put(5);
    assert.equal(queue.qsize(), 2);
    const out = new mp.Queue<unknown>();
    await using child = new mp.Process({ target: targets.putsCounts, args: [queue, out] });
    child.start();
    assert.deepEqual(await out.get(), [3, false, true]); // what the child sees right after its put
    assert.deepEqual([queue.qsize(), queue.empty(), queue.full()], [3, false, true]);
    for (let left = 2; left >= 0; left--) {
      await queue.get();
      assert.equal(queue.qsize(), left);
    }
    assert.deepEqual([queue.qsize(), queue.empty(), queue.full()], [0, true, false]);
    await child.join();
  });

  // test_queue_feeder_donot_stop_onexc
  test(mp, "Queue.put() refuses what cannot travel by its path, and nothing is harmed", async () => {
    const queue = new mp.Queue<unknown>(1);
    for (
      const [item, path] of [
        [{ callback: () => 1 }, "item.callback"],
        [() => 1, "item"],
        [[Symbol("s")], "item[0]"],
        [{ a: new (class Unknown {})() }, "item.a"],
      ] as const
    ) {
      await assert.rejects(queue.put(item), (error: Error) => {
        assert.ok(error instanceof PicklingError, String(error));
        assert.ok(error.message.includes(path), `${error.message} does not name ${path}`);
        return true;
      });
    }
    await queue.put(true);
    assert.equal(queue.qsize(), 1);
    assert.equal(await queue.get({ timeout: 1_000 }), true);
    assert.equal(queue.empty(), true);

    await using child = new mp.Process({ target: targets.putsBad, args: [queue] });
    child.start();
    const { name, message } = await queue.get() as { name: string; message: string };
    assert.equal(name, "PicklingError");
    assert.match(message, /item\.callback/);
    await child.join();
    assert.equal(queue.empty(), true);
  });

  // --- Waits that end early ---------------------------------------------------------------------------------------

  // test_timeout
  test(mp, "Queue waits end by timeout and signal in the child as here", async () => {
    const [empty, full, out] = [new mp.Queue<unknown>(), new mp.Queue<unknown>(1), new mp.Queue<unknown[]>()];
    await full.put("the only one");
    await using child = new mp.Process({ target: targets.waitsInVain, args: [empty, full, out] });
    child.start();
    type Ended = { name: string; message: string; ms: number };
    const ends = await out.get() as Ended[];
    assert.deepEqual(ends.map(({ name }) => name), [
      "Empty",
      "Empty",
      "RangeError",
      "RangeError",
      "Full",
      "Full",
      "RangeError",
      "RangeError",
    ]);
    assert.deepEqual([2, 3, 6, 7].map((at) => ends[at]!.message), ["already", "later", "already", "later"]);
    for (const at of [0, 3, 4, 7]) {
      assert.ok(ends[at]!.ms >= 60 - CLOCK_SLACK_MS, `${at}: ${ends[at]!.ms} ms`);
    }
    for (const at of [1, 2, 5, 6]) assert.ok(ends[at]!.ms < AT_ONCE_MS, `${at}: ${ends[at]!.ms} ms`);
    await child.join();
    // Nobody of those is in line any more.
    assert.equal(await full.get(), "the only one");
    assert.equal(full.empty(), true);
    await empty.put("for us");
    assert.equal(await empty.getNowait(), "for us");
  });

  test(mp, "Queue.get() that ends early gives up its place and takes nothing", async () => {
    const queue = new mp.Queue<string>();
    const controller = new AbortController();
    const aborted = assert.rejects(queue.get({ signal: controller.signal }), new RangeError("enough"));
    const timedOut = assert.rejects(queue.get({ timeout: 30 }), Empty);
    const [said, to] = [new mp.Queue<string>(), new mp.Queue<[string, unknown]>()];
    await using child = new mp.Process({ target: targets.getsOne, args: [queue, said, to, "child"] });
    child.start();
    await said.get();
    await timedOut;
    controller.abort(new RangeError("enough"));
    await aborted;
    await queue.put("for the child");
    assert.deepEqual(await to.get(), ["child", "for the child"]);
    await child.join();
    assert.equal(queue.empty(), true);
  });

  test(mp, "Queue.put() that ends early has put nothing and gives up its place", async () => {
    const queue = new mp.Queue<string>(1);
    await queue.put("first");
    const controller = new AbortController();
    const aborted = assert.rejects(
      queue.put("never", { signal: controller.signal }),
      new RangeError("enough"),
    );
    const timedOut = assert.rejects(queue.put("never", { timeout: 30 }), Full);
    const said = new mp.Queue<string>();
    await using child = new mp.Process({ target: targets.putsOne, args: [queue, said, "the child's"] });
    child.start();
    await said.get();
    await timedOut;
    controller.abort(new RangeError("enough"));
    await aborted;
    assert.equal(await queue.get(), "first");
    assert.equal(await queue.get(), "the child's");
    await child.join();
    assert.equal(queue.empty(), true);
  });

  test(mp, "Queue waits with an aborted signal reject at once and touch nothing", async () => {
    const queue = new mp.Queue<number>(1);
    const signal = AbortSignal.abort(new RangeError("already"));
    await assert.rejects(queue.put(1, { signal }), new RangeError("already"));
    assert.equal(queue.empty(), true);
    await queue.put(1);
    await assert.rejects(queue.get({ signal }), new RangeError("already"));
    assert.equal(queue.qsize(), 1);
  });

  // --- Order, fairness, amounts -----------------------------------------------------------------------------------

  test(mp, "Queue.get() serves waiters in order", async () => {
    const { queue, to, children } = await threeWaiters(mp);
    const mine = queue.get();
    const got: [string, unknown][] = [];
    for (const n of [1, 2, 3]) {
      await queue.put(n);
      got.push(await to.get());
    }
    await queue.put(4);
    assert.equal(await mine, 4);
    assert.deepEqual(got, [["first", 1], ["second", 2], ["third", 3]]);
    for (const child of children) await child.join();
  });

  // Which of them takes which is a matter of who wakes first.
  test(mp, "Queue.get() gives each waiter one of the items put at once", async () => {
    const { queue, to, children } = await threeWaiters(mp);
    const mine = queue.get();
    for (const n of [1, 2, 3, 4]) await queue.put(n);
    const got = [["we", await mine], await to.get(), await to.get(), await to.get()];
    assert.deepEqual(got.map(([who]) => who).sort(), ["first", "second", "third", "we"]);
    assert.deepEqual(got.map(([, n]) => n).sort(), [1, 2, 3, 4]);
    assert.equal(queue.empty(), true);
    for (const child of children) await child.join();
  });

  test(mp, "Queue.put() serves waiters in order", async () => {
    const queue = new mp.Queue<string>(1);
    await queue.put("zeroth");
    const said = new mp.Queue<string>();
    const children = [];
    for (const item of ["first", "second", "third"]) {
      const child = new mp.Process({ target: targets.putsOne, args: [queue, said, item] });
      child.start();
      assert.equal(await said.get(), item);
      children.push(child);
    }
    const mine = queue.put("fourth");
    const got = [];
    for (let i = 0; i < 5; i++) got.push(await queue.get());
    assert.deepEqual(got, ["zeroth", "first", "second", "third", "fourth"]);
    await mine;
    for (const child of children) await child.join();
  });

  test(mp, "Queue.get() is not overtaken by a later one, nor by getNowait()", async () => {
    const queue = new mp.Queue<number>();
    const [said, to] = [new mp.Queue<string>(), new mp.Queue<[string, unknown]>()];
    await using child = new mp.Process({ target: targets.getsOne, args: [queue, said, to, "child"] });
    child.start();
    await said.get();
    await queue.put(1);
    await assert.rejects(queue.getNowait(), Empty); // that one is the child's
    assert.deepEqual(await to.get(), ["child", 1]);
    await child.join();
  });

  // BaseSimpleQueueTest.test_many_threads
  test(mp, "Queue keeps each producer's order, loses and doubles nothing", async () => {
    const queue = new mp.Queue<[string, number]>(10);
    const out = new mp.Queue<{ consumer: string; items: [string, number][] }>();
    const count = 400;
    const producers = ["a", "b", "c"].map((who) =>
      new mp.Process({ target: targets.produces, args: [queue, who, count] })
    );
    const consumers = ["x", "y"].map((who) =>
      new mp.Process({ target: targets.consumes, args: [queue, out, who] })
    );
    for (const child of [...producers, ...consumers]) child.start();
    for (const producer of producers) await producer.join();
    queue.shutdown();
    const reports = [await out.get(), await out.get()];
    for (const consumer of consumers) await consumer.join();
    const all = reports.flatMap(({ items }) => items);
    assert.equal(all.length, 3 * count);
    assert.equal(new Set(all.map(String)).size, 3 * count);
    for (const { items } of reports) {
      for (const who of ["a", "b", "c"]) {
        const numbers = items.filter(([from]) => from === who).map(([, n]) => n);
        assert.deepEqual(numbers, numbers.toSorted((a, b) => a - b));
      }
    }
  });

  test(mp, "Queue holds 100,000 items for a consumer that comes late", async () => {
    const queue = new mp.Queue<number | null>();
    for (let i = 0; i < 100_000; i++) await queue.put(i);
    assert.equal(queue.qsize(), 100_000);
    await queue.put(null);
    const out = new mp.Queue<[number, number]>();
    await using child = new mp.Process({ target: targets.sums, args: [queue, out] });
    child.start();
    assert.deepEqual(await out.get(), [100_000, 4_999_950_000]);
    await child.join();
  });

  // In CPython joining before draining hangs.
  test(mp, "Queue keeps what a child put that was joined first", async () => {
    const queue = new mp.Queue<number>();
    const count = mp.name === "worker" ? 100_000 : 20_000;
    await using child = new mp.Process({ target: targets.putsNumbers, args: [queue, count] });
    child.start();
    await child.join();
    assert.equal(child.exitcode, 0);
    assert.equal(queue.qsize(), count);
    for (let i = 0; i < count; i++) {
      if (await queue.get() !== i) assert.fail(`item ${i} is out of order`);
    }
  });

  test(mp, "Queue keeps a big item that a child put right before it ended", async () => {
    const queue = new mp.Queue<Uint8Array>();
    const big = new Uint8Array(10 * 1024 * 1024).fill(7);
    await using child = new mp.Process({ target: targets.puts<Uint8Array>, args: [queue, big] });
    child.start();
    await child.join();
    assert.equal(queue.qsize(), 1);
    assert.ok(equalBytes(await queue.get(), big));
  });

  // --- Values -----------------------------------------------------------------------------------------------------

  test(mp, "Queue carries every plain value there and back", async () => {
    const [from, to] = [new mp.Queue<unknown>(), new mp.Queue<unknown>()];
    await using child = new mp.Process({ target: targets.echoes, args: [from, to] });
    child.start();
    const cyclic: { self?: unknown } = {};
    cyclic.self = cyclic;
    const values: unknown[] = [
      undefined,
      null,
      true,
      0,
      -0,
      NaN,
      Infinity,
      2 ** 53,
      1.5,
      "",
      "nothing",
      "shut",
      "ended",
      "日本 ünï \u0000 \ud800",
      10n ** 30n,
      -1n,
      [],
      [1, , 3],
      { a: { b: [undefined] } },
      new Map<unknown, unknown>([[{ k: 1 }, new Set([1, "2"])]]),
      new Date(0),
      /x+/giu,
      new Uint8Array([1, 2, 3]),
      new Float64Array([1.5, NaN]),
      new BigInt64Array([-5n]),
      new Uint8Array([9, 8, 7]).buffer,
      new DataView(new ArrayBuffer(4)),
      "x".repeat(100_000),
      new Uint8Array(1_000_000).fill(3),
    ];
    for (const value of values) {
      await from.put(value);
      assert.deepEqual(await to.get(), value);
    }
    await from.put(cyclic);
    const back = await to.get() as typeof cyclic;
    assert.equal(back.self, back);
    from.shutdown();
    await child.join();
  });

  test(mp, "Queue carries errors with class, own properties and cause", async () => {
    const queue = new mp.Queue<Error & { detail: number[] }>();
    await using child = new mp.Process({ target: targets.putsErrors, args: [queue] });
    child.start();
    const error = await queue.get();
    assert.ok(error instanceof TypeError);
    assert.equal(error.message, "bad type");
    assert.deepEqual(error.detail, [1]);
    assert.ok(error.cause instanceof RangeError);
    assert.match(error.stack!, /putsErrors/);
    await child.join();
  });

  test(mp, "Queue carries 10 MB both ways", async () => {
    const [from, to] = [new mp.Queue<unknown>(), new mp.Queue<unknown>()];
    await using child = new mp.Process({ target: targets.echoes, args: [from, to] });
    child.start();
    const bytes = crypto.getRandomValues(new Uint8Array(65_536));
    const big = new Uint8Array(10 * 1024 * 1024);
    for (let at = 0; at < big.length; at += bytes.length) big.set(bytes, at);
    for (let i = 0; i < 3; i++) {
      await from.put(big);
      assert.ok(equalBytes(await to.get() as Uint8Array, big));
    }
    from.shutdown();
    await child.join();
  });

  test(mp, "Queue.put() copies: changing the item afterwards changes nothing", async () => {
    const queue = new mp.Queue<number[]>();
    const item = [1];
    await queue.put(item);
    item.push(2);
    assert.deepEqual(await queue.get(), [1]);
  });

  test(mp, "Queue.put() moves what transfer names", async () => {
    const [from, to] = [new mp.Queue<ArrayBuffer>(), new mp.Queue<ArrayBuffer>()];
    await using child = new mp.Process({ target: targets.returnsBuffer, args: [from, to] });
    child.start();
    for (let i = 0; i < 1; i++) {
      const buffer = new Uint8Array([41, 2]).buffer;
      await from.put(buffer, { transfer: [buffer] });
      assert.equal(buffer.byteLength, 0);
      assert.deepEqual(new Uint8Array(await to.get()), new Uint8Array([42, 2]));
    }
    await child.join();
    assert.equal(child.exitcode, 0);
  });

  test(mp, "Queue keeps the order of small, big and moved items", async () => {
    const [from, to] = [new mp.Queue<unknown>(), new mp.Queue<unknown>()];
    await using child = new mp.Process({ target: targets.echoes, args: [from, to] });
    child.start();
    const lock = new Lock();
    for (let i = 0; i < 50; i++) {
      if (i % 5 === 1) await from.put([i, new Uint8Array(200_000)]);
      else if (i % 5 === 2) {
        const buffer = new ArrayBuffer(8);
        await from.put([i, buffer], { transfer: [buffer] });
      } else if (i % 5 === 3) await from.put([i, lock]);
      else await from.put([i]);
    }
    for (let i = 0; i < 50; i++) {
      const [n, what] = await to.get() as [number, unknown];
      assert.equal(n, i);
      if (i % 5 === 3) assert.ok(what instanceof Lock);
    }
    from.shutdown();
    await child.join();
  });

  // --- Handles ----------------------------------------------------------------------------------------------------

  test(mp, "Queue carries handles nested in plain data", async () => {
    await exchangeParcel(mp, async (parcel) => {
      const parcels = new mp.Queue<targets.Parcel>();
      await parcels.put(parcel);
      return new mp.Process({ target: targets.unpacks, args: [parcels] });
    });
  });

  test(mp, "Process carries handles nested in its args", async () => {
    await exchangeParcel(mp, (parcel) => new mp.Process({ target: targets.usesParcel, args: [parcel] }));
  });

  test(mp, "Queue carries primitives that a child made to its creator", async () => {
    const out = new mp.Queue<unknown>();
    const child = new mp.Process({ target: targets.sendsItsOwn, args: [out] });
    child.start();
    const own = await out.get() as { lock: Lock; queue: Queue<string>; connection: Connection<string> };
    assert.ok(own.lock instanceof Lock && own.queue instanceof Queue && own.connection instanceof Connection);
    assert.equal(await own.lock.acquire({ timeout: 20 }), false);
    await own.connection.send("word");
    assert.equal(await own.queue.get(), "word came");
    assert.equal(await own.lock.acquire({ timeout: 10_000 }), true);
    own.lock.release();
    await own.connection.send("go");
    await child.join();
    assert.equal(child.exitcode, 0);
  });

  test(mp, "Queue travels over a Connection, and a Connection through a Queue", async () => {
    const [mine, theirs] = mp.Pipe<Queue<unknown>>();
    const queue = new mp.Queue<Connection<unknown>>();
    const [near, far] = mp.Pipe<unknown>();
    const answers = new mp.Queue<unknown>();
    const child = new mp.Process({ target: targets.exchangesHandles, args: [theirs, queue] });
    child.start();
    await mine.send(answers);
    await queue.put(far);
    assert.equal(await answers.get(), "through the queue that came over the connection");
    assert.equal(await near.recv(), "over the connection that came through the queue");
    await child.join();
    assert.equal(child.exitcode, 0);
  });

  test(mp, "Queue travels between two children that know only each other's messages", async () => {
    const meeting = new mp.Queue<unknown>();
    const child = new mp.Process({ target: targets.sendsItsOwn, args: [meeting] });
    child.start();
    const own = await meeting.get() as { lock: Lock; queue: Queue<string>; connection: Connection<string> };
    // Handed on: a second child uses what the first one made.
    const order = new mp.Queue<string>();
    const said = new mp.Queue<string>();
    const other = new mp.Process({ target: targets.waitsForLock, args: [own.lock, said, order, "other"] });
    other.start();
    assert.equal(await said.get(), "other");
    const third = new mp.Process({ target: targets.puts<string>, args: [own.queue, "from the third"] });
    third.start();
    await third.join();
    assert.equal(await own.queue.get(), "from the third");
    await own.connection.send("word");
    assert.equal(await order.get(), "other");
    await other.join();
    await own.connection.send("go");
    await child.join();
    assert.deepEqual([child.exitcode, other.exitcode, third.exitcode], [0, 0, 0]);
  });

  test(mp, "Queue put on itself arrives as itself", async () => {
    const queue = new mp.Queue<unknown>();
    await queue.put(queue);
    const same = await queue.get() as Queue<unknown>;
    assert.ok(same instanceof Queue);
    await same.put(1);
    assert.equal(await queue.get(), 1);
  });

  test(mp, "Lock twice in one message is one lock", async () => {
    const out = new mp.Queue<unknown>();
    const lock = new mp.Lock();
    await using child = new mp.Process({ target: targets.sameHandle, args: [out, [lock, lock]] });
    child.start();
    assert.equal(await out.get(), true);
    await child.join();
  });

  // --- Shutdown: test_queue.py of 3.13 -----------------------------------------------------------------------------

  // test_shutdown_empty
  test(mp, "Queue.shutdown() of an empty queue refuses put and get", async () => {
    const queue = new mp.Queue<string>();
    queue.shutdown();
    await assert.rejects(queue.put("data"), ShutDown);
    await assert.rejects(queue.get(), ShutDown);
    await assert.rejects(queue.getNowait(), ShutDown);
    assert.throws(() => queue.putSync("data"), ShutDown);
    assert.throws(() => queue.getSync(), ShutDown);
    queue.shutdown();
    queue.shutdown({ immediate: true });
  });

  // test_shutdown_nonempty, test_shutdown_get
  test(mp, "Queue.shutdown() lets what is inside be got, in a child too", async () => {
    const queue = new mp.Queue<string>(2);
    await queue.put("data");
    await queue.put("more");
    queue.shutdown();
    await assert.rejects(queue.put("never"), ShutDown);
    assert.equal(await queue.get(), "data");
    const [from, to] = [queue as Queue<unknown>, new mp.Queue<unknown>()];
    await using child = new mp.Process({ target: targets.echoes, args: [from, to] });
    child.start();
    await child.join();
    assert.equal(await to.getNowait(), "more");
    await assert.rejects(queue.get(), ShutDown);
  });

  // test_shutdown_immediate
  test(mp, "Queue.shutdown({ immediate: true }) drops what is inside", async () => {
    const queue = new mp.Queue<string>();
    await queue.put("data");
    queue.shutdown({ immediate: true });
    assert.equal(queue.qsize(), 0);
    await assert.rejects(queue.get(), ShutDown);
  });

  // test_shutdown_pending_get, test_shutdown_put
  for (const immediate of [false, true]) {
    test(
      mp,
      `Queue.shutdown(${immediate ? "immediate" : ""}) wakes who waits, here and in the child`,
      async () => {
        const [empty, full] = [new mp.Queue<unknown>(), new mp.Queue<string>(1)];
        await full.put("inside");
        const [said, out] = [new mp.Queue<string>(), new mp.Queue<unknown>()];
        await using getter = new mp.Process({ target: targets.getsFromShut, args: [empty, said, out] });
        getter.start();
        await said.get();
        const mine = [assert.rejects(empty.get(), ShutDown), assert.rejects(full.put("never"), ShutDown)];
        await using shutter = new mp.Process({ target: targets.shutsDown, args: [empty, immediate] });
        shutter.start();
        assert.equal(await out.get(), "ShutDown");
        full.shutdown({ immediate });
        await within(5_000, Promise.all(mine), "our waits");
        await getter.join();
        await shutter.join();
        if (immediate) await assert.rejects(full.get(), ShutDown);
        else assert.equal(await full.get(), "inside");
      },
    );
  }

  test(mp, "Queue yields its items and ends at shutdown()", async () => {
    const queue = new mp.Queue<number>();
    await using child = new mp.Process({ target: targets.putsNumbers, args: [queue, 100] });
    child.start();
    const got: number[] = [];
    for await (const item of queue) {
      got.push(item);
      if (item === 99) queue.shutdown();
    }
    assert.deepEqual(got, Array.from({ length: 100 }, (_, i) => i));
    await child.join();
  });

  // --- Closing and misuse -----------------------------------------------------------------------------------------

  // test_closed_queue_put_get_exceptions
  test(mp, "Queue.close() ends put and get here, not for others", async () => {
    const queue = new mp.Queue<string>();
    const [said, to] = [new mp.Queue<string>(), new mp.Queue<[string, unknown]>()];
    await using child = new mp.Process({ target: targets.getsOne, args: [queue, said, to, "child"] });
    child.start();
    await said.get();
    await assert.rejects(queue.joinThread(), ValueError);
    await queue.put("before");
    queue.close();
    await assert.rejects(queue.put("after"), { name: "ValueError", message: /is closed/ });
    await assert.rejects(queue.get(), { name: "ValueError", message: /is closed/ });
    await assert.rejects(queue.putNowait("after"), ValueError);
    await assert.rejects(queue.getNowait(), ValueError);
    assert.throws(() => queue.putSync("after"), ValueError);
    assert.throws(() => queue.getSync(), ValueError);
    queue.close();
    await queue.joinThread();
    queue.cancelJoinThread();
    assert.deepEqual(await to.get(), ["child", "before"]);
    await child.join();
  });

  // test_negative_timeout_raises_exception
  test(mp, "Queue refuses bad timeouts and sizes", async () => {
    const queue = new mp.Queue<number>(1);
    for (const timeout of [-1, NaN, -Infinity, "1" as unknown as number]) {
      await assert.rejects(queue.put(1, { timeout }), { name: "ValueError", message: /non-negative/ });
      await assert.rejects(queue.get({ timeout }), { name: "ValueError", message: /non-negative/ });
      assert.throws(() => queue.putSync(1, { timeout }), ValueError);
      assert.throws(() => queue.getSync({ timeout }), ValueError);
    }
    assert.equal(queue.empty(), true);
    for (const maxsize of [-1, 1.5, NaN, Infinity, "3" as unknown as number]) {
      assert.throws(() => new mp.Queue(maxsize), ValueError, `maxsize ${maxsize}`);
    }
  });

  test(mp, "Queue without maxsize is never full", async () => {
    for (const queue of [new mp.Queue<number>(), new mp.Queue<number>(0)]) {
      for (let i = 0; i < 1_000; i++) await queue.putNowait(i);
      assert.equal(queue.full(), false);
      assert.equal(queue.qsize(), 1_000);
    }
  });

  // --- Disposal -----------------------------------------------------------------------------------------------

  test(mp, "Queue may be disposed of by using, twice, and while a child waits on it", async () => {
    const [said, to] = [new mp.Queue<string>(), new mp.Queue<[string, unknown]>()];
    let kept: Queue<unknown>;
    {
      using queue = new mp.Queue<unknown>();
      kept = queue;
      const child = new mp.Process({ target: targets.getsOne, args: [queue, said, to, "child"] });
      child.start();
      await said.get();
      await using _ = child;
      await queue.put("still delivered");
      assert.deepEqual(await to.get(), ["child", "still delivered"]);
      await child.join();
    }
    await assert.rejects(kept.get(), ValueError);
    kept[Symbol.dispose]();
  });

  // A wait under way when the queue is closed goes on, as in CPython, where another thread's does.
  test(mp, "Queue.close() during a get() leaves that get() its item", async () => {
    const queue = new mp.Queue<number>();
    const got = queue.get();
    await using child = new mp.Process({ target: targets.putsNumbers, args: [queue, 1] });
    queue.close();
    // The queue is passed on although this process has closed it: closing is a matter of this process.
    child.start();
    assert.equal(await within(10_000, got, "get()"), 0);
    await child.join();
  });
}

// --- The blocking twins -------------------------------------------------------------------------------------------

const worker = getContext("worker");
const spawn = getContext("spawn");

test(worker, "Queue.putSync() and getSync() in a child carry what the async forms do", async () => {
  const [from, to] = [new worker.Queue<unknown>(), new worker.Queue<unknown>()];
  const buffer = new ArrayBuffer(3);
  const items = [1, "two", { three: [3] }, new Uint8Array(300_000).fill(1), new Lock(), undefined, null];
  await using child = new worker.Process({ target: targets.echoesSync, args: [from, to, items.length + 1] });
  child.start();
  for (const item of items) {
    await from.put(item);
    const back = await to.get();
    if (item instanceof Lock) assert.ok(back instanceof Lock);
    else assert.deepEqual(back, item);
  }
  await from.put(buffer, { transfer: [buffer] });
  assert.deepEqual(await to.get(), new ArrayBuffer(3));
  await child.join();
  assert.equal(child.exitcode, 0);
});

test(worker, "Queue.putSync() and getSync() give up in time", async () => {
  const [empty, full, out] = [
    new worker.Queue<unknown>(),
    new worker.Queue<unknown>(1),
    new worker.Queue<unknown[]>(),
  ];
  await full.put(1);
  await using child = new worker.Process({ target: targets.blocksInVain, args: [empty, full, out] });
  child.start();
  const ends = await out.get() as { name: string; ms: number }[];
  assert.deepEqual(ends.map(({ name }) => name), ["Empty", "Empty", "Full", "Full"]);
  for (const at of [0, 2]) assert.ok(ends[at]!.ms >= 60 - CLOCK_SLACK_MS, `${ends[at]!.ms} ms`);
  for (const at of [1, 3]) assert.ok(ends[at]!.ms < AT_ONCE_MS, `${ends[at]!.ms} ms`);
  await child.join();
});

test(worker, "Queue.getSync() works on the main process, too", async () => {
  const [from, to] = [new worker.Queue<unknown>(), new worker.Queue<unknown>()];
  await using child = new worker.Process({ target: targets.echoesSync, args: [from, to, 3] });
  child.start();
  for (const n of [1, 2, 3]) {
    from.putSync(n);
    assert.equal(to.getSync(), n);
  }
  assertSync(() => to.getSync({ timeout: 30 }), Empty, 30);
  assertSync(() => to.getSync({ block: false }), Empty, 0);
  await child.join();
});

// A "spawn" child shares no memory with what its creator made.
test(spawn, "The blocking twins refuse and name the cure", async () => {
  const out = new spawn.Queue<unknown[]>();
  const [mine] = spawn.Pipe();
  await using child = new spawn.Process({
    target: targets.triesSync,
    args: [new spawn.Queue<unknown>(), mine, new spawn.Lock(), out],
  });
  child.start();
  for (const { name, message } of await out.get() as { name: string; message: string }[]) {
    assert.equal(name, "RuntimeError");
    assert.match(message, /"worker"/);
  }
  await child.join();
});

// --- Helpers --------------------------------------------------------------------------------------------------------

/** Three children that wait for an item each, in the order of their names, and say on `to` what they got. */
async function threeWaiters(mp: Context) {
  const queue = new mp.Queue<number>();
  const [said, to] = [new mp.Queue<string>(), new mp.Queue<[string, unknown]>()];
  const children = [];
  for (const who of ["first", "second", "third"]) {
    const child = new mp.Process({ target: targets.getsOne, args: [queue, said, to, who] });
    child.start();
    assert.equal(await said.get(), who); // it is in line before the next one starts
    children.push(child);
  }
  return { queue, to, children };
}

/** Sends a parcel to a child in the given way; the child uses every handle in it. */
async function exchangeParcel(
  mp: Context,
  send: (
    parcel: targets.Parcel,
  ) => Promise<{ start(): void } & AsyncDisposable> | ({ start(): void } & AsyncDisposable),
): Promise<void> {
  const [lock, queue, [mine, theirs]] = [new mp.Lock(), new mp.Queue<string>(), mp.Pipe<string>()];
  const deep = new Map([["here", {
    lock,
    list: [queue, new Set([theirs])] as [typeof queue, Set<typeof theirs>],
  }]]);
  await using child = await send({ deep, note: "hello" });
  child.start();
  assert.equal(await mine.recv(), "hello over the connection");
  assert.equal(await queue.get(), "hello over the queue");
  assert.equal(lock.locked(), true);
  assert.equal(await lock.acquire({ block: false }), false);
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
