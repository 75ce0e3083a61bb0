/** What serves one request: the class a server makes an instance of for each. */

import { BrokenPipeError, OSError } from "../base/errors.ts";
import { IPPROTO_TCP, type Socket, TCP_NODELAY } from "../socket/socket.ts";
import { SocketFile } from "../socket/socket_file.ts";

/** What a handler knows of its server. */
export interface HandlerServer {
  /** Where the server listens. */
  // deno-lint-ignore no-explicit-any -- each kind of server has addresses of its own
  readonly serverAddress: any;
  /** Stops the server; see {@link BaseServer.shutdown}. */
  shutdown(): Promise<void>;
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
export class BaseRequestHandler<A extends unknown[] = unknown[]> {
  /** The connection. */
  request: Socket;
  /** Where the client is. */
  clientAddress: [hostname: string, port: number];
  /** The server, or, in a worker, what stands for it there. */
  server: HandlerServer;
  /** The `args` of the server's options. */
  args: A = [] as unknown as A;

  /**
   * Called by the server.
   *
   * @param request The connection.
   * @param clientAddress Where the client is.
   * @param server The server, or what stands for it.
   */
  constructor(request: Socket, clientAddress: [hostname: string, port: number], server: HandlerServer) {
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
export class StreamRequestHandler<A extends unknown[] = unknown[]> extends BaseRequestHandler<A> {
  /** How many bytes `rfile` reads ahead; 0 for none, negative for a usual amount. */
  static rbufsize: number = -1;
  /** How many bytes `wfile` gathers; 0, as at first, for none: each write leaves at once. */
  static wbufsize: number = 0;
  /** The timeout of the connection in milliseconds; `null` for none. */
  static timeout: number | null = null;
  /** Whether to send small amounts at once. */
  static disableNagleAlgorithm: boolean = false;

  /** The same as `request`. */
  connection!: Socket;
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
  request: Socket,
  clientAddress: [hostname: string, port: number],
  // deno-lint-ignore no-explicit-any -- a handler may ask for the very class of its server
  server: any,
  // deno-lint-ignore no-explicit-any -- the arguments are between the server's options and its handlers
) => BaseRequestHandler<any>;

/** Makes a handler and lets it serve its request. */
export async function runHandler(
  Handler: HandlerClass,
  request: Socket,
  clientAddress: [hostname: string, port: number],
  server: HandlerServer,
  args: readonly unknown[],
): Promise<void> {
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
