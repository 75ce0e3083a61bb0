/**
 * SharedArray and RawArray, for each start method. The names in comments are those of CPython's tests
 * (`_test_multiprocessing.py`).
 *
 * @module
 */
import * as mpAll from "@multiprocessing/deno";
import { type Lock, RawArray, RLock, SharedArray, type TypeCode, ValueError } from "@multiprocessing/deno";
import assert from "node:assert/strict";
import * as targets from "../fixtures/memory_targets.ts";
import { contexts, test } from "../support/contexts.ts";

const SEQUENCE = [680, 626, 934, 821, 150, 233, 548, 982, 714, 831];
const SUMS = SEQUENCE.map((_, i) => SEQUENCE.slice(0, i + 1).reduce((sum, n) => sum + n, 0));

for (const mp of contexts()) {
  const how = mp.name === "worker" ? "memory" : "async";

  // --- _TestArray -----------------------------------------------------------------------------------------------

  // test_array, test_rawarray
  for (const Class of [mp.Array, mp.RawArray]) {
    test(mp, `${Class.name} is indexed and sliced, and changed by a child`, async () => {
      const arr = new Class("i", SEQUENCE);
      assert.equal(arr.length, SEQUENCE.length);
      assert.equal(arr[3], SEQUENCE[3]);
      assert.deepEqual(arr.slice(2, 7), SEQUENCE.slice(2, 7));
      assert.deepEqual(arr.slice(), SEQUENCE);
      assert.deepEqual([...arr], SEQUENCE);

      arr.set([1, 2, 3, 4], 4);
      const changed = [...SEQUENCE];
      changed.splice(4, 4, 1, 2, 3, 4);
      assert.deepEqual(arr.slice(), changed);
      arr.set(SEQUENCE);

      await using child = new mp.Process({ target: targets.sumsUp, args: [how, arr] });
      child.start();
      await child.join();
      assert.equal(child.exitcode, 0);
      assert.deepEqual(arr.slice(), SUMS);
      assert.deepEqual(await arr.read(), SUMS);
    });
  }

  // test_array_from_size
  test(mp, "SharedArray of a size is zero, whatever was there before", () => {
    const size = 10;
    for (let i = 0; i < 3; i++) {
      const arr = new mp.Array("i", size);
      assert.equal(arr.length, size);
      assert.deepEqual([...arr], new Array(size).fill(0));
      arr.set(new Array(size).keys());
      assert.deepEqual([...arr], [...new Array(size).keys()]);
    }
    assert.deepEqual([...new mp.Array("d", 0)], []);
    assert.equal(new mp.Array("d", []).length, 0);
  });

  // test_getobj_getlock_obj
  test(mp, "SharedArray.getLock() gives the lock it was made with", () => {
    const arr1 = new mp.Array("i", 10);
    assert.ok(arr1.getLock() instanceof RLock);
    const lock = new mp.Lock();
    const arr3 = new mp.Array("i", 10, { lock });
    assert.equal(arr3.getLock(), lock);
    arr3.getObj()[2] = 9;
    assert.equal(arr3[2], 9);
    assert.ok(!("getLock" in arr3.getObj()));
    assert.throws(() => new mp.Array("i", 10, { lock: false }).getLock(), ValueError);
    assert.throws(() => new mp.Array("i", 10, { lock: "notalock" as unknown as Lock }), TypeError);
    assert.ok(!("getLock" in new mp.RawArray("i", 10)));
  });

  test(mp, "SharedArray.guard() holds its lock against a child", async () => {
    const arr = new mp.Array("i", SEQUENCE);
    using held = await arr.guard();
    assert.equal(arr.getLock().locked(), true);
    held[Symbol.dispose]();
    assert.equal(arr.getLock().locked(), false);
    await assert.rejects(new mp.Array("i", 1, { lock: false }).guard(), ValueError);
  });

  test(mp, "SharedArray.add() of several children at once loses nothing", async () => {
    const arr = new mp.Array("d", 3);
    const started = Array.from({ length: 2 }, () => {
      const child = new mp.Process({ target: addsEverywhere, args: [arr, 100] });
      child.start();
      return child;
    });
    await addsEverywhere(arr, 100);
    for (const child of started) await child.join();
    assert.deepEqual([...arr], [300, 150, 75]);
    assert.equal(await arr.add(-1, 1), 76);
    await assert.rejects(arr.add(3, 1), RangeError);
    await assert.rejects(arr.add(-4, 1), RangeError);
    await assert.rejects(arr.add(0, "1" as unknown as number), TypeError);
  });

  // --- what else an array can do --------------------------------------------------------------------------------

  test(mp, "SharedArray of each type code holds what its view holds", async () => {
    const codes: [TypeCode, new (n: number) => ArrayBufferView][] = [
      ["c", Uint8Array],
      ["b", Int8Array],
      ["B", Uint8Array],
      ["h", Int16Array],
      ["H", Uint16Array],
      ["i", Int32Array],
      ["I", Uint32Array],
      ["l", Int32Array],
      ["L", Uint32Array],
      ["q", BigInt64Array],
      ["Q", BigUint64Array],
      ["f", Float32Array],
      ["d", Float64Array],
      ["int8", Int8Array],
      ["uint8", Uint8Array],
      ["int16", Int16Array],
      ["uint16", Uint16Array],
      ["int32", Int32Array],
      ["uint32", Uint32Array],
      ["bigint64", BigInt64Array],
      ["biguint64", BigUint64Array],
      ["float32", Float32Array],
      ["float64", Float64Array],
    ];
    for (const [code, View] of codes) {
      const array = new mp.Array<TypeCode>(code, [1, 2, 250, 65_535, -1]);
      assert.ok(array.view instanceof View, code);
      assert.ok(array.view.buffer instanceof SharedArrayBuffer);
      const plain = Reflect.construct(View, [5]) as unknown as
        & { set(values: unknown[]): void }
        & Iterable<unknown>;
      plain.set(
        code.toLowerCase() === "q" || code.startsWith("big")
          ? [1n, 2n, 250n, 65_535n, -1n]
          : [1, 2, 250, 65_535, -1],
      );
      assert.deepEqual([...array], [...plain], code);
      assert.deepEqual(await array.read(), [...plain], code);
    }
  });

  test(mp, "SharedArray.view is the memory, in a child as here", async () => {
    const arr = new mp.Array("i", 4);
    arr.view.fill(3);
    assert.deepEqual([...arr], [3, 3, 3, 3]);
    arr[1] = 7;
    assert.equal(arr.view[1], 7);
    assert.equal(arr.view, arr.view);
    await using child = new mp.Process({ target: targets.sumsUp, args: [how, arr] });
    child.start();
    await child.join();
    assert.deepEqual([...arr.view], [3, 10, 13, 16]);
  });

  test(mp, "SharedArray refuses what is outside, and what is no number", async () => {
    const arr = new mp.Array("i", [1, 2, 3]);
    assert.equal(arr.at(-1), 3);
    assert.equal(arr.at(0), 1);
    for (const index of [3, -1, 1.5, 2 ** 40]) {
      assert.throws(
        () => arr[index],
        /Cannot read item .* of the shared array: its indices are 0 to 2; invalid index/,
      );
      assert.throws(() => arr[index] = 1, RangeError);
    }
    for (const index of [3, -4, 1.5, NaN, "0" as unknown as number]) {
      assert.throws(() => arr.at(index), RangeError);
    }
    assert.throws(() => new mp.Array("i", 0)[0], /it is empty/);
    for (const bad of ["1", null, undefined, {}, 1n, 0.5, NaN]) {
      assert.throws(() => arr[0] = bad as number, TypeError);
      assert.throws(() => arr.set([1, bad as number]), TypeError);
      await assert.rejects(arr.write([1, bad as number]), TypeError);
      assert.throws(() => new mp.Array("i", [1, bad as number]), TypeError);
    }
    assert.throws(() => arr.set([1, 2], 2), RangeError);
    assert.throws(() => arr.set([1], -1), ValueError);
    await assert.rejects(arr.write([1, 2, 3, 4]), RangeError);
    assert.deepEqual([...arr], [1, 2, 3]); // nothing of all that was written
    for (const size of [-1, 1.5, NaN]) assert.throws(() => new mp.Array("i", size), ValueError);
    assert.throws(() => new mp.Array("d", 2 ** 50), /there is not so much/);
    for (const bad of [undefined, null, "123", {}, 5n]) {
      assert.throws(() => new mp.Array("i", bad as unknown as number), TypeError);
    }
    assert.throws(() => new mp.Array("z" as TypeCode, 1), /bad typecode/);
    arr[0] = 2 ** 31;
    assert.equal(arr[0], -(2 ** 31));
  });

  test(mp, "SharedArray.slice() and read() count from the end as arrays do", async () => {
    const arr = new mp.Array("i", SEQUENCE);
    for (
      const [start, end] of [[0, 3], [-3], [-3, -1], [2, 100], [5, 2], [undefined, 4], [100]] as [
        number?,
        number?,
      ][]
    ) {
      assert.deepEqual(arr.slice(start, end), SEQUENCE.slice(start, end));
      assert.deepEqual(await arr.read(start, end), SEQUENCE.slice(start, end));
    }
    const copy = arr.slice();
    copy[0] = 0;
    assert.equal(arr[0], SEQUENCE[0]);
  });

  test(mp, "SharedArray.read() and write() carry many numbers", async () => {
    const arr = new mp.Array("d", 100_000);
    const [answers, childAnswers] = mp.Pipe<unknown>();
    await using child = new mp.Process({ target: targets.sendsBack, args: [childAnswers, arr] });
    child.start();
    const [back] = await answers.recv() as [SharedArray<"d">];
    await back.write(Array.from({ length: 100_000 }, (_, i) => i / 2));
    assert.equal(arr[99_999], 99_999 / 2);
    assert.equal((await back.read(-1))[0], 99_999 / 2);
    await child.join();
    answers.close();
  });
}

