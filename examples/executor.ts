// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * A pool of processes that take calls: `submit` gives a future of each, `map` the results in order.
 *
 * Six small programs in one; the first word after the file name chooses:
 *
 * | word | what happens | time |
 * |---|---|---|
 * | `callback` (or none) | five calls at once, and a callback in the main process for each result | 5 s |
 * | `one-by-one` | five calls, each waited for before the next one is made | 10 s |
 * | `submit` | a hundred calls, and `shutdown()` waits for all of them | |
 * | `map` | the same in one call | |
 * | `results` | the results of `submit` one by one, and then those of `map` | 10 s |
 * | `futures` | what a callback gets is the future itself | 3 s |
 *
 * Python:
 *
 *     def task(n):
 *         print('%s is runing' % os.getpid())
 *         time.sleep(random.randint(1, 3))
 *         return n**2
 *
 *     def handle(res):
 *         res = res.result()
 *         print('handle res %s' % res)
 *
 *     pool = ProcessPoolExecutor(2)
 *     for i in range(5):
 *         obj = pool.submit(task, i)
 *         obj.add_done_callback(handle)
 *     pool.shutdown()
 *     print('主')
 *
 * Run: `deno run -A examples/executor.ts`
 *
 * Prints, with process ids of two workers, and all but the last line in the order of chance:
 *
 *     3064700001 is runing
 *     3064700002 is runing
 *     handle res 1
 *     3064700002 is runing
 *     …
 *     handle res 16
 *     主
 *
 * @module
 */
import { getpid } from "@multiprocessing/deno";
import { type Future, ProcessPoolExecutor } from "@multiprocessing/deno/futures";
import { sleep, useStartMethod } from "./options.ts";

export async function task(n: number): Promise<number> {
  console.log(`${getpid()} is runing`);
  await sleep(1 + Math.floor(Math.random() * 3));
  return n ** 2;
}

export function make(i: number): number {
  console.log(`${getpid()} 制作螺丝${i}`);
  return i ** 2;
}

export async function makeSlowly(i: number): Promise<number> {
  await sleep(0.2);
  return make(i);
}

export async function func1(n: number): Promise<number> {
  await sleep(Math.random());
  console.log(`in func1 ${n}`);
  return n * 2;
}

const range = (length: number) => Array.from({ length }, (_, i) => i);

async function callback(): Promise<void> {
  async function handle(future: Future<number>): Promise<void> {
    console.log(`handle res ${await future.result()}`);
  }
  const pool = new ProcessPoolExecutor(2);
  for (const i of range(5)) pool.submit(task, i).addDoneCallback(handle);
  await pool.shutdown();
  console.log("主");
}

async function oneByOne(): Promise<void> {
  const pool = new ProcessPoolExecutor(3);
  for (const i of range(5)) console.log(`handle res ${await pool.submit(task, i).result()}`);
  await pool.shutdown();
  console.log("主");
}

async function submit(): Promise<void> {
  const pool = new ProcessPoolExecutor(4);
  for (const i of range(100)) pool.submit(make, i);
  await pool.shutdown();
  console.log("所有的螺丝都制作完了");
}

async function map(): Promise<void> {
  const pool = new ProcessPoolExecutor(4);
  pool.map(make, range(100));
  await pool.shutdown();
  console.log("所有的螺丝都制作完了");
}

async function results(): Promise<void> {
  await using pool = new ProcessPoolExecutor(4);
  const futures = range(100).map((i) => pool.submit(makeSlowly, i));
  for (const future of futures) console.log(await future.result());

  const iterator = pool.map(makeSlowly, range(100));
  console.log(iterator);
  for await (const result of iterator) console.log(result);
}

async function futures(): Promise<void> {
  async function show(future: Future<number>): Promise<void> {
    console.log(future);
    console.log(await future.result());
  }
  await using pool = new ProcessPoolExecutor(4);
  for (const i of range(10)) pool.submit(func1, i).addDoneCallback(show);

  const futures = range(10).map((i) => pool.submit(func1, i));
  for (const future of futures) await show(future);
}

const programs: Record<string, () => Promise<void>> = {
  callback,
  "one-by-one": oneByOne,
  submit,
  map,
  results,
  futures,
};

if (import.meta.main) {
  useStartMethod();
  const word = Deno.args.find((arg) => !arg.startsWith("--")) ?? "callback";
  const program = programs[word];
  if (program === undefined) {
    throw new Error(`Cannot run ${word}: expected ${Object.keys(programs).join(", ")}`);
  }
  await program();
}
