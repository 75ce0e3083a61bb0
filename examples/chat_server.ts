// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * A chat: what one client says all others hear. Each client has a worker to itself, and the workers share a room.
 *
 * Python, with the threads of one process, which share their memory:
 *
 *     class Chat(socketserver.StreamRequestHandler):
 *         def handle(self):
 *             name = self.rfile.readline().strip().decode()
 *             room[name] = self.wfile
 *             for line in self.rfile:
 *                 for other in room: ...
 *
 * Workers share nothing by themselves, so the room is a manager's dict, from the names of those who are there to their
 * mailboxes. It reaches the handlers by the server's `args`; a mailbox is a queue, and travels through the dict.
 *
 * Run: `deno run -A examples/chat_server.ts`, then in other terminals `nc 127.0.0.1 9001`: the first line is your name.
 * `--port=0` takes any free port. Ctrl-C stops it.
 *
 * Prints, with other names:
 *
 *     serving on 127.0.0.1:9001, stop with Ctrl-C
 *     Alice has come
 *     Bob has come
 *     Bob: hello
 *     Alice has gone
 *     stopped
 *
 * @module
 */
import { type DictProxy, Lock, Manager, Queue } from "@multiprocessing/deno";
import { StreamRequestHandler, ThreadingTCPServer } from "@multiprocessing/deno/socketserver";
import { option } from "./options.ts";

/** Who is there, and where to put what they shall hear. */
export type Room = DictProxy<string, Queue<string>>;

export class Chat extends StreamRequestHandler<[room: Room, lock: Lock]> {
  override async handle(): Promise<void> {
    const name = await this.#line();
    if (name === undefined || name === "") return;
    using mailbox = new Queue<string>();
    await mailbox.put(`Welcome, ${name}.`);
    if (!await this.#enter(name, mailbox)) {
      return void await this.wfile.write(`There is a ${name} already.\n`);
    }
    const leaving = new AbortController();
    const hearing = this.#hear(mailbox, leaving.signal);
    try {
      await this.#say(name, `${name} has come`);
      for (let line; (line = await this.#line()) !== undefined;) {
        await this.#say(name, `${name}: ${line}`);
      }
    } finally {
      leaving.abort();
      await this.#leave(name);
      await hearing;
    }
  }

  /** Puts a mailbox into the room; `false` if the name is taken. */
  async #enter(name: string, mailbox: Queue<string>): Promise<boolean> {
    const [room, lock] = this.args;
    using _held = await lock.guard(); // nobody comes between the question and the answer
    if (await room.has(name)) return false;
    await room.set(name, mailbox);
    return true;
  }

  async #leave(name: string): Promise<void> {
    const [room, lock] = this.args;
    {
      using _held = await lock.guard();
      await room.delete(name);
    }
    await this.#say(name, `${name} has gone`);
  }

  /** Says something to everybody else. Since one speaks at a time, all hear it in one order. */
  async #say(name: string, text: string): Promise<void> {
    const [room, lock] = this.args;
    using _held = await lock.guard();
    for (const [other, mailbox] of await room.items()) if (other !== name) await mailbox.put(text);
    console.log(text);
  }

  /** Tells the client what is said to it, until it leaves. */
  async #hear(mailbox: Queue<string>, signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) await this.wfile.write(`${await mailbox.get({ signal })}\n`);
    } catch {
      // It leaves, or is gone already, which the end of its lines will tell.
    }
  }

  async #line(): Promise<string | undefined> {
    const line = await this.rfile.readline(1000);
    return line.length === 0 ? undefined : new TextDecoder().decode(line).trim();
  }
}

if (import.meta.main) {
  await using manager = Manager();
  const args = [manager.dict<string, Queue<string>>(), new Lock()];
  const port = Number(option("port") ?? 9001);
  await using server = new ThreadingTCPServer(["127.0.0.1", port], Chat, { args });

  const stop = () => void server.shutdown();
  Deno.addSignalListener("SIGINT", stop);
  Deno.addSignalListener(Deno.build.os === "windows" ? "SIGBREAK" : "SIGTERM", stop);

  console.log(`serving on ${server.serverAddress.join(":")}, stop with Ctrl-C`);
  await server.serveForever();
  await server.serverClose(); // the guests see the end of what they can say, and go
  console.log("stopped");
}
