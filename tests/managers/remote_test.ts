/**
 * Managers over sockets: other processes and other programs, keys, garbage, restarts. The names in comments are those of
 * CPython's `_TestRemoteManager` and `_TestManagerRestart` in `_test_multiprocessing.py`.
 *
 * @module
 */
import {
  type Address,
  AuthenticationError,
  Client,
  EOFError,
  Listener,
  type ListProxy,
  type LockProxy,
  OSError,
  PicklingError,
  ProcessError,
  type ProxyOf,
  type QueueProxy,
  RemoteError,
  SyncManager,
  TimeoutError,
} from "@multiprocessing/deno";
import assert from "node:assert/strict";
import { connect } from "node:net";
import { doubles, putsRemotely, QueueManager, QueueServer, subtracts } from "../fixtures/manager_targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { isPending, within } from "../support/gates.ts";
import { Program } from "../support/program.ts";

const newKey = () => crypto.getRandomValues(new Uint8Array(32));

/** What the program of `manager_server.ts` serves. */
class Served extends SyncManager {
  declare getQueue: () => QueueProxy<unknown>;
  declare getLock: () => LockProxy;
  declare getStopper: () => ProxyOf<{ stop(): void }>;
}
Served.register("getQueue");
Served.register("getLock");
Served.register("getStopper");

async function serving(key: string, port?: number): Promise<{ program: Program; address: Address }> {
  const program = Program.deno("tests/fixtures/programs/manager_server.ts", [key, String(port ?? 0)]);
  const [, found] = await program.line(/^port (\d+)$/);
  return { program, address: { hostname: "127.0.0.1", port: Number(found) } };
}

async function connected(address: Address, key: string): Promise<Served> {
  const manager = new Served({ address, authkey: new TextEncoder().encode(key) });
  await manager.connect();
  return manager;
}

for (const mp of contexts()) {
  const context = mp.name;

  // test_remote
  test(mp, "a manager over TCP, with one client here and one in a child", async () => {
    const values = ["hello world", null, true, 2.25, "hall\xe5 v\xe4rlden", "Привіт", new Uint8Array([1, 2])];
    const authkey = newKey();
    await using manager = new QueueServer({ context, address: { hostname: "127.0.0.1", port: 0 }, authkey });
    await manager.start();
    const address = manager.address!;
    await using child = new mp.Process({
      target: putsRemotely,
      args: [address, authkey, values],
      daemon: true,
    });
    child.start();
    await using client = new QueueManager({ address, authkey });
    await client.connect();
    const queue = client.getQueue();
    assert.deepEqual(await queue.get(), values);
    // What only processes of one program can share is refused, on this side.
    using own = new mp.Queue();
    for (const item of [() => 1, own, new mp.Lock(), new SharedArrayBuffer(4)]) {
      await assert.rejects(queue.put([item]), (error: Error) => {
        assert.ok(error instanceof PicklingError);
        assert.match(error.message, /args\[0\]\[0\]/);
        return true;
      });
    }
    await queue.put("still at work");
    assert.equal(await manager.getQueue().get(), "still at work");
    await child.join();
    assert.equal(child.exitcode, 0);
  });

  // test_rapid_restart
  test(mp, "the address of a manager can be had again at once", async () => {
    const authkey = newKey();
    let address: Address = { port: 0 };
    for (let i = 0; i < 3; i++) {
      const manager: QueueServer = new QueueServer({ context, address, authkey });
      await manager.start();
      address = manager.address!;
      await using child = new mp.Process({ target: putsRemotely, args: [address, authkey, ["hello"]] });
      child.start();
      await child.join();
      assert.deepEqual(await manager.getQueue().get(), ["hello"]);
      await manager.shutdown();
    }
  });

  test(mp, "start() listens where only this user can go, if no address is given", async () => {
    let address: string;
    {
      await using manager = new SyncManager({ context });
      await manager.start();
      address = manager.address as string;
      assert.equal((await Deno.stat(address)).isSocket, true);
      const list = manager.list([1]);
      // In the program that has it already, a client is one more of its processes.
      await using client = new SyncManager({ address });
      await client.connect();
      const outer = client.list<ListProxy<number>>([list]);
      await (await outer.get(0)).append(2);
      assert.deepEqual(await list.copy(), [1, 2]);
    }
    await assert.rejects(Deno.stat(address), Deno.errors.NotFound);
  });

  test(mp, "children use what their parent is connected to", async () => {
    const authkey = newKey();
    const server = new SyncManager({ address: { port: 0 }, authkey }).getServer();
    const done = server.serveForever();
    {
      await using manager = new SyncManager({ address: server.address, authkey });
      await manager.connect();
      const [dict, lock] = [manager.dict({ count: 3 }), manager.Lock()];
      const children = [1, 2, 3].map(() => new mp.Process({ target: subtracts, args: [dict, lock] }));
      for (const child of children) child.start();
      for (const child of children) {
        await child.join();
        assert.equal(child.exitcode, 0);
      }
      assert.equal(await dict.get("count"), 0);
    }
    server.stop();
    await done;
  });
}

Deno.test("two programs share a manager over TCP", async () => {
  const { program, address } = await serving("between us");
  await using _ = program;
  await using one = await connected(address, "between us");
  await using other = await connected(address, "between us");
  await one.getQueue().put({ from: "one", list: one.list([1]) });
  const item = await other.getQueue().get() as { from: string; list: ListProxy<number> };
  assert.equal(item.from, "one");
  await item.list.append(2);
  assert.deepEqual(await item.list.copy(), [1, 2]);
  // No code goes over a socket, not even by its name.
  await assert.rejects(one.dict({ a: 1 }).update("a", doubles), { name: "PicklingError", message: /socket/ });
  await assert.rejects(one.Pool(1).apply(doubles, [1]), { name: "PicklingError", message: /socket/ });
  await one.getStopper().stop().catch(() => {});
  assert.deepEqual((await program.end()).lines.at(-1), "stopped");
});

