// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * Ten children at once: start them all, keep them in a list, join them all. The last line waits for every one.
 *
 * Python:
 *
 *     def func(n):
 *         time.sleep(1)
 *         print('_' * n)
 *
 *     l = []
 *     for i in range(10):
 *         p = Process(target=func, args=(i,))
 *         p.start()
 *         l.append(p)
 *     print('子进程开始了')
 *     for p in l: p.join()
 *     print('10条信息已经发送完毕')
 *
 * Run: `deno run -A examples/process_join_many.ts` (1 s, not 10: the children sleep at the same time)
 *
 * Prints, the underscores in any order (the first line means "the children have started", the last one
 * "10 messages have been sent"):
 *
 *     子进程开始了
 *
 *     _
 *     __
 *     …
 *     _________
 *     10条信息已经发送完毕
 *
 * @module
 */
import { Process } from "@multiprocessing/deno";
import { sleep, useStartMethod } from "./options.ts";

export async function func(n: number): Promise<void> {
  await sleep(1);
  console.log("_".repeat(n));
}

if (import.meta.main) {
  useStartMethod();
  const l = [];
  for (let i = 0; i < 10; i++) {
    const p = new Process({ target: func, args: [i] });
    p.start();
    l.push(p);
  }
  console.log("子进程开始了");
  for (const p of l) await p.join();
  console.log("10条信息已经发送完毕");
}
