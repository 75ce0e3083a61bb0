/** TCPServer: serves TCP connections, one after the other. */

import type { Target } from "../process/target.ts";
import type { ServerOptions } from "./base_server.ts";
import type { HandlerClass, HostAndPort } from "./handlers.ts";
import { StreamServer } from "./stream_server.ts";

/**
 * A server for TCP connections. It serves them in this process, one after the other;
 * {@link ThreadingTCPServer} gives each a worker of its own.
 *
 * - The address is bound in the constructor; `serverAddress` then has the real port.
 * - Every connection has `TCP_NODELAY` set.
 *
 * Python: {@link https://docs.python.org/3/library/socketserver.html#socketserver.TCPServer | socketserver.TCPServer}.
 * Here `serverBind` also lets the socket listen, since Deno does both at once; the address can always be reused; and
 * `requestQueueSize` is 511, not 5, which loses connections under load.
 *
 * @example Serve one request
 * ```ts
 * import { createConnection } from "@multiprocessing/deno/socket";
 * import { TCPServer } from "@multiprocessing/deno/socketserver";
 * import { UpperHandler } from "examples/handlers.ts";
 * import assert from "node:assert/strict";
 *
 * await using server = new TCPServer(["127.0.0.1", 0], UpperHandler);
 * const handled = server.handleRequest();
 * using client = await createConnection(server.serverAddress);
 * await client.sendall("hello\n");
 * assert.equal(new TextDecoder().decode(await client.recv(1024)), "HELLO\n");
 * await handled;
 * ```
 */
export class TCPServer extends StreamServer<HostAndPort> {
  /**
   * Makes a server and binds its address.
   *
   * @param serverAddress Where to listen: host, `""` for every interface; and port, 0 for any that is free.
   * @param RequestHandlerClass The class whose instances serve the connections.
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
