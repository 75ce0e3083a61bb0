/** DatagramServer: what the servers for UDP and for Unix datagrams have in common. */

import { OSError } from "../base/errors.ts";
import { bindDatagram, type DatagramPort } from "../platform/datagram.ts";
import type { Target } from "../process/target.ts";
import { DatagramSocket } from "../socket/datagram_socket.ts";
import type { Address } from "../socket/endpoint.ts";
import { familyOf, SOCK_DGRAM } from "../socket/family.ts";
import { arrive } from "../transport/arriving.ts";
import { optionsOf } from "./_options.ts";
import { BaseServer, type ServerOptions } from "./base_server.ts";
import type { DatagramRequest } from "./datagram_handler.ts";
import type { HandlerClass } from "./handlers.ts";

/**
 * What {@link UDPServer} and {@link UnixDatagramServer} have in common: a socket, whose datagrams are the requests.
 *
 * Python has no such class: there UnixDatagramServer is a UDPServer, whose constructor takes another address.
 *
 * @typeParam A What an address is.
 *
 * @example Whatever takes datagrams
 * ```ts
 * import { type DatagramServer, UDPServer } from "@multiprocessing/deno/socketserver";
 * import { UpperDatagramHandler } from "examples/handlers.ts";
 * import assert from "node:assert/strict";
 *
 * const port = (server: DatagramServer<[string, number]>) => server.serverAddress[1];
 * await using server = new UDPServer(["127.0.0.1", 0], UpperDatagramHandler);
 * assert.ok(port(server) > 0);
 * ```
 */
export class DatagramServer<A extends Address = Address> extends BaseServer<DatagramRequest<A>, A> {
  /** Whether an address may be bound again at once. It always may: datagrams leave nothing behind. */
  static allowReuseAddress: boolean = false;
  /** The most bytes of a datagram that are received; the rest of a longer one is lost. */
  static maxPacketSize: number = 8192;

  /** The type of its socket: {@link SOCK_DGRAM}. */
  readonly socketType: typeof SOCK_DGRAM = SOCK_DGRAM;

  #port: DatagramPort | undefined;
  #socket: DatagramSocket<A> | undefined;
  #up = false;

  /**
   * Makes a server and binds its address.
   *
   * @param serverAddress Where.
   * @param RequestHandlerClass The class whose instances serve the datagrams.
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
    this.serverBind();
    this.serverActivate();
  }

  /** What kind of address it has: {@link AF_INET}, {@link AF_INET6} or {@link AF_UNIX}. Follows from `serverAddress`. */
  get addressFamily(): number {
    return familyOf(this.serverAddress);
  }

  /** Binds the address; sets `serverAddress` to what the socket really has. */
  override serverBind(): void {
    this.#port = bindDatagram(this.serverAddress as Address);
    this.#socket = arrive<DatagramSocket<A>>(DatagramSocket, this.#port);
    this.serverAddress = this.#port.address as A;
  }

  /**
   * Closes the socket.
   *
   * @returns Settles when nothing in the system waits for it any more; of a `Threading…` server, when its datagrams are
   * served and its workers are gone, too.
   */
  override serverClose(): void | Promise<void> {
    const gone = this.#socket?.[Symbol.asyncDispose]();
    super.serverClose();
    return gone;
  }

  /**
   * Receives a datagram.
   *
   * @returns The datagram with the socket to answer it, and the address of the client.
   */
  override async getRequest(): Promise<[request: DatagramRequest<A>, clientAddress: A]> {
    if (this.#port === undefined) {
      throw new OSError("Cannot receive a datagram: the server is not bound; call serverBind()");
    }
    const { maxPacketSize } = this.constructor as typeof DatagramServer;
    const [data, from] = await this.#port.receive();
    const packet = data.length > maxPacketSize ? data.slice(0, maxPacketSize) : data;
    return [[packet, this.#socket!], from as A];
  }

  /** Whether the socket keeps the program up. */
  protected override stayUp(up: boolean): void {
    if (up === this.#up) return;
    this.#up = up;
    if (up) this.#port?.ref();
    else this.#port?.unref();
  }
}
