/** Connections that are not a server's: as a client, and between two ends in one process. */

import { waitMs } from "../base/options.ts";
import { connectTcp } from "../platform/net.ts";
import { arrive } from "../transport/arriving.ts";
import { ConnEndpoint } from "./conn_endpoint.ts";
import { tooLate } from "./endpoint.ts";
import { RingEndpoint, RINGS_BYTES, ringsIn } from "./ring_endpoint.ts";
import { Socket } from "./socket.ts";

/** How to connect. */
export interface ConnectOptions {
  /** At most so many milliseconds, for connecting and then for each `recv` and `send`; for ever when left out. */
  timeout?: number | undefined;
  /** Ends the attempt: it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * Connects to a TCP server.
 *
 * Python: {@link https://docs.python.org/3/library/socket.html#socket.create_connection | socket.create_connection}.
 * Here `timeout` is in milliseconds.
 *
 * @param address Host and port.
 * @param options `timeout` and `signal`.
 * @returns The connected socket.
 * @throws {OSError} If nobody listens there.
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
export async function createConnection(
  address: readonly [hostname: string, port: number],
  options?: ConnectOptions,
): Promise<Socket> {
  const [hostname, port] = address;
  const ms = waitMs(options);
  options?.signal?.throwIfAborted();
  const abort = new AbortController();
  const forward = () => abort.abort(options!.signal!.reason);
  options?.signal?.addEventListener("abort", forward, { once: true });
  const late = () => abort.abort(tooLate(`connect to ${hostname}:${port}`, ms));
  const timer = ms < 2 ** 31 ? setTimeout(late, ms) : undefined;
  try {
    const conn = await connectTcp(hostname, port, abort.signal);
    const socket = arrive(Socket, new ConnEndpoint(conn));
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
 */
export function socketpair(): [Socket, Socket] {
  const memory = new SharedArrayBuffer(RINGS_BYTES);
  const end = (side: 0 | 1) =>
    arrive<Socket>(Socket, new RingEndpoint(ringsIn(memory, side), ["", 0], ["", 0], "whole"));
  return [end(0), end(1)];
}
