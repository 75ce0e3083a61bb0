/**
 * Listener and Client, for each start method where a child takes part. The names in comments are those of CPython's
 * tests (`_test_multiprocessing.py`).
 *
 * @module
 */
import {
  AuthenticationError,
  BrokenPipeError,
  Client,
  type ClientOptions,
  type Connection,
  currentProcess,
  EOFError,
  Listener,
  type ListenerOptions,
  Lock,
  OSError,
  PicklingError,
  Pipe,
  Queue,
  ref,
  RuntimeError,
  SharedMemory,
  type SocketAddress,
  TimeoutError,
  Value,
  ValueError,
  wait,
} from "@multiprocessing/deno";
import assert from "node:assert/strict";
import { encode } from "../../src/transport/codec.ts";
import * as targets from "../fixtures/socket_targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { CLOCK_SLACK_MS, isPending, timed } from "../support/gates.ts";
import { Program } from "../support/program.ts";
import { bytes, GREETING, joined, NONCE_AT, Raw, rawClient } from "../support/raw_socket.ts";

const KEY = bytes("a key between friends");

/** Where sockets lie that have a name. Made when it is needed: children import this module, too. */
let directory: string | undefined;
let sockets = 0;

function newSocketPath(): string {
  if (directory === undefined) {
    const made = directory = Deno.makeTempDirSync({ prefix: "listener-test-" });
    addEventListener("unload", () => Deno.removeSync(made, { recursive: true }));
  }
  return `${directory}/${++sockets}`;
}

/** The kinds of addresses, as CPython's families. */
const FAMILIES: Record<string, () => ListenerOptions["address"]> = {
  AF_INET: () => ({ hostname: "127.0.0.1", port: 0 }),
  AF_UNIX: newSocketPath,
  default: () => undefined,
};

/** Both ends of a connection. */
async function pair<A = unknown, B = A>(
  options: ListenerOptions = {},
  clientOptions: ClientOptions = {},
): Promise<{ server: Connection<A>; client: Connection<B>; listener: Listener } & Disposable> {
  const listener = new Listener(options);
  const client = await Client<B>(listener.address, { ...options, ...clientOptions } as ClientOptions);
  const server = await listener.accept<A>();
  return {
    server,
    client,
    listener,
    [Symbol.dispose]() {
      server.close();
      client.close();
      listener.close();
    },
  };
}

// --- clients and servers that are none of ours -------------------------------------------------------------------

/** A server that is no Listener: `serve` says what it does to its one client. */
async function rawServer<R>(
  serve: (raw: Raw) => Promise<void>,
  use: (address: SocketAddress) => Promise<R>,
): Promise<R> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const served = (async () => {
    using raw = new Raw(await listener.accept());
    await serve(raw);
    await raw.rest();
  })();
  const { port } = listener.addr as Deno.NetAddr;
  const result = await use({ hostname: "127.0.0.1", port });
  await served;
  return result;
}

/** What passes between a Listener and a Client that both know the key. */
async function overheard(): Promise<{ hello: Uint8Array; answer: Uint8Array; proof: Uint8Array }> {
  using listener = new Listener({ authkey: KEY });
  using inner = await Raw.to(listener.address);
  const hello = (await inner.read())!;
  let answer!: Uint8Array;
  let proof!: Uint8Array;
  const client = await rawServer(async (raw) => {
    await raw.frame(hello);
    answer = (await raw.read())!;
    await inner.frame(answer);
    proof = (await inner.read())!;
    await raw.frame(proof);
  }, async (address) => {
    const client = await Client(address, { authkey: KEY });
    client.close();
    return client;
  });
  assert.ok(client.closed);
  (await listener.accept()).close();
  return { hello, answer, proof };
}

