// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * Processes share no memory: what a child does to a global, its parent and its siblings never see.
 *
 * Python:
 *
 *     n = 100
 *     li = []
 *
 *     def work():
 *         global n
 *         n = 0
 *         print('子进程内:', n)
 *
 *     def foo(i):
 *         li.append(i)
 *         print('say hi', li)
 *
 *     p = Process(target=work)
 *     p.start()
 *     p.join()
 *     print('主进程内:', n)
 *     # then ten processes with target foo, all started, all joined
 *     print('ending', li)
 *
 * Run: `deno run -A examples/process_isolation.ts`
 *
 * Prints (子进程内 means "in the child", 主进程内 "in the main process"), the ten "say hi" in any order:
 *
 *     子进程内: 0
 *     主进程内: 100
 *     say hi [ 0 ]
 *     say hi [ 1 ]
 *     …
 *     say hi [ 9 ]
 *     ending []
 *
 * @module
 */
import { Process } from "@multiprocessing/deno";
import { useStartMethod } from "./options.ts";

let n = 100;
const li: number[] = [];

export function work(): void {
  n = 0;
  console.log("子进程内:", n);
}

export function foo(i: number): void {
  li.push(i);
  console.log("say hi", li);
}

if (import.meta.main) {
  useStartMethod();

  const p = new Process({ target: work });
  p.start();
  await p.join();
  console.log("主进程内:", n);

  const processes = [];
  for (let i = 0; i < 10; i++) {
    processes.push(new Process({ target: foo, args: [i] }));
  }
  for (const p of processes) p.start();
  for (const p of processes) await p.join();
  console.log("ending", li);
}