Deno.test("a client of another program that is killed frees its lock, and takes no item along", async () => {
  const { program, address } = await serving("key");
  await using _ = program;
  await using manager = await connected(address, "key");
  const lock = manager.getLock();
  const port = String((address as { port: number }).port);
  await using client = Program.deno("tests/fixtures/programs/manager_client.ts", ["key", port]);
  await client.line(/^held$/);
  const waiting = lock.acquire();
  assert.equal(await isPending(waiting), true);
  client.signal("SIGKILL");
  assert.equal(await within(20_000, waiting, "the lock of a client that was killed"), true);
  const queue = manager.getQueue();
  await queue.put("for whoever lives");
  assert.equal(await queue.get(), "for whoever lives");
});

Deno.test("when the server stops, or is killed, whoever waits gets an error, and may connect again", async () => {
  const first = await serving("key");
  const { port } = first.address as { port: number };
  await using manager = await connected(first.address, "key");
  const list = manager.list([1]);
  const waiting = manager.getQueue().get();
  waiting.catch(() => {});
  await list.length;
  first.program.signal("SIGKILL");
  await assert.rejects(waiting, { name: "EOFError", message: /Cannot call get\(\): the manager/ });
  await assert.rejects(list.copy(), EOFError);
  assert.throws(() => manager.list(), EOFError);
  await assert.rejects(manager.connect(), ProcessError);
  await first.program[Symbol.asyncDispose]();

  const again = new Served({ address: first.address, authkey: new TextEncoder().encode("key") });
  await assert.rejects(again.connect(), (error: Error) => {
    assert.ok(error instanceof OSError);
    assert.equal((error as { code?: string }).code, "ECONNREFUSED");
    return true;
  });
  const second = await serving("key", port);
  await using _ = second.program;
  await again.connect();
  const fresh = again.list([2]);
  assert.deepEqual(await fresh.copy(), [2]);
  // What stood for objects of the one that is gone does not stand for those of the other.
  await assert.rejects(list.copy(), EOFError);
  const patient = again.getQueue().get();
  patient.catch(() => {});
  await fresh.length;
  await again.getStopper().stop().catch(() => {});
  await assert.rejects(patient, EOFError);
  await again.shutdown();
});

Deno.test("whoever does not know the key, or is no manager, is refused", async () => {
  const { program, address } = await serving("right");
  await using _ = program;
  await assert.rejects(connected(address, "wrong"), AuthenticationError);
  await assert.rejects(Client(address), AuthenticationError);
  await using good = await connected(address, "right");

  const authkey = new TextEncoder().encode("right");
  using listener = new Listener({ address: { port: 0 }, authkey });
  const accepted = listener.accept().then(async (connection) => {
    await connection.recv();
    await connection.send("we know each other?");
    return connection;
  });
  const mistaken = new SyncManager({ address: listener.address, authkey });
  await assert.rejects(mistaken.connect(), { name: "OSError", message: /is no manager/ });
  (await accepted).close();
  const silent = new SyncManager({ address: listener.address, authkey });
  const [connection] = await Promise.all([
    listener.accept(),
    assert.rejects(silent.connect({ timeout: 50 }), TimeoutError),
  ]);
  connection.close();
  assert.deepEqual(await good.list([1]).copy(), [1]);
});

Deno.test("garbage harms whoever sends it", async () => {
  const { program, address } = await serving("key");
  await using _ = program;
  await using good = await connected(address, "key");
  const list = good.list([1]);
  const { hostname, port } = address as { hostname: string; port: number };

  // Strangers, who never come so far as to say something.
  for (const bytes of [crypto.getRandomValues(new Uint8Array(4096)), new Uint8Array(4096).fill(255)]) {
    const socket = connect(port, hostname);
    socket.on("error", () => {});
    socket.write(bytes);
    await new Promise((closed) => socket.on("close", closed).resume());
  }

  // Clients who know the key and say nonsense.
  const authkey = new TextEncoder().encode("key");
  const HELLO = ["manager line", 77];
  const nonsense: unknown[][] = [
    ["hello"],
    [["manager line", -1]],
    [HELLO, "text"],
    [HELLO, [1]],
    [HELLO, [1, 99]],
    [HELLO, [0, 4, "x", 1, 1]],
    [HELLO, [1, 0, 1, "list", [[1]]], [1, 0, 1, "list", [[1]]]],
    [HELLO, [1, 5, 1, "copy", "no arguments"]],
    [HELLO, [-1, 5, 1, "copy", []]],
    [HELLO, [1, 5, 0, "constructor", []], [2, "kind"]],
  ];
  for (const messages of nonsense) {
    using client = await Client(address, { authkey });
    for (const message of messages) await client.send(message).catch(() => {});
    const read = async () => {
      for (;;) await client.recv();
    };
    await assert.rejects(within(20_000, read(), JSON.stringify(messages)), { name: "EOFError" });
  }
  // One who names what it was not given finds nothing.
  using client = await Client(address, { authkey });
  await client.send(HELLO);
  await client.recv();
  await client.send([1, 5, 1, "copy", []]);
  const [kind, number, error] = await client.recv() as [number, number, Error];
  assert.deepEqual([kind, number], [1, 1]);
  assert.ok(error instanceof RemoteError);
  assert.deepEqual(await list.copy(), [1]);
});
