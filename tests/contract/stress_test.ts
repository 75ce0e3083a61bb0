/**
 * Everything at once: children do random things with a Lock, a Semaphore, a Condition and a Queue that they share, while
 * every 50 ms one of them is killed and replaced. Nobody may hang, and what each primitive promises must hold throughout.
 *
 * `STRESS_MS` and `STRESS_SPAWN_MS` say how long it lasts (5 s and 2 s when left out), `STRESS_SEED` repeats a run as far as
 * the schedule of the processes allows; a failure names the seed.
 *
 * @module
 */
import { Empty, Full, getContext, type Process, type Queue, ShutDown } from "@multiprocessing/deno";
import assert from "node:assert/strict";
import { env } from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import {
  type Arena,
  type Item,
  type Line,
  type NotesAt,
  PERMITS,
  rages,
  random,
  SharedNotes,
} from "../fixtures/sync_targets.ts";
import { within } from "../support/gates.ts";

const KILL_EVERY_MS = 50;
/** A busy machine starts children slowly: it goes on until so many were killed. */
const LEAST_KILLED = 3;
/** How long anything may take that everybody's progress depends on: with a death on the way, and a busy machine. */
const HANG_MS = 10_000;
const US = 0;

interface Run {
  arena: Arena;
  at: NotesAt;
  /** Whether the child has said that it is there. */
  isThere(who: number): boolean;
  /** Called before a child is killed. */
  condemned(who: number): void;
  /** What we do between the kills: it must come to an end, and keeps the others supplied. */
  turn(): Promise<void>;
  stop(): void;
  /** What a child that hangs is doing, as far as we know. */
  doing(who: number): string;
}

function newArena(method: "worker" | "spawn"): Arena {
  const mp = getContext(method);
  return {
    lock: new mp.Lock(),
    semaphore: new mp.Semaphore(PERMITS),
    condition: new mp.Condition(),
    items: new mp.Queue<Item>(16),
  };
}

