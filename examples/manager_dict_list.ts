// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * A dict and a list that live in a process of their own, the manager's, and that ten processes use as if they had them.
 *
 * Python:
 *
 *     def f(d, l):
 *         d[1] = '1'
 *         d['2'] = 2
 *         d[0.25] = None
 *         l.append(1)
 *         print(l)
 *
 *     with Manager() as manager:
 *         d = manager.dict()
 *         l = manager.list(range(5))
 *         p_list = []
 *         for i in range(10):
 *             p = Process(target=f, args=(d, l))
 *             p.start()
 *             p_list.append(p)
 *         for res in p_list:
 *             res.join()
 *         print(d)
 *         print(l)
 *
 * Run: `deno run -A examples/manager_dict_list.ts`
 *
 * Prints the list as each of the ten sees it, then the dict and the list:
 *
 *     Map(3) { 1 => "1", "2" => 2, 0.25 => null }
 *     [0, 1, 2, 3, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
 *
 * @module
 */
import { type DictProxy, type ListProxy, Manager, Process } from "@multiprocessing/deno";
import { useStartMethod } from "./options.ts";

export async function f(d: DictProxy<number | string, unknown>, l: ListProxy<number>): Promise<void> {
  await d.set(1, "1");
  await d.set("2", 2);
  await d.set(0.25, null);
  await l.append(1);
  console.log(`[${(await l.copy()).join(", ")}]`);
}

if (import.meta.main) {
  useStartMethod();
  await using manager = Manager();
  const d = manager.dict<number | string, unknown>();
  const l = manager.list([0, 1, 2, 3, 4]);
  const processes = [];
  for (let i = 0; i < 10; i++) {
    const p = new Process({ target: f, args: [d, l] });
    p.start();
    processes.push(p);
  }
  for (const p of processes) await p.join();
  console.log(await d.copy());
  console.log(`[${(await l.copy()).join(", ")}]`);
}
