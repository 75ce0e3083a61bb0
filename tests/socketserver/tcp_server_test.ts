/**
 * BaseServer and TCPServer, which serve in their own process. The names in comments are those of CPython's tests
 * (`test_socketserver.py`).
 *
 * @module
 */
import { OSError, RuntimeError } from "@multiprocessing/deno";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  createConnection,
  SOCK_DGRAM,
  SOCK_STREAM,
  type Socket,
} from "@multiprocessing/deno/socket";
import { BaseServer, TCPServer, UDPServer, UnixStreamServer } from "@multiprocessing/deno/socketserver";
import assert from "node:assert/strict";
import { isPending } from "../support/gates.ts";
import { ask, Echo, EchoSync, Recorder, Refused, rest, say, text, Upper } from "./fixtures.ts";
import { Server, test } from "./support.ts";

const HERE: [string, number] = ["127.0.0.1", 0];

/** Writes down which hooks are called. */
class Noting extends TCPServer {
  readonly calls: string[] = [];
  accepts = true;

  override async getRequest(): Promise<[Socket, [string, number]]> {
    const arrived = await super.getRequest();
    this.calls.push("getRequest");
    return arrived;
  }
  override verifyRequest(): boolean {
    this.calls.push("verifyRequest");
    return this.accepts;
  }
  override processRequest(request: Socket, clientAddress: [string, number]): Promise<void> {
    this.calls.push("processRequest");
    return super.processRequest(request, clientAddress);
  }
  override finishRequest(request: Socket, clientAddress: [string, number]): Promise<void> {
    this.calls.push("finishRequest");
    return super.finishRequest(request, clientAddress);
  }
  override shutdownRequest(request: Socket): void | Promise<void> {
    this.calls.push("shutdownRequest");
    return super.shutdownRequest(request);
  }
  override closeRequest(request: Socket): void | Promise<void> {
    this.calls.push("closeRequest");
    return super.closeRequest(request);
  }
  override handleError(_request: Socket, _clientAddress: [string, number], error: unknown): void {
    this.calls.push(`handleError ${(error as Error).message}`);
  }
  override handleTimeout(): void {
    this.calls.push("handleTimeout");
  }
  override serviceActions(): void {
    this.calls.push("serviceActions");
  }
}

// test_TCPServer
test("TCPServer serves one connection after the other", async () => {
  await using server = new TCPServer(HERE, Upper);
  const serving = server.serveForever();
  using first = await say(server.serverAddress, "one");
  assert.equal(text(await first.recv(10)), "ONE\n");
  const second = ask(server.serverAddress, "two");
  assert.ok(await isPending(second));
  first.close();
  assert.equal(await second, "TWO\n");
  await server.shutdown();
  await serving;
});

test("TCPServer calls its hooks in Python's order", async () => {
  await using server = new Noting(HERE, Recorder);
  Recorder.calls = [];
  const handled = server.handleRequest();
  assert.equal(await ask(server.serverAddress, "x"), "");
  await handled;
  assert.deepEqual(server.calls, [
    "getRequest",
    "verifyRequest",
    "processRequest",
    "finishRequest",
    "shutdownRequest",
    "closeRequest",
  ]);
  assert.deepEqual(Recorder.calls, ["setup", "handle", "finish"]);
});

// ErrorHandlerTest.test_sync_handled
test("TCPServer reports a handler that throws and goes on", async () => {
  await using server = new Noting(HERE, Recorder);
  Recorder.calls = [];
  const serving = server.serveForever({ pollInterval: 60_000 });
  await ask(server.serverAddress, "!");
  await ask(server.serverAddress, "x");
  await server.shutdown();
  await serving;
  assert.deepEqual(Recorder.calls, ["setup", "handle", "finish", "setup", "handle", "finish"]);
  assert.deepEqual(server.calls.filter((call) => !call.startsWith("getRequest")), [
    "verifyRequest",
    "processRequest",
    "finishRequest",
    "handleError I throw",
    "shutdownRequest",
    "closeRequest",
    "serviceActions",
    "verifyRequest",
    "processRequest",
    "finishRequest",
    "shutdownRequest",
    "closeRequest",
    "serviceActions",
  ]);
});

// ErrorHandlerTest.test_sync_not_handled
test("TCPServer.handleError() that throws ends serveForever() with its error", async () => {
  class Strict extends TCPServer {
    override handleError(_request: Socket, _clientAddress: [string, number], error: unknown): void {
      throw error;
    }
  }
  await using server = new Strict(HERE, Recorder);
  const serving = server.serveForever();
  serving.catch(() => {});
  await ask(server.serverAddress, "!");
  await assert.rejects(serving, Refused);
});

