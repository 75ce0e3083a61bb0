/**
 * SharedMemory and ShareableList, for each start method. The names in comments are those of CPython's tests
 * (`_test_multiprocessing.py`).
 *
 * @module
 */
import {
  getContext,
  OSError,
  Process,
  Queue,
  type ShareableItem,
  ShareableList,
  SharedMemory,
  ValueError,
} from "@multiprocessing/deno";
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import * as targets from "../fixtures/memory_targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { Program } from "../support/program.ts";

/** Whether it is an OSError with this code. */
const os = (code: string) => (error: Error & { code?: string }) => {
  assert.ok(error instanceof OSError, String(error));
  assert.equal(error.code, code);
  return true;
};

for (const mp of contexts()) {
  const how = mp.name === "worker" ? "memory" : "async";

  // --- _TestSharedMemory ----------------------------------------------------------------------------------------

  // test_shared_memory_basics, test_invalid_shared_memory_creation
  test(mp, "SharedMemory is created, attached to, closed and unlinked", () => {
    const name = `test01_tsmb_${mp.name}`;
    const sms = new SharedMemory({ name, create: true, size: 512 });
    assert.equal(sms.name, name);
    assert.ok(sms.size >= 512);
    assert.equal(sms.buf.length, sms.size);
    sms.buf[0] = 42;
    assert.equal(sms.buf[0], 42);

    const also = new SharedMemory({ name });
    assert.equal(also.buf[0], 42);
    assert.equal(also.size, sms.size);
    also.buf[0] = 22;
    assert.equal(sms.buf[0], 22);
    // What size is asked for matters only when it is created.
    const same = new SharedMemory({ name, size: 20 * sms.size });
    assert.equal(same.size, sms.size);

    assert.throws(() => new SharedMemory({ name, create: true, size: 512 }), os("EEXIST"));
    same.close();
    same.close();
    assert.throws(() => same.buf, ValueError);
    assert.equal(sms.buf[0], 22);

    const kept = sms.buf;
    sms.close();
    assert.equal(kept[0], 22);
    assert.equal(also.buf[0], 22);
    sms.unlink();
    assert.throws(() => new SharedMemory({ name }), os("ENOENT"));
    assert.throws(() => sms.unlink(), os("ENOENT"));
    assert.equal(also.buf[0], 22); // whoever is attached keeps it
    also.close();

    for (const size of [-1, -1.5, NaN]) {
      assert.throws(() => new SharedMemory({ create: true, size }), /'size' must be a positive integer/);
    }
    assert.throws(
      () => new SharedMemory({ create: true, size: 0 }),
      /'size' must be a positive number different from zero/,
    );
    assert.throws(() => new SharedMemory({ create: true }), ValueError);
    assert.throws(() => new SharedMemory({ create: true, size: 1.5 }), ValueError);
    assert.throws(() => new SharedMemory({}), ValueError);
    assert.throws(() => new SharedMemory({ create: false }), ValueError);
    assert.throws(() => new SharedMemory({ name: "" }), ValueError);
    assert.throws(() => new SharedMemory({ name: 5 as unknown as string }), ValueError);
    assert.throws(() => new SharedMemory({ create: true, size: 2 ** 52 }), ValueError);
  });

  // test_shared_memory_recreate, test_shared_memory_name_with_embedded_null (a name is any text here)
  test(mp, "SharedMemory may be created again once its name is unlinked", () => {
    const name = `again\0${mp.name}`;
    const first = new SharedMemory({ name, create: true, size: 8 });
    first.buf[0] = 1;
    first.unlink();
    const second = new SharedMemory({ name, create: true, size: 16 });
    assert.equal(second.buf[0], 0);
    assert.equal(first.buf[0], 1);
    second.unlink();
  });

  test(mp, "SharedMemory without a name gets one that nobody has", () => {
    const blocks = Array.from({ length: 50 }, () => new SharedMemory({ create: true, size: 8 }));
    assert.equal(new Set(blocks.map((block) => block.name)).size, 50);
    for (const block of blocks) {
      assert.match(block.name, /^psm_[0-9a-f]{8}$/);
      assert.equal(new SharedMemory({ name: block.name }).size, 8);
      block.unlink();
    }
  });

  // test_shared_memory_across_processes, test_shared_memory_pickle_unpickle
  test(mp, "SharedMemory passed to a child is the same there", async () => {
    const sms = new SharedMemory({ create: true, size: 64 });
    await using child = new mp.Process({ target: targets.writesBlock, args: [how, sms, [1, 2, 3]] });
    child.start();
    await child.join();
    assert.equal(child.exitcode, 0);
    assert.deepEqual([...sms.buf.subarray(0, 4)], [1, 2, 3, 0]);
    assert.deepEqual([...await sms.read(1, 3)], [2, 3]);
    sms.unlink();
  });

  // test_shared_memory_pickle_unpickle_dead_object: there it fails, since only the name travels
  test(mp, "SharedMemory may be passed to a child after its name was unlinked", async () => {
    const sms = new SharedMemory({ create: true, size: 4 });
    sms.unlink();
    await using child = new mp.Process({ target: targets.writesBlock, args: [how, sms, [1, 2, 3]] });
    child.start();
    await child.join();
    assert.deepEqual([...sms.buf], [1, 2, 3, 0]);
  });

  test(mp, "SharedMemory.read() and write() check their bounds", async () => {
    using sms = new SharedMemory({ create: true, size: 4 });
    await sms.write(new Uint8Array([1, 2, 3, 4]));
    await sms.write(new Uint8Array([9]), 3);
    assert.deepEqual([...await sms.read()], [1, 2, 3, 9]);
    assert.deepEqual([...await sms.read(-2)], [3, 9]);
    await assert.rejects(sms.write(new Uint8Array(2), 3), RangeError);
    await assert.rejects(sms.write(new Uint8Array(1), -1), ValueError);
    await assert.rejects(sms.write("12" as unknown as Uint8Array), TypeError);
    const copy = await sms.read();
    copy[0] = 7;
    assert.equal(sms.buf[0], 1);
    sms.unlink();
    sms.close();
    await assert.rejects(sms.read(), ValueError);
    await assert.rejects(sms.write(new Uint8Array(1)), ValueError);
  });

  test(mp, "SharedMemory's names are the same in a child", async () => {
    const name = `seen_${mp.name}`;
    new SharedMemory({ name, create: true, size: 8 });
    const [answers, childAnswers] = mp.Pipe<(string | undefined)[]>();
    await using child = new mp.Process({ target: targets.triesName, args: [name, childAnswers as never] });
    child.start();
    assert.deepEqual(await answers.recv(), ["ok", "EEXIST", "ok", "ENOENT", "ok"]);
    await child.join();
    answers.close();
    // The child's new block outlives it under its name, until that is unlinked.
    new SharedMemory({ name }).unlink();
    assert.throws(() => new SharedMemory({ name }), os("ENOENT"));
  });

  // test_shared_memory_across_processes, its second half: by name
  test(mp, "SharedMemory is attached to by name in a child, and in its children", async () => {
    const name = `by_name_${mp.name}`;
    const sms = new SharedMemory({ name, create: true, size: 8 });
    await using child = new mp.Process({ target: targets.writesByName, args: [how, name, [7]] });
    child.start();
    await child.join();
    assert.equal(sms.buf[0], 7);
    for (const [i, method] of (["worker", "spawn"] as const).entries()) {
      const nested = mp.name === "worker" && method === "worker" ? "memory" : "async";
      await using parent = new mp.Process({
        target: targets.startsWriter,
        args: [method, nested, name, [i, 9, 8]],
      });
      parent.start();
      await parent.join();
      assert.equal(parent.exitcode, 0);
      assert.deepEqual([...sms.buf.subarray(0, 3)], [i, 9, 8]);
    }
    sms.unlink();
  });

  // test_shared_memory_cleaned_after_process_termination: not before the program ends
  test(mp, "SharedMemory outlives the child that created it, until it is unlinked", async () => {
    const [names, childNames] = mp.Pipe<string>();
    for (const name of [undefined, `outlives_${mp.name}`]) {
      await using child = new mp.Process({
        target: targets.createsMemory,
        args: [how, name, childNames as never, [5, 6]],
      });
      child.start();
      const created = await names.recv();
      if (name !== undefined) assert.equal(created, name);
      await child.join();
      const block = new SharedMemory({ name: created });
      assert.deepEqual([...block.buf], [5, 6]);
      block.unlink();
      assert.deepEqual([...block.buf], [5, 6]);
      assert.throws(() => new SharedMemory({ name: created }), os("ENOENT"));
    }
    names.close();
  });

  test(mp, "SharedMemory of one name is created by one process at a time", async () => {
    const name = `contested_${mp.name}`;
    const [wins, inside] = [new mp.Value("i"), new mp.Value("i")];
    const children = Array.from({ length: 3 }, () => {
      const child = new mp.Process({ target: targets.competes, args: [name, 50, wins, inside] });
      child.start();
      return child;
    });
    for (const child of children) await child.join();
    assert.deepEqual(children.map((child) => child.exitcode), [0, 0, 0]);
    assert.ok(wins.value > 0);
    assert.equal(inside.value, 0);
    assert.throws(() => new SharedMemory({ name }), os("ENOENT"));
  });

  // --- ShareableList --------------------------------------------------------------------------------------------

  // test_shared_memory_ShareableList_basics
  test(mp, "ShareableList is a list of fixed slots", () => {
    const items: ShareableItem[] = [
      "howdy",
      new TextEncoder().encode("HoWdY"),
      -273.154,
      100,
      null,
      true,
      42,
      2n ** 62n,
      "",
    ];
    const sl = new ShareableList(items);
    assert.equal(sl.length, items.length);
    assert.deepEqual([...sl], items);
    assert.equal(sl.format, "8s8sddxxxxxx?xxxxxxxx?dq8s");
    assert.equal(sl.get(-1), "");
    assert.equal(sl.get(-9), "howdy");
    assert.throws(() => sl.get(9), RangeError);
    assert.throws(() => sl.get(-10), RangeError);
    assert.throws(() => sl.set(9, "x"), RangeError);
    assert.equal(sl.get(3), 100);
    sl.set(3, 99);
    assert.equal(sl.get(3), 99);

    // The type may change, within the room.
    sl.set(4, "some");
    assert.equal(sl.get(4), "some");
    sl.set(0, null);
    assert.equal(sl.get(0), null);
    sl.set(0, "Howdy");
    assert.equal(sl.get(0), "Howdy");
    sl.set(2, 3);
    assert.equal(sl.format, "8s8sdd8sxxxxxxx?dq8s");
    assert.throws(() => sl.set(0, "far too many"), /exceeds available storage/);
    assert.equal(sl.get(0), "Howdy");
    assert.throws(() => sl.set(0, "äöüäö"), /exceeds available storage/); // 10 bytes
    sl.set(0, "äöüä");
    assert.equal(sl.get(0), "äöüä");
    for (const bad of [undefined, {}, [], Symbol("s"), new Int8Array(1)]) {
      assert.throws(() => sl.set(0, bad as unknown as string), TypeError);
    }
    assert.throws(() => sl.set(0, 2n ** 63n), ValueError);
    assert.equal(sl.get(0), "äöüä");

    // Bytes are copies, and zeros at the end are kept, which Python loses.
    const bytes = sl.get(1) as Uint8Array;
    bytes[0] = 0;
    assert.equal((sl.get(1) as Uint8Array)[0], 72);
    sl.set(1, new Uint8Array([1, 0, 0]));
    assert.deepEqual(sl.get(1), new Uint8Array([1, 0, 0]));
    sl.set(0, "a\0");
    assert.equal(sl.get(0), "a\0");

    assert.equal(sl.count(42), 1);
    assert.equal(sl.count("w"), 0);
    assert.equal(sl.count(new Uint8Array([1, 0, 0])), 1);
    assert.equal(sl.index(42), 6);
    assert.equal(sl.index(new Uint8Array([1, 0, 0])), 1);
    assert.throws(
      () => sl.index("antidisestablishmentarianism"),
      /'antidisestablishmentarianism' not in this container/,
    );

    const held = new ShareableList(undefined, { name: sl.shm.name });
    assert.deepEqual([...held], [...sl]);
    held.set(3, -1);
    assert.equal(sl.get(3), -1);
    const copy = new ShareableList(sl);
    assert.notEqual(copy.shm.name, sl.shm.name);
    assert.deepEqual([...copy], [...sl]);
    copy.set(3, 5);
    assert.equal(sl.get(3), -1);

    const name = `sl_${mp.name}`;
    const named = new ShareableList([1, 2], { name });
    assert.equal(named.shm.name, name);
    assert.throws(() => new ShareableList([1], { name }), os("EEXIST"));
    const empty = new ShareableList();
    assert.deepEqual([...empty], []);
    assert.throws(() => empty.index(1), ValueError);
    for (const list of [sl, copy, named, empty]) {
      list.shm.close();
      list.shm.unlink();
    }
    assert.throws(() => sl.get(0), ValueError);
    assert.throws(() => [...sl], ValueError);
    assert.throws(() => new ShareableList(undefined, { name }), os("ENOENT"));
    assert.throws(() => new ShareableList([{} as string]), TypeError);

    const block = new SharedMemory({ create: true, size: 64 });
    assert.throws(() => new ShareableList(undefined, { name: block.name }), /not that of a list/);
    block.unlink();
  });

  // test_shared_memory_ShareableList_pickling_dead_object: there it fails, since only the name travels
  test(mp, "ShareableList may be passed to a child after its name was unlinked", async () => {
    const sl = new ShareableList([1, "two"]);
    sl.shm.unlink();
    await using child = new mp.Process({ target: targets.setsItems, args: [how, sl, [[0, 2]]] });
    child.start();
    await child.join();
    assert.equal(child.exitcode, 0);
    assert.deepEqual([...sl], [2, "two"]);
  });

  // test_shared_memory_ShareableList_pickling
  test(mp, "ShareableList passed to a child is the same there", async () => {
    const sl = new ShareableList([1, "two", null, "room for this"]);
    await using child = new mp.Process({
      target: targets.setsItems,
      args: [how, sl, [[0, 2], [1, "drei"], [-1, true], [2, 5n]]],
    });
    child.start();
    await child.join();
    assert.equal(child.exitcode, 0);
    assert.deepEqual([...sl], [2, "drei", 5n, true]);
    assert.deepEqual(await sl.read(1, -1), ["drei", 5n]);
    assert.deepEqual(await sl.read(-2, 100), [5n, true]);
    assert.deepEqual(await sl.read(3, 1), []);
    await assert.rejects(sl.write(1, "much too long for it"), /exceeds available storage/);
    await assert.rejects(sl.write(4, 1), RangeError);
    await assert.rejects(sl.write(0, {} as string), TypeError);
    sl.shm.unlink();
    sl.shm.close();
    await assert.rejects(sl.read(), ValueError);
    await assert.rejects(sl.write(0, 1), ValueError);
  });

  test(mp, "ShareableList is attached to by name in a child, and made by one", async () => {
    const list = new ShareableList(["here", 1]);
    await using child = new mp.Process({
      target: targets.setsItemByName,
      args: [how, list.shm.name, 0, "there"],
    });
    child.start();
    await child.join();
    assert.equal(child.exitcode, 0);
    assert.deepEqual([...list], ["there", 1]);
    list.shm.unlink();
    const name = `list_${mp.name}`;
    await using maker = new mp.Process({
      target: targets.createsList,
      args: [how, name, [2n, "text", true]],
    });
    maker.start();
    await maker.join();
    const made = new ShareableList(undefined, { name });
    assert.deepEqual([...made], [2n, "text", null]);
    made.shm.unlink();
  });
}

