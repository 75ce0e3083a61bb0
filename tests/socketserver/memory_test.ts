/** What a server keeps of many connections: nothing. A real client, a server of its own, the memory of that process. */

import assert from "node:assert/strict";
import { hasPython, Program } from "../support/program.ts";

const CLIENT = `
import socket, sys
address = ("127.0.0.1", int(sys.argv[1]))
answered = 0
def finish(sock, message):
    global answered
    sock.shutdown(socket.SHUT_WR)
    data = b""
    while chunk := sock.recv(1024):
        data += chunk
    assert data == message, data
    sock.close()
    answered += 1
for i in range(1000):
    sock = socket.create_connection(address)
    sock.sendall(b"hello")
    finish(sock, b"hello")
together = [socket.create_connection(address) for _ in range(100)]
for sock in together:
    sock.sendall(b"all at once")
for sock in together:
    finish(sock, b"all at once")
print(answered, "answered")
`;

const ROUNDS = 20;
/** Until then the heaps of the 16 workers grow to what V8 lets them be before it collects: what they need, not a leak. */
const WARM = 9;

if (await hasPython()) {
  Deno.test("ThreadingTCPServer keeps no memory of 20 000 connections in sequence, and of 100 at once after each 1000", async () => {
    await using server = Program.deno("tests/socketserver/memory_server.ts");
    const port = (await server.line(/^listening on (\d+)$/))[1]!;
    const rss: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const client = await new Deno.Command("python3", { args: ["-c", CLIENT, port] }).output();
      assert.equal(new TextDecoder().decode(client.stderr), "");
      assert.match(new TextDecoder().decode(client.stdout), /^1100 answered/);
      server.signal("SIGUSR1");
      rss.push(Number((await server.line(new RegExp(`^round ${round} rss (\\d+)$`)))[1]));
    }
    // 2 KiB of each of the last 11 000 connections would be more.
    assert.ok(rss.at(-1)! - rss[WARM]! <= 20, `memory in MiB, after each round: ${rss.join(" ")}`);
    server.signal("SIGTERM");
    await server.line(/^0 workers left$/);
    await server.end();
  });
}