// _TestSharedCTypes.test_sharedctypes, its arrays: `string.value += string.value`
for (const mp of contexts()) {
  for (const Class of [mp.Array, mp.RawArray]) {
    test(mp, `${Class.name} of characters is a text, in a worker as here`, async () => {
      const bytes = (text: string) => new TextEncoder().encode(text);
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      const string = new Class("c", 20);
      assert.equal(string.value.length, 0);
      string.value = bytes("hello");
      assert.equal(text(string.value), "hello");
      await using child = new mp.Process({ target: targets.doublesText, args: [string] });
      child.start();
      await child.join();
      if (mp.name === "worker") {
        assert.equal(child.exitcode, 0);
        assert.equal(text(string.value), "hellohello");
      } else assert.equal(child.exitcode, 3); // there it is refused
      string.value = bytes("hellohello");
      string.value = bytes("abc");
      assert.equal(text(string.value), "abc");
      assert.equal(text(string.raw), "abc\0ohello".padEnd(20, "\0"));
      string.raw = bytes("x\0y");
      assert.equal(text(string.raw), "x\0y\0ohello".padEnd(20, "\0"));
      assert.equal(text(string.value), "x");
      string.value = new Uint8Array(20).fill(65);
      assert.equal(text(string.value), "A".repeat(20));
      for (const part of ["value", "raw"] as const) {
        assert.throws(() => string[part] = new Uint8Array(21), (error: Error) => {
          assert.ok(error instanceof ValueError);
          assert.match(error.message, /^byte string too long/);
          return true;
        });
        for (const bad of ["text", undefined, null, [1]]) {
          assert.throws(() => string[part] = bad as never, TypeError, String(bad));
        }
        const numbers = new Class("i", 2);
        assert.throws(() => numbers[part], /only type "c" has it/);
        assert.throws(() => numbers[part] = new Uint8Array(1) as never, TypeError);
      }
      const copy = string.value;
      copy[0] = 0;
      assert.equal(string[0], 65);
      assert.equal(text(new Class("c", bytes("init")).value), "init");
    });
  }
}