for (const mp of contexts()) {
  for (const [family, address] of Object.entries(FAMILIES)) {
    // _TestListenerClient.test_listener_client
    for (const authkey of [undefined, KEY]) {
      test(mp, `Listener accepts a child, ${family}, ${authkey ? "with" : "without"} key`, async () => {
        for (let i = 0; i < 3; i++) {
          using listener = new Listener({ address: address(), authkey });
          await using child = new mp.Process({
            target: targets.sendsOne,
            args: [listener.address as string, authkey, "hello"],
            daemon: true,
          });
          child.start();
          using conn = await listener.accept<string>();
          assert.equal(await conn.recv(), "hello");
          await assert.rejects(conn.recv(), EOFError);
          await child.join();
          assert.equal(child.exitcode, 0);
          if (family === "AF_INET") {
            assert.equal((listener.lastAccepted as { hostname: string }).hostname, "127.0.0.1");
          } else assert.equal(listener.lastAccepted, "");
        }
      });
    }
  }

  // _TestListenerClient.test_issue14725
  test(mp, "Listener accepts a child that has sent, closed and ended before", async () => {
    using listener = new Listener();
    await using child = new mp.Process({
      target: targets.sendsOne,
      args: [listener.address as string, undefined, "hello"],
      daemon: true,
    });
    child.start();
    await child.join();
    assert.equal(child.exitcode, 0);
    using conn = await listener.accept<string>();
    assert.equal(await conn.recv(), "hello");
  });

  test(mp, "Listener in a child echoes what its parent sends", async () => {
    const [addresses, childAddresses] = mp.Pipe<SocketAddress>();
    await using child = new mp.Process({
      target: targets.echoes,
      args: [undefined, KEY, childAddresses as never],
    });
    child.start();
    using conn = await Client(await addresses.recv(), { authkey: KEY });
    for (const message of [1, "two", [3, { four: null }], new Map([[5, new Date(6)]]), undefined]) {
      await conn.send(message);
      assert.deepEqual(await conn.recv(), message);
    }
    conn.close();
    await child.join();
    assert.equal(child.exitcode, 0);
    addresses.close();
  });

  test(mp, "Listener with authkey: true knows its children by their authkey", async () => {
    using listener = new Listener({ authkey: true });
    const [answers, childAnswers] = mp.Pipe<string>();
    await using child = new mp.Process({
      target: targets.triesKey,
      args: [listener.address as string, true, childAnswers as never],
    });
    child.start();
    using conn = await listener.accept();
    assert.equal(await conn.recv(), "I am in");
    assert.equal(await answers.recv(), "connected");
    conn.close();
    await child.join();
    for (const wrong of [bytes("wrong"), undefined]) {
      await using stranger = new mp.Process({
        target: targets.triesKey,
        args: [listener.address as string, wrong, childAnswers as never],
      });
      stranger.start();
      assert.equal(await answers.recv(), "AuthenticationError");
      await stranger.join();
    }
    using again = await Client(listener.address, { authkey: currentProcess().authkey });
    again.close();
    (await listener.accept()).close();
    answers.close();
  });

  test(mp, "Connection over a socket ends when the other process is killed", async () => {
    using listener = new Listener();
    const [gate, childGate] = mp.Pipe<string>();
    await using child = new mp.Process({
      target: targets.connectsForEver,
      args: [listener.address as string, childGate as never],
    });
    child.start();
    using conn = await listener.accept();
    assert.equal(await gate.recv(), "connected");
    const receiving = conn.recv();
    child.kill();
    await assert.rejects(receiving, EOFError);
    await assert.rejects(async () => {
      for (;;) await conn.send("anybody there?");
    }, BrokenPipeError);
    await child.join();
    gate.close();
  });
}

// --- _TestListener -----------------------------------------------------------------------------------------------

// test_multiple_bind
for (const family of ["AF_INET", "AF_UNIX"]) {
  Deno.test(`Listener refuses an address that is taken, ${family}`, () => {
    using listener = new Listener({ address: FAMILIES[family]!() });
    assert.throws(() => new Listener({ address: listener.address }), (error: Error & { code?: string }) => {
      assert.ok(error instanceof OSError);
      assert.equal(error.code, "EADDRINUSE");
      assert.match(error.message, /^Cannot listen on .*in use/);
      return true;
    });
  });
}

// test_context
Deno.test("Listener and connections are closed by using", async () => {
  let kept: Listener;
  {
    using listener = new Listener();
    kept = listener;
    using client = await Client(listener.address);
    using server = await listener.accept();
    await client.send(1729);
    assert.equal(await server.recv(), 1729);
  }
  await assert.rejects(kept.accept(), OSError);
  kept.close();
});

// test_abstract_socket
Deno.test({
  name: "Listener takes an abstract socket",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const address = `\0listener-test-${crypto.randomUUID()}`;
    using both = await pair({ address });
    await both.client.send("nowhere");
    assert.equal(await both.server.recv(), "nowhere");
    assert.throws(() => new Listener({ address }), OSError);
  },
});

Deno.test("Listener.address is where it listens, and its socket file goes with it", async () => {
  using tcp = new Listener({ address: {} });
  const { hostname, port } = tcp.address as { hostname: string; port: number };
  assert.equal(hostname, "127.0.0.1");
  assert.ok(port > 0);
  assert.equal(tcp.lastAccepted, null);
  for (const listener of [new Listener(), new Listener({ address: newSocketPath() })]) {
    const path = listener.address as string;
    assert.ok((await Deno.stat(path)).isSocket);
    await listener[Symbol.asyncDispose]();
    await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
  }
  const own = new Listener();
  const directory = (own.address as string).replace(/\/[^/]*$/, "");
  assert.equal((await Deno.stat(directory)).mode! & 0o777, 0o700);
  own.close();
  await assert.rejects(Deno.stat(directory), Deno.errors.NotFound);
});

