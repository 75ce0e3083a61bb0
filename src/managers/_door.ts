/**
 * Doors: how a process gets a line to the server of a manager.
 *
 * Within the program that started the server the door is a queue of pipe ends, which the server takes
 * ({@link PipeDoor}): a process that shares memory with the queue lays the pipe itself, a `"spawn"` child has somebody
 * do it who does. Everybody else connects to the address of the server ({@link AddressDoor}).
 */

import { EOFError, OSError } from "../base/errors.ts";
import type { WaitOptions } from "../base/options.ts";
import { Client } from "../ipc/client.ts";
import { type Connection, Pipe } from "../ipc/connection.ts";
import type { Address } from "../ipc/listener.ts";
import type { Queue } from "../ipc/queue.ts";
import { shown, type SocketAddress } from "../platform/stream.ts";
import { thisAgent } from "../transport/agent.ts";
import { travels } from "../transport/registry.ts";
import {
  type Caller,
  type Exportable,
  packCore,
  type Reference,
  RemoteCore,
  unpackCore,
} from "../transport/remote.ts";
import { giveToWorker } from "../process/hub.ts";
import { HELLO, newNumber, WELCOME } from "./_messages.ts";

/** Leads to the server of one manager. */
export interface Door {
  /** Opens the line that has this number. */
  open(line: number): Connection | Promise<Connection>;
  /** The server has answered on a line that was opened here. */
  answered?(): void;
}

/** A line that is open: its number, and one end of its pipe. The server finds the other end at its door. */
export type Arrival = [line: number, connection: Connection];

/** The message by which the server gets its end of a line that was laid for it. */
export const LINE = "managerLine";

interface DoorCore extends Door, Exportable {}

class SharedDoor implements DoorCore {
  readonly queue: Queue<Arrival>;
  /** The agent of the server. */
  readonly server: number;
  /** The process that has got a line last; all that starts it is packed in one go. */
  #laidFor = 0;
  /** Lines that were opened and not answered yet. */
  #waiting = 0;
  #unwatch: (() => void) | undefined;

  constructor(queue: Queue<Arrival>, server: number) {
    this.queue = queue;
    this.server = server;
  }

  open(line: number): Connection {
    this.#waiting++;
    this.#watch();
    const [mine, theirs] = Pipe();
    try {
      if (!this.#give([line, theirs])) this.queue.putSync([line, theirs]);
    } finally {
      theirs.close();
    }
    return mine;
  }

  answered(): void {
    if (--this.#waiting === 0) this.#rest();
  }

  /** A line for a process that is about to start, if it can have one already. */
  lay(destination: number): Arrival | undefined {
    if (destination === 0 || destination === this.#laidFor) return undefined;
    const [mine, theirs] = Pipe();
    const line = newNumber();
    const given = this.#give([line, theirs]);
    theirs.close();
    if (!given) {
      mine.close();
      return undefined;
    }
    this.#laidFor = destination;
    return [line, mine];
  }

  // What goes through the queue needs a turn of the program's main event loop, and whoever starts many processes in a
  // row gives it none: so the main thread gives the server its end itself.
  #give(arrival: Arrival): boolean {
    const { isHub, directory } = thisAgent();
    return isHub && directory.alive(this.server) && giveToWorker(this.server, LINE, arrival);
  }

  invoke(_method: string, args: readonly unknown[], _caller: Caller): Connection {
    return this.open(args[0] as number);
  }

  undo(_method: string, answer: unknown): void {
    (answer as Connection).close();
  }

  // When the server is dead nobody will take what is at its door: who waits for that has to learn it.
  #watch(): void {
    const { directory } = thisAgent();
    const look = () => {
      if (directory.alive(this.server)) return;
      this.#rest();
      this.queue.shutdown({ immediate: true });
    };
    this.#unwatch ??= thisAgent().onDeath(look);
    look();
  }

  #rest(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
  }
}

class RemoteDoor extends RemoteCore implements DoorCore {
  open(line: number): Promise<Connection> {
    return this.ask("open", [line]) as Promise<Connection>;
  }
}

/** The door of a server that was started by this program. */
export class PipeDoor implements Door {
  readonly #core: DoorCore;

  constructor(core: DoorCore) {
    this.#core = core;
  }

  /** The door where the server, which is this agent, takes the ends of pipes from this queue. */
  static of(queue: Queue<Arrival>, server: number): PipeDoor {
    return new PipeDoor(new SharedDoor(queue, server));
  }

  open(line: number): Connection | Promise<Connection> {
    return this.#core.open(line);
  }

  answered(): void {
    this.#core.answered?.();
  }

  /** See {@link SharedDoor.lay}. */
  lay(destination: number): Arrival | undefined {
    return this.#core instanceof SharedDoor ? this.#core.lay(destination) : undefined;
  }

  static {
    type Payload = [queue: Queue<Arrival>, server: number];
    travels<PipeDoor, Reference<Payload>>(PipeDoor, {
      tag: "Door",
      pack(door, context) {
        const core = door.#core;
        return packCore<Payload>(core, context, () => {
          const { queue, server } = core as SharedDoor;
          return [queue, server];
        });
      },
      unpack(reference, context) {
        const local = (payload: Payload): DoorCore => new SharedDoor(...payload);
        return new PipeDoor(unpackCore<Payload, DoorCore>(reference, context, local, RemoteDoor));
      },
    });
  }
}

/** The door of a server that is reached by a socket. */
export class AddressDoor implements Door {
  readonly #address: SocketAddress;
  readonly #key: Uint8Array;
  readonly #manager: number;

  constructor(address: SocketAddress, key: Uint8Array, manager: number) {
    this.#address = address;
    this.#key = key;
    this.#manager = manager;
  }

  async open(line: number): Promise<Connection> {
    const [connection, manager] = await dial(this.#address, this.#key, line);
    if (manager === this.#manager) return connection;
    connection.close();
    throw new OSError(`another manager listens at ${shown(this.#address)} now`);
  }

  static {
    // It holds the key: whoever sends it sees to it that it does not leave the program.
    travels<AddressDoor, [SocketAddress, Uint8Array, number]>(AddressDoor, {
      tag: "AddressDoor",
      pack: (door) => [door.#address, door.#key, door.#manager],
      unpack: (parts) => new AddressDoor(...parts),
    });
  }
}

/** Connects to a server and opens a line; says which manager it is. */
export async function dial(
  address: Address,
  authkey: Uint8Array,
  line: number,
  options?: WaitOptions,
): Promise<[connection: Connection, manager: number]> {
  const connection = await Client(address, { ...options, authkey });
  const where = typeof address === "string"
    ? shown(address)
    : shown({ hostname: "127.0.0.1", port: 0, ...address } as SocketAddress);
  try {
    await connection.send([HELLO, line]);
    const answer = await connection.recv(options);
    if (Array.isArray(answer) && answer[0] === WELCOME && Number.isSafeInteger(answer[1])) {
      return [connection, answer[1]];
    }
    throw new OSError(`Cannot connect to the manager at ${where}: what listens there is no manager`);
  } catch (error) {
    connection.close();
    if (!(error instanceof EOFError)) throw error;
    throw new EOFError(`Cannot connect to the manager at ${where}: it hung up`, { cause: error });
  }
}
