/**
 * local. The names in comments are those of CPython's `test_threading_local.py`.
 *
 * @module
 */
import { PicklingError, Queue } from "@multiprocessing/deno";
import { Event, local, Thread } from "@multiprocessing/deno/threading";
import assert from "node:assert/strict";
import { Bunch, inThread } from "./bunch.ts";

class Subclass extends local {}

// test_derived (issue 3088)
Deno.test("local: what a thread sets it finds again, also after it waited", async () => {
  class Local extends local<{ x: number }> {}
  const mine = new Local();
  await new Bunch(10, async (i) => {
    mine.x = i;
    await new Event().wait({ timeout: Math.random() * 3 });
    assert.equal(mine.x, i);
  }).end();
  assert.equal(mine.x, undefined);
});

// test_arguments (issue 1522237)
Deno.test("local takes arguments only in a subclass", () => {
  class Mine extends local {
    constructor(...args: unknown[]) {
      super(...args);
    }
  }
  new Mine(1, { a: 1 });
  assert.throws(() => new local(1), {
    name: "TypeError",
    message: /^Initialization arguments are not supported/,
  });
});

// test_threading_local, test_threading_local_subclass
for (const Class of [local, Subclass]) {
  Deno.test(`local: what a thread sets no other thread sees [${Class.name}]`, async () => {
    const mine = new Class();
    const [e1, e2] = [new Event(), new Event()];
    const first = new Bunch(1, async () => {
      mine.x = "foo";
      mine.y = "bar";
      delete mine.y;
      e1.set();
      await e2.wait();
      assert.deepEqual({ ...mine }, { x: "foo" });
    });
    await e1.wait();
    await inThread(() => {
      assert.equal(mine.x, undefined);
      assert.equal("x" in mine, false);
    });
    e2.set();
    await first.end();
    assert.deepEqual({ ...mine }, {});
  });

  // test_dict_attribute, test_dict_attribute_subclass: the attributes are those of the thread that asks
  Deno.test(`local shows what this thread has set [${Class.name}]`, async () => {
    const mine = new Class();
    mine.x = 5;
    await inThread(() => void (mine.z = 7));
    assert.deepEqual(Object.entries(mine), [["x", 5]]);
    assert.equal(JSON.stringify(mine), '{"x":5}');
    assert.ok(mine instanceof Class);
    Object.defineProperty(mine, "y", { value: 6, configurable: true });
    assert.deepEqual(Object.getOwnPropertyDescriptor(mine, "y")?.value, 6);
    assert.throws(() => Object.freeze(mine), TypeError);
  });
}

// the documentation of `_threading_local`: a subclass is initialised once for each thread that uses it
Deno.test("local: a subclass is constructed once for each thread, with the arguments it passed to super", async () => {
  const made: unknown[][] = [];
  class Mine extends local {
    number = 2;
    readonly #shared = { calls: 0 };
    constructor(readonly color: string, start: number) {
      super(color, start);
      this.number += start;
      made.push([color, start]);
    }
    squared(): number {
      this.#shared.calls++;
      return this.number ** 2;
    }
    get calls(): number {
      return this.#shared.calls;
    }
    set twice(number: number) {
      this.number = 2 * number;
    }
  }
  const mine = new Mine("red", 1);
  mine.twice = 5;
  assert.deepEqual([mine.color, mine.number, mine.squared()], ["red", 10, 100]);
  await inThread(async () => {
    assert.deepEqual([mine.color, mine.number, mine.squared()], ["red", 3, 9]);
    mine.color satisfies string;
    await null;
    mine.number = 4;
    assert.equal(mine.squared(), 16);
  });
  assert.deepEqual([mine.number, mine.calls], [10, 3]); // a #field is for all threads
  assert.deepEqual(made, [["red", 1], ["red", 1]]);
});

Deno.test("local: a constructor that throws for a thread leaves it without, and the others with theirs", async () => {
  let fails = false;
  class Mine extends local<{ x: number }> {
    constructor() {
      super();
      if (fails) throw new RangeError("not now");
      this.x = 1;
    }
  }
  const mine = new Mine();
  fails = true;
  await inThread(() => {
    assert.throws(() => mine.x, RangeError);
    const other = new local<{ y: number }>(); // not taken for what the failed one was to be
    other.y = 2;
    assert.equal(other.y, 2);
    fails = false;
    assert.equal(mine.x, 1);
  });
});

// test_local_refs: what a thread had is let go of at its end
Deno.test("local lets go of what a thread had when the thread ends", async () => {
  const mine = new local<{ x: number }>();
  const thread = new Thread({ target: () => void (mine.x = 1) });
  thread.start();
  await thread.join();
  const leftovers: unknown[] = [];
  // A callback that the thread left behind runs in its context.
  const late = Promise.withResolvers<void>();
  const leaver = new Thread({
    target() {
      mine.x = 2;
      setTimeout(() => {
        leftovers.push(mine.x);
        late.resolve();
      }, 1);
    },
  });
  leaver.start();
  await leaver.join();
  await late.promise;
  assert.deepEqual(leftovers, [undefined]);
});

Deno.test("local: a constructor may make another local, before and after super()", async () => {
  class Outer extends local<{ x: number }> {
    readonly inner;
    constructor() {
      const inner = new local<{ y: number }>();
      super();
      this.inner = inner;
      this.x = 1;
      inner.y = 2;
    }
  }
  const mine = new Outer();
  await inThread(async () => {
    const { inner } = mine;
    assert.deepEqual([mine.x, inner.y], [1, 2]);
    assert.equal(await inThread(() => inner.y), undefined);
  });
});

Deno.test("local does not travel to another process", async () => {
  using queue = new Queue<unknown>();
  await assert.rejects(queue.put(new local()), PicklingError);
});
