/** Where a stream server's connections come from: a listener of the runtime, or one whose connections can be moved. */

import { RuntimeError } from "../base/errors.ts";
import { KernelListener, whyNotInKernel } from "../platform/kernel_listener.ts";
import {
  addressOf,
  listenNet,
  type NetConn,
  type NetListener,
  osError,
  shownAddress,
} from "../platform/net.ts";
import { writeStderr } from "../platform/runtime.ts";
import { TlsServerConn, type TlsServerOptions } from "../platform/tls.ts";
import { ConnEndpoint } from "../socket/conn_endpoint.ts";
import type { Address, Endpoint } from "../socket/endpoint.ts";
import { KernelEndpoint } from "../socket/kernel_endpoint.ts";

/** A listening socket. What keeps the program up is waiting for a connection, while it is `ref`ed. */
export interface Acceptor {
  /** Where it listens, with the port it really has. */
  readonly address: Address;
  /** The socket itself, if others can accept its connections. */
  readonly shareable?: KernelListener;
  /** The next connection. Rejects once it is closed. */
  accept(): Promise<Endpoint>;
  /** Lets a wait keep the program up. */
  ref(): void;
  /** Lets a wait keep nothing up. */
  unref(): void;
  /** Closes it. Settles when nobody waits any more. */
  close(): Promise<void>;
}

/** Whether connections must, should, may or shall not be moved to whoever serves them. */
export type Movability = "must" | "should" | "may" | "no";

/**
 * Listens.
 *
 * @param address Where.
 * @param backlog How many connections the kernel holds that nobody has accepted yet.
 * @param move Whether connections shall be such that they can be moved to another thread or process. If they only
 * should and cannot, a warning is printed.
 * @param tls What encrypts connections that cannot be moved.
 * @param reusePort Whether others who say the same may listen there too.
 * @throws {OSError} If the address cannot be had.
 * @throws {RuntimeError} If connections must be moved and cannot, or the port cannot be shared.
 */
export function listen(
  address: Readonly<Address>,
  backlog: number,
  move: Movability,
  tls: TlsServerOptions | undefined,
  reusePort: boolean,
): Acceptor {
  const why = move === "no" ? undefined : whyNotInKernel(address);
  if (why !== undefined && move === "must") {
    throw new RuntimeError(`Cannot hand connections to other processes: ${why}; or use a Threading server`);
  }
  if (why !== undefined && move === "should") {
    writeStderr(`Warning: handoff: true is not possible: ${why}. Bytes are carried through shared memory.\n`);
  }
  const moves = move !== "no" && why === undefined;
  if (reusePort && !moves) {
    throw new RuntimeError(
      `Cannot share the port of ${
        shownAddress(address)
      }: Deno's own listener cannot, without another flag; ` +
        "use a Threading server with the permission ffi, on Linux, or set allowReusePort to false",
    );
  }
  const acceptor = moves
    ? new KernelAcceptor(new KernelListener(address, backlog, reusePort))
    : new RuntimeAcceptor(listenNet(address, backlog), tls);
  acceptor.unref();
  return acceptor;
}

/** Of the runtime. */
class RuntimeAcceptor implements Acceptor {
  readonly address: Address;
  readonly #listener: NetListener;
  readonly #tls: TlsServerOptions | undefined;
  /** Settles when nobody waits for a connection. */
  #accepted: Promise<unknown> = Promise.resolve();

  constructor(listener: NetListener, tls: TlsServerOptions | undefined) {
    this.#listener = listener;
    this.#tls = tls;
    this.address = addressOf(listener.addr);
  }

  async accept(): Promise<Endpoint> {
    let conn: NetConn | undefined;
    try {
      const accepting = this.#listener.accept();
      this.#accepted = accepting.catch(() => {});
      conn = await accepting;
      conn.setNoDelay?.(true);
      return new ConnEndpoint(this.#tls === undefined ? conn : new TlsServerConn(conn, this.#tls));
    } catch (error) {
      conn?.close(); // reset before we came to it
      throw osError("Cannot accept a connection", error);
    }
  }

  ref(): void {
    this.#listener.ref();
  }

  unref(): void {
    this.#listener.unref();
  }

  /** The runtime takes a socket file away only when nobody waits any more. */
  async close(): Promise<void> {
    this.#listener.ref(); // else the program might end before
    this.#listener.close();
    await this.#accepted;
  }
}

/** Of descriptors. */
class KernelAcceptor implements Acceptor {
  readonly address: Address;
  readonly shareable: KernelListener;
  readonly #listener: KernelListener;

  constructor(listener: KernelListener) {
    this.#listener = this.shareable = listener;
    this.address = listener.address;
  }

  async accept(): Promise<Endpoint> {
    const socket = await this.#listener.accept();
    socket.setNoDelay(true);
    return new KernelEndpoint(socket);
  }

  ref(): void {
    this.#listener.ref();
  }

  unref(): void {
    this.#listener.unref();
  }

  close(): Promise<void> {
    return this.#listener.close();
  }
}
