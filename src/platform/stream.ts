/** Byte streams between programs: kernel sockets, TCP and Unix, with their failures reduced to what matters. */

import { OSError } from "../base/errors.ts";
import { afterMs } from "./runtime.ts";

/** Where somebody listens: the path of a Unix socket, or a host and port. */
export type SocketAddress = string | { readonly hostname: string; readonly port: number };

/** One end of a connection. It keeps no event loop up; whoever awaits something does. */
export class Stream {
  readonly #conn: Deno.TcpConn | Deno.UnixConn;
  /** Who is at the other end: host and port, or an empty text for a Unix socket. */
  readonly peer: SocketAddress;
  #closed = false;

  constructor(conn: Deno.TcpConn | Deno.UnixConn) {
    this.#conn = conn;
    const { remoteAddr } = conn;
    this.peer = remoteAddr.transport === "tcp"
      ? { hostname: remoteAddr.hostname, port: remoteAddr.port }
      : "";
    if ("setNoDelay" in conn) conn.setNoDelay(true);
    conn.unref();
  }

  /** Reads into a buffer; 0 at the end, whether the other side closed, was killed, or we closed. */
  async read(into: Uint8Array): Promise<number> {
    try {
      return await this.#conn.read(into) ?? 0;
    } catch {
      return 0;
    }
  }

  /** Writes all of the bytes; `false` if the other side is gone, or we closed. */
  async write(bytes: Uint8Array): Promise<boolean> {
    try {
      while (bytes.length > 0) bytes = bytes.subarray(await this.#conn.write(bytes));
      return true;
    } catch {
      return false;
    }
  }

  /** Closes it. What was written is still delivered. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }
}

/** Lets what the kernel has ready arrive. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** How long to wait before trying again what the system had no room for. */
const NO_ROOM_MS = 20;

/** Listeners whose socket files would outlive the program. */
const open = new Set<StreamListener>();

/** A listening socket. It keeps no event loop up. */
export class StreamListener {
  readonly #listener: Deno.TcpListener | Deno.UnixListener;
  /** Where it listens, with the port it really has. */
  readonly address: SocketAddress;
  /** The directory that was made for its socket. */
  readonly #directory: string | undefined;
  #closed = false;

  constructor(listener: Deno.TcpListener | Deno.UnixListener, directory?: string) {
    this.#listener = listener;
    this.#directory = directory;
    const { addr } = listener;
    this.address = "path" in addr ? addr.path : { hostname: addr.hostname, port: addr.port };
    listener.unref();
    if (!("path" in addr)) return;
    if (open.size === 0) addEventListener("unload", closeAll);
    open.add(this);
  }

  /** The next connection; nothing once it is closed. */
  async accept(): Promise<Stream | undefined> {
    for (;;) {
      try {
        return new Stream(await this.#listener.accept());
      } catch {
        // A client that hung up at once, or no file descriptors left: neither may end the listening.
        if (this.#closed) return undefined;
        await afterMs(NO_ROOM_MS);
      }
    }
  }

  /**
   * Closes it and takes its socket file away. While a connection is awaited the system has the address back only when
   * {@link accept} has returned.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    open.delete(this);
    if (open.size === 0) removeEventListener("unload", closeAll);
    this.#listener.close();
    // Whoever knows already that this process ends may have been faster.
    if (this.#directory !== undefined) removePrivateSocket(this.address as string);
  }
}

// The program ends: what Deno would do a moment later is done now.
function closeAll(): void {
  for (const listener of open) {
    listener.close();
    try {
      Deno.removeSync(listener.address as string);
    } catch {
      // It is gone, or was never a file.
    }
  }
}

/**
 * Opens a listening socket.
 *
 * @param address Where; without, wherever only this user can reach it, if possible: a Unix socket in a new directory,
 * else a port of this machine.
 * @throws {OSError} If the address cannot be had.
 */
export function listenStream(address: SocketAddress | undefined): StreamListener {
  if (address === undefined) return listenPrivately();
  try {
    if (typeof address === "string") {
      return new StreamListener(Deno.listen({ transport: "unix", path: address }));
    }
    return new StreamListener(Deno.listen(address));
  } catch (error) {
    throw osError(`Cannot listen on ${shown(address)}`, error, "choose another address, or none for any");
  }
}

function listenPrivately(): StreamListener {
  if (Deno.build.os !== "windows") {
    let directory: string | undefined;
    try {
      directory = Deno.makeTempDirSync({ prefix: "listener-" });
      return new StreamListener(Deno.listen({ transport: "unix", path: `${directory}/socket` }), directory);
    } catch (error) {
      if (directory !== undefined) Deno.removeSync(directory);
      if (!(error instanceof Deno.errors.NotCapable)) {
        throw osError("Cannot listen on a socket of its own", error, "give an address");
      }
    }
  }
  return listenStream({ hostname: "127.0.0.1", port: 0 });
}

/** Removes what is left of the socket and the directory that were made for a listener without an address. */
export function removePrivateSocket(path: string): void {
  for (const left of [path, path.slice(0, path.lastIndexOf("/"))]) {
    try {
      Deno.removeSync(left);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/**
 * Connects to a listening socket, waiting while its backlog is full.
 *
 * @throws {OSError} If nobody listens there. An aborted `signal` throws its own reason.
 */
export async function connectStream(address: SocketAddress, signal: AbortSignal): Promise<Stream> {
  for (;;) {
    signal.throwIfAborted();
    try {
      const conn = typeof address === "string"
        ? await Deno.connect({ transport: "unix", path: address })
        : await Deno.connect({ ...address, signal });
      return new Stream(conn);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Deno.errors.WouldBlock)) {
        throw osError(`Cannot connect to ${shown(address)}`, error, "check that somebody listens there");
      }
      await afterMs(NO_ROOM_MS);
    }
  }
}

/** An address as part of a sentence. */
export function shown(address: SocketAddress): string {
  return typeof address === "string" ? JSON.stringify(address) : `${address.hostname}:${address.port}`;
}

function osError(what: string, error: unknown, cure: string): Error {
  if (error instanceof Deno.errors.NotCapable) return error;
  const { message, code } = error as Error & { code?: string };
  const why = message.replace(/ \(os error \d+\)$/, "");
  return Object.assign(new OSError(`${what}: ${why}; ${cure}`, { cause: error }), code && { code });
}
