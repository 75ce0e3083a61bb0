// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * A hundred processes subtract one from a number that a manager holds. Reading it and writing it back are two steps; the
 * lock makes them one.
 *
 * Python:
 *
 *     def func(dic, lock):
 *         lock.acquire()
 *         dic['count'] -= 1
 *         lock.release()
 *
 *     lock = Lock()
 *     m = Manager()
 *     dic = m.dict({'count': 100})
 *     p_l = []
 *     for i in range(100):
 *         p = Process(target=func, args=(dic, lock))
 *         p.start()
 *         p_l.append(p)
 *     for p in p_l: p.join()
 *     print(dic)
 *
 * `await dic.increment("count", -1)` does without the lock.
 *
 * Run: `deno run -A examples/manager_counter.ts` (3 s)
 *
 * Prints:
 *
 *     Map(1) { "count" => 0 }
 *
 * @module
 */
import { type DictProxy, Lock, Manager, Process } from "@multiprocessing/deno";
import { useStartMethod } from "./options.ts";

export async function func(dic: DictProxy<string, number>, lock: Lock): Promise<void> {
  using _ = await lock.guard();
  await dic.set("count", (await dic.get("count"))! - 1);
}

if (import.meta.main) {
  useStartMethod();
  const lock = new Lock();
  await using m = Manager();
  const dic = m.dict({ count: 100 });
  const processes = [];
  for (let i = 0; i < 100; i++) {
    const p = new Process({ target: func, args: [dic, lock] });
    p.start();
    processes.push(p);
  }
  for (const p of processes) await p.join();
  console.log(await dic.copy());
}
