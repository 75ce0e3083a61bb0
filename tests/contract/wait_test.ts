/**
 * wait(), for each start method. The names in comments are those of CPython's tests (`_test_multiprocessing.py`).
 *
 * @module
 */
import {
  type Connection,
  EOFError,
  Listener,
  OSError,
  Pipe,
  Process,
  TimeoutError,
  ValueError,
  wait,
} from "@multiprocessing/deno";
import assert from "node:assert/strict";
import * as targets from "../fixtures/wait_targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { CLOCK_SLACK_MS, isPending, timed } from "../support/gates.ts";

for (const mp of contexts()) {
  // --- TestWait -------------------------------------------------------------------------------------------------

  // test_wait, test_wait_slow, test_wait_socket, test_wait_socket_slow
  for (const kind of ["pipes", "sockets"]) {
    for (const slowly of [false, true]) {
      const how = slowly ? "slowly" : "at once";
      test(
        mp,
        `wait() serves several children that send ${how} over ${kind} until each has closed its end`,
        async () => {
          using listener = new Listener();
          const readers: Connection<[number, number]>[] = [];
          const children = [];
          for (let i = 0; i < 4; i++) {
            const [reader, writer] = mp.Pipe<[number, number]>({ duplex: false });
            const child = kind === "pipes"
              ? new mp.Process({ target: targets.sendsNumbered, args: [writer, 10, slowly], daemon: true })
              : new mp.Process({
                target: targets.connectsAndSends,
                args: [listener.address, 10, slowly],
                daemon: true,
              });
            child.start();
            writer.close();
            readers.push(kind === "pipes" ? reader : await listener.accept());
            children.push(child);
          }
          const messages: [number, number][] = [];
          const open = new Set(readers);
          while (open.size > 0) {
            for (const reader of await wait(open)) {
              try {
                messages.push(await reader.recv());
              } catch (error) {
                assert.ok(error instanceof EOFError, String(error));
                open.delete(reader);
                reader.close();
              }
            }
          }
          const expected = children.flatMap((child) =>
            Array.from({ length: 10 }, (_, i) => [i, child.pid!] as [number, number])
          );
          const sorted = (list: [number, number][]) => list.toSorted((a, b) => a[1] - b[1] || a[0] - b[0]);
          assert.deepEqual(sorted(messages), sorted(expected));
          for (const child of children) await child.join();
        },
      );
    }
  }

  // test_wait_timeout
  test(mp, "wait() gives nothing after its timeout, and what is ready before", async () => {
    const [a, b] = mp.Pipe<unknown>();
    const waited = await timed(() => wait([a, b], { timeout: 100 }));
    assert.deepEqual(waited.value, []);
    assert.ok(waited.ms >= 100 - CLOCK_SLACK_MS && waited.ms < 2_000, `${waited.ms} ms`);
    await b.send(null);
    const ready = await timed(() => wait([a, b], { timeout: 20_000 }));
    assert.deepEqual(ready.value, [a]);
    assert.ok(ready.ms < 2_000, `${ready.ms} ms`);
    a.close();
    b.close();
  });

  // test_wait_integer
  test(mp, "wait() mixes connections and the sentinel of a process", async () => {
    const [gate, childGate] = mp.Pipe<unknown>();
    const [a, b] = mp.Pipe<unknown>();
    const child = new mp.Process({ target: targets.waitsForGate, args: [childGate] });
    child.start();
    assert.deepEqual(await wait([a, child.sentinel, b], { timeout: 20 }), []);
    const waiting = wait([a, child.sentinel, b], { timeout: 30_000 });
    await gate.send("end");
    assert.deepEqual(await waiting, [child.sentinel]);
    await a.send(null);
    assert.deepEqual(await wait([a, child.sentinel, b], { timeout: 20_000 }), [child.sentinel, b]);
    await b.send(null);
    assert.deepEqual(await wait([a, child.sentinel, b], { timeout: 20_000 }), [a, child.sentinel, b]);
    await child.join();
    assert.deepEqual(await wait([a, child, b], { timeout: 20_000 }), [a, child, b]);
    for (const end of [a, b, gate]) end.close();
  });

  // test_neg_timeout: there it counts as none
  test(mp, "wait() refuses a negative timeout", async () => {
    const [a, b] = mp.Pipe<unknown>();
    await assert.rejects(wait([a], { timeout: -1 }), ValueError);
    a.close();
    b.close();
  });

  // --- what else it promises ------------------------------------------------------------------------------------

  test(mp, "wait() works in a child", async () => {
    const [first, theirFirst] = mp.Pipe<unknown>();
    const [second, theirSecond] = mp.Pipe<unknown>();
    const [answers, theirAnswers] = mp.Pipe<unknown>();
    await using child = new mp.Process({
      target: targets.waitsThere,
      args: [theirFirst, theirSecond, theirAnswers],
    });
    child.start();
    assert.deepEqual(await answers.recv(), []);
    await second.send(1);
    await second.send(2);
    second.close();
    await first.send(3);
    first.close();
    const order = await answers.recv() as [number, number][];
    assert.deepEqual(order.filter(([which]) => which === 1), [[1, 1], [1, 2]]);
    assert.deepEqual(order.filter(([which]) => which === 0), [[0, 3]]);
    await child.join();
    answers.close();
  });

  test(mp, "wait() sees that the other end is closed, and that its process was killed", async () => {
    for (const end of ["close", "kill"] as const) {
      const [mine, theirs] = mp.Pipe<unknown>();
      const [gate, theirGate] = mp.Pipe<unknown>();
      const child = new mp.Process({ target: targets.closesThenWaits, args: [theirs, theirGate] });
      child.start();
      const waiting = wait([mine, gate]);
      assert.equal(await isPending(waiting), true);
      if (end === "close") await gate.send("close");
      else child.kill();
      const ready = await waiting;
      assert.ok(ready.includes(mine), end);
      await assert.rejects(mine.recv(), EOFError);
      if (end === "close") await gate.send("end");
      await child.join();
      mine.close();
      gate.close();
    }
  });

  test(mp, "wait() takes nothing and stands in nobody's way", async () => {
    const [a, b] = mp.Pipe<number>();
    const early = wait([a]);
    const receiving = a.recv();
    const late = wait([a], { timeout: 50 });
    await b.send(1);
    assert.equal(await receiving, 1);
    await b.send(2);
    assert.deepEqual(await early, [a]);
    await late;
    assert.equal(await a.recv(), 2);
    assert.equal(await a.poll(), false);
    a.close();
    b.close();
  });

  test(mp, "wait() that ended leaves no waiter behind", async () => {
    const [a, b] = mp.Pipe<number>();
    const never = new Promise<void>(() => {});
    let thens = 0;
    const counted: PromiseLike<void> = { then: (...args) => (thens++, never.then(...args)) };
    for (let i = 0; i < 200; i++) {
      const aborted = new AbortController();
      const waiting = wait([a, never, counted], { signal: aborted.signal });
      aborted.abort(new Error("enough"));
      await assert.rejects(waiting, /enough/);
      assert.deepEqual(await wait([a, counted], { timeout: 0 }), []);
    }
    assert.equal(thens, 1);
    // If one of them were still in line, it would get the first message.
    await b.send(7);
    assert.equal(await a.recv({ timeout: 1_000 }), 7);
    await assert.rejects(a.recv({ timeout: 1 }), TimeoutError);
    a.close();
    b.close();
  });
}