test("TCPServer.verifyRequest() that says no closes the connection", async () => {
  await using server = new Noting(HERE, Recorder);
  server.accepts = false;
  const handled = server.handleRequest();
  assert.equal(await ask(server.serverAddress, "x"), "");
  await handled;
  assert.deepEqual(server.calls, ["getRequest", "verifyRequest", "shutdownRequest", "closeRequest"]);
});

test("TCPServer.handleRequest() gives up after timeout", async () => {
  await using server = new Noting(HERE, Recorder);
  server.timeout = 20;
  await server.handleRequest();
  assert.deepEqual(server.calls, ["handleTimeout"]);
  server.timeout = null;
  const handled = server.handleRequest();
  await ask(server.serverAddress, "x");
  await handled;
  assert.equal(server.calls[1], "getRequest");
});

test("TCPServer.serveForever() stops when its signal is aborted", async () => {
  await using server = new TCPServer(HERE, Echo);
  const abort = new AbortController();
  const serving = server.serveForever({ signal: abort.signal });
  assert.equal(await ask(server.serverAddress, "hello"), "hello\n");
  abort.abort();
  await serving;
  await server.serveForever({ signal: abort.signal });
});

test("TCPServer.shutdown() before serveForever() lets that return at once", async () => {
  await using server = new TCPServer(HERE, Echo);
  await server.shutdown();
  await server.serveForever();
});

test("TCPServer.serveForever() can be called again after shutdown()", async () => {
  await using server = new TCPServer(HERE, Echo);
  for (let i = 0; i < 3; i++) {
    const serving = server.serveForever();
    assert.equal(await ask(server.serverAddress, `turn ${i}`), `turn ${i}\n`);
    await server.shutdown();
    await serving;
  }
});

test("TCPServer.shutdown() from a handler stops the loop after it", async () => {
  class Stopper extends Echo {
    override async handle(): Promise<void> {
      await this.server.shutdown();
      await super.handle();
    }
  }
  await using server = new TCPServer(HERE, Stopper);
  const serving = server.serveForever();
  assert.equal(await ask(server.serverAddress, "hello"), "hello\n");
  await serving;
});

test("TCPServer.serveForever() twice at a time is refused", async () => {
  await using server = new TCPServer(HERE, Echo);
  const serving = server.serveForever();
  await assert.rejects(server.serveForever(), RuntimeError);
  await server.shutdown();
  await serving;
});

// test_shutdown
test("20 servers stop at once", async () => {
  const servers = Array.from({ length: 20 }, () => new TCPServer(HERE, Echo));
  const serving = servers.map((server) => server.serveForever());
  await Promise.all(servers.map((server) => server.shutdown()));
  await Promise.all(serving);
  for (const server of servers) server.serverClose();
});

// test_close_immediately
test("TCPServer.serverClose() at once, and twice", async () => {
  const server = new TCPServer(HERE, Echo);
  server.serverClose();
  server.serverClose();
  await assert.rejects(server.serveForever(), OSError);
  await assert.rejects(server.handleRequest(), OSError);
});

test("TCPServer.serverClose() ends serveForever()", async () => {
  const server = new TCPServer(HERE, Echo);
  const serving = server.serveForever();
  server.serverClose();
  await serving;
});

// test_tcpserver_bind_leak
test("TCPServer refuses an address in use, and leaks nothing", () => {
  const first = new TCPServer(HERE, Echo);
  for (const Class of [TCPServer, Server]) {
    assert.throws(() => new Class(first.serverAddress, Echo), (error: Error & { code?: string }) => {
      assert.ok(error instanceof OSError);
      assert.match(
        error.message,
        new RegExp(`127\\.0\\.0\\.1:${first.serverAddress[1]}: Address already in use`),
      );
      assert.equal(error.code, "EADDRINUSE");
      return true;
    });
  }
  first.serverClose();
  assert.throws(() => new TCPServer(["127.0.0.1", 99999], Echo), OSError);
});

test("TCPServer with bindAndActivate: false is bound later", async () => {
  await using server = new TCPServer(HERE, Echo, false);
  assert.equal(server.serverAddress[1], 0);
  await assert.rejects(server.getRequest(), OSError);
  server.serverBind();
  server.serverActivate();
  assert.notEqual(server.serverAddress[1], 0);
  const handled = server.handleRequest();
  assert.equal(await ask(server.serverAddress, "hello"), "hello\n");
  await handled;
});

