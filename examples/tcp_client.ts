// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * Reads the two greetings of `tcp_server.ts`.
 *
 * Python:
 *
 *     sk = socket.socket()
 *     sk.connect(('127.0.0.1', 9000))
 *     print(sk.recv(1024))
 *     print(sk.recv(1024))
 *     sk.close()
 *
 * Run: `deno run -A examples/tcp_client.ts` (8 s) while `tcp_server.ts` runs; `--port=9001` for another port.
 *
 * Prints:
 *
 *     hello
 *     hello2
 *
 * With `--clients=20` twenty clients do so at once. A last line then tells that they took together as long as one:
 *
 *     20 clients: 8.1 s
 *
 * @module
 */
import { createConnection } from "@multiprocessing/deno/socket";
import { option } from "./options.ts";

async function client(port: number): Promise<void> {
  using sk = await createConnection(["127.0.0.1", port]);
  const decoder = new TextDecoder();
  console.log(decoder.decode(await sk.recv(1024)));
  console.log(decoder.decode(await sk.recv(1024)));
}

if (import.meta.main) {
  const port = Number(option("port") ?? 9000);
  const clients = option("clients");
  if (clients === undefined) {
    await client(port);
  } else {
    const begin = performance.now();
    await Promise.all(Array.from({ length: Number(clients) }, () => client(port)));
    console.log(`${clients} clients: ${((performance.now() - begin) / 1000).toFixed(1)} s`);
  }
}
