/**
 * Sockets, as in Python's `socket`: what request handlers and clients use.
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

export type { TlsClientOptions } from "../platform/net.ts";
export { type ConnectOptions, createConnection, socketpair } from "./connect.ts";
export { IPPROTO_TCP, SHUT_RD, SHUT_RDWR, SHUT_WR, Socket, TCP_NODELAY } from "./socket.ts";
export { DatagramSocket } from "./datagram_socket.ts";
export { AF_INET, AF_INET6, AF_UNIX, SOCK_DGRAM, SOCK_STREAM } from "./family.ts";
export type { Address, SameKind } from "./endpoint.ts";
export { type FileSource, SocketFile } from "./socket_file.ts";
