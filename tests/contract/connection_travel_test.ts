/**
 * Connections that are handed on: over a socket, and through several processes, for each start method. The names in
 * comments are those of CPython's tests (`_test_multiprocessing.py`).
 *
 * @module
 */
import {
  BrokenPipeError,
  Client,
  type ClientOptions,
  Connection,
  EOFError,
  Listener,
  type ListenerOptions,
  Pipe,
  Queue,
  RuntimeError,
  type SocketAddress,
  wait,
} from "@multiprocessing/deno";
import assert from "node:assert/strict";
import * as targets from "../fixtures/travel_targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { isPending, within } from "../support/gates.ts";
import { Program } from "../support/program.ts";

/** How long a death may take to be known. */
const DEATH_MS = 5_000;

/** A connection that was accepted here, and its other end, which stays here. */
async function accepted<T = unknown>(
  options: ListenerOptions = {},
): Promise<{ server: Connection<T>; client: Connection<T> } & Disposable> {
  using listener = new Listener(options);
  const client = await Client<T>(listener.address, options as ClientOptions);
  const server = await listener.accept<T>();
  return {
    server,
    client,
    [Symbol.dispose]() {
      server.close();
      client.close();
    },
  };
}

/** Waits until the socket is closed at the other side. */
async function hungUp(connection: Connection): Promise<void> {
  await within(DEATH_MS, assert.rejects(connection.recv(), EOFError), "the end");
}

