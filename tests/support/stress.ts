/**
 * What stress tests of primitives have in common: a crowd of children that do random things with them, of which one is
 * killed and replaced every 50 ms, and what must hold of all that they noted.
 *
 * `STRESS_SEED` repeats a run as far as the schedule of the processes allows; a failure names the seed.
 *
 * @module
 */
import {
  activeChildren,
  type Context,
  Empty,
  type Event,
  Full,
  type Process,
  type Queue,
  ShutDown,
} from "@multiprocessing/deno";
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
} from "../fixtures/sync_targets.ts";
import { within } from "./gates.ts";

export const KILL_EVERY_MS = 50;
/** A busy machine starts children slowly: it goes on until so many were killed. */
const LEAST_KILLED = 3;
/** How long anything may take that everybody's progress depends on: with a death on the way, and a busy machine. */
export const HANG_MS = 10_000;
/** Who directs the others, and does the same as they. */
export const US = 0;

/** What one run does differently from the others. */
export interface Run {
  /** Starts the child `who`. */
  start(who: number, seed: number): Process;
  arena: Arena;
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

/**
 * Fills the arena with children for so long, and until some were killed, and empties it again.
 *
 * @returns Who was killed.
 */
export async function rage(
  crowd: number,
  ms: number,
  seed: number,
  run: Run,
): Promise<Set<number>> {
  const below = random(seed);
  const children = new Map<number, Process>();
  const killed = new Set<number>();
  const ends: Promise<void>[] = [];
  let next = US + 1;
  const start = () => {
    const who = next++;
    children.set(who, run.start(who, seed + who));
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
    return killed;
  } finally {
    for (const child of activeChildren()) {
      child.kill();
      await child.join();
    }
    await Promise.allSettled(ends);
  }
}

/** What is left on a queue that was shut down. */
export async function rest(items: Queue<Item>): Promise<Item[]> {
  const left: Item[] = [];
  try {
    for (;;) left.push(await items.get({ block: false }));
  } catch (error) {
    if (!(error instanceof ShutDown)) throw error;
  }
  return left;
}

/** What is refused for want of room, or of an item, is no failure. */
export async function unlessInVain(deed: Promise<unknown>): Promise<boolean> {
  try {
    await deed;
    return true;
  } catch (error) {
    if (error instanceof Full || error instanceof Empty) return false;
    throw error;
  }
}

/** Declares a stress test. */
export function stress(name: string, ms: number, body: (ms: number, seed: number) => Promise<void>): void {
  Deno.test(`${name} for ${ms} ms`, async () => {
    const seed = Number(env.STRESS_SEED ?? Math.floor(Math.random() * 2 ** 31));
    try {
      await body(ms, seed);
    } catch (error) {
      throw new Error(`failed with STRESS_SEED=${seed}: ${(error as Error).message}`, { cause: error });
    }
  });
}

/**
 * A whole run whose children share nothing but the arena: they note what they do on a queue, which is checked afterwards.
 *
 * @param contextOf How the child `who` is started.
 */
export async function rageAndCheck(
  arena: Arena,
  log: Queue<Line>,
  stop: Event,
  crowd: number,
  ms: number,
  seed: number,
  contextOf: (who: number) => Context,
): Promise<void> {
  const { lock, semaphore, condition, items } = arena;
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
    killed = await rage(crowd, ms, seed, {
      arena,
      start: (who, seed) => startRaging(contextOf(who), arena, { log, stop }, who, seed),
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
    });
    for (const item of await rest(items)) await note("took", item);
  } finally {
    log.shutdown();
    await reading;
  }
  check(lines, killed);
  for (const what of ["lock in", "semaphore in", "acknowledged", "took"]) {
    const times = lines.filter((line) => line[1] === what).length;
    assert.ok(times > 20, `${what}: only ${times} times`);
  }
}

/** Starts the child `who`. */
export function startRaging(mp: Context, arena: Arena, at: NotesAt, who: number, seed: number): Process {
  const child = new mp.Process({ target: rages, args: [arena, at, who, seed] }) as Process;
  child.start();
  return child;
}

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
