/**
 * `"spawn"` children: operating-system processes that run the same program's modules, and the socket to each.
 *
 * The child is started on the program's own main module, so that configuration, import map and lock file are found
 * as the parent found them, with our first module preloaded, which takes over before the main module runs. It
 * learns where to connect from its stdin, which nobody else can read, and proves itself with a key from there.
 * The socket is its lifeline: at its end the child knows that its parent is gone.
 */

import { childArguments, memoryFlags, setArguments } from "./compiled.ts";
import { firstModule } from "./modules.ts";
import { exitCodeOf } from "./signals.ts";

/** Frames over a socket: length, then bytes. */
export class SocketLine {
  readonly #conn: Deno.Conn;
  #outgoing: Uint8Array[] = [];
  #writing = false;
  #closed = false;
  #flushed: (() => void)[] = [];

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
    if (conn.remoteAddr.transport === "tcp") (conn as Deno.TcpConn).setNoDelay(true);
    // What is awaited keeps the program up, not the socket.
    (conn as Deno.UnixConn).unref();
  }

  /** Sends a frame; frames leave in order. */
  send(bytes: Uint8Array): void {
    const frame = new Uint8Array(4 + bytes.length);
    new DataView(frame.buffer).setUint32(0, bytes.length);
    frame.set(bytes, 4);
    this.#outgoing.push(frame);
    if (!this.#writing) this.#write();
  }

  async #write(): Promise<void> {
    this.#writing = true;
    try {
      while (this.#outgoing.length > 0) {
        let batch = this.#outgoing.length === 1 ? this.#outgoing[0]! : concat(this.#outgoing);
        this.#outgoing = [];
        while (batch.length > 0) batch = batch.subarray(await this.#conn.write(batch));
      }
    } catch {
      // The other side is gone; the reading side sees that and says so.
      this.#outgoing = [];
    }
    this.#writing = false;
    for (const flushed of this.#flushed.splice(0)) flushed();
  }

  /** Settles when everything sent has left. */
  flush(): Promise<void> {
    return this.#writing ? new Promise((resolve) => this.#flushed.push(resolve)) : Promise.resolve();
  }

  /** Yields the frames that arrive, until the other side is gone. Each is valid until the next is asked for. */
  async *frames(): AsyncIterableIterator<Uint8Array> {
    let buffer = new Uint8Array(64 * 1024);
    let start = 0; // of what is not yielded yet
    let end = 0;
    try {
      for (;;) {
        const read = await this.#conn.read(buffer.subarray(end));
        if (read === null) return;
        end += read;
        let missing = 4;
        while (end - start >= 4) {
          const length = new DataView(buffer.buffer).getUint32(start);
          missing = 4 + length;
          if (end - start < missing) break;
          yield buffer.subarray(start + 4, start + missing);
          start += missing;
          missing = 4;
        }
        // The next frame gets the room it needs at once, so that a long one is copied once and not once per read.
        if (buffer.length - start >= missing && end < buffer.length) continue;
        const next = missing > buffer.length ? new Uint8Array(missing) : buffer;
        next.set(buffer.subarray(start, end));
        buffer = next;
        end -= start;
        start = 0;
      }
    } catch (error) {
      // Reset by a peer that was killed, or closed by ourselves: the end all the same.
      if (!(error instanceof Deno.errors.ConnectionReset || this.#closed)) throw error;
    } finally {
      this.close();
    }
  }

  /** Closes the socket. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Where a child connects, and what proves that it is the child. */
export interface Lifeline {
  readonly address: { transport: "unix"; path: string } | {
    transport: "tcp";
    hostname: string;
    port: number;
  };
  readonly key: string;
  /** The program's arguments, which a compiled program is not started with again. */
  readonly args?: readonly string[];
}

/** A child process, from its creator's side. */
export interface ChildProcess {
  readonly pid: number;
  /** Sends a signal; nothing happens when the child is gone. */
  signal(name: "SIGTERM" | "SIGKILL"): void;
  /** The exit code once it has ended; negative for a signal. */
  readonly status: Promise<number>;
  /** The socket, once the child has connected; rejects if it ends before. */
  readonly line: Promise<SocketLine>;
}

/**
 * Starts a child process that runs `bootUrl` first.
 *
 * @param bootUrl Our own first module.
 * @param modules What it will import of the user's, so that it needs no permission for that.
 * @param permissions What it may do, as flags.
 */
export function startChildProcess(
  bootUrl: string,
  modules: readonly string[],
  permissions: readonly string[],
  memoryMb?: number,
): ChildProcess {
  const { mainModule: main, args } = Deno;
  const { standalone } = Deno.build;
  const limit = memoryFlags(memoryMb, standalone);
  const { listener, flags } = listen(permissions);
  listener.unref();
  const key = crypto.randomUUID() + crypto.randomUUID();
  const boot = firstModule([main, ...modules.filter((url) => url !== main && url !== "")], bootUrl);
  const child = new Deno.Command(Deno.execPath(), {
    args: childArguments({ standalone, main, args }, boot, [...flags, ...limit]),
    stdin: "piped",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  child.unref();
  const lifeline: Lifeline = { address: addressOf(listener), key, ...(standalone && { args }) };
  const status = exitCodeOf(child.status);
  return {
    pid: child.pid,
    status,
    signal(name) {
      try {
        child.kill(name);
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // it has ended already
      }
    },
    line: greet(listener, key, status, tell(child.stdin, lifeline)),
  };
}

async function tell(stdin: WritableStream<Uint8Array>, lifeline: Lifeline): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(JSON.stringify(lifeline) + "\n"));
    await writer.close();
  } catch {
    // It ended before it could read; its status says how.
  }
}

async function greet(
  listener: Deno.Listener,
  key: string,
  status: Promise<number>,
  told: Promise<void>,
): Promise<SocketLine> {
  const ended = status.then((code) => {
    throw new Error(`the process ended with code ${code} before it was ready`);
  });
  try {
    for (;;) {
      const conn = await Promise.race([listener.accept(), ended]);
      if (await knows(conn, key)) return new SocketLine(conn);
      conn.close();
    }
  } finally {
    listener.close();
    await told;
  }
}

async function knows(conn: Deno.Conn, key: string): Promise<boolean> {
  const said = new Uint8Array(key.length);
  for (let at = 0; at < said.length;) {
    const read = await conn.read(said.subarray(at));
    if (read === null) return false;
    at += read;
  }
  return new TextDecoder().decode(said) === key;
}

/** Where the child shall connect, and its flags with what lets it connect there. */
function listen(permissions: readonly string[]): { listener: Deno.Listener; flags: readonly string[] } {
  const open = permissions.some((flag) => flag === "-A" || flag === "--allow-net");
  if (Deno.build.os === "linux" && open) {
    // An abstract socket leaves no file behind, but no permission short of all can name it.
    const path = `\0multiprocessing-${crypto.randomUUID()}`;
    return {
      listener: Deno.listen({ transport: "unix", path }) as unknown as Deno.Listener,
      flags: permissions,
    };
  }
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return { listener, flags: open ? permissions : withHost(permissions, `127.0.0.1:${listener.addr.port}`) };
}

function withHost(permissions: readonly string[], host: string): string[] {
  const rest = permissions.filter((flag) => !flag.startsWith("--allow-net="));
  const hosts = permissions.find((flag) => flag.startsWith("--allow-net="));
  return [...rest, hosts === undefined ? `--allow-net=${host}` : `${hosts},${host}`];
}

function addressOf(listener: Deno.Listener): Lifeline["address"] {
  const { addr } = listener as { addr: Deno.Addr };
  if (addr.transport === "unix") return { transport: "unix", path: addr.path };
  const { hostname, port } = addr as Deno.NetAddr;
  return { transport: "tcp", hostname, port };
}

/**
 * Has the kernel end this process with its creator, even while it is too busy to see the end of its lifeline. On Linux,
 * where this process may call into the C library; elsewhere a child that never yields outlives a killed creator.
 */
export function dieWithCreator(): void {
  if (Deno.build.os !== "linux" || Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return;
  const SET_PARENT_DEATH_SIGNAL = 1;
  const SIGKILL = 9n;
  const libc = Deno.dlopen("libc.so.6", {
    prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
  });
  libc.symbols.prctl(SET_PARENT_DEATH_SIGNAL, SIGKILL, 0n, 0n, 0n);
  libc.close();
}

/** The child's side: reads where to connect from stdin, and connects. */
export async function connectToCreator(): Promise<SocketLine> {
  const { address, key, args } = JSON.parse(await readLine()) as Lifeline;
  if (args !== undefined) setArguments(args);
  const conn = address.transport === "unix" ? await Deno.connect(address) : await Deno.connect(address);
  const bytes = new TextEncoder().encode(key);
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
  return new SocketLine(conn);
}

async function readLine(): Promise<string> {
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(1024);
  for (let text = "";;) {
    const read = await Deno.stdin.read(chunk);
    text += decoder.decode(chunk.subarray(0, read ?? 0), { stream: true });
    if (read === null || text.endsWith("\n")) return text;
  }
}