for (const mp of contexts()) {
  // --- _TestPicklingConnections -----------------------------------------------------------------------------------

  // test_pickling
  test(mp, "Connection that a child accepted travels to its parent", async () => {
    const addresses = [{ port: 0 }, undefined];
    const [given, childGiven] = mp.Pipe<unknown>();
    const [orders, childOrders] = mp.Pipe<unknown>();
    await using listening = new mp.Process({ target: targets.listener, args: [childGiven, addresses] });
    await using remote = new mp.Process({ target: targets.remote, args: [childOrders as never] });
    listening.start();
    remote.start();
    for (const i of addresses.keys()) {
      const address = await given.recv() as SocketAddress;
      await orders.send([address, `this connection uses ${i}`]);
      using connection = await given.recv() as Connection;
      assert.ok(connection instanceof Connection);
      assert.equal(await connection.recv(), `THIS CONNECTION USES ${i}`);
      await assert.rejects(connection.recv(), EOFError);
    }
    await orders.send(null);
    await given.send(null);
    await listening.join();
    await remote.join();
    assert.deepEqual([listening.exitcode, remote.exitcode], [0, 0]);
  });

  // test_access
  test(mp, "Connection of one direction travels, and keeps its direction", async () => {
    const [conn, childConn] = mp.Pipe<unknown>();
    await using child = new mp.Process({ target: targets.accesses, args: [childConn] });
    child.start();
    const [r, w] = mp.Pipe<string>({ duplex: false });
    await conn.send(w);
    w.close();
    assert.equal(await r.recv(), "all is well");
    r.close();
    const [r2, w2] = mp.Pipe<string>({ duplex: false });
    await conn.send(r2);
    r2.close();
    await w2.send("foobar");
    w2.close();
    assert.equal(await conn.recv(), "foobarfoobar");
    conn.close();
    await child.join();
    assert.equal(child.exitcode, 0);
  });

  // --- over a socket ------------------------------------------------------------------------------------------------

  test(mp, "Connection over a socket travels in args, and is closed when its child ends", async () => {
    using both = await accepted();
    const { server, client } = both;
    await using child = new mp.Process({ target: targets.echoesOne, args: [server] });
    child.start();
    await client.send({ hello: [new Map([["there", 1n]])] });
    assert.deepEqual(await client.recv(), { hello: [new Map([["there", 1n]])] });
    await hungUp(client); // though our own copy, which we have only handed on, is open
    assert.equal(server.closed, false);
    await child.join();
    assert.equal(child.exitcode, 0);
  });

  test(mp, "Connection over a socket may be closed here once it is handed on", async () => {
    using both = await accepted();
    const { server, client } = both;
    await using child = new mp.Process({ target: targets.echoes, args: [server] });
    child.start();
    server.close();
    for (let i = 0; i < 20; i++) {
      await client.send(i);
      assert.equal(await client.recv(), i);
    }
    client.close();
    await child.join();
    assert.equal(child.exitcode, 0);
  });

  test(mp, "Connection over a socket that the client opened is handed on as well", async () => {
    using listener = new Listener();
    const [given, childGiven] = mp.Pipe<unknown>();
    await using child = new mp.Process({ target: targets.connectsFor, args: [childGiven, listener.address] });
    child.start();
    using server = await listener.accept();
    using client = await given.recv() as Connection;
    await client.send("from the parent");
    assert.equal(await server.recv(), "from the parent");
    await server.send("back");
    assert.equal(await client.recv(), "back");
    await given.send("end");
    await child.join();
  });

  test(mp, "Connections over sockets are dealt out on a queue to those who serve them", async () => {
    using listener = new Listener({ address: {} });
    const queue = new mp.Queue<Connection<number>>();
    const children = [0, 1, 2].map(() => new mp.Process({ target: targets.servesAll, args: [queue] }));
    for (const child of children) child.start();
    const asking = Array.from({ length: 12 }, async (_, i) => {
      using client = await Client<number>(listener.address);
      for (let n = i; n < i + 5; n++) {
        await client.send(n);
        assert.equal(await client.recv(), n * 2);
      }
    });
    for (let i = 0; i < 12; i++) {
      using connection = await listener.accept<number>();
      await queue.put(connection);
    }
    await Promise.all(asking);
    queue.shutdown();
    for (const child of children) {
      await child.join();
      assert.equal(child.exitcode, 0);
    }
  });

  test(mp, "Connection over a socket travels over a connection, nested in plain data", async () => {
    using both = await accepted();
    const [near, far] = mp.Pipe<unknown>();
    await using child = new mp.Process({ target: targets.unwraps, args: [far] });
    child.start();
    await near.send({ deep: [new Map([["here", both.server]])] });
    both.server.close();
    await both.client.send("through");
    assert.equal(await both.client.recv(), "through");
    both.client.close();
    await child.join();
    assert.equal(child.exitcode, 0);
  });

  test(mp, "Connection over a socket keeps messages whole and in order when it is handed on", async () => {
    using both = await accepted();
    const { server, client } = both;
    await using child = new mp.Process({ target: targets.echoes, args: [server] });
    child.start();
    server.close();
    const sent = Array.from(
      { length: 600 },
      (_, i) => i % 100 === 99 ? new Uint8Array(700_000).fill(i) : new Array(i % 40).fill(i),
    );
    const sending = (async () => {
      for (const message of sent) await client.send(message);
    })();
    for (const message of sent) assert.deepEqual(await client.recv(), message);
    await sending;
    await client.sendBytes(new Uint8Array(0));
    assert.deepEqual(await client.recvBytes(), new Uint8Array(0));
    client.close();
    await child.join();
  });

  test(
    mp,
    "Connection over a socket: all that a child has sent arrives, though it ends at once",
    async () => {
      using both = await accepted();
      const { server, client } = both;
      const messages = Array.from({ length: 300 }, (_, i) => [i, "x".repeat(i % 7 === 0 ? 10_000 : 10)]);
      await using child = new mp.Process({ target: targets.sendsAll, args: [server, messages] });
      child.start();
      server.close();
      await child.join();
      assert.deepEqual(await Array.fromAsync(client), messages);
    },
  );

  test(mp, "Connection over a socket refuses elsewhere what it refuses at home", async () => {
    using both = await accepted({ maxlength: 1_000 });
    const out = new mp.Queue<targets.Ends>();
    await using child = new mp.Process({ target: targets.triesOnSocket, args: [both.server, out] });
    child.start();
    const ends = await out.get();
    assert.match(ends.lock!, /^PicklingError: Cannot send obj\.deep\[0\] to the other end .* it is a handle/);
    assert.match(ends.code!, /^PicklingError: .* a socket does not carry code/);
    assert.match(ends.long!, /^PicklingError: .* 'maxlength' is 1000/);
    assert.match(ends.nothing!, /^TimeoutError/);
    assert.equal(ends.poll, "false");
    assert.match(ends.closed!, /^OSError: handle is closed/);
    await child.join();
    both.server.close();
    await hungUp(both.client);
  });

  test(
    mp,
    "Connection over a socket: its end, and what breaks it, are known where it was handed to",
    async () => {
      for (const how of ["closed", "broken"]) {
        using listener = new Listener({ address: {} });
        const { hostname, port } = listener.address as { hostname: string; port: number };
        const raw = await Deno.connect({ hostname, port });
        const greeting = new Uint8Array(61);
        for (let at = 0; at < 61;) at += (await raw.read(greeting.subarray(at)))!;
        await raw.write(greeting); // it says the same as we have to
        using server = await listener.accept();
        await raw.write(new Uint8Array([0, 0, 0, 3, 12, 12, 12])); // a message, but no value
        if (how === "broken") await raw.write(new Uint8Array([0, 0, 1])); // half a length
        const out = new mp.Queue<unknown[]>();
        await using child = new mp.Process({ target: targets.usesUp, args: [server, out] });
        child.start();
        raw.close();
        const ends = await out.get();
        assert.match(String(ends.shift()), /^PicklingError: Cannot receive the message/);
        if (how === "broken") {
          assert.match(String(ends.shift()), /^OSError: .*got end of file during message/);
        }
        assert.match(String(ends.shift()), /^EOFError/);
        assert.deepEqual(ends, [true, "BrokenPipeError"]);
        await child.join();
      }
    },
  );

  for (const how of ["terminate", "kill"] as const) {
    test(mp, `Connection over a socket is closed by the ${how}() of who has it`, async () => {
      using both = await accepted();
      const said = new mp.Queue<string>();
      await using child = new mp.Process({ target: targets.holds, args: [both.server, said] });
      child.start();
      assert.equal(await said.get(), "holding");
      const ended = hungUp(both.client);
      assert.equal(await isPending(ended), true);
      child[how]();
      await ended;
      await child.join();
    });
  }

  test(mp, "Connection over a socket ends with the process that accepted it", async () => {
    const [given, childGiven] = mp.Pipe<unknown>();
    await using child = new mp.Process({ target: targets.acceptsAndHolds, args: [childGiven] });
    child.start();
    using client = await Client(await given.recv() as SocketAddress);
    using server = await given.recv() as Connection;
    await client.send("first");
    assert.equal(await server.recv(), "first");
    const receiving = assert.rejects(server.recv(), EOFError);
    const polling = server.poll(60_000);
    assert.equal(await isPending(receiving), true);
    child.kill();
    await within(DEATH_MS, receiving, "recv()");
    assert.equal(await within(DEATH_MS, polling, "poll()"), true);
    await assert.rejects(server.recv(), EOFError);
    await assert.rejects(server.send("anybody there?"), BrokenPipeError);
    assert.deepEqual(await wait([server]), [server]);
    await hungUp(client);
    await child.join();
  });

  test(mp, "Connection over a socket that we use, too, stays open until we close it", async () => {
    using both = await accepted<string>();
    const { server, client } = both;
    await client.send("for the parent");
    assert.equal(await server.recv(), "for the parent");
    await using child = new mp.Process({ target: targets.echoesOne, args: [server as Connection] });
    child.start();
    await client.send("for the child");
    assert.equal(await client.recv(), "for the child");
    await child.join();
    await client.send("for the parent again");
    assert.equal(await server.recv(), "for the parent again");
    await server.send("good bye");
    server.close();
    assert.equal(await client.recv(), "good bye");
    await hungUp(client);
  });

  test(mp, "Connection over a socket comes back from a child, and is what it was", async () => {
    using both = await accepted();
    const [near, far] = mp.Pipe<unknown>();
    await using child = new mp.Process({ target: targets.givesBack, args: [far] });
    child.start();
    await near.send(both.server);
    using back = await near.recv() as Connection;
    both.server.close();
    await child.join();
    await both.client.send("still there");
    assert.equal(await back.recv(), "still there");
    assert.throws(() => back.recvSync(), RuntimeError); // our own event loop has to bring it
    assert.throws(() => back.sendSync(1), RuntimeError);
    back.close();
    await hungUp(both.client);
  });

  // --- through several processes, whatever it is ---------------------------------------------------------------------

  for (const kind of ["pipe", "socket"]) {
    const ends = async (): Promise<{ server: Connection; client: Connection } & Disposable> => {
      if (kind === "socket") return await accepted();
      const [client, server] = Pipe();
      return { client, server, [Symbol.dispose]: () => (client.close(), server.close()) };
    };

    for (const method of ["worker", "spawn"] as const) {
      for (const closes of [false, true]) {
        const what = closes ? "closed" : "open";
        test(mp, `Connection (${kind}) reaches a "${method}" grandchild, ${what} in between`, async () => {
          using both = await ends();
          const [said, go] = [new mp.Queue<unknown>(), new mp.Queue<unknown>()];
          await using child = new mp.Process({
            target: targets.passesOn,
            args: [both.server, method, closes, said, go],
          });
          child.start();
          await both.client.send("deep down");
          assert.equal(await both.client.recv(), "deep down");
          await hungUp(both.client); // the grandchild has ended; the child lives
          assert.equal(await said.get(), 0);
          await go.put("end");
          await child.join();
        });
      }

      test(mp, `Connection (${kind}) is lent to two "${method}" grandchildren; one closes it`, async () => {
        using both = await ends();
        const [said, go] = [new mp.Queue<unknown>(), new mp.Queue<unknown>()];
        await using child = new mp.Process({
          target: targets.lendsTwice,
          args: [both.server, method, said, go],
        });
        child.start();
        assert.equal(await said.get(), "first");
        await both.client.send("for the second");
        assert.equal(await both.client.recv(), "for the second");
        await hungUp(both.client);
        assert.equal(await said.get(), "second");
        await go.put("end");
        await child.join();
      });
    }

    test(mp, `Connection (${kind}) is passed from worker to worker within a child`, async () => {
      using both = await ends();
      const [said, go] = [new mp.Queue<unknown>(), new mp.Queue<unknown>()];
      await using child = new mp.Process({ target: targets.passesAlong, args: [both.server, said, go] });
      child.start();
      await both.client.send("along");
      assert.equal(await both.client.recv(), "along");
      await hungUp(both.client);
      assert.equal(await said.get(), 0);
      await go.put("end");
      await child.join();
    });

    test(
      mp,
      `Connection (${kind}) closed by one who was receiving takes nothing from the others`,
      async () => {
        using both = await ends();
        const said = new mp.Queue<string>();
        await using child = new mp.Process({ target: targets.outlivesCloser, args: [both.server, said] });
        child.start();
        assert.match(await said.get(), /^handle is closed/);
        await both.client.send("for who is left");
        assert.equal(await said.get(), "for who is left");
        await child.join();
      },
    );

    test(mp, `Connection (${kind}) that came back outlives the child it was with`, async () => {
      using both = await ends();
      const [near, far] = mp.Pipe<unknown>();
      await using child = new mp.Process({ target: targets.givesBack, args: [far] });
      child.start();
      await near.send(both.server);
      using back = await near.recv() as Connection;
      await child.join();
      const receiving = both.client.recv();
      await back.send("from the other side");
      assert.equal(await receiving, "from the other side");
    });

    test(
      mp,
      `Connection (${kind}) goes from hand to hand through a tree of processes, and loses nothing`,
      async () => {
        const connections = new mp.Queue<Connection>();
        const children = [
          new mp.Process({ target: targets.echoesInTurn, args: [connections] }),
          new mp.Process({ target: targets.letsEchoInTurn, args: [connections, "worker"] }),
          new mp.Process({ target: targets.letsEchoInTurn, args: [connections, "spawn"] }),
        ];
        for (const child of children) child.start();
        const asking = Array.from({ length: 4 }, async () => {
          using both = await ends();
          await connections.put(both.server);
          both.server.close();
          for (let i = 0; i < 40; i++) {
            await both.client.send(i);
            assert.equal(await both.client.recv(), i);
          }
        });
        await Promise.all(asking);
        connections.shutdown();
        for (const child of children) {
          await child.join();
          assert.equal(child.exitcode, 0);
        }
      },
    );

    test(mp, `Connection (${kind}) is not counted as handed on when that was refused`, async () => {
      using both = await ends();
      using queue = new mp.Queue<unknown>();
      await assert.rejects(queue.put([both.server, () => 1]), { name: "PicklingError" });
      const child = new mp.Process({
        target: targets.echoes,
        args: [both.server, Symbol() as never] as never,
      });
      assert.throws(() => child.start(), { name: "PicklingError" });
      await both.server.send("from here");
      assert.equal(await both.client.recv(), "from here");
      both.server.close();
      await hungUp(both.client);
    });

    test(mp, `Connection (${kind}) that a full or closed queue did not take is not handed on`, async () => {
      using both = await ends();
      using full = new mp.Queue<unknown>(1);
      await full.put("full");
      await assert.rejects(full.put(both.server, { block: false }), { name: "Full" });
      await assert.rejects(full.put(both.server, { timeout: 5 }), { name: "Full" });
      await assert.rejects(full.put(both.server, { signal: AbortSignal.timeout(5) }), {
        name: "TimeoutError",
      });
      assert.throws(() => full.putSync(both.server, { timeout: 5 }), { name: "Full" });
      full.shutdown();
      await assert.rejects(full.put(both.server), { name: "ShutDown" });
      const [near, far] = mp.Pipe<unknown>();
      far.close();
      await assert.rejects(near.send(both.server), BrokenPipeError);
      both.server.close();
      await hungUp(both.client);
    });
  }

  Deno.test(`Connections that are closed where they went leave no memory behind [${mp.name}]`, async () => {
    await using program = Program.deno("tests/fixtures/programs/hands_out.ts", [mp.name]);
    const output = await program.end();
    assert.deepEqual([output.stderr, output.code], ["", 0]);
    // 200 pipes with what is in them take 114 MiB, what goes along with 100 sockets 57; a child, then its worker.
    for (const grownMiB of output.lines) assert.ok(Number(grownMiB) < 40, `${output.lines} MiB more`);
    assert.equal(output.lines.length, 4);
  });
}

