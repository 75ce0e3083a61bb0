/**
 * Whoever dies around a manager, nobody hangs: clients that hold or wait, the server, whoever has made it.
 *
 * @module
 */
import {
  activeChildren,
  type Context,
  type DictProxy,
  Empty,
  EOFError,
  type ListProxy,
  type LockProxy,
  SyncManager,
} from "@multiprocessing/deno";
import assert from "node:assert/strict";
import {
  AccountManager,
  addsUnder,
  carries,
  holdsForEver,
  lendsItsOwn,
  pipelines,
  sendsLarge,
  subtracts,
  type Waits,
  waitsForEver,
} from "../fixtures/manager_targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { within } from "../support/gates.ts";
import { Program } from "../support/program.ts";

const WAITS: Waits[] = ["get", "put", "join", "acquire", "event", "barrier", "condition"];

/** Something of the manager that one waits for in that way, as long as nobody does anything. */
async function toWaitFor(manager: SyncManager, waits: Waits): Promise<unknown> {
  switch (waits) {
    case "get":
      return manager.Queue();
    case "put":
    case "join": {
      const full = manager.Queue(1);
      await full.put("first");
      return full;
    }
    case "acquire": {
      const lock = manager.Lock();
      await lock.acquire();
      return lock;
    }
    case "event":
      return manager.Event();
    case "barrier":
      return manager.Barrier(2);
    case "condition":
      return manager.Condition();
  }
}

/** Kills several children that send large texts one behind the other: what is there is the whole text of one of them. */
async function diesInTheMiddle(mp: Context, dict: DictProxy<string, string>): Promise<void> {
  const length = 3_000_000;
  for (const letter of ["a", "b", "c", "d"]) {
    using said = new mp.Queue<string>();
    await using child = new mp.Process({ target: sendsLarge, args: [dict, letter, length, said] });
    child.start();
    assert.equal(await said.get(), "arrived");
    await dict.size(); // at some point between two of its requests, so that it dies in one
    child.kill();
    await child.join();
    assert.equal(child.exitcode, -9);
    assert.equal(await dict.get("text"), letter.repeat(length));
  }
}

