/**
 * register(): what was taken apart in one process is put together in one other, and in no process between.
 *
 * @module
 */
import { ref } from "@multiprocessing/deno";
import { ProcessPoolExecutor } from "@multiprocessing/deno/futures";
import assert from "node:assert/strict";
import {
  reserve,
  same,
  SeatTaken,
  sendSeatTaken,
  throughAChild,
  trip,
  Witness,
} from "../fixtures/witness_targets.ts";
import { contexts, test } from "../support/contexts.ts";

const there = (from: string, to: string) => [`reduced in ${from}`, `rebuilt in ${to}`];

for (const mp of contexts()) {
  for (const how of ["queue", "pipe", "args"] as const) {
    test(
      mp,
      `register(): each end runs its hook once on the way to a child and back, by ${how}`,
      async () => {
        const { trail } = await trip(mp, how, "child");
        assert.deepEqual(trail, [...there("MainProcess", "child"), ...there("child", "MainProcess")]);
      },
    );

    for (const inner of contexts()) {
      test(
        mp,
        `register(): nobody between a child and its child runs a hook, by ${how} to "${inner.name}"`,
        async () => {
          const trails = new mp.Queue<readonly string[]>();
          const child = new mp.Process({
            target: throughAChild,
            args: [inner.name, how, trails],
            name: "child",
          });
          child.start();
          assert.deepEqual(await trails.get(), [
            ...there("child", "grandchild"),
            ...there("grandchild", "child"),
          ]);
          await child.join();
        },
      );
    }
  }

  test(
    mp,
    "register(): each end runs its hook once for an argument and a result of an executor",
    async () => {
      await using executor = new ProcessPoolExecutor({ maxWorkers: 1, mpContext: mp });
      for (let call = 0; call < 3; call++) {
        const { trail } = await executor.submit(same<Witness>, new Witness());
        const [, worker] = /rebuilt in (.*)/.exec(trail[1]!)!;
        assert.deepEqual(trail, [...there("MainProcess", worker!), ...there(worker!, "MainProcess")]);
      }
    },
  );

  test(
    mp,
    "register(): a class that only the children know travels through a queue of the parent",
    async () => {
      const module = import.meta.resolve("../fixtures/unknown_class.ts");
      const [queue, said] = [new mp.Queue<unknown>(), new mp.Queue<string>()];
      const putter = new mp.Process({ target: ref(module, "putUnknown"), args: [queue] });
      const getter = new mp.Process({ target: ref(module, "getUnknown"), args: [queue, said] });
      putter.start();
      getter.start();
      assert.equal(await said.get(), "a thing");
      await putter.join();
      await getter.join();
    },
  );

  test(mp, "register(): an error keeps its class, its fields, and what every error has", async () => {
    const [mine, theirs] = mp.Pipe<SeatTaken>();
    const child = new mp.Process({ target: sendSeatTaken, args: [theirs, "7b"] });
    child.start();
    const sent = await mine.recv();
    await child.join();
    mine.close();
    theirs.close();
    assert.ok(sent instanceof SeatTaken && sent instanceof RangeError);
    assert.deepEqual([sent.message, sent.seat, (sent.cause as Error).message], [
      "seat 7b is taken",
      "7b",
      "the train is full",
    ]);
    assert.match(sent.stack!, /sendSeatTaken/);
    assert.deepEqual(Object.keys(sent), ["seat"]);

    await using executor = new ProcessPoolExecutor({ maxWorkers: 1, mpContext: mp });
    const thrown = await executor.submit(reserve, "8a").exception();
    assert.ok(thrown instanceof SeatTaken);
    assert.deepEqual([thrown.message, thrown.seat], ["seat 8a is taken", "8a"]);
    assert.match(String(thrown.cause), /RemoteTraceback: RangeError: seat 8a is taken/);
    assert.equal(((thrown.cause as Error).cause as Error).message, "the train is full");
  });
}
