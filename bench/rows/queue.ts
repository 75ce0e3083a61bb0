/** Queue: a number to a child and back (microseconds), and one way (per second). */

import { Process, Queue } from "@multiprocessing/deno";
import { type Budget, msPerOperation, report } from "../measure.ts";

const BLOCK = 20_000;

/** The CPU-bound child's way: it blocks in `getSync`. */
export function echoSync(inbox: Queue<number>, outbox: Queue<number>): void {
  for (let value; (value = inbox.getSync()) >= 0;) outbox.putSync(value);
}

/** The usual way: it awaits. */
export async function echoAsync(
  inbox: Queue<number>,
  outbox: Queue<number>,
): Promise<void> {
  for (let value; (value = await inbox.get()) >= 0;) await outbox.put(value);
}

export function consumeSync(inbox: Queue<number>, seen: Queue<number>): void {
  for (let count = 0; inbox.getSync() >= 0;) {
    if (++count % BLOCK === 0) seen.putSync(count);
  }
}

export async function consumeAsync(
  inbox: Queue<number>,
  seen: Queue<number>,
): Promise<void> {
  for (let count = 0; await inbox.get() >= 0;) {
    if (++count % BLOCK === 0) await seen.put(count);
  }
}

function roundTrip(
  target: typeof echoSync | typeof echoAsync,
): (budget: Budget) => Promise<number> {
  return async (budget) => {
    using there = new Queue<number>();
    using back = new Queue<number>();
    const child = new Process({ target, args: [there, back] });
    child.start();
    const ms = await msPerOperation(
      async (n) => {
        for (let i = 0; i < n; i++) {
          await there.put(i);
          await back.get();
        }
      },
      200,
      budget,
    );
    await there.put(-1);
    await child.join();
    return ms * 1e3;
  };
}

function oneWay(
  target: typeof consumeSync | typeof consumeAsync,
): (budget: Budget) => Promise<number> {
  return async (budget) => {
    using items = new Queue<number>();
    using seen = new Queue<number>();
    const child = new Process({ target, args: [items, seen] });
    child.start();
    const ms = await msPerOperation(
      async (n) => {
        for (let i = 0; i < n; i++) await items.put(i);
        await seen.get();
      },
      BLOCK,
      budget,
    );
    await items.put(-1);
    await child.join();
    return 1e3 / ms;
  };
}

if (import.meta.main) {
  await report({
    "round-trip-sync-child": roundTrip(echoSync),
    "round-trip-async-child": roundTrip(echoAsync),
    "one-way-sync-child": oneWay(consumeSync),
    "one-way-async-child": oneWay(consumeAsync),
  });
}
