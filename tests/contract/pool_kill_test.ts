/**
 * Pool whose workers die, for each start method: every call settles once, the pool goes on, and nobody is left.
 *
 * `POOL_KILL_TASKS` says how many calls the long test makes, `POOL_KILL_SEED` repeats its choices.
 *
 * @module
 */
import { type Context, type Process, ProcessError } from "@multiprocessing/deno";
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import * as targets from "../fixtures/pool_targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { within } from "../support/gates.ts";

const { sqr } = targets;

/** So many workers the long test kills, and for so long at most. */
const MOST_KILLED = 200;
const KILLING_MS = 12_000;
const range = (length: number) => Array.from({ length }, (_, i) => i);

/** What a death says of itself. */
interface Facts extends Error {
  worker: string;
  pid: number;
  exitcode: number;
  running: string;
}

/** Waits for the end of a call that must fail because its worker died, and gives what is said of it. */
async function deathOf(call: PromiseLike<unknown>): Promise<Facts> {
  const error = await Promise.resolve(call).then(() => assert.fail("it gave a result"), (error) => error);
  assert.ok(error instanceof ProcessError, `${error}`);
  return error as Facts;
}

function workerOf(mp: Context, pid: number): Process {
  return mp.activeChildren().find((child) => child.pid === pid)!;
}

/** Numbers that are the same again for the same seed. */
function random(seed: number): () => number {
  return () => (seed = seed * 1_103_515_245 + 12_345 & 0x7fff_ffff) / 0x8000_0000;
}

