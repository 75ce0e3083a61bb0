/**
 * Servers of datagrams, and their sockets.
 *
 * @module
 */
import { OSError, TimeoutError, ValueError } from "@multiprocessing/deno";
import { DatagramSocket } from "@multiprocessing/deno/socket";
import { ForkingUDPServer, ThreadingUDPServer, UDPServer } from "@multiprocessing/deno/socketserver";
import assert from "node:assert/strict";
import { isPending } from "../support/gates.ts";
import { Program } from "../support/program.ts";
import { Answering, Shouting, text } from "./fixtures.ts";
import { keepingErrors } from "./kinds.ts";
import { test } from "./support.ts";

const HERE: [string, number] = ["127.0.0.1", 0];

class Plain extends keepingErrors(UDPServer) {}
class Threading extends keepingErrors(ThreadingUDPServer) {}
class Forking extends keepingErrors(ForkingUDPServer) {}

/** Sends a question and gives the answer, which on this machine does not get lost. */
async function ask(client: DatagramSocket, question: string, address: [string, number]): Promise<string> {
  await client.sendto(question, address);
  const [answer, from] = await client.recvfrom(65536);
  assert.deepEqual(from, address);
  return text(answer);
}

// test_UDPServer, test_ThreadingUDPServer, test_ForkingUDPServer
for (const Server of [Plain, Threading, Forking]) {
  const { name } = Object.getPrototypeOf(Object.getPrototypeOf(Server)) as { name: string };

  test(`${name} answers with a DatagramRequestHandler`, async () => {
    await using server = new Server(HERE, Shouting);
    const serving = server.serveForever();
    using client = new DatagramSocket(HERE);
    for (const word of ["hello", "", "x".repeat(5000), "one\ntwo\n"]) {
      assert.equal(await ask(client, word, server.serverAddress), word.toUpperCase());
    }
    await server.shutdown();
    await serving;
    assert.deepEqual(server.errors, []);
  });

  test(`${name} gives a BaseRequestHandler the datagram and the socket`, async () => {
    await using server = new Server(HERE, Answering, { args: ["!"] });
    void server.serveForever();
    using client = new DatagramSocket(HERE);
    const [host, port] = server.serverAddress;
    const [, own] = client.getsockname();
    assert.equal(
      await ask(client, "hello", server.serverAddress),
      `${host}:${port} hears "hello" from ${own}!`,
    );
  });

  test(`${name} cuts off what is longer than maxPacketSize`, async () => {
    class Short extends Server {
      static override maxPacketSize = 10;
    }
    await using server = new Short(HERE, Shouting);
    void server.serveForever();
    using client = new DatagramSocket(HERE);
    assert.equal(await ask(client, "x".repeat(50), server.serverAddress), "X".repeat(10));
  });

  test(`${name} reports a handler that throws, and goes on`, async () => {
    await using server = new Server(HERE, Shouting);
    void server.serveForever();
    using client = new DatagramSocket(HERE);
    await client.sendto("throw", server.serverAddress);
    await server.failed(1);
    assert.equal(server.errors[0]!.error.message, "asked to");
    assert.deepEqual(server.errors[0]!.clientAddress, client.getsockname());
    // finish() is called after an error as well, and sends what was written: nothing. So it does in Python.
    assert.equal((await client.recvfrom(100))[0].length, 0);
    assert.equal(await ask(client, "hello", server.serverAddress), "HELLO");
  });

  test(`${name} serves many clients`, async () => {
    await using server = new Server(HERE, Shouting, { maxWorkers: 4 });
    void server.serveForever();
    const answers = await Promise.all(Array.from({ length: 20 }, async (_, i) => {
      using client = new DatagramSocket(HERE);
      return await ask(client, `client ${i}`, server.serverAddress);
    }));
    assert.deepEqual(answers, Array.from({ length: 20 }, (_, i) => `CLIENT ${i}`));
  });
}

test("UDPServer.handleRequest() serves one datagram, or gives up after timeout", async () => {
  let timeouts = 0;
  class Counting extends UDPServer {
    override handleTimeout(): void {
      timeouts++;
    }
  }
  await using server = new Counting(HERE, Shouting);
  server.timeout = 20;
  await server.handleRequest();
  assert.equal(timeouts, 1);
  server.timeout = null;
  using client = new DatagramSocket(HERE);
  const handled = server.handleRequest();
  assert.equal(await ask(client, "hello", server.serverAddress), "HELLO");
  await handled;
});

test("UDPServer calls its hooks in Python's order", async () => {
  const calls: string[] = [];
  class Noting extends UDPServer {
    override async getRequest(): ReturnType<UDPServer["getRequest"]> {
      const arrived = await super.getRequest();
      calls.push("getRequest");
      return arrived;
    }
    override verifyRequest(): boolean {
      calls.push("verifyRequest");
      return true;
    }
    override shutdownRequest(...args: Parameters<UDPServer["shutdownRequest"]>): void | Promise<void> {
      calls.push("shutdownRequest");
      return super.shutdownRequest(...args);
    }
    override closeRequest(): void {
      calls.push("closeRequest");
    }
  }
  await using server = new Noting(HERE, Shouting);
  using client = new DatagramSocket(HERE);
  const handled = server.handleRequest();
  await ask(client, "hello", server.serverAddress);
  await handled;
  assert.deepEqual(calls, ["getRequest", "verifyRequest", "shutdownRequest", "closeRequest"]);
});

