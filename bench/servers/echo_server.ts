/**
 * The library's servers under test: echo, print their port, run until killed.
 *
 *     echo_server.ts threading|rings|forking [async|blocking|work|bulk]
 *
 * `rings` is `threading` with `handoff: false`. All other options are the defaults. TCP_NODELAY: the library sets it on
 * every connection, `python/echo_server.py` does the same by hand.
 */

import { BaseRequestHandler, ForkingTCPServer, ThreadingTCPServer } from "@multiprocessing/deno/socketserver";
import { print } from "../measure.ts";

export class AsyncEcho extends BaseRequestHandler {
  override async handle(): Promise<void> {
    for (let data; (data = await this.request.recv(1024)).length > 0;) {
      await this.request.sendall(data);
    }
  }
}

export class BlockingEcho extends BaseRequestHandler {
  override handle(): void {
    for (let data; (data = this.request.recvSync(1024)).length > 0;) {
      this.request.sendSync(data);
    }
  }
}

/** Needs a core for a millisecond before each answer. */
export class Work extends BaseRequestHandler {
  override async handle(): Promise<void> {
    for (let data; (data = await this.request.recv(1024)).length > 0;) {
      this.spin(this.spins);
      await this.request.sendall(data);
    }
  }

  /** How many turns are a millisecond: timed once, since time passes for a thread that has no core, too. */
  readonly spins: number = this.calibrated();

  calibrated(): number {
    this.spin(1_000_000); // compiled
    const times = Array.from({ length: 5 }, () => {
      const begin = performance.now();
      this.spin(1_000_000);
      return performance.now() - begin;
    });
    return Math.round(1_000_000 / Math.min(...times));
  }

  spin(turns: number): number {
    let total = 0;
    for (let i = 0; i < turns; i++) total = (Math.imul(total, 31) + i) & 1048575;
    return total;
  }
}

export class Bulk extends BaseRequestHandler {
  override async handle(): Promise<void> {
    for (let data; (data = await this.request.recv(65536)).length > 0;) await this.request.sendall(data);
  }
}

const handlers = { async: AsyncEcho, blocking: BlockingEcho, work: Work, bulk: Bulk };

if (import.meta.main) {
  const [kind = "threading", handler = "async"] = Deno.args;
  const Handler = handlers[handler as keyof typeof handlers];
  await using server = kind === "forking"
    ? new ForkingTCPServer(["127.0.0.1", 0], Handler)
    : new ThreadingTCPServer(["127.0.0.1", 0], Handler, kind === "rings" ? { handoff: false } : {});
  print(String(server.serverAddress[1]));
  await server.serveForever();
}