test("TCPServer.getRequest() that throws is tried again if the system was to blame, else ends the loop", async () => {
  class Unlucky extends TCPServer {
    readonly failures: Error[] = [new OSError("Connection aborted"), new RangeError("a mistake")];

    override getRequest(): ReturnType<TCPServer["getRequest"]> {
      const failure = this.failures.shift();
      return failure === undefined ? super.getRequest() : Promise.reject(failure);
    }
  }
  await using server = new Unlucky(HERE, Echo);
  await assert.rejects(server.serveForever(), RangeError);
  const handled = server.handleRequest();
  assert.equal(await ask(server.serverAddress, "hello"), "hello\n");
  await handled;
});

class Sharing extends Server {
  static override allowReusePort = true;
}

if (Deno.build.os === "linux") {
  test("ThreadingTCPServers with allowReusePort share a port", async () => {
    await using one = new Sharing(HERE, Echo);
    await using two = new Sharing(one.serverAddress, Echo);
    assert.deepEqual(two.serverAddress, one.serverAddress);
    assert.throws(() => new Server(one.serverAddress, Echo), { code: "EADDRINUSE" });
    await one.serverClose();
    void two.serveForever();
    assert.equal(await ask(two.serverAddress, "hello"), "hello\n");
  });
}

test("allowReusePort is refused where it cannot be", () => {
  assert.throws(() => new Sharing(HERE, Echo, { handoff: false }), RuntimeError);
  class Alone extends TCPServer {
    static override allowReusePort = true;
  }
  assert.throws(() => new Alone(HERE, Echo), RuntimeError);
});

test("addressFamily and socketType follow from the address", async () => {
  await using tcp = new TCPServer(HERE, Echo);
  await using six = new TCPServer(["::1", 0], Echo, false);
  await using unix = new UnixStreamServer("/nowhere", Echo, false);
  await using udp = new UDPServer(HERE, Echo);
  const families = [tcp, six, unix, udp].map((server) => server.addressFamily);
  assert.deepEqual(families, [AF_INET, AF_INET6, AF_UNIX, AF_INET]);
  const types = [tcp, six, unix, udp].map((server) => server.socketType);
  assert.deepEqual(types, [SOCK_STREAM, SOCK_STREAM, SOCK_STREAM, SOCK_DGRAM]);
});

test("TCPServer.serviceActions() is called while nothing comes", async () => {
  const called = Promise.withResolvers<void>();
  let calls = 0;
  class Busy extends TCPServer {
    override serviceActions(): void {
      if (++calls === 3) called.resolve();
    }
  }
  await using server = new Busy(HERE, Echo);
  const serving = server.serveForever({ pollInterval: 5 });
  await called.promise;
  await server.shutdown();
  await serving;
});

test("a handler of a TCPServer that blocks is told why it cannot", async () => {
  await using server = new Noting(HERE, EchoSync);
  const handled = server.handleRequest();
  assert.equal(await ask(server.serverAddress, "hello"), "");
  await handled;
  assert.match(server.calls.join(), /handleError Cannot call recvSync\(\) here: .*Threading/);
});

test("ServerOptions.args reach the handlers of a TCPServer", async () => {
  const args: unknown[] = [];
  class Taking extends Echo {
    override handle(): Promise<void> {
      args.push(...this.args);
      return Promise.resolve();
    }
  }
  await using server = new TCPServer(HERE, Taking, { args: [1, "two"] });
  const handled = server.handleRequest();
  await ask(server.serverAddress, "hello");
  await handled;
  assert.deepEqual(args, [1, "two"]);
});

test("BaseServer has no socket of its own", async () => {
  const server = new BaseServer(null, Echo);
  await assert.rejects(server.getRequest(), RuntimeError);
  await assert.rejects(server.handleRequest(), RuntimeError);
  await assert.rejects(server.serveForever(), RuntimeError);
  assert.throws(() => new BaseServer(null, undefined as never), TypeError);
});

test("a client that comes while nobody serves is closed by serverClose()", async () => {
  const server = new TCPServer(HERE, Echo);
  server.timeout = 1;
  await server.handleRequest();
  using client = await createConnection(server.serverAddress);
  server.serverClose();
  assert.ok(await rest(client).then((left) => left === "", (error) => error instanceof OSError));
});
