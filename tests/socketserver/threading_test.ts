/**
 * ThreadingTCPServer: real sockets, real workers.
 *
 * @module
 */
import { activeChildren, PicklingError, ProcessError, Queue, ValueError } from "@multiprocessing/deno";
import { createConnection, SHUT_WR, type Socket } from "@multiprocessing/deno/socket";
import { BaseRequestHandler, TCPServer, ThreadingMixIn } from "@multiprocessing/deno/socketserver";
import assert from "node:assert/strict";
import { isPending, within } from "../support/gates.ts";
import { canLook, cpuMs } from "../support/leftovers.ts";
import { hasPython, Program } from "../support/program.ts";
import {
  Actor,
  ask,
  Echo,
  EchoSync,
  Gathering,
  Impatient,
  type Report,
  rest,
  say,
  text,
  Upper,
} from "./fixtures.ts";
import { Server, test } from "./support.ts";

const HERE: [string, number] = ["127.0.0.1", 0];
const python = await hasPython();

for (const Handler of [Echo, EchoSync]) {
  test(`ThreadingTCPServer serves ${Handler.name}`, async () => {
    await using server = new Server(HERE, Handler);
    const serving = server.serveForever();
    {
      using client = await createConnection(server.serverAddress);
      for (const word of ["hello", "a", "b".repeat(1000)]) {
        await client.sendall(word);
        assert.equal(text(await client.makefile("r").read(word.length)), word);
      }
      await client.shutdown(SHUT_WR);
      assert.equal((await client.recv(10)).length, 0);
    }
    await server.shutdown();
    await serving;
    assert.deepEqual(server.errors, []);
  });

  test(`ThreadingTCPServer carries 10 MB each way through ${Handler.name}`, async () => {
    await using server = new Server(HERE, Handler);
    void server.serveForever();
    using client = await createConnection(server.serverAddress);
    const data = new Uint8Array(10_000_000);
    for (let i = 0; i < data.length; i++) data[i] = i * 31 % 251;
    const sending = client.sendall(data).then(() => client.shutdown(SHUT_WR));
    const back = await client.makefile("r").read();
    await sending;
    assert.equal(back.length, data.length);
    assert.ok(back.every((byte, i) => byte === data[i]), "the bytes are the same, in order");
  });

  test(`ThreadingTCPServer serves 200 clients of ${Handler.name} at once`, async () => {
    await using server = new Server(HERE, Handler, { maxWorkers: 8 });
    void server.serveForever();
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => ask(server.serverAddress, `client ${i}`)),
    );
    assert.deepEqual(answers, Array.from({ length: 200 }, (_, i) => `client ${i}\n`));
    assert.deepEqual(server.errors, []);
    assert.ok(activeChildren().length <= 8, `${activeChildren().length} workers`);
  });
}

test("ThreadingTCPServer serves 1000 clients one after the other with few workers", async () => {
  await using server = new Server(HERE, Echo);
  void server.serveForever();
  for (let i = 0; i < 1000; i++) {
    assert.equal(await ask(server.serverAddress, `client ${i}`), `client ${i}\n`);
  }
  assert.deepEqual(server.errors, []);
  assert.ok(activeChildren().length <= 8, `${activeChildren().length} workers`);
});

test("ThreadingTCPServer gives a connection a worker to itself, and the next one the same worker", async () => {
  await using server = new Server(HERE, Actor, { warmWorkers: 0 });
  void server.serveForever();
  const first = await ask(server.serverAddress, "pid");
  assert.equal(await ask(server.serverAddress, "pid"), first);
  using busy = await say(server.serverAddress, "echo");
  await busy.sendall("x");
  await busy.recv(1);
  assert.notEqual(await ask(server.serverAddress, "pid"), first);
});

test("ServerOptions.recycle: false ends a worker after its connection", async () => {
  await using server = new Server(HERE, Actor, { recycle: false, warmWorkers: 0 });
  void server.serveForever();
  const pids = [await ask(server.serverAddress, "pid"), await ask(server.serverAddress, "pid")];
  assert.equal(new Set(pids).size, 2);
});

