/**
 * How long the objects of a manager live: as long as anybody has a proxy of them, or one is on its way.
 *
 * @module
 */
import { type ListProxy, PicklingError, type SyncManager } from "@multiprocessing/deno";
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { passesOn, putsNew, reads, takes, waitsForEver } from "../fixtures/manager_targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { within } from "../support/gates.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Waits until the manager has so many objects. What is garbage is collected; there is no event for that. */
async function hasObjects(manager: SyncManager, count: number): Promise<void> {
  const reach = async () => {
    while (await manager._numberOfObjects() !== count) {
      collectGarbage();
      await setImmediate();
    }
  };
  await within(20_000, reach(), `${count} objects instead of ${await manager._numberOfObjects()}`);
}

for (const mp of contexts()) {
  const managed = (name: string, body: (manager: SyncManager) => Promise<void>) =>
    test(mp, name, async () => {
      await using manager = mp.Manager();
      await body(manager);
    });

  managed("an object goes when its proxies are released, or garbage", async (manager) => {
    {
      using list = manager.list([1]);
      const other = manager.list([2]);
      assert.equal(await list.length, 1);
      assert.equal(await manager._numberOfObjects(), 2);
      other[Symbol.dispose]();
      other[Symbol.dispose]();
      assert.equal(await manager._numberOfObjects(), 1);
      await assert.rejects(other.length(), { name: "ValueError", message: /released/ });
    }
    assert.equal(await manager._numberOfObjects(), 0);
    await (async () => {
      for (let i = 0; i < 20; i++) await manager.dict({ i: i }).get("i");
    })();
    await hasObjects(manager, 0);
  });

  managed("an object lives in what holds it, and goes with that", async (manager) => {
    const outer = manager.dict<string, ListProxy<number>>();
    await (async () => {
      using inner = manager.list([1]);
      await outer.set("inner", inner);
    })();
    // As in Python, only those are counted that somebody outside has a proxy of.
    await hasObjects(manager, 1);
    {
      using inner = await outer.get("inner");
      assert.deepEqual(await inner!.copy(), [1]);
      assert.equal(await manager._numberOfObjects(), 2);
      await outer.clear();
      assert.deepEqual(await inner!.copy(), [1]);
    }
    await hasObjects(manager, 1);
  });

  managed("an object lives while its proxy is on its way, though its sender has ended", async (manager) => {
    using lists = new mp.Queue<ListProxy<unknown>>();
    const maker = manager.list<unknown>([manager.list(["still here"])]);
    await hasObjects(manager, 1);
    await using child = new mp.Process({ target: putsNew, args: [maker, lists] });
    child.start();
    await child.join();
    assert.equal(child.exitcode, 0);
    await hasObjects(manager, 2);
    {
      using inner = await lists.get();
      assert.deepEqual(await inner.copy(), ["still here"]);
    }
    await hasObjects(manager, 1);
  });

  managed("a process that ends, or is killed, gives up its proxies", async (manager) => {
    using said = new mp.Queue<string>();
    {
      using queue = manager.Queue<number>();
      await using child = new mp.Process({ target: waitsForEver, args: ["get", queue, said] });
      child.start();
      assert.equal(await said.get(), "waiting");
      queue[Symbol.dispose]();
      assert.equal(await manager._numberOfObjects(), 1);
      child.kill();
    }
    await hasObjects(manager, 0);
    {
      using dict = manager.dict({ a: 1 });
      await using child = new mp.Process({ target: reads, args: [dict, "a", said] });
      child.start();
      await child.join();
      assert.equal(await said.get() as unknown, 1);
    }
    await hasObjects(manager, 0);
  });

  managed("proxies that are used as soon as they are made come to life elsewhere", async (manager) => {
    using lists = new mp.Queue<ListProxy<number> | null>();
    using said = new mp.Queue<number[]>();
    await using child = new mp.Process({ target: takes, args: [lists, said] });
    child.start();
    for (let i = 0; i < 100; i++) {
      using list = manager.list([i]);
      await lists.put(list);
    }
    for (let i = 0; i < 100; i++) assert.deepEqual(await said.get(), [i]);
    await lists.put(null);
    await child.join();
    await hasObjects(manager, 0);
  });

  managed("proxies go through many hands", async (manager) => {
    const queues = Array.from({ length: 4 }, () => new mp.Queue<ListProxy<number> | null>());
    const children = [0, 1, 2].map((i) =>
      new mp.Process({ target: passesOn<ListProxy<number>>, args: [queues[i]!, queues[i + 1]!] as never })
    );
    for (const child of children) child.start();
    for (let i = 0; i < 20; i++) {
      using list = manager.list([i]);
      await queues[0]!.put(list);
    }
    for (let i = 0; i < 20; i++) {
      using list = await queues[3]!.get();
      assert.deepEqual(await list!.copy(), [i]);
    }
    for (const [i, child] of children.entries()) {
      await queues[i]!.put(null);
      await child.join();
      assert.equal(child.exitcode, 0);
    }
    await hasObjects(manager, 0);
  });

  managed("what is refused lends nothing", async (manager) => {
    using queue = new mp.Queue<unknown>();
    {
      using list = manager.list([1]);
      await assert.rejects(queue.put([list, () => 1]), PicklingError);
      await assert.rejects((list as ListProxy<unknown>).append([list, () => 1]), PicklingError);
      assert.throws(() => manager.list([list, () => 1]), PicklingError);
      assert.throws(
        () => new mp.Process({ target: takes, args: [list, () => 1] as never }).start(),
        PicklingError,
      );
      assert.equal(await manager._numberOfObjects(), 1);
    }
    await hasObjects(manager, 0);
  });
}
