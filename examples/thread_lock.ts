// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * Twenty thousand threads add one to the same number. They share memory, as all threads of a process do, so a lock
 * keeps one from reading while another has not written yet.
 *
 * Python:
 *
 *     def run(n):
 *         lock.acquire()
 *         global num
 *         num += 1
 *         lock.release()
 *
 *     lock = threading.Lock()
 *     num = 0
 *     t_obj = []
 *     for i in range(20000):
 *         t = threading.Thread(target=run, args=("t-%s" % i,))
 *         t.start()
 *         t_obj.append(t)
 *     for t in t_obj:
 *         t.join()
 *     print("num:", num)
 *
 * Run: `deno run -A examples/thread_lock.ts`
 *
 * Prints:
 *
 *     num: 20000
 *
 * Here a thread is interrupted only where it awaits something, so `num += 1` alone would need no lock. `--no-lock`
 * awaits between reading and writing, and shows what the lock is for:
 *
 *     num: 1
 *
 * @module
 */
import { Lock, Thread } from "@multiprocessing/deno/threading";
import { option } from "./options.ts";

const lock = new Lock();
let num = 0;

async function run(_n: string): Promise<void> {
  await lock.acquire();
  num += 1;
  lock.release();
}

async function runWithoutLock(_n: string): Promise<void> {
  const seen = num;
  await null; // the others read as well
  num = seen + 1;
}

if (import.meta.main) {
  const target = option("no-lock") === undefined ? run : runWithoutLock;
  const tObj = [];
  for (let i = 0; i < 20000; i++) {
    const t = new Thread({ target, args: [`t-${i}`] });
    t.start();
    tObj.push(t);
  }
  for (const t of tObj) await t.join();
  console.log("num:", num);
}
