/**
 * Pool, for each start method. The names in comments are those of CPython's tests (`_test_multiprocessing.py`).
 *
 * What becomes of work whose worker dies is in `pool_kill_test.ts`, what cannot travel in `pool_travel_test.ts`.
 *
 * @module
 */
import {
  AsyncResult,
  CancelledError,
  ProcessError,
  RemoteTraceback,
  TimeoutError,
  ValueError,
} from "@multiprocessing/deno";
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import * as targets from "../fixtures/pool_targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { allCollected } from "../support/garbage.ts";
import { CLOCK_SLACK_MS, isPending, timed, within } from "../support/gates.ts";
import { Program } from "../support/program.ts";

const { sqr, mul } = targets;

/** A wait that ends too early would end long before this. */
const WAIT_MS = 200;
/** Longer than any test takes. */
const LONG_MS = 3_600_000;

const range = (length: number) => Array.from({ length }, (_, i) => i);
const squares = (length: number) => range(length).map((i) => i * i);
const sorted = (numbers: number[]) => numbers.toSorted((a, b) => a - b);

/** An endless source that knows how far it was read and whether it was told of the end. */
class Endless {
  given = 0;
  told = false;

  *[Symbol.iterator](): Generator<number> {
    try {
      for (;;) yield this.given++;
    } finally {
      this.told = true;
    }
  }
}