test("ServerOptions.maxWorkers lets further connections wait their turn", async () => {
  await using server = new Server(HERE, Actor, { maxWorkers: 1 });
  void server.serveForever();
  using first = await say(server.serverAddress, "echo");
  await first.sendall("x");
  await first.recv(1);
  const second = ask(server.serverAddress, "pid");
  assert.ok(await isPending(second));
  first.close();
  assert.match(await second, /^\d+$/);
});

test("ServerOptions.args reach the handler as the handles they are", async () => {
  using reports = new Queue<Report>();
  await using server = new Server(HERE, Actor, { args: [reports] });
  void server.serveForever();
  using client = await say(server.serverAddress, "halves");
  // Half closed by the handler: we see the end, and it still hears us.
  assert.equal(await rest(client), "half");
  await client.sendall("still here");
  await client.shutdown(SHUT_WR);
  assert.deepEqual(await reports.get(), ["received", "still here"]);
});

test("ServerOptions.args that cannot travel are refused with their path", async () => {
  await using server = new Server(HERE, Echo, { args: [() => 1] });
  void server.serveForever();
  assert.equal(await ask(server.serverAddress, "hello"), "");
  assert.ok(server.errors[0]!.error instanceof PicklingError, String(server.errors[0]!.error));
});

test("ServerOptions refuses impossible values", () => {
  assert.throws(() => new Server(HERE, Echo, { permissions: "none" }), ValueError);
  assert.throws(() => new Server(HERE, Echo, { maxWorkers: 0 }), ValueError);
  assert.throws(() => new Server(HERE, Echo, { warmWorkers: -1 }), ValueError);
  assert.throws(() => new Server(HERE, Echo, { idleTimeout: NaN }), ValueError);
});

test("a handler is told that the client has ended, and can answer", async () => {
  await using server = new Server(HERE, Actor);
  void server.serveForever();
  using client = await say(server.serverAddress, "counts");
  await client.sendall(new Uint8Array(300_000));
  await client.shutdown(SHUT_WR);
  assert.equal(await rest(client), "300000");
});

test("a handler that throws ends its own connection only, and handleError gets the error", async () => {
  await using server = new Server(HERE, Actor);
  void server.serveForever();
  using other = await say(server.serverAddress, "echo");
  using client = await say(server.serverAddress, "throws");
  const from = client.getsockname();
  assert.equal(await rest(client), "before");
  assert.equal(server.errors.length, 1);
  const { clientAddress, error } = server.errors[0]!;
  assert.deepEqual(clientAddress, from);
  assert.deepEqual([error.message, error.reason], ["I throw", "asked to"]);
  assert.match(error.stack!, /fixtures\.ts/);
  await other.sendall("x");
  assert.equal(text(await other.recv(1)), "x");
});

test("a handler that calls exit() ends its own connection only, and handleError is told how", async () => {
  await using server = new Server(HERE, Actor);
  void server.serveForever();
  assert.equal(await ask(server.serverAddress, "exits 3"), "before");
  await server.failed(1);
  const { error } = server.errors[0]!;
  assert.ok(error instanceof ProcessError, String(error));
  assert.match(error.message, /ended with exit code 3/);
  assert.equal(error.exitcode, 3);
  assert.match(await ask(server.serverAddress, "pid"), /^\d+$/);
});

test("a handler that spins is ended by kill(), and its core is free again", async () => {
  await using server = new Server(HERE, Actor, { warmWorkers: 0 });
  void server.serveForever();
  using client = await say(server.serverAddress, "spins");
  assert.equal(text(await client.recv(100)), "spinning");
  const [worker] = activeChildren();
  worker!.kill();
  assert.equal(await rest(client), "");
  await server.failed(1);
  assert.match(server.errors[0]!.error.message, /was ended by signal 9/);
  assert.match(await ask(server.serverAddress, "pid"), /^\d+$/);
  if (!canLook) return;
  const before = cpuMs();
  assert.match(await ask(server.serverAddress, "pid"), /^\d+$/);
  assert.ok(cpuMs() - before < 200);
});

