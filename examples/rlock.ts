// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * An RLock: whoever holds it may acquire it again, so a function that locks can call others that lock.
 *
 * Python:
 *
 *     def run1(lock, num):
 *         print('grab the first part data')
 *         lock.acquire()
 *         num.value += 1
 *         lock.release()
 *         return num.value
 *
 *     def run3(lock, num, num2):  # run2 is run1 for the second part
 *         with lock:
 *             res = run1(lock, num)
 *             print('--------between run1 and run2-----')
 *             res2 = run2(lock, num2)
 *             print(res, res2)
 *
 *     lock, num, num2 = RLock(), RawValue('i', 0), RawValue('i', 0)
 *     # then ten processes with target run3, all started, all joined
 *     print('----all processes done---')
 *     print(num.value, num2.value)
 *
 * With a Lock each child would wait for itself for ever.
 *
 * Run: `deno run -A examples/rlock.ts`
 *
 * Prints ten times these four lines, which the lock keeps together, and with each time one more in the last of them:
 *
 *     grab the first part data
 *     --------between run1 and run2-----
 *     grab the second part data
 *     1 1
 *     …
 *     ----all processes done---
 *     10 10
 *
 * @module
 */
import { Process, RawValue, RLock } from "@multiprocessing/deno";
import { useStartMethod } from "./options.ts";

async function run1(lock: RLock, num: RawValue): Promise<number> {
  console.log("grab the first part data");
  await lock.acquire();
  await num.set(await num.get() + 1);
  lock.release();
  return await num.get();
}

async function run2(lock: RLock, num2: RawValue): Promise<number> {
  console.log("grab the second part data");
  await lock.acquire();
  await num2.set(await num2.get() + 1);
  lock.release();
  return await num2.get();
}

export async function run3(lock: RLock, num: RawValue, num2: RawValue): Promise<void> {
  using _ = await lock.guard();
  const res = await run1(lock, num);
  console.log("--------between run1 and run2-----");
  const res2 = await run2(lock, num2);
  console.log(res, res2);
}

if (import.meta.main) {
  useStartMethod();
  const lock = new RLock();
  const num = new RawValue("i", 0);
  const num2 = new RawValue("i", 0);
  const processes = [];
  for (let i = 0; i < 10; i++) {
    const p = new Process({ target: run3, args: [lock, num, num2] });
    p.start();
    processes.push(p);
  }
  for (const p of processes) await p.join();
  console.log("----all processes done---");
  console.log(num.value, num2.value);
}
