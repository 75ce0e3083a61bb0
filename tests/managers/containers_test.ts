/**
 * Dicts, lists, sets and namespaces of a manager, for each start method. The names in comments are those of CPython's
 * `_TestContainers` in `_test_multiprocessing.py`.
 *
 * @module
 */
import {
  type DictProxy,
  ListProxy,
  PicklingError,
  type QueueProxy,
  RuntimeError,
  type SyncManager,
  ValueError,
} from "@multiprocessing/deno";
import assert from "node:assert/strict";
import { awaits, doubles, failsToDouble } from "../fixtures/manager_targets.ts";
import { contexts, test } from "../support/contexts.ts";

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

for (const mp of contexts()) {
  /** A test with a manager of its own. */
  const managed = (name: string, body: (manager: SyncManager) => Promise<void>) =>
    test(mp, name, async () => {
      await using manager = mp.Manager();
      await body(manager);
    });

  // test_list
  managed("ListProxy works as a list does", async (manager) => {
    const a = manager.list(range(0, 10));
    assert.deepEqual(await a.copy(), range(0, 10));

    const b = manager.list<number>();
    assert.deepEqual(await b.copy(), []);
    await b.extend(range(0, 5));
    assert.deepEqual(await b.copy(), range(0, 5));
    assert.equal(await b.get(2), 2);
    assert.deepEqual(await b.slice(2, 10), [2, 3, 4]);
    await b.extend(await b.copy());
    assert.deepEqual(await b.copy(), [...range(0, 5), ...range(0, 5)]);
    assert.deepEqual(await a.copy(), range(0, 10));

    const e = manager.list([a, b]);
    const inside: number[][] = [];
    for await (const element of e) inside.push(await element.copy());
    assert.deepEqual(inside, [range(0, 10), [...range(0, 5), ...range(0, 5)]]);

    const f = manager.list<ListProxy<unknown>>([a as ListProxy<unknown>]);
    await (a as ListProxy<unknown>).append("hello");
    assert.deepEqual(await (await f.get(0)).copy(), [...range(0, 10), "hello"]);
  });

  managed("ListProxy methods do as Python's, also at the edges", async (manager) => {
    const list = manager.list<unknown>([3, 1, 2]);
    await list.insert(0, "first");
    await list.insert(-100, "before");
    await list.insert(100, "last");
    await list.insert(-1, "next to last");
    assert.deepEqual(await list.copy(), ["before", "first", 3, 1, 2, "next to last", "last"]);
    assert.equal(await list.pop(), "last");
    assert.equal(await list.pop(0), "before");
    assert.equal(await list.pop(-1), "next to last");
    await list.set(-1, 22);
    assert.equal(await list.get(-1), 22);
    await list.reverse();
    assert.deepEqual(await list.copy(), [22, 1, 3, "first"]);
    assert.equal(await list.length, 4);
    assert.equal(await list.length(), 4);

    for (const index of [4, -5]) {
      await assert.rejects(list.get(index), RangeError);
      await assert.rejects(list.set(index, 0), RangeError);
      await assert.rejects(list.pop(index), RangeError);
    }
    await assert.rejects(list.get(0.5), TypeError);
    await assert.rejects(manager.list().pop(), RangeError);
    await assert.rejects(list.remove("none"), ValueError);
    await assert.rejects(list.index(3, 0, 2), ValueError);
    assert.equal(await list.index(3, -2), 2);
    await list.clear();
    assert.deepEqual(await list.copy(), []);
  });

  managed("ListProxy compares by what items hold, as Python's ==", async (manager) => {
    const inner = manager.list([1]);
    const other = manager.list([1]);
    const list = manager.list<unknown>([
      [1, 2],
      { a: { b: [3] } },
      new Map([["k", [4]]]),
      inner,
      new Date(5),
      [1, 2],
      NaN,
      null,
    ]);
    assert.equal(await list.count([1, 2]), 2);
    assert.equal(await list.index({ a: { b: [3] } }), 1);
    assert.equal(await list.has({ a: { b: [4] } }), false);
    assert.equal(await list.index(new Map([["k", [4]]])), 2);
    assert.equal(await list.index(inner), 3);
    assert.equal(await list.has(other), false);
    assert.equal(await list.index(new Date(5)), 4);
    assert.equal(await list.index(NaN), 6);
    assert.equal(await list.has(undefined), false);
    await list.remove([1, 2]);
    assert.equal(await list.index([1, 2]), 4);
  });

  managed("ListProxy.sort() sorts as Python does", async (manager) => {
    const numbers = manager.list<unknown>([10, 9, 1, -2, 2.5, true, 100n]);
    await numbers.sort();
    assert.deepEqual(await numbers.copy(), [-2, 1, true, 2.5, 9, 10, 100n]);
    await numbers.sort({ reverse: true });
    assert.deepEqual(await numbers.copy(), [100n, 10, 9, 2.5, 1, true, -2]);

    const pairs = manager.list([[2, "b"], [1, "b"], [1, "a"], [1]]);
    await pairs.sort();
    assert.deepEqual(await pairs.copy(), [[1], [1, "a"], [1, "b"], [2, "b"]]);

    const mixed = manager.list<unknown>([1, "a"]);
    await assert.rejects(mixed.sort(), TypeError);
    assert.deepEqual(await mixed.copy(), [1, "a"]);
  });

  // test_list_iter
  managed("ListProxy yields its items as they are when their turn comes", async (manager) => {
    const a = manager.list(range(0, 10));
    const once = a[Symbol.asyncIterator]();
    assert.deepEqual(await Array.fromAsync(once), range(0, 10));
    assert.deepEqual(await Array.fromAsync(once), []); // exhausted
    const again = a[Symbol.asyncIterator]();
    await a.set(0, 100);
    assert.equal((await again.next()).value, 100);
  });

  // test_list_proxy_in_list
  managed("a list in a list is shared, too", async (manager) => {
    const a = manager.list([0, 1, 2].map(() => manager.list(range(0, 3))));
    for await (const inner of a) assert.deepEqual(await inner.copy(), [0, 1, 2]);
    await (await a.get(0)).set(-1, 55);
    assert.deepEqual(await (await a.get(0)).copy(), [0, 1, 55]);
    for (const i of [1, 2]) assert.deepEqual(await (await a.get(i)).copy(), [0, 1, 2]);
    assert.equal(await (await a.get(1)).pop(), 2);
    assert.equal(await (await a.get(1)).length, 2);
    for (const i of [0, 2]) assert.equal(await (await a.get(i)).length, 3);

    const b = manager.list<unknown>();
    await b.append(b);
    const inner = await b.get(0) as ListProxy<unknown>;
    await inner.append("deep");
    assert.equal(await b.get(1), "deep");
  });

  // test_dict
  managed("DictProxy works as a dict does", async (manager) => {
    const d = manager.dict<number, string>();
    const indices = range(65, 70);
    for (const i of indices) await d.set(i, String.fromCharCode(i));
    const entries = indices.map((i): [number, string] => [i, String.fromCharCode(i)]);
    assert.deepEqual(await d.copy(), new Map(entries));
    assert.deepEqual(await d.keys(), indices);
    assert.deepEqual(await d.values(), entries.map(([, letter]) => letter));
    assert.deepEqual(await d.items(), entries);
    assert.deepEqual(await d.entries(), entries);
    assert.equal(await d.size, 5);
    assert.equal(await d.size(), 5);
    assert.equal(await d.has(65), true);
    assert.equal(await d.delete(65), true);
    assert.equal(await d.delete(65), false);
    assert.equal(await d.has(65), false);
  });

  managed("DictProxy methods do as Python's, also at the edges", async (manager) => {
    const d = manager.dict<unknown, unknown>([[1, "one"], ["1", "text"], [0.25, null], [true, "true"]]);
    assert.equal(await d.get(1), "one");
    assert.equal(await d.get("1"), "text");
    assert.equal(await d.get(0.25), null);
    assert.equal(await d.get(true), "true");
    assert.equal(await d.get("missing"), undefined);
    assert.equal(await d.get("missing", "fallback"), "fallback");
    assert.equal(await d.setdefault("missing", "set"), "set");
    assert.equal(await d.setdefault("missing", "again"), "set");
    assert.deepEqual(await d.popitem(), ["missing", "set"]);
    assert.equal(await d.pop(1), "one");
    await assert.rejects(d.pop(1), RangeError);
    assert.equal(await d.pop(1, "fallback"), "fallback");
    assert.equal(await d.pop(1, undefined), undefined);
    await d.update({ a: 1 });
    await d.update(new Map([["b", 2]]));
    await d.update([["c", 3]]);
    assert.deepEqual((await d.keys()).slice(-3), ["a", "b", "c"]);
    await d.clear();
    assert.equal(await d.size, 0);
    await assert.rejects(d.popitem(), RangeError);
  });

  managed("DictProxy.increment() is one step, in whichever way processes ask", async (manager) => {
    const d = manager.dict<string, number | bigint | string>({ text: "text", big: 2n });
    const all = await Promise.all(range(0, 100).map(() => d.increment<number>("n")));
    assert.deepEqual(all.sort((a, b) => a - b), range(1, 101));
    assert.equal(await d.increment("n", -100), 0);
    assert.equal(await d.increment("half", 0.5), 0.5);
    assert.equal(await d.increment<bigint>("big", 3n), 5n);
    assert.equal(await d.increment<bigint>("new", 3n), 3n);
    await assert.rejects(d.increment("text"), TypeError);
    await assert.rejects(d.increment("big", 1), TypeError);
    const list = manager.list([1, 2]);
    assert.equal(await list.increment(-1, 5), 7);
    await assert.rejects(list.increment(2), RangeError);
  });

  managed("DictProxy.update() changes a value by a function, in one step and in order", async (manager) => {
    const d = manager.dict({ a: 0.5 });
    assert.equal(await d.update("a", doubles), 1); // from now on it is known where that is
    const changes = range(0, 20).map(() => d.update("a", doubles));
    const between = d.get("a");
    const after = d.set("a", 5);
    const values = await Promise.all(changes);
    assert.deepEqual(values, range(1, 21).map((n) => 2 ** n));
    assert.equal(await between, 2 ** 20);
    await after;
    assert.equal(await d.get("a"), 5);
    await assert.rejects(d.update("a", failsToDouble), { name: "RangeError", message: "5" });
    await assert.rejects(d.update("a", awaits as never), TypeError);
    await assert.rejects(d.update("a", (n) => n + 1), PicklingError);
    await assert.rejects(d.update("a", 5 as never), TypeError);
    await assert.rejects(d.update(5 as never), TypeError);
    assert.equal(await d.get("a"), 5);
  });

  managed("keys that would be copies are refused at once", async (manager) => {
    const d = manager.dict<unknown, number>();
    for (const key of [[1, 2], { a: 1 }, () => 1, new Map()]) {
      await assert.rejects(d.set(key, 1), TypeError);
      await assert.rejects(d.get(key), TypeError);
      await assert.rejects(d.update([[key, 1]]), TypeError);
      assert.throws(() => manager.dict([[key, 1]]), TypeError);
      assert.throws(() => manager.set([key]), TypeError);
    }
    assert.throws(() => manager.dict(5 as never), TypeError);
    assert.throws(() => manager.list(5 as never), TypeError);
    assert.equal(await d.size, 0);
  });

  // test_dict_iter
  managed("DictProxy yields its keys, unless they change meanwhile", async (manager) => {
    const d = manager.dict<number, string>();
    const indices = range(65, 70);
    for (const i of indices) await d.set(i, String.fromCharCode(i));
    const once = d[Symbol.asyncIterator]();
    assert.deepEqual(await Array.fromAsync(once), indices);
    assert.deepEqual(await Array.fromAsync(once), []);
    const again = d[Symbol.asyncIterator]();
    assert.equal((await again.next()).value, 65);
    await d.clear();
    await assert.rejects(again.next(), RuntimeError);
  });

  // test_dict_proxy_nested
  managed("a dict in a dict is shared, too, and outlives its other proxies", async (manager) => {
    type Stock = DictProxy<string, number>;
    let pets: Stock | undefined = manager.dict({ ferrets: 2, hamsters: 4 });
    let supplies: Stock | undefined = manager.dict({ water: 10, feed: 3 });
    const d = manager.dict<string, Stock>({ pets, supplies });
    const at = async (key: string) => (await d.get(key))!;

    assert.equal(await supplies.get("water"), 10);
    assert.equal(await (await at("supplies")).get("water"), 10);
    await (await at("supplies")).set("blankets", 5);
    assert.equal(await supplies.get("blankets"), 5);
    await (await at("supplies")).set("water", 7);
    assert.equal(await supplies.get("water"), 7);

    pets[Symbol.dispose]();
    supplies[Symbol.dispose]();
    assert.equal(await (await at("pets")).get("ferrets"), 2);
    await (await at("supplies")).set("blankets", 11);
    assert.equal(await (await at("supplies")).get("blankets"), 11);

    pets = await at("pets");
    supplies = await at("supplies");
    await supplies.set("water", 7);
    await d.clear();
    assert.equal(await d.size, 0);
    assert.equal(await supplies.get("water"), 7);
    assert.equal(await pets.get("hamsters"), 4);

    const l = manager.list([pets, supplies]);
    await (await l.get(0)).set("marmots", 1);
    assert.equal(await pets.get("marmots"), 1);
    pets[Symbol.dispose]();
    supplies[Symbol.dispose]();
    assert.equal(await (await l.get(0)).get("marmots"), 1);

    const outer = manager.list<unknown>([[88, 99], l]);
    assert.ok(Array.isArray(await outer.get(0))); // not a ListProxy
    const last = await outer.get(-1) as ListProxy<Stock>;
    assert.ok(last instanceof ListProxy);
    assert.equal(await (await last.get(-1)).get("feed"), 3);
  });

  // test_nested_queue
  managed("a queue in a list, and in a dict", async (manager) => {
    const a = manager.list<QueueProxy<number>>();
    await a.append(manager.Queue());
    await (await a.get(0)).put(123);
    assert.equal(await (await a.get(0)).get(), 123);
    const b = manager.dict<number, QueueProxy<number>>();
    await b.set(0, manager.Queue());
    await (await b.get(0))!.put(456);
    assert.equal(await (await b.get(0))!.get(), 456);
  });

  managed("any container in any other, by way of a queue and a namespace", async (manager) => {
    const list = manager.list([1]);
    const queue = manager.Queue<unknown>();
    await queue.put({ deep: [new Map([["list", list]])] });
    const item = await queue.get() as { deep: [Map<string, ListProxy<number>>] };
    await item.deep[0].get("list")!.append(2);
    const namespace = manager.Namespace({ list });
    await (await namespace.list).append(3);
    const value = manager.Value("i", list);
    await (await value.get()).append(4);
    assert.deepEqual(await list.copy(), [1, 2, 3, 4]);
  });

  // test_namespace
  managed("NamespaceProxy reads, writes and deletes", async (manager) => {
    const n = manager.Namespace();
    n.name = "Bob";
    n.job = "Builder";
    n._hidden = "hidden";
    assert.deepEqual([await n.name, await n.job], ["Bob", "Builder"]);
    delete n.job;
    assert.deepEqual(await n._getvalue(), { name: "Bob" });
    assert.equal(await n.job, undefined);
    assert.equal(n._hidden, "hidden");
    assert.throws(() => n.callback = () => 1, PicklingError);
    assert.equal(await n.callback, undefined);
    assert.equal(await n, n); // it is no promise
  });

  managed("SetProxy works as a set does", async (manager) => {
    const set = manager.set<unknown>([1, "1"]);
    await set.add(1);
    await set.update([2, 3]);
    assert.deepEqual(await set.copy(), new Set([1, "1", 2, 3]));
    assert.equal(await set.size, 4);
    assert.equal(await set.delete("1"), true);
    assert.equal(await set.delete("1"), false);
    await set.discard("1");
    await assert.rejects(set.remove("1"), RangeError);
    assert.deepEqual(await Array.fromAsync(set), [1, 2, 3]);
    assert.equal(await set.pop(), 1);
    await set.clear();
    await assert.rejects(set.pop(), RangeError);
    await assert.rejects(set.add([1]), TypeError);
  });

  managed("values are copies, taken when the call is made", async (manager) => {
    const list = manager.list<{ n: number }>();
    const item = { n: 1 };
    const appended = list.append(item);
    item.n = 2;
    await appended;
    assert.deepEqual(await list.get(0), { n: 1 });
    const got = await list.get(0);
    got.n = 3;
    assert.deepEqual(await list.get(0), { n: 1 });
  });
}
