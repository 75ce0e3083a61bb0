/** A server that asks for `handoff`, and one client. */
import { ThreadingTCPServer } from "@multiprocessing/deno/socketserver";
import { stdout } from "node:process";
import { ask, Echo } from "./fixtures.ts";

export { Echo }; // found without the permission `sys`

if (import.meta.main) {
  await using server = new ThreadingTCPServer(["127.0.0.1", 0], Echo, { handoff: true });
  void server.serveForever();
  stdout.write(await ask(server.serverAddress, "hello"));
}
