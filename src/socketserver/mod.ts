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

export type { TlsServerOptions } from "../platform/tls.ts";
export { BaseServer, type ServeOptions, type ServerOptions } from "./base_server.ts";
export { type DatagramRequest, DatagramRequestHandler } from "./datagram_handler.ts";
export { DatagramServer } from "./datagram_server.ts";
export {
  type Forking,
  ForkingMixIn,
  ForkingTCPServer,
  ForkingUDPServer,
  ForkingUnixDatagramServer,
  ForkingUnixStreamServer,
  type WithForking,
} from "./forking.ts";
export {
  BaseRequestHandler,
  type HandlerClass,
  type HandlerServer,
  type HostAndPort,
  type ShutdownOptions,
  StreamRequestHandler,
} from "./handlers.ts";
export { StreamServer } from "./stream_server.ts";
export { TCPServer } from "./tcp_server.ts";
export {
  type ServerClass,
  type Threading,
  ThreadingMixIn,
  ThreadingTCPServer,
  ThreadingTLSServer,
  ThreadingUDPServer,
  ThreadingUnixDatagramServer,
  ThreadingUnixStreamServer,
  type WithThreading,
} from "./threading.ts";
export { TLSServer, type TLSServerOptions } from "./tls_server.ts";
export { UDPServer } from "./udp_server.ts";
export { UnixDatagramServer } from "./unix_datagram_server.ts";
export { UnixStreamServer } from "./unix_stream_server.ts";
