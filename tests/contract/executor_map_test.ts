/**
 * Executor.map: how far it reads ahead, in what it takes its items from, and how it ends.
 *
 * In CPython 3.14 `buffersize` is tested by `test_map_buffersize_*` of `ExecutorTest`; those that do not count
 * references are here under their names.
 *
 * @module
 */
import { CancelledError, ValueError } from "@multiprocessing/deno";
import { mapOptions, TimeoutError } from "@multiprocessing/deno/futures";
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import * as targets from "../fixtures/executor_targets.ts";
import { kinds, testKind } from "../support/executors.ts";
import { isPending } from "../support/gates.ts";

/** Counts how many numbers were taken, and whether it was let go. */
class Source {
  taken = 0;
  closed = false;

  *endless(): Generator<number, void> {
    try {
      for (;;) yield this.taken++;
    } finally {
      this.closed = true;
    }
  }

  async *endlessLater(): AsyncGenerator<number, void> {
    try {
      for (;;) {
        await setImmediate();
        yield this.taken++;
      }
    } finally {
      this.closed = true;
    }
  }
}

/** Throws after so many items. */
function* failing(after: number): Generator<number> {
  for (let i = 0; i < after; i++) yield i;
  throw new Error("the source fails");
}

async function* failingLater(after: number): AsyncGenerator<number> {
  await setImmediate();
  yield* failing(after);
}

/** Lets everything happen that needs no more than turns of the event loop. */
async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) await setImmediate();
}

