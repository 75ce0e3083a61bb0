/** ThreadingMixIn: every request in a worker of its own. */

import { ServedElsewhere } from "./_elsewhere.ts";
import type { Staff } from "./_handler_team.ts";
import type { BaseServer } from "./base_server.ts";
import { TCPServer } from "./tcp_server.ts";
import { TLSServer } from "./tls_server.ts";
import { UDPServer } from "./udp_server.ts";
import { UnixDatagramServer } from "./unix_datagram_server.ts";
import { UnixStreamServer } from "./unix_stream_server.ts";

/** What {@link ThreadingMixIn} adds to a server. */
export interface Threading {
  /** Whether {@link BaseServer.serverClose} ends handlers that are at work instead of waiting for them. */
  daemonThreads: boolean;
  /** Whether what `serverClose` returns settles only when every handler is done. */
  blockOnClose: boolean;
  /**
   * Serves a request and closes it: what Python's does in a new thread. The work itself is that of a worker, in
   * `finishRequest`.
   */
  // deno-lint-ignore no-explicit-any -- what a request is depends on the kind of server
  processRequestThread(request: any, clientAddress: any): Promise<void>;
  /**
   * Ends a request for which there is no worker and no place in the line, with `overload: "refuse"`: closes it,
   * unless overridden.
   */
  // deno-lint-ignore no-explicit-any -- what a request is depends on the kind of server
  refuseRequest(request: any, clientAddress: any): void | Promise<void>;
}

/** A class of servers. */
// deno-lint-ignore no-explicit-any -- a mix-in takes any arguments
export type ServerClass = new (...args: any[]) => BaseServer;
/** A class of servers with {@link Threading}. */
// deno-lint-ignore no-explicit-any -- a mix-in takes any arguments
export type WithThreading<B> = B & (new (...args: any[]) => Threading);

const MAX_WORKERS = 64;
const WARM_WORKERS = 2;

/**
 * Makes of a class of servers one that serves each request in a worker of its own, so that none waits for another.
 *
 * - A worker has one connection at a time, from the first byte to the last; then it serves another (`recycle`) or
 *   ends. At most `maxWorkers` are at work, further connections wait for one in the order they came.
 * - `request` in the handler is a {@link Socket} whose bytes come through shared memory, so the `…Sync` forms are
 *   there too.
 * - The handler class is exported: the worker imports its module. If no module exports it, each connection ends with
 *   a {@link PicklingError} given to `handleError`.
 * - A handler that throws, calls `exit()`, or whose worker is killed, ends its own connection and no other.
 * - `serverClose` lets handlers see the end of their input, waits for them (`closeTimeout`), and leaves no worker.
 *
 * Python: {@link https://docs.python.org/3/library/socketserver.html#socketserver.ThreadingMixIn | socketserver.ThreadingMixIn}.
 * Here a handler shares no memory with its server but through the handles in `args`, and what it has as `server`
 * knows `serverAddress` and `shutdown()`.
 *
 * @param Base The class of servers.
 * @returns A subclass of it.
 *
 * @example Of one's own server
 * ```ts
 * import { TCPServer, ThreadingMixIn } from "@multiprocessing/deno/socketserver";
 *
 * class Quiet extends ThreadingMixIn(TCPServer) {
 *   override handleError() {}
 * }
 * ```
 */
export function ThreadingMixIn<B extends ServerClass>(Base: B): WithThreading<B> {
  class ThreadingServer extends ServedElsewhere(Base) implements Threading {
    daemonThreads = false;

    protected override get servedBy(): "worker" {
      return "worker";
    }

    protected override staff(): Staff {
      const { maxWorkers = MAX_WORKERS, warmWorkers = WARM_WORKERS } = this.options;
      return { max: maxWorkers, warm: Math.min(warmWorkers, maxWorkers), processes: false };
    }

    protected override get closingMs(): number {
      return this.daemonThreads ? 0 : super.closingMs;
    }
  }
  return ThreadingServer as unknown as WithThreading<B>;
}

/**
 * A server that serves each TCP connection in a worker of its own; see {@link ThreadingMixIn}.
 *
 * Python: {@link https://docs.python.org/3/library/socketserver.html#socketserver.ThreadingTCPServer | socketserver.ThreadingTCPServer}.
 *
 * @example An echo
 * ```ts
 * import { createConnection } from "@multiprocessing/deno/socket";
 * import { ThreadingTCPServer } from "@multiprocessing/deno/socketserver";
 * import { EchoHandler } from "examples/handlers.ts";
 * import assert from "node:assert/strict";
 *
 * await using server = new ThreadingTCPServer(["127.0.0.1", 0], EchoHandler);
 * void server.serveForever();
 * using client = await createConnection(server.serverAddress);
 * await client.sendall("hello");
 * assert.equal(new TextDecoder().decode(await client.recv(1024)), "hello");
 * ```
 */
export const ThreadingTCPServer: WithThreading<typeof TCPServer> = class ThreadingTCPServer
  extends ThreadingMixIn(TCPServer) {};
/** An instance of {@link ThreadingTCPServer}. */
export type ThreadingTCPServer = InstanceType<typeof ThreadingTCPServer>;

