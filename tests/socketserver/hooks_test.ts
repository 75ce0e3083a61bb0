/**
 * Which hooks a server calls, in which order: beside CPython, which is asked at the same time.
 *
 * @module
 */
import { Queue } from "@multiprocessing/deno";
import { createConnection, IPPROTO_TCP, type Socket, TCP_NODELAY } from "@multiprocessing/deno/socket";
import { StreamRequestHandler, TCPServer, ThreadingTCPServer } from "@multiprocessing/deno/socketserver";
import assert from "node:assert/strict";
import { hasPython, Program } from "../support/program.ts";
import { rest, Telling } from "./fixtures.ts";
import { test } from "./support.ts";

const HERE: [string, number] = ["127.0.0.1", 0];
const HOOKS = [
  ...[
    "serverBind",
    "serverActivate",
    "getRequest",
    "verifyRequest",
    "processRequest",
    "processRequestThread",
  ],
  ...["finishRequest", "handleError", "shutdownRequest", "closeRequest", "handleTimeout", "serverClose"],
];

type Hook = (this: object, ...args: unknown[]) => unknown;

/** The hooks that are called when a request is served, when one fails, when one is refused, and when none comes. */
async function hooksOf(Base: typeof TCPServer): Promise<string[]> {
  using told = new Queue<string>();
  const calls: string[] = [];
  let accepts = true;
  class Noting extends Base {}
  const finishing = async (finished: unknown) => {
    try {
      await finished;
    } finally {
      for (let i = 0; i < 3; i++) calls.push(await told.get());
    }
  };
  /** Python's is called when there is a request; ours waits for one. */
  const arriving = async (arrived: unknown) => {
    const request = await arrived;
    calls.push("getRequest");
    return request;
  };
  for (const name of HOOKS) {
    const original = Reflect.get(Base.prototype, name) as Hook | undefined;
    if (original === undefined) continue;
    const hook: Hook = function (...args) {
      if (name === "getRequest") return arriving(original.apply(this, args));
      calls.push(name);
      if (name === "verifyRequest") return accepts;
      if (name === "handleError") return;
      const result = original.apply(this, args);
      return name === "finishRequest" ? finishing(result) : result;
    };
    Reflect.set(Noting.prototype, name, hook);
  }
  const server = new Noting(HERE, Telling, { args: [told] });
  for (const word of ["x", "!", "refused"]) {
    accepts = word !== "refused";
    using client = await createConnection(server.serverAddress);
    await client.sendall(word.slice(0, 1));
    await server.handleRequest();
    await rest(client).catch(() => {}); // until the server has closed it
  }
  server.timeout = 20;
  await server.handleRequest();
  await server.serverClose();
  return calls;
}

if (await hasPython()) {
  for (const Base of [TCPServer, ThreadingTCPServer]) {
    test(`${Base.name} calls the hooks that CPython's calls, in its order`, async () => {
      await using python = Program.python("tests/socketserver/hooks.py", [Base.name]);
      const { lines, stderr } = await python.end();
      assert.equal(stderr, "");
      const camel = lines.map((line) => line.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()));
      assert.deepEqual(await hooksOf(Base as typeof TCPServer), camel);
    });
  }
}

test("StreamRequestHandler sets up its connection by its class: timeout, Nagle's algorithm, both buffers", async () => {
  const options: unknown[] = [];
  const seen: unknown[] = [];
  class Picky extends StreamRequestHandler {
    static override timeout = 5_000;
    static override disableNagleAlgorithm = true;
    static override rbufsize = 0;
    static override wbufsize = 8;

    override async handle(): Promise<void> {
      seen.push(this.connection === this.request, this.connection.gettimeout());
      // Without a buffer nothing is read ahead: the rest of what came is there for recv().
      seen.push(new TextDecoder().decode(await this.rfile.readline()));
      seen.push(new TextDecoder().decode(await this.request.recv(100)));
      await this.wfile.write("12345678"); // fits
      await this.request.sendall("first ");
      await this.wfile.write("9"); // does not
      await this.request.sendall(" last");
    }
  }
  class Watching extends TCPServer {
    override async getRequest(): Promise<[Socket, [string, number]]> {
      const [request, address] = await super.getRequest();
      const { setsockopt } = request;
      request.setsockopt = (...args) => {
        options.push(args);
        setsockopt.apply(request, args);
      };
      return [request, address];
    }
  }
  await using server = new Watching(HERE, Picky);
  using client = await createConnection(server.serverAddress);
  await client.sendall("line\nrest");
  await server.handleRequest();
  assert.deepEqual(seen, [true, 5_000, "line\n", "rest"]);
  assert.deepEqual(options, [[IPPROTO_TCP, TCP_NODELAY, true]]);
  assert.equal(await rest(client), "first 123456789 last");
});