const spawn = getContext("spawn");

Deno.test("SharedMemory that a child has made, closed and unlinked is freed [spawn]", async () => {
  await using program = Program.deno("tests/fixtures/programs/makes_blocks.ts");
  const output = await program.end();
  assert.deepEqual([output.stderr, output.code], ["", 0]);
  assert.ok(Number(output.lines[0]) < 100, `${output.lines[0]} MiB more`); // of 300
});

test(spawn, "SharedMemory in a child that has to ask for it says what is the case", async () => {
  const name = "asked_for";
  const sms = new SharedMemory({ name, create: true, size: 4 });
  sms.buf.set([1, 2, 3, 4]);
  const [answers, childAnswers] = spawn.Pipe<unknown>();
  await using child = new spawn.Process({ target: targets.usesPending, args: [name, childAnswers] });
  child.start();
  const outcome = await answers.recv() as Record<string, string>;
  const expected: Record<string, RegExp> = {
    "early size": /^RuntimeError .*`await block\.attached\(\)` first$/,
    "early buf": /^RuntimeError .*"spawn" child.*`await read\(\)/,
    "early hand on": /^PicklingError .*Cannot send obj\[0\].*`await block\.attached\(\)` first$/,
    "early list": /^PicklingError .*`await list\.attached\(\)` first$/,
    "early length": /^RuntimeError .*`await list\.attached\(\)` first$/,
    "size of new": /^4$/,
    "length of new": /^2$/,
    "attached": /^true$/,
    "size": /^4$/,
    "read": /^1,2,3,4$/,
    "part": /^3,4$/,
    "buf": /^RuntimeError .*`await read\(\)/,
    "too much": /^RangeError .*Cannot write 9 bytes/,
    "taken": /^OSError EEXIST: Cannot create shared memory "asked_for": File exists/,
    "taken again": /^OSError EEXIST/,
    "none": /^OSError ENOENT: Cannot attach to shared memory "nor this": No such file/,
    "not a list": /^ValueError .*not that of a list/,
    "list": /^a,1$/,
    "list get": /^RuntimeError .*`await read\(\)/,
    "closed": /^ValueError .*this process closed it/,
    "bad size": /^ValueError .*different from zero/,
    "bad item": /^TypeError/,
  };
  assert.deepEqual(Object.keys(outcome), Object.keys(expected));
  for (const [what, pattern] of Object.entries(expected)) assert.match(outcome[what]!, pattern, what);
  const [block, list] = await answers.recv() as [SharedMemory, ShareableList];
  block.buf[0] = 9; // here it is memory again
  assert.equal(sms.buf[0], 9);
  assert.deepEqual([...list], ["a", 1n]);
  await child.join();
  assert.equal(child.exitcode, 0);
  answers.close();
  sms.unlink();
  list.shm.unlink();
});

Deno.test("SharedMemory that nobody has unlinked or holds is held by its name alone", async () => {
  const sms = new SharedMemory({ name: "held", create: true, size: 8 });
  sms.buf[0] = 3;
  sms.close();
  const again = new SharedMemory({ name: "held" });
  assert.equal(again.buf[0], 3);
  again.unlink();
  using queue = new Queue<SharedMemory>();
  await queue.put(again);
  assert.equal((await queue.get()).buf[0], 3);
});

Deno.test("SharedMemory by name: a worker that waits for the hub can be terminated", async () => {
  await using child = new Process({ target: attachesForEver, args: [] });
  child.start();
  await using other = new Process({ target: attachesForEver, args: [] });
  other.start();
  child.terminate();
  other.kill();
  await Promise.all([child.join(), other.join()]);
  assert.deepEqual([child.exitcode, other.exitcode], [-15, -9]);
});

/** Asks the hub again and again. */
export function attachesForEver(): void {
  for (;;) {
    try {
      new SharedMemory({ name: "nobody has it" });
    } catch {
      // as it should
    }
  }
}

Deno.test("ShareableList.get() never sees half of an item, whoever writes", async () => {
  const texts: ShareableItem[] = ["a".repeat(40), "bb".repeat(10), 5, null, new Uint8Array(33).fill(1)];
  const list = new ShareableList([texts[0]!]);
  const children = [0, 1].map(() => {
    const child = new Process({ target: targets.alternates, args: [list, 20_000, texts] });
    child.start();
    return child;
  });
  let looks = 0;
  while (children.some((child) => child.isAlive())) {
    for (let i = 0; i < 500; i++, looks++) {
      const item = list.get(0);
      assert.ok(
        texts.includes(item) ||
          (item instanceof Uint8Array && item.length === 33 && item.every((byte) => byte === 1)),
        String(item),
      );
    }
    await setImmediate();
  }
  assert.ok(looks > 0);
  for (const child of children) await child.join();
  list.shm.unlink();
});
