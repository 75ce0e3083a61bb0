/**
 * ThreadingTCPServer: real sockets, real workers.
 *
 * @module
 */
import { activeChildren, PicklingError, Queue, ValueError } from "@multiprocessing/deno";
import { createConnection, SHUT_WR, type Socket } from "@multiprocessing/deno/socket";
import {
  BaseRequestHandler,
  TCPServer,
  ThreadingMixIn,
  ThreadingTCPServer,
} from "@multiprocessing/deno/socketserver";
import assert from "node:assert/strict";
import { within } from "../support/gates.ts";
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

test("ServerOptions refuses impossible values", async () => {
  assert.throws(() => new Server(HERE, Echo, { maxWaiting: -1 }), ValueError);
  assert.throws(() => new Server(HERE, Echo, { overload: "drop" as never }), ValueError);
  await using server = new Server(HERE, Echo);
  await assert.rejects(server.shutdown({ deadline: -1 }), ValueError);
  assert.throws(() => new Server(HERE, Echo, { permissions: "none" }), ValueError);
  assert.throws(() => new Server(HERE, Echo, { maxWorkers: 0 }), ValueError);
  assert.throws(() => new Server(HERE, Echo, { warmWorkers: -1 }), ValueError);
  assert.throws(() => new Server(HERE, Echo, { idleTimeout: NaN }), ValueError);
});

test("a handler that spins is ended by kill(), and its core is free again", async () => {
  await using server = new Server(HERE, Actor, { warmWorkers: 0 });
  void server.serveForever();
  using client = await say(server.serverAddress, "spins");
  assert.match(text(await client.recv(100)), /^spinning/);
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

test("serverClose() with daemonThreads ends the handlers at once", async () => {
  const server = new Server(HERE, Actor);
  server.daemonThreads = true;
  void server.serveForever();
  using hanging = await say(server.serverAddress, "spins");
  assert.match(text(await hanging.recv(100)), /^spinning/);
  await server.shutdown();
  await server.serverClose();
  assert.deepEqual(activeChildren(), []);
});

for (const handoff of [true, false]) {
  test(`ThreadingTCPServer has its warmWorkers ready before anybody comes [handoff: ${handoff}]`, async () => {
    await using server = new Server(HERE, Actor, { handoff, warmWorkers: 3 });
    void server.serveForever();
    while (activeChildren().length < 3) await new Promise((resolve) => setTimeout(resolve, 10));
    const ready = activeChildren().map((child) => child.pid);
    // Whoever comes is served by one of them, while another one takes its place.
    const pid = await ask(server.serverAddress, "pid");
    assert.ok(ready.includes(Number(pid)), `${pid} of ${ready}`);
  });
}

test("shutdown() with a deadline may be called by a handler, which is cut off itself if it goes on", async () => {
  await using server = new Server(HERE, Actor);
  const serving = server.serveForever();
  using other = await say(server.serverAddress, "finishes");
  assert.equal(text(await other.recv(7)), "at work");
  using client = await say(server.serverAddress, "drains 300");
  assert.equal(await rest(client), "draining");
  await serving;
  assert.equal(await rest(other), "done");
  await server.failed(1);
  assert.equal(server.errors[0]!.error.name, "ProcessError");
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

test("serverClose() of a ThreadingTCPServer serves those who wait for a worker", async () => {
  for (const handoff of [true, false]) {
    await using server = new Server(HERE, Actor, { handoff, maxWorkers: 1 });
    using first = await say(server.serverAddress, "finishes");
    await server.handleRequest();
    assert.equal(text(await first.recv(7)), "at work");
    // They have said all they want before the server closes.
    const clients = await Promise.all(Array.from({ length: 3 }, () => say(server.serverAddress, "pid")));
    for (const _ of clients) await server.handleRequest();
    const closed = server.serverClose();
    assert.equal(await rest(first), "done");
    for (const client of clients) {
      using _ = client;
      assert.match(await rest(client), /^\d+$/);
    }
    await closed;
    assert.deepEqual(server.errors, []);
  }
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

for (
  const [flags, warning] of [
    [["-A"], /^$/],
    [
      ["--allow-net", "--allow-read"],
      /^Warning: handoff: true is not possible: it needs the permission ffi;/,
    ],
  ] as const
) {
  test(`ServerOptions.handoff with ${flags.join(" ")} serves, and says if it is not possible`, async () => {
    const file = new URL("./handoff.ts", import.meta.url).href;
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", ...flags, file],
    }).output();
    assert.deepEqual([code, text(stdout)], [0, "hello\n"]);
    if (Deno.build.os === "linux") assert.match(text(stderr), warning);
  });
}

test("500 connections at once are served by 16 workers", async () => {
  for (const handoff of [true, false]) {
    await using server = new Server(HERE, EchoSync, { handoff, maxWorkers: 16 });
    void server.serveForever();
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, i) => ask(server.serverAddress, `client ${i}`)),
    );
    assert.deepEqual(answers, Array.from({ length: 500 }, (_, i) => `client ${i}\n`));
    assert.deepEqual(server.errors, []);
    assert.ok(activeChildren().length <= 16, `${activeChildren().length} workers`);
  }
});

test("slow clients hold their own workers for idleTimeout and no longer", async () => {
  await using server = new Server(HERE, Upper, { maxWorkers: 4, idleTimeout: 300 });
  void server.serveForever();
  // Each has begun a line and never ends it.
  const slow = await Promise.all(Array.from({ length: 12 }, () => createConnection(server.serverAddress)));
  for (const socket of slow) await socket.sendall("GET / HT");
  assert.equal(await ask(server.serverAddress, "hello"), "HELLO\n");
  for (const socket of slow) socket.close();
});

test("ThreadingTCPServer.refuseRequest() can say why", async () => {
  class Polite extends Server {
    override async refuseRequest(request: Socket): Promise<void> {
      await request.sendall("busy");
      await this.shutdownRequest(request);
    }
  }
  await using server = new Polite(HERE, Actor, { maxWorkers: 1, maxWaiting: 0, overload: "refuse" });
  void server.serveForever();
  using first = await say(server.serverAddress, "echo");
  await first.sendall("x");
  await first.recv(1);
  using second = await createConnection(server.serverAddress);
  assert.equal(await rest(second), "busy");
});

test("handleError() of a ThreadingTCPServer can still answer the client", async () => {
  class Sorry extends ThreadingTCPServer {
    override async handleError(request: Socket): Promise<void> {
      await request.sendall("sorry");
    }
  }
  await using server = new Sorry(HERE, Actor);
  void server.serveForever();
  using client = await say(server.serverAddress, "throws");
  assert.equal(await rest(client), "beforesorry");
});

test("a handler that throws what cannot travel is reported all the same", async () => {
  await using server = new Server(HERE, Actor);
  void server.serveForever();
  await ask(server.serverAddress, "throwsFunction");
  await server.failed(1);
  assert.match(String(server.errors[0]!.error), /=> ?1/);
});

test("shutdown() of a TCPServer with a deadline closes the connection its loop is serving", async () => {
  await using server = new TCPServer(HERE, Echo);
  const serving = server.serveForever();
  using client = await createConnection(server.serverAddress);
  await client.sendall("x");
  await client.recv(1);
  await server.shutdown({ deadline: 20 });
  assert.equal((await client.recv(1)).length, 0);
  await serving;
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
