/**
 * SimpleQueue, for each start method. The names in comments are those of CPython's tests: `TestSimpleQueue` of
 * `_test_multiprocessing.py` and `BaseSimpleQueueTest` of `test_queue.py`.
 *
 * @module
 */
import {
  getContext,
  Lock,
  PicklingError,
  Pipe,
  RuntimeError,
  SimpleQueue,
  ValueError,
} from "@multiprocessing/deno";
import assert from "node:assert/strict";
import {
  AT_ONCE_MS,
  DEATH_MS,
  dies,
  endAll,
  nested,
  Puppet,
  puppets,
  ways,
} from "../fixtures/sync_targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { isPending, within } from "../support/gates.ts";

const closed = { name: "ValueError", message: /is closed/ };

for (const mp of contexts()) {
  const forms = mp.name === "worker" ? ["", "Sync"] : [""];

  // --- TestSimpleQueue ------------------------------------------------------------------------------------------

  // test_empty
  test(mp, "SimpleQueue.empty() is exact, here and in the child", async () => {
    const queue = new mp.SimpleQueue<boolean>();
    assert.equal(queue.empty(), true);
    await using child = await Puppet.start(mp, { queue });
    await child.call("queue.put", true);
    assert.equal(queue.empty(), false);
    assert.equal(await child.call("queue.empty"), false);
    await queue.put(false);
    assert.equal(await queue.get(), true);
    assert.equal(queue.empty(), false);
    assert.equal(await child.call("queue.get"), false);
    assert.equal(queue.empty(), true);
    assert.equal(await child.call("queue.empty"), true);
    await child.end();
  });

  // test_close, test_closed, test_empty_exceptions
  test(mp, "SimpleQueue.close() closes it for this process alone, any number of times", async () => {
    const queue = new mp.SimpleQueue<number>();
    await using child = await Puppet.start(mp, { queue });
    await queue.put(1);
    assert.equal(queue.close(), undefined);
    queue.close();
    await assert.rejects(queue.put(2), closed);
    await assert.rejects(queue.get(), ValueError);
    assert.throws(() => queue.putSync(2), ValueError);
    assert.throws(() => queue.getSync(), ValueError);
    assert.throws(() => queue.empty(), closed);
    assert.equal(await child.call("queue.get"), 1);
    await child.call("queue.close");
    await child.call("queue.close");
    for (const path of ["get", "empty"]) await assert.rejects(child.call(`queue.${path}`), closed);
    await assert.rejects(child.call("queue.put", 1), closed);
    await child.end();
  });

  test(mp, "SimpleQueue is closed by using, also after a throw", async () => {
    let kept;
    await assert.rejects(async () => {
      using queue = new mp.SimpleQueue<string>();
      kept = queue;
      await queue.put("inside");
      assert.equal(await queue.get(), "inside");
      throw new RangeError("out");
    }, new RangeError("out"));
    await assert.rejects(kept!.get(), closed);
    kept![Symbol.dispose](); // twice
  });

  // test_basic, test_order
  for (const form of forms) {
    test(mp, `SimpleQueue has first in, first out, both ways, put${form}() and get${form}()`, async () => {
      const [there, back] = [new mp.SimpleQueue<unknown>(), new mp.SimpleQueue<unknown>()];
      await using child = await Puppet.start(mp, { there, back });
      const items = [1, "two", null, undefined, [3], { four: 4n }, new Map([[5, new Set([5])]]), new Date(6)];
      for (const item of items) await there.put(item);
      for (const item of items) {
        const got = await child.call(`there.get${form}`);
        assert.deepEqual(got, item);
        await child.call(`back.put${form}`, got);
      }
      for (const item of items) assert.deepEqual(await back.get(), item);
      assert.deepEqual([there.empty(), back.empty()], [true, true]);
      await child.end();
    });

    test(mp, `SimpleQueue.get${form}() in the child waits for what we put`, async () => {
      const queue = new mp.SimpleQueue<string>();
      await using child = await Puppet.start(mp, { queue });
      for (const item of ["bread", "milk"]) {
        const { result } = await child.begin(`queue.get${form}`);
        assert.ok(await isPending(result));
        await queue.put(item);
        assert.equal(await within(AT_ONCE_MS, result, "the child's get()"), item);
      }
      await child.end();
    });
  }

  test(mp, "SimpleQueue.get() here waits for what the child puts", async () => {
    const queue = new mp.SimpleQueue<string>();
    await using child = await Puppet.start(mp, { queue });
    const mine = [queue.get(), queue.get()];
    for (const got of mine) assert.ok(await isPending(got));
    await child.call("queue.put", "first");
    assert.equal(await within(AT_ONCE_MS, mine[0]!, "get()"), "first");
    assert.ok(await isPending(mine[1]!));
    await child.call("queue.put", "second");
    assert.equal(await within(AT_ONCE_MS, mine[1]!, "get()"), "second");
    await child.end();
  });

  test(mp, "SimpleQueue.putSync() and getSync() here", async () => {
    const queue = new mp.SimpleQueue<number>();
    queue.putSync(1);
    queue.putSync(2);
    assert.equal(queue.getSync(), 1);
    assert.equal(await queue.get(), 2);
    assert.equal(queue.empty(), true);
  });

  // test_many_threads
  test(
    mp,
    "SimpleQueue loses and doubles nothing among three consumers, and serves them in order",
    async () => {
      const queue = new mp.SimpleQueue<number>();
      await using children = await puppets(mp, 3, { queue });
      const waits: Promise<unknown>[] = [];
      for (let round = 0; round < 10; round++) {
        for (const child of children) waits.push((await child.begin("queue.get")).result);
      }
      for (let n = 0; n < 30; n++) {
        await queue.put(n);
        assert.equal(await within(AT_ONCE_MS, waits[n]!, `get() ${n}`), n);
      }
      assert.equal(queue.empty(), true);
      await endAll(children);
    },
  );

  test(mp, "SimpleQueue has no limit, and takes large items", async () => {
    const queue = new mp.SimpleQueue<unknown>();
    await using child = await Puppet.start(mp, { queue });
    for (let n = 0; n < 5_000; n++) await queue.put(n);
    const large = new Uint8Array(3_000_000).fill(7);
    await queue.put(large);
    for (let n = 0; n < 4_999; n++) await queue.get();
    assert.equal(await child.call("queue.get"), 4_999);
    const back = await child.call("queue.get") as Uint8Array;
    assert.equal(back.length, large.length);
    assert.ok(back.every((byte) => byte === 7));
    await child.end();
  });

  // test_queue_feeder_donot_stop_onexc, as far as there is something to stop
  test(
    mp,
    "SimpleQueue.put() of what cannot travel is refused at once and leaves the queue whole",
    async () => {
      const queue = new mp.SimpleQueue<unknown>();
      await using child = await Puppet.start(mp, { queue });
      await queue.put(1);
      await assert.rejects(queue.put({ deep: [() => {}] }), {
        name: "PicklingError",
        message: /item\.deep\[0\]/,
      });
      assert.throws(() => queue.putSync(() => {}), PicklingError);
      await queue.put(2);
      assert.equal(await child.call("queue.get"), 1);
      assert.equal(await child.call("queue.get"), 2);
      assert.equal(queue.empty(), true);
      await child.end();
    },
  );

  // --- Travelling -----------------------------------------------------------------------------------------------

  test(
    mp,
    "SimpleQueue travels nested in arguments, over itself and over a pipe, and stays the same",
    async () => {
      const queues: Record<string, SimpleQueue<unknown>> = {
        inArgs: new mp.SimpleQueue(),
        inItem: new mp.SimpleQueue(),
        inMessage: new mp.SimpleQueue(),
      };
      const [ours, theirs] = Pipe<unknown>();
      await using child = await Puppet.start(mp, { data: nested(queues.inArgs), connection: theirs });
      await child.call("keep", "inArgs", { list: await child.call("get", "data", "list") });
      await queues.inArgs!.put(nested(queues.inItem));
      await child.call("keep", "inItem", await child.call("inArgs.get"));
      await ours.send(nested(queues.inMessage));
      await child.call("keep", "inMessage", await child.call("connection.recv"));
      for (const [at, queue] of Object.entries(queues)) {
        assert.equal(await child.call("isA", at, "SimpleQueue"), true);
        assert.equal(await child.call("isA", at, "Queue"), false);
        await queue.put("there");
        assert.equal(await child.call(`${at}.get`), "there");
        await child.call(`${at}.put`, "back");
        assert.equal(await within(AT_ONCE_MS, queue.get(), at), "back");
      }
      ours.close();
      await child.end();
    },
  );

  test(mp, "SimpleQueue carries handles as what they are", async () => {
    const queue = new mp.SimpleQueue<unknown>();
    const lock = new mp.Lock();
    await using child = await Puppet.start(mp, { queue });
    await queue.put(nested(lock));
    await child.call("keep", "lock", await child.call("queue.get"));
    assert.equal(await child.call("isA", "lock", "Lock"), true);
    await child.call("lock.acquire");
    assert.equal(await lock.acquire({ block: false }), false);
    await child.call("queue.put", await child.call("create", "other", "Lock"));
    const other = await queue.get() as Lock;
    assert.ok(other instanceof Lock);
    await child.call("lock.release");
    assert.equal(await lock.acquire({ timeout: AT_ONCE_MS }), true);
    lock.release();
    await child.end();
  });

  test(mp, "SimpleQueue made by a child is used by us and another child", async () => {
    await using maker = await Puppet.start(mp);
    const queue = await maker.call("create", "queue", "SimpleQueue") as SimpleQueue<string>;
    assert.ok(queue instanceof SimpleQueue);
    await using other = await Puppet.start(mp, { queue });
    await queue.put("from us");
    assert.equal(await maker.call("queue.get"), "from us");
    await other.call("queue.put", "from the other");
    assert.equal(await within(AT_ONCE_MS, queue.get(), "get()"), "from the other");
    const mine = queue.get();
    assert.ok(await isPending(mine));
    await maker.call("queue.put", "from the maker");
    assert.equal(await within(AT_ONCE_MS, mine, "get()"), "from the maker");
    await other.end();
    await maker.end();
  });

  // --- Death ----------------------------------------------------------------------------------------------------

  for (const way of ways(mp)) {
    test(
      mp,
      `SimpleQueue of a child that ${way.name} keeps what was put, and serves the others`,
      async () => {
        const queue = new mp.SimpleQueue<string>();
        const answers = new mp.SimpleQueue<string>();
        await using child = await Puppet.start(mp, { queue, answers });
        await child.call("answers.put", "the last words");
        if (way.amidWait) await child.begin("queue.get");
        const mine = queue.get();
        await dies(child, way);
        assert.ok(await isPending(mine));
        await queue.put("first");
        assert.equal(await within(DEATH_MS, mine, "get()"), "first");
        await queue.put("second");
        assert.equal(await within(DEATH_MS, queue.get(), "get()"), "second");
        assert.equal(await answers.get(), "the last words");
        assert.deepEqual([queue.empty(), answers.empty()], [true, true]);
      },
    );
  }

  test(mp, "SimpleQueue closed here while a child waits still serves the child", async () => {
    const queue = new mp.SimpleQueue<string>();
    await using children = await puppets(mp, 2, { queue });
    const { result } = await children[0]!.begin("queue.get");
    queue.close();
    await children[1]!.call("queue.put", "bread");
    assert.equal(await within(AT_ONCE_MS, result, "the child's get()"), "bread");
    await endAll(children);
  });
}

const spawn = getContext("spawn");

test(spawn, "SimpleQueue refuses its blocking twins in the child and says why", async () => {
  const queue = new spawn.SimpleQueue<number>();
  await using child = await Puppet.start(spawn, { queue });
  for (const path of ["queue.getSync", "queue.putSync"]) {
    await assert.rejects(child.call(path), RuntimeError);
    await assert.rejects(child.call(path), /the async form/);
  }
  assert.equal(queue.empty(), true);
  await child.end();
});
