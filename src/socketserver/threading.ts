/** ThreadingMixIn: every request in a worker of its own. */

import { afterMs, printError, writeStderr } from "../platform/runtime.ts";
import type { Socket } from "../socket/socket.ts";
import { HandlerTeam } from "./_handler_team.ts";
import type { BaseServer } from "./base_server.ts";
import type { HandlerClass } from "./handlers.ts";
import { TCPServer } from "./tcp_server.ts";

/** What {@link ThreadingMixIn} adds to a server. */
export interface Threading {
  /** Whether {@link BaseServer.serverClose} ends handlers that are at work instead of waiting for them. */
  daemonThreads: boolean;
  /** Whether what `serverClose` returns settles only when every handler is done. */
  blockOnClose: boolean;
}

/** A class of servers. */
// deno-lint-ignore no-explicit-any -- a mix-in takes any arguments
export type ServerClass = new (...args: any[]) => BaseServer;
/** A class of servers with {@link Threading}. */
// deno-lint-ignore no-explicit-any -- a mix-in takes any arguments
export type WithThreading<B> = B & (new (...args: any[]) => Threading);

const MAX_WORKERS = 64;
/** Long enough that the next burst finds the workers of this one. */
const WORKER_IDLE_MS = 30_000;
const WARM_WORKERS = 2;
const CLOSE_TIMEOUT_MS = 10_000;

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
  class ThreadingServer extends Base implements Threading {
    daemonThreads = false;
    blockOnClose = true;
    #handlers: HandlerTeam | undefined;
    readonly #threads = new Set<Promise<void>>();

    /** Starts the first workers, so that the first client need not wait for them. */
    protected override prepare(): void {
      this.#team.prepare();
    }

    /** Lets a worker serve the request, and does not wait for it. */
    override processRequest(request: unknown, clientAddress: unknown): Promise<void> {
      const thread = this.processRequestThread(request, clientAddress);
      this.#threads.add(thread);
      thread.then(() => this.#threads.delete(thread));
      return Promise.resolve();
    }

    /** What a worker does for a request: as Python's, with the work itself in `finishRequest`. */
    async processRequestThread(request: unknown, clientAddress: unknown): Promise<void> {
      try {
        await this.finishRequest(request, clientAddress);
      } catch (error) {
        await this.report(request, clientAddress, error);
      }
      try {
        await this.shutdownRequest(request);
      } catch (error) {
        printError("Exception in shutdownRequest()", error);
      }
    }

    /** Has an instance of the handler class serve the request, in a worker. */
    override finishRequest(request: unknown, clientAddress: unknown): Promise<void> {
      return this.#team.serve(request as Socket, clientAddress as [string, number]);
    }

    override serverClose(): Promise<void> {
      super.serverClose();
      const closing = this.#close();
      return this.blockOnClose ? closing : Promise.resolve();
    }

    async #close(): Promise<void> {
      const team = this.#handlers;
      if (team === undefined) return;
      if (this.daemonThreads) await team.terminate();
      else {
        team.endInput();
        const { closeTimeout = CLOSE_TIMEOUT_MS } = this.options;
        const closed = team.close();
        if (await Promise.race([closed.then(() => true), afterMs(closeTimeout)]) !== true) {
          await team.terminate();
        }
      }
      await Promise.all(this.#threads);
    }

    /** Connections that wait for a worker are bounded: the kernel holds the rest. */
    protected override admission(): Promise<void> | undefined {
      return this.#team.room();
    }

    get #team(): HandlerTeam {
      return this.#handlers ??= this.#makeTeam();
    }

    #makeTeam(): HandlerTeam {
      const { args = [], maxWorkers = MAX_WORKERS, warmWorkers = WARM_WORKERS, recycle = true } =
        this.options;
      if (this.options.handoff) {
        writeStderr(
          "Warning: handoff: true is not available here; connections are carried through shared memory\n",
        );
      }
      return new HandlerTeam({
        name: this.constructor.name,
        Handler: this.RequestHandlerClass as HandlerClass,
        site: this.site,
        args,
        serverAddress: this.serverAddress,
        max: maxWorkers,
        warm: Math.min(warmWorkers, maxWorkers),
        recycle,
        idleTimeoutMs: this.options.idleTimeout ?? Infinity,
        workerIdleMs: this.options.workerIdleTimeout ?? WORKER_IDLE_MS,
        onShutdown: () => void this.shutdown(),
      });
    }
  }
  return ThreadingServer as WithThreading<B>;
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
