/** UDPServer: serves datagrams, one after the other. */

import type { Target } from "../process/target.ts";
import type { ServerOptions } from "./base_server.ts";
import { DatagramServer } from "./datagram_server.ts";
import type { HandlerClass, HostAndPort } from "./handlers.ts";

/**
 * A server for datagrams of UDP. It serves them in this process, one after the other; {@link ThreadingUDPServer} has
 * workers for that.
 *
 * - `request` in the handler is `[data, socket]`: what came, and a socket to answer with:
 *   `await socket.sendto(data, this.clientAddress)`. {@link DatagramRequestHandler} makes files of them.
 * - Datagrams that come faster than they are served are lost once 256 KiB of them wait.
 *
 * Python: {@link https://docs.python.org/3/library/socketserver.html#socketserver.UDPServer | socketserver.UDPServer}.
 *
 * @example Serve one datagram
 * ```ts
 * import { DatagramSocket } from "@multiprocessing/deno/socket";
 * import { UDPServer } from "@multiprocessing/deno/socketserver";
 * import { UpperDatagramHandler } from "examples/handlers.ts";
 * import assert from "node:assert/strict";
 *
 * await using server = new UDPServer(["127.0.0.1", 0], UpperDatagramHandler);
 * const handled = server.handleRequest();
 * using client = new DatagramSocket(["127.0.0.1", 0]);
 * await client.sendto("hello", server.serverAddress);
 * const [data] = await client.recvfrom(1024);
 * assert.equal(new TextDecoder().decode(data), "HELLO");
 * await handled;
 * ```
 */
export class UDPServer extends DatagramServer<HostAndPort> {
  /**
   * Makes a server and binds its address.
   *
   * @param serverAddress Where: host, `""` for every interface; and port, 0 for any that is free.
   * @param RequestHandlerClass The class whose instances serve the datagrams.
   * @param bindAndActivate Options; or `false`, to call `serverBind` and `serverActivate` later.
   * @throws {OSError} If the address cannot be had: `Address already in use`.
   * @throws {ValueError} If an option has an impossible value.
   */
  constructor(
    serverAddress: readonly [hostname: string, port: number],
    RequestHandlerClass: HandlerClass | Target,
    bindAndActivate: boolean | ServerOptions = true,
  ) {
    const [hostname, port] = serverAddress;
    super([hostname, port], RequestHandlerClass, bindAndActivate);
  }
}
