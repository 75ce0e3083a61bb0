/** A client and a server of each kind for Unix datagrams. */
import { DatagramSocket } from "@multiprocessing/deno/socket";
import {
  ForkingMixIn,
  ThreadingUnixDatagramServer,
  UnixDatagramServer,
} from "@multiprocessing/deno/socketserver";
import { stdout } from "node:process";
import { Shouting, text } from "./fixtures.ts";

class ForkingUnixDatagramServer extends ForkingMixIn(UnixDatagramServer) {}

if (import.meta.main) {
  const directory = Deno.makeTempDirSync({ prefix: "unix-datagrams-" });
  for (const Server of [UnixDatagramServer, ThreadingUnixDatagramServer, ForkingUnixDatagramServer]) {
    await using server = new Server(`${directory}/server`, Shouting);
    void server.serveForever();
    const here: string = `${directory}/client`;
    using client = new DatagramSocket(here);
    await client.sendto("hello", server.serverAddress);
    const [answer] = await client.recvfrom(100);
    stdout.write(`${Server.name} ${text(answer)}\n`);
  }
  stdout.write(`${[...Deno.readDirSync(directory)].length} files left\n`);
  Deno.removeSync(directory, { recursive: true });
}
