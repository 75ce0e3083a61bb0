/** DatagramRequestHandler: serves a datagram as a file to read, and answers with what was written. */

import { joinBytes } from "../base/reading.ts";
import type { DatagramSocket } from "../socket/datagram_socket.ts";
import { type Address, asBytes, type SameKind } from "../socket/endpoint.ts";
import { type FileSource, SocketFile } from "../socket/socket_file.ts";
import { BaseRequestHandler, type HostAndPort } from "./handlers.ts";

/** The request of a datagram server: what came, and the socket to answer with. */
export type DatagramRequest<A extends Address = HostAndPort> = [
  data: Uint8Array<ArrayBuffer>,
  socket: DatagramSocket<A>,
];

/**
 * A handler that reads its datagram as a file, and whose answer is what it has written, as one datagram. Something is
 * always answered, be it nothing.
 *
 * Python: {@link https://docs.python.org/3/library/socketserver.html#socketserver.DatagramRequestHandler | socketserver.DatagramRequestHandler}.
 *
 * @typeParam A The server's `args`.
 * @typeParam C What the address of a client is.
 *
 * @example Line by line
 * ```ts
 * import { DatagramRequestHandler } from "@multiprocessing/deno/socketserver";
 *
 * export class Numbered extends DatagramRequestHandler {
 *   override async handle() {
 *     let number = 0;
 *     for await (const line of this.rfile) {
 *       await this.wfile.write(`${++number} ${new TextDecoder().decode(line)}`);
 *     }
 *   }
 * }
 * ```
 */
export class DatagramRequestHandler<A extends unknown[] = unknown[], C extends Address = HostAndPort>
  extends BaseRequestHandler<A, DatagramRequest<C>, C> {
  /** What came. */
  packet!: Uint8Array<ArrayBuffer>;
  /** The socket to answer with. */
  socket!: DatagramSocket<C>;
  /** To read what came: `read`, `readline`, `readlines`, or line by line with `for await`. */
  rfile!: SocketFile;
  /** To write the answer: `write`. */
  wfile!: SocketFile;
  #answer!: Pages;

  /** Makes the two files. */
  override setup(): void | Promise<void> {
    [this.packet, this.socket] = this.request;
    this.#answer = new Pages();
    this.rfile = new SocketFile(new Pages(this.packet), -1, 0);
    this.wfile = new SocketFile(this.#answer, 0, 0);
  }

  /** Sends what was written. */
  override async finish(): Promise<void> {
    await this.socket.sendto(this.#answer.whole(), this.clientAddress as SameKind<C>);
  }
}

/** Bytes in memory, as what a file reads from and writes to. */
class Pages implements FileSource {
  #pages: Uint8Array<ArrayBuffer>[];

  constructor(...pages: Uint8Array<ArrayBuffer>[]) {
    this.#pages = pages;
  }

  whole(): Uint8Array<ArrayBuffer> {
    return joinBytes(this.#pages);
  }

  recv(): Promise<Uint8Array<ArrayBuffer>> {
    return Promise.resolve(this.recvSync());
  }

  recvSync(): Uint8Array<ArrayBuffer> {
    return this.#pages.shift() ?? new Uint8Array(0);
  }

  send(data: Uint8Array | string): Promise<number> {
    return Promise.resolve(this.sendSync(data));
  }

  sendSync(data: Uint8Array | string): number {
    const page = asBytes(data).slice();
    this.#pages.push(page);
    return page.length;
  }
}