for (const mp of contexts()) {
  // --- _TestPool ------------------------------------------------------------------------------------------------

  // test_apply
  test(mp, "Pool.apply() gives what the function returns", async () => {
    await using pool = new mp.Pool(2);
    assert.equal(await pool.apply(sqr, [5]), 25);
    assert.equal(await pool.apply(targets.optional, [3]), 13);
    assert.deepEqual(await pool.apply(targets.promised, ["four"]), new Map([["four", 4]]));
    assert.equal(await pool.apply(targets.whatWasInitialized), undefined);
  });

  // test_map
  test(mp, "Pool.map() gives the results in the order of the items", async () => {
    await using pool = new mp.Pool(4);
    assert.deepEqual(await pool.map(sqr, range(10)), squares(10));
    assert.deepEqual(await pool.map(sqr, range(100), { chunksize: 20 }), squares(100));
    assert.deepEqual(await pool.map(sqr, range(100), 20), squares(100)); // Python's third argument
    assert.deepEqual(await pool.map(targets.sqrAtOnce, new Set(range(5))), squares(5));
    assert.deepEqual(await pool.map(targets.int, "123"), [1, 2, 3]);
  });

  test(mp, "Pool.map() takes an async iterable", async () => {
    await using pool = new mp.Pool(2);
    async function* numbers() {
      for (const n of range(10)) yield await Promise.resolve(n);
    }
    assert.deepEqual(await pool.map(sqr, numbers()), squares(10));
  });

  // test_starmap
  test(mp, "Pool.starmap() spreads each item over the arguments", async () => {
    await using pool = new mp.Pool(4);
    const tuples = (n: number) => range(n).map((i): [number, number] => [i, n - 1 - i]);
    const products = (n: number) => range(n).map((i) => i * (n - 1 - i));
    assert.deepEqual(await pool.starmap(mul, tuples(10)), products(10));
    assert.deepEqual(await pool.starmap(mul, tuples(100), { chunksize: 20 }), products(100));
  });

  // test_starmap_async
  test(mp, "Pool.starmapAsync() gives a result to ask for", async () => {
    await using pool = new mp.Pool(4);
    const tuples = range(100).map((i): [number, number] => [i, 99 - i]);
    assert.deepEqual(await pool.starmapAsync(mul, tuples).get(), range(100).map((i) => i * (99 - i)));
  });

  // test_map_async
  test(mp, "Pool.mapAsync() gives a result to ask for", async () => {
    await using pool = new mp.Pool(4);
    const result = pool.mapAsync(sqr, range(10));
    assert.ok(result instanceof AsyncResult);
    assert.equal(result.ready(), false);
    assert.throws(() => result.successful(), ValueError);
    assert.deepEqual(await result.get(), squares(10));
    assert.equal(result.ready(), true);
    assert.equal(result.successful(), true);
    assert.deepEqual(await result, squares(10));
  });

  // test_map_async_callbacks
  test(mp, "Pool.mapAsync() calls callback with the results or errorCallback with the error", async () => {
    await using pool = new mp.Pool(2);
    const calls: unknown[] = [];
    const options = {
      callback: (results: number[]) => void calls.push(results),
      errorCallback: (error: unknown) => void calls.push(error),
    };
    await pool.mapAsync(targets.int, ["1"], options).wait();
    assert.deepEqual(calls, [[1]]);
    await pool.mapAsync(targets.int, ["a"], options).wait();
    assert.equal(calls.length, 2);
    assert.ok(calls[1] instanceof RangeError);
  });

  // test_map_chunksize
  test(mp, "Pool.mapAsync() with a chunksize does not stall on nothing", async () => {
    await using pool = new mp.Pool(2);
    assert.deepEqual(await pool.mapAsync(sqr, [], { chunksize: 1 }).get({ timeout: LONG_MS }), []);
  });

  // test_map_handle_iterable_exception
  test(mp, "Pool.map() throws what the iterable throws", async () => {
    await using pool = new mp.Pool(2);
    const { SayWhenError, throwingGenerator } = targets;
    for (const [total, when] of [[1, -1], [1, -1], [10, 3]] as const) {
      await assert.rejects(pool.map(sqr, throwingGenerator(total, when), { chunksize: 1 }), SayWhenError);
    }
    async function* late() {
      yield* range(3);
      await Promise.resolve();
      throw new SayWhenError();
    }
    await assert.rejects(pool.map(sqr, late()), SayWhenError);
    // CPython's SpecialIterable, which throws when it is asked for an item; and one that throws before.
    class Special implements Iterable<number>, Iterator<number> {
      readonly length = 1;
      [Symbol.iterator]() {
        return this;
      }
      next(): never {
        throw new SayWhenError();
      }
    }
    class Refusing implements Iterable<number> {
      [Symbol.iterator](): never {
        throw new SayWhenError();
      }
    }
    for (const iterable of [new Special(), new Special(), new Refusing()]) {
      await assert.rejects(pool.map(sqr, iterable, { chunksize: 1 }), SayWhenError);
    }
    assert.deepEqual(await pool.map(sqr, [3]), [9]);
  });

  // test_async
  test(mp, "Pool.applyAsync() returns at once", async () => {
    await using pool = new mp.Pool(2);
    const { value, ms } = await timed(() => pool.applyAsync(sqr, [7, WAIT_MS]).get());
    assert.equal(value, 49);
    assert.ok(ms >= WAIT_MS - CLOCK_SLACK_MS, `${ms} ms`);
  });

  // test_async_timeout
  test(
    mp,
    "AsyncResult.get() throws a TimeoutError when it takes too long, and the work goes on",
    async () => {
      await using pool = new mp.Pool(3);
      const [said, go] = [new mp.Queue<number>(), new mp.Queue<unknown>()];
      const result = pool.applyAsync(targets.waits, [said, go]);
      const pid = await said.get();
      const { error, ms } = await timed(() => result.get({ timeout: WAIT_MS }));
      assert.ok(error instanceof TimeoutError);
      assert.ok(ms >= WAIT_MS - CLOCK_SLACK_MS, `${ms} ms`);
      await result.wait({ timeout: 1 });
      await assert.rejects(
        result.get({ signal: AbortSignal.abort("enough") }),
        (reason) => reason === "enough",
      );
      assert.equal(result.ready(), false);
      await go.put(null);
      assert.equal(await result, pid);
    },
  );

  // test_imap
  test(mp, "Pool.imap() yields the results in the order of the items", async () => {
    await using pool = new mp.Pool(4);
    assert.deepEqual(await Array.fromAsync(pool.imap(sqr, range(10))), squares(10));
    for (const [length, options] of [[10, {}], [1_000, { chunksize: 100 }], [1_000, 100]] as const) {
      const results = pool.imap(sqr, range(length), options);
      for (const square of squares(length)) {
        assert.deepEqual(await results.next(), { done: false, value: square });
      }
      for (const _ of range(2)) assert.deepEqual(await results.next(), { done: true, value: undefined });
    }
  });

  // test_imap_handle_iterable_exception
  test(mp, "Pool.imap() throws what the iterable throws, behind the results before it", async () => {
    await using pool = new mp.Pool(4);
    const { SayWhenError, throwingGenerator } = targets;
    const cases = [[1, -1, 1, 0], [1, -1, 1, 0], [10, 3, 1, 3], [20, 7, 2, 7], [20, 7, 4, 7]] as const;
    for (const [total, when, chunksize, before] of cases) {
      const results = pool.imap(sqr, throwingGenerator(total, when), { chunksize });
      for (const square of squares(before)) assert.equal((await results.next()).value, square);
      await assert.rejects(results.next(), SayWhenError);
      assert.equal((await results.next()).done, true);
    }
  });

  // test_imap_unordered
  test(mp, "Pool.imapUnordered() yields every result", async () => {
    await using pool = new mp.Pool(4);
    assert.deepEqual(sorted(await Array.fromAsync(pool.imapUnordered(sqr, range(10)))), squares(10));
    const results = pool.imapUnordered(sqr, range(1_000), { chunksize: 100 });
    assert.deepEqual(sorted(await Array.fromAsync(results)), squares(1_000));
  });

  test(mp, "Pool.imapUnordered() yields what is there first", async () => {
    await using pool = new mp.Pool(2);
    const [said, go] = [new mp.Queue<number>(), new mp.Queue<unknown>()];
    const jobs = [0, 1, 2].map((n): [number, typeof said, typeof go] => [n, said, go]);
    const results = pool.imapUnordered(targets.zeroWaitsItem, jobs);
    await said.get();
    assert.deepEqual(sorted([(await results.next()).value!, (await results.next()).value!]), [1, 2]);
    const last = results.next();
    assert.equal(await isPending(last), true);
    await go.put(null);
    assert.ok((await last).value! > 2); // the pid of the one that waited
    assert.equal((await results.next()).done, true);
  });

  // test_imap_unordered_handle_iterable_exception
  test(mp, "Pool.imapUnordered() throws what the iterable throws", async () => {
    await using pool = new mp.Pool(4);
    const { SayWhenError, throwingGenerator } = targets;
    for (const [total, when, chunksize] of [[1, -1, 1], [1, -1, 1], [10, 3, 1], [20, 7, 2]] as const) {
      const results = pool.imapUnordered(sqr, throwingGenerator(total, when), { chunksize });
      const seen: number[] = [];
      await assert.rejects(async () => {
        for await (const result of results) seen.push(result);
      }, SayWhenError);
      const rest = await Array.fromAsync(results);
      assert.deepEqual(sorted([...seen, ...rest]), squares(Math.max(0, when)));
    }
  });

  // test_make_pool
  test(mp, "Pool refuses to have fewer than one worker", async () => {
    for (const processes of [-1, 0, 0.5, NaN]) {
      assert.throws(() => new mp.Pool(processes), ValueError);
      assert.throws(() => new mp.Pool({ processes }), ValueError);
    }
    const [said, go] = [new mp.Queue<number>(), new mp.Queue<unknown>()];
    const pool = new mp.Pool(3);
    const result = pool.mapAsync(targets.waitsFor, Array(4).fill([said, go]), { chunksize: 1 });
    for (const _ of range(3)) await said.get();
    assert.equal(pool.stats().size, 3);
    assert.equal(pool.stats().busy, 3);
    assert.equal(pool.stats().queued, 1);
    for (const _ of range(4)) await go.put(null);
    assert.equal(new Set(await result).size, 3);
    pool.close();
    await pool.join();
    assert.equal(pool.stats().size, 0);
  });

  // test_terminate
  test(mp, "Pool.terminate() ends what would take for ever, and fails it", async () => {
    const pool = new mp.Pool(3);
    const result = pool.mapAsync(delay, Array(10_000).fill(LONG_MS), { chunksize: 1 });
    const one = pool.applyAsync(sqr, [1, LONG_MS]);
    pool.terminate();
    await pool.join();
    await assert.rejects(result.get(), CancelledError);
    await assert.rejects(one.get(), CancelledError);
    assert.deepEqual(mp.activeChildren(), []);
  });

  // test_empty_iterable
  test(mp, "Pool with nothing to do gives nothing", async () => {
    const pool = new mp.Pool(1);
    assert.deepEqual(await pool.map(sqr, []), []);
    assert.deepEqual(await Array.fromAsync(pool.imap(sqr, [])), []);
    assert.deepEqual(await Array.fromAsync(pool.imapUnordered(sqr, [])), []);
    assert.deepEqual(await pool.mapAsync(sqr, []).get(), []);
    pool.close();
    await pool.join();
    assert.equal(pool.stats().size, 0);
  });

  // test_context, test_enter
  test(mp, "Pool is terminated by `await using`, and takes no work afterwards", async () => {
    let pool;
    {
      await using inside = pool = new mp.Pool(2);
      assert.deepEqual(await inside.mapAsync(sqr, range(10)).get(), squares(10));
    }
    await pool.join();
    assert.throws(() => pool.mapAsync(sqr, range(10)), ValueError);
    assert.throws(() => pool.applyAsync(sqr, [1]), ValueError);
    assert.throws(() => pool.imap(sqr, [1]), ValueError);
    await assert.rejects(pool.map(sqr, range(10)), /^ValueError: Pool not running: it was terminated/);
    await assert.rejects(pool.apply(sqr, [1]), ValueError);
  });

  // test_traceback
  test(mp, "Pool.apply() throws the function's error, with its stack over there as the cause", async () => {
    await using pool = new mp.Pool(1);
    const error = await pool.apply(targets.raises, ["123"]).catch((error) => error);
    assert.equal(error.constructor, TypeError);
    assert.equal(error.message, "123");
    assert.ok(error.cause instanceof RemoteTraceback);
    assert.match(error.cause.message, /TypeError: 123\n\s+at raises \(.*pool_targets\.ts/);
    assert.match(Deno.inspect(error), /RemoteTraceback.*\n\s+at raises /);
    // What this process throws itself is no remote error.
    const items = targets.throwingGenerator(1, -1);
    const own = await pool.map(sqr, items, { chunksize: 1 }).catch((error) => error);
    assert.equal(own.constructor, targets.SayWhenError);
    assert.equal(own.cause, undefined);
  });

  // test_map_no_failfast
  test(mp, "Pool.map() throws the first error when every part has ended", async () => {
    const pool = new mp.Pool(2);
    const { error, ms } = await timed(() => pool.map(targets.raiseLarge, [0, WAIT_MS]));
    assert.ok(error instanceof RangeError);
    assert.equal(error.message.length, 1024 ** 2);
    assert.ok(ms >= WAIT_MS - CLOCK_SLACK_MS, `${ms} ms`);
    pool.close();
    await pool.join();
  });

  // test_release_task_refs
  test(mp, "Pool keeps neither arguments nor results, here or in its workers", async () => {
    await using pool = new mp.Pool(1);
    const refs: WeakRef<object>[] = [];
    await (async () => {
      const items = range(10).map((n) => ({ n }));
      const results = await pool.map(targets.remembers, items, { chunksize: 3 });
      assert.deepEqual(results, items);
      const one = { n: 10 };
      const last = await pool.apply(targets.remembers, [one]);
      refs.push(...[...items, ...results, one, last].map((object) => new WeakRef(object)));
    })();
    // Another call, since a worker has what it returned last in its hands until it gets the next.
    assert.equal(await pool.apply(sqr, [3]), 9);
    await allCollected(refs);
    assert.deepEqual(await pool.apply(targets.remembered), [11, 0]);
  });

  for (const method of ["imap", "imapUnordered"] as const) {
    test(mp, `Pool.${method}() keeps no result that it has given`, async () => {
      await using pool = new mp.Pool(1);
      const results = pool[method](targets.remembers, range(5).map((n) => ({ n })), { chunksize: 2 });
      const take = async () => {
        const { done, value } = await results.next();
        return done ? undefined : new WeakRef(value);
      };
      let count = 0;
      for (let ref; (ref = await take()) !== undefined; count++) await allCollected([ref]);
      assert.equal(count, 5);
    });
  }

  // --- _TestPoolWorkerErrors --------------------------------------------------------------------------------------

  // test_async_error_callback
  test(mp, "Pool.applyAsync() calls errorCallback with the error", async () => {
    const pool = new mp.Pool(2);
    const seen: unknown[] = [];
    const result = pool.applyAsync(targets.raises, ["key"], {
      callback: () => seen.push("a result"),
      errorCallback: (error) => seen.push(error),
    });
    const error = await result.get().catch((error) => error);
    assert.ok(error instanceof TypeError);
    assert.deepEqual(seen, [error]);
    assert.equal(result.successful(), false);
    pool.close();
    await pool.join();
  });

  test(mp, "Pool.applyAsync() calls callback in this process, before whoever awaits goes on", async () => {
    await using pool = new mp.Pool(1);
    const order: unknown[] = [];
    const result = pool.applyAsync(sqr, [3], { callback: (n) => order.push(n, mp.currentProcess().name) });
    order.push(await result);
    assert.deepEqual(order, [9, "MainProcess", 9]);
  });

  // --- _TestPoolWorkerLifetime ------------------------------------------------------------------------------------

  // test_pool_worker_lifetime
  test(mp, "Pool with maxTasksPerChild replaces its workers", async () => {
    const pool = new mp.Pool({ processes: 3, maxTasksPerChild: 10 });
    const pids = await Promise.all(range(100).map((i) => pool.applyAsync(targets.pidOf, [i])));
    const calls = new Map<number, number>();
    for (const pid of pids) calls.set(pid, (calls.get(pid) ?? 0) + 1);
    assert.ok(calls.size >= 10, `${calls.size} workers`);
    for (const [pid, count] of calls) assert.ok(count <= 10, `${count} calls in worker ${pid}`);
    assert.ok(pool.stats().size <= 3);
    pool.close();
    await pool.join();
  });

  // test_pool_worker_lifetime_early_close
  test(mp, "Pool.close() before short-lived workers have done all work loses nothing", async () => {
    const pool = new mp.Pool({ processes: 3, maxTasksPerChild: 1 });
    const results = range(6).map((i) => pool.applyAsync(sqr, [i, 30]));
    pool.close();
    await pool.join();
    assert.deepEqual(await Promise.all(results), squares(6));
  });

  // test_pool_maxtasksperchild_invalid
  test(mp, "Pool refuses options that make no sense", () => {
    for (const bad of [0, -1, 0.5, "12"]) {
      assert.throws(() => new mp.Pool({ maxTasksPerChild: bad as number }), ValueError);
      assert.throws(() => new mp.Pool({ maxMemoryMb: bad as number }), ValueError);
    }
    for (const bad of [-1, 0.5]) assert.throws(() => new mp.Pool({ minWorkers: bad }), ValueError);
    for (const bad of [-1, NaN]) assert.throws(() => new mp.Pool({ idleTimeout: bad }), ValueError);
  });

  test(mp, "Pool with maxTasksPerChild does not wait for what its workers leave behind", async () => {
    const pool = new mp.Pool({ processes: 1, maxTasksPerChild: 1 });
    const pids = [await pool.apply(targets.leavesTimer), await pool.apply(targets.leavesTimer)];
    assert.equal(new Set(pids).size, 2);
    pool.close();
    await pool.join();
  });

  // --- TestInitializers -------------------------------------------------------------------------------------------

  // test_pool_initializer
  test(mp, "Pool calls the initializer in each worker before anything else", async () => {
    assert.throws(() => new mp.Pool({ initializer: 1 as never }), TypeError);
    await using pool = new mp.Pool({
      processes: 2,
      initializer: targets.initializesLate,
      initargs: [{ n: 7 }],
    });
    const seen = await pool.map(targets.whatWasInitialized, range(8), { chunksize: 1 });
    assert.deepEqual(seen, Array(8).fill({ n: 7 }));
  });

  test(mp, "Pool calls the initializer of each worker that replaces another", async () => {
    const [begun] = [new mp.Queue<number>()];
    await using pool = new mp.Pool({
      processes: 1,
      maxTasksPerChild: 2,
      initializer: targets.initializesLate,
      initargs: ["here", begun],
    });
    const seen: unknown[] = [];
    for (const _ of range(6)) seen.push(await pool.apply(targets.whatWasInitialized));
    assert.deepEqual(seen, Array(6).fill("here"));
    assert.equal(begun.qsize(), 3);
  });

  // --- TestPoolNotLeakOnFailure -----------------------------------------------------------------------------------

  // test_release_unused_processes
  test(
    mp,
    "Pool whose initializer throws fails all calls with one clear error, and leaves nobody",
    async () => {
      const begun = new mp.Queue<number>();
      const pool = new mp.Pool({ processes: 5, initializer: targets.initializerThrows, initargs: [begun] });
      const results = range(20).map((i) => pool.applyAsync(sqr, [i]));
      const errors = await Promise.all(results.map((result) => result.get().catch((error) => error)));
      for (const error of errors) assert.equal(error, errors[0]);
      assert.ok(errors[0] instanceof ProcessError);
      assert.match(errors[0].message, /^Cannot start a worker of .*PoolWorker: no such device$/);
      assert.ok(errors[0].cause instanceof TypeError);
      assert.equal(await pool.apply(sqr, [1]).catch((error) => error), errors[0]);
      assert.ok(begun.qsize() <= 5, `${begun.qsize()} workers were tried`);
      pool.close();
      await pool.join();
    },
  );

  test(mp, "Pool whose initializer ends its worker, or throws a text, fails all calls as well", async () => {
    for (
      const [initializer, why] of [
        [targets.initializerExits, /ended with exit code 7$/],
        [targets.initializerThrowsText, /: no such device$/],
      ] as const
    ) {
      await using pool = new mp.Pool({ processes: 2, initializer });
      await assert.rejects(pool.map(sqr, range(4)), why);
    }
  });

  // --- imap: as much as there is room for -------------------------------------------------------------------------

  for (const ordered of [true, false]) {
    const method = ordered ? "imap" : "imapUnordered";

    test(mp, `Pool.${method}() does not swallow an endless source`, async () => {
      await using pool = new mp.Pool(2);
      const source = new Endless();
      const seen: number[] = [];
      for await (const square of pool[method](sqr, source)) {
        seen.push(square);
        // Not more than two parts of one item for each worker are ahead of the reader.
        assert.ok(source.given <= seen.length + 5, `${source.given} taken, ${seen.length} read`);
        if (seen.length === 50) break;
      }
      assert.equal(source.told, true);
      const { given } = source;
      assert.deepEqual(await pool.map(sqr, [2]), [4]);
      assert.equal(source.given, given);
    });
  }

  test(mp, "Pool.imap() waits for an async source, and for a slow reader", async () => {
    await using pool = new mp.Pool(1);
    const gates = range(5).map(() => Promise.withResolvers<number>());
    let asked = 0;
    async function* source() {
      while (asked < gates.length) yield await gates[asked++]!.promise;
    }
    const results = pool.imap(sqr, source());
    const first = results.next();
    assert.equal(await isPending(first), true);
    for (const gate of gates.slice(0, 4)) gate.resolve(3);
    assert.equal((await first).value, 9);
    // Two parts are ahead of the reader.
    assert.equal(await isPending(gates[4]!.promise), true);
    assert.equal(asked, 3);
    for (const _ of range(3)) assert.equal((await results.next()).value, 9);
    const late = results.next();
    // The source is in the midst of giving an item, which nobody waits for.
    await results.return();
    assert.deepEqual(await late, { done: true, value: undefined });
    assert.equal(asked, 5);
    gates[4]!.resolve(4);
  });

  test(
    mp,
    "ImapIterator.next() throws a TimeoutError if the result takes too long, and goes on",
    async () => {
      await using pool = new mp.Pool(1);
      const [said, go] = [new mp.Queue<number>(), new mp.Queue<unknown>()];
      const results = pool.imap(targets.waitsFor, [[said, go], [said, go]]);
      const pid = await said.get();
      await assert.rejects(results.next({ timeout: 10 }), TimeoutError);
      await go.put(null);
      assert.equal((await results.next()).value, pid);
      await go.put(null);
      assert.equal((await results.next()).value, pid);
      assert.equal((await results.next()).done, true);
    },
  );

  test(mp, "Pool.imap() throws a function's error in its place and goes on behind it", async () => {
    await using pool = new mp.Pool(2);
    const results = pool.imap(targets.int, ["1", "two", "3"]);
    assert.equal((await results.next()).value, 1);
    await assert.rejects(results.next(), RangeError);
    assert.equal((await results.next()).value, 3);
    assert.equal((await results.next()).done, true);
  });

  test(mp, "Pool.close() and join() let every imap go on to its end", async () => {
    const pool = new mp.Pool(2);
    const read = pool.imap(sqr, range(30));
    const unread = pool.imapUnordered(sqr, range(30), { chunksize: 4 });
    pool.close();
    for (const square of squares(30)) assert.equal((await read.next()).value, square);
    await pool.join();
    assert.deepEqual(sorted(await Array.fromAsync(unread)), squares(30));
  });

  test(mp, "Pool.close() lets a map go on whose items are still to come", async () => {
    const pool = new mp.Pool(2);
    const gate = Promise.withResolvers<void>();
    async function* late() {
      await gate.promise;
      yield* range(10);
    }
    const result = pool.mapAsync(sqr, late());
    pool.close();
    const joined = pool.join();
    gate.resolve();
    await joined;
    assert.deepEqual(await result, squares(10));
  });

  test(mp, "Pool.terminate() ends every imap and what is still to come", async () => {
    const pool = new mp.Pool(2);
    const source = new Endless();
    const results = pool.imap(sqr, source);
    assert.equal((await results.next()).value, 0);
    const never = pool.mapAsync(
      sqr,
      (async function* () {
        yield await new Promise<number>(() => {});
      })(),
    );
    pool.terminate();
    await assert.rejects(async () => {
      for await (const _ of results);
    }, CancelledError);
    assert.equal(source.told, true);
    await assert.rejects(never.get(), CancelledError);
    await pool.join();
  });

  // --- Signals and timeouts -----------------------------------------------------------------------------------------

  test(mp, "Pool.applyAsync() with a signal ends the call in for(;;), and the pool goes on", async () => {
    await using pool = new mp.Pool(1);
    const said = new mp.Queue<number>();
    const stop = new AbortController();
    const errors: unknown[] = [];
    const result = pool.applyAsync(targets.spins, [said], {
      signal: stop.signal,
      errorCallback: (error) => errors.push(error),
    });
    const pid = await said.get();
    const reason = new Error("enough");
    stop.abort(reason);
    await assert.rejects(result.get(), (error) => error === reason);
    assert.deepEqual(errors, [reason]);
    assert.notEqual(await pool.apply(targets.pid), pid);
    assert.ok(!mp.activeChildren().some((child) => child.pid === pid));
  });

  test(mp, "Pool.applyAsync() with a timeout ends the call", async () => {
    await using pool = new mp.Pool(1);
    const said = new mp.Queue<number>();
    const result = pool.applyAsync(targets.spins, [said], { timeout: WAIT_MS });
    const { error, ms } = await timed(() => result.get());
    assert.ok(error instanceof TimeoutError);
    assert.match(error.message, /spins\(\) within 200 ms/);
    assert.ok(ms >= WAIT_MS - CLOCK_SLACK_MS, `${ms} ms`);
    assert.equal(await pool.apply(sqr, [2]), 4);
    assert.throws(() => pool.applyAsync(sqr, [2], { timeout: -1 }), ValueError);
  });

  test(mp, "Pool.applyAsync() with an aborted signal runs nothing", async () => {
    await using pool = new mp.Pool(1);
    const begun = new mp.Queue<number>();
    const result = pool.applyAsync(targets.notes, [1, begun], { signal: AbortSignal.abort("before") });
    await assert.rejects(result.get(), (reason) => reason === "before");
    assert.equal(pool.stats().size, 0);
    assert.throws(
      () => pool.imap(sqr, [1], { signal: AbortSignal.abort("before") }),
      (reason) => reason === "before",
    );
  });

  test(
    mp,
    "Pool.applyAsync() that is aborted before it has begun is not run, and nobody dies for it",
    async () => {
      await using pool = new mp.Pool(1);
      const [said, go] = [new mp.Queue<number>(), new mp.Queue<unknown>()];
      const first = pool.applyAsync(targets.waits, [said, go]);
      const pid = await said.get();
      const begun = new mp.Queue<number>();
      const stop = new AbortController();
      const second = pool.applyAsync(targets.notes, [2, begun], { signal: stop.signal });
      const third = pool.applyAsync(targets.notes, [3, begun]);
      stop.abort("changed my mind");
      await assert.rejects(second.get(), (reason) => reason === "changed my mind");
      await go.put(null);
      assert.equal(await first, pid);
      assert.equal(await third, 3);
      assert.equal(await begun.get(), 3);
      assert.equal(begun.empty(), true);
      assert.equal(await pool.apply(targets.pid), pid);
    },
  );

  test(mp, "Pool.map() with a signal ends every part, and the pool goes on", async () => {
    await using pool = new mp.Pool(2);
    const [said, go] = [new mp.Queue<number>(), new mp.Queue<unknown>()];
    const stop = new AbortController();
    const work = pool.map(targets.waitsFor, Array(50).fill([said, go]), {
      chunksize: 1,
      signal: stop.signal,
    });
    const ended = assert.rejects(work, (reason) => reason === "enough");
    const pids = [await said.get(), await said.get()];
    stop.abort("enough");
    await ended;
    assert.deepEqual(await pool.map(sqr, range(10)), squares(10));
    const left = mp.activeChildren().map((child) => child.pid);
    for (const pid of pids) assert.ok(!left.includes(pid), `worker ${pid} lives`);
    assert.equal(said.empty(), true);
  });

  test(mp, "Pool.map() with a timeout ends, also while its items are still to come", async () => {
    await using pool = new mp.Pool(1);
    let told = false;
    let tick = Promise.withResolvers<void>();
    async function* endless() {
      try {
        for (;;) {
          yield 1;
          await tick.promise;
        }
      } finally {
        told = true;
      }
    }
    await assert.rejects(pool.mapAsync(sqr, endless(), { timeout: 20 }).get(), TimeoutError);
    tick.resolve();
    tick = Promise.withResolvers();
    await delay(0);
    assert.equal(told, true);
    assert.equal(pool.stats().size, 0);
  });

  test(
    mp,
    "Pool.imap() with a signal throws its reason behind what was ready, and ends the source",
    async () => {
      await using pool = new mp.Pool(2);
      const source = new Endless();
      const stop = new AbortController();
      const results = pool.imap(sqr, source, { signal: stop.signal });
      assert.equal((await results.next()).value, 0);
      stop.abort("enough");
      const seen: number[] = [];
      await assert.rejects(async () => {
        for await (const square of results) seen.push(square);
      }, (reason) => reason === "enough");
      assert.deepEqual(seen, squares(seen.length + 1).slice(1));
      assert.equal(source.told, true);
      assert.equal((await results.next()).done, true);
      assert.deepEqual(await pool.map(sqr, range(10)), squares(10));
    },
  );

  // --- Progress -------------------------------------------------------------------------------------------------------

  test(mp, "Pool.map() and imap() tell a progress function how many items are done", async () => {
    await using pool = new mp.Pool(2);
    const told: [number, number | undefined][] = [];
    const progress = (done: number, total: number | undefined) => void told.push([done, total]);
    await pool.map(sqr, range(10), { chunksize: 2, progress });
    assert.deepEqual(told, [[2, 10], [4, 10], [6, 10], [8, 10], [10, 10]]);
    told.length = 0;
    await Array.fromAsync(pool.imap(sqr, range(3), { progress }));
    assert.deepEqual(told, [[1, 3], [2, 3], [3, 3]]);
    told.length = 0;
    await Array.fromAsync(pool.imapUnordered(sqr, range(3).values(), { progress }));
    assert.deepEqual(told, [[1, undefined], [2, undefined], [3, undefined]]);
    // Without a terminal there is no bar; with one there is, which `programs/bar.ts` shows.
    assert.deepEqual(await pool.map(sqr, range(3), { progress: true }), squares(3));
  });

  // --- Workers come and go ------------------------------------------------------------------------------------------

  test(mp, "Pool starts no worker before it is needed, and not more than are needed", async () => {
    await using pool = new mp.Pool(4);
    assert.deepEqual(mp.activeChildren(), []);
    const pids = new Set<number>();
    for (const _ of range(5)) pids.add(await pool.apply(targets.pid));
    assert.equal(pids.size, 1);
    assert.equal(pool.stats().size, 1);
  });

  test(mp, "Pool lets idle workers go after idleTimeout, down to minWorkers", async () => {
    await using pool = new mp.Pool({ processes: 3, minWorkers: 1, idleTimeout: 50 });
    const [said, go] = [new mp.Queue<number>(), new mp.Queue<unknown>()];
    const work = pool.mapAsync(targets.waitsFor, Array(3).fill([said, go]), { chunksize: 1 });
    for (const _ of range(3)) await said.get();
    const children = mp.activeChildren();
    assert.equal(children.length, 3);
    const gone = children.map((child) => child.sentinel);
    for (const _ of range(3)) await go.put(null);
    await work;
    await within(
      20_000,
      Promise.any([0, 1, 2].map((i) => Promise.all(gone.toSpliced(i, 1)))),
      "two of three",
    );
    assert.equal(pool.stats().size, 1);
    assert.deepEqual(children.map((child) => child.exitcode).filter((code) => code !== null), [0, 0]);
    assert.deepEqual(await pool.map(sqr, range(10)), squares(10));
  });

  test(mp, "Pool.stats() counts calls and times them", async () => {
    await using pool = new mp.Pool(2);
    assert.deepEqual(pool.stats(), {
      size: 0,
      busy: 0,
      queued: 0,
      done: 0,
      failed: 0,
      waitMs: { p50: 0, p90: 0, p99: 0, max: 0 },
      runMs: { p50: 0, p90: 0, p99: 0, max: 0 },
    });
    await pool.map(targets.computes, [20, 20, 20, 20], { chunksize: 1 });
    await assert.rejects(pool.apply(targets.raises, ["x"]));
    const { size, busy, queued, done, failed, waitMs, runMs } = pool.stats();
    assert.deepEqual({ busy, queued, done, failed }, { busy: 0, queued: 0, done: 4, failed: 1 });
    assert.ok(size >= 1 && size <= 2);
    assert.ok(runMs.p50 >= 19 && runMs.max >= runMs.p99 && runMs.p99 >= runMs.p90, JSON.stringify(runMs));
    assert.ok(waitMs.max > 0);
  });

  test(mp, "Pool names its workers", async () => {
    await using pool = new mp.Pool(1);
    assert.match(
      await pool.apply(targets.name),
      mp.name === "spawn" ? /^SpawnPoolWorker-1$/ : /^PoolWorker-1$/,
    );
  });

  // --- Disposal -----------------------------------------------------------------------------------------------------

  test(mp, "Pool.join() before close() is refused", async () => {
    await using pool = new mp.Pool(1);
    await assert.rejects(pool.join(), /^ValueError: Pool is still running/);
  });

  test(mp, "Pool can be closed, terminated and joined twice, in any order", async () => {
    const pool = new mp.Pool(1);
    const result = pool.applyAsync(sqr, [3]);
    pool.close();
    pool.close();
    await Promise.all([pool.join(), pool.join()]);
    assert.equal(await result, 9);
    pool.terminate();
    pool.terminate();
    await pool.join();
    await pool[Symbol.asyncDispose]();
    await pool[Symbol.asyncDispose]();
  });

  test(mp, "Pool.terminate() while close() waits ends what is left", async () => {
    const pool = new mp.Pool(1);
    const said = new mp.Queue<number>();
    const result = pool.applyAsync(targets.spins, [said]);
    await said.get();
    pool.close();
    const joined = pool.join();
    assert.equal(await isPending(joined), true);
    pool.terminate();
    await joined;
    await assert.rejects(result.get(), CancelledError);
  });

  test(mp, "Pool may be used in a child that is no daemon", async () => {
    const results = new mp.Queue<unknown>();
    await using child = new mp.Process({ target: targets.poolInside, args: [mp.name, results] });
    child.start();
    assert.deepEqual(await results.get(), [1, 4, 9, 16, 25, 36, 49]);
    await child.join();
    assert.equal(child.exitcode, 0);
  });

  test(mp, "Pool in a daemon is refused at once", async () => {
    const said = new mp.Queue<string>();
    await using child = new mp.Process({ target: targets.poolInDaemon, args: [said], daemon: true });
    child.start();
    assert.match(
      await said.get(),
      /^daemonic processes are not allowed to have children: "\w+-\d+" is a daemon/,
    );
    await child.join();
  });

  test(mp, "Pool refuses what is no function and what is no iterable", async () => {
    await using pool = new mp.Pool(1);
    assert.throws(
      () => pool.applyAsync("sqr" as never),
      /^TypeError: Cannot call sqr: it must be a function/,
    );
    assert.throws(() => pool.mapAsync(sqr, 5 as never), /^TypeError: Cannot iterate over 5/);
    assert.throws(() => pool.imap(sqr, undefined as never), /^TypeError: Cannot iterate over undefined/);
    for (const chunksize of [0, -1, 1.5]) {
      assert.throws(() => pool.imap(sqr, [], { chunksize }), ValueError);
      assert.throws(() => pool.mapAsync(sqr, [], { chunksize }), ValueError);
    }
    assert.deepEqual(mp.activeChildren(), []);
  });

  // test_worker_finalization_via_atexit_handler_of_multiprocessing
  Deno.test(`Pool that nobody closed does not keep its program up [${mp.name}]`, async () => {
    await using program = Program.deno("tests/fixtures/programs/pools.ts", [mp.name, "unclosed"]);
    const { lines, code, stderr } = await program.end();
    assert.deepEqual(lines, ["[0,1,4]", "the end"]);
    assert.equal(stderr, "");
    assert.equal(code, 0);
  });

  Deno.test(`Pool of a child dies with the child [${mp.name}]`, async () => {
    await using program = Program.deno("tests/fixtures/programs/pools.ts", [mp.name, "orphans"]);
    const { lines, code } = await program.end();
    assert.deepEqual(lines, ["2 at work", "killed", "-9"]);
    assert.equal(code, 0);
  });

  Deno.test(`Pool keeps its program up until its calls are settled [${mp.name}]`, async () => {
    await using program = Program.deno("tests/fixtures/programs/pools.ts", [mp.name, "unawaited"]);
    const { lines, code } = await program.end();
    assert.deepEqual(lines, ["the end", "called back with 9", "called back with 1,4"]);
    assert.equal(code, 0);
  });

  Deno.test(`Pool callback that throws is reported and changes nothing [${mp.name}]`, async () => {
    await using program = Program.deno("tests/fixtures/programs/pools.ts", [mp.name, "badCallbacks"]);
    const { lines, code, stderr } = await program.end();
    assert.deepEqual(lines, ["9", "[1,4]", "16"]);
    assert.match(stderr, /^Exception in a callback of a pool:\nError: callback fails/m);
    assert.match(stderr, /^Exception in a progress function:\nError: progress fails/m);
    assert.equal(code, 0);
  });
}

test(contexts()[0]!, "Pool with permissions needs OS processes", async () => {
  const [worker, spawn] = contexts();
  assert.throws(
    () => new worker!.Pool({ permissions: "none" }),
    /^ValueError: Cannot restrict the permissions/,
  );
  await using pool = new spawn!.Pool({ processes: 1, permissions: { read: true } });
  assert.equal(await pool.apply(sqr, [2]), 4);
  assert.equal(await pool.apply(targets.mayWrite), false);
});

test(contexts()[1]!, "Pool takes its context as an option", async () => {
  const [worker, spawn] = contexts();
  for (const context of [spawn!, "spawn"] as const) {
    await using pool = new worker!.Pool({ processes: 1, context });
    assert.match(await pool.apply(targets.name), /^SpawnPoolWorker/);
  }
});
