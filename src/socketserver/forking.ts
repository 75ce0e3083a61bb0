/** ForkingMixIn: every request in an operating-system process. */

import { ServedElsewhere } from "./_elsewhere.ts";
import type { Staff } from "./_handler_team.ts";
import { TCPServer } from "./tcp_server.ts";
import type { ServerClass } from "./threading.ts";
import { UDPServer } from "./udp_server.ts";
import { UnixDatagramServer } from "./unix_datagram_server.ts";
import { UnixStreamServer } from "./unix_stream_server.ts";

/** What {@link ForkingMixIn} adds to a server. */
export interface Forking {
  /** How many processes at most, unless the option `maxWorkers` says so; 40 at first. */
  maxChildren: number;
  /** Whether what `serverClose` returns settles only when every handler is done. */
  blockOnClose: boolean;
  /** The ids of the processes that serve a request now. */
  readonly activeChildren: ReadonlySet<number>;
  /**
   * Waits for processes that serve a request; called by `handleTimeout`. The system has no other need of it: what
   * ends is noticed at once.
   *
   * @param options `blocking`: until none does. When left out, it does not wait.
   */
  collectChildren(options?: { blocking?: boolean }): Promise<void>;
  /**
   * Ends a request for which there is no process and no place in the line, with `overload: "refuse"`: closes it,
   * unless overridden.
   */
  // deno-lint-ignore no-explicit-any -- what a request is depends on the kind of server
  refuseRequest(request: any, clientAddress: any): void | Promise<void>;
}

/** A class of servers with {@link Forking}. */
// deno-lint-ignore no-explicit-any -- a mix-in takes any arguments
export type WithForking<B> = B & (new (...args: any[]) => Forking);

const MAX_CHILDREN = 40;
/** A process takes 50 ms to start, and more memory than a worker. */
const WARM_CHILDREN = 1;
const TIMEOUT_MS = 300_000;

/**
 * Makes of a class of servers one that serves each request in an operating-system process, which has nothing in common
 * with the server: a handler that crashes, or takes all the memory there is, ends alone.
 *
 * - The connection itself is handed to the process, so a handler reads and writes it without any detour, and may
 *   block (`recvSync`). That is possible on Linux, with the permission `ffi` (part of `-A`) besides `run`; elsewhere
 *   the server says so when it is made. Datagrams need neither.
 * - A process serves one request at a time, then another (`recycle`) or ends. At most `maxChildren` are at work,
 *   further requests wait for one in the order they came.
 * - The handler class is exported: the process imports the program's main module, where `import.meta.main` is
 *   false, and the module of the class. What is in `args` travels as to any process of the start method `"spawn"`.
 * - A handler that throws, calls `exit()`, or whose process is killed, ends its own connection and no other.
 *
 * Python: {@link https://docs.python.org/3/library/socketserver.html#socketserver.ForkingMixIn | socketserver.ForkingMixIn},
 * which forks a new process for each request, from a copy of the server; with `recycle: false` each has a new one here,
 * too. There is no `idleTimeout`: what flows is between the process and its client.
 *
 * @param Base The class of servers.
 * @returns A subclass of it.
 *
 * @example Of one's own server
 * ```ts
 * import { ForkingMixIn, TCPServer } from "@multiprocessing/deno/socketserver";
 *
 * class Careful extends ForkingMixIn(TCPServer) {
 *   override maxChildren = 4;
 * }
 * ```
 */
export function ForkingMixIn<B extends ServerClass>(Base: B): WithForking<B> {
  class ForkingServer extends ServedElsewhere(Base) implements Forking {
    override timeout: number | null = TIMEOUT_MS;
    maxChildren = MAX_CHILDREN;

    protected override get servedBy(): "process" {
      return "process";
    }

    protected override staff(): Staff {
      const { maxWorkers = this.maxChildren, warmWorkers = WARM_CHILDREN, permissions } = this.options;
      return { max: maxWorkers, warm: Math.min(warmWorkers, maxWorkers), processes: true, permissions };
    }

    get activeChildren(): ReadonlySet<number> {
      return this.working;
    }

    async collectChildren({ blocking = false }: { blocking?: boolean } = {}): Promise<void> {
      if (blocking) await this.idle();
    }

    override handleTimeout(): Promise<void> {
      return this.collectChildren();
    }
  }
  return ForkingServer as unknown as WithForking<B>;
}

