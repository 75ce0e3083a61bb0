/** ManagerServer: a manager's server in this very process. */

import { OSError, RuntimeError } from "../base/errors.ts";
import type { Connection } from "../ipc/connection.ts";
import { Listener } from "../ipc/listener.ts";
import type { Address } from "../ipc/listener.ts";
import type { SocketAddress } from "../platform/stream.ts";
import { AddressDoor } from "./_door.ts";
import { HELLO, newNumber, WELCOME } from "./_messages.ts";
import { Server } from "./_server.ts";
import type { Type } from "./_types.ts";

/** Accepts lines over sockets for a server, until the listener is closed. */
export async function acceptLines(listener: Listener, server: Server): Promise<void> {
  for (;;) {
    let connection: Connection;
    try {
      connection = await listener.accept();
    } catch (error) {
      if (error instanceof OSError) return; // closed
      throw error;
    }
    void welcome(connection, server);
  }
}

/** Whoever has proven itself may still be no process with a manager's line. */
async function welcome(connection: Connection, server: Server): Promise<void> {
  try {
    const hello = await connection.recv();
    if (!Array.isArray(hello) || hello[0] !== HELLO || !Number.isSafeInteger(hello[1]) || hello[1] <= 0) {
      return connection.close();
    }
    await connection.send([WELCOME, server.manager]);
    server.serve(hello[1], connection, false);
  } catch {
    connection.close(); // it has hung up, or says what nobody can read
  }
}

/**
 * A manager's server that runs in this process, made by {@link BaseManager.getServer}. What is registered is used as it
 * is here, closures included, and the objects are those of this process.
 *
 * Python: what {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.managers.BaseManager.get_server | BaseManager.get_server}
 * returns.
 *
 * @example Objects of this program, for others
 * ```ts
 * import { BaseManager, type DictProxy } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const authkey = new TextEncoder().encode("between us");
 * const scores = new Map([["egon", 1]]);
 *
 * class Scores extends BaseManager {
 *   declare getScores: () => DictProxy<string, number>;
 * }
 * Scores.register("getScores", () => scores);
 *
 * const server = new Scores({ address: { port: 0 }, authkey }).getServer();
 * const serving = server.serveForever();
 *
 * // In another program, most likely:
 * await using client = new Scores({ address: server.address, authkey });
 * await client.connect();
 * await client.getScores().increment("egon");
 * assert.equal(scores.get("egon"), 2);
 *
 * server.stop();
 * await serving;
 * ```
 */
export class ManagerServer implements Disposable {
  readonly #listener: Listener;
  readonly #server: Server;
  #state: "new" | "serving" | "stopped" = "new";
  #stopped: Promise<void> | undefined;

  /** Servers are made by {@link BaseManager.getServer}. */
  constructor(types: ReadonlyMap<string, Type>, address: Address | undefined, authkey: Uint8Array) {
    this.#listener = new Listener({ address, authkey });
    const manager = newNumber();
    this.#server = new Server(manager, types);
    this.#server.local.door = new AddressDoor(this.#listener.address, authkey, manager);
  }

  /** Where it listens: a path, or host and port, with the port it really has. */
  get address(): SocketAddress {
    return this.#listener.address;
  }

  /**
   * Serves clients until {@link ManagerServer.stop} is called.
   *
   * Python: there the program ends with it; here it settles.
   *
   * @param options An aborted `signal` stops the server, too.
   * @throws {RuntimeError} If it serves already, or was stopped.
   */
  async serveForever(options?: { signal?: AbortSignal | undefined }): Promise<void> {
    if (this.#state !== "new") {
      throw new RuntimeError("Cannot serve: the server serves already, or was stopped; make another");
    }
    this.#state = "serving";
    const signal = options?.signal;
    const stop = () => this.stop();
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted) stop();
    try {
      await acceptLines(this.#listener, this.#server);
      await this.#stopped;
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }

  /** Stops serving, and listening: whoever waits for something gets an {@link EOFError}. */
  stop(): void {
    if (this.#state === "stopped") return;
    this.#state = "stopped";
    this.#listener.close();
    this.#stopped = this.#server.stop("the manager's server was stopped");
  }

  /** The same as {@link ManagerServer.stop}. */
  [Symbol.dispose](): void {
    this.stop();
  }
}
