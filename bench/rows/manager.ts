/** Manager: operations on what its server holds, from the main process. Microseconds each. */

import { Manager, type SyncManager } from "@multiprocessing/deno";
import { type Budget, msPerOperation, report } from "../measure.ts";

const BLOCK = 500;
/** How many are under way at a time where they are not awaited one by one. */
const TOGETHER = 1_000;

type Measure = (manager: SyncManager) => (n: number) => Promise<void>;

async function measured(measure: Measure, block: number, budget: Budget): Promise<number> {
  await using manager = Manager();
  return await msPerOperation(measure(manager), block, budget) * 1e3;
}

const dictSet: Measure = (manager) => {
  const dict = manager.dict<string, number>();
  return async (n) => {
    for (let i = 0; i < n; i++) await dict.set("key", i);
  };
};

const dictSetTogether: Measure = (manager) => {
  const dict = manager.dict<string, number>();
  return async (n) => {
    const sets: Promise<void>[] = [];
    for (let i = 0; i < n; i++) sets.push(dict.set("key", i));
    await Promise.all(sets);
  };
};

const listAppend: Measure = (manager) => {
  const list = manager.list<number>();
  return async (n) => {
    for (let i = 0; i < n; i++) await list.append(i);
    await list.clear();
  };
};

const queue: Measure = (manager) => {
  const queue = manager.Queue<number>();
  return async (n) => {
    for (let i = 0; i < n; i++) {
      await queue.put(i);
      await queue.get();
    }
  };
};

const lock: Measure = (manager) => {
  const lock = manager.Lock();
  return async (n) => {
    for (let i = 0; i < n; i++) {
      await lock.acquire();
      await lock.release();
    }
  };
};

if (import.meta.main) {
  await report({
    "dict-set": (budget) => measured(dictSet, BLOCK, budget),
    "dict-set-together": (budget) => measured(dictSetTogether, TOGETHER, budget),
    "list-append": (budget) => measured(listAppend, BLOCK, budget),
    queue: (budget) => measured(queue, BLOCK, budget),
    lock: (budget) => measured(lock, BLOCK, budget),
  });
}
