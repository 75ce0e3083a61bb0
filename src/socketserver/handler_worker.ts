/** What a member of a server's team does: serves one connection after the other with instances of one class. */

import { RuntimeError } from "../base/errors.ts";
import { keepAlive } from "../platform/runtime.ts";
import { whileImporting } from "../process/process.ts";
import { type Address, lookUp, notExported } from "../process/target.ts";
import { RingEndpoint, type Rings, ringsIn } from "../socket/ring_endpoint.ts";
import { Socket } from "../socket/socket.ts";
import type { MemberContext } from "../team/member_loop.ts";
import { arrive } from "../transport/arriving.ts";
import { type HandlerClass, type HandlerServer, runHandler } from "./handlers.ts";

/** How the error is marked that the class is not where it was looked for. */
export const NOT_EXPORTED = "ERR_NOT_EXPORTED";
/** A handler's wish that its server stops. */
export const SHUTDOWN = "shutdown";

type HostAndPort = [hostname: string, port: number];

/** What serves a connection: over the rings in `memory`, or over those of the connection before. */
export type ServeConnection = (
  memory: SharedArrayBuffer | null,
  clientAddress: HostAndPort,
  localAddress: HostAndPort,
) => Promise<void>;

/** The job of the team. */
export async function handlerWorker(
  context: MemberContext,
  address: Address,
  args: unknown[],
  serverAddress: unknown,
): Promise<ServeConnection> {
  const Handler = await find(address);
  const server: HandlerServer = {
    serverAddress,
    shutdown() {
      context.notify(SHUTDOWN);
      return Promise.resolve();
    },
  };
  let rings: Rings | undefined;
  return async (memory, clientAddress, localAddress) => {
    if (memory !== null) {
      rings?.incoming.dispose();
      rings?.outgoing.dispose();
      rings = ringsIn(memory, 1);
    }
    const endpoint = new RingEndpoint(rings!, localAddress, clientAddress, "lent");
    // One hold for the whole connection instead of one for each wait.
    keepAlive.hold();
    try {
      await runHandler(Handler, arrive(Socket, endpoint), clientAddress, server, args);
    } finally {
      keepAlive.drop();
      endpoint.detach();
    }
  };
}

async function find(address: Address): Promise<HandlerClass> {
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
