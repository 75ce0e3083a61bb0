/** Sockets of the runtime, and what their failures mean. */

import { OSError } from "../base/errors.ts";
import { afterMs } from "./runtime.ts";

/** Where one end of a connection is: host and port, or the path of a Unix socket, which may be empty. */
export type NetAddress = [hostname: string, port: number] | string;

/** A connection of the runtime, or something that is like one. */
export interface NetConn {
  /** Where this end is. */
  readonly localAddr: Deno.Addr;
  /** Where the other end is. */
  readonly remoteAddr: Deno.Addr;
  /** Receives into a view, which may be of shared memory; `null` at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Sends from a view, which may be of shared memory; how many bytes that were. */
  write(from: Uint8Array): Promise<number>;
  /** Tells the other side that no more bytes will come. */
  closeWrite(): Promise<void>;
  /** Lets the connection go; pending calls reject. */
  close(): void;
  /** Sends small amounts at once, or gathers them; where there is such a choice. */
  setNoDelay?(on: boolean): void;
  /** Settles when both sides have agreed on a secret; where they have to. */
  handshake?(): Promise<unknown>;
}

/** A listening kernel socket. */
export type NetListener = Deno.TcpListener | Deno.UnixListener;

/** How long to wait before trying again what the system had no room for. */
const NO_ROOM_MS = 20;

/** Why a call on a socket failed: cut off by the peer, closed on this side, or something else. */
export type NetFault = "reset" | "closed" | "other";

/** What an error of {@link NetConn} or {@link NetListener} means. */
export function faultOf(error: unknown): NetFault {
  if (
    error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.NotConnected ||
    error instanceof Deno.errors.UnexpectedEof
  ) return "reset";
  const { code } = error as { code?: unknown };
  if (code === "ECONNRESET" || code === "EPIPE" || code === "ENOTCONN") return "reset";
  if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return "closed";
  return "other";
}

/**
 * Opens a listening socket. The address may be used again at once after a server that had it has ended.
 *
 * @param address Host, every interface when empty, and port, 0 for any that is free; or the path of a Unix socket.
 * @param backlog How many connections the kernel holds that nobody has accepted yet.
 * @throws {OSError} If the address cannot be had.
 */
export function listenNet(address: Readonly<NetAddress>, backlog: number): NetListener {
  try {
    if (typeof address === "string") return Deno.listen({ transport: "unix", path: address });
    const [hostname, port] = address;
    return Deno.listen({ hostname: hostname === "" ? "0.0.0.0" : hostname, port, tcpBacklog: backlog });
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    const cure = typeof address === "string"
      ? "choose another path, or remove the file if nobody uses it"
      : "choose another address, or port 0 for any";
    throw osError(`Cannot listen on ${shownAddress(address)}`, error, cure);
  }
}

/** How to speak TLS with a server. */
export interface TlsClientOptions {
  /** Certificates, as PEM texts, that are trusted besides those of the system. */
  caCerts?: string[];
  /** The name in the server's certificate; the host one connects to when left out. */
  hostname?: string;
  /** The application protocols to offer. */
  alpnProtocols?: string[];
}

/**
 * Connects to a listening socket.
 *
 * @throws {OSError} If nobody listens there, the address is unknown, or TLS fails.
 */
export async function connectNet(
  address: Readonly<NetAddress>,
  tls?: TlsClientOptions,
  signal?: AbortSignal,
): Promise<NetConn> {
  try {
    if (typeof address === "string") return await connectUnix(address, signal);
    const [hostname, port] = address;
    const conn = await Deno.connect({ hostname, port, ...(signal && { signal }) });
    conn.setNoDelay(true);
    return tls === undefined ? conn : await startTls(conn, { hostname, ...tls }, signal);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (error instanceof Deno.errors.NotCapable) throw error;
    throw osError(`Cannot connect to ${shownAddress(address)}`, error, "check that a server runs there");
  }
}

async function connectUnix(path: string, signal?: AbortSignal): Promise<NetConn> {
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await Deno.connect({ transport: "unix", path });
    } catch (error) {
      // The server has as many as the kernel holds for it; with TCP the kernel itself would wait.
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      await afterMs(NO_ROOM_MS);
    }
  }
}

async function startTls(
  conn: Deno.TcpConn,
  options: TlsClientOptions,
  signal?: AbortSignal,
): Promise<NetConn> {
  const secured = await Deno.startTls(conn, options);
  const stop = () => secured.close();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    await secured.handshake();
    return secured;
  } catch (error) {
    if (!signal?.aborted) secured.close();
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

/** Where one end of a connection or a listening socket is. */
export function addressOf(address: Deno.Addr): NetAddress {
  if ("path" in address) return address.path ?? "";
  const { hostname, port } = address as Deno.NetAddr;
  return [hostname, port];
}

/** An address as part of a sentence. */
export function shownAddress(address: Readonly<NetAddress>): string {
  return typeof address === "string" ? JSON.stringify(address) : address.join(":");
}

/** Takes the file of a Unix socket away, unless somebody has done so already. */
export function removeSocketFile(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** An error of the runtime's as one of ours, with its words and its `code`. */
export function osError(what: string, error: unknown, cure?: string): OSError {
  const { message, code } = error as Error & { code?: string };
  const why = message.replace(/ \(os error \d+\)$/, "");
  const text = `${what}: ${why}${cure === undefined ? "" : `; ${cure}`}`;
  return Object.assign(new OSError(text, { cause: error }), code && { code });
}
