// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * Starts one child. Parent and child go on at the same time, each with its own process id.
 *
 * Python:
 *
 *     def func(num):
 *         print(num, os.getpid())
 *         time.sleep(0.5)
 *         print(num, os.getpid())
 *         time.sleep(0.5)
 *
 *     p = Process(target=func, args=(10,))
 *     p.start()
 *     print(os.getpid(), 0)
 *     time.sleep(1)
 *     print(os.getpid(), 1)
 *
 * Run: `deno run -A examples/process_start.ts` (1 s)
 *
 * Prints, with other ids, the child's lines somewhere between the parent's:
 *
 *     4711 0
 *     10 4712
 *     10 4712
 *     4711 1
 *
 * @module
 */
import { getpid, Process } from "@multiprocessing/deno";
import { sleep, useStartMethod } from "./options.ts";

export async function func(num: number): Promise<void> {
  console.log(num, getpid());
  await sleep(0.5);
  console.log(num, getpid());
  await sleep(0.5);
}

if (import.meta.main) {
  useStartMethod();
  const p = new Process({ target: func, args: [10] });
  p.start();
  console.log(getpid(), 0);
  await sleep(1);
  console.log(getpid(), 1);
}