/**
 * A server that serves each datagram of UDP in a worker; see {@link ThreadingMixIn}.
 *
 * Python: {@link https://docs.python.org/3/library/socketserver.html#socketserver.ThreadingUDPServer | socketserver.ThreadingUDPServer}.
 *
 * @example An echo
 * ```ts
 * import { DatagramSocket } from "@multiprocessing/deno/socket";
 * import { ThreadingUDPServer } from "@multiprocessing/deno/socketserver";
 * import { UpperDatagramHandler } from "examples/handlers.ts";
 * import assert from "node:assert/strict";
 *
 * await using server = new ThreadingUDPServer(["127.0.0.1", 0], UpperDatagramHandler);
 * void server.serveForever();
 * using client = new DatagramSocket(["127.0.0.1", 0]);
 * await client.sendto("hello", server.serverAddress);
 * const [data] = await client.recvfrom(1024);
 * assert.equal(new TextDecoder().decode(data), "HELLO");
 * ```
 */
export const ThreadingUDPServer: WithThreading<typeof UDPServer> = class ThreadingUDPServer
  extends ThreadingMixIn(UDPServer) {};
/** An instance of {@link ThreadingUDPServer}. */
export type ThreadingUDPServer = InstanceType<typeof ThreadingUDPServer>;

/**
 * A server that serves each connection of a Unix socket in a worker of its own; see {@link ThreadingMixIn}.
 *
 * Python: {@link https://docs.python.org/3/library/socketserver.html#socketserver.ThreadingUnixStreamServer | socketserver.ThreadingUnixStreamServer}.
 *
 * @example An echo
 * ```ts
 * import { createConnection } from "@multiprocessing/deno/socket";
 * import { ThreadingUnixStreamServer } from "@multiprocessing/deno/socketserver";
 * import { EchoHandler } from "examples/handlers.ts";
 * import assert from "node:assert/strict";
 *
 * const directory = Deno.makeTempDirSync();
 * {
 *   await using server = new ThreadingUnixStreamServer(`${directory}/socket`, EchoHandler);
 *   void server.serveForever();
 *   using client = await createConnection(server.serverAddress);
 *   await client.sendall("hello");
 *   assert.equal(new TextDecoder().decode(await client.recv(1024)), "hello");
 * }
 * Deno.removeSync(directory); // empty: the socket is gone
 * ```
 */
export const ThreadingUnixStreamServer: WithThreading<typeof UnixStreamServer> =
  class ThreadingUnixStreamServer extends ThreadingMixIn(UnixStreamServer) {};
/** An instance of {@link ThreadingUnixStreamServer}. */
export type ThreadingUnixStreamServer = InstanceType<typeof ThreadingUnixStreamServer>;

/**
 * A server that serves each datagram of a Unix socket in a worker; see {@link ThreadingMixIn}.
 *
 * Python: {@link https://docs.python.org/3/library/socketserver.html#socketserver.ThreadingUnixDatagramServer | socketserver.ThreadingUnixDatagramServer}.
 *
 * @example An answer in capitals
 * ```ts
 * import { DatagramSocket } from "@multiprocessing/deno/socket";
 * import { ThreadingUnixDatagramServer } from "@multiprocessing/deno/socketserver";
 * import { UpperDatagramHandler } from "examples/handlers.ts";
 * import assert from "node:assert/strict";
 *
 * if (Deno.build.os === "linux") {
 *   const directory = Deno.makeTempDirSync();
 *   {
 *     await using server = new ThreadingUnixDatagramServer(`${directory}/server`, UpperDatagramHandler);
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
export const ThreadingUnixDatagramServer: WithThreading<typeof UnixDatagramServer> =
  class ThreadingUnixDatagramServer extends ThreadingMixIn(UnixDatagramServer) {};
/** An instance of {@link ThreadingUnixDatagramServer}. */
export type ThreadingUnixDatagramServer = InstanceType<typeof ThreadingUnixDatagramServer>;

/**
 * A {@link TLSServer} that serves each connection in a worker of its own; see {@link ThreadingMixIn}.
 *
 * Python has no such class.
 *
 * @example An echo
 * ```ts
 * import { createConnection } from "@multiprocessing/deno/socket";
 * import { ThreadingTLSServer } from "@multiprocessing/deno/socketserver";
 * import { certificate } from "examples/certificate.ts";
 * import { EchoHandler } from "examples/handlers.ts";
 * import assert from "node:assert/strict";
 *
 * await using server = new ThreadingTLSServer(["127.0.0.1", 0], EchoHandler, certificate);
 * void server.serveForever();
 * const tls = { hostname: "localhost", caCerts: [certificate.cert] };
 * using client = await createConnection(server.serverAddress, { tls });
 * await client.sendall("hello");
 * assert.equal(new TextDecoder().decode(await client.recv(1024)), "hello");
 * ```
 */
export const ThreadingTLSServer: WithThreading<typeof TLSServer> = class ThreadingTLSServer
  extends ThreadingMixIn(TLSServer) {};
/** An instance of {@link ThreadingTLSServer}. */
export type ThreadingTLSServer = InstanceType<typeof ThreadingTLSServer>;
