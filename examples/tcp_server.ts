// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * A server that gives every connection a process of its own: a handler that waits keeps nobody else waiting.
 *
 * Python:
 *
 *     class MyServer(socketserver.BaseRequestHandler):
 *         def handle(self):
 *             conn = self.request
 *             print(conn)
 *             time.sleep(3)
 *             conn.send(b'hello')
 *             time.sleep(5)
 *             conn.send(b'hello2')
 *
 *     server = socketserver.ThreadingTCPServer(('127.0.0.1', 9000), MyServer)
 *     server.serve_forever()
 *
 * Run: `deno run -A examples/tcp_server.ts`, then in a second terminal `deno run -A examples/tcp_client.ts`.
 * `--port=0` takes any free port. Ctrl-C stops it.
 *
 * Prints, with other ports:
 *
 *     serving on 127.0.0.1:9000, stop with Ctrl-C
 *     connection from 127.0.0.1:51234
 *     stopped
 *
 * @module
 */
import { BaseRequestHandler, ThreadingTCPServer } from "@multiprocessing/deno/socketserver";
import { option, sleep, useStartMethod } from "./options.ts";

export class MyServer extends BaseRequestHandler {
  override async handle(): Promise<void> {
    const conn = this.request;
    console.log(`connection from ${this.clientAddress.join(":")}`);
    await sleep(3);
    await conn.sendall("hello");
    await sleep(5);
    await conn.sendall("hello2");
  }
}

if (import.meta.main) {
  useStartMethod();
  const server = new ThreadingTCPServer(["127.0.0.1", Number(option("port") ?? 9000)], MyServer);

  // Windows knows no SIGTERM; there a program is told to end by SIGBREAK.
  const stop = () => void server.shutdown();
  Deno.addSignalListener("SIGINT", stop);
  Deno.addSignalListener(Deno.build.os === "windows" ? "SIGBREAK" : "SIGTERM", stop);

  console.log(`serving on ${server.serverAddress.join(":")}, stop with Ctrl-C`);
  await server.serveForever();
  server.serverClose();
  console.log("stopped");
}
