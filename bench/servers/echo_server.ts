/**
 * The library's ThreadingTCPServer under test: echoes, prints its port, runs
 * until killed. All options are the defaults, but for `handoff`.
 *
 * TCP_NODELAY: the library sets it on every connection, `python/echo_server.py`
 * does the same by hand.
 */

import { BaseRequestHandler, ThreadingTCPServer } from "@multiprocessing/deno/socketserver";
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

if (import.meta.main) {
  const variant = Deno.args[0];
  await using server = new ThreadingTCPServer(
    ["127.0.0.1", 0],
    variant === "blocking" ? BlockingEcho : AsyncEcho,
    { handoff: variant === "handoff" },
  );
  print(String(server.serverAddress[1]));
  await server.serveForever();
}
