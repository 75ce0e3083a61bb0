/** The handler workers of one server: who serves what, and how requests end. */

import { PicklingError, RuntimeError } from "../base/errors.ts";
import type { KernelListener } from "../platform/kernel_listener.ts";
import { afterMs } from "../platform/runtime.ts";
import type { TlsServerOptions } from "../platform/tls.ts";
import { type Address as ModuleAddress, addressOf, locate, ownRef } from "../process/target.ts";
import { ConnEndpoint } from "../socket/conn_endpoint.ts";
import { DatagramSocket } from "../socket/datagram_socket.ts";
import type { Address } from "../socket/endpoint.ts";
import { KernelEndpoint } from "../socket/kernel_endpoint.ts";
import { endpointOf, Socket } from "../socket/socket.ts";
import { type Member, Team } from "../team/team.ts";
import { Attendance } from "./_attendance.ts";
import type { Call, Carriage, Carrier } from "./_carrier.ts";
import { DatagramCarrier } from "./_datagram_carrier.ts";
import { MovingCarrier } from "./_moving_carrier.ts";
import { PassingCarrier } from "./_passing_carrier.ts";
import { RingCarrier } from "./_ring_carrier.ts";
import type { DatagramRequest } from "./datagram_handler.ts";
import { NOT_EXPORTED, type Notice } from "./handler_worker.ts";
import type { HandlerClass } from "./handlers.ts";

/** Who the workers are. */
export interface Staff {
  /** How many at most. */
  max: number;
  /** How many idle ones are started ahead of need. */
  warm: number;
  /** Operating-system processes instead of threads. */
  processes: boolean;
  /** What such processes may do. */
  permissions?: Deno.PermissionOptions | undefined;
}

/** What the workers are for. */
export interface HandlerTeamOptions extends Staff {
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
  /** What encrypts connections that were moved. */
  tls: TlsServerOptions | undefined;
  /** Whether connections move to the workers. */
  moves: boolean;
  /** Whether workers may accept connections for themselves. */
  attends: boolean;
  /** How many requests may wait for one. */
  maxWaiting: number;
  /** Whether a worker serves more than one request. */
  recycle: boolean;
  /** How long a connection may be silent. */
  idleTimeoutMs: number;
  /** How long a worker that is not needed is kept. */
  workerIdleMs: number;
  /** Called when a handler wants the server to stop. */
  onShutdown(deadline: number | undefined): void;
  /** Called with a connection that a worker has left behind; whoever is called closes it. */
  onLeft(fd: number, peer: Address | undefined, error: unknown): Promise<void>;
  /** Called when a datagram of a handler could not be sent. */
  onUnsent(datagram: DatagramRequest<Address>, to: Address, error: unknown): void;
}

const job = ownRef(
  import.meta.resolve("./handler_worker.ts"),
  "handlerWorker",
  () => import("./handler_worker.ts"),
);

/** The workers of a server. */
export class HandlerTeam {
  readonly #options: HandlerTeamOptions;
  readonly #team: Team;
  readonly #underway = new Set<Carriage>();
  readonly #working = new Set<Member>();
  readonly #rings: RingCarrier;
  readonly #moves: MovingCarrier | PassingCarrier;
  readonly #datagrams: DatagramCarrier;
  readonly #call: Call;
  #attendance: Attendance | undefined;
  #address: ModuleAddress;
  #finding: Promise<void> | undefined;
  #unreachable: Error | undefined;
  #sweeping = false;
  /** Requests that have a worker, or wait for one. */
  #requests = 0;
  #roomy: (() => void) | undefined;
  /** Handlers see the end of their input at once. */
  #inputOver = false;
  /** Aborted when whoever waits for a worker shall not get one. */
  #cutting = new AbortController();

