/**
 * Event among the threads of a process. The names in comments are those of CPython's `lock_tests.py`.
 *
 * @module
 */
import { PicklingError, Queue, RuntimeError } from "@multiprocessing/deno";
import { Event } from "@multiprocessing/deno/threading";
import assert from "node:assert/strict";
import { CLOCK_SLACK_MS, timed } from "../support/gates.ts";
import { Bunch } from "./bunch.ts";

const N = 5;

// test_is_set
Deno.test("threading.Event.isSet() follows set() and clear()", () => {
  const event = new Event();
  const states = [event.isSet()];
  for (const change of ["set", "set", "clear", "clear"] as const) {
    event[change]();
    states.push(event.isSet());
  }
  assert.deepEqual(states, [false, true, true, false, false]);
});

// test_notify
Deno.test("threading.Event.set() lets all go on who wait, and whoever comes after", async () => {
  const event = new Event();
  for (let round = 0; round < 2; round++) {
    const [first, second]: boolean[][] = [[], []];
    const bunch = new Bunch(N, async () => {
      first!.push(await event.wait());
      second!.push(await event.wait());
    });
    await bunch.settled();
    assert.deepEqual(first, []);
    event.set();
    await bunch.end();
    assert.deepEqual([first, second], [Array(N).fill(true), Array(N).fill(true)]);
    event.clear();
  }
});

// test_timeout
Deno.test("threading.Event.wait({ timeout }) gives false after that long, true at once when set", async () => {
  const event = new Event();
  assert.equal(await event.wait({ timeout: 0 }), false);
  const late = await timed(() => event.wait({ timeout: 50 }));
  assert.equal(late.value, false);
  assert.ok(late.ms >= 50 - CLOCK_SLACK_MS, `${late.ms} ms`);
  event.set();
  assert.deepEqual([await event.wait({ timeout: 0 }), await event.wait({ timeout: 5_000 })], [true, true]);
});

// test_set_and_clear (gh-57711)
Deno.test("threading.Event.set() wakes those who wait even if clear() follows at once", async () => {
  const event = new Event();
  const results: boolean[] = [];
  const bunch = new Bunch(N, async () => void results.push(await event.wait()));
  await bunch.settled();
  event.set();
  event.clear();
  await bunch.end();
  assert.deepEqual(results, Array(N).fill(true));
});

Deno.test("threading.Event.waitSync() refuses to block, since that would be for ever", () => {
  const event = new Event();
  assert.equal(event.waitSync({ block: false }), false);
  assert.throws(() => event.waitSync({ timeout: 10 }), RuntimeError);
  event.set();
  assert.equal(event.waitSync(), true);
});

Deno.test("threading.Event does not travel to another process", async () => {
  using queue = new Queue<unknown>();
  await assert.rejects(queue.put(new Event()), PicklingError);
});
