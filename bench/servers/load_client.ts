/**
 * The load for the server rows where there is no python3; the same command line
 * and the same rules as `python/load_client.py`.
 */

import { print } from "../measure.ts";

const PAYLOAD = new Uint8Array(64).fill(120);

async function connect(port: number): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  connection.setNoDelay(true);
  return connection;
}

async function request(
  connection: Deno.TcpConn,
  buffer: Uint8Array,
): Promise<void> {
  await connection.write(PAYLOAD);
  for (let missing = PAYLOAD.length; missing > 0;) {
    const n = await connection.read(buffer);
    if (n === null) throw new Error("The server closed a connection early");
    missing -= n;
  }
}

async function echo(
  clients: number,
  port: number,
  warmMs: number,
  measureMs: number,
): Promise<number> {
  const connections = await Promise.all(
    Array.from({ length: clients }, () => connect(port)),
  );
  let done = 0;
  let running = true;
  // Not counted: every connection has its thread or worker before the clock starts.
  await Promise.all(connections.map((c) => request(c, new Uint8Array(1024))));
  const loops = connections.map(async (connection) => {
    const buffer = new Uint8Array(1024);
    for (; running; done++) await request(connection, buffer);
    connection.close();
  });
  const failed = Promise.all(loops).then(() => {});
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  await Promise.race([pause(warmMs), failed]);
  done = 0;
  const begin = performance.now();
  await Promise.race([pause(measureMs), failed]);
  const value = done / (performance.now() - begin) * 1e3;
  running = false;
  await failed;
  return value;
}

async function oneConnection(port: number): Promise<void> {
  using connection = await connect(port);
  await request(connection, new Uint8Array(1024));
}

async function connects(count: number, port: number): Promise<number> {
  for (let i = 0; i < 2 * count; i++) await oneConnection(port);
  const begin = performance.now();
  for (let i = 0; i < count; i++) await oneConnection(port);
  return count / (performance.now() - begin) * 1e3;
}

if (import.meta.main) {
  const [kind, ...rest] = Deno.args;
  const [number = 1, port = 0, warmMs = 200, measureMs = 500] = rest.map(
    Number,
  );
  const value = kind === "echo" ? await echo(number, port, warmMs, measureMs) : await connects(number, port);
  print(JSON.stringify({ value }));
}
