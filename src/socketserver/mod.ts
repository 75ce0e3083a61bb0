/**
 * Servers for the network, as in Python's `socketserver`.
 *
 * ```ts
 * import { createConnection } from "@multiprocessing/deno/socket";
 * import { ThreadingTCPServer } from "@multiprocessing/deno/socketserver";
 * import { EchoHandler } from "examples/handlers.ts";
 * import assert from "node:assert/strict";
 *
 * await using server = new ThreadingTCPServer(["127.0.0.1", 0], EchoHandler);
 * void server.serveForever();
 * using client = await createConnection(server.serverAddress);
 * await client.sendall("hello");
 * assert.equal(new TextDecoder().decode(await client.recv(1024)), "hello");
 * ```
 *
 * @module
 */

export { BaseServer, type ServeOptions, type ServerOptions } from "./base_server.ts";
export {
  BaseRequestHandler,
  type HandlerClass,
  type HandlerServer,
  StreamRequestHandler,
} from "./handlers.ts";
export { TCPServer } from "./tcp_server.ts";
export {
  type ServerClass,
  type Threading,
  ThreadingMixIn,
  ThreadingTCPServer,
  type WithThreading,
} from "./threading.ts";