Deno.test("Listener closes also when its own socket file is gone already", async () => {
  if (Deno.build.os === "windows") return; // there it has a port
  const listener = new Listener();
  const path = listener.address as string;
  Deno.removeSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  listener.close();
  await assert.rejects(Client(path), OSError);
});

Deno.test("Listener and Client refuse impossible options", async () => {
  for (const address of ["", null, 5, []] as never[]) {
    assert.throws(() => new Listener({ address }), ValueError, String(address));
    await assert.rejects(Client(address), ValueError);
  }
  for (const port of [-1, 65_536, 1.5, "80" as never]) {
    assert.throws(() => new Listener({ address: { port } }), ValueError);
    await assert.rejects(Client({ port }), ValueError);
  }
  await assert.rejects(Client({ hostname: "127.0.0.1" }), ValueError);
  assert.throws(() => new Listener({ address: { hostname: 5 as never } }), TypeError);
  for (const authkey of ["text", new Uint8Array(0), 5, false] as never[]) {
    assert.throws(() => new Listener({ authkey }), /authkey should be a byte string/);
    await assert.rejects(Client({ port: 1 }, { authkey }), TypeError);
  }
  assert.throws(() => new Listener({ backlog: 0 }), ValueError);
  assert.throws(() => new Listener({ maxlength: 0 }), ValueError);
  assert.throws(() => new Listener({ handshakeTimeout: -1 }), ValueError);
  assert.throws(() => new Listener({ address: "/nonexistent/directory/socket" }), OSError);
  await assert.rejects(Client("/nonexistent/socket"), (error: Error & { code?: string }) => {
    assert.ok(error instanceof OSError);
    return error.code === "ENOENT";
  });
  let address: SocketAddress;
  {
    await using gone = new Listener({ address: {} });
    address = gone.address;
  }
  await assert.rejects(Client(address), (error: Error & { code?: string }) => {
    assert.ok(error instanceof OSError);
    return error.code === "ECONNREFUSED";
  });
});

// _TestManagerRestart.test_rapid_restart. In a program of its own: while a process is started, the copy of it that the
// system makes at first has our sockets for a moment, too.
for (const family of ["AF_INET", "AF_UNIX"]) {
  Deno.test(`Listener's address is free again after await using, ${family}`, async () => {
    await using program = Program.deno("tests/fixtures/programs/listening.ts", [
      "restarts",
      family === "AF_UNIX" ? newSocketPath() : "",
    ]);
    const output = await program.end();
    assert.deepEqual([output.stderr, output.lines], ["", ["30"]]);
  });
}

// --- accept() ----------------------------------------------------------------------------------------------------

Deno.test("Listener.accept() gives up after its timeout or when its signal is aborted, and loses nobody", async () => {
  using listener = new Listener();
  const waited = await timed(() => listener.accept({ timeout: 50 }));
  assert.ok(waited.error instanceof TimeoutError);
  assert.ok(waited.ms >= 50 - CLOCK_SLACK_MS);
  await assert.rejects(listener.accept({ block: false }), TimeoutError);
  await assert.rejects(listener.accept({ timeout: -1 }), ValueError);
  const aborted = new AbortController();
  const accepting = listener.accept({ signal: aborted.signal });
  assert.equal(await isPending(accepting), true);
  aborted.abort(new Error("enough"));
  await assert.rejects(accepting, /enough/);
  await assert.rejects(listener.accept({ signal: aborted.signal }), /enough/);
  using client = await Client<string>(listener.address);
  await client.send("still there");
  using server = await listener.accept({ timeout: 5_000 });
  assert.equal(await server.recv(), "still there");
});

Deno.test("Listener.accept() serves those who wait in the order they came", async () => {
  using listener = new Listener();
  const accepting = [listener.accept<number>(), listener.accept<number>(), listener.accept<number>()];
  for (const [i, accepted] of accepting.entries()) {
    using client = await Client(listener.address);
    await client.send(i);
    using server = await accepted;
    assert.equal(await server.recv(), i);
  }
});

Deno.test("Listener.close() settles every accept, and cuts off who was not accepted", async () => {
  const listener = new Listener();
  const accepting = [listener.accept(), listener.accept()];
  assert.equal(await isPending(Promise.race(accepting)), true);
  listener.close();
  for (const accepted of accepting) {
    await assert.rejects(accepted, (error: Error) => {
      assert.ok(error instanceof OSError);
      assert.match(error.message, /^Listener is closed/);
      return true;
    });
  }
  const second = new Listener();
  using client = await Client(second.address);
  using silent = await Raw.to(second.address);
  await silent.read();
  second.close();
  await assert.rejects(client.recv(), EOFError);
  assert.deepEqual(await silent.rest(), []);
});

