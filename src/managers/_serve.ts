/**
 * What the process of a manager runs: the server, until its creator tells it to stop, or is gone.
 *
 * ```
 * creator                server
 *         ◀─ control ─          MOVED error key: a callable is not where it was looked for ── its address ─▶
 *         ◀─ control ─          READY address, or FAILED error
 *         ─ control ─▶          the door, for proxies that objects here pass on
 *         ─ control ─▶          STOP
 * ```
 */

import { BrokenPipeError, EOFError } from "../base/errors.ts";
import type { Connection } from "../ipc/connection.ts";
import { type Address as SocketPlace, Listener } from "../ipc/listener.ts";
import type { Queue } from "../ipc/queue.ts";
import type { PackedValue } from "../process/hub.ts";
import type { Address, Callable } from "../process/target.ts";
import { findExport } from "../team/whereabouts.ts";
import { decode } from "../transport/codec.ts";
import { onMessage } from "../transport/hub_line.ts";
import { admitStrangers } from "../transport/registry.ts";
import { type Arrival, type Door, LINE } from "./_door.ts";
import { Server } from "./_server.ts";
import type { Exposure } from "./_servant.ts";
import { makerOf, SYNC_TYPES, type Type } from "./_types.ts";
import { acceptLines } from "./manager_server.ts";
import { proxyClass } from "./proxy.ts";

export const READY = "ready";
export const FAILED = "failed";
export const MOVED = "moved";
export const STOP = "stop";

/** A type, as the server's process is told of it. */
export interface PackedType extends Exposure {
  /** The kind of its proxies; of a type of {@link SYNC_TYPES} when left out. */
  readonly kind?: string;
  /** What makes it. */
  readonly callable?: Address | undefined;
}

/** What the process shall serve. */
export interface ServeOrder {
  readonly manager: number;
  readonly types: ReadonlyMap<string, PackedType>;
  /** Where to listen; without, it is only reached through the door. */
  readonly listen?: { readonly address: SocketPlace | undefined; readonly authkey: Uint8Array } | undefined;
  /** Called first. */
  readonly initializer?: { readonly callable: Address; readonly args: readonly unknown[] } | undefined;
  readonly queue: Queue<Arrival>;
}

/** Lines that were laid before there was a server. */
const laid: Arrival[] = [];
let take = (arrival: Arrival): void => void laid.push(arrival);

onMessage(LINE, ({ bytes, attachments }: PackedValue) => take(decode(bytes, attachments) as Arrival));

/** Serves a manager. */
export async function serve(control: Connection, order: ServeOrder): Promise<void> {
  admitStrangers();
  let listener: Listener | undefined;
  let server: Server;
  try {
    const { initializer, listen } = order;
    if (initializer !== undefined) {
      const initialize = await find("", initializer.callable, control);
      await initialize(...initializer.args);
    }
    server = new Server(order.manager, await typesOf(order, control));
    if (listen !== undefined) listener = new Listener(listen);
    await control.send([READY, listener?.address]);
  } catch (error) {
    const abandoned = error instanceof EOFError || error instanceof BrokenPipeError;
    if (!abandoned) await control.send([FAILED, error]);
    return;
  }
  take = ([line, connection]) => server.serve(line, connection, true);
  laid.splice(0).forEach(take);
  const accepting = listener && acceptLines(listener, server);
  const arriving = serveDoor(order.queue, server);
  try {
    server.local.door = await control.recv() as Door;
    await control.recv(); // STOP
  } catch (error) {
    if (!(error instanceof EOFError)) throw error; // otherwise the creator is gone
  }
  listener?.close();
  order.queue.shutdown({ immediate: true });
  take = ([, connection]) => connection.close();
  await Promise.all([accepting, arriving, server.stop("the manager was shut down")]);
}

async function serveDoor(queue: Queue<Arrival>, server: Server): Promise<void> {
  for await (const [line, connection] of queue) server.serve(line, connection, true);
}

async function typesOf({ types }: ServeOrder, control: Connection): Promise<Map<string, Type>> {
  const known = new Map<string, Type>();
  for (const [typeid, { kind, callable, ...exposure }] of types) {
    const type = kind === undefined ? SYNC_TYPES[typeid]! : {
      ...exposure,
      Proxy: proxyClass(kind),
      make: makerOf(typeid, callable && await find(typeid, callable, control)),
    };
    known.set(typeid, type);
  }
  return known;
}

/** Imports what an address names; where it is not, the creator may know better, who knows it by `key`. */
async function find(key: string, address: Address, control: Connection): Promise<Callable> {
  try {
    return await findExport(address);
  } catch (error) {
    await control.send([MOVED, error, key]);
    const elsewhere = await control.recv() as Address | undefined;
    if (elsewhere === undefined) throw error;
    return await findExport(elsewhere);
  }
}
