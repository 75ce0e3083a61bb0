// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * The library at work in three scenes: a server that gives each of 20 clients a process, a ticket office kept honest by
 * a lock, and a producer that feeds two consumers through a queue.
 *
 * Run: `deno task demo`, or `deno run -A examples/demo.ts --start-method=spawn` (5 s)
 *
 * Prints, with other numbers and names:
 *
 *     1. A server with a process for every client
 *        listening on 127.0.0.1:40213; each answer takes 500 ms of work
 *        20 clients come at once
 *        client 0 hears "HELLO FROM CLIENT 0"
 *        …
 *        20 answers from 20 processes in 0.9 s; one after another they would take 10.0 s
 *
 *     2. A ticket office: 3 tickets, 6 buyers, one lock
 *        alex bought a ticket, 2 left
 *        …
 *        baoyuan came too late
 *        3 tickets sold to 6 buyers, 0 left
 *
 *     3. A producer, a queue, two consumers
 *        Jane made Spam 0
 *        Lisa ate Spam 0
 *        …
 *        Lisa ate 5, Annie ate 5
 *
 * @module
 */
import { getpid, Lock, Process, Queue } from "@multiprocessing/deno";
import { createConnection } from "@multiprocessing/deno/socket";
import { StreamRequestHandler, ThreadingTCPServer } from "@multiprocessing/deno/socketserver";
import { sleep, useStartMethod } from "./options.ts";

/** Reads one line, works on it for half a second, answers in capitals and tells its process id. */
export class Shouter extends StreamRequestHandler {
  override async handle(): Promise<void> {
    const line = new TextDecoder().decode(await this.rfile.readline()).trim();
    await sleep(0.5);
    await this.request.sendall(`${getpid()} ${line.toUpperCase()}\n`);
  }
}

/** Buys a ticket if there is one left. Reading, thinking and writing are one step, because of the lock. */
export async function buy(name: string, lock: Lock, file: string): Promise<void> {
  using _ = await lock.guard();
  const left = Number(await Deno.readTextFile(file));
  await sleep(0.1);
  if (left === 0) {
    console.log(`   ${name} came too late`);
  } else {
    await Deno.writeTextFile(file, String(left - 1));
    console.log(`   ${name} bought a ticket, ${left - 1} left`);
  }
}

/** Makes ten dishes, then one `null` for each consumer. */
export async function produce(dishes: Queue<string | null>, consumers: number): Promise<void> {
  for (let i = 0; i < 10; i++) {
    await sleep(0.1 * Math.random());
    console.log(`   Jane made Spam ${i}`);
    await dishes.put(`Spam ${i}`);
  }
  for (let i = 0; i < consumers; i++) await dishes.put(null);
}

/** Eats until it gets a `null`, then reports how much it ate. */
export async function consume(
  name: string,
  dishes: Queue<string | null>,
  eaten: Queue<string>,
): Promise<void> {
  let count = 0;
  while (true) {
    const dish = await dishes.get();
    if (dish === null) break;
    await sleep(0.1 + 0.1 * Math.random());
    console.log(`   ${name} ate ${dish}`);
    count += 1;
  }
  await eaten.put(`${name} ate ${count}`);
}

async function talk(port: number, i: number): Promise<string> {
  using socket = await createConnection(["127.0.0.1", port]);
  await socket.sendall(`hello from client ${i}\n`);
  let answer = "";
  const decoder = new TextDecoder();
  while (!answer.endsWith("\n")) {
    const data = await socket.recv(1024);
    if (data.length === 0) {
      throw new Error(`Cannot read the answer to client ${i}: the server closed the connection`);
    }
    answer += decoder.decode(data, { stream: true });
  }
  const [pid = "", ...words] = answer.trim().split(" ");
  console.log(`   client ${i} hears "${words.join(" ")}"`);
  return pid;
}

async function serve(clients: number): Promise<void> {
  console.log("1. A server with a process for every client");
  const server = new ThreadingTCPServer(["127.0.0.1", 0], Shouter); // port 0: any free one
  const serving = server.serveForever();
  const [host, port] = server.serverAddress;
  console.log(`   listening on ${host}:${port}; each answer takes 500 ms of work`);

  console.log(`   ${clients} clients come at once`);
  const begin = performance.now();
  const pids = await Promise.all(Array.from({ length: clients }, (_, i) => talk(port, i)));
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  console.log(
    `   ${clients} answers from ${new Set(pids).size} processes in ${seconds} s; ` +
      `one after another they would take ${(clients * 0.5).toFixed(1)} s`,
  );

  await server.shutdown();
  await serving;
  server.serverClose();
}

async function sell(tickets: number, names: string[]): Promise<void> {
  console.log(`\n2. A ticket office: ${tickets} tickets, ${names.length} buyers, one lock`);
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, String(tickets));

  const lock = new Lock();
  const buyers = names.map((name) => new Process({ target: buy, args: [name, lock, file] }));
  for (const buyer of buyers) buyer.start();
  for (const buyer of buyers) await buyer.join();

  const left = Number(await Deno.readTextFile(file));
  console.log(`   ${tickets - left} tickets sold to ${names.length} buyers, ${left} left`);
  await Deno.remove(file);
}

async function feed(names: string[]): Promise<void> {
  console.log("\n3. A producer, a queue, two consumers");
  const dishes = new Queue<string | null>();
  const eaten = new Queue<string>();
  const processes = [
    new Process({ target: produce, args: [dishes, names.length] }),
    ...names.map((name) => new Process({ target: consume, args: [name, dishes, eaten] })),
  ];
  for (const process of processes) process.start();
  for (const process of processes) await process.join();
  const reports = [];
  for (const _ of names) reports.push(await eaten.get());
  console.log(`   ${reports.join(", ")}`);
}

if (import.meta.main) {
  useStartMethod();
  await serve(20);
  await sell(3, ["alex", "wusir", "baoyuan", "taibai", "egon", "yuan"]);
  await feed(["Lisa", "Annie"]);
}
