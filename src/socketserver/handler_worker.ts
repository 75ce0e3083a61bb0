/** What a member of a server's team does: serves one request after the other with instances of one class. */

import { OSError, RuntimeError } from "../base/errors.ts";
import type { DatagramPort } from "../platform/datagram.ts";
import { DescriptorReceiver } from "../platform/descriptor_passing.ts";
import { type Guest, keepKernelSockets, KernelConn, KernelSocket } from "../platform/kernel_socket.ts";
import type { NetConn } from "../platform/net.ts";
import { afterMs, keepAlive } from "../platform/runtime.ts";
import { TlsServerConn, type TlsServerOptions } from "../platform/tls.ts";
import { whileImporting } from "../process/process.ts";
import { type Address as ModuleAddress, lookUp, notExported } from "../process/target.ts";
import { ConnEndpoint } from "../socket/conn_endpoint.ts";
import { DatagramSocket } from "../socket/datagram_socket.ts";
import type { Address } from "../socket/endpoint.ts";
import { KernelEndpoint } from "../socket/kernel_endpoint.ts";
import { RingEndpoint, type Rings, ringsIn } from "../socket/ring_endpoint.ts";
import { Socket } from "../socket/socket.ts";
import type { MemberContext } from "../team/member_loop.ts";
import { arrive } from "../transport/arriving.ts";
import { attend, checkAlive, type Post } from "./_attendant.ts";
import { checkMs } from "./_options.ts";
import type { Words } from "./_seat.ts";
import { type HandlerClass, type HandlerServer, runHandler } from "./handlers.ts";

/** How the error is marked that the class is not where it was looked for. */
export const NOT_EXPORTED = "ERR_NOT_EXPORTED";

/** From a worker to its server, beside the answers. */
export type Notice =
  /** The handler wants the server to stop. */
  | [kind: "shutdown", deadline: number | undefined]
  /** An attendant: nobody waits for a connection any more. */
  | [kind: "crowd"]
  /** An attendant: serving that client fails. */
  | [kind: "failure", peer: Address]
  /** The handler sends a datagram. */
  | [kind: "send", data: Uint8Array, to: Address];

/** How a request reaches its worker. What is `null` is as it was for the request before. */
export type Delivery =
  /** Bytes come in two rings. */
  | [kind: "rings", memory: SharedArrayBuffer | null, local: Address]
  /** The connection itself has moved. */
  | [kind: "moved", fd: number, activity: Int32Array<SharedArrayBuffer> | null, local: Address]
  /** The connection was handed over, under that mark. */
  | [kind: "passed", mark: number, local: Address]
  /** A datagram that came to a socket of that address. */
  | [kind: "datagram", data: Uint8Array<ArrayBuffer>, local: Address];

/** A worker shall accept connections for itself. */
export type Attending = [kind: "attend", post: Post, board: Words, seat: Words, local: Address];

/** What serves a request, or many. */
export type ServeRequest = (delivery: Delivery | Attending, clientAddress: Address) => Promise<void>;

/** The job of the team. */
export async function handlerWorker(
  context: MemberContext,
  address: ModuleAddress,
  args: unknown[],
  serverAddress: unknown,
  tls: TlsServerOptions | null,
  sender: string | null,
): Promise<ServeRequest> {
  const Handler = await find(address);
  const notify = (notice: Notice) => Promise.resolve(context.notify(notice));
  const server: HandlerServer = {
    serverAddress,
    async shutdown(options) {
      if (options?.deadline !== undefined) checkMs("deadline", options.deadline);
      await notify(["shutdown", options?.deadline]);
    },
  };
  const descriptors = sender === null ? undefined : new DescriptorReceiver(sender);
  const receive = receiver(tls, descriptors, notify);
  const serve = async ([request, finish]: Received, clientAddress: Address) => {
    try {
      await runHandler(Handler, request, clientAddress, server, args);
    } finally {
      const finishing = finish();
      if (finishing !== undefined) await finishing;
    }
  };
  return async (delivery, clientAddress) => {
    // One hold for the whole call instead of one for each wait.
    keepAlive.hold();
    try {
      if (delivery[0] !== "attend") return await serve(receive(delivery, clientAddress), clientAddress);
      const [, post, board, seat, local] = delivery;
      keepKernelSockets();
      await attend(post, board, seat, {
        serve: (socket, peer, note) => serve(moved(tls, socket, { local, peer, borrowed: true, note }), peer),
        onCrowd: () => void notify(["crowd"]),
        onFailure: (peer) => void notify(["failure", peer]),
      });
    } finally {
      keepAlive.drop();
    }
  };
}

