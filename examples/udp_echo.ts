// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * Datagrams: single messages over UDP, each by itself. The server answers in capitals, line by line.
 *
 * Python:
 *
 *     class Upper(socketserver.DatagramRequestHandler):
 *         def handle(self):
 *             for line in self.rfile:
 *                 self.wfile.write(line.upper())
 *
 *     server = socketserver.ThreadingUDPServer(('127.0.0.1', 0), Upper)
 *     threading.Thread(target=server.serve_forever).start()
 *     client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
 *     client.sendto(b'bread\nmilk\n', server.server_address)
 *     print(client.recv(1024))
 *
 * Run: `deno run -A examples/udp_echo.ts`.
 *
 * Prints:
 *
 *     bread, milk: BREAD, MILK
 *     eggs: EGGS
 *     tea: TEA
 *
 * @module
 */
import { DatagramSocket } from "@multiprocessing/deno/socket";
import { DatagramRequestHandler, ThreadingUDPServer } from "@multiprocessing/deno/socketserver";

export class Upper extends DatagramRequestHandler {
  override async handle(): Promise<void> {
    for await (const line of this.rfile) {
      await this.wfile.write(new TextDecoder().decode(line).toUpperCase());
    }
  }
}

if (import.meta.main) {
  await using server = new ThreadingUDPServer(["127.0.0.1", 0], Upper);
  void server.serveForever();

  using client = new DatagramSocket(["127.0.0.1", 0]);
  client.settimeout(10_000); // a datagram may get lost
  const shown = (text: string) => text.trim().replaceAll("\n", ", ");
  for (const question of ["bread\nmilk\n", "eggs\n", "tea\n"]) {
    await client.sendto(question, server.serverAddress);
    const [answer] = await client.recvfrom(1024);
    console.log(`${shown(question)}: ${shown(new TextDecoder().decode(answer))}`);
  }
}
