/**
 * Everything at once: children do random things with a Lock, a Semaphore, a Condition and a Queue that they share, while
 * every 50 ms one of them is killed and replaced. Nobody may hang, and what each primitive promises must hold throughout.
 *
 * `STRESS_MS` and `STRESS_SPAWN_MS` say how long it lasts (5 s and 2 s when left out), `STRESS_SEED` repeats a run as far as
 * the schedule of the processes allows; a failure names the seed.
 *
 * @module
 */
import { getContext } from "@multiprocessing/deno";
import assert from "node:assert/strict";
import { env } from "node:process";
import { type Arena, type Item, type Line, PERMITS, SharedNotes } from "../fixtures/sync_targets.ts";
import {
  KILL_EVERY_MS,
  rage,
  rageAndCheck,
  rest,
  startRaging,
  stress,
  unlessInVain,
  US,
} from "../support/stress.ts";

function newArena(method: "worker" | "spawn"): Arena {
  const mp = getContext(method);
  return {
    lock: new mp.Lock(),
    semaphore: new mp.Semaphore(PERMITS),
    condition: new mp.Condition(),
    items: new mp.Queue<Item>(16),
  };
}

/** Everything is free again. */
async function isAtRest({ lock, semaphore, condition }: Arena): Promise<void> {
  assert.equal(lock.locked(), false);
  assert.equal(await lock.acquire({ block: false }), true);
  lock.release();
  assert.equal(semaphore.getValue(), PERMITS);
  for (let i = 0; i < PERMITS; i++) assert.equal(await semaphore.acquire({ block: false }), true);
  assert.equal(await semaphore.acquire({ block: false }), false);
  for (let i = 0; i < PERMITS; i++) semaphore.release();
  assert.equal(await condition.acquire({ block: false }), true);
  condition.notifyAll();
  condition.release();
}

stress(
  "Primitives survive 8 raging children that are killed [worker]",
  Number(env.STRESS_MS ?? 5_000),
  async (ms, seed) => {
    const mp = getContext("worker");
    const crowd = 8;
    const limit = 1 + crowd + Math.ceil(ms / KILL_EVERY_MS) + 1;
    const memory = SharedNotes.memory(limit);
    const notes = new SharedNotes(memory, limit, US);
    const arena = newArena("worker");
    const { lock, semaphore, condition, items } = arena;
    notes.hello();
    let put = 0;
    const killed = await rage(crowd, ms, seed, {
      arena,
      start: (who, seed) => startRaging(mp, arena, { memory, limit }, who, seed),
      isThere: (who) => notes.isThere(who),
      condemned: (who) => notes.condemned(who),
      stop: () => notes.stop(),
      doing: (who) => `${who} (deed ${notes.row(6, who)}, ${notes.row(4, who) === 1 ? "" : "not "}taking)`,
      async turn() {
        assert.equal(await lock.acquire(), true);
        notes.lockIn(lock.abandoned);
        notes.lockOut();
        lock.release();
        assert.equal(await semaphore.acquire(), true);
        notes.semaphoreIn();
        notes.semaphoreOut();
        semaphore.release();
        {
          using _ = await condition.guard();
          notes.credit();
          condition.notify();
        }
        if (await unlessInVain(items.put([US, put], { block: false }))) notes.acknowledged(put++);
        else await unlessInVain(items.get({ block: false }).then((item) => notes.took(item)));
      },
    });
    await isAtRest(arena);
    for (const item of await rest(items)) notes.took(item);
    // Lost may be only what somebody was just taking who was killed.
    const inHand = [...killed].filter((who) => notes.row(4, who) === 1).length;
    const lost = notes.lost();
    assert.ok(lost.length <= inHand, `lost: ${lost.join("; ")}, with ${inHand} items in dead hands`);
    // It was no idle run.
    const { done } = notes;
    for (const [what, times] of Object.entries(done)) assert.ok(times > 20, `${what}: only ${times} times`);
  },
);

stress(
  "Primitives survive 4 raging children that are killed [spawn]",
  Number(env.STRESS_SPAWN_MS ?? 2_000),
  async (ms, seed) => {
    const mp = getContext("spawn");
    const arena = newArena("spawn");
    const log = new mp.Queue<Line>();
    await rageAndCheck(arena, log, new mp.Event(), 4, ms, seed, () => mp);
    await isAtRest(arena);
  },
);
