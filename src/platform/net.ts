/** TCP sockets of the runtime, and what their failures mean. */

import { OSError } from "../base/errors.ts";

/** A connected kernel socket. `read` and `write` take views of shared memory. */
export type NetConn = Deno.TcpConn;

/** A listening kernel socket. */
export type NetListener = Deno.TcpListener;

/** Why a call on a socket failed: cut off by the peer, closed on this side, or something else. */
export type NetFault = "reset" | "closed" | "other";

/** What an error of {@link NetConn} or {@link NetListener} means. */
export function faultOf(error: unknown): NetFault {
  if (
    error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.NotConnected
  ) return "reset";
  if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return "closed";
  return "other";
}

/**
 * Opens a listening socket. The address may be used again at once after a server that had it has ended.
 *
 * @param hostname Where; every interface when empty.
 * @param port The port; 0 for any that is free.
 * @param backlog How many connections the kernel holds that nobody has accepted yet.
 * @throws {OSError} If the address cannot be had.
 */
export function listenTcp(hostname: string, port: number, backlog: number): NetListener {
  try {
    const options = { hostname: hostname === "" ? "0.0.0.0" : hostname, port, tcpBacklog: backlog };
    return Deno.listen(options);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    throw osError(`Cannot listen on ${hostname}:${port}`, error, "choose another address, or port 0 for any");
  }
}

/**
 * Connects to a listening socket.
 *
 * @throws {OSError} If nobody listens there, or the address is unknown.
 */
export async function connectTcp(hostname: string, port: number, signal?: AbortSignal): Promise<NetConn> {
  try {
    const conn = await Deno.connect({ hostname, port, ...(signal && { signal }) });
    conn.setNoDelay(true);
    return conn;
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (error instanceof Deno.errors.NotCapable) throw error;
    throw osError(`Cannot connect to ${hostname}:${port}`, error, "check that a server runs there");
  }
}

/** Host and port of one end of a connection or of a listening socket. */
export function hostAndPort(address: Deno.Addr): [hostname: string, port: number] {
  const { hostname, port } = address as Deno.NetAddr;
  return [hostname, port];
}

function osError(what: string, error: unknown, cure: string): OSError {
  const { message, code } = error as Error & { code?: string };
  const why = message.replace(/ \(os error \d+\)$/, "");
  return Object.assign(new OSError(`${what}: ${why}; ${cure}`, { cause: error }), code && { code });
}
