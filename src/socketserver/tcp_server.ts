/** TCPServer: serves TCP connections, one after the other. */

import { OSError } from "../base/errors.ts";
import { hostAndPort, listenTcp, type NetListener } from "../platform/net.ts";
import type { Target } from "../process/target.ts";
import { ConnEndpoint } from "../socket/conn_endpoint.ts";
import { SHUT_WR, Socket } from "../socket/socket.ts";
import { arrive } from "../transport/arriving.ts";
import { BaseServer, type ServerOptions } from "./base_server.ts";
import type { HandlerClass } from "./handlers.ts";

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
export class TCPServer extends BaseServer<Socket, [hostname: string, port: number]> {
  /** Whether an address may be bound again at once. Deno always allows it. */
  static allowReuseAddress: boolean = true;
  /** How many connections the kernel holds that were not accepted yet. */
  static requestQueueSize: number = 511;

  #listener: NetListener | undefined;

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
    super([hostname, port], RequestHandlerClass, typeof bindAndActivate === "object" ? bindAndActivate : {});
    if (bindAndActivate === false) return;
    try {
      this.serverBind();
      this.serverActivate();
    } catch (error) {
      // Not that of a subclass, whose fields do not exist yet.
      TCPServer.prototype.serverClose.call(this);
      throw error;
    }
  }

  /** Binds the address and listens; sets `serverAddress` to what the socket really has. */
  override serverBind(): void {
    const { requestQueueSize } = this.constructor as typeof TCPServer;
    const [hostname, port] = this.serverAddress;
    this.#listener = listenTcp(hostname, port, requestQueueSize);
    this.serverAddress = hostAndPort(this.#listener.addr);
    this.#listener.unref(); // what keeps the program up is waiting for a request
  }

  /** Closes the listening socket. */
  override serverClose(): void | Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.close();
    return super.serverClose();
  }

  /**
   * Accepts a connection.
   *
   * @returns The connection and the address of the client.
   */
  override async getRequest(): Promise<[request: Socket, clientAddress: [hostname: string, port: number]]> {
    if (this.#listener === undefined) {
      throw new OSError("Cannot accept a connection: the server is not bound; call serverBind()");
    }
    const conn = await this.#listener.accept();
    try {
      conn.setNoDelay(true);
      const endpoint = new ConnEndpoint(conn);
      return [arrive(Socket, endpoint), endpoint.peer];
    } catch (error) {
      conn.close(); // reset before we came to it
      throw error;
    }
  }

  /**
   * Lets the client see the end of the stream, then closes the connection.
   *
   * @param request The connection.
   */
  override shutdownRequest(request: Socket): void | Promise<void> {
    return this.#shutdownRequest(request);
  }

  async #shutdownRequest(request: Socket): Promise<void> {
    try {
      await request.shutdown(SHUT_WR);
    } catch (error) {
      if (!(error instanceof OSError)) throw error; // the client has gone already
    }
    await this.closeRequest(request);
  }

  /**
   * Closes the connection.
   *
   * @param request The connection.
   */
  override closeRequest(request: Socket): void | Promise<void> {
    request.close();
  }

  /** Whether the listening socket keeps the program up. */
  protected override stayUp(up: boolean): void {
    if (up) this.#listener?.ref();
    else this.#listener?.unref();
  }
}
