/** What serves one request: the class a server makes an instance of for each. */

import { BrokenPipeError, OSError } from "../base/errors.ts";
import type { Address } from "../socket/endpoint.ts";
import { endpointOf, IPPROTO_TCP, Socket, TCP_NODELAY } from "../socket/socket.ts";
import { SocketFile } from "../socket/socket_file.ts";

/** Where a client of TCP or UDP is. */
export type HostAndPort = [hostname: string, port: number];

/** How {@link BaseServer.shutdown} stops a server. */
export interface ShutdownOptions {
  /**
   * Lets the handlers that are at work see the end of their input and waits for them, for so many milliseconds;
   * those that are not done by then are cut off. When left out, they just go on.
   */
  deadline?: number | undefined;
}

/** What a handler knows of its server. */
export interface HandlerServer {
  /** Where the server listens. */
  // deno-lint-ignore no-explicit-any -- each kind of server has addresses of its own
  readonly serverAddress: any;
  /** Stops the server; see {@link BaseServer.shutdown}. From a handler it does not wait. */
  shutdown(options?: ShutdownOptions): Promise<void>;
}

/**
 * The base of the classes that serve requests. A server makes an instance for each request and calls `setup`,
 * `handle` and, unless `setup` failed, `finish`; what they return is awaited.
 *
 * In a `Threading…` server that happens in a worker, which has the connection to itself: `handle` may block
 * (`recvSync`) or await, and what it throws is reported by the server's `handleError`. The class is exported, so
 * that the worker can import it.
 *
 * Python: {@link https://docs.python.org/3/library/socketserver.html#socketserver.BaseRequestHandler | socketserver.BaseRequestHandler}.
 * Here the constructor only takes its arguments: the server calls the three methods, since it has to await them.
 *
 * @typeParam A The server's `args`.
 * @typeParam R What a request is.
 * @typeParam C What the address of a client is.
 *
 * @example An echo
 * ```ts
 * import { BaseRequestHandler } from "@multiprocessing/deno/socketserver";
 *
 * export class Echo extends BaseRequestHandler {
 *   override async handle() {
 *     for (let data; (data = await this.request.recv(1024)).length > 0;) await this.request.sendall(data);
 *   }
 * }
 * ```
 */
export class BaseRequestHandler<A extends unknown[] = unknown[], R = Socket, C = HostAndPort> {
  /** The connection; of a datagram server, what came and the socket to answer with. */
  request: R;
  /** Where the client is: host and port, or the path of a Unix socket. */
  clientAddress: C;
  /** The server, or, in a worker, what stands for it there. */
  server: HandlerServer;
  /** The `args` of the server's options. */
  args: A = [] as unknown as A;

  /**
   * Called by the server.
   *
   * @param request The request.
   * @param clientAddress Where the client is.
   * @param server The server, or what stands for it.
   */
  constructor(request: R, clientAddress: C, server: HandlerServer) {
    this.request = request;
    this.clientAddress = clientAddress;
    this.server = server;
  }

  /** Prepares. Called before `handle`; does nothing by itself. */
  setup(): void | Promise<void> {}

  /** Serves the request. Does nothing by itself. */
  handle(): void | Promise<void> {}

  /** Clears up. Called after `handle`, also when that threw; does nothing by itself. */
  finish(): void | Promise<void> {}
}

/**
 * A handler that reads and writes its connection as files.
 *
 * Python: {@link https://docs.python.org/3/library/socketserver.html#socketserver.StreamRequestHandler | socketserver.StreamRequestHandler}.
 * Here `timeout` is in milliseconds, and Nagle's algorithm is off anyway.
 *
 * @typeParam A The server's `args`.
 * @typeParam C What the address of a client is.
 *
 * @example Line by line
 * ```ts
 * import { StreamRequestHandler } from "@multiprocessing/deno/socketserver";
 *
 * export class Upper extends StreamRequestHandler {
 *   override async handle() {
 *     for await (const line of this.rfile) {
 *       await this.wfile.write(new TextDecoder().decode(line).toUpperCase());
 *     }
 *   }
 * }
 * ```
 */
export class StreamRequestHandler<A extends unknown[] = unknown[], C extends Address = HostAndPort>
  extends BaseRequestHandler<A, Socket<C>, C> {
  /** How many bytes `rfile` reads ahead; 0 for none, negative for a usual amount. */
  static rbufsize: number = -1;
  /** How many bytes `wfile` gathers; 0, as at first, for none: each write leaves at once. */
  static wbufsize: number = 0;
  /** The timeout of the connection in milliseconds; `null` for none. */
  static timeout: number | null = null;
  /** Whether to send small amounts at once. */
  static disableNagleAlgorithm: boolean = false;

  /** The same as `request`. */
  connection!: Socket<C>;
  /** To read from: `read`, `readline`, `readlines`, or line by line with `for await`. */
  rfile!: SocketFile;
  /** To write to: `write`, `flush`. */
  wfile!: SocketFile;

  /** Makes the two files. */
  override setup(): void | Promise<void> {
    const { rbufsize, wbufsize, timeout, disableNagleAlgorithm } = this
      .constructor as typeof StreamRequestHandler;
    this.connection = this.request;
    if (timeout !== null) this.connection.settimeout(timeout);
    if (disableNagleAlgorithm) this.connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, true);
    this.rfile = new SocketFile(this.connection, rbufsize, 0);
    this.wfile = new SocketFile(this.connection, 0, wbufsize);
  }

  /** Writes what `wfile` has gathered, and closes both files. */
  override async finish(): Promise<void> {
    try {
      await this.wfile.close();
    } catch (error) {
      // As in Python: the client may have gone in the meantime.
      if (!(error instanceof BrokenPipeError || error instanceof OSError)) throw error;
    }
    await this.rfile.close();
  }
}

/** A class of handlers. */
export type HandlerClass = new (
  // deno-lint-ignore no-explicit-any -- what a request is depends on the kind of server
  request: any,
  // deno-lint-ignore no-explicit-any -- so does what an address is
  clientAddress: any,
  // deno-lint-ignore no-explicit-any -- a handler may ask for the very class of its server
  server: any,
  // deno-lint-ignore no-explicit-any -- the arguments are between the server's options and its handlers
) => BaseRequestHandler<any, any, any>;

/** Makes a handler and lets it serve its request. */
export async function runHandler(
  Handler: HandlerClass,
  request: unknown,
  clientAddress: unknown,
  server: HandlerServer,
  args: readonly unknown[],
): Promise<void> {
  if (request instanceof Socket) {
    const opening = endpointOf(request).open?.();
    if (opening !== undefined) await opening;
  }
  const handler = new Handler(request, clientAddress, server);
  handler.args = [...args];
  // No await where there is nothing to wait for: a handler that blocks then never enters the event loop.
  const preparing = handler.setup();
  if (preparing !== undefined) await preparing;
  try {
    const handling = handler.handle();
    if (handling !== undefined) await handling;
  } finally {
    const finishing = handler.finish();
    if (finishing !== undefined) await finishing;
  }
}