Deno.test("wait() gives what is ready in the order given", async () => {
  const settled = [Promise.resolve(1), Promise.reject(new Error("no")), (async () => await 3)()];
  const never = new Promise(() => {});
  const all = [settled[2]!, never, settled[0]!, settled[1]!];
  assert.deepEqual(await wait(all, { timeout: 0 }), [all[0], all[2], all[3]]);
  assert.deepEqual(await wait(all), [all[0], all[2], all[3]]);
  assert.deepEqual(await wait(new Set([never, settled[0]!]), { block: false }), [settled[0]]);
});

Deno.test("wait() for nothing gives nothing at once", async () => {
  assert.deepEqual(await wait([]), []);
});

Deno.test("wait() for promises alone keeps the program up until one settles", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const waiting = wait([promise, new Promise(() => {})]);
  assert.equal(await isPending(waiting), true);
  resolve();
  assert.deepEqual(await waiting, [promise]);
});

Deno.test("wait() refuses what cannot be waited for", async () => {
  for (const bad of [1, "text", null, undefined, {}, { sentinel: 5 }]) {
    await assert.rejects(wait([bad as never]), TypeError);
  }
  const [reader, writer] = Pipe<unknown>({ duplex: false });
  await assert.rejects(wait([writer]), OSError);
  reader.close();
  await assert.rejects(wait([reader]), OSError);
  writer.close();
  await assert.rejects(wait([new Process({ target: targets.waitsForGate, args: [reader] })]), ValueError);
  await assert.rejects(
    wait([Promise.resolve()], { signal: AbortSignal.abort(new Error("before")) }),
    /before/,
  );
});