for (const mp of contexts()) {
  const managed = (name: string, body: (manager: SyncManager) => Promise<void>) =>
    test(mp, name, async () => {
      await using manager = mp.Manager();
      await body(manager);
    });

  // --- Clients that die -----------------------------------------------------------------------------------------------

  for (const how of ["kill", "terminate"] as const) {
    managed(`a managed lock is free when its holder dies by ${how}()`, async (manager) => {
      for (const lock of [manager.Lock(), manager.RLock(), manager.Semaphore()] as LockProxy[]) {
        using said = new mp.Queue<string>();
        await using child = new mp.Process({ target: holdsForEver, args: [lock, said] });
        child.start();
        assert.equal(await said.get(), "held");
        const waiting = [lock.acquire(), lock.acquire()];
        assert.equal(await lock.acquire({ block: false }), false);
        child[how]();
        assert.equal(await waiting[0], true);
        assert.equal(lock.abandoned, true);
        await lock.release();
        if (await lock.locked()) { // an RLock is ours twice by now
          assert.equal(await waiting[1], true);
          await lock.release();
        }
        await child.join();
      }
    });
  }

  managed("who waits and dies leaves the line to the others", async (manager) => {
    using said = new mp.Queue<string>();
    const start = async (waits: Waits, object: unknown) => {
      const child = new mp.Process({ target: waitsForEver, args: [waits, object, said] });
      child.start();
      assert.equal(await said.get(), "waiting");
      return child;
    };
    const queue = manager.Queue<string>();
    {
      await using child = await start("get", queue);
      const after = queue.get();
      child.kill();
      await child.join();
      await queue.put("for us");
      assert.equal(await after, "for us");
    }
    const lock = manager.Lock();
    await lock.acquire();
    {
      await using child = await start("acquire", lock);
      const after = lock.acquire();
      child.kill();
      await child.join();
      await lock.release();
      assert.equal(await after, true);
    }
    const condition = manager.Condition(manager.Lock());
    {
      await using child = await start("condition", condition);
      await condition.acquire();
      const after = condition.wait();
      child.kill();
      await child.join();
      await condition.acquire();
      await condition.notify(); // the one who died does not count
      await condition.release();
      assert.equal(await after, true);
      await condition.release();
    }
    const barrier = manager.Barrier(3);
    {
      await using child = await start("barrier", barrier);
      const broken = assert.rejects(barrier.wait(), { name: "BrokenBarrierError" });
      child.kill();
      await broken;
    }
  });

  managed("who dies in the middle of a request leaves nothing half done", async (manager) => {
    const dict = manager.dict<string, string>({ text: "" });
    await diesInTheMiddle(mp, dict);
    assert.deepEqual(await manager.list([1]).copy(), [1]);
  });

  managed("no item is lost, nor comes twice, while carriers are killed", async (manager) => {
    const [from, to] = [manager.Queue<number>(), manager.Queue<number>()];
    const count = 300;
    for (let i = 0; i < count; i++) await from.put(i);
    const inHand = 3;
    for (let i = 0; i < inHand; i++) {
      await using child = new mp.Process({ target: carries, args: [from, to] });
      child.start();
      const arrived = await to.qsize();
      while (await to.qsize() < arrived + 10);
      child.kill();
    }
    await using child = new mp.Process({ target: carries, args: [from, to] });
    child.start();
    const seen = new Set<number>();
    while (await from.qsize() + await to.qsize() > 0) {
      const item = await to.get();
      assert.equal(seen.has(item), false, `${item} came twice`);
      seen.add(item);
    }
    // The last one may be on its way still, in the hands of the one who lives.
    for (;;) {
      try {
        const item = await to.get({ timeout: 500 });
        assert.equal(seen.has(item), false, `${item} came twice`);
        seen.add(item);
      } catch (error) {
        if (!(error instanceof Empty)) throw error;
        break;
      }
    }
    assert.ok(seen.size >= count - inHand, `${count - seen.size} lost, with ${inHand} killed`);
  });

  managed("100 processes subtract one under a Lock, and 0 is left", async (manager) => {
    const dict = manager.dict({ count: 100 });
    const lock = manager.Lock();
    const children = Array.from(
      { length: mp.name === "worker" ? 100 : 10 }, // an operating-system process takes its time
      () => new mp.Process({ target: subtracts, args: [dict, lock] }),
    );
    for (const child of children) child.start();
    for (const child of children) await child.join();
    assert.ok(children.every((child) => child.exitcode === 0));
    assert.equal(await dict.get("count"), 100 - children.length);
  });

  managed("a lock of a manager keeps increments of a Value apart", async (manager) => {
    const [lock, value] = [manager.Lock(), manager.Value("i", 0)];
    const children = [1, 2, 3].map(() => new mp.Process({ target: addsUnder, args: [lock, value, 30] }));
    for (const child of children) child.start();
    await addsUnder(lock, value, 30);
    for (const child of children) await child.join();
    assert.equal(await value.get(), 120);
  });

  managed("requests that nobody awaits are done in their order, however many", async (manager) => {
    const dict = manager.dict<string, number>();
    const count = mp.name === "worker" ? 20_000 : 3_000;
    await using child = new mp.Process({ target: pipelines, args: [dict, "child", count] });
    child.start();
    await pipelines(dict, "we", count);
    await child.join();
    assert.equal(await dict.get("we"), count - 1);
    assert.equal(await dict.get("child"), count - 1);

    const list = manager.list<unknown>();
    // More than a pipe holds, so that some have to wait outside.
    const large = "x".repeat(50_000);
    const all: Promise<void>[] = [];
    for (let i = 0; i < 100; i++) all.push(list.append(i % 10 === 0 ? large : i));
    const namespace = manager.Namespace();
    for (let i = 0; i < 100; i++) namespace[`x${i % 10}`] = i % 7 === 0 ? large : i;
    const last = namespace.x9;
    await Promise.all(all);
    const items = await list.copy();
    assert.equal(items.length, 100);
    for (const [i, item] of items.entries()) {
      assert.ok(item === i || (i % 10 === 0 && item === large), `${i}`);
    }
    assert.equal(await last, 99);
  });

  // --- Servers that die -----------------------------------------------------------------------------------------------

  for (const how of ["kill", "terminate", "shutdown"] as const) {
    test(mp, `whoever waits learns that the manager has ended by ${how}()`, async () => {
      await using manager = mp.Manager();
      const process = activeChildren()[0]!;
      using said = new mp.Queue<string>();
      const list = manager.list([1]);
      const children = [];
      const mine: Promise<unknown>[] = [];
      for (const waits of WAITS) {
        const object = await toWaitFor(manager, waits);
        const child = new mp.Process({ target: waitsForEver, args: [waits, object, said] });
        child.start();
        assert.equal(await said.get(), "waiting");
        children.push(child);
      }
      const lock = manager.Lock();
      await lock.acquire();
      mine.push(lock.acquire(), manager.Queue().get(), manager.Event().wait({ timeout: 60_000 }));
      for (const wait of mine) wait.catch(() => {});
      await list.length;
      await (how === "shutdown" ? manager.shutdown() : process[how]());

      const why = how === "shutdown" ? /was shut down/ : how === "kill" ? /signal 9/ : /signal 15/;
      for (const wait of mine) await assert.rejects(wait, { name: "EOFError", message: why });
      for (const child of children) {
        assert.match(await said.get(), /^EOFError: Cannot call .*: the manager/);
        await child.join();
        assert.equal(child.exitcode, 0);
      }
      // And whoever comes later.
      await assert.rejects(list.append(2), { name: "EOFError", message: why });
      assert.throws(() => manager.list(), { name: "EOFError", message: why });
      await using late = new mp.Process({ target: waitsForEver, args: ["acquire", lock, said] });
      late.start();
      assert.match(await said.get(), /^EOFError/);
      await late.join();
    });
  }

  test(mp, "who dies in the middle of a request over TCP leaves nothing half done", async () => {
    const authkey = crypto.getRandomValues(new Uint8Array(32));
    const server = new SyncManager({ address: { hostname: "127.0.0.1", port: 0 }, authkey }).getServer();
    const served = server.serveForever();
    {
      await using manager = new SyncManager({ address: server.address, authkey });
      await manager.connect();
      await diesInTheMiddle(mp, manager.dict<string, string>({ text: "" }));
      assert.deepEqual(await manager.list([1]).copy(), [1]);
    }
    server.stop();
    await served;
  });

  test(mp, "whoever waits learns that the manager's process has ended by itself", async () => {
    await using manager = new AccountManager({ context: mp.name });
    await manager.start();
    const account = manager.Account(1);
    const waiting = manager.Event().wait();
    waiting.catch(() => {});
    await assert.rejects(account.end(), { name: "EOFError", message: /exit code 3/ });
    await assert.rejects(waiting, { name: "EOFError", message: /exit code 3/ });
    await manager.join();
  });

  test(mp, "shutdown() ends a server that hangs", async () => {
    await using manager = new AccountManager({ context: mp.name, shutdownTimeout: 50 });
    await manager.start();
    const process = activeChildren()[0]!;
    const account = manager.Account(1);
    assert.equal(await account.balance(), 1);
    using said = new mp.Queue<string>();
    const endless = account.endless(said);
    endless.catch(() => {});
    assert.equal(await said.get(), "in the loop");
    await manager.shutdown();
    await assert.rejects(endless, EOFError);
    assert.ok([-15, -9].includes(process.exitcode!), `${process.exitcode}`);
  });

  test(mp, "a manager ends with the process that has made it", async () => {
    using lists = new mp.Queue<ListProxy<number>>();
    await using child = new mp.Process({ target: lendsItsOwn, args: [mp.name, lists] });
    child.start();
    const list = await lists.get();
    assert.deepEqual(await list.copy(), [1, 2]);
    const waiting = list.append(3).then(() => list.length());
    assert.equal(await waiting, 3);
    child.kill();
    await child.join();
    const gone = async () => {
      for (;;) await list.length();
    };
    await assert.rejects(within(20_000, gone(), "the end of the manager"), EOFError);
  });
}

Deno.test("a program that never shuts its managers down ends when it, and its children, are done", async () => {
  await using program = Program.deno("tests/fixtures/programs/managers_left.ts");
  const { code, lines, stderr } = await program.end();
  assert.equal(stderr, "");
  assert.equal(lines[0], "left");
  assert.deepEqual(lines.slice(1).sort(), ["begun spawn", "begun worker"]);
  assert.equal(code, 0);
});
