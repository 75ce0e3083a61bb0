/** The baseline of the server rows: `Deno.listen`, one thread, no handler workers. */

import { print } from "../measure.ts";

async function echo(connection: Deno.TcpConn): Promise<void> {
  using _ = connection;
  connection.setNoDelay(true);
  const buffer = new Uint8Array(1024);
  for (let n; (n = await connection.read(buffer)) !== null;) {
    for (let sent = 0; sent < n;) {
      sent += await connection.write(buffer.subarray(sent, n));
    }
  }
}

if (import.meta.main) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  print(String(listener.addr.port));
  // A client that goes away in the middle is its own affair.
  for await (const connection of listener) echo(connection).catch(() => {});
}