/** Adds 1, ½ and ¼ to the first three numbers, so many times. */
export async function addsEverywhere(array: SharedArray, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await array.add(0, 1);
    await array.add(1, 0.5);
    await array.add(2, 0.25);
  }
}

Deno.test("SharedArray has other properties like any object", () => {
  const array = new SharedArray("i", [1, 2]) as SharedArray & { note?: string };
  array.note = "mine";
  assert.equal(array.note, "mine");
  assert.ok(Object.hasOwn(array, "note"));
  assert.ok(!Object.hasOwn(array, "0"));
  assert.deepEqual(Object.keys(array), ["note"]);
  assert.equal((array as unknown as Record<string, unknown>).nothing, undefined);
  assert.equal((array as unknown as Record<symbol, unknown>)[Symbol("s")], undefined);
  assert.equal(String(array), "[object Object]");
  assert.ok(array instanceof Object && array instanceof RawArray);
  const heir = Object.create(array) as Record<string, unknown>;
  assert.equal(heir["0"], undefined);
  heir["0"] = 5;
  assert.equal(heir["0"], 5);
  assert.equal(array[0], 1);
});

Deno.test("SharedArray is also called Array", () => {
  assert.equal(mpAll.Array, SharedArray);
  assert.equal(mpAll.getContext("worker").Array, mpAll.getContext("worker").SharedArray);
});

Deno.test("SharedArray's type parameter gives the type of its numbers", () => {
  const big: bigint | undefined = new SharedArray("q", [1n])[0];
  const plain: number = new SharedArray("f", 1).at(0);
  const any: SharedArray = new SharedArray("i", 1);
  const view: Float64Array = new SharedArray("d", 1).view;
  assert.deepEqual([big, plain, any.length, view.length], [1n, 0, 1, 1]);
});

Deno.test("SharedArray's subclass keeps its index access", () => {
  class Grid extends SharedArray<"i"> {
    rows = 2;
    constructor() {
      super("i", 4);
    }
  }
  const grid = new Grid();
  grid[3] = 8;
  assert.deepEqual([grid.rows, grid[3], [...grid]], [2, 8, [0, 0, 0, 8]]);
});
