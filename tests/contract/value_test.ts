/**
 * Value and RawValue, for each start method. The names in comments are those of CPython's tests
 * (`_test_multiprocessing.py`).
 *
 * @module
 */
import {
  Lock,
  type Numeric,
  Queue,
  RawValue,
  RLock,
  ShareableList,
  SharedMemory,
  type TypeCode,
  Value,
  ValueError,
} from "@multiprocessing/deno";
import assert from "node:assert/strict";
import * as targets from "../fixtures/memory_targets.ts";
import { contexts, test } from "../support/contexts.ts";

/** Type, first value, next value; as there, with characters as their codes. */
const CODES_VALUES: [TypeCode, Numeric, Numeric][] = [
  ["i", 4343, 24234],
  ["d", 3.625, -4.25],
  ["h", -232, 234],
  ["q", 2n ** 33n, 2n ** 34n],
  ["c", 120, 121],
  ["b", -128, 127],
  ["B", 0, 255],
  ["H", 0, 65535],
  ["I", 0, 2 ** 32 - 1],
  ["l", -(2 ** 31), 2 ** 31 - 1],
  ["L", 1, 2 ** 32 - 1],
  ["Q", 0n, 2n ** 64n - 1n],
  ["f", 0.5, -1.25],
  ["int8", 1, -1],
  ["uint8", 1, 2],
  ["int16", 1, -1],
  ["uint16", 1, 2],
  ["int32", 1, -1],
  ["uint32", 1, 2],
  ["bigint64", 1n, -1n],
  ["biguint64", 1n, 2n],
  ["float32", 1, -0.5],
  ["float64", 0.1, Number.MAX_VALUE],
];

