// deno-lint-ignore-file no-console -- the test reads what it prints
/** A server that tells its memory when it is asked by SIGUSR1, and closes at SIGTERM. */

import { activeChildren } from "@multiprocessing/deno";
import { ThreadingTCPServer } from "@multiprocessing/deno/socketserver";
import { Echo } from "./fixtures.ts";

if (import.meta.main) {
  await using server = new ThreadingTCPServer(["127.0.0.1", 0], Echo, { maxWorkers: 16 });
  let round = 0;
  const tell = () => console.log(`round ${round++} rss ${Math.round(Deno.memoryUsage().rss / 2 ** 20)}`);
  const stop = () => void server.shutdown();
  Deno.addSignalListener("SIGUSR1", tell);
  Deno.addSignalListener("SIGTERM", stop);
  console.log(`listening on ${server.serverAddress[1]}`);
  await server.serveForever();
  await server[Symbol.asyncDispose]();
  console.log(`${activeChildren().length} workers left`);
  Deno.removeSignalListener("SIGUSR1", tell);
  Deno.removeSignalListener("SIGTERM", stop);
}
