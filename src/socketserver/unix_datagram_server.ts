/** UnixDatagramServer: serves datagrams of a Unix socket, one after the other. */

import type { Target } from "../process/target.ts";
import type { ServerOptions } from "./base_server.ts";
import { DatagramServer } from "./datagram_server.ts";
import type { HandlerClass } from "./handlers.ts";

/**
 * A server for datagrams of a Unix socket: for programs of the same machine. Deno has such sockets only when it is
 * started with `--unstable-net`.
 *
 * - It is a {@link UDPServer} whose addresses are paths. A client that wants an answer is bound to a path, too.
 * - The socket file is taken away when the server is closed.
 *
 * Python: {@link https://docs.python.org/3/library/socketserver.html#socketserver.UnixDatagramServer | socketserver.UnixDatagramServer},
 * which leaves the file behind.
 *
 * @example Needs a flag
 * ```ts
 * import { RuntimeError } from "@multiprocessing/deno";
 * import { UnixDatagramServer } from "@multiprocessing/deno/socketserver";
 * import { UpperDatagramHandler } from "examples/handlers.ts";
 * import assert from "node:assert/strict";
 *
 * if (!("listenDatagram" in Deno)) {
 *   assert.throws(() => new UnixDatagramServer("/tmp/example", UpperDatagramHandler), RuntimeError);
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
   * @throws {RuntimeError} If Deno was started without `--unstable-net`.
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