for (const mp of contexts()) {
  const how = mp.name === "worker" ? "memory" : "async";

  // --- _TestValue -----------------------------------------------------------------------------------------------

  // test_value, test_rawvalue
  for (const Class of [mp.Value, mp.RawValue]) {
    test(mp, `${Class.name} is changed by a child, whatever its type`, async () => {
      const values = CODES_VALUES.map(([code, value]) => new Class(code, value));
      for (const [i, [, value]] of CODES_VALUES.entries()) assert.equal(values[i]!.value, value);
      const after = CODES_VALUES.map(([, , value]) => value);
      await using child = new mp.Process({ target: targets.setsValues, args: [how, values, after] });
      child.start();
      await child.join();
      assert.equal(child.exitcode, 0);
      for (const [i, [code, , value]] of CODES_VALUES.entries()) {
        assert.equal(values[i]!.value, value, code);
        assert.equal(await values[i]!.get(), value, code);
      }
    });
  }

  // test_getobj_getlock
  test(mp, "Value.getLock() gives the lock it was made with", () => {
    const val1 = new mp.Value("i", 5);
    assert.ok(val1.getLock() instanceof RLock);
    assert.equal(val1.getLock(), val1.getLock());
    assert.equal(val1.getObj().value, 5);
    const val2 = new mp.Value("i", 5, { lock: undefined });
    assert.ok(val2.getLock() instanceof RLock);
    const lock = new mp.Lock();
    const val3 = new mp.Value("i", 5, { lock });
    assert.equal(val3.getLock(), lock);
    const obj3 = val3.getObj();
    obj3.value = 6;
    assert.equal(val3.value, 6);
    assert.ok(!("getLock" in obj3));
    const val4 = new mp.Value("i", 5, { lock: false });
    assert.throws(() => val4.getLock(), ValueError);
    assert.throws(() => new mp.Value("i", 5, { lock: "navalue" as unknown as Lock }), TypeError);
    const arr5 = new mp.RawValue("i", 5);
    assert.ok(!("getLock" in arr5));
    assert.ok(!("getObj" in arr5));
  });

  test(mp, "Value.guard() rejects without a lock", async () => {
    await assert.rejects(new mp.Value("i", 5, { lock: false }).guard(), ValueError);
  });

  // --- atomicity ------------------------------------------------------------------------------------------------

  for (
    const [code, first, delta] of [["i", 0, 1], ["d", 0.5, 0.25], ["f", 0, 1], ["Q", 0n, 3n], [
      "h",
      0,
      2,
    ]] as const
  ) {
    test(mp, `Value.add() of several children at once loses nothing, type ${code}`, async () => {
      const value = new mp.Value<TypeCode>(code, first);
      const [children, times] = [3, 300];
      const started = Array.from({ length: children }, () => {
        const child = new mp.Process({ target: targets.adds, args: [value, times, delta] });
        child.start();
        return child;
      });
      await targets.adds(value, times, delta);
      for (const child of started) {
        await child.join();
        assert.equal(child.exitcode, 0);
      }
      const sum = typeof first === "bigint"
        ? first + BigInt((children + 1) * times) * (delta as bigint)
        : first + (children + 1) * times * (delta as number);
      assert.equal(value.value, sum);
    });
  }

  test(mp, "Value under guard() is read and written by several children and loses nothing", async () => {
    const value = new mp.Value("i");
    const started = Array.from({ length: 2 }, () => {
      const child = new mp.Process({ target: targets.addsGuarded, args: [how, value, 100] });
      child.start();
      return child;
    });
    await targets.addsGuarded("memory", value, 100);
    for (const child of started) await child.join();
    assert.equal(value.value, 300);
  });

  test(mp, "Value.add() asks for no lock", async () => {
    const value = new mp.Value("i", 1);
    const [gate, childGate] = mp.Pipe<string>();
    await using child = new mp.Process({ target: targets.holdsLock, args: [value, childGate] });
    child.start();
    assert.equal(await gate.recv(), "held");
    assert.equal(await value.add(1), 2);
    value.value = 7;
    assert.equal(await value.getLock().acquire({ block: false }), false);
    await gate.send("go");
    await child.join();
    using _ = await value.guard();
    assert.equal(value.value, 7);
  });

  test(mp, "Value's lock is released when its holder is killed", async () => {
    const value = new mp.Value("i", 1);
    const [gate, childGate] = mp.Pipe<string>();
    await using child = new mp.Process({ target: targets.holdsLock, args: [value, childGate] });
    child.start();
    assert.equal(await gate.recv(), "held");
    child.kill();
    using _ = await value.guard({ timeout: 10_000 });
    assert.equal(value.getLock().abandoned, true);
    await child.join();
  });

  // --- travel ---------------------------------------------------------------------------------------------------

  test(mp, "Value and its kin come back from a child as what they are", async () => {
    const [answers, childAnswers] = mp.Pipe<unknown>();
    const lock = new mp.Lock();
    const things = [
      new mp.Value("q", 7, { lock }),
      new mp.RawValue("d", 0.5),
      new mp.Array("h", [1, 2, 3]),
      new mp.RawArray("f", [0.5]),
      new SharedMemory({ create: true, size: 8 }),
      new ShareableList(["a", 1]),
    ];
    await using child = new mp.Process({ target: targets.sendsBack, args: [childAnswers, ...things] });
    child.start();
    const back = await answers.recv() as typeof things;
    assert.deepEqual(back.map((thing) => thing.constructor), things.map((thing) => thing.constructor));
    const [value, raw, array, rawArray, block, list] = back as [
      Value<"q">,
      RawValue<"d">,
      InstanceType<typeof mp.Array<"h">>,
      InstanceType<typeof mp.RawArray<"f">>,
      SharedMemory,
      ShareableList,
    ];
    value.value += 1n;
    raw.value += 1;
    array[0]! += 1;
    rawArray[0]! += 1;
    block.buf[0] = 1;
    list.set(1, 2);
    assert.equal((things[0] as typeof value).value, 8n);
    assert.equal((things[1] as typeof raw).value, 1.5);
    assert.deepEqual((things[2] as typeof array).slice(), [2, 2, 3]);
    assert.deepEqual((things[3] as typeof rawArray).slice(), [1.5]);
    assert.equal((things[4] as SharedMemory).buf[0], 1);
    assert.equal((things[5] as ShareableList).get(1), 2);
    await value.getLock().acquire();
    assert.equal(lock.locked(), true);
    lock.release();
    (things[4] as SharedMemory).unlink();
    list.shm.unlink();
    await child.join();
    answers.close();
  });

  test(mp, "Value and its kin say what to use where there is no shared memory", async () => {
    const [answers, childAnswers] = mp.Pipe<Record<string, string>>();
    const block = new SharedMemory({ create: true, size: 8 });
    const list = new ShareableList([1]);
    await using child = new mp.Process({
      target: targets.triesDirectly,
      args: [new mp.Value("i"), new mp.Array("i", 2), block, list, childAnswers as never],
    });
    child.start();
    for (const [name, outcome] of Object.entries(await answers.recv())) {
      if (mp.name === "worker") assert.equal(outcome, "ok", name);
      else assert.match(outcome, /^RuntimeError: .*"spawn" child.*`await (get|read)\(\)/, name);
    }
    await child.join();
    block.unlink();
    list.shm.unlink();
  });

  // --- what is refused, and what wraps --------------------------------------------------------------------------

  test(mp, "Value refuses what it cannot hold, and wraps what is too large", async () => {
    for (const code of ["x", "", "u", "I32", undefined, null, 3, "constructor"]) {
      assert.throws(() => new mp.Value(code as TypeCode), (error: Error) => {
        assert.ok(error instanceof ValueError);
        assert.match(error.message, /bad typecode/);
        return true;
      });
    }
    const int = new mp.Value("i", 1);
    for (const bad of ["1", null, undefined, {}, [], 1n, 1.5, NaN, Infinity, Symbol("s"), () => 1]) {
      assert.throws(() => int.value = bad as number, TypeError, String(bad));
      await assert.rejects(int.set(bad as number), TypeError);
      await assert.rejects(int.add(bad as number), TypeError);
      if (bad !== undefined) assert.throws(() => new mp.Value("i", bad as number), TypeError);
    }
    assert.throws(
      () => int.value = 1.5,
      /Cannot store 1.5 in memory of type "i": it holds whole numbers; use type "d"/,
    );
    assert.equal(int.value, 1);
    const float = new mp.Value("d");
    for (const bad of ["1", null, undefined, 1n]) {
      assert.throws(() => float.value = bad as unknown as number, TypeError);
    }
    float.value = NaN;
    assert.ok(Number.isNaN(float.value));
    assert.ok(Number.isNaN(await float.add(1)));
    float.value = -0;
    assert.ok(Object.is(float.value, -0));
    const big = new mp.Value("q");
    for (const bad of ["1", null, 1.5, NaN]) {
      assert.throws(() => big.value = bad as unknown as bigint, TypeError);
    }
    big.value = 2 as unknown as bigint;
    assert.equal(big.value, 2n);

    int.value = 2 ** 31;
    assert.equal(int.value, -(2 ** 31));
    assert.equal(await int.add(-1), 2 ** 31 - 1);
    assert.equal(int.value, 2 ** 31 - 1);
    const byte = new mp.Value("B", 300);
    assert.equal(byte.value, 44);
    assert.equal(await byte.add(-45), 255);
    assert.equal(await byte.add(2 ** 40 + 2), 1);
    const unsigned = new mp.Value("I", -1);
    assert.equal(unsigned.value, 2 ** 32 - 1);
    assert.equal(await unsigned.add(2 ** 32 - 1), 2 ** 32 - 2);
    const huge = new mp.Value("Q", -1n);
    assert.equal(await huge.add(2n ** 64n + 1n), 0n);
    const single = new mp.Value("f", 0.1);
    assert.equal(single.value, Math.fround(0.1));
    assert.equal(await single.add(0.2), Math.fround(Math.fround(0.1) + Math.fround(0.2)));
  });
}

Deno.test("Value keeps every pattern of bits that a number can have", async () => {
  const random = crypto.getRandomValues(new Uint8Array(800));
  const value = new Value("d");
  for (const number of new Float64Array(random.buffer)) {
    value.value = number;
    assert.ok(Object.is(value.value, number));
    assert.ok(Object.is(await value.get(), number));
  }
});

Deno.test("Value travels in one message with its lock: one object stays one", async () => {
  using queue = new Queue<[Value, Value, Lock]>();
  const value = new Value("i", 1, { lock: new Lock() });
  await queue.put([value, value, value.getLock()]);
  const [first, second, lock] = await queue.get();
  assert.equal(first, second);
  assert.equal(first.getLock(), lock);
  assert.ok(first instanceof Value && !(lock instanceof RLock));
});

Deno.test("RawValue is no Value, and a Value is a RawValue", () => {
  assert.ok(new Value("i") instanceof RawValue);
  assert.ok(!(new RawValue("i") instanceof Value));
  const assignable: Value = new Value("d", 0.5);
  const number: number = assignable.value;
  assert.equal(number, 0.5);
});
