// deno-lint-ignore-file no-console -- the test reads what it prints
/** A TCPServer, which serves in its own process, and a handler that ends that process. */
import { Queue } from "@multiprocessing/deno";
import { createConnection } from "@multiprocessing/deno/socket";
import { TCPServer } from "@multiprocessing/deno/socketserver";
import { Bad } from "./fixtures.ts";

class Server extends TCPServer {
  override handleError(): void {
    console.log("Error handled");
  }
}

if (import.meta.main) {
  using called = new Queue<string>();
  await using server = new Server(["127.0.0.1", 0], Bad, { args: [called, "exits"] });
  (await createConnection(server.serverAddress)).close();
  void called.get().then(console.log);
  await server.handleRequest();
  console.log("still here");
}
