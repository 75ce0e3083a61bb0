/** A client and a server of each kind for Unix datagrams, or of the one that is named. */
import { DatagramSocket } from "@multiprocessing/deno/socket";
import {
  ForkingUnixDatagramServer,
  ThreadingUnixDatagramServer,
  UnixDatagramServer,
} from "@multiprocessing/deno/socketserver";
import { stdout } from "node:process";
import { Shouting, text } from "./fixtures.ts";

if (import.meta.main) {
  const directory = Deno.makeTempDirSync({ prefix: "unix-datagrams-" });
  for (const Server of [UnixDatagramServer, ThreadingUnixDatagramServer, ForkingUnixDatagramServer]) {
    if (Deno.args.length > 0 && Deno.args[0] !== Server.name) continue;
    await using server = new Server(`${directory}/server`, Shouting);
    void server.serveForever();
    let answer = new Uint8Array(0);
    for (let i = 0; i < 3; i++) {
      const here: string = `${directory}/client-${i}`;
      using client = new DatagramSocket(here);
      await client.sendto("hello", server.serverAddress);
      [answer] = await client.recvfrom(100);
    }
    stdout.write(`${Server.name} ${text(answer)}\n`);
  }
  stdout.write(`${[...Deno.readDirSync(directory)].length} files left\n`);
  Deno.removeSync(directory, { recursive: true });
}
