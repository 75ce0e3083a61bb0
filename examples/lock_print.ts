// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * Ten children share a lock: only the one that holds it prints.
 *
 * Python:
 *
 *     def f(l, i):
 *         l.acquire()
 *         print("hello", i)
 *         l.release()
 *
 *     l = Lock()
 *     for i in range(10):
 *         Process(target=f, args=(l, i)).start()
 *
 * Nobody joins the children: the program waits for them by itself.
 *
 * Run: `deno run -A examples/lock_print.ts`
 *
 * Prints ten whole lines, in the order in which the children got the lock:
 *
 *     hello 0
 *     hello 1
 *     …
 *     hello 9
 *
 * @module
 */
import { Lock, Process } from "@multiprocessing/deno";
import { useStartMethod } from "./options.ts";

export async function f(l: Lock, i: number): Promise<void> {
  await l.acquire();
  console.log("hello", i);
  l.release();
}

if (import.meta.main) {
  useStartMethod();
  const l = new Lock();
  for (let i = 0; i < 10; i++) {
    new Process({ target: f, args: [l, i] }).start();
  }
}
