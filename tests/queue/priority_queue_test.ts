/**
 * PriorityQueue: what comes before what. Python's `heapq` is asked where there is a Python.
 *
 * @module
 */
import { PriorityQueue } from "@multiprocessing/deno/queue";
import assert from "node:assert/strict";
import { hasPython } from "../support/program.ts";

const python = await hasPython();

/** Puts all, then gets all. */
async function sorted<T>(items: readonly T[]): Promise<T[]> {
  const queue = new PriorityQueue<T>();
  for (const item of items) await queue.put(item);
  queue.shutdown();
  return await Array.fromAsync(queue);
}

/** Numbers that look random and are the same each time. */
function* chance(seed = 1): Generator<number, never> {
  for (;;) yield (seed = seed * 48271 % 0x7fffffff) / 0x7fffffff;
}

const random = chance();
const upTo = (n: number) => Math.floor(random.next().value * n);

Deno.test("PriorityQueue gives the least first, put and got in any order", async () => {
  const queue = new PriorityQueue<number>();
  const held: number[] = [];
  for (let i = 0; i < 5_000; i++) {
    if (held.length > 0 && upTo(5) < 2) {
      held.sort((a, b) => a - b);
      assert.equal(await queue.get(), held.shift());
    } else {
      const item = upTo(100);
      held.push(item);
      await queue.put(item);
    }
  }
  assert.equal(queue.qsize(), held.length);
});

Deno.test("PriorityQueue: what can be compared, and how", async () => {
  const cases: unknown[][] = [
    [-Infinity, -1, 0, 1, 2n, 2.5, 10n, Infinity],
    [false, true, 2],
    ["", "A", "B", "a", "aa", "b"],
    [new Date(0), new Date(1), new Date(2)],
    [Object(1), 2, Object(3n)],
    [[], [0], [0, 0], [0, 1], [1], [1, "a"], [1, "b", {}], [2, null]],
    [[1, [2, "a"]], [1, [2, "b"]], [1, [3, "a"]]],
  ];
  for (const items of cases) {
    for (const shuffled of [items, items.toReversed(), [...items.slice(2), ...items.slice(0, 2)]]) {
      assert.deepEqual(await sorted(shuffled), items);
    }
  }
});

Deno.test("PriorityQueue goes by compareTo() where there is one", async () => {
  class Job {
    constructor(readonly priority: number) {}
    compareTo(other: unknown): number {
      return this.priority - (other instanceof Job ? other.priority : Number(other));
    }
  }
  const jobs = [5, 1, 4, 2, 3].map((priority) => new Job(priority));
  assert.deepEqual((await sorted(jobs)).map(({ priority }) => priority), [1, 2, 3, 4, 5]);
  assert.deepEqual(await sorted([new Job(2), 3, new Job(1), 0]), [0, new Job(1), new Job(2), 3]);
  assert.deepEqual((await sorted([[1, new Job(9)], [1, new Job(7)]])).map(([, job]) => job), [
    new Job(7),
    new Job(9),
  ]);
});

Deno.test("PriorityQueue: what is equal up to itself needs no comparison", async () => {
  const data = { not: "comparable" };
  assert.deepEqual(await sorted([[1, data, 2], [1, data, 1]]), [[1, data, 1], [1, data, 2]]);
  assert.deepEqual(await sorted([[1, null, "b"], [1, null, "a"]]), [[1, null, "a"], [1, null, "b"]]);
  assert.deepEqual(await sorted([[NaN, 2], [NaN, 1]]), [[NaN, 1], [NaN, 2]]);
});

Deno.test("PriorityQueue refuses what cannot be compared, and keeps what it has", async () => {
  const impossible: [unknown, unknown, string, string][] = [
    [1, "one", "string", "number"],
    [1, null, "null", "number"],
    [1, undefined, "undefined", "number"],
    [1, [1], "Array", "number"],
    [{}, {}, "Object", "Object"],
    [new Date(0), "today", "string", "Date"],
    [[1, {}], [1, {}], "Object", "Object"],
    [1, Symbol("s"), "symbol", "number"],
    [1, Object.create(null), "Object", "number"],
  ];
  for (const [first, second, a, b] of impossible) {
    const queue = new PriorityQueue<unknown>();
    await queue.put(first); // alone it need not be compared
    await assert.rejects(queue.put(second), {
      name: "TypeError",
      message: `'<' not supported between instances of '${a}' and '${b}'`,
    });
    assert.deepEqual([queue.qsize(), queue.unfinishedTasks], [1, 1]);
    assert.equal(await queue.get(), first);
  }
});

Deno.test("PriorityQueue.get() that has to compare in vain takes nothing", async () => {
  let comparable = true;
  class Moody {
    constructor(readonly n: number) {}
    compareTo(other: Moody): number {
      if (!comparable) throw new RangeError("not today");
      return this.n - other.n;
    }
  }
  const queue = new PriorityQueue<Moody>();
  for (const n of [5, 3, 1, 4, 2]) await queue.put(new Moody(n));
  comparable = false;
  await assert.rejects(queue.get(), RangeError);
  await assert.rejects(queue.put(new Moody(0)), RangeError);
  assert.equal(queue.qsize(), 5);
  comparable = true;
  queue.shutdown();
  assert.deepEqual((await Array.fromAsync(queue)).map(({ n }) => n), [1, 2, 3, 4, 5]);
});

Deno.test({
  name: "PriorityQueue orders tuples as Python does",
  ignore: !python, // nothing to compare with
  async fn() {
    const items: unknown[][] = [];
    for (let i = 0; i < 500; i++) {
      items.push([upTo(4), "ab".slice(0, upTo(3)), [upTo(3), upTo(2)].slice(0, upTo(3)), i]);
    }
    const program = "import heapq, json, sys\n" +
      "heap = []\n" +
      "for item in json.load(sys.stdin): heapq.heappush(heap, item)\n" +
      "json.dump([heapq.heappop(heap) for _ in range(len(heap))], sys.stdout)\n";
    const child = new Deno.Command("python3", {
      args: ["-c", program],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(JSON.stringify(items)));
    await writer.close();
    const { stdout } = await child.output();
    assert.deepEqual(await sorted(items), JSON.parse(new TextDecoder().decode(stdout)));
  },
});