type Received = [request: unknown, finish: () => unknown];

/** Makes a request of a delivery, and says what ends its use, which leaves the connection itself as it is. */
function receiver(
  tls: TlsServerOptions | null,
  descriptors: DescriptorReceiver | undefined,
  notify: (notice: Notice) => unknown,
) {
  let rings: Rings | undefined;
  let activity: Int32Array<SharedArrayBuffer> | undefined;
  return (delivery: Delivery, peer: Address): Received => {
    switch (delivery[0]) {
      case "rings": {
        const [, memory, local] = delivery;
        if (memory !== null) {
          rings?.incoming.dispose();
          rings?.outgoing.dispose();
          rings = ringsIn(memory, 1);
        }
        const endpoint = new RingEndpoint(rings!, local, peer, "lent");
        return [arrive(Socket, endpoint), () => endpoint.detach()];
      }
      case "moved": {
        const [, fd, words, local] = delivery;
        if (activity === undefined) keepKernelSockets();
        activity = words ?? activity;
        const word = activity!;
        return moved(tls, new KernelSocket(fd, checkAlive), {
          local,
          peer,
          borrowed: true,
          note: () => word[0]!++,
        });
      }
      case "passed": {
        const [, mark, local] = delivery;
        const socket = new KernelSocket(descriptors!.receive(mark));
        return moved(tls, socket, { local, peer, borrowed: false, note() {} });
      }
      case "datagram": {
        const [, data, local] = delivery;
        const socket = arrive(DatagramSocket, new DistantPort(local, notify));
        return [[data, socket], () => socket.close()];
      }
    }
  };
}

/** Makes a request of a connection that this thread has not accepted itself, or not for itself. */
function moved(tls: TlsServerOptions | null, socket: KernelSocket, guest: Guest): Received {
  if (tls === null) {
    const endpoint = new KernelEndpoint(socket, guest);
    return [arrive(Socket, endpoint), () => endpoint.detach()];
  }
  const conn = new TlsServerConn(new KernelConn(socket, guest), tls);
  return [arrive(Socket, new ConnEndpoint(conn)), () => sayGoodbye(conn)];
}

/** How long a client has to take the end of an encrypted stream. */
const GOODBYE_MS = 1000;

async function sayGoodbye(conn: NetConn): Promise<void> {
  await Promise.race([conn.closeWrite(), afterMs(GOODBYE_MS)]);
  conn.close();
}

/** The server's own datagram socket, as far as a worker has it: what it sends the server sends. */
class DistantPort implements DatagramPort {
  readonly address: Address;
  readonly #notify: (notice: Notice) => unknown;

  constructor(address: Address, notify: (notice: Notice) => unknown) {
    this.address = address;
    this.#notify = notify;
  }

  send(data: Uint8Array, to: Address): Promise<number> {
    this.#notify(["send", data, to]);
    return Promise.resolve(data.length);
  }

  receive(): Promise<never> {
    return Promise.reject(
      new OSError("Cannot receive here: datagrams come to the server; sendto() is what a handler has"),
    );
  }

  ref(): void {}
  unref(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }
}

async function find(address: ModuleAddress): Promise<HandlerClass> {
  let found: unknown;
  try {
    found = await whileImporting(() => lookUp(address));
  } catch (error) {
    throw new RuntimeError(
      `Cannot import module ${address.module} for its handler ${address.name}: ${(error as Error)?.message}`,
      { cause: error },
    );
  }
  if (found === undefined) {
    const error = notExported(address.name, `module ${address.module || "(unknown)"} does not export it`);
    throw Object.assign(error, { code: NOT_EXPORTED, module: address.module });
  }
  return found as HandlerClass;
}