/**
 * A server that serves each TCP connection in a process; see {@link ForkingMixIn}.
 *
 * Python: {@link https://docs.python.org/3/library/socketserver.html#socketserver.ForkingTCPServer | socketserver.ForkingTCPServer}.
 *
 * @example An echo
 * ```ts
 * import { createConnection } from "@multiprocessing/deno/socket";
 * import { ForkingTCPServer } from "@multiprocessing/deno/socketserver";
 * import { EchoHandler } from "examples/handlers.ts";
 * import assert from "node:assert/strict";
 *
 * if (Deno.build.os === "linux") {
 *   await using server = new ForkingTCPServer(["127.0.0.1", 0], EchoHandler);
 *   void server.serveForever();
 *   using client = await createConnection(server.serverAddress);
 *   await client.sendall("hello");
 *   assert.equal(new TextDecoder().decode(await client.recv(1024)), "hello");
 * }
 * ```
 */
export const ForkingTCPServer: WithForking<typeof TCPServer> = class ForkingTCPServer
  extends ForkingMixIn(TCPServer) {};
/** An instance of {@link ForkingTCPServer}. */
export type ForkingTCPServer = InstanceType<typeof ForkingTCPServer>;

/**
 * A server that serves each datagram of UDP in a process; see {@link ForkingMixIn}.
 *
 * Python: {@link https://docs.python.org/3/library/socketserver.html#socketserver.ForkingUDPServer | socketserver.ForkingUDPServer}.
 *
 * @example An answer in capitals
 * ```ts
 * import { DatagramSocket } from "@multiprocessing/deno/socket";
 * import { ForkingUDPServer } from "@multiprocessing/deno/socketserver";
 * import { UpperDatagramHandler } from "examples/handlers.ts";
 * import assert from "node:assert/strict";
 *
 * await using server = new ForkingUDPServer(["127.0.0.1", 0], UpperDatagramHandler);
 * void server.serveForever();
 * using client = new DatagramSocket(["127.0.0.1", 0]);
 * await client.sendto("hello", server.serverAddress);
 * const [data] = await client.recvfrom(1024);
 * assert.equal(new TextDecoder().decode(data), "HELLO");
 * ```
 */
export const ForkingUDPServer: WithForking<typeof UDPServer> = class ForkingUDPServer
  extends ForkingMixIn(UDPServer) {};
/** An instance of {@link ForkingUDPServer}. */
export type ForkingUDPServer = InstanceType<typeof ForkingUDPServer>;

/**
 * A server that serves each connection of a Unix socket in a process; see {@link ForkingMixIn}.
 *
 * Python: {@link https://docs.python.org/3/library/socketserver.html#socketserver.ForkingUnixStreamServer | socketserver.ForkingUnixStreamServer}, since 3.12.
 *
 * @example An echo
 * ```ts
 * import { createConnection } from "@multiprocessing/deno/socket";
 * import { ForkingUnixStreamServer } from "@multiprocessing/deno/socketserver";
 * import { EchoHandler } from "examples/handlers.ts";
 * import assert from "node:assert/strict";
 *
 * if (Deno.build.os === "linux") {
 *   const directory = Deno.makeTempDirSync();
 *   {
 *     await using server = new ForkingUnixStreamServer(`${directory}/socket`, EchoHandler);
 *     void server.serveForever();
 *     using client = await createConnection(server.serverAddress);
 *     await client.sendall("hello");
 *     assert.equal(new TextDecoder().decode(await client.recv(1024)), "hello");
 *   }
 *   Deno.removeSync(directory); // empty: the socket is gone
 * }
 * ```
 */
export const ForkingUnixStreamServer: WithForking<typeof UnixStreamServer> = class ForkingUnixStreamServer
  extends ForkingMixIn(UnixStreamServer) {};
/** An instance of {@link ForkingUnixStreamServer}. */
export type ForkingUnixStreamServer = InstanceType<typeof ForkingUnixStreamServer>;

/**
 * A server that serves each datagram of a Unix socket in a process; see {@link ForkingMixIn}.
 *
 * Python: {@link https://docs.python.org/3/library/socketserver.html#socketserver.ForkingUnixDatagramServer | socketserver.ForkingUnixDatagramServer}, since 3.12.
 *
 * @example An answer in capitals
 * ```ts
 * import { DatagramSocket } from "@multiprocessing/deno/socket";
 * import { ForkingUnixDatagramServer } from "@multiprocessing/deno/socketserver";
 * import { UpperDatagramHandler } from "examples/handlers.ts";
 * import assert from "node:assert/strict";
 *
 * if (Deno.build.os === "linux") {
 *   const directory = Deno.makeTempDirSync();
 *   {
 *     await using server = new ForkingUnixDatagramServer(`${directory}/server`, UpperDatagramHandler);
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
export const ForkingUnixDatagramServer: WithForking<typeof UnixDatagramServer> =
  class ForkingUnixDatagramServer extends ForkingMixIn(UnixDatagramServer) {};
/** An instance of {@link ForkingUnixDatagramServer}. */
export type ForkingUnixDatagramServer = InstanceType<typeof ForkingUnixDatagramServer>;