test("UDPServer refuses an address in use", () => {
  const first = new UDPServer(HERE, Shouting);
  assert.throws(() => new UDPServer(first.serverAddress, Shouting), (error: Error & { code?: string }) => {
    assert.ok(error instanceof OSError);
    assert.equal(error.code, "EADDRINUSE");
    return true;
  });
  first.serverClose();
});

test("ForkingUDPServer gives its handlers the permissions of its options", async () => {
  await using server = new Forking(HERE, Answering, { args: ["?"], permissions: "none" });
  void server.serveForever();
  using client = new DatagramSocket(HERE);
  assert.match(await ask(client, "may I read?", server.serverAddress), /NotCapable/);
});

test("ForkingUDPServer refuses an idleTimeout", () => {
  assert.throws(() => new ForkingUDPServer(HERE, Shouting, { idleTimeout: 10 }), ValueError);
});

test("UnixDatagramServer names the permission it needs", async () => {
  const { stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-read", "--allow-write", new URL("./unix_datagrams.ts", import.meta.url).href],
  }).output();
  if (Deno.build.os === "linux") assert.match(text(stderr), /RuntimeError: Cannot bind .*--allow-ffi/);
});

// test_UnixDatagramServer, test_ThreadingUnixDatagramServer, test_ForkingUnixDatagramServer
if (Deno.build.os === "linux") {
  test("UnixDatagramServer, threading and forking", async () => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", new URL("./unix_datagrams.ts", import.meta.url).href],
    }).output();
    assert.equal(text(stderr), "");
    assert.deepEqual([code, text(stdout)], [
      0,
      "UnixDatagramServer HELLO\nThreadingUnixDatagramServer HELLO\nForkingUnixDatagramServer HELLO\n0 files left\n",
    ]);
  });

  test("DatagramSocket of a Unix path waits while its receiver keeps no more", async () => {
    const directory = Deno.makeTempDirSync({ prefix: "unix-datagrams-" });
    {
      using left = new DatagramSocket(`${directory}/left`);
      using right = new DatagramSocket(`${directory}/right`);
      const address = left.getsockname();
      const sending = (async () => {
        for (let i = 0; i < 100; i++) await right.sendto(`${i}`, address);
      })();
      assert.ok(await isPending(sending));
      for (let i = 0; i < 100; i++) {
        const [data, from] = await left.recvfrom(10);
        assert.deepEqual([text(data), from], [`${i}`, right.getsockname()]);
      }
      await sending;
      await assert.rejects(right.sendto("x", `${directory}/nobody`), OSError);
    }
    Deno.removeSync(directory); // empty: both sockets are gone
  });
}

test("DatagramSocket.recvfrom() keeps a program up that has nothing else to do", async () => {
  await using program = Program.deno("tests/fixtures/programs/receives.ts");
  const [, port] = await program.line(/^port (\d+)$/);
  using socket = new DatagramSocket(HERE);
  await socket.sendto("something", ["127.0.0.1", Number(port)]);
  assert.deepEqual((await program.end()).lines.slice(1), ["got something"]);
});

test("DatagramSocket.settimeout() ends a wait, and takes nothing", async () => {
  using left = new DatagramSocket(HERE);
  using right = new DatagramSocket(HERE);
  assert.equal(left.gettimeout(), null);
  left.settimeout(20);
  assert.equal(left.gettimeout(), 20);
  await assert.rejects(left.recvfrom(10), TimeoutError);
  await assert.rejects(left.recvfrom(10), TimeoutError);
  await right.sendto("late", left.getsockname());
  left.settimeout(null);
  const [data, from] = await left.recvfrom(2);
  assert.deepEqual([text(data), from], ["la", right.getsockname()]);
  assert.throws(() => left.settimeout(-1), ValueError);
});

test("DatagramSocket serves several recvfrom() in order, and refuses what makes no sense", async () => {
  using left = new DatagramSocket(HERE);
  using right = new DatagramSocket();
  const waiting = [left.recvfrom(9), left.recvfrom(9), left.recvfrom(9)];
  for (const word of ["one", "two", "three"]) await right.sendto(word, left.getsockname());
  assert.deepEqual((await Promise.all(waiting)).map(([data]) => text(data)), ["one", "two", "three"]);
  await assert.rejects(right.sendto(new Uint8Array(65508), left.getsockname()), { code: "EMSGSIZE" });
  assert.throws(() => left.recvfrom(-1), ValueError);
  await assert.rejects(left.sendto(1 as never, left.getsockname()), TypeError);
});

test("DatagramSocket.close() rejects what is pending, and every use afterwards", async () => {
  const socket = new DatagramSocket(HERE);
  const waiting = socket.recvfrom(1);
  const next = socket.recvfrom(1);
  socket.close();
  socket.close();
  assert.equal(socket.closed, true);
  await assert.rejects(waiting, OSError);
  await assert.rejects(next, OSError);
  await assert.rejects(socket.recvfrom(1), OSError);
  await assert.rejects(socket.sendto("x", HERE), OSError);
  assert.throws(() => socket.getsockname(), OSError);
});

test("DatagramSocket keeps no more than 256 KiB for somebody who does not receive", async () => {
  using left = new DatagramSocket(HERE);
  using right = new DatagramSocket(HERE);
  const [address, datagram] = [left.getsockname(), new Uint8Array(10_000)];
  for (let i = 0; i < 100; i++) await right.sendto(datagram, address);
  left.settimeout(100);
  let got = 0;
  await assert.rejects(async () => {
    for (;;) got += (await left.recvfrom(65536))[0].length;
  }, TimeoutError);
  assert.ok(got > 0 && got <= 512 * 1024, `${got} bytes were kept`);
});