Deno.test("Listener holds as many clients as its backlog, and takes more as they are accepted", async () => {
  using listener = new Listener({ address: {}, backlog: 2 });
  const clients = Array.from({ length: 6 }, () => Client<number>(listener.address));
  const accepted = [];
  for (let i = 0; i < 6; i++) accepted.push(await listener.accept());
  for (const client of await Promise.all(clients)) client.close();
  for (const server of accepted) {
    await assert.rejects(server.recv(), EOFError);
    server.close();
  }
});

// --- keys: OtherTest ---------------------------------------------------------------------------------------------

Deno.test("Client is refused with another key, and accept() never sees it", async () => {
  using listener = new Listener({ authkey: KEY });
  const accepting = listener.accept();
  for (const authkey of [bytes("wrong"), bytes("a key between friendS"), KEY.subarray(1)]) {
    await assert.rejects(Client(listener.address, { authkey }), (error: Error) => {
      assert.ok(error instanceof AuthenticationError);
      assert.match(error.message, /^digest sent was rejected/);
      return true;
    });
  }
  await assert.rejects(Client(listener.address), /asks for a key/);
  assert.equal(await isPending(accepting), true);
  using client = await Client(listener.address, { authkey: KEY });
  using server = await accepting;
  await client.send("in");
  assert.equal(await server.recv(), "in");
});

Deno.test("Client with a key refuses a listener without", async () => {
  using listener = new Listener();
  await assert.rejects(Client(listener.address, { authkey: KEY }), (error: Error) => {
    assert.ok(error instanceof AuthenticationError);
    assert.match(error.message, /has no key/);
    return true;
  });
  using client = await Client(listener.address);
  using server = await listener.accept();
  await server.send(1);
  assert.equal(await client.recv(), 1);
});

// test_answer_challenge_auth_failure, test_deliver_challenge_auth_failure
Deno.test("Client refuses a server that greets wrongly, proves wrongly, or hangs up", async () => {
  const hello = joined(GREETING, new Uint8Array([1]), crypto.getRandomValues(new Uint8Array(32)));
  const servers: [string, (raw: Raw) => Promise<void>, new (...args: never[]) => Error][] = [
    ["something bogus", (raw) => raw.frame(bytes("something bogus")), OSError],
    ["a frame too long", (raw) => raw.frame(new Uint8Array(257)), OSError],
    ["no frame", (raw) => raw.write(bytes("HTTP/1.1 400 Bad Request\r\n\r\n")), OSError],
    ["nothing", (raw) => raw.closeWrite(), EOFError],
    ["a greeting cut short", async (raw) => {
      await raw.write(new Uint8Array([0, 0, 0, 57, ...hello.subarray(0, 20)]));
      await raw.closeWrite();
    }, OSError],
    ["a wrong proof", async (raw) => {
      await raw.frame(hello);
      await raw.read();
      await raw.frame(new Uint8Array(32));
    }, AuthenticationError],
    ["something bogus for a proof", async (raw) => {
      await raw.frame(hello);
      await raw.read();
      await raw.frame(bytes("something bogus"));
    }, AuthenticationError],
    ["the client's own proof", async (raw) => {
      await raw.frame(hello);
      await raw.frame((await raw.read())!.slice(NONCE_AT + 32));
    }, AuthenticationError],
    ["hanging up instead of a proof", async (raw) => {
      await raw.frame(hello);
      await raw.read();
      await raw.closeWrite();
    }, EOFError],
  ];
  for (const [what, serve, Class] of servers) {
    const error = await rawServer(
      serve,
      (address) => Client(address, { authkey: KEY }).catch((error) => error),
    );
    assert.ok(error instanceof Class, `${what}: ${error}`);
  }
});

Deno.test("Client waits for a silent server no longer than it is told", async () => {
  using server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = { port: (server.addr as Deno.NetAddr).port };
  const waited = await timed(() => Client(address, { timeout: 50 }));
  assert.ok(waited.error instanceof TimeoutError, String(waited.error));
  assert.ok(waited.ms >= 50 - CLOCK_SLACK_MS);
  const aborted = new AbortController();
  const connecting = Client(address, { signal: aborted.signal });
  assert.equal(await isPending(connecting), true);
  aborted.abort(new Error("enough"));
  await assert.rejects(connecting, /enough/);
  await assert.rejects(Client(address, { signal: aborted.signal }), /enough/);
});