// --- at home ---------------------------------------------------------------------------------------------------------

const [worker] = contexts();

test(worker!, "Connection over a socket has its blocking forms in a worker it was handed to", async () => {
  using both = await accepted();
  await using child = new worker!.Process({ target: targets.echoesSync, args: [both.server, 3] });
  child.start();
  both.server.close();
  for (const message of [1, new Uint8Array(300_000).fill(7), "three"]) {
    await both.client.send(message);
    assert.deepEqual(await both.client.recv(), message);
  }
  await hungUp(both.client);
  await child.join();
  assert.equal(child.exitcode, 0);
});

Deno.test("Connection over a socket: those who wait at home go on waiting when it is handed on", async () => {
  using both = await accepted<number>();
  const { server, client } = both;
  const queue = new Queue<Connection<number>>();
  const receiving = server.recv();
  const polling = server.poll(60_000);
  const waiting = wait([server]);
  const late = server.poll(50);
  await queue.put(server);
  using taken = await queue.get();
  assert.equal(await isPending(receiving), true);
  assert.equal(await isPending(Promise.race([polling, waiting])), true);
  assert.equal(await late, false);
  await client.send(1);
  assert.equal(await receiving, 1);
  await client.send(2);
  assert.equal(await polling, true);
  assert.deepEqual(await waiting, [server]);
  assert.equal(await taken.recv(), 2);
  const both3 = [server.recv(), taken.recv()];
  await client.send(3);
  await client.send(4);
  assert.deepEqual(await Promise.all(both3), [3, 4]);
  server.close();
  taken.close();
  await hungUp(client as Connection);
});

