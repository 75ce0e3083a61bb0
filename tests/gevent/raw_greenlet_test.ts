/**
 * The greenlets of the package `greenlet`. What each case expects was seen of greenlet 3.5 under CPython 3.11.
 *
 * @module
 */
import { RuntimeError, ValueError } from "@multiprocessing/deno";
import { getcurrent, greenlet, GreenletExit, RawGreenlet } from "@multiprocessing/deno/gevent";
import { currentThread, Thread } from "@multiprocessing/deno/threading";
import assert from "node:assert/strict";
import { isPending } from "../support/gates.ts";
import { inThread } from "../threading/bunch.ts";

/** Switches to its parent twice, and notes with what it comes back. */
function twice(notes: unknown[] = []): RawGreenlet {
  return greenlet(async (x: number) => {
    const { parent } = getcurrent();
    notes.push(await parent!.switch(x + 1));
    notes.push(await parent!.switch());
    return "end";
  });
}

Deno.test("greenlet: two functions hand the control to and fro", async () => {
  const said: number[] = [];
  const gr1: RawGreenlet = greenlet(async () => {
    said.push(12);
    await gr2.switch();
    said.push(34);
    await gr2.switch();
    said.push(-1);
  });
  const gr2 = greenlet(async () => {
    said.push(56);
    await gr1.switch();
    said.push(78);
    return "the value of gr2";
  });
  assert.equal(await gr1.switch(), "the value of gr2"); // gr2 ends, and main is its parent
  assert.deepEqual([said, gr1.dead, gr2.dead], [[12, 56, 34, 78], false, true]);
});

Deno.test("greenlet.switch() hands over one argument as itself, several as an array, none as undefined", async () => {
  const notes: unknown[] = [];
  const g = twice(notes);
  assert.equal(await g.switch(1), 2);
  assert.equal(await g.switch(10, 20), undefined);
  assert.equal(await g.switch(), "end");
  assert.deepEqual([notes, g.dead], [[[10, 20], undefined], true]);
});

Deno.test("greenlet: what it returns or throws goes to its parent", async () => {
  assert.deepEqual(await greenlet((...args: number[]) => args).switch(1, 2), [1, 2]);
  assert.equal(await greenlet(() => Promise.resolve("later")).switch(), "later");
  const fails = greenlet(() => {
    throw new RangeError("k");
  });
  await assert.rejects(fails.switch(), RangeError);
  assert.equal(fails.dead, true);
  const outer = greenlet(async () => {
    const inner = greenlet(() => Promise.reject(new RangeError("k")));
    return await inner.switch().catch((error) => `outer caught ${error.name}`);
  });
  assert.equal(await outer.switch(), "outer caught RangeError");
});

Deno.test("greenlet.switch() to a dead one goes to its parent", async () => {
  const g = greenlet(() => "end");
  await g.switch();
  assert.equal(await g.switch(5), 5);
  assert.deepEqual(await g.switch(5, 6), [5, 6]);
  assert.equal(await g.switch(), undefined);
  await assert.rejects(g.throw(new RangeError("w")), RangeError);
  assert.ok(await g.throw() instanceof GreenletExit);
});

Deno.test("greenlet.switch() to oneself returns at once", async () => {
  const main = getcurrent();
  assert.equal(await main.switch(3), 3);
  assert.equal(await main.switch(), undefined);
  await assert.rejects(main.throw(new RangeError("m")), RangeError);
});

Deno.test("greenlet.throw() throws where it waits, or before it has begun", async () => {
  const unstarted = twice();
  await assert.rejects(unstarted.throw(new RangeError("v")), RangeError);
  assert.equal(unstarted.dead, true);
  const exited = twice();
  assert.ok(await exited.throw() instanceof GreenletExit);
  assert.equal(exited.dead, true);

  const waiting = twice();
  await waiting.switch(1);
  await assert.rejects(waiting.throw(new RangeError("v")), RangeError);
  assert.equal(waiting.dead, true);
  const waits = twice();
  await waits.switch(1);
  assert.ok(await waits.throw() instanceof GreenletExit);
  assert.equal(waits.dead, true);

  const main = getcurrent();
  const catcher = greenlet(() => main.switch("w").catch((error) => `caught ${error.message}`));
  assert.equal(await catcher.switch(), "w");
  assert.equal(await catcher.throw(new RangeError("v")), "caught v");
});

Deno.test("greenlet.parent may be another than the one that made it", async () => {
  const main = getcurrent();
  assert.deepEqual([main.parent, twice().parent === main], [null, true]);
  // c ends into its parent p, which waits for it; p ends into main
  const p = greenlet(async () => `p got ${await c.switch()}`);
  const c = greenlet(() => "c done", p);
  assert.equal(await p.switch(), "p got c done");
  // a parent that has not begun is begun with it
  const unstarted = greenlet((...args: unknown[]) => ["p got", args]);
  assert.deepEqual(await greenlet(() => "c done", unstarted).switch(), ["p got", ["c done"]]);
  // a parent that has ended is passed over
  const [first, second] = [greenlet(() => "first"), greenlet(() => "second")];
  second.parent = first;
  await first.switch();
  assert.equal(await second.switch(), "second");
});