/** Fills the arena with children for so long, and until some were killed, and empties it again. */
async function rage(
  method: "worker" | "spawn",
  crowd: number,
  ms: number,
  seed: number,
  run: Run,
): Promise<{ killed: Set<number> }> {
  const mp = getContext(method);
  const below = random(seed);
  const children = new Map<number, Process>();
  const killed = new Set<number>();
  const ends: Promise<void>[] = [];
  let next = US + 1;
  const start = () => {
    const who = next++;
    const child = new mp.Process({ target: rages, args: [run.arena, run.at, who, seed + who] }) as Process;
    child.start();
    children.set(who, child);
  };
  try {
    while (children.size < crowd) start();
    const end = performance.now() + ms;
    while (performance.now() < end || killed.size < LEAST_KILLED) {
      await delay(KILL_EVERY_MS);
      for (const [who, child] of children) {
        assert.equal(child.exitcode, null, `child ${who} ended by itself; its error is above`);
      }
      await within(HANG_MS, run.turn(), "our own turn");
      const there = [...children.keys()].filter((who) => run.isThere(who));
      if (there.length === 0) continue;
      const who = there[below(there.length)]!;
      const victim = children.get(who)!;
      children.delete(who);
      killed.add(who);
      run.condemned(who);
      const code = below(2) === 0 ? -9 : -15;
      if (code === -9) victim.kill();
      else victim.terminate();
      ends.push((async () => {
        await within(HANG_MS, victim.join(), `the end of child ${who}`);
        assert.equal(victim.exitcode, code, `child ${who}`);
      })());
      ends.at(-1)!.catch(() => {});
      start();
    }
    run.stop();
    run.arena.items.shutdown();
    const all = [...children].map(async ([who, child]) => {
      // One that waits in the condition may have come there just before it was told.
      while (child.exitcode === null) {
        {
          using _ = await run.arena.condition.guard();
          run.arena.condition.notifyAll();
        }
        await child.join({ timeout: 50 });
      }
      assert.equal(child.exitcode, 0, `child ${who}; its error is above`);
    });
    try {
      await within(2 * HANG_MS, Promise.all([...all, ...ends]), "the end of all children");
    } catch (error) {
      const hanging = [...children].filter(([, child]) => child.exitcode === null).map(([who]) =>
        run.doing(who)
      );
      throw new Error(`${(error as Error).message}; still there: ${hanging.join(", ")}`, { cause: error });
    }
    return { killed };
  } finally {
    for (const child of mp.activeChildren()) {
      child.kill();
      await child.join();
    }
    await Promise.allSettled(ends);
  }
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

async function rest(items: Queue<Item>): Promise<Item[]> {
  const left: Item[] = [];
  try {
    for (;;) left.push(await items.get({ block: false }));
  } catch (error) {
    if (!(error instanceof ShutDown)) throw error;
  }
  return left;
}

/** What is refused for want of room, or of an item, is no failure. */
async function unlessInVain(deed: Promise<unknown>): Promise<boolean> {
  try {
    await deed;
    return true;
  } catch (error) {
    if (error instanceof Full || error instanceof Empty) return false;
    throw error;
  }
}

function stress(name: string, ms: number, body: (ms: number, seed: number) => Promise<void>): void {
  Deno.test(`${name} for ${ms} ms`, async () => {
    const seed = Number(env.STRESS_SEED ?? Math.floor(Math.random() * 2 ** 31));
    try {
      await body(ms, seed);
    } catch (error) {
      throw new Error(`failed with STRESS_SEED=${seed}: ${(error as Error).message}`, { cause: error });
    }
  });
}

stress(
  "Primitives survive 8 raging children that are killed [worker]",
  Number(env.STRESS_MS ?? 5_000),
  async (
    ms,
    seed,
  ) => {
    const crowd = 8;
    const limit = 1 + crowd + Math.ceil(ms / KILL_EVERY_MS) + 1;
    const memory = SharedNotes.memory(limit);
    const notes = new SharedNotes(memory, limit, US);
    const arena = newArena("worker");
    const { lock, semaphore, condition, items } = arena;
    notes.hello();
    let put = 0;
    const { killed } = await rage("worker", crowd, ms, seed, {
      arena,
      at: { memory, limit },
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
  async (
    ms,
    seed,
  ) => {
    const { Queue, Event } = getContext("spawn");
    const arena = newArena("spawn");
    const { lock, semaphore, condition, items } = arena;
    const [log, stop] = [new Queue<Line>(), new Event()];
    const lines: Line[] = [];
    const greeted = new Set<number>();
    const reading = (async () => {
      for await (const line of log) {
        lines.push(line);
        if (line[1] === "hello") greeted.add(line[0]);
      }
    })();
    let put = 0;
    const note = (what: string, detail?: unknown) => log.put([US, what, detail]);
    let killed: Set<number>;
    try {
      ({ killed } = await rage("spawn", 4, ms, seed, {
        arena,
        at: { log, stop },
        isThere: (who) => greeted.has(who),
        condemned: () => {},
        stop: () => stop.set(),
        doing: (who) => `${who} (${lines.findLast((line) => line[0] === who)})`,
        async turn() {
          assert.equal(await lock.acquire(), true);
          await note("lock in");
          await note("lock out");
          lock.release();
          assert.equal(await semaphore.acquire(), true);
          await note("semaphore in");
          await note("semaphore out");
          semaphore.release();
          {
            using _ = await condition.guard();
            condition.notify();
          }
          if (await unlessInVain(items.put([US, put], { block: false }))) await note("acknowledged", put++);
          else await unlessInVain(items.get({ block: false }).then((item) => note("took", item)));
        },
      }));
      for (const item of await rest(items)) await note("took", item);
    } finally {
      log.shutdown();
      await reading;
    }
    await isAtRest(arena);
    check(lines, killed);
    for (const what of ["lock in", "semaphore in", "acknowledged", "took"]) {
      const times = lines.filter((line) => line[1] === what).length;
      assert.ok(times > 20, `${what}: only ${times} times`);
    }
  },
);

/** Goes over what the children noted, in the order in which it happened. */
function check(lines: readonly Line[], killed: ReadonlySet<number>): void {
  const last = new Map<number, number>();
  for (const [at, [who]] of lines.entries()) last.set(who, at);
  const isDead = (who: number, at: number) => killed.has(who) && last.get(who)! < at;
  let owner: number | undefined;
  const inside = new Set<number>();
  const inHand = new Set<number>();
  const acknowledged = new Map<number, number>();
  const seen = new Set<string>();
  for (const [at, [who, what, detail]] of lines.entries()) {
    switch (what) {
      case "lock in":
        assert.ok(owner === undefined || isDead(owner, at), `${owner} and ${who} hold the lock, line ${at}`);
        owner = who;
        break;
      case "lock out":
        assert.equal(owner, who, `the lock that ${who} has, line ${at}`);
        owner = undefined;
        break;
      case "semaphore in": {
        inside.add(who);
        const living = [...inside].filter((one) => !isDead(one, at));
        assert.ok(living.length <= PERMITS, `${living} have one of ${PERMITS} permits, line ${at}`);
        break;
      }
      case "semaphore out":
        inside.delete(who);
        break;
      case "acknowledged":
        acknowledged.set(who, detail as number + 1);
        break;
      case "taking":
        inHand.add(who);
        break;
      case "took":
        inHand.delete(who);
        if (detail === undefined) break;
        assert.ok(!seen.has(String(detail)), `item ${detail} came twice`);
        seen.add(String(detail));
        break;
    }
  }
  assert.ok(owner === undefined || killed.has(owner), `${owner} never gave the lock back`);
  const lost = [...acknowledged].flatMap(([who, count]) =>
    Array.from({ length: count }, (_, number) => `${who},${number}`).filter((item) => !seen.has(item))
  );
  const deadHands = [...inHand].filter((who) => killed.has(who)).length;
  assert.ok(lost.length <= deadHands, `lost: ${lost.join("; ")}, with ${deadHands} items in dead hands`);
}