Deno.test("Listener refuses a proof that was given before", async () => {
  const { answer } = await overheard();
  using listener = new Listener({ authkey: KEY });
  const accepting = listener.accept();
  using replayer = await Raw.to(listener.address);
  await replayer.read();
  await replayer.frame(answer);
  assert.deepEqual((await replayer.rest()).map((frame) => new TextDecoder().decode(frame)), ["#FAILURE#"]);

  // Its own random bytes, given back, prove nothing either.
  using mirror = await Raw.to(listener.address);
  await mirror.frame(joined((await mirror.read())!, answer.slice(-32)));
  assert.deepEqual((await mirror.rest()).map((frame) => new TextDecoder().decode(frame)), ["#FAILURE#"]);
  assert.equal(await isPending(accepting), true);
  using client = await Client(listener.address, { authkey: KEY });
  using server = await accepting;
  await client.send("good");
  assert.equal(await server.recv(), "good");
});

Deno.test("Client refuses a listener that repeats what another said", async () => {
  const { hello, proof } = await overheard();
  const error = await rawServer(async (raw) => {
    await raw.frame(hello);
    await raw.read();
    await raw.frame(proof);
  }, (address) => Client(address, { authkey: KEY }).catch((error) => error));
  assert.ok(error instanceof AuthenticationError);
  assert.match(error.message, /^digest received was wrong/);
});

Deno.test("Listener never sends its proof to who has not given one", async () => {
  using listener = new Listener({ authkey: KEY });
  for (
    const answer of [
      joined(GREETING, new Uint8Array([1]), new Uint8Array(32)),
      joined(GREETING, new Uint8Array([0]), new Uint8Array(32)),
      joined(GREETING, new Uint8Array([1]), new Uint8Array(64)),
      joined(GREETING, new Uint8Array([1]), new Uint8Array(65)),
      joined(GREETING, new Uint8Array([2]), new Uint8Array(64)),
      bytes("#FAILURE#"),
      new Uint8Array(0),
    ]
  ) {
    using raw = await Raw.to(listener.address);
    await raw.read();
    await raw.frame(answer);
    for (const frame of await raw.rest()) assert.equal(new TextDecoder().decode(frame), "#FAILURE#");
  }
});

// --- clients that are wrong, slow or silent ----------------------------------------------------------------------

Deno.test("Listener.accept() is held up by no number of silent clients", async () => {
  using listener = new Listener({ authkey: KEY });
  const silent: Raw[] = [];
  try {
    for (let i = 0; i < 150; i++) {
      silent.push(await Raw.to(listener.address));
      if (i % 50 !== 0) continue;
      const { value, ms } = await timed(async () => {
        using client = await Client(listener.address, { authkey: KEY });
        using server = await listener.accept();
        await client.send(i);
        return await server.recv();
      });
      assert.equal(value, i);
      assert.ok(ms < 2_000, `${ms} ms`);
    }
    // Of all who are silent at once, those that were longest are sent away.
    await silent[0]!.rest();
  } finally {
    for (const raw of silent) raw[Symbol.dispose]();
  }
});

Deno.test("Listener sends a slow client away after its handshakeTimeout", async () => {
  using listener = new Listener({ authkey: KEY, handshakeTimeout: 60 });
  using slow = await Raw.to(listener.address);
  await slow.read();
  await slow.write(new Uint8Array([0, 0, 0, 89, 64])); // and never the rest
  const { ms } = await timed(() => slow.rest());
  assert.ok(ms >= 30 && ms < 5_000, `${ms} ms`);
});

// In programs of their own, whose memory is theirs alone.
for (const key of ["", "a key"]) {
  Deno.test(`Listener refuses 1000 random byte strings, keeps its memory, and serves the next good client, ${key ? "with" : "without"} key`, async () => {
    await using program = Program.deno("tests/fixtures/programs/listening_to_junk.ts", ["random", key]);
    const output = await program.end();
    assert.equal(output.stderr, "");
    const [grownMiB, served] = output.lines;
    assert.equal(served, "good");
    assert.ok(Number(grownMiB) < 20, `${grownMiB} MiB more`);
  });
}

Deno.test("Connection over a socket takes memory for a message as it comes, not on its word", async () => {
  await using program = Program.deno("tests/fixtures/programs/listening_to_junk.ts", ["announced"]);
  const output = await program.end();
  assert.equal(output.stderr, "");
  assert.ok(Number(output.lines[0]) < 100, `${output.lines[0]} MiB more`); // 20 times 256 MiB are announced
});

