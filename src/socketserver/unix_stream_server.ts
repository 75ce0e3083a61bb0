/** UnixStreamServer: serves connections of a Unix socket, one after the other. */

import type { Target } from "../process/target.ts";
import type { ServerOptions } from "./base_server.ts";
import type { HandlerClass } from "./handlers.ts";
import { StreamServer } from "./stream_server.ts";

/**
 * A server for connections of a Unix socket: for programs of the same machine. It serves them in this process, one
 * after the other; {@link ThreadingUnixStreamServer} gives each a worker of its own.
 *
 * - The address is a path; clients have mostly none, so that `clientAddress` is `""`.
 * - The socket file is taken away when the server is closed. One that was left behind by a program which was killed
 *   makes the address be in use; whoever knows that nobody uses it may remove it.
 *
 * Python: {@link https://docs.python.org/3/library/socketserver.html#socketserver.UnixStreamServer | socketserver.UnixStreamServer},
 * which leaves the file behind.
 *
 * @example Serve one request
 * ```ts
 * import { createConnection } from "@multiprocessing/deno/socket";
 * import { UnixStreamServer } from "@multiprocessing/deno/socketserver";
 * import { UpperHandler } from "examples/handlers.ts";
 * import assert from "node:assert/strict";
 *
 * const directory = Deno.makeTempDirSync();
 * {
 *   await using server = new UnixStreamServer(`${directory}/socket`, UpperHandler);
 *   const handled = server.handleRequest();
 *   using client = await createConnection(server.serverAddress);
 *   await client.sendall("hello\n");
 *   assert.equal(new TextDecoder().decode(await client.recv(1024)), "HELLO\n");
 *   await handled;
 * }
 * Deno.removeSync(directory); // empty: the socket is gone
 * ```
 */
export class UnixStreamServer extends StreamServer<string> {
  /**
   * Makes a server and binds its address.
   *
   * @param serverAddress The path of the socket.
   * @param RequestHandlerClass The class whose instances serve the connections.
   * @param bindAndActivate Options; or `false`, to call `serverBind` and `serverActivate` later.
   * @throws {OSError} If the address cannot be had: `Address already in use`.
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
