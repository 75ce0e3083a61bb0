/**
 * Request handlers, which workers import, and how to be a client of theirs.
 *
 * @module
 */
import { exit, getpid, type Queue } from "@multiprocessing/deno";
import {
  type Address,
  createConnection,
  type DatagramSocket,
  SHUT_WR,
  type Socket,
} from "@multiprocessing/deno/socket";
import {
  BaseRequestHandler,
  type DatagramRequest,
  DatagramRequestHandler,
  StreamRequestHandler,
} from "@multiprocessing/deno/socketserver";

/** Sends everything back. */
export class Echo extends BaseRequestHandler {
  override async handle(): Promise<void> {
    for (let data; (data = await this.request.recv(65536)).length > 0;) await this.request.sendall(data);
  }
}

/** Sends everything back, and blocks its worker meanwhile. */
export class EchoSync extends BaseRequestHandler {
  override handle(): void {
    for (let data; (data = this.request.recvSync(65536)).length > 0;) this.request.sendSync(data);
  }
}

/** Sends every line back in capitals. */
export class Upper extends StreamRequestHandler {
  override async handle(): Promise<void> {
    for await (const line of this.rfile) await this.wfile.write(text(line).toUpperCase());
  }
}

/** Speaks just enough HTTP: answers each request of a connection with its path, and keeps the connection. */
export class Http extends StreamRequestHandler {
  override async handle(): Promise<void> {
    for (let path = ""; (path = await this.#requestPath()) !== "";) {
      await this.wfile.write(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`);
    }
  }

  async #requestPath(): Promise<string> {
    const path = text(await this.rfile.readline()).split(" ")[1] ?? "";
    while (text(await this.rfile.readline()).trim() !== "");
    return path;
  }
}

/** Answers each line as Redis answers PING; what it answers to several that came together leaves in one piece. */
export class Pong extends BaseRequestHandler {
  override async handle(): Promise<void> {
    for (let data; (data = await this.request.recv(65536)).length > 0;) {
      const lines = data.reduce((count, byte) => byte === 10 ? count + 1 : count, 0);
      await this.request.sendall("+PONG\r\n".repeat(lines));
    }
  }
}

/** Sends one line back, as the handlers of CPython's tests do. */
export class Line extends StreamRequestHandler<unknown[], Address> {
  override async handle(): Promise<void> {
    await this.wfile.write(await this.rfile.readline());
  }
}

/** Sends one line of a datagram back. */
export class DatagramLine extends DatagramRequestHandler<unknown[], Address> {
  override async handle(): Promise<void> {
    await this.wfile.write(await this.rfile.readline());
  }
}

/** Tells on the queue in `args` that it was called, then throws, or ends its process if that is what it shall do. */
export class Bad extends BaseRequestHandler<[called: Queue<string>, how: "throws" | "exits"]> {
  override async handle(): Promise<void> {
    const [called, how] = this.args;
    await called.put("Handler called");
    if (how === "exits") exit(3);
    throw new Refused("Test error");
  }
}

/** Tells on the queue in `args` which of its methods are called; throws if the client says so. */
export class Telling extends BaseRequestHandler<[calls: Queue<string>]> {
  override async setup(): Promise<void> {
    await this.args[0].put("setup");
  }

  override async handle(): Promise<void> {
    await this.args[0].put("handle");
    if (text(await this.request.recv(1)) === "!") throw new Refused("asked to");
  }

  override async finish(): Promise<void> {
    await this.args[0].put("finish");
  }
}

/** Gathers what it writes; only `finish` sends it. */
export class Gathering extends StreamRequestHandler {
  static override wbufsize = 1024;

  override async handle(): Promise<void> {
    for (const word of ["one ", "two ", "three"]) await this.wfile.write(word);
  }
}

/** Gives up after 20 ms. */
export class Impatient extends StreamRequestHandler {
  static override timeout = 20;

  override async handle(): Promise<void> {
    await this.rfile.readline();
  }
}

/** An error of our own. */
export class Refused extends Error {
  override name = "Refused";
  reason = "asked to";
}

/** What an {@link Actor} tells. */
export type Report = [event: string, ...details: unknown[]];

/** Does what the client's first line says, and tells on the queue in `args`, if there is one, how that went. */
export class Actor extends StreamRequestHandler<[reports?: Queue<Report>]> {
  static override rbufsize = 0;

  override async handle(): Promise<void> {
    const [command, ...words] = text(await this.rfile.readline()).trim().split(" ");
    await (this[command as "echo"] as (...words: string[]) => Promise<void>)(...words);
  }

  async echo(): Promise<void> {
    for (let data; (data = await this.request.recv(65536)).length > 0;) await this.request.sendall(data);
  }

  async pid(): Promise<void> {
    await this.wfile.write(String(getpid()));
  }

  async throws(): Promise<void> {
    await this.wfile.write("before");
    throw new Refused("I throw");
  }

  throwsFunction(): Promise<void> {
    throw () => 1;
  }

  async exits(code: string): Promise<void> {
    await this.wfile.write("before");
    exit(Number(code));
  }

  async spins(): Promise<void> {
    await this.wfile.write(`spinning ${getpid()}`);
    for (;;);
  }

  /** Counts the bytes that come, and answers after the end of them. */
  async counts(): Promise<void> {
    let count = 0;
    for (let data; (data = await this.request.recv(65536)).length > 0;) count += data.length;
    await this.wfile.write(String(count));
  }

  async sends(count: string): Promise<void> {
    await this.request.sendall(new Uint8Array(Number(count)).fill(7));
  }

  /** Sends until nobody takes it any more. */
  async blasts(): Promise<void> {
    this.request.settimeout(300);
    const chunk = new Uint8Array(64 * 1024);
    let sent = 0;
    try {
      for (;;) sent += await this.request.send(chunk);
    } catch (error) {
      await this.#tell("blasted", sent, (error as Error).name);
    }
  }

  /** Half of what it sends is not read; the client then resets the connection. */
  async isReset(): Promise<void> {
    await this.request.sendall("ab");
    const received = await this.request.recv(10).then((data) => data.length, (error) => error.name);
    let sent = "sent";
    while (sent === "sent") {
      sent = await this.request.send(new Uint8Array(1024)).then(() => "sent", (error) => error.name);
    }
    await this.#tell("reset", received, sent);
  }

  /** Stops the server, which shall wait so long for those who are at work. */
  async drains(deadline: string): Promise<void> {
    await this.server.shutdown({ deadline: Number(deadline) });
    await this.wfile.write("draining");
    await new Promise(() => {});
  }

  async stops(): Promise<void> {
    await this.server.shutdown();
    await this.wfile.write(`stopping ${this.server.serverAddress[1]}`);
  }

  /** Closes the connection itself, and tries to go on. */
  async closes(): Promise<void> {
    await this.request.sendall("closing");
    this.request.close();
    this.request.close();
    const sent = await this.request.send("x").then(() => "sent", (error) => error.name);
    const received = await this.request.recv(1).then(() => "received", (error) => error.name);
    await this.#tell("closed", sent, received);
  }

  /** Waits for what does not come: with the event loop, then blocking. */
  async timesOut(): Promise<void> {
    this.request.settimeout(20);
    const names = [await this.request.recv(1).then(() => "received", (error) => error.name)];
    try {
      this.request.recvSync(1);
    } catch (error) {
      names.push((error as Error).name);
    }
    await this.wfile.write(names.join());
  }

  /** Goes on to the end of its input, and then says that it is done. */
  async finishes(): Promise<void> {
    await this.request.sendall("at work");
    await this.rfile.read();
    await this.request.sendall("done");
  }

  /** Reads and writes as web streams. */
  async streams(): Promise<void> {
    const upper = new TransformStream<string, string>({
      transform: (text, controller) => controller.enqueue(text.toUpperCase()),
    });
    await this.request.readable
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(upper)
      .pipeThrough(new TextEncoderStream())
      .pipeTo(this.request.writable);
  }

  /** Ends its own side first, and goes on listening. */
  async halves(): Promise<void> {
    await this.wfile.write("half");
    await this.request.shutdown(SHUT_WR);
    await this.#tell("received", text(await this.rfile.read()));
  }

  /** Leaves a `recv` behind that nobody awaits. */
  async abandons(): Promise<void> {
    const pending = this.request.recv(1);
    pending.catch((error) => this.#tell("abandoned", error.name));
    await this.wfile.write("left");
  }

  /** Says that it is at work, and never ends by itself. */
  async hangs(): Promise<void> {
    await this.request.sendall("hanging");
    await new Promise(() => {});
  }

  async #tell(...report: Report): Promise<void> {
    await this.args[0]!.put(report);
  }
}

/** Answers in capitals, line by line, or throws if it is asked to. */
export class Shouting extends DatagramRequestHandler {
  override async handle(): Promise<void> {
    if (text(this.packet) === "throw") throw new Refused("asked to");
    for await (const line of this.rfile) await this.wfile.write(text(line).toUpperCase());
  }
}

/** Tells what it has got, and whether it may read files if that is the question. */
export class Answering extends BaseRequestHandler<[end: string], DatagramRequest> {
  override async handle(): Promise<void> {
    const [data, socket] = this.request;
    await socket.sendto(this.#answer(text(data), socket), this.clientAddress);
  }

  #answer(question: string, socket: DatagramSocket): string {
    if (question !== "may I read?") {
      return `${socket.getsockname().join(":")} hears "${question}" from ${this.clientAddress[1]}${
        this.args[0]
      }`;
    }
    try {
      return Deno.readTextFileSync("/etc/hostname");
    } catch (error) {
      return (error as Error).name;
    }
  }
}

/** Writes down which of its methods are called. In the server's own process. */
export class Recorder extends BaseRequestHandler {
  static calls: string[] = [];

  override setup(): void {
    Recorder.calls.push("setup");
  }

  override async handle(): Promise<void> {
    Recorder.calls.push("handle");
    if (text(await this.request.recv(1)) === "!") throw new Refused("I throw");
  }

  override finish(): void {
    Recorder.calls.push("finish");
  }
}

/** Bytes as text. */
export function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Everything that comes until the end. */
export async function rest(socket: Socket): Promise<string> {
  return text(await socket.makefile("r").read());
}

/** Connects, says one line, and gives the socket. */
export function say(address: [string, number], line: string): Promise<Socket> {
  return sayTo(createConnection(address), line);
}

/** Says one line over a connection that is being made, and gives the socket. */
export async function sayTo(connecting: Promise<Socket>, line: string): Promise<Socket> {
  const socket = await connecting;
  try {
    await socket.sendall(`${line}\n`);
    return socket;
  } catch (error) {
    socket.close(); // refused
    throw error;
  }
}

/** Connects, says one line, and gives everything that comes until the end. */
export async function ask(address: [string, number], line: string): Promise<string> {
  using socket = await say(address, line);
  await socket.shutdown(SHUT_WR);
  return await rest(socket);
}