test("a client that resets gives its handler an error, and disturbs nobody", async () => {
  using reports = new Queue<Report>();
  await using server = new Server(HERE, Actor, { args: [reports] });
  void server.serveForever();
  const client = await say(server.serverAddress, "isReset");
  await client.recv(1);
  client.close(); // with a byte unread, which makes it a reset
  const [event, received, sent] = await reports.get();
  assert.deepEqual([event, sent], ["reset", "BrokenPipeError"]);
  assert.ok(received === "OSError" || received === 0, String(received));
  assert.match(await ask(server.serverAddress, "pid"), /^\d+$/);
  assert.deepEqual(server.errors, []);
});

test("a client that never reads fills its own buffers and no memory, and disturbs nobody", async () => {
  using reports = new Queue<Report>();
  await using server = new Server(HERE, Actor, { args: [reports] });
  void server.serveForever();
  using _silent = await say(server.serverAddress, "blasts");
  const blasted = reports.get();
  assert.match(await ask(server.serverAddress, "pid"), /^\d+$/);
  const [event, sent, why] = await blasted;
  assert.deepEqual([event, why], ["blasted", "TimeoutError"]);
  assert.ok(sent as number < 32 * 1024 * 1024, `${sent} bytes were taken`);
});

test("a client that is slow to read gets everything after its handler is done, and the worker serves others", async () => {
  await using server = new Server(HERE, Actor, { maxWorkers: 1 });
  void server.serveForever();
  // More than the buffers of the kernel hold, so that the handler's last bytes stay in the ring.
  const count = 6_000_000;
  using slow = await say(server.serverAddress, `sends ${count}`);
  const reader = slow.makefile("r");
  let got = (await reader.read(5_000_000)).length;
  assert.match(await ask(server.serverAddress, "pid"), /^\d+$/);
  got += (await reader.read()).length;
  assert.equal(got, count);
});

test("a recv() that a handler leaves behind rejects, and takes nothing from the next connection", async () => {
  using reports = new Queue<Report>();
  await using server = new Server(HERE, Actor, { args: [reports], maxWorkers: 1 });
  void server.serveForever();
  using client = await say(server.serverAddress, "abandons");
  assert.equal(await rest(client), "left");
  assert.deepEqual(await reports.get(), ["abandoned", "OSError"]);
  client.close();
  for (let i = 0; i < 20; i++) assert.match(await ask(server.serverAddress, "pid"), /^\d+$/);
});

test("ServerOptions.idleTimeout closes a silent connection", async () => {
  await using server = new Server(HERE, Echo, { idleTimeout: 50 });
  void server.serveForever();
  using client = await createConnection(server.serverAddress);
  await client.sendall("x");
  assert.equal(text(await client.recv(1)), "x");
  assert.equal((await client.recv(1)).length, 0);
});

test("a handler class that no module exports is a PicklingError for each connection", async () => {
  class Local extends BaseRequestHandler {}
  await using server = new Server(HERE, Local);
  void server.serveForever();
  for (let i = 1; i <= 3; i++) {
    assert.equal(await ask(server.serverAddress, "hello"), "");
    await server.failed(i);
    const { error } = server.errors[i - 1]!;
    assert.ok(error instanceof PicklingError, String(error));
    assert.match(error.message, /Local.*export it/s);
  }
});

test("a StreamRequestHandler reads lines and writes at once", async () => {
  await using server = new Server(HERE, Upper);
  void server.serveForever();
  using client = await say(server.serverAddress, "hello");
  assert.equal(text(await client.recv(100)), "HELLO\n");
  await client.sendall("wor");
  await client.sendall("ld");
  await client.shutdown(SHUT_WR);
  assert.equal(await rest(client), "WORLD");
});

test("StreamRequestHandler.wbufsize gathers what is written until finish()", async () => {
  await using server = new Server(HERE, Gathering);
  void server.serveForever();
  using client = await createConnection(server.serverAddress);
  assert.equal(text(await client.recv(100)), "one two three");
});

test("StreamRequestHandler.timeout ends a wait", async () => {
  await using server = new Server(HERE, Impatient);
  void server.serveForever();
  using client = await createConnection(server.serverAddress);
  assert.equal(await rest(client), "");
  assert.equal(server.errors[0]!.error.name, "TimeoutError");
});

