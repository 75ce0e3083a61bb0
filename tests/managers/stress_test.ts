/**
 * Everything at once, with the primitives of a manager that another program serves over TCP: children of both start
 * methods, each with a connection of its own, do random things with a Lock, a Semaphore, a Condition and a Queue, while
 * every 50 ms one of them is killed and replaced. Nobody may hang, and what each primitive promises must hold throughout.
 *
 * `STRESS_TCP_MS` says how long it lasts (2 s when left out), `STRESS_SEED` repeats a run as far as the schedule of the
 * processes allows; a failure names the seed.
 *
 * @module
 */
import { Event, getContext, type Queue, SyncManager } from "@multiprocessing/deno";
import assert from "node:assert/strict";
import { env } from "node:process";
import { type Arena, type Item, type Line, PERMITS } from "../fixtures/sync_targets.ts";
import { within } from "../support/gates.ts";
import { Program } from "../support/program.ts";
import { HANG_MS, rageAndCheck, stress } from "../support/stress.ts";

stress(
  "The primitives of a manager over TCP survive 4 raging children that are killed",
  Number(env.STRESS_TCP_MS ?? 2_000),
  async (ms, seed) => {
    await using program = Program.deno("tests/fixtures/programs/manager_server.ts", ["key"], 60_000 + ms);
    const [, port] = await program.line(/^port (\d+)$/);
    await using manager = new SyncManager({
      address: { hostname: "127.0.0.1", port: Number(port) },
      authkey: new TextEncoder().encode("key"),
    });
    await manager.connect();
    const lock = manager.Lock();
    const semaphore = manager.Semaphore(PERMITS);
    const condition = manager.Condition();
    const items = manager.Queue<Item>(16);
    // The proxies have all that a child uses when it notes on a queue. That queue is the manager's too: what somebody has
    // said is known there before his death is.
    const arena = { lock, semaphore, condition, items } as unknown as Arena;
    const log = manager.Queue<Line>() as unknown as Queue<Line>;
    const contexts = [getContext("worker"), getContext("spawn")] as const;
    await rageAndCheck(arena, log, new Event(), 4, ms, seed, (who) => contexts[who % 2]!);

    // Everything is free again, once the server has learned of all the deaths.
    await within(
      HANG_MS,
      (async () => {
        assert.equal(await lock.acquire(), true);
        for (let i = 0; i < PERMITS; i++) assert.equal(await semaphore.acquire(), true);
        assert.equal(await condition.acquire(), true);
      })(),
      "what the dead have held",
    );
    assert.equal(await semaphore.acquire({ block: false }), false);
    await condition.notifyAll();
    await condition.release();
    await lock.release();
    assert.equal(await lock.locked(), false);
  },
);