  constructor(options: HandlerTeamOptions) {
    this.#options = options;
    this.#address = addressOf(options.Handler, options.site);
    const call: Call = this.#call = async (member, ...args) => {
      this.#working.add(member);
      try {
        await member.call(...args);
      } finally {
        this.#working.delete(member);
      }
    };
    this.#rings = new RingCarrier(call, this.#underway);
    const passing = options.processes && options.moves ? new PassingCarrier(call, this.#underway) : undefined;
    this.#moves = passing ?? new MovingCarrier(call, this.#underway);
    this.#datagrams = new DatagramCarrier(call);
    const { args, serverAddress, tls = null } = options;
    const sender = passing?.name ?? null;
    this.#team = new Team({
      name: options.name,
      job,
      init: () => [this.#address, [...args], serverAddress, tls, sender],
      max: options.max,
      // Attendants that wait are what there is ahead of need.
      warm: options.attends ? 0 : options.warm,
      keep: options.warm,
      recycle: options.recycle,
      idleMs: options.workerIdleMs,
      startMethod: options.processes ? "spawn" : "worker",
      permissions: options.permissions,
      onNotice: (message, member) => this.#heed(message as Notice, member),
      onGone: (member) => {
        for (const carrier of [this.#rings, this.#moves, this.#datagrams]) carrier.forget(member);
      },
    });
  }

  /** The processes that are at work. */
  get working(): Set<number> {
    return new Set([...this.#working].map(({ pid }) => pid!));
  }

  /** Whether there are as many requests as there may be. */
  get full(): boolean {
    return this.#requests >= this.#options.max + this.#options.maxWaiting;
  }

  /** Settles when there are fewer requests than there may be. */
  room(): Promise<void> {
    return new Promise((resolve) => this.#roomy = resolve);
  }

  /** Starts the first workers, so that the first client need not wait for them. */
  prepare(): void {
    this.#inputOver = false;
    if (this.#options.warm > 0) {
      this.#take().then((member) => member.release(), () => {/* met again by a client */});
    }
  }

  /**
   * Serves a request to the end: until the handler is done and what it sent is with the client, or the client is
   * gone. Whoever calls closes the socket afterwards.
   *
   * @throws {PicklingError} If the handler class cannot be found in a worker.
   * @throws {ProcessError} If the worker died; or else what the handler threw.
   */
  async serve(request: unknown, clientAddress: Address): Promise<void> {
    this.#requests++;
    try {
      const [carrier, thing] = this.#carrierOf(request);
      const opening = thing instanceof ConnEndpoint ? thing.open() : undefined;
      if (opening !== undefined) await opening;
      const serving = carrier.serve(await this.#take(), thing, clientAddress);
      if (this.#inputOver) this.endInput();
      this.#sweep();
      await serving;
    } finally {
      this.#requests--;
      if (!this.full) this.#roomy?.();
    }
  }

  #carrierOf(request: unknown): [carrier: Carrier<unknown>, thing: unknown] {
    if (request instanceof Socket) {
      const endpoint = endpointOf(request);
      if (endpoint instanceof KernelEndpoint) return [this.#moves as Carrier<unknown>, endpoint];
      if (endpoint instanceof ConnEndpoint) return [this.#rings as Carrier<unknown>, endpoint];
    } else if (Array.isArray(request) && request[1] instanceof DatagramSocket) {
      return [this.#datagrams as Carrier<unknown>, request];
    }
    throw new RuntimeError(
      "Cannot serve the request in a worker: it is neither a connection over the network nor a datagram",
    );
  }

  /**
   * Lets workers accept connections for themselves until `stopped` settles, or no worker can be had.
   *
   * @returns Settles when none accepts any more. What is being served goes on.
   */
  async attend(
    listener: KernelListener,
    stopped: Promise<void>,
    follow: (leaving: Promise<void>) => void,
  ): Promise<void> {
    const { max, warm, recycle, workerIdleMs, onLeft } = this.#options;
    this.#inputOver = false;
    this.#attendance = new Attendance(listener, {
      take: (needless) => this.#take(needless),
      call: this.#call,
      underway: this.#underway,
      max,
      warm,
      recycle,
      idleMs: workerIdleMs,
      onLeft,
      follow: (leaving) => {
        this.#sweep();
        follow(leaving);
      },
    });
    await this.#attendance.run(stopped);
  }

  /** Lets the handlers see the end of their input; what they still do is theirs to finish. */
  endInput(): void {
    this.#inputOver = true;
    for (const carriage of this.#underway) carriage.endInput();
  }

  /** Cuts every connection off, ends the workers that are at work, and lets nobody wait for one any more. */
  cut(): void {
    this.#cutting.abort(
      new RuntimeError("Cannot serve the request: the server was shut down before a worker was free"),
    );
    this.#cutting = new AbortController();
    for (const carriage of this.#underway) carriage.abort();
    for (const member of this.#working) member.terminate();
  }

  /** Takes no more requests and waits until every worker is gone. */
  async close(): Promise<void> {
    await this.#team.close();
    await this.#moves.close();
  }

  /** Ends every worker. */
  terminate(): Promise<void> {
    return this.#team.terminate();
  }

  #heed(notice: Notice, member: Member): void {
    switch (notice[0]) {
      case "shutdown":
        return this.#options.onShutdown(notice[1]);
      case "crowd":
        return this.#attendance?.noteCrowd();
      case "failure":
        return this.#attendance?.noteFailure(member, notice[1]);
      case "send":
        return this.#send(member, notice[1], notice[2]);
    }
  }

  #send(member: Member, data: Uint8Array, to: Address): void {
    const socket = this.#datagrams.socketOf(member);
    const unsent = (error: unknown) =>
      this.#options.onUnsent([data as Uint8Array<ArrayBuffer>, socket!], to, error);
    socket?.sendto(data, to).catch(unsent);
  }

  async #take(needless?: AbortSignal): Promise<Member> {
    const { signal } = this.#cutting;
    for (;;) {
      if (this.#unreachable !== undefined) throw this.#unreachable;
      try {
        return await this.#team.take({ signal: needless ? AbortSignal.any([signal, needless]) : signal });
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
    const seen = new Map<Carriage, { activity: number; sinceMs: number }>();
    while (this.#underway.size > 0) {
      const now = performance.now();
      for (const carriage of this.#underway) {
        const { activity } = carriage;
        const last = seen.get(carriage);
        if (last === undefined || last.activity !== activity) seen.set(carriage, { activity, sinceMs: now });
        else if (now - last.sinceMs >= idleTimeoutMs) carriage.abort();
      }
      for (const carriage of seen.keys()) if (!this.#underway.has(carriage)) seen.delete(carriage);
      await afterMs(Math.max(1, idleTimeoutMs / 4));
    }
    this.#sweeping = false;
  }
}
