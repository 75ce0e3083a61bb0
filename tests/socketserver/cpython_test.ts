/**
 * CPython's `test_socketserver.py` (3.11), test by test, under its names. What is said to the servers and expected of
 * them is the same, but where a comment names a difference.
 *
 * @module
 */
import { activeChildren, ProcessError, Queue } from "@multiprocessing/deno";
import {
  type Address,
  createConnection,
  DatagramSocket,
  type Socket,
  SocketFile,
} from "@multiprocessing/deno/socket";
import * as socketserver from "@multiprocessing/deno/socketserver";
import {
  type BaseRequestHandler,
  type HandlerClass,
  type ServerOptions,
  StreamRequestHandler,
  TCPServer,
} from "@multiprocessing/deno/socketserver";
import assert from "node:assert/strict";
import { hasPython, Program } from "../support/program.ts";
import { Bad, DatagramLine, Line, type Refused, text } from "./fixtures.ts";
import { keepingErrors, type Server } from "./kinds.ts";
import { test } from "./support.ts";

const HERE: [string, number] = ["127.0.0.1", 0];
const HELLO = "hello world\n";

type Constructor = new (address: never, Handler: HandlerClass, options?: ServerOptions) => Server;

/** Runs a test with a path in a directory of its own, which is empty afterwards. */
async function withPath(body: (path: string) => Promise<void>): Promise<void> {
  const directory = Deno.makeTempDirSync({ prefix: "unix-socket-" });
  try {
    await body(`${directory}/server`);
    assert.deepEqual([...Deno.readDirSync(directory)], []);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** Three clients, one after the other; then the server stops, is closed, and has left no child. */
async function runServer(
  Class: Constructor,
  Handler: HandlerClass,
  address: Address,
  examine: (address: Address) => Promise<void>,
): Promise<void> {
  const server = new Class(address as never, Handler);
  const serving = server.serveForever();
  for (let client = 0; client < 3; client++) await examine(server.serverAddress);
  await server.shutdown();
  await serving;
  await server.serverClose();
  assert.deepEqual(server.errors, []);
  if ("activeChildren" in server) assert.equal((server.activeChildren as Set<number>).size, 0);
  assert.deepEqual(activeChildren(), []);
}

async function streamExamine(address: Address): Promise<void> {
  using socket: Socket<Address> = await createConnection(address as string);
  await socket.sendall(HELLO);
  assert.equal(text(await socket.makefile("r").readline()), HELLO);
}

async function datagramExamine(address: Address): Promise<void> {
  using socket = new DatagramSocket(HERE);
  await socket.sendto(HELLO, address as [string, number]);
  assert.equal(text((await socket.recvfrom(100))[0]), HELLO);
}

const linux = Deno.build.os === "linux";
const kinds = {
  TCPServer: [true, Line, streamExamine],
  ThreadingTCPServer: [true, Line, streamExamine],
  ForkingTCPServer: [linux, Line, streamExamine],
  UnixStreamServer: [Deno.build.os !== "windows", Line, streamExamine],
  ThreadingUnixStreamServer: [Deno.build.os !== "windows", Line, streamExamine],
  ForkingUnixStreamServer: [linux, Line, streamExamine],
  UDPServer: [true, DatagramLine, datagramExamine],
  ThreadingUDPServer: [true, DatagramLine, datagramExamine],
  ForkingUDPServer: [true, DatagramLine, datagramExamine],
} as const;

for (const [name, [possible, Handler, examine]] of Object.entries(kinds)) {
  if (!possible) continue;
  test(`SocketServerTest.test_${name}`, async () => {
    const Class = keepingErrors(socketserver[name as "TCPServer"]) as unknown as Constructor;
    const run = (address: Address) => runServer(Class, Handler, address, examine);
    await (name.includes("Unix") ? withPath(run) : run(HERE));
  });
}

// In a program of their own: that the socket is closed settles after close(), which the leak checks do not await.
for (const name of linux ? ["", "Threading", "Forking"].map((kind) => `${kind}UnixDatagramServer`) : []) {
  test(`SocketServerTest.test_${name}`, async () => {
    await using program = Program.deno("tests/socketserver/unix_datagrams.ts", [name]);
    const { code, lines, stderr } = await program.end();
    assert.deepEqual([code, lines, stderr], [0, [`${name} HELLO`, "0 files left"], ""]);
  });
}

test("SocketServerTest.test_shutdown", async () => {
  const servers = Array.from({ length: 20 }, () => new TCPServer(HERE, StreamRequestHandler));
  const serving = [];
  for (const server of servers) {
    serving.push(server.serveForever());
    await server.shutdown();
  }
  await Promise.all(serving);
  for (const server of servers) server.serverClose();
});

test("SocketServerTest.test_close_immediately", async () => {
  class MyServer extends socketserver.ThreadingMixIn(TCPServer) {}
  await new MyServer(HERE, StreamRequestHandler).serverClose();
});

test("SocketServerTest.test_tcpserver_bind_leak", () => {
  for (let i = 0; i < 1024; i++) {
    assert.throws(() => new TCPServer(["127.0.0.1", -1], StreamRequestHandler), { name: "OSError" });
  }
});

test("SocketServerTest.test_context_manager", async () => {
  const server = new TCPServer(HERE, StreamRequestHandler);
  {
    await using _closed = server;
  }
  await assert.rejects(createConnection(server.serverAddress), { name: "OSError" });
});

/** Has one client served by a handler that throws or ends its process; gives what was called, and what was handled. */
async function handled(Base: typeof TCPServer, how: "throws" | "exits"): Promise<[string, unknown[]]> {
  using called = new Queue<string>();
  const done = Promise.withResolvers<void>();
  const errors: unknown[] = [];
  class ErrorTestServer extends Base {
    override handleError(_request: Socket, _clientAddress: [string, number], error: unknown): void {
      errors.push(error);
    }
    override async shutdownRequest(request: Socket): Promise<void> {
      await super.shutdownRequest(request);
      done.resolve();
    }
  }
  await using server = new ErrorTestServer(HERE, Bad, { args: [called, how] });
  (await createConnection(server.serverAddress)).close();
  await server.handleRequest();
  await done.promise;
  return [await called.get(), errors];
}

const elsewhere = {
  threading: socketserver.ThreadingTCPServer,
  ...(linux && { forking: socketserver.ForkingTCPServer }),
};

for (const [name, Base] of Object.entries({ sync: TCPServer, ...elsewhere })) {
  test(`ErrorHandlerTest.test_${name}_handled`, async () => {
    const [called, errors] = await handled(Base as unknown as typeof TCPServer, "throws");
    assert.equal(called, "Handler called");
    assert.deepEqual(errors.map((error) => (error as Refused).message), ["Test error"]);
  });
}

test("ErrorHandlerTest.test_sync_not_handled", async () => {
  await using program = Program.deno("tests/socketserver/exits.ts");
  const { code, lines, stderr } = await program.end();
  assert.deepEqual([code, lines, stderr], [3, [], ""]);
});

for (const [name, Base] of Object.entries(elsewhere)) {
  // In Python nobody is told. Here handleError() is: with how the worker ended, not with what it threw.
  test(`ErrorHandlerTest.test_${name}_not_handled`, async () => {
    const [called, errors] = await handled(Base as unknown as typeof TCPServer, "exits");
    assert.equal(called, "Handler called");
    const [error] = errors as [ProcessError & { exitcode: number }];
    assert.ok(error instanceof ProcessError, String(error));
    assert.equal(error.exitcode, 3);
    assert.equal(errors.length, 1);
  });
}

// There is no fileno(): that both are one connection is seen by what arrives.
test("SocketWriterTest.test_basics", async () => {
  let wfile: SocketFile | undefined;
  class Handler extends StreamRequestHandler {
    override async handle(): Promise<void> {
      wfile = this.wfile;
      await this.wfile.write("by wfile, ");
      await this.request.sendall("by request");
    }
  }
  await using server = new TCPServer(HERE, Handler);
  using client = await createConnection(server.serverAddress);
  await server.handleRequest();
  assert.ok(wfile instanceof SocketFile);
  assert.ok(wfile.closed);
  assert.equal(text(await client.makefile("r").read()), "by wfile, by request");
});

test("SocketWriterTest.test_write", async () => {
  const SOCK_MAX_SIZE = 16 * 1024 * 1024 + 1;
  const told: unknown[] = [];
  class Handler extends StreamRequestHandler {
    override async handle(): Promise<void> {
      told.push(await this.wfile.write("write data\n"));
      // Should be sent immediately, without requiring flush().
      told.push(text(await this.rfile.readline()));
      told.push(await this.wfile.write(new Uint8Array(SOCK_MAX_SIZE)));
    }
  }
  await using server = new TCPServer(HERE, Handler);
  const serving = server.handleRequest();
  using client = await createConnection(server.serverAddress);
  const reader = client.makefile("r");
  assert.equal(text(await reader.readline()), "write data\n");
  await client.sendall("client response\n");
  await reader.read(100);
  if (Deno.build.os !== "windows") {
    // The server is in the middle of its long write. A signal interrupts it, and takes nothing away.
    const interrupted = Promise.withResolvers<void>();
    Deno.addSignalListener("SIGUSR1", interrupted.resolve);
    Deno.kill(Deno.pid, "SIGUSR1");
    await interrupted.promise;
    Deno.removeSignalListener("SIGUSR1", interrupted.resolve);
  }
  assert.deepEqual(told, [11, "client response\n"]);
  assert.equal((await reader.read()).length, SOCK_MAX_SIZE - 100);
  await serving;
  assert.deepEqual(told, [11, "client response\n", SOCK_MAX_SIZE]);
});

// `__all__`, and the two classes that 3.12 has added.
test("MiscTestCase.test_all", () => {
  const all = [
    ...[
      "BaseServer",
      "TCPServer",
      "UDPServer",
      "ThreadingUDPServer",
      "ThreadingTCPServer",
      "BaseRequestHandler",
    ],
    ...["StreamRequestHandler", "DatagramRequestHandler", "ThreadingMixIn", "ForkingUDPServer"],
    ...["ForkingTCPServer", "ForkingMixIn", "UnixStreamServer", "UnixDatagramServer"],
    ...["ThreadingUnixStreamServer", "ThreadingUnixDatagramServer"],
    ...["ForkingUnixStreamServer", "ForkingUnixDatagramServer"],
  ];
  assert.deepEqual(all.filter((name) => !(name in socketserver)), []);
});

test("MiscTestCase.test_shutdown_request_called_if_verify_request_false", async () => {
  let shutdownCalled = 0;
  class MyServer extends TCPServer {
    override verifyRequest(): boolean {
      return false;
    }
    override shutdownRequest(request: Socket): void | Promise<void> {
      shutdownCalled++;
      return super.shutdownRequest(request);
    }
  }
  await using server = new MyServer(HERE, StreamRequestHandler);
  (await createConnection(server.serverAddress)).close();
  await server.handleRequest();
  assert.equal(shutdownCalled, 1);
});

test("MiscTestCase.test_threads_reaped", async () => {
  class MyServer extends socketserver.ThreadingMixIn(TCPServer) {}
  await using server = new MyServer(HERE, StreamRequestHandler);
  for (let n = 0; n < 10; n++) {
    using _client = await createConnection(server.serverAddress);
    await server.handleRequest();
  }
  assert.ok(activeChildren().length < 10, `${activeChildren().length} workers`);
});

if (await hasPython()) {
  test("every hook and attribute of CPython's classes is here under its camel-cased name", async () => {
    /** Deno shows no descriptors. Datagrams have no queue of connections, and Deno no SO_REUSEPORT for them. */
    const leftOut = (name: string) =>
      /UDP|Datagram/.test(name) ? ["fileno", "requestQueueSize", "allowReusePort"] : ["fileno"];
    const program = [
      "import json, socketserver as s",
      "classes = {name: getattr(s, name) for name in s.__all__}",
      "public = lambda c: [a for k in c.__mro__ if k is not object for a in vars(k) if not a.startswith('_')]",
      "print(json.dumps({name: public(c) for name, c in classes.items()}))",
    ].join("\n");
    const { stdout } = await new Deno.Command("python3", { args: ["-c", program] }).output();
    const names: Record<string, string[]> = JSON.parse(text(stdout));
    /** Attributes of instances, which Python's constructors and `setup` make. */
    const made: Record<string, string[]> = {
      BaseServer: ["server_address", "RequestHandlerClass"],
      BaseRequestHandler: ["request", "client_address", "server"],
      StreamRequestHandler: ["connection", "rfile", "wfile"],
      DatagramRequestHandler: ["packet", "socket", "rfile", "wfile"],
    };
    const missing: string[] = [];
    for (const [name, attributes] of Object.entries(names)) {
      const thing = name.startsWith("Threading") && name.endsWith("MixIn")
        ? socketserver.ThreadingMixIn(TCPServer)
        : name === "ForkingMixIn"
        ? socketserver.ForkingMixIn(TCPServer)
        : socketserver[name as keyof typeof socketserver];
      const Class = thing as new (...args: unknown[]) => object;
      const instance = await instanceOf(name, Class);
      for (const attribute of [...attributes, ...made[name] ?? []]) {
        const here = attribute.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
        if (leftOut(name).includes(here) || here in instance || here in Class) continue;
        missing.push(`${name}.${here}`);
      }
    }
    assert.deepEqual(missing, []);
  });
}

/** A server that is not bound, or a handler after its `setup`. */
async function instanceOf(name: string, Class: new (...args: unknown[]) => object): Promise<object> {
  if (!name.endsWith("Handler")) {
    const address = name.includes("Unix") ? "/nowhere" : HERE;
    return new Class(address, StreamRequestHandler, { bindAndActivate: false });
  }
  const [request] = name.startsWith("Datagram") ? [[new Uint8Array(0), {}]] : [{}];
  const handler = new Class(request, HERE, {}) as BaseRequestHandler;
  await handler.setup();
  return handler;
}
