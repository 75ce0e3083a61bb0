// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * Ten processes, each of which starts a thread of its own.
 *
 * Python:
 *
 *     def t_run():
 *         print("线程号", threading.get_ident())
 *
 *     def run(name):
 *         time.sleep(1)
 *         print('hello', name)
 *         t = threading.Thread(target=t_run)
 *         t.start()
 *
 *     for i in range(10):
 *         p = multiprocessing.Process(target=run, args=(i,))
 *         p.start()
 *
 * Run: `deno run -A examples/process_with_threads.ts`
 *
 * Prints, in any order, ten greetings and ten times the number of a thread (线程号 means "thread number"):
 *
 *     hello 0
 *     线程号 2
 *     hello 1
 *     线程号 2
 *     …
 *
 * The number is unlike that of any other thread of the same process; the main thread of each is number 1.
 *
 * @module
 */
import { Process } from "@multiprocessing/deno";
import { getIdent, Thread } from "@multiprocessing/deno/threading";
import { sleep, useStartMethod } from "./options.ts";

function tRun(): void {
  console.log("线程号", getIdent());
}

export async function run(name: number): Promise<void> {
  await sleep(1);
  console.log("hello", name);
  const t = new Thread({ target: tRun });
  t.start();
}

if (import.meta.main) {
  useStartMethod();
  for (let i = 0; i < 10; i++) {
    const p = new Process({ target: run, args: [i] });
    p.start();
  }
}
