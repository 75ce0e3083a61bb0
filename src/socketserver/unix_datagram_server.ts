/** UnixDatagramServer: serves datagrams of a Unix socket, one after the other. */

import type { Target } from "../process/target.ts";
import type { ServerOptions } from "./base_server.ts";
import { DatagramServer } from "./datagram_server.ts";
import type { HandlerClass } from "./handlers.ts";

/**
 * A server for datagrams of a Unix socket: for programs of the same machine. On Linux, with the permission `ffi`, which
 * is part of `-A`.
 *
 * - It is a {@link UDPServer} whose addresses are paths. A client that wants an answer is bound to a path, too.
 * - The socket file is taken away when the server is closed.
 *
 * Python: {@link https://docs.python.org/3/library/socketserver.html#socketserver.UnixDatagramServer | socketserver.UnixDatagramServer},
 * which leaves the file behind.
 *
 * @example An answer in capitals
 * ```ts
 * import { DatagramSocket } from "@multiprocessing/deno/socket";
 * import { UnixDatagramServer } from "@multiprocessing/deno/socketserver";
 * import { UpperDatagramHandler } from "examples/handlers.ts";
 * import assert from "node:assert/strict";
 *
 * if (Deno.build.os === "linux") {
 *   const directory = Deno.makeTempDirSync();
 *   {
 *     await using server = new UnixDatagramServer(`${directory}/server`, UpperDatagramHandler);
 *     void server.serveForever();
 *     using client = new DatagramSocket(`${directory}/client`);
 *     await client.sendto("hello", server.serverAddress);
 *     const [data] = await client.recvfrom(1024);
 *     assert.equal(new TextDecoder().decode(data), "HELLO");
 *   }
 *   Deno.removeSync(directory); // empty: both sockets are gone
 * }
 * ```
 */
export class UnixDatagramServer extends DatagramServer<string> {
  /**
   * Makes a server and binds its address.
   *
   * @param serverAddress The path of the socket.
   * @param RequestHandlerClass The class whose instances serve the datagrams.
   * @param bindAndActivate Options; or `false`, to call `serverBind` and `serverActivate` later.
   * @throws {OSError} If the address cannot be had: `Address already in use`.
   * @throws {RuntimeError} If there are no such sockets here, or not without the permission `ffi`.
   * @throws {ValueError} If an option has an impossible value.
   */
  constructor(
    serverAddress: string,
    RequestHandlerClass: HandlerClass | Target,
    bindAndActivate: boolean | ServerOptions = true,
  ) {
    super(serverAddress, RequestHandlerClass, bindAndActivate);
  }
}
