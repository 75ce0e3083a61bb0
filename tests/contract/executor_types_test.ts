/**
 * What the compiler knows of executors: `deno check` proves this file, and would complain of each `@ts-expect-error` that
 * is none. Beside it each line runs.
 *
 * @module
 */
import {
  asCompleted,
  type Executor,
  Future,
  mapOptions,
  ProcessPoolExecutor,
  ThreadPoolExecutor,
  wait,
} from "@multiprocessing/deno/futures";
import assert from "node:assert/strict";
import { divmod, mul, mulLater, same } from "../fixtures/executor_targets.ts";

/** Compiles only if the two types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

function is<Expected>() {
  return <Actual>(value: Actual, _same: Same<Actual, Expected>): Actual => value;
}

const greet = (name: string, politely?: boolean) => politely ? `dear ${name}` : name;
const sum = (...numbers: number[]) => numbers.reduce((a, b) => a + b, 0);

for (const Class of [ThreadPoolExecutor, ProcessPoolExecutor]) {
  Deno.test(`${Class.name}.submit() and map() know what the function takes and gives`, async () => {
    await using executor: Executor = new Class(1);

    // submit: the type of the future is what the function returns, awaited.
    const product = is<Future<number>>()(executor.submit(mul, 2, 3), true);
    const later = is<Future<number>>()(executor.submit(mulLater, 2, 3), true);
    const pair = is<Future<[number, number]>>()(executor.submit(divmod, 7, 2), true);
    const echoed = is<Future<number>>()(executor.submit(same, 5), true);
    is<number>()(await product.result(), true);
    is<number>()(await later, true);
    is<Error | null>()(await pair.exception(), true);

    // map: one iterable for each parameter.
    const products = is<AsyncIterableIterator<number>>()(executor.map(mul, [1, 2], new Set([3, 4])), true);
    is<number[]>()(await Array.fromAsync(products), true);
    const ready = executor.map(mulLater, [1], [2], mapOptions({ chunksize: 2 }));
    is<AsyncIterableIterator<number>>()(ready, true);

    is<AsyncIterableIterator<number>>()(executor.map(same, [5]), true);

    // Futures of several kinds together.
    const all: Future<unknown>[] = [product, pair];
    const { done } = is<{ done: Set<Future<unknown>>; notDone: Set<Future<unknown>> }>()(
      await wait(all),
      true,
    );
    assert.equal(done.size, 2);
    for await (const future of asCompleted([product, later])) {
      const same: Future<number> = future;
      is<number>()(await future.result(), true);
      assert.ok(same === product || same === later);
    }
    assert.deepEqual(await Promise.all([product, later]), [6, 6]);
    product.addDoneCallback((future) => is<Future<number>>()(future, true));
    const anything: Future = product;
    assert.ok(anything instanceof Future);
    await Array.fromAsync(ready);
    await echoed;
  });
}

Deno.test("Executor.submit() and map() refuse what the function does not take", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const submitted: Future<unknown>[] = [
    executor.submit(greet, "egon"),
    executor.submit(greet, "egon", true),
    executor.submit(sum),
    executor.submit(sum, 1, 2, 3),
    executor.submit(same<string>, "text"),
    // @ts-expect-error An argument of the wrong type
    executor.submit(mul, 2, "3"),
    // @ts-expect-error An argument too few
    executor.submit(mul, 2),
    // @ts-expect-error An argument too many
    executor.submit(mul, 2, 3, 4),
    // @ts-expect-error An optional argument of the wrong type
    executor.submit(greet, "egon", "very"),
    // @ts-expect-error A rest argument of the wrong type
    executor.submit(sum, 1, "2"),
  ];
  await wait(submitted);

  const options = mapOptions({ chunksize: 2 });
  const mapped: (() => AsyncIterableIterator<unknown>)[] = [
    () => executor.map(mul, [1, 2], [3, 4]),
    () => executor.map(mul, [1, 2], [3, 4], options),
    () => executor.map(greet, ["egon"]),
    () => executor.map(greet, ["egon"], options),
    () => executor.map(greet, ["egon"], [true], options),
    () => executor.map(sum, options),
    () => executor.map(sum, [1], [2], [3], options),
    // @ts-expect-error Items of the wrong type
    () => executor.map(mul, [1, 2], ["3", "4"]),
    // @ts-expect-error An iterable too few
    () => executor.map(mul, [1, 2]),
    // @ts-expect-error An iterable too few before the options
    () => executor.map(mul, [1, 2], options),
    // @ts-expect-error An iterable too many
    () => executor.map(mul, [1, 2], [3, 4], [5, 6]),
    // @ts-expect-error An iterable too many before the options
    () => executor.map(greet, ["egon"], [true], [1], options),
    // @ts-expect-error An option that does not exist
    () => executor.map(mul, [1], [3], mapOptions({ chunk: 2 })),
  ];
  for (const map of mapped) await Array.fromAsync(map());
  // @ts-expect-error Options that are not made by mapOptions()
  assert.throws(() => executor.map(mul, [1], [3], { chunksize: 2 }), TypeError);
});

Deno.test("Future and the executors refuse what makes no sense to them", () => {
  const future = new Future<number>();
  // @ts-expect-error A result of the wrong type
  future.setResult("text");
  const executor = new ThreadPoolExecutor(1);
  // @ts-expect-error Something that cannot be called
  assert.throws(() => executor.submit(42), TypeError);
  // @ts-expect-error A start method there is not
  assert.throws(() => new ProcessPoolExecutor({ mpContext: "fork" }));
  // @ts-expect-error Threads have no start method
  new ThreadPoolExecutor({ mpContext: "worker" });
});