for (const mp of contexts()) {
  for (const [how, exitcode] of [["terminate", -15], ["kill", -9]] as const) {
    test(mp, `Pool call whose worker is ended by ${how}() fails, and says who, how and at what`, async () => {
      await using pool = new mp.Pool(2);
      const said = new mp.Queue<number>();
      const call = pool.applyAsync(targets.spins, [said]);
      const other = pool.map(sqr, range(100), { chunksize: 1 });
      const pid = await said.get();
      const worker = workerOf(mp, pid);
      worker[how]();
      const death = await deathOf(call);
      assert.deepEqual(
        [death.worker, death.pid, death.exitcode, death.running],
        [worker.name, pid, exitcode, "spins"],
      );
      assert.equal(
        death.message,
        `Cannot finish spins(): worker "${worker.name}" was ended by signal ${-exitcode} while running spins()`,
      );
      assert.deepEqual(await other, range(100).map((i) => i * i));
      assert.deepEqual(await pool.map(sqr, range(10)), range(10).map((i) => i * i));
    });
  }

  for (const [target, args, exitcode] of [["exits", [3], 3], ["exits", [0], 0]] as const) {
    test(mp, `Pool call that ends its worker with exit code ${exitcode} fails`, async () => {
      await using pool = new mp.Pool(1);
      const death = await deathOf(pool.apply(targets[target], [...args]));
      assert.equal(death.exitcode, exitcode);
      assert.match(death.message, /worker "\w+-1" ended with exit code \d while running exits\(\)$/);
      assert.equal(await pool.apply(sqr, [3]), 9);
    });
  }

  test(mp, "Pool call that needs more than maxMemoryMb fails, and the program lives", async () => {
    await using pool = new mp.Pool({ processes: 1, maxMemoryMb: 64 });
    assert.equal(await pool.apply(sqr, [3]), 9);
    const death = await deathOf(pool.apply(targets.devours));
    assert.equal(death.running, "devours");
    assert.notEqual(death.exitcode, 0);
    assert.equal(await pool.apply(sqr, [4]), 16);
  });

  test(
    mp,
    "Pool call whose argument ends the worker that rebuilds it fails, and is not tried on others",
    async () => {
      await using pool = new mp.Pool(2);
      for (const known of [false, true]) {
        // The first call of a function goes another way than the later ones.
        if (known) await pool.apply(targets.identity, [0]);
        const death = await deathOf(
          within(10_000, pool.apply(targets.identity, [new targets.Deadly(9)]), "the call"),
        );
        assert.deepEqual([death.exitcode, death.running], [9, "identity"]);
        assert.equal(await pool.apply(sqr, [3]), 9);
      }
      assert.equal(pool.stats().failed, 2);
    },
  );

  test(mp, "Pool worker that dies idle is replaced, and no call fails", async () => {
    await using pool = new mp.Pool(2);
    const pid = await pool.apply(targets.pid);
    const worker = workerOf(mp, pid);
    worker.kill();
    await worker.sentinel;
    assert.deepEqual(await pool.map(sqr, range(20), { chunksize: 1 }), range(20).map((i) => i * i));
    assert.equal(mp.activeChildren().some((child) => child.pid === pid), false);
  });

  test(
    mp,
    "Pool worker that ends itself behind its answer costs no call more than the one it is at",
    async () => {
      await using pool = new mp.Pool(1);
      for (const _ of range(5)) {
        assert.equal(await pool.apply(targets.diesLater), "answered");
        const error = await pool.apply(sqr, [3]).then(() => undefined, (error) => error);
        if (error !== undefined) assert.equal(error.exitcode, 5);
      }
      assert.equal(await pool.apply(sqr, [3]), 9);
    },
  );

  test(mp, "Pool worker that is killed while it starts costs no call", async () => {
    const begun = new mp.Queue<number>();
    await using pool = new mp.Pool({
      processes: 1,
      initializer: targets.initializesLate,
      initargs: ["here", begun],
    });
    const call = pool.applyAsync(targets.whatWasInitialized);
    workerOf(mp, await begun.get()).kill();
    assert.equal(await call, "here");
    assert.ok(await begun.get());
  });

  test(mp, "Pool calls behind the one that is killed are run by others", async () => {
    await using pool = new mp.Pool(1);
    // Short calls, so that several of them are given to the worker ahead of time.
    await pool.map(targets.sqrAtOnce, range(200), { chunksize: 1 });
    const said = new mp.Queue<number>();
    const call = pool.applyAsync(targets.spins, [said]);
    const behind = range(50).map((i) => pool.applyAsync(targets.sqrAtOnce, [i]));
    workerOf(mp, await said.get()).kill();
    await deathOf(call);
    assert.deepEqual(await Promise.all(behind), range(50).map((i) => i * i));
  });

  test(mp, "Pool call that is aborted among those given ahead of time ends, and only that one", async () => {
    await using pool = new mp.Pool(1);
    const said = new mp.Queue<number>();
    for (const _ of range(10)) {
      await pool.map(targets.sqrAtOnce, range(100), { chunksize: 1 });
      const before = range(20).map((i) => pool.applyAsync(targets.sqrAtOnce, [i]));
      const stop = new AbortController();
      const call = pool.applyAsync(targets.spins, [said], { signal: stop.signal });
      const behind = range(20).map((i) => pool.applyAsync(targets.sqrAtOnce, [i]));
      // It says so itself, at once; what it answered before may not have been heard yet.
      await said.get();
      stop.abort("enough");
      await assert.rejects(call.get(), (reason) => reason === "enough");
      assert.deepEqual(
        await Promise.all([...before, ...behind]),
        [...range(20), ...range(20)].map((i) => i * i),
      );
    }
  });

  test(mp, "Pool call with large arguments ends in time though the line to its worker is full", async () => {
    await using pool = new mp.Pool(1);
    await pool.map(targets.sqrAtOnce, range(200), { chunksize: 1 });
    const said = new mp.Queue<number>();
    const call = pool.applyAsync(targets.spins, [said], { timeout: 100 });
    const large = new Uint8Array(60_000).fill(1);
    const behind = range(60).map(() => pool.applyAsync(targets.sum, [large]));
    await said.get();
    await assert.rejects(call.get(), /within 100 ms/);
    assert.deepEqual(await Promise.all(behind), Array(60).fill(60_000));
  });

  test(mp, "Pool worker that is killed while its result is under way leaves no call unsettled", async () => {
    await using pool = new mp.Pool(2);
    const next = random(7);
    for (const _ of range(8)) {
      const calls = range(2).map((i) => pool.apply(targets.bytes, [4_000_000, i]));
      const settled = Promise.allSettled(calls);
      await delay(next() * 20);
      const workers = mp.activeChildren();
      workers[Math.floor(next() * workers.length)]?.kill();
      for (const [i, call] of (await within(20_000, settled, "every call")).entries()) {
        if (call.status === "fulfilled") assert.deepEqual(call.value.subarray(0, 2), new Uint8Array([i, i]));
        else assert.ok(call.reason instanceof ProcessError, `${call.reason}`);
      }
    }
    assert.deepEqual(await pool.map(sqr, range(10)), range(10).map((i) => i * i));
  });

  test(
    mp,
    "Pool of 4 with thousands of calls while a worker is killed every 20 ms settles each call once",
    async () => {
      const tasks = Number(Deno.env.get("POOL_KILL_TASKS") ?? 10_000);
      const seed = Number(Deno.env.get("POOL_KILL_SEED") ?? Date.now() % 1e6);
      const next = random(seed);
      const settled = new Uint8Array(tasks);
      const deaths: Facts[] = [];
      const killed = new Map<number, string>();
      await using pool = new mp.Pool(4);
      const calls = range(tasks).map((i) => {
        const note = () => void settled[i]!++;
        return pool.applyAsync(targets.worksALittle, [i], { callback: note, errorCallback: note });
      });
      const endMs = performance.now() + KILLING_MS;
      const killer = setInterval(() => {
        // On a busy machine workers are killed faster than they start, so there has to be an end of it.
        if (killed.size === MOST_KILLED || performance.now() > endMs) return clearInterval(killer);
        const workers = mp.activeChildren();
        const worker = workers[Math.floor(next() * workers.length)];
        if (worker?.pid === undefined) return; // one that has no id yet is none to be named
        killed.set(worker.pid, worker.name);
        worker.kill();
      }, 20);
      try {
        for (const [i, call] of calls.entries()) {
          try {
            assert.equal(await call, i * i);
          } catch (error) {
            assert.ok(error instanceof ProcessError, `seed ${seed}: ${error}`);
            deaths.push(error as Facts);
          }
        }
      } finally {
        clearInterval(killer);
      }
      assert.ok(killed.size > 0);
      assert.deepEqual([...settled], Array(tasks).fill(1), `seed ${seed}`);
      for (const { message, worker, pid, exitcode, running } of deaths) {
        assert.equal(worker, killed.get(pid), `seed ${seed}`);
        assert.deepEqual([exitcode, running], [-9, "worksALittle"], `seed ${seed}: ${message}`);
        assert.ok(message.includes(`"${worker}"`) && message.includes("worksALittle()"), message);
      }
      // A worker that dies takes one call along at most.
      assert.equal(new Set(deaths.map(({ pid }) => pid)).size, deaths.length, `seed ${seed}`);
      const { done, failed, queued } = pool.stats();
      assert.deepEqual({ done, failed, queued }, {
        done: tasks - deaths.length,
        failed: deaths.length,
        queued: 0,
      });
      assert.deepEqual(await pool.map(sqr, range(100), { chunksize: 1 }), range(100).map((i) => i * i));
    },
  );
}