Deno.test("greenlet.parent refuses circles, other threads, and to be missing", async () => {
  const [g1, g2] = [greenlet(() => {}), greenlet(() => {})];
  g2.parent = g1;
  assert.throws(() => g1.parent = g2, { name: "ValueError", message: "cyclic parent chain" });
  assert.throws(() => g1.parent = g1, ValueError);
  assert.throws(() => g1.parent = null, TypeError);
  assert.throws(() => getcurrent().parent = g1, TypeError);
  const elsewhere = await inThread(() => [greenlet(() => {})]);
  assert.throws(() => g1.parent = elsewhere[0]!, ValueError);
});

Deno.test("greenlet is called with new and without, and a subclass has a run() of its own", async () => {
  for (const Base of [RawGreenlet, greenlet]) {
    class Double extends Base {
      override run(n: number) {
        return n * 2;
      }
    }
    const double = new Double();
    assert.equal(await double.switch(4), 8);
    assert.ok(double instanceof Double && double instanceof Base && double instanceof greenlet);
    assert.ok(new Base(() => {}) instanceof RawGreenlet);
  }
  assert.ok(greenlet(() => {}) instanceof greenlet);
  assert.equal(greenlet.getcurrent(), getcurrent());
  await assert.rejects(new RawGreenlet().switch(), RuntimeError);
});

Deno.test("getcurrent() is the greenlet that runs, each thread having one of its own", async () => {
  const main = getcurrent();
  const g: RawGreenlet = greenlet(async () => {
    const seen = [getcurrent() === g];
    await new Promise((resolve) => setTimeout(resolve, 1));
    seen.push(getcurrent() === g);
    await main.switch("back");
    seen.push(getcurrent() === g, currentThread().name === "MainThread");
    return seen;
  });
  await g.switch();
  assert.equal(getcurrent(), main);
  assert.deepEqual(await g.switch(), [true, true, true, true]);
  await inThread(async () => {
    const root = getcurrent();
    assert.notEqual(root, main);
    assert.equal(getcurrent(), root);
    assert.deepEqual([root.parent, greenlet(() => {}).parent], [null, root]);
    await greenlet(async () => {
      const inner = new Thread({ target: () => void assert.notEqual(getcurrent(), root) });
      inner.start();
      await inner.join();
    }).switch();
  });
});

Deno.test("greenlet.switch() to one of another thread is refused", async () => {
  const g = twice();
  await inThread(() => assert.rejects(g.switch(1), /^RuntimeError: Cannot switch to a different thread/));
  assert.equal(await g.switch(1), 2);
});

// Python has no such case: there a greenlet that runs is the only one that can switch.
Deno.test("greenlet.switch() where the turns are mixed up is refused", async () => {
  await inThread(async () => {
    const never = greenlet(() => new Promise(() => {}));
    const waiting = never.switch();
    await assert.rejects(getcurrent().switch(), /has switched away already/);
    assert.equal(await isPending(waiting), true);
  });

  await inThread(async () => {
    const root = getcurrent();
    const gate = Promise.withResolvers<void>();
    const busy = greenlet(async () => {
      await root.switch("I go on");
      await gate.promise; // root waits for this switch meanwhile
      return "done";
    });
    assert.equal(await busy.switch(), "I go on");
    const done = busy.switch();
    const other = greenlet(() => "other", root);
    await assert.rejects(other.switch(), RuntimeError); // root has switched away
    gate.resolve();
    assert.equal(await done, "done");
    assert.equal(await other.switch(), "other");
  });
});

Deno.test("greenlet: a generator of Fibonacci numbers", async () => {
  class Generated<T> extends RawGreenlet {
    async *[Symbol.asyncIterator](): AsyncGenerator<T> {
      for (let item = await this.switch(); !this.dead; item = await this.switch()) yield item as T;
    }
  }
  const numbers = new Generated<number>(async () => {
    for (let [a, b] = [0, 1]; a < 50; [a, b] = [b, a + b]) await getcurrent().parent!.switch(a);
  });
  assert.deepEqual(await Array.fromAsync(numbers), [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]);
});

Deno.test("greenlet: ten thousand of them pass a number on", async () => {
  const main = getcurrent();
  const chain: RawGreenlet[] = [];
  for (let i = 0; i < 10_000; i++) {
    chain.push(greenlet(async (n: number) => {
      for (;;) n = await main.switch(n + 1) as number;
    }));
  }
  let n = 0;
  for (let round = 0; round < 3; round++) for (const g of chain) n = await g.switch(n) as number;
  assert.equal(n, 30_000);
});