Deno.test("Connection over a socket: what was looked at, and not received, goes along", async () => {
  using both = await accepted<number>();
  const { server, client } = both;
  for (const n of [1, 2, 3]) await client.send(n);
  assert.equal(await server.poll(5_000), true);
  const queue = new Queue<Connection<number>>();
  await queue.put(server);
  server.close();
  using taken = await queue.get();
  assert.deepEqual([await taken.recv(), await taken.recv(), await taken.recv()], [1, 2, 3]);
  await assert.rejects(queue.put(server), { name: "PicklingError", message: /handle is closed/ });
  taken.close();
  await hungUp(client as Connection);
});

Deno.test("Connection over a socket that was handed on keeps a slow side's sender waiting", async () => {
  using both = await accepted<Uint8Array>();
  const queue = new Queue<Connection<Uint8Array>>();
  await queue.put(both.server);
  both.server.close();
  using taken = await queue.get();
  let sent = 0;
  const sending = (async () => {
    for (; sent < 64; sent++) await both.client.send(new Uint8Array(2 ** 20).fill(sent));
  })();
  assert.equal(await isPending(sending, 2_000), true);
  assert.ok(sent < 10, `${sent} messages were sent`);
  for (let i = 0; i < 64; i++) {
    const message = await taken.recv();
    assert.deepEqual([message.length, message[0]], [2 ** 20, i]);
  }
  await sending;
  taken.close();
  await hungUp(both.client as Connection);
});

for (const method of ["worker", "spawn"]) {
  Deno.test(`Connection over a socket: the program ends once its child's last words are sent [${method}]`, async () => {
    using listener = new Listener();
    await using program = Program.deno("tests/fixtures/programs/hands_on.ts", [
      method,
      String(listener.address),
    ]);
    using connection = await listener.accept<string>();
    const messages = await Array.fromAsync(connection);
    assert.equal(messages.length, 500);
    assert.equal(messages.join("").length, 500 * 2_000);
    const output = await program.end();
    assert.deepEqual([output.stderr, output.code], ["", 0]);
  });
}
