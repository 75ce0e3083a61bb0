// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * A Semaphore lets so many in at once: ten children, three seats.
 *
 * Python:
 *
 *     def run(semaphore, n):
 *         semaphore.acquire()
 *         print('%s comes in' % n)
 *         time.sleep(1)
 *         print('%s goes out' % n)
 *         semaphore.release()
 *
 *     semaphore = Semaphore(3)
 *     for i in range(10):
 *         Process(target=run, args=(semaphore, i)).start()
 *
 * Run: `deno run -A examples/semaphore.ts` (4 s)
 *
 * Prints ten times "comes in" and "goes out", and there are never more than three inside:
 *
 *     0 comes in
 *     1 comes in
 *     2 comes in
 *     0 goes out
 *     3 comes in
 *     …
 *
 * @module
 */
import { Process, Semaphore } from "@multiprocessing/deno";
import { sleep, useStartMethod } from "./options.ts";

export async function run(semaphore: Semaphore, n: number): Promise<void> {
  await semaphore.acquire();
  console.log(`${n} comes in`);
  await sleep(1);
  console.log(`${n} goes out`);
  semaphore.release();
}

if (import.meta.main) {
  useStartMethod();
  const semaphore = new Semaphore(3);
  for (let i = 0; i < 10; i++) {
    new Process({ target: run, args: [semaphore, i] }).start();
  }
}
