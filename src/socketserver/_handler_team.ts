/** The handler workers of one server: which serves what, over which rings, and how the connections end. */

import { PicklingError, RuntimeError } from "../base/errors.ts";
import { afterMs } from "../platform/runtime.ts";
import { type Address, addressOf, locate, ref } from "../process/target.ts";
import { ConnEndpoint } from "../socket/conn_endpoint.ts";
import { type Rings, RINGS_BYTES, ringsIn } from "../socket/ring_endpoint.ts";
import { endpointOf, type Socket } from "../socket/socket.ts";
import { type Member, Team } from "../team/team.ts";
import { resetRing, RING_BYTES } from "../transport/byte_ring.ts";
import { Pump } from "./_pump.ts";
import { NOT_EXPORTED, SHUTDOWN } from "./handler_worker.ts";
import type { HandlerClass } from "./handlers.ts";

/** What the workers are for. */
export interface HandlerTeamOptions {
  /** What they are called, before a number. */
  name: string;
  /** The class they make instances of. */
  Handler: HandlerClass;
  /** The module that constructed the server, where the class is looked for first. */
  site: string | undefined;
  /** What the instances have as `args`. */
  args: readonly unknown[];
  /** Where the server listens. */
  serverAddress: unknown;
  /** How many workers at most. */
  max: number;
  /** How many idle ones are kept. */
  warm: number;
  /** Whether a worker serves more than one connection. */
  recycle: boolean;
  /** How long a connection may be silent. */
  idleTimeoutMs: number;
  /** How long a worker that is not needed is kept. */
  workerIdleMs: number;
  /** Called when a handler wants the server to stop. */
  onShutdown(): void;
}

/** The rings of a worker, as this side has them. */
interface Lines {
  readonly memory: SharedArrayBuffer;
  readonly rings: Rings;
  /** Whether the worker knows them. */
  sent: boolean;
  /** When the kernel has nothing to do with them any more. */
  settled: Promise<void>;
  disposed: boolean;
}

/** Output that is not with the client so long after its handler was done goes on without the worker. */
const PATIENCE_MS = 50;
/** And if the client then takes nothing for so long, it is given up. */
const LINGER_MS = 30_000;

const job = ref(import.meta.resolve("./handler_worker.ts"), "handlerWorker");

/** The workers of a server. */
export class HandlerTeam {
  readonly #options: HandlerTeamOptions;
  readonly #team: Team;
  readonly #lines = new Map<Member, Lines>();
  readonly #pumps = new Set<Pump>();
  #address: Address;
  #finding: Promise<void> | undefined;
  #unreachable: Error | undefined;
  #sweeping = false;
  readonly #alone = (): boolean => this.#pumps.size === 1;
  /** Connections that have no worker yet. */
  #waiting = 0;
  #roomy: (() => void) | undefined;

