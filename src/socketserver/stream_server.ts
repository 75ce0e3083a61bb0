/** StreamServer: what the servers for TCP and for Unix sockets have in common. */

import { OSError } from "../base/errors.ts";
import type { KernelListener } from "../platform/kernel_listener.ts";
import type { Target } from "../process/target.ts";
import type { Address } from "../socket/endpoint.ts";
import { familyOf, SOCK_STREAM } from "../socket/family.ts";
import { SHUT_WR, Socket } from "../socket/socket.ts";
import { arrive } from "../transport/arriving.ts";
import { type Acceptor, listen, type Movability } from "./_acceptor.ts";
import { optionsOf } from "./_options.ts";
import { BaseServer, type ServerOptions } from "./base_server.ts";
import type { HandlerClass } from "./handlers.ts";

/**
 * What {@link TCPServer} and {@link UnixStreamServer} have in common: a listening socket, whose connections are the
 * requests.
 *
 * Python has no such class: there UnixStreamServer is a TCPServer, whose constructor takes another address.
 *
 * @typeParam A What an address is.
 *
 * @example Whatever listens
 * ```ts
 * import { type StreamServer, TCPServer } from "@multiprocessing/deno/socketserver";
 * import { EchoHandler } from "examples/handlers.ts";
 * import assert from "node:assert/strict";
 *
 * const port = (server: StreamServer<[string, number]>) => server.serverAddress[1];
 * await using server = new TCPServer(["127.0.0.1", 0], EchoHandler);
 * assert.ok(port(server) > 0);
 * ```
 */
export class StreamServer<A extends Address = Address> extends BaseServer<Socket<A>, A> {
  /** Whether an address may be bound again at once. Deno always allows it. */
  static allowReuseAddress: boolean = true;
  /**
   * Whether several servers, also of several programs, may listen on one port, if all of them say so: the kernel then
   * shares the connections out among them. Of `Threading…` and `Forking…` servers of TCP on Linux, with the permission
   * `ffi`; elsewhere a server that says so is a {@link RuntimeError}.
   */
  static allowReusePort: boolean = false;
  /** How many connections the kernel holds that were not accepted yet. */
  static requestQueueSize: number = 511;

  /** The type of its socket: {@link SOCK_STREAM}. */
  readonly socketType: typeof SOCK_STREAM = SOCK_STREAM;

  #acceptor: Acceptor | undefined;

  /**
   * Makes a server and binds its address.
   *
   * @param serverAddress Where to listen.
   * @param RequestHandlerClass The class whose instances serve the connections.
   * @param bindAndActivate Options; or `false`, to call `serverBind` and `serverActivate` later.
   * @throws {OSError} If the address cannot be had.
   * @throws {ValueError} If an option has an impossible value.
   */
  constructor(
    serverAddress: A,
    RequestHandlerClass: HandlerClass | Target,
    bindAndActivate: boolean | ServerOptions = true,
  ) {
    super(serverAddress, RequestHandlerClass, optionsOf(bindAndActivate));
    if (this.options.bindAndActivate === false) return;
    try {
      this.serverBind();
      this.serverActivate();
    } catch (error) {
      // Not that of a subclass, whose fields do not exist yet.
      StreamServer.prototype.serverClose.call(this);
      throw error;
    }
  }

  /** What kind of address it has: {@link AF_INET}, {@link AF_INET6} or {@link AF_UNIX}. Follows from `serverAddress`. */
  get addressFamily(): number {
    return familyOf(this.serverAddress);
  }

  /** Binds the address and listens; sets `serverAddress` to what the socket really has. */
  override serverBind(): void {
    const { requestQueueSize, allowReusePort } = this.constructor as typeof StreamServer;
    this.#acceptor = listen(this.serverAddress, requestQueueSize, this.moves, this.tls, allowReusePort);
    this.serverAddress = this.#acceptor.address as A;
  }

  /**
   * Closes the listening socket.
   *
   * @returns Settles when nothing of it is left.
   */
  override serverClose(): void | Promise<void> {
    super.serverClose(); // first, since it ends the use of the socket
    const acceptor = this.#acceptor;
    this.#acceptor = undefined;
    return acceptor?.close();
  }

  /**
   * Accepts a connection.
   *
   * @returns The connection and the address of the client.
   */
  override async getRequest(): Promise<[request: Socket<A>, clientAddress: A]> {
    if (this.#acceptor === undefined) {
      throw new OSError("Cannot accept a connection: the server is not bound; call serverBind()");
    }
    const endpoint = await this.#acceptor.accept();
    return [arrive<Socket<A>>(Socket, endpoint), endpoint.peer as A];
  }

  /**
   * Lets the client see the end of the stream, then closes the connection.
   *
   * @param request The connection.
   */
  override shutdownRequest(request: Socket<A>): void | Promise<void> {
    return this.#shutdownRequest(request);
  }

  async #shutdownRequest(request: Socket<A>): Promise<void> {
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
  override closeRequest(request: Socket<A>): void | Promise<void> {
    request.close();
  }

  /**
   * Whether connections move to whoever serves them.
   *
   * @internal
   */
  protected override get moves(): Movability {
    const { handoff } = this.options;
    switch (this.servedBy) {
      case "process":
        return "must";
      case "worker":
        return handoff === undefined ? "may" : handoff ? "should" : "no";
      default:
        return "no";
    }
  }

  /**
   * The listening socket, if its connections can be accepted elsewhere.
   *
   * @internal
   */
  protected override get shareable(): KernelListener | undefined {
    return this.#acceptor?.shareable;
  }

  /** Whether the listening socket keeps the program up. */
  protected override stayUp(up: boolean): void {
    if (up) this.#acceptor?.ref();
    else this.#acceptor?.unref();
  }
}