test("shutdown() from a handler stops the server, and the handler goes on", async () => {
  await using server = new Server(HERE, Actor);
  const serving = server.serveForever();
  const answer = ask(server.serverAddress, "stops");
  await serving;
  assert.equal(await answer, `stopping ${server.serverAddress[1]}`);
});

test("serverClose() leaves no worker, whatever they do", async () => {
  const server = new Server(HERE, Actor, { closeTimeout: 100 });
  const serving = server.serveForever();
  using idle = await say(server.serverAddress, "echo");
  using hanging = await say(server.serverAddress, "hangs");
  await idle.sendall("x");
  assert.equal(text(await idle.recv(1)), "x");
  assert.equal(text(await hanging.recv(7)), "hanging");
  await server.shutdown();
  await serving;
  await server.serverClose();
  assert.deepEqual(activeChildren(), []);
  assert.equal(await rest(idle), "");
  assert.equal(await rest(hanging), "");
  assert.deepEqual(server.errors.map(({ error }) => error.name), ["ProcessError"]);
});

test("serverClose() with daemonThreads ends the handlers at once", async () => {
  const server = new Server(HERE, Actor);
  server.daemonThreads = true;
  void server.serveForever();
  using hanging = await say(server.serverAddress, "spins");
  assert.equal(text(await hanging.recv(100)), "spinning");
  await server.shutdown();
  await server.serverClose();
  assert.deepEqual(activeChildren(), []);
});

test("ThreadingTCPServer leaves an unused worker no longer than it is kept warm", async () => {
  await using server = new Server(HERE, Actor, { warmWorkers: 0, workerIdleTimeout: 200 });
  void server.serveForever();
  await ask(server.serverAddress, "pid");
  const [worker] = activeChildren();
  await within(10_000, worker!.sentinel, "the end of the idle worker");
  assert.match(await ask(server.serverAddress, "pid"), /^\d+$/);
});

test("handleRequest() of a ThreadingTCPServer serves one connection", async () => {
  await using server = new Server(HERE, Echo);
  const handled = server.handleRequest();
  const answer = ask(server.serverAddress, "hello");
  await handled;
  assert.equal(await answer, "hello\n");
});

test("ThreadingMixIn makes a class of one's own", async () => {
  const order: string[] = [];
  class Mine extends ThreadingMixIn(TCPServer) {
    override verifyRequest(request: Socket, clientAddress: [string, number]): boolean | Promise<boolean> {
      order.push("verifyRequest");
      return super.verifyRequest(request, clientAddress);
    }
    override async finishRequest(request: Socket, clientAddress: [string, number]): Promise<void> {
      await super.finishRequest(request, clientAddress);
      order.push("finishRequest");
    }
    override shutdownRequest(request: Socket): void | Promise<void> {
      order.push("shutdownRequest");
      return super.shutdownRequest(request);
    }
    override closeRequest(request: Socket): void | Promise<void> {
      order.push("closeRequest");
      return super.closeRequest(request);
    }
  }
  await using server = new Mine(HERE, Echo);
  void server.serveForever();
  assert.equal(await ask(server.serverAddress, "hello"), "hello\n");
  assert.deepEqual(order, ["verifyRequest", "finishRequest", "shutdownRequest", "closeRequest"]);
});

test("ServerOptions.handoff says that it is not possible, and serves all the same", async () => {
  await using program = Program.deno("tests/socketserver/handoff.ts");
  const { code, lines, stderr } = await program.end();
  assert.deepEqual([code, lines[0]], [0, "hello"]);
  assert.match(stderr, /^Warning: handoff/);
});

Deno.test({
  name: "ThreadingTCPServer serves a client written in Python",
  ignore: !python,
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using server = new Server(HERE, Echo);
    void server.serveForever();
    await using client = Program.python("tests/socketserver/client.py", [String(server.serverAddress[1])]);
    const { code, lines, stderr } = await client.end();
    assert.deepEqual([code, stderr, lines.filter(Boolean)], [0, "", [
      "echoed 1000 messages",
      "end of stream",
    ]]);
  },
});
