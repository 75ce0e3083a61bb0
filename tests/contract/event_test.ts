/**
 * Event, for each start method. The names in comments are those of CPython's tests: `_TestEvent` of
 * `_test_multiprocessing.py` and `EventTests` of `lock_tests.py`.
 *
 * @module
 */
import { Event, getContext, Pipe, RuntimeError, ValueError } from "@multiprocessing/deno";
import assert from "node:assert/strict";
import {
  AT_ONCE_MS,
  DEATH_MS,
  dies,
  endAll,
  hasLastWords,
  nested,
  Puppet,
  puppets,
  ways,
} from "../fixtures/sync_targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { CLOCK_SLACK_MS, isPending, timed, within } from "../support/gates.ts";

for (const mp of contexts()) {
  const forms = mp.name === "worker" ? ["wait", "waitSync"] : ["wait"];

  // --- _TestEvent, EventTests -----------------------------------------------------------------------------------

  // test_is_set
  test(mp, "Event.set() and clear() say what isSet() is", () => {
    const event = new mp.Event();
    assert.equal(event.isSet(), false);
    assert.equal(event.set(), undefined);
    assert.equal(event.isSet(), true);
    event.set();
    assert.equal(event.isSet(), true);
    assert.equal(event.clear(), undefined);
    assert.equal(event.isSet(), false);
    event.clear();
    assert.equal(event.isSet(), false);
  });

  // test_event
  test(mp, "Event.wait() says whether it was set, and a child sets it", async () => {
    const event = new mp.Event();
    for (const timeout of [0, 60]) {
      const { ms, value } = await timed(() => event.wait({ timeout }));
      assert.equal(value, false);
      assert.ok(ms >= timeout - CLOCK_SLACK_MS && ms < timeout + AT_ONCE_MS, `${ms} ms`);
    }
    assert.equal(await event.wait({ block: false }), false);
    event.set();
    assert.equal(await event.wait(), true);
    assert.equal(await event.wait({ timeout: 10_000 }), true);
    assert.equal(await event.wait({ timeout: 0 }), true);
    assert.equal(await event.wait({ block: false }), true);
    assert.equal(event.waitSync(), true);
    event.clear();
    assert.equal(event.isSet(), false);
    await using child = await Puppet.start(mp, { event });
    const set = event.wait();
    assert.ok(await isPending(set));
    await child.call("event.set");
    assert.equal(await within(AT_ONCE_MS, set, "wait()"), true);
    assert.equal(event.isSet(), true);
    await child.end();
  });

  // test_notify
  test(mp, "Event.set() wakes everybody who waits, and whoever comes later", async () => {
    const event = new mp.Event();
    await using children = await puppets(mp, 3, { event });
    for (const form of forms) {
      const waits: Promise<unknown>[] = [event.wait(), event.wait()];
      for (const child of children) waits.push((await child.begin(`event.${form}`)).result);
      for (const wait of waits) assert.ok(await isPending(wait));
      event.set();
      assert.deepEqual(await within(AT_ONCE_MS, Promise.all(waits), "5 waits"), [
        true,
        true,
        true,
        true,
        true,
      ]);
      for (const child of children) assert.equal(await child.call(`event.${form}`), true);
      event.clear();
      for (const child of children) {
        assert.equal(await child.call(`event.${form}`, { block: false }), false);
      }
    }
    await endAll(children);
  });

  // test_timeout
  for (const form of forms) {
    test(mp, `Event.${form}() in the child gives up in time`, async () => {
      const event = new mp.Event();
      await using child = await Puppet.start(mp, { event });
      for (const timeout of [0, 40, 90]) {
        const { ms, value } = await timed(() => child.call(`event.${form}`, { timeout }));
        assert.equal(value, false);
        assert.ok(ms >= timeout - CLOCK_SLACK_MS, `${ms} ms`);
        assert.ok(ms < timeout + AT_ONCE_MS, `${ms} ms`);
      }
      event.set();
      for (const options of [{ timeout: 0 }, { block: false }, { timeout: 10_000 }, {}]) {
        assert.equal(await child.call(`event.${form}`, options), true, JSON.stringify(options));
      }
      await child.end();
    });
  }

  // test_set_and_clear
  test(mp, "Event.set() followed at once by clear() still wakes everybody", async () => {
    const event = new mp.Event();
    await using children = await puppets(mp, 3, { event });
    for (let round = 0; round < 10; round++) {
      const waits: Promise<unknown>[] = [event.wait()];
      for (const child of children) waits.push((await child.begin("event.wait", { timeout: 20_000 })).result);
      event.set();
      event.clear();
      assert.deepEqual(await within(AT_ONCE_MS, Promise.all(waits), "4 waits"), [true, true, true, true]);
      assert.equal(event.isSet(), false);
    }
    await endAll(children);
  });

  test(mp, "Event.set() followed at once by clear() in the child wakes us", async () => {
    const event = new mp.Event();
    await using child = await Puppet.start(mp, { event });
    for (let round = 0; round < 5; round++) {
      const mine = event.wait();
      // Both begin before either is over.
      const [set, clear] = [child.begin("event.set"), child.begin("event.clear")];
      assert.equal(await within(AT_ONCE_MS, mine, "wait()"), true);
      await (await set).result;
      await (await clear).result;
      assert.equal(await child.call("event.wait", { timeout: 0 }), false);
      assert.equal(event.isSet(), false);
    }
    await child.end();
  });

  // --- Between processes ----------------------------------------------------------------------------------------

  test(mp, "Event.isSet() in the child knows what a wait there has seen", async () => {
    const event = new mp.Event();
    await using child = await Puppet.start(mp, { event });
    assert.equal(await child.call("event.isSet"), false);
    event.set();
    assert.equal(await child.call("event.wait"), true);
    assert.equal(await child.call("event.isSet"), true);
    await child.call("event.clear");
    assert.equal(await child.call("event.wait", { timeout: 0 }), false);
    assert.equal(await child.call("event.isSet"), false);
    assert.equal(event.isSet(), false);
    await child.end();
  });

  test(mp, "Event is passed to and fro a hundred times", async () => {
    const [ping, pong] = [new mp.Event(), new mp.Event()];
    await using child = await Puppet.start(mp, { ping, pong });
    for (let i = 0; i < 100; i++) {
      const waiting = await child.begin("ping.wait");
      ping.set();
      assert.equal(await within(AT_ONCE_MS, waiting.result, "the child's wait()"), true);
      ping.clear();
      await child.call("pong.set");
      assert.equal(await within(AT_ONCE_MS, pong.wait(), "wait()"), true);
      pong.clear();
    }
    await child.end();
  });

  // --- Early ends, bad input ------------------------------------------------------------------------------------

  test(mp, "Event.wait() that is aborted ends with the reason, and the others wait on", async () => {
    const event = new mp.Event();
    await using child = await Puppet.start(mp, { event });
    const aborted = await child.begin("event.wait", { abortAt: "a" });
    const waiting = await child.begin("event.wait");
    const controller = new AbortController();
    const mine = event.wait({ signal: controller.signal });
    mine.catch(() => {}); // looked at later
    assert.ok(await isPending(mine));
    await child.call("abort", "a");
    controller.abort(new RangeError("enough"));
    await assert.rejects(aborted.result, new RangeError("enough"));
    await assert.rejects(mine, new RangeError("enough"));
    assert.ok(await isPending(waiting.result));
    event.set();
    assert.equal(await within(AT_ONCE_MS, waiting.result, "the other wait"), true);
    await child.end();
  });

  test(mp, "Event.wait() with an aborted signal rejects, even when it is set", async () => {
    const event = new mp.Event();
    await using child = await Puppet.start(mp, { event });
    const signal = AbortSignal.abort(new RangeError("already"));
    for (let i = 0; i < 2; i++) {
      await assert.rejects(event.wait({ signal }), new RangeError("already"));
      await assert.rejects(child.call("event.wait", { aborted: true }), new RangeError("already"));
      event.set();
    }
    await child.end();
  });

  test(mp, "Event refuses bad timeouts, set or not", async () => {
    const event = new mp.Event();
    await using child = await Puppet.start(mp, { event });
    for (let i = 0; i < 2; i++) {
      for (const timeout of [-1, NaN, -Infinity, "1" as unknown as number]) {
        await assert.rejects(event.wait({ timeout }), ValueError);
        assert.throws(() => event.waitSync({ timeout }), ValueError);
        await assert.rejects(child.call("event.wait", { timeout }), ValueError);
      }
      event.set();
    }
    await child.end();
  });

  // --- Travelling -----------------------------------------------------------------------------------------------

  test(
    mp,
    "Event travels nested in arguments, over a queue and over a pipe, and stays the same",
    async () => {
      const events: Record<string, Event> = {
        inArgs: new mp.Event(),
        inItem: new mp.Event(),
        inMessage: new mp.Event(),
      };
      const queue = new mp.Queue<unknown>();
      const [ours, theirs] = Pipe<unknown>();
      await using child = await Puppet.start(mp, { data: nested(events.inArgs), queue, connection: theirs });
      await child.call("keep", "inArgs", { list: await child.call("get", "data", "list") });
      await queue.put(nested(events.inItem));
      await child.call("keep", "inItem", await child.call("queue.get"));
      await ours.send(nested(events.inMessage));
      await child.call("keep", "inMessage", await child.call("connection.recv"));
      for (const [at, event] of Object.entries(events)) {
        assert.equal(await child.call("isA", at, "Event"), true);
        await child.call(`${at}.set`);
        assert.equal(await within(AT_ONCE_MS, event.wait(), at), true);
        event.clear();
        const waiting = await child.begin(`${at}.wait`);
        assert.ok(await isPending(waiting.result));
        event.set();
        assert.equal(await within(AT_ONCE_MS, waiting.result, at), true);
      }
      ours.close();
      await child.end();
    },
  );

  test(mp, "Event made by a child is used by us and another child", async () => {
    await using maker = await Puppet.start(mp);
    const event = await maker.call("create", "event", "Event") as Event;
    assert.ok(event instanceof Event);
    await using other = await Puppet.start(mp, { event });
    assert.equal(await event.wait({ timeout: 20 }), false);
    const waits = [
      event.wait(),
      (await maker.begin("event.wait")).result,
      (await other.begin("event.wait")).result,
    ];
    for (const wait of waits) assert.ok(await isPending(wait));
    await other.call("event.set");
    assert.deepEqual(await within(AT_ONCE_MS, Promise.all(waits), "3 waits"), [true, true, true]);
    assert.equal(event.isSet(), true);
    event.clear();
    assert.equal(await event.wait({ timeout: 20 }), false);
    assert.equal(await maker.call("event.wait", { timeout: 0 }), false);
    await other.end();
    await maker.end();
  });

  // --- Death ----------------------------------------------------------------------------------------------------

  for (const way of ways(mp).filter(({ amidWait }) => amidWait)) {
    test(mp, `Event whose waiter ${way.name} wakes the others`, async () => {
      const event = new mp.Event();
      await using child = await Puppet.start(mp, { event });
      await child.begin("event.wait");
      const mine = event.wait();
      await dies(child, way);
      assert.ok(await isPending(mine));
      event.set();
      assert.equal(await within(DEATH_MS, mine, "wait()"), true);
      event.clear();
      const again = event.wait();
      assert.ok(await isPending(again));
      event.set();
      assert.equal(await within(DEATH_MS, again, "wait()"), true);
    });
  }

  test(mp, "Event that a child set before it was killed stays set", async () => {
    const event = new mp.Event();
    await using child = await Puppet.start(mp, { event });
    await child.call("event.set");
    assert.equal(await within(AT_ONCE_MS, event.wait(), "wait()"), true);
    child.process.kill();
    await child.process.join();
    assert.equal(event.isSet(), true);
    assert.equal(await event.wait({ block: false }), true);
  });

  test(mp, "Event that a child set with its last breath is set once it has been joined", async () => {
    const [event, said, busy] = [new mp.Event(), new mp.Queue<string>(), new mp.Event()];
    const queue = new mp.JoinableQueue<number>();
    await queue.put(1);
    await using child = new mp.Process({ target: hasLastWords, args: [said, event, queue] });
    child.start();
    await said.get();
    busy.waitSync({ timeout: 150 }); // so that we hear of its end and of its last words in one go
    await child.join();
    assert.equal(child.exitcode, 0);
    assert.equal(event.isSet(), true);
    await queue.join({ timeout: 0 });
  });

  test(mp, "Event waits of children that are killed again and again leave nothing behind", async () => {
    const event = new mp.Event();
    for (let round = 0; round < (mp.name === "worker" ? 5 : 2); round++) {
      await using children = await puppets(mp, 2, { event });
      for (const child of children) for (let i = 0; i < 20; i++) await child.begin("event.wait");
      for (const child of children) child.process.kill();
      for (const child of children) await child.process.join();
      const mine = event.wait();
      event.set();
      assert.equal(await within(DEATH_MS, mine, "wait()"), true);
      event.clear();
    }
  });
}

// --- The blocking twins ---------------------------------------------------------------------------------------------

const worker = getContext("worker");

test(worker, "Event.waitSync() of a blocked main process ends when a child sets it", async () => {
  const event = new worker.Event();
  await using child = await Puppet.start(worker, { event });
  const setting = child.begin("event.set");
  assert.equal(event.waitSync({ timeout: 10_000 }), true);
  await (await setting).result;
  event.clear();
  const start = performance.now();
  assert.equal(event.waitSync({ timeout: 60 }), false);
  assert.ok(performance.now() - start >= 60 - CLOCK_SLACK_MS);
  await child.end();
});

test(getContext("spawn"), "Event refuses its blocking twin in the child and says why", async () => {
  const mp = getContext("spawn");
  const event = new mp.Event();
  await using child = await Puppet.start(mp, { event });
  await assert.rejects(child.call("event.waitSync"), RuntimeError);
  await assert.rejects(child.call("event.waitSync"), /the async form/);
  await child.end();
});