for (const kind of kinds()) {
  const { mp, make } = kind;

  // --- How far it reads -----------------------------------------------------------------------------------------------

  testKind(kind, "Executor.map() without buffersize submits everything at once", async () => {
    const executor = make({ maxWorkers: 2 });
    using seen = new mp.Queue<number>();
    executor.map(targets.note, [1, 2, 3], [seen, seen, seen]); // nobody reads
    await executor.shutdown();
    assert.equal(seen.qsize(), 3);
  });

  // test_map_buffersize_on_infinite_iterable
  testKind(kind, "Executor.map() with buffersize reads an endless source only so far ahead", async () => {
    await using executor = make({ maxWorkers: 2 });
    const source = new Source();
    const results = executor.map(
      targets.mul,
      source.endless(),
      source.endless(),
      mapOptions({ buffersize: 3 }),
    );
    await turns();
    assert.equal(source.taken, 6, "two from the source for each call");
    for (let i = 0; i < 5; i++) {
      assert.deepEqual(await results.next(), { done: false, value: 2 * i * (2 * i + 1) });
      await turns();
      assert.equal(source.taken, 2 * (i + 1 + 3));
    }
    await results.return!();
    assert.equal(source.closed, true);
    assert.equal(source.taken, 16);
  });

  testKind(
    kind,
    "Executor.map() with buffersize and chunksize reads whole chunks, and no more than fit",
    async () => {
      await using executor = make({ maxWorkers: 2 });
      const source = new Source();
      const results = executor.map(
        targets.same,
        source.endless(),
        mapOptions({ buffersize: 5, chunksize: 2 }),
      );
      await turns();
      assert.equal(source.taken, 4, "another chunk would make it 6");
      for (const [at, taken] of [6, 6, 8, 8].entries()) {
        assert.equal((await results.next()).value, at);
        assert.equal(source.taken, taken);
      }
      await results.return!();

      const large = new Source();
      const chunks = executor.map(targets.same, large.endless(), mapOptions({ buffersize: 2, chunksize: 3 }));
      for (let i = 0; i < 7; i++) assert.equal((await chunks.next()).value, i);
      assert.equal(large.taken, 9, "one chunk at a time");
      await chunks.return!();
    },
  );

  testKind(kind, "Executor.map() takes its items from async iterables", async () => {
    await using executor = make({ maxWorkers: 2 });
    const source = new Source();
    const squares: number[] = [];
    for await (const square of executor.map(targets.pow, source.endlessLater(), Array(4).fill(2))) {
      squares.push(square);
    }
    assert.deepEqual(squares, [0, 1, 4, 9]);
    assert.equal(source.closed, true, "the other source was at its end");

    const ahead = new Source();
    const results = executor.map(
      targets.same,
      ahead.endlessLater(),
      mapOptions({ buffersize: 2, chunksize: 2 }),
    );
    for (let i = 0; i < 5; i++) assert.equal((await results.next()).value, i);
    await turns();
    assert.ok(ahead.taken <= 8, `${ahead.taken} were taken`);
    await results.return!();
    assert.equal(ahead.closed, true);
  });

  testKind(kind, "Executor.map() ends with its shortest iterable and lets the others go", async () => {
    await using executor = make({ maxWorkers: 2 });
    const source = new Source();
    const products = executor.map(targets.mul, [1, 2, 3], source.endless());
    assert.equal(source.closed, true);
    assert.deepEqual(await Array.fromAsync(products), [0, 2, 6]);
    assert.deepEqual(await Array.fromAsync(executor.map(targets.mul, [], [1])), []);
    assert.deepEqual(await Array.fromAsync(executor.map(targets.capture)), []);
    assert.deepEqual(await Array.fromAsync(executor.map(targets.same, "ab")), ["a", "b"]);
    assert.deepEqual(await Array.fromAsync(executor.map(targets.same, new Set([1, 2]))), [1, 2]);
  });

  // --- Ends ---------------------------------------------------------------------------------------------------------

  testKind(kind, "Executor.map(): a break cancels what has not begun", async () => {
    await using executor = make({ maxWorkers: 1 });
    using seen = new mp.Queue<number>();
    const numbers = Array.from({ length: 100 }, (_, i) => i);
    const [open, shut] = [new mp.Event(), new mp.Event()];
    open.set();
    // The second call holds the worker up, so that the others have not begun.
    const gates = numbers.map((i) => i === 1 ? shut : open);
    for await (const _ of executor.map(targets.noteAfter, numbers, gates, numbers.map(() => seen))) break;
    shut.set();
    await executor.submit(targets.same, 0);
    assert.ok(seen.qsize() <= 2, `${seen.qsize()} have run`);
  });

  // ThreadPoolExecutorTest.test_executor_map_current_future_cancel
  testKind(
    kind,
    "Executor.map(): a timeout cancels the call that was waited for, if it has not begun",
    async () => {
      await using executor = make({ maxWorkers: 1 });
      const go = new mp.Event();
      using said = new mp.Queue<string>();
      const first = executor.submit(targets.waitFor, go, said);
      await said.get();
      const results = executor.map(targets.waitFor, [go, go], [said, said], mapOptions({ timeout: 0 }));
      await assert.rejects(results.next(), TimeoutError);
      assert.deepEqual(await results.next(), { done: true, value: undefined });
      go.set();
      await first;
      await executor.shutdown();
      assert.equal(said.qsize(), 0);
    },
  );

  testKind(
    kind,
    "Executor.map(): an aborted signal ends it and cancels what has not begun, also while nobody reads",
    async () => {
      await using executor = make({ maxWorkers: 1 });
      const go = new mp.Event();
      using said = new mp.Queue<string>();
      const source = new Source();
      const first = executor.submit(targets.waitFor, go, said);
      await said.get();
      function* gates() {
        for (const _ of source.endless()) yield go;
      }
      for (const reading of [true, false]) {
        const stop = new AbortController();
        const options = mapOptions({ signal: stop.signal, buffersize: 3 });
        const results = executor.map(targets.waitFor, gates(), Array(9).fill(said), options);
        const next = reading ? results.next() : undefined;
        stop.abort("enough");
        await assert.rejects(next ?? results.next(), (reason) => reason === "enough");
        assert.deepEqual(await results.next(), { done: true, value: undefined });
        assert.equal(source.closed, true);
      }
      const aborted = mapOptions({ signal: AbortSignal.abort("before") });
      assert.throws(
        () => executor.map(targets.same, source.endless(), aborted),
        (reason) => reason === "before",
      );
      go.set();
      await first;
      await executor.shutdown();
      assert.equal(said.qsize(), 0);
    },
  );

  testKind(kind, "Executor.map(): return() ends a read that is under way", async () => {
    await using executor = make({ maxWorkers: 1 });
    const go = new mp.Event();
    const results = executor.map(targets.waitFor, [go, go]);
    const next = results.next();
    assert.ok(await isPending(next));
    await results.return!();
    assert.deepEqual(await next, { done: true, value: undefined });
    go.set();
  });

  testKind(kind, "Executor.map() serves several readers in their order", async () => {
    await using executor = make({ maxWorkers: 2 });
    const results = executor.map(targets.same, [0, 1, 2], mapOptions({ buffersize: 1 }));
    const reads = await Promise.all([0, 1, 2, 3].map(() => results.next()));
    assert.deepEqual(reads.map(({ value }) => value), [0, 1, 2, undefined]);
  });

  // --- Failures -----------------------------------------------------------------------------------------------------

  testKind(kind, "Executor.map() throws what its source throws at once", async () => {
    await using executor = make({ maxWorkers: 2 });
    const source = new Source();
    assert.throws(() => executor.map(targets.mul, failing(2), source.endless()), /the source fails/);
    assert.equal(source.closed, true);
    assert.throws(() => executor.map(targets.same, 5 as never), TypeError);
    assert.throws(() => executor.map(targets.same, undefined as never), TypeError);
  });

  for (const source of [failing, failingLater]) {
    testKind(
      kind,
      `Executor.map() throws what its source throws behind the results, from ${source.name}()`,
      async () => {
        await using executor = make({ maxWorkers: 2 });
        for (const chunksize of [1, 2]) {
          const results = executor.map(targets.same, source(5), mapOptions({ buffersize: 2, chunksize }));
          for (let i = 0; i < 5; i++) assert.deepEqual(await results.next(), { done: false, value: i });
          await assert.rejects(results.next(), /the source fails/);
          assert.deepEqual(await results.next(), { done: true, value: undefined });
        }
      },
    );
  }

  for (const later of [false, true]) {
    testKind(
      kind,
      `Executor.map() ends with an error when the executor is shut down meanwhile${later ? ", async" : ""}`,
      async () => {
        const executor = make({ maxWorkers: 1 });
        const source = new Source();
        const items = later ? source.endlessLater() : source.endless();
        const results = executor.map(targets.same, items, mapOptions({ buffersize: 2 }));
        assert.equal((await results.next()).value, 0);
        await executor.shutdown();
        await assert.rejects(async () => {
          for await (const _ of { [Symbol.asyncIterator]: () => results });
        }, { name: "RuntimeError", message: "cannot schedule new futures after shutdown" });
        assert.equal(source.closed, true);
      },
    );
  }

  testKind(kind, "Executor.map() is cancelled by shutdown({ cancelFutures: true })", async () => {
    const executor = make({ maxWorkers: 1 });
    const go = new mp.Event();
    using said = new mp.Queue<string>();
    const results = executor.map(targets.waitFor, [go, go, go], [said, said, said]);
    await said.get();
    const shutdown = executor.shutdown({ cancelFutures: true });
    go.set();
    assert.deepEqual(await results.next(), { done: false, value: undefined });
    await assert.rejects(results.next(), CancelledError);
    assert.deepEqual(await results.next(), { done: true, value: undefined });
    await shutdown;
  });

  // --- Options ------------------------------------------------------------------------------------------------------

  // ProcessPoolExecutorTest.test_map_chunksize, test_map_buffersize_type_validation, _value_validation
  testKind(kind, "Executor.map() refuses options that make no sense", async () => {
    await using executor = make();
    for (
      const wrong of [{ chunksize: -1 }, { chunksize: 0 }, { buffersize: 0 }, { buffersize: 1.5 }, {
        timeout: -1,
      }]
    ) {
      assert.throws(() => executor.map(targets.same, [1], mapOptions(wrong)), ValueError);
    }
  });

  testKind(kind, "Executor.map() reports progress by items, also when nobody reads", async () => {
    const executor = make({ maxWorkers: 1 });
    const seen: [number, number | undefined][] = [];
    const progress = (done: number, total: number | undefined) => void seen.push([done, total]);
    executor.map(targets.same, [1, 2, 3, 4, 5], mapOptions({ chunksize: 2, progress }));
    await executor.submit(targets.same, 0);
    assert.deepEqual(seen, [[2, 5], [4, 5], [5, 5]]);
    seen.length = 0;
    await Array.fromAsync(executor.map(targets.mul, failing(1).take(1), [1], mapOptions({ progress })));
    assert.deepEqual(seen, [[1, undefined]]);
    await executor.shutdown();
  });
}