  constructor(options: HandlerTeamOptions) {
    this.#options = options;
    this.#address = addressOf(options.Handler, options.site);
    this.#team = new Team({
      name: options.name,
      job,
      init: () => [this.#address, [...options.args], options.serverAddress],
      max: options.max,
      warm: options.warm,
      recycle: options.recycle,
      idleMs: options.workerIdleMs,
      onNotice: (message) => message === SHUTDOWN && options.onShutdown(),
      onGone: (member) => this.#forget(member),
    });
  }

  /** Settles when fewer connections wait for a worker than workers there may be; `undefined` if that is so. */
  room(): Promise<void> | undefined {
    if (this.#waiting < this.#options.max) return undefined;
    return new Promise((resolve) => this.#roomy = resolve);
  }

  /** Starts the first workers, so that the first client need not wait for them. */
  prepare(): void {
    if (this.#options.warm > 0) {
      this.#take().then((member) => member.release(), () => {/* met again by a client */});
    }
  }

  /**
   * Serves a connection to the end: until the handler is done and what it sent is with the client, or the client is
   * gone. Whoever calls closes the socket afterwards.
   *
   * @throws {PicklingError} If the handler class cannot be found in a worker.
   * @throws {ProcessError} If the worker died; or else what the handler threw.
   */
  async serve(request: Socket, clientAddress: [string, number]): Promise<void> {
    const endpoint = endpointOf(request);
    if (!(endpoint instanceof ConnEndpoint)) {
      throw new RuntimeError(
        "Cannot serve the request in a worker: it is no connection of this server's own",
      );
    }
    const member = await this.#takeInTurn();
    const lines = this.#linesOf(member);
    const memory = lines.sent ? null : lines.memory;
    const pump = new Pump(endpoint, lines.rings, this.#alone);
    this.#pumps.add(pump);
    lines.settled = pump.settled;
    this.#sweep();
    try {
      await member.call(memory, clientAddress, endpoint.local);
      lines.sent = true;
    } catch (error) {
      lines.sent = true;
      throw error;
    } finally {
      pump.finish();
      await this.#flush(pump, member, lines);
      this.#pumps.delete(pump);
    }
  }

  /** Lets the handlers see the end of their input; what they still do is theirs to finish. */
  endInput(): void {
    for (const pump of this.#pumps) pump.endInput();
  }

  /** Takes no more connections and waits until every worker is gone. */
  close(): Promise<void> {
    return this.#team.close();
  }

  /** Ends every worker and cuts every connection off. */
  async terminate(): Promise<void> {
    for (const pump of this.#pumps) pump.abort();
    await this.#team.terminate();
  }

  async #flush(pump: Pump, member: Member, lines: Lines): Promise<void> {
    let flushed = pump.isFlushed;
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      member.release();
    };
    // The rings serve again once the kernel is done with them, which is when the socket has been closed.
    pump.settled.then(release);
    if (flushed) return;
    pump.flushed.then(() => flushed = true);
    await Promise.race([pump.flushed, afterMs(PATIENCE_MS)]);
    if (flushed) return;
    // A client that is slow to read keeps the rings, not the worker.
    if (this.#lines.get(member) === lines) this.#lines.delete(member);
    pump.settled.then(() => dispose(lines));
    release();
    for (let seen = -1; !flushed && seen !== pump.activity;) {
      seen = pump.activity;
      await Promise.race([pump.flushed, afterMs(LINGER_MS)]);
    }
    if (!flushed) pump.abort();
  }

  #linesOf(member: Member): Lines {
    let lines = this.#lines.get(member);
    if (lines === undefined) {
      const memory = new SharedArrayBuffer(RINGS_BYTES);
      lines = { memory, rings: ringsIn(memory, 0), sent: false, settled: Promise.resolve(), disposed: false };
      this.#lines.set(member, lines);
    } else {
      resetRing(lines.memory, 0);
      resetRing(lines.memory, RING_BYTES);
    }
    return lines;
  }

  #forget(member: Member): void {
    const lines = this.#lines.get(member);
    if (lines === undefined) return;
    this.#lines.delete(member);
    lines.settled.then(() => dispose(lines));
  }

  async #takeInTurn(): Promise<Member> {
    this.#waiting++;
    try {
      return await this.#take();
    } finally {
      this.#waiting--;
      this.#roomy?.();
    }
  }

  async #take(): Promise<Member> {
    for (;;) {
      if (this.#unreachable !== undefined) throw this.#unreachable;
      try {
        return await this.#team.take();
      } catch (error) {
        if (!(error instanceof PicklingError)) throw error;
        const { code, module } = error as { code?: unknown; module?: unknown };
        if (code !== NOT_EXPORTED) throw error;
        // The class comes from another module than the server's: V8 knows which. Asked once for all who wait.
        await (this.#finding ??= this.#find());
        if (this.#address.module === module) throw this.#unreachable = error;
      }
    }
  }

  async #find(): Promise<void> {
    this.#address = await locate(this.#options.Handler) ?? this.#address;
  }

  /** Cuts connections off that have been silent for too long. */
  async #sweep(): Promise<void> {
    const { idleTimeoutMs } = this.#options;
    if (this.#sweeping || idleTimeoutMs === Infinity) return;
    this.#sweeping = true;
    const seen = new Map<Pump, { activity: number; sinceMs: number }>();
    while (this.#pumps.size > 0) {
      const now = performance.now();
      for (const pump of this.#pumps) {
        const last = seen.get(pump);
        if (last === undefined || last.activity !== pump.activity) {
          seen.set(pump, { activity: pump.activity, sinceMs: now });
        } else if (now - last.sinceMs >= idleTimeoutMs) pump.abort();
      }
      for (const pump of seen.keys()) if (!this.#pumps.has(pump)) seen.delete(pump);
      await afterMs(Math.max(1, idleTimeoutMs / 4));
    }
    this.#sweeping = false;
  }
}

function dispose(lines: Lines): void {
  if (lines.disposed) return;
  lines.disposed = true;
  lines.rings.incoming.dispose();
  lines.rings.outgoing.dispose();
}
