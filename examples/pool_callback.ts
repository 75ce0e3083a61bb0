// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * A pool of five processes runs ten calls. What each gives goes to a callback, which runs here and not in the pool.
 *
 * Python:
 *
 *     def Foo(i):
 *         time.sleep(5)
 *         print('in process[Foo]', os.getpid())
 *         return i + 100
 *
 *     def Bar(arg):
 *         print('-->exec done:', arg)
 *         print('in process[Bar]', os.getpid())
 *
 *     pool = Pool(5)
 *     for i in range(10):
 *         pool.apply_async(func=Foo, args=(i,), callback=Bar)
 *         # pool.apply(func=Foo, args=(i,))
 *     print('end:', os.getpid())
 *     pool.close()
 *     pool.join()
 *
 * Run: `deno run -A examples/pool_callback.ts` (10 s, since five run at a time)
 *
 * Prints `end` first, then what the calls and the callbacks print, with the ids of five workers and of the program:
 *
 *     end: 4711
 *     in process[Foo] 10000001
 *     -->exec done: 100
 *     in process[Bar] 4711
 *     …
 *
 * `--apply` waits for each call, one after the other (50 s), without callbacks. `--terminate` calls `terminate()` instead of
 * `close()`, so the calls are not finished, and nothing but `end` is printed.
 *
 * @module
 */
import { getpid, Pool } from "@multiprocessing/deno";
import { option, sleep, useStartMethod } from "./options.ts";

export async function Foo(i: number): Promise<number> {
  await sleep(5);
  console.log("in process[Foo]", getpid());
  return i + 100;
}

function Bar(arg: number): void {
  console.log("-->exec done:", arg);
  console.log("in process[Bar]", getpid());
}

if (import.meta.main) {
  useStartMethod();
  const pool = new Pool(5);
  for (let i = 0; i < 10; i++) {
    if (option("apply") === undefined) pool.applyAsync(Foo, [i], { callback: Bar });
    else await pool.apply(Foo, [i]);
  }
  console.log("end:", getpid());
  if (option("terminate") === undefined) pool.close();
  else pool.terminate();
  await pool.join();
}
