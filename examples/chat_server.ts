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
 * Workers share nothing by themselves, so the room is made of things that are shared: a lock, an array of seats and a
 * mailbox for each seat. They reach the handlers by the server's `args`.
 *
 * Run: `deno run -A examples/chat_server.ts`, then in other terminals `nc 127.0.0.1 9001`: the first line is your name.
 * `--port=0` takes any free port. Ctrl-C stops it.
 *
 * Prints, with other names:
 *
 *     serving on 127.0.0.1:9001, stop with Ctrl-C
 *     Alice has come
 *     Bob has come
 *     Alice has gone
 *     stopped
 *
 * @module
 */
import { Lock, Queue, SharedArray } from "@multiprocessing/deno";
import { StreamRequestHandler, ThreadingTCPServer } from "@multiprocessing/deno/socketserver";
import { option } from "./options.ts";

const SEATS = 32;

/** What the room is made of. */
export interface Furniture {
  /** Held by whoever changes who is there. */
  lock: Lock;
  /** 1 for each seat that is taken. */
  taken: SharedArray;
  /** For each seat, what its guest shall hear. */
  mailboxes: Queue<string>[];
}

/**
 * Who is there. Only this class knows how that is kept; with a manager it could be one dict, from names to mailboxes.
 */
class Room {
  readonly #furniture: Furniture;

  constructor(furniture: Furniture) {
    this.#furniture = furniture;
  }

  /** Takes a seat; gives its number, or -1 if there is none. */
  async enter(): Promise<number> {
    const { lock, taken, mailboxes } = this.#furniture;
    using _held = await lock.guard();
    const seat = mailboxes.findIndex((_, seat) => taken[seat] === 0);
    if (seat < 0) return -1;
    while (!mailboxes[seat]!.empty()) await mailboxes[seat]!.get(); // what was meant for the guest before
    taken[seat] = 1;
    return seat;
  }

  /** Gives the seat up. */
  async leave(seat: number): Promise<void> {
    using _held = await this.#furniture.lock.guard();
    this.#furniture.taken[seat] = 0;
  }

  /** Says something to everybody but whoever sits here. */
  async say(text: string, seat: number): Promise<void> {
    const { lock, taken, mailboxes } = this.#furniture;
    using _held = await lock.guard();
    for (const [other, mailbox] of mailboxes.entries()) {
      if (taken[other] === 1 && other !== seat) await mailbox.put(text);
    }
  }

  /** The next thing to be heard here. */
  hear(seat: number, signal: AbortSignal): Promise<string> {
    return this.#furniture.mailboxes[seat]!.get({ signal });
  }
}

export class Chat extends StreamRequestHandler<[furniture: Furniture]> {
  override async handle(): Promise<void> {
    const room = new Room(this.args[0]);
    const name = await this.#line();
    if (name === undefined || name === "") return;
    const seat = await room.enter();
    if (seat < 0) return void await this.wfile.write("There is no seat left.\n");
    const leaving = new AbortController();
    const hearing = this.#hear(room, seat, leaving.signal);
    try {
      await this.#announce(room, `${name} has come`, seat);
      await this.wfile.write(`Welcome, ${name}.\n`);
      for (let line; (line = await this.#line()) !== undefined;) await room.say(`${name}: ${line}`, seat);
    } finally {
      leaving.abort();
      await room.leave(seat);
      await this.#announce(room, `${name} has gone`, seat);
      await hearing;
    }
  }

  /** Tells the client what is said to it, until it leaves. */
  async #hear(room: Room, seat: number, signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) await this.wfile.write(`${await room.hear(seat, signal)}\n`);
    } catch {
      // It leaves, or is gone already, which the end of its lines will tell.
    }
  }

  async #announce(room: Room, text: string, seat: number): Promise<void> {
    console.log(text);
    await room.say(text, seat);
  }

  async #line(): Promise<string | undefined> {
    const line = await this.rfile.readline(1000);
    return line.length === 0 ? undefined : new TextDecoder().decode(line).trim();
  }
}

if (import.meta.main) {
  const furniture: Furniture = {
    lock: new Lock(),
    taken: new SharedArray("B", SEATS),
    mailboxes: Array.from({ length: SEATS }, () => new Queue<string>()),
  };
  const port = Number(option("port") ?? 9001);
  await using server = new ThreadingTCPServer(["127.0.0.1", port], Chat, { args: [furniture] });

  const stop = () => void server.shutdown();
  Deno.addSignalListener("SIGINT", stop);
  Deno.addSignalListener(Deno.build.os === "windows" ? "SIGBREAK" : "SIGTERM", stop);

  console.log(`serving on ${server.serverAddress.join(":")}, stop with Ctrl-C`);
  await server.serveForever();
  await server.serverClose(); // the guests see the end of what they can say, and go
  console.log("stopped");
}
