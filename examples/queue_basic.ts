// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * A child puts two things on a queue, its parent gets them.
 *
 * Python:
 *
 *     def f(q):
 *         q.put([42, None, 'hello'])
 *         q.put(30)
 *
 *     q = Queue()
 *     p = Process(target=f, args=(q,))
 *     p.start()
 *     print(q.get())
 *     print(type(q.get()))
 *     p.join()
 *
 * Run: `deno run -A examples/queue_basic.ts`
 *
 * Prints:
 *
 *     [ 42, null, "hello" ]
 *     number
 *
 * @module
 */
import { Process, Queue } from "@multiprocessing/deno";
import { useStartMethod } from "./options.ts";

export async function f(q: Queue<unknown>): Promise<void> {
  await q.put([42, null, "hello"]);
  await q.put(30);
}

if (import.meta.main) {
  useStartMethod();
  const q = new Queue<unknown>();
  const p = new Process({ target: f, args: [q] });
  p.start();
  console.log(await q.get());
  console.log(typeof await q.get());
  await p.join();
}
