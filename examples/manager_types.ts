// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * What else a manager holds: a list that ten processes fill, and an event, a condition, a queue, a value and an array by
 * which they work together.
 *
 * Python:
 *
 *     def foo(li, i):
 *         li.append(i)
 *         print('say hi', i)
 *
 *     def work(start, ready, results, done, squares, i):
 *         start.wait()
 *         results.put(i)
 *         squares[i] = i * i
 *         with ready:
 *             done.value += 1
 *             ready.notify()
 *
 *     manager = Manager()
 *     li = manager.list()
 *     processes = [Process(target=foo, args=(li, i)) for i in range(10)]
 *     ...
 *     print('ending', sorted(li))
 *
 *     start, ready, results = manager.Event(), manager.Condition(), manager.Queue()
 *     done, squares = manager.Value('i', 0), manager.Array('i', [0] * 5)
 *     workers = [Process(target=work, args=(start, ready, results, done, squares, i)) for i in range(5)]
 *     ...
 *     start.set()
 *     with ready:
 *         ready.wait_for(lambda: done.value == 5)
 *     print('done', done.value)
 *     print('results', sorted(results.get() for _ in range(5)))
 *     print('squares', list(squares))
 *
 * Run: `deno run -A examples/manager_types.ts`
 *
 * Prints ten times `say hi`, in any order, then:
 *
 *     ending 0 1 2 3 4 5 6 7 8 9
 *     done 5
 *     results 0 1 2 3 4
 *     squares 0 1 4 9 16
 *
 * @module
 */
import {
  type ArrayProxy,
  type ConditionProxy,
  type EventProxy,
  type ListProxy,
  Manager,
  Process,
  type QueueProxy,
  type ValueProxy,
} from "@multiprocessing/deno";
import { useStartMethod } from "./options.ts";

export async function foo(li: ListProxy<number>, i: number): Promise<void> {
  await li.append(i);
  console.log("say hi", i);
}

export async function work(
  start: EventProxy,
  ready: ConditionProxy,
  results: QueueProxy<number>,
  done: ValueProxy<number>,
  squares: ArrayProxy<"i">,
  i: number,
): Promise<void> {
  await start.wait();
  await results.put(i);
  await squares.set(i, i * i);
  await using _ = await ready.guard();
  await done.set(await done.get() + 1);
  await ready.notify();
}

if (import.meta.main) {
  useStartMethod();
  await using manager = Manager();
  const li = manager.list<number>();
  const processes = [];
  for (let i = 0; i < 10; i++) processes.push(new Process({ target: foo, args: [li, i] }));
  for (const p of processes) p.start();
  for (const p of processes) await p.join();
  await li.sort();
  console.log("ending", ...await li.copy());

  const [start, ready, results] = [manager.Event(), manager.Condition(), manager.Queue<number>()];
  const [done, squares] = [manager.Value("i", 0), manager.Array("i", 5)];
  const workers = [];
  for (let i = 0; i < 5; i++) {
    workers.push(new Process({ target: work, args: [start, ready, results, done, squares, i] }));
  }
  for (const p of workers) p.start();
  await start.set();
  {
    await using _ = await ready.guard();
    await ready.waitFor(async () => await done.get() === 5);
  }
  console.log("done", await done.get());
  const got = [];
  for (let i = 0; i < 5; i++) got.push(await results.get());
  console.log("results", ...got.sort());
  console.log("squares", ...await squares.copy());
  for (const p of workers) await p.join();
}
