/** What ThreadingMixIn and ForkingMixIn have in common: requests are served elsewhere, and the loop goes on. */

import { KernelSocket } from "../platform/kernel_socket.ts";
import { printError } from "../platform/runtime.ts";
import type { Address } from "../socket/endpoint.ts";
import { KernelEndpoint } from "../socket/kernel_endpoint.ts";
import { Socket } from "../socket/socket.ts";
import { arrive } from "../transport/arriving.ts";
import { HandlerTeam, type Staff } from "./_handler_team.ts";
import { Workforce } from "./_workforce.ts";
import { BaseServer } from "./base_server.ts";
import type { HandlerClass } from "./handlers.ts";
import { StreamServer } from "./stream_server.ts";
import type { ServerClass } from "./threading.ts";

/** Long enough that the next burst finds the workers of this one. */
const WORKER_IDLE_MS = 30_000;
const CLOSE_TIMEOUT_MS = 10_000;

/** A class of servers whose requests a {@link HandlerTeam} serves. */
// deno-lint-ignore explicit-module-boundary-types -- a mix-in is what it makes of its base
export function ServedElsewhere<B extends ServerClass>(Base: B) {
  abstract class ServedElsewhere extends Base {
    /** Whether what `serverClose` returns settles only when every handler is done. */
    blockOnClose = true;
    readonly #workforce = new Workforce(() => this.#makeTeam());

    /** Who serves. */
    protected abstract staff(): Staff;

    /** How long `serverClose` lets handlers go on. */
    protected get closingMs(): number {
      return this.options.closeTimeout ?? CLOSE_TIMEOUT_MS;
    }

    /** Workers accept connections for themselves, unless somebody wants to see each of them here. */
    protected override delegate(stopped: Promise<void>): Promise<void> | void {
      const listener = this.shareable;
      if (listener !== undefined && this.#attends) return this.#workforce.attend(listener, stopped);
    }

    get #attends(): boolean {
      const { overload } = this.options;
      return this.servedBy === "worker" && this.shareable !== undefined && overload !== "refuse" &&
        isPlain(this);
    }

    protected override prepare(): void {
      this.#workforce.prepare();
    }

    protected override admission(): Promise<void> | undefined {
      return this.options.overload === "refuse" ? undefined : this.#workforce.admission();
    }

    /** Lets somebody else serve the request, and does not wait for it. */
    override processRequest(request: unknown, clientAddress: unknown): Promise<void> {
      if (this.options.overload === "refuse" && this.#workforce.full) {
        return Promise.resolve(this.refuseRequest(request, clientAddress));
      }
      this.#workforce.follow(this.processRequestThread(request, clientAddress));
      return Promise.resolve();
    }

    /** Serves the request and closes it. */
    async processRequestThread(request: unknown, clientAddress: unknown): Promise<void> {
      try {
        await this.finishRequest(request, clientAddress);
      } catch (error) {
        await this.report(request, clientAddress, error);
      }
      try {
        await this.shutdownRequest(request);
      } catch (error) {
        printError("Exception in shutdownRequest()", error);
      }
    }

    /** Ends a request that there is no place for. */
    refuseRequest(request: unknown, _clientAddress: unknown): void | Promise<void> {
      return this.shutdownRequest(request);
    }

    /** Has an instance of the handler class serve the request, elsewhere. */
    override finishRequest(request: unknown, clientAddress: unknown): Promise<void> {
      return this.#workforce.serve(request, clientAddress);
    }

    protected override drain(deadlineMs: number): Promise<void> {
      return this.#workforce.drain(deadlineMs);
    }

    override serverClose(): Promise<void> {
      const closing = this.#close(super.serverClose());
      return this.blockOnClose ? closing : Promise.resolve();
    }

    async #close(closing: void | Promise<void>): Promise<void> {
      await this.#workforce.close(this.closingMs);
      await closing;
    }

    /** Settles when no handler is at work. */
    protected idle(): Promise<void> {
      return this.#workforce.idle();
    }

    /** The processes that are at work. */
    protected get working(): Set<number> {
      return this.#workforce.working;
    }

    /** Ends a connection that its worker has left behind. */
    async #finishLeft(fd: number, peer: Address | undefined, error: unknown): Promise<void> {
      const request = arrive(Socket, new KernelEndpoint(new KernelSocket(fd)));
      await this.report(request, peer ?? request.getpeername(), error);
      try {
        await this.shutdownRequest(request);
      } catch (error) {
        printError("Exception in shutdownRequest()", error);
      }
    }

    #makeTeam(): HandlerTeam {
      const { args = [], recycle = true, idleTimeout = Infinity, maxWaiting } = this.options;
      const staff = this.staff();
      return new HandlerTeam({
        ...staff,
        name: this.constructor.name,
        Handler: this.RequestHandlerClass as HandlerClass,
        site: this.site,
        args,
        serverAddress: this.serverAddress,
        tls: this.tls,
        moves: this.moves !== "no",
        maxWaiting: maxWaiting ?? staff.max,
        recycle,
        idleTimeoutMs: idleTimeout,
        workerIdleMs: this.options.workerIdleTimeout ?? WORKER_IDLE_MS,
        onShutdown: (deadline) => void this.shutdown({ deadline }),
        attends: this.#attends,
        onLeft: (fd, peer, error) => this.#finishLeft(fd, peer, error),
        onUnsent: (datagram, to, error) => void this.report(datagram, to, error),
      });
    }
  }
  plain.add(ServedElsewhere.prototype);
  return ServedElsewhere;
}

/** The prototypes of the library's own classes. */
const plain = new WeakSet<object>([BaseServer.prototype, StreamServer.prototype, Object.prototype]);

/** What a server calls for each request, where only the library's own versions can be done without. */
const HOOKS: readonly string[] = [
  "getRequest",
  "verifyRequest",
  "processRequest",
  "processRequestThread",
  "finishRequest",
  "shutdownRequest",
  "closeRequest",
  "serviceActions",
];

/** Whether nobody has overridden what is called for each request. */
function isPlain(server: object): boolean {
  for (let it = server; it !== null; it = Object.getPrototypeOf(it)) {
    if (!plain.has(it) && HOOKS.some((hook) => Object.hasOwn(it, hook))) return false;
  }
  return true;
}