Deno.test("Listener cuts off frames that are truncated or too long, and serves the next good client", async () => {
  const hello = joined(GREETING, new Uint8Array([1]), crypto.getRandomValues(new Uint8Array(64)));
  const frame = joined(new Uint8Array([0, 0, 0, hello.length]), hello);
  const junk: Record<string, Uint8Array> = {
    "nothing at all": new Uint8Array(0),
    "half a length": frame.subarray(0, 2),
    "a length alone": frame.subarray(0, 4),
    "half a greeting": frame.subarray(0, 20),
    "all but a byte": frame.subarray(0, -1),
    "a byte more than allowed": joined(new Uint8Array([0, 0, 1, 1]), new Uint8Array(257)),
    "4 GiB announced": joined(new Uint8Array([255, 255, 255, 255]), new Uint8Array(1_000)),
    "an empty frame": new Uint8Array(4),
    "another protocol": bytes("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
  };
  for (const authkey of [undefined, KEY]) {
    using listener = new Listener({ address: {}, authkey });
    const accepting = listener.accept<string>();
    for (const [what, data] of Object.entries(junk)) {
      using raw = await Raw.to(listener.address);
      await raw.read(); // its greeting
      await raw.write(data);
      await raw.closeWrite();
      const said = (await raw.rest()).map((frame) => new TextDecoder().decode(frame));
      assert.ok(said.every((frame) => frame === "#FAILURE#"), what);
      assert.equal(await isPending(accepting), true, what);
    }
    using client = await Client<string>(listener.address, { authkey });
    using server = await accepting;
    await client.send("good");
    assert.equal(await server.recv(), "good");
  }
});

// --- messages ----------------------------------------------------------------------------------------------------

Deno.test("Connection over a socket carries plain data of every kind", async () => {
  using both = await pair();
  const cycle: Record<string, unknown> = { name: "cycle" };
  cycle.self = cycle;
  const messages = [
    undefined,
    null,
    0,
    -0,
    NaN,
    2n ** 80n,
    "",
    "ünïcödé",
    [1, [2, [3]]],
    { a: { b: 1 } },
    new Map<unknown, unknown>([[1, new Set(["x"])]]),
    new Date(0),
    /x/gi,
    new Float64Array([0.5, 1.5]),
    new Uint8Array(0),
    new ValueError("an error"),
    cycle,
    "x".repeat(100_000),
  ];
  for (const message of messages) {
    await both.client.send(message);
    const back = await both.server.recv();
    assert.deepEqual(back, message);
    await both.server.send(back);
    assert.deepEqual(await both.client.recv(), message);
  }
  const error = new ValueError("kept");
  await both.client.send(error);
  assert.ok(await both.server.recv() instanceof ValueError);
});

Deno.test("Connection over a socket keeps messages apart and in order", async () => {
  using both = await pair<number[]>();
  const sent = Array.from({ length: 500 }, (_, i) => new Array(i % 60).fill(i));
  const sending = (async () => {
    for (const message of sent) await both.client.send(message);
    both.client.close();
  })();
  assert.deepEqual(await Array.fromAsync(both.server), sent);
  await sending;
});

Deno.test("Connection over a socket sends bytes, many at once, and large ones", async () => {
  using both = await pair();
  const large = crypto.getRandomValues(new Uint8Array(65_536));
  const huge = new Uint8Array(16 * 2 ** 20);
  for (let at = 0; at < huge.length; at += large.length) huge.set(large, at);
  const sending = Promise.all([
    both.client.sendBytes(huge),
    both.client.sendBytes(large),
    both.client.send("after"),
  ]);
  const received = await both.server.recvBytes();
  assert.ok(Buffer.from(received.buffer).equals(Buffer.from(huge.buffer)));
  const buffer = new Uint8Array(70_000);
  assert.equal(await both.server.recvBytesInto(buffer, 10), 65_536);
  assert.equal(await both.server.recv(), "after");
  await sending;
});

Deno.test("Connection over a socket: send waits while nobody receives", async () => {
  using both = await pair<Uint8Array>();
  const sending = both.client.send(new Uint8Array(64 * 2 ** 20));
  assert.equal(await isPending(sending), true);
  assert.equal((await both.server.recv()).length, 64 * 2 ** 20);
  await sending;
});

Deno.test("Connection over a socket: a send that waits ends when this end is closed", async () => {
  using both = await pair<Uint8Array>();
  const sending = both.client.send(new Uint8Array(16 * 2 ** 20));
  assert.equal(await isPending(sending), true);
  const next = both.client.send(new Uint8Array(1));
  const refused = [assert.rejects(sending, /handle is closed/), assert.rejects(next, /handle is closed/)];
  both.client.close();
  await Promise.all(refused);
  await assert.rejects(both.server.recv(), /got end of file during message/);
});

Deno.test("Connection.poll() over a socket", async () => {
  using both = await pair<string>();
  const { client, server } = both;
  assert.equal(await server.poll(), false);
  const waited = await timed(() => server.poll(50));
  assert.equal(waited.value, false);
  assert.ok(waited.ms >= 50 - CLOCK_SLACK_MS);
  await client.send("one");
  assert.equal(await server.poll(5_000), true);
  assert.equal(await server.poll(), true);
  await client.send("two");
  assert.equal(await server.recv(), "one");
  assert.equal(await server.poll(), true);
  assert.equal(await server.recv({ block: false }), "two");
  await assert.rejects(server.recv({ timeout: 10 }), TimeoutError);
  await assert.rejects(server.recv({ block: false }), TimeoutError);
  // _TestListenerClient.test_issue16955
  await client.send("three");
  client.close();
  assert.equal(await server.poll(5_000), true);
  assert.equal(await server.recv(), "three");
  assert.equal(await server.poll(5_000), true);
  await assert.rejects(server.recv(), EOFError);
});

Deno.test("Connection.recv() over a socket that gave up loses nothing", async () => {
  using both = await pair<number>();
  for (let i = 0; i < 50; i++) {
    const aborted = new AbortController();
    const receiving = both.server.recv({ signal: aborted.signal }).catch(() => undefined);
    const [sent] = [both.client.send(i), aborted.abort()];
    await sent;
    const got = await receiving ?? await both.server.recv({ timeout: 5_000 });
    assert.equal(got, i);
  }
  const [first, second] = [both.server.recv(), both.server.recv()];
  await both.client.send(1);
  await both.client.send(2);
  assert.deepEqual(await Promise.all([first, second]), [1, 2]);
});

Deno.test("wait() takes connections over sockets", async () => {
  using one = await pair<number>();
  using two = await pair<number>();
  const [pipe, other] = Pipe<number>();
  const all = [one.server, two.server, pipe];
  assert.deepEqual(await wait(all, { timeout: 10 }), []);
  const waiting = wait(all);
  await two.client.send(2);
  assert.deepEqual(await waiting, [two.server]);
  await other.send(3);
  one.client.close();
  assert.deepEqual(await wait([one.server]), [one.server]);
  assert.deepEqual(await wait(all), all);
  assert.equal(await two.server.recv(), 2);
  pipe.close();
  other.close();
});

Deno.test("Connection over a socket: both ends after a close", async () => {
  using both = await pair();
  const { client, server } = both;
  const receiving = server.recv();
  const mine = client.recv();
  client.close();
  client.close();
  await Promise.all([assert.rejects(receiving, EOFError), assert.rejects(mine, /handle is closed/)]);
  await assert.rejects(client.send(1), /handle is closed/);
  await assert.rejects(client.recv(), /handle is closed/);
  await assert.rejects(server.send(1), BrokenPipeError);
  assert.deepEqual([client.closed, server.closed, server.readable, server.writable], [
    true,
    false,
    true,
    true,
  ]);
  assert.throws(() => server.recvSync(), RuntimeError);
  assert.throws(() => server.sendSync(1), RuntimeError);
});

// --- what a socket does not carry --------------------------------------------------------------------------------

Deno.test("Connection over a socket refuses what belongs to one program", async () => {
  using both = await pair();
  const [left, right] = Pipe();
  const { port1, port2 } = new MessageChannel();
  const block = new SharedMemory({ create: true, size: 8 });
  const things: Record<string, unknown> = {
    lock: new Lock(),
    queue: new Queue(),
    pipe: left,
    socket: both.server,
    value: new Value("i"),
    block,
    memory: new SharedArrayBuffer(8),
    port: port1,
    named: ref(import.meta.url, "anything"),
    unnamed: () => 1,
  };
  for (const [name, thing] of Object.entries(things)) {
    await assert.rejects(both.client.send({ deep: [thing] }), (error: Error) => {
      assert.ok(error instanceof PicklingError, `${name}: ${error}`);
      assert.match(error.message, /^Cannot send obj\.deep\[0\] to the other end of the connection: /, name);
      return true;
    });
  }
  for (const name of ["lock", "queue", "pipe", "value", "block"]) {
    await assert.rejects(
      both.client.send(things[name]),
      /it is a handle, which only processes of one program/,
    );
  }
  await assert.rejects(both.client.send(things.named), /a socket does not carry code/);
  // Refusing them has not counted as handing them on.
  await right.send("whole");
  assert.equal(await left.recv(), "whole");
  await both.client.send("next");
  assert.equal(await both.server.recv(), "next");
  using queue = new Queue<unknown>();
  await queue.put(ref(import.meta.url, "anything")); // elsewhere functions go on travelling
  await queue.get();
  for (const thing of [left, right, port1, port2]) thing.close();
  block.unlink();
});

Deno.test("Connection over a socket runs no code on receipt, and takes no handles", async () => {
  using listener = new Listener();
  using raw = await rawClient(listener.address);
  using server = await listener.accept();
  const code = `data:text/javascript,export default globalThis.wasRun = true; export function then() {}`;
  const theirs = { peer: 0, export: () => 1 };
  const frames = [
    encode({ then: ref(code, "then") }, { wire: true }).bytes.slice(),
    encode(ref(code, "then"), { wire: true }).bytes.slice(),
    encode(new Lock(), { wire: true, context: theirs }).bytes.slice(),
    encode(new Queue(), { wire: true, context: theirs }).bytes.slice(),
    encode(new Lock()).bytes.slice(),
    encode(new SharedArrayBuffer(8)).bytes.slice(),
    // A Lock by its number at our end, at our hub, and among what came along.
    ...["yours", "hub", "here"].map((key) =>
      new Uint8Array([25, 4, ...bytes("Lock"), 14, key.length, ...bytes(key), 0x81, 0xff])
    ),
    bytes("no value at all"),
    new Uint8Array(0),
    new Uint8Array(300).fill(12),
  ];
  for (const [i, frame] of frames.entries()) {
    await raw.frame(frame);
    await assert.rejects(server.recv(), (error: Error) => {
      assert.ok(error instanceof PicklingError, `${i}: ${error}`);
      assert.match(error.message, /^Cannot receive the message: /);
      return true;
    });
  }
  assert.equal("wasRun" in globalThis, false);
  // Each was one message; the next is as good as ever.
  await raw.frame(encode("good", { wire: true }).bytes.slice());
  assert.equal(await server.recv(), "good");
});

Deno.test("Connection over a socket survives 2000 random messages", async () => {
  using listener = new Listener();
  using raw = await rawClient(listener.address);
  using server = await listener.accept();
  for (let i = 0; i < 2_000; i++) {
    await raw.frame(crypto.getRandomValues(new Uint8Array(Math.floor(Math.random() * 100))));
    await server.recv().catch((error) => assert.ok(error instanceof PicklingError, String(error)));
  }
  await raw.frame(encode("good", { wire: true }).bytes.slice());
  assert.equal(await server.recv(), "good");
});

Deno.test("Connection over a socket: a message that breaks off, or is too long, is an error at once", async () => {
  const cases: [string, Uint8Array, RegExp][] = [
    ["broken off", new Uint8Array([0, 0, 0, 9, 1, 2]), /got end of file during message/],
    ["half a length", new Uint8Array([0, 0]), /got end of file during message/],
    ["too long", new Uint8Array([255, 255, 255, 255, 1]), /at most 1000 are accepted/],
    ["a little too long", new Uint8Array([0, 0, 3, 233]), /Cannot receive a message of 1001 bytes/],
  ];
  for (const [what, junk, message] of cases) {
    using listener = new Listener({ maxlength: 1_000 });
    using raw = await rawClient(listener.address);
    using server = await listener.accept();
    const receiving = server.recv();
    await raw.write(junk);
    if (!what.includes("too long")) await raw.closeWrite();
    for (const attempt of [receiving, server.recv()]) {
      await assert.rejects(attempt, (error: Error) => {
        assert.ok(error instanceof OSError, `${what}: ${error}`);
        assert.match(error.message, message);
        return true;
      });
    }
    assert.equal(await server.poll(), true);
    await raw.rest(); // we were cut off
  }
});

Deno.test("Connection over a socket refuses to send more than maxlength", async () => {
  using both = await pair({ maxlength: 1_000 });
  await assert.rejects(both.client.send(new Uint8Array(1_001)), (error: Error) => {
    assert.ok(error instanceof PicklingError);
    assert.match(error.message, /'maxlength' is 1000/);
    return true;
  });
  await both.client.send(new Uint8Array(900));
  assert.equal((await both.server.recv() as Uint8Array).length, 900);
});

Deno.test("Connection over a socket: what is transferred is gone here", async () => {
  using both = await pair<ArrayBuffer>();
  const buffer = new ArrayBuffer(8);
  await both.client.send(buffer, { transfer: [buffer] });
  assert.equal(buffer.byteLength, 0);
  assert.equal((await both.server.recv()).byteLength, 8);
});

// --- the end of the program --------------------------------------------------------------------------------------

for (
  const [which, code, last] of [["idle", 0, ""], ["exit", 3, ""], ["accept", 0, "late"], [
    "recv",
    0,
    "late",
  ]] as const
) {
  Deno.test(`Listener and the end of the program: ${which}`, async () => {
    await using program = Program.deno("tests/fixtures/programs/listening.ts", [
      which,
      newSocketPath(),
    ]);
    const output = await program.end();
    assert.equal(output.stderr, "");
    assert.equal(output.code, code);
    assert.equal(output.lines[2] ?? "", last);
    for (const line of output.lines.slice(0, 2)) {
      await assert.rejects(Deno.stat(line), Deno.errors.NotFound); // neither socket is left
    }
    const directory = output.lines[0]!.replace(/\/[^/]*$/, "");
    await assert.rejects(Deno.stat(directory), Deno.errors.NotFound);
  });
}
