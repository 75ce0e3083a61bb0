/** Lock: acquire and release while nobody else wants it. Microseconds. */

import { type Connection, Lock, Pipe, Process } from "@multiprocessing/deno";
import { type Budget, msPerOperation, report } from "../measure.ts";

const BLOCK = 50_000;

/** Measured in a child, because the Sync forms are made for children. */
export async function measureSync(
  lock: Lock,
  result: Connection<number>,
  budget: Budget,
): Promise<void> {
  const ms = await msPerOperation(
    (n) => {
      for (let i = 0; i < n; i++) {
        lock.acquireSync();
        lock.release();
      }
    },
    BLOCK,
    budget,
  );
  await result.send(ms * 1e3);
}

async function asyncForm(budget: Budget): Promise<number> {
  const lock = new Lock();
  const ms = await msPerOperation(
    async (n) => {
      for (let i = 0; i < n; i++) {
        await lock.acquire();
        lock.release();
      }
    },
    BLOCK,
    budget,
  );
  return ms * 1e3;
}

async function syncForm(budget: Budget): Promise<number> {
  const [ours, theirs] = Pipe<number>();
  const child = new Process({
    target: measureSync,
    args: [new Lock(), theirs, budget],
  });
  child.start();
  const value = await ours.recv();
  await child.join();
  return value;
}

if (import.meta.main) {
  await report({ async: asyncForm, sync: syncForm });
}
