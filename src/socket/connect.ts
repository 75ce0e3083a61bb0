/** Connections that are not a server's: as a client, and between two ends in one process. */

import { waitMs } from "../base/options.ts";
import { connectNet, shownAddress, type TlsClientOptions } from "../platform/net.ts";
import { arrive } from "../transport/arriving.ts";
import { ConnEndpoint } from "./conn_endpoint.ts";
import { type Address, tooLate } from "./endpoint.ts";
import { RingEndpoint, RINGS_BYTES, ringsIn } from "./ring_endpoint.ts";
import { Socket } from "./socket.ts";

/** How {@link createConnection} connects. */
export interface ConnectOptions {
  /** At most so many milliseconds, for connecting and then for each `recv` and `send`; for ever when left out. */
  timeout?: number | undefined;
  /** Ends the attempt: it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** TCP: speak TLS; `{}` trusts what the system trusts. */
  tls?: TlsClientOptions | undefined;
}

/**
 * Connects to a server.
 *
 * Python: {@link https://docs.python.org/3/library/socket.html#socket.create_connection | socket.create_connection}.
 * Here `timeout` is in milliseconds, a path connects to a Unix socket, and `tls` does what wrapping the socket with
 * {@link https://docs.python.org/3/library/ssl.html#ssl.SSLContext.wrap_socket | ssl} does there.
 *
 * @param address Host and port, or the path of a Unix socket.
 * @param options `timeout`, `signal` and `tls`.
 * @returns The connected socket.
 * @throws {OSError} If nobody listens there, or the server is not who it should be.
 * @throws {TimeoutError} If it took longer than `timeout`. An aborted `signal` throws its own reason.
 *
 * @example Ask a server
 * ```ts
 * import { createConnection } from "@multiprocessing/deno/socket";
 * import { ThreadingTCPServer } from "@multiprocessing/deno/socketserver";
 * import { UpperHandler } from "examples/handlers.ts";
 * import assert from "node:assert/strict";
 *
 * await using server = new ThreadingTCPServer(["127.0.0.1", 0], UpperHandler);
 * const serving = server.serveForever();
 * {
 *   using client = await createConnection(server.serverAddress);
 *   await client.sendall("hello\n");
 *   assert.equal(new TextDecoder().decode(await client.recv(1024)), "HELLO\n");
 * }
 * await server.shutdown();
 * await serving;
 * ```
 */
export function createConnection(
  address: readonly [hostname: string, port: number],
  options?: ConnectOptions,
): Promise<Socket>;
/** Connects to a server that listens on a Unix socket. */
export function createConnection(address: string, options?: ConnectOptions): Promise<Socket<string>>;
export async function createConnection(
  address: Readonly<Address>,
  options?: ConnectOptions,
): Promise<Socket<Address>> {
  const ms = waitMs(options);
  options?.signal?.throwIfAborted();
  const abort = new AbortController();
  const forward = () => abort.abort(options!.signal!.reason);
  options?.signal?.addEventListener("abort", forward, { once: true });
  const late = () => abort.abort(tooLate(`connect to ${shownAddress(address)}`, ms));
  const timer = ms < 2 ** 31 ? setTimeout(late, ms) : undefined;
  try {
    const conn = await connectNet(address, options?.tls, abort.signal);
    const socket = arrive<Socket<Address>>(Socket, new ConnEndpoint(conn));
    if (options?.timeout !== undefined) socket.settimeout(options.timeout);
    return socket;
  } finally {
    clearTimeout(timer);
    options?.signal?.removeEventListener("abort", forward);
  }
}

/**
 * Makes two sockets that are connected to each other, in memory.
 *
 * Python: {@link https://docs.python.org/3/library/socket.html#socket.socketpair | socket.socketpair}.
 *
 * @returns Both ends.
 *
 * @example
 * ```ts
 * import { socketpair } from "@multiprocessing/deno/socket";
 * import assert from "node:assert/strict";
 *
 * const [left, right] = socketpair();
 * await left.sendall("hello");
 * assert.equal(new TextDecoder().decode(await right.recv(1024)), "hello");
 * right.sendallSync("and back");
 * assert.equal(new TextDecoder().decode(left.recvSync(1024)), "and back");
 * left.close();
 * right.close();
 * ```
 */
export function socketpair(): [Socket, Socket] {
  const memory = new SharedArrayBuffer(RINGS_BYTES);
  const end = (side: 0 | 1) =>
    arrive<Socket>(Socket, new RingEndpoint(ringsIn(memory, side), ["", 0], ["", 0], "whole"));
  return [end(0), end(1)];
}
