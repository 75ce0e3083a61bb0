/**
 * What goes to the workers of a Pool and comes back, for each start method: values, handles, errors, and what of them
 * cannot travel. The names in comments are those of CPython's tests (`_test_multiprocessing.py`).
 *
 * @module
 */
import {
  type Connection,
  type Context,
  PicklingError,
  ref,
  RemoteError,
  RemoteTraceback,
} from "@multiprocessing/deno";
import assert from "node:assert/strict";
import * as targets from "../fixtures/pool_targets.ts";
import { arrow, puts, renamed } from "../fixtures/other_targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { within } from "../support/gates.ts";

const { sqr, Point, Brittle } = targets;
const range = (length: number) => Array.from({ length }, (_, i) => i);

/** The error of a call, which must fail. */
async function errorOf(call: PromiseLike<unknown>): Promise<Error> {
  const settled = Promise.resolve(call).then(() => assert.fail("it gave a result"), (error) => error);
  return await within(20_000, settled, "the call");
}

/** Has the worker know that calls are short, so that it is given several ahead of time. */
async function quicken(pool: InstanceType<Context["Pool"]>): Promise<void> {
  await pool.map(targets.sqrAtOnce, range(100), { chunksize: 1 });
}

for (const mp of contexts()) {
  // --- Functions --------------------------------------------------------------------------------------------------

  test(mp, "Pool calls functions of any module", async () => {
    await using pool = new mp.Pool(1);
    const out = new mp.Queue<string>();
    for (const target of [puts, renamed, arrow]) await pool.apply(target, [out]);
    const texts = ["the namesake in the other module", "exported under another name", "an arrow function"];
    for (const text of texts) assert.equal(await out.get(), text);
    const named = ref(import.meta.resolve("../fixtures/pool_targets.ts"), "sqr");
    assert.equal(await pool.apply(named, [5]), 25);
  });

  test(mp, "Pool refuses a function that no module exports, each time, and goes on", async () => {
    await using pool = new mp.Pool(1);
    const hidden = (n: number) => n + 1;
    for (const _ of range(3)) {
      const error = await errorOf(pool.apply(hidden, [1]));
      assert.ok(error instanceof PicklingError, `${error}`);
      assert.match(error.message, /^Cannot run function hidden in another process: .*; export it/);
    }
    assert.ok(await errorOf(pool.apply(Math.max, [1])) instanceof PicklingError);
    assert.ok(await errorOf(pool.map(sqr.bind(null), [1])) instanceof PicklingError);
    await assert.rejects(pool.imap(hidden, [1]).next(), PicklingError);
    const missing = ref(import.meta.resolve("../fixtures/pool_targets.ts"), "missing");
    assert.ok(await errorOf(pool.apply(missing)) instanceof PicklingError);
    const nowhere = ref(import.meta.resolve("../fixtures/no_such_module.ts"), "work");
    assert.match(
      (await errorOf(pool.apply(nowhere))).message,
      /^Cannot import module .*no_such_module\.ts for work\(\)/,
    );
    assert.equal(await pool.apply(sqr, [3]), 9);
  });

  // --- Arguments and results --------------------------------------------------------------------------------------

  // test_map_unplicklable
  test(mp, "Pool refuses arguments that cannot travel, by their path, and goes on", async () => {
    await using pool = new mp.Pool(2);
    const bad = { deep: [() => 42] };
    const cases: [() => PromiseLike<unknown>, RegExp][] = [
      [
        () => pool.apply(targets.identity, [bad]),
        /^Cannot send args\[0\]\.deep\[0\] to process ".*": it is a function/,
      ],
      [
        () => pool.map(targets.identity, Array(10).fill(bad)),
        /^Cannot send iterable\[\d\]\.deep\[0\] to process/,
      ],
      [
        () => pool.map(targets.identity, [...range(17), bad], { chunksize: 5 }),
        /^Cannot send iterable\[17\]\.deep\[0\] /,
      ],
      [
        () => pool.starmap(targets.mul, [[1, 2], [1, bad as never]]),
        /^Cannot send iterable\[1\]\[1\]\.deep\[0\] /,
      ],
      [
        () => Array.fromAsync(pool.imap(targets.identity, [1, 2, 3, bad])),
        /^Cannot send iterable\[3\]\.deep\[0\] /,
      ],
    ];
    for (const [call, message] of cases) {
      const error = await errorOf(call());
      assert.ok(error instanceof PicklingError);
      assert.match(error.message, message);
    }
    assert.deepEqual(await pool.map(sqr, range(10)), range(10).map((i) => i * i));
    // The same once the worker knows the function.
    await pool.apply(targets.identity, [1]);
    assert.match(
      (await errorOf(pool.apply(targets.identity, [1, bad] as never))).message,
      /^Cannot send args\[1\]\.deep/,
    );
  });

  test(mp, "Pool with initargs that cannot travel fails its calls and says where", async () => {
    await using pool = new mp.Pool({
      processes: 1,
      initializer: targets.initializes,
      initargs: [{ on: () => 42 }],
    });
    assert.match(
      (await errorOf(pool.apply(sqr, [3]))).message,
      /Cannot send initargs\[0\]\.on to .*: it is a function/,
    );
    assert.deepEqual(mp.activeChildren(), []);
  });

  // test_unpickleable_result
  test(mp, "Pool call whose result cannot travel fails, by the path, and no worker is lost", async () => {
    await using pool = new mp.Pool(1);
    const pid = await pool.apply(targets.pid);
    for (const _ of range(20)) {
      const seen: unknown[] = [];
      const result = pool.applyAsync(targets.unsendable, [], { errorCallback: (error) => seen.push(error) });
      const error = await errorOf(result);
      assert.ok(error instanceof PicklingError);
      assert.match(
        error.message,
        /^Cannot send result\.deep\[0\] to the process that asked for it: it is a function/,
      );
      assert.deepEqual(seen, [error]);
    }
    assert.equal(await pool.apply(targets.pid), pid);
  });

  test(mp, "Pool takes and gives instances of registered classes, from the first call on", async () => {
    for (const [call, result] of [[targets.lengthOf, 5], [targets.doubled, new Point(6, 8)]] as const) {
      await using pool = new mp.Pool(1);
      for (const _ of range(2)) {
        assert.deepEqual(await pool.apply<[targets.Point], unknown>(call, [new Point(3, 4)]), result);
      }
    }
    await using pool = new mp.Pool({
      processes: 1,
      initializer: targets.initializesPoint,
      initargs: [new Point(6, 8)],
    });
    assert.equal(await pool.apply(targets.whatWasInitialized), 10);
    const results = await pool.map(targets.doubled, [new Point(1, 2), new Point(3, 4)]);
    assert.ok(results.every((point) => point instanceof Point));
  });

  test(
    mp,
    "Pool call whose argument cannot be rebuilt in the worker fails, and no worker is lost",
    async () => {
      await using pool = new mp.Pool(1);
      const pid = await pool.apply(targets.pid);
      assert.equal(await pool.apply(targets.takes, [new Brittle("parent")]), "parent");
      for (const _ of range(3)) {
        const error = await errorOf(pool.apply(targets.takes, [new Brittle("child")]));
        assert.match(error.message, /Brittle.* cannot be rebuilt: TypeError: it broke in the child/);
      }
      assert.equal(await pool.apply(targets.pid), pid);
    },
  );

  test(mp, "Pool call whose result cannot be rebuilt here fails, and no worker is lost", async () => {
    await using pool = new mp.Pool(1);
    const pid = await pool.apply(targets.pid);
    for (const _ of range(3)) {
      const error = await errorOf(pool.apply(targets.gives, ["parent"]));
      assert.match(error.message, /Brittle.* cannot be rebuilt: TypeError: it broke in the parent/);
    }
    assert.ok(await pool.apply(targets.gives, ["child"]) instanceof Brittle);
    assert.equal(await pool.apply(targets.pid), pid);
  });

  test(mp, "Pool takes and gives 10 MB", async () => {
    await using pool = new mp.Pool(2);
    const large = new Uint8Array(10_000_000).fill(2);
    assert.equal(await pool.apply(targets.sum, [large]), 20_000_000);
    const back = await pool.map(targets.identity<Uint8Array>, [large, large]);
    for (const bytes of back) assert.ok(bytes.length === large.length && bytes[9_999_999] === 2);
    assert.equal(large.length, 10_000_000);
  });

  test(mp, "Pool.applyAsync() with transfer moves a buffer instead of copying it", async () => {
    await using pool = new mp.Pool(1);
    const moved = new Uint8Array(1_000_000).fill(1);
    assert.equal(await pool.applyAsync(targets.sum, [moved], { transfer: [moved.buffer] }), 1_000_000);
    assert.equal(moved.length, 0);
    const refused = new Uint8Array(10);
    const error = await errorOf(
      pool.applyAsync(targets.identity, [[refused, () => 42]], { transfer: [refused.buffer] }),
    );
    assert.ok(error instanceof PicklingError);
    assert.equal(refused.length, 10);
  });

  // --- Handles ----------------------------------------------------------------------------------------------------

  test(mp, "Pool takes queues and locks among the arguments, and gives them back", async () => {
    await using pool = new mp.Pool(2);
    const [queue, lock] = [new mp.Queue<number>(), new mp.Lock()];
    const jobs = range(20).map((i): [number, typeof queue, typeof lock] => [i, queue, lock]);
    assert.deepEqual(await pool.starmap(targets.delivers, jobs, { chunksize: 1 }), Array(20).fill(true));
    const seen = new Set<number>();
    for (const _ of jobs) seen.add(await queue.get());
    assert.equal(seen.size, 20);
    const { here } = await pool.apply(targets.givesBack<typeof queue>, [queue]);
    assert.ok(here instanceof mp.Queue);
    await here.put(7);
    assert.equal(await queue.get(), 7);
  });

  test(mp, "Pool takes connections among the arguments, which hang up with the call", async () => {
    await using pool = new mp.Pool(2);
    const pipes = range(4).map(() => mp.Pipe<number>());
    const answers = pool.map(targets.answersOn, pipes.map(([, theirs]) => theirs), { chunksize: 1 });
    for (const [i, [mine]] of pipes.entries()) {
      await mine.send(i);
      assert.equal(await mine.recv(), i * 2);
    }
    await answers;
    for (const [mine] of pipes) await assert.rejects(mine.recv(), { name: "EOFError" });
  });

  for (const kind of ["buffers", "connections"] as const) {
    test(
      mp,
      `Pool calls with ${kind} that were given ahead of time are taken back and run by others`,
      async () => {
        await using pool = new mp.Pool(2);
        const said = new mp.Queue<number>();
        for (const _ of range(5)) {
          await quicken(pool);
          const received: Connection<unknown>[] = [];
          const make = {
            buffers(i: number) {
              const bytes = new Uint8Array(1_000).fill(i);
              return pool.applyAsync(targets.sum, [bytes], { transfer: [bytes.buffer] });
            },
            connections(i: number) {
              const [mine, theirs] = mp.Pipe();
              received.push(mine);
              return pool.applyAsync(targets.sends, [theirs, i * 1_000]);
            },
          }[kind];
          // Whoever spins has calls behind it, which the other one has to do.
          const stop = new AbortController();
          const spinning = pool.applyAsync(targets.spins, [said], { signal: stop.signal });
          const calls: PromiseLike<unknown>[] = [];
          for (const i of range(40)) calls.push(make(i));
          await said.get();
          const results: unknown[] = await within(20_000, Promise.all(calls), "the calls behind");
          const sums = received.length > 0 ? await Promise.all(received.map((mine) => mine.recv())) : results;
          assert.deepEqual(sums, range(40).map((i) => i * 1_000));
          // Nobody else holds the other ends: not the worker that had them first, nor we.
          for (const mine of received) {
            await assert.rejects(within(20_000, mine.recv(), "recv()"), { name: "EOFError" });
          }
          stop.abort("enough");
          await assert.rejects(spinning.get(), (reason) => reason === "enough");
        }
      },
    );
  }

  // --- Errors -----------------------------------------------------------------------------------------------------

  test(mp, "Pool errors keep their class, message, own properties and cause", async () => {
    await using pool = new mp.Pool(1);
    const overdrawn = await errorOf(pool.apply(targets.throwsOverdrawn, [7])) as targets.Overdrawn;
    assert.ok(overdrawn instanceof targets.Overdrawn);
    assert.deepEqual([overdrawn.message, overdrawn.by, overdrawn.double()], ["overdrawn by 7", 7, 14]);
    assert.ok(overdrawn.cause instanceof RemoteTraceback);
    assert.match(overdrawn.cause.message, /overdrawn by 7\n\s+at throwsOverdrawn/);

    const registered = await errorOf(pool.apply(targets.throwsRegistered)) as targets.Registered;
    assert.ok(registered instanceof targets.Registered);
    assert.equal(registered.code, 4);

    const caused = await errorOf(pool.apply(targets.throwsWithCause));
    assert.equal(caused.message, "outer");
    assert.ok(caused.cause instanceof RemoteTraceback);
    assert.ok(caused.cause.cause instanceof RangeError);

    const both = await errorOf(pool.apply(targets.throwsAggregate)) as AggregateError;
    assert.ok(both instanceof AggregateError);
    assert.ok(both.errors[0] instanceof TypeError && both.errors[1] instanceof RangeError);
  });

  test(mp, "Pool throws what the function threw, also if that is no error", async () => {
    await using pool = new mp.Pool(1);
    for (const value of ["a text", 42, null, undefined, { code: 7 }]) {
      const thrown = await pool.apply(targets.throwsValue, [value]).then(
        () => assert.fail(),
        (thrown) => thrown,
      );
      assert.deepEqual(thrown, value);
    }
  });

  test(mp, "Pool error that cannot travel becomes one that can, and no worker is lost", async () => {
    await using pool = new mp.Pool(1);
    const pid = await pool.apply(targets.pid);
    const partly = await errorOf(pool.apply(targets.throwsUnsendable)) as Error & {
      handler: string;
      code: number;
    };
    assert.deepEqual([partly.message, partly.code, typeof partly.handler], ["with a handler", 7, "string"]);
    const fn = await errorOf(pool.apply(targets.throwsFunction));
    assert.ok(fn instanceof RemoteError);
    assert.match(fn.message, /^\(\) ?=> ?42$/);
    const nameless = await errorOf(pool.apply(targets.throwsNameless));
    assert.ok(nameless instanceof RemoteError);
    assert.equal(await pool.apply(targets.pid), pid);
  });

  test(mp, "Pool error that is thrown again and again does not grow", async () => {
    await using pool = new mp.Pool(1);
    for (const _ of range(3)) {
      const error = await errorOf(pool.apply(targets.throwsTheSame));
      assert.ok(error.cause instanceof RemoteTraceback);
      assert.equal(error.cause.cause, undefined);
    }
  });
}
