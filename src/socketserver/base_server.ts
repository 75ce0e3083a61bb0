/** BaseServer: the loop that every server has, and the hooks it calls. */

import { OSError, RuntimeError, ValueError } from "../base/errors.ts";
import { wholeNumber } from "../base/options.ts";
import { afterMs, printError, writeStderr } from "../platform/runtime.ts";
import { isImporting } from "../process/process.ts";
import { addressOf, callingModule, lookUp, notExported, type Target } from "../process/target.ts";
import type { Socket } from "../socket/socket.ts";
import { type HandlerClass, runHandler } from "./handlers.ts";

/** How a server does its work. */
export interface ServerOptions {
  /** What each handler has as `this.args`: plain data and handles, such as a queue or a lock. */
  args?: readonly unknown[];
  /** `Threading…` servers: at most so many connections are served at a time, others wait; 64 when left out. */
  maxWorkers?: number;
  /** `Threading…` servers: so many idle workers are kept ready; 2 when left out. */
  warmWorkers?: number;
  /** `Threading…` servers: whether a worker serves another connection afterwards. When left out it does. */
  recycle?: boolean;
  /** `Threading…` servers: a connection that is silent for so many milliseconds is closed; never when left out. */
  idleTimeout?: number;
  /**
   * `Threading…` servers: how long a worker above `warmWorkers` is kept that has nothing to do, in milliseconds; 30 s
   * when left out. To make another takes the server 30 ms, and the memory of ended workers does not all come back.
   */
  workerIdleTimeout?: number;
  /**
   * `Threading…` servers: how long `serverClose` waits for handlers that are at work, in milliseconds, before it
   * ends them; 10 s when left out.
   */
  closeTimeout?: number;
  /**
   * `Threading…` servers: whether to move the kernel socket itself into the worker. Not possible here; the bytes are
   * carried through shared memory, as without it, and a warning is printed.
   */
  handoff?: boolean;
  /** Refused: Deno has permissions for a whole operating-system process, not for a worker. */
  permissions?: Deno.PermissionOptions;
}

/** How {@link BaseServer.serveForever} runs. */
export interface ServeOptions {
  /** Stops the loop as {@link BaseServer.shutdown} does. */
  signal?: AbortSignal | undefined;
  /** How often `serviceActions` is called while nothing comes, in milliseconds; 500 when left out. */
  pollInterval?: number | undefined;
}

/** What came of waiting for a request. */
type Arrival<R, A> = { readonly request: R; readonly clientAddress: A } | { readonly error: unknown };

/** A server that cannot accept is tried again after so long, rather than at once and for ever. */
const RETRY_MS = 50;
const DASHES = "-".repeat(40);

/**
 * What all servers have in common. The loop calls, for each request,
 *
 * ```
 * getRequest ─▶ verifyRequest ─▶ processRequest ─▶ finishRequest ─▶ the handler ─▶ shutdownRequest ─▶ closeRequest
 *                                     └─ on an error ─▶ handleError
 * ```
 *
 * - One request after the other, in this process; with {@link ThreadingMixIn} each in a worker of its own.
 * - A request that fails is reported by `handleError`, and the loop goes on.
 * - All of these may be overridden, and may be async.
 *
 * Python: {@link https://docs.python.org/3/library/socketserver.html#socketserver.BaseServer | socketserver.BaseServer}.
 * Here times are milliseconds; an error in `verifyRequest` is one of that request, not of the server.
 *
 * @typeParam R What a request is.
 * @typeParam A What the address of a client is.
 */
// deno-lint-ignore no-explicit-any -- what a request is depends on the kind of server
export class BaseServer<R = any, A = any> implements AsyncDisposable {
  /** How long {@link BaseServer.handleRequest} waits for a request, in milliseconds; `null` for ever. */
  timeout: number | null = null;
  /** Where the server listens. */
  serverAddress: A;
  /** The class whose instances serve the requests. */
  readonly RequestHandlerClass: HandlerClass | Target;
  /** The options the server was made with. */
  protected readonly options: ServerOptions;
  /** The module that constructed the server. */
  protected readonly site: string | undefined;
  /** The request that is being waited for; kept when the wait is given up, for the next one. */
  #arriving: Promise<Arrival<R, A>> | undefined;
  #interrupt: (() => void) | undefined;
  #stopping = false;
  #closed = false;
  #serving: Promise<void> | undefined;
  #handling = false;

  /**
   * Takes its arguments; subclasses make the socket.
   *
   * @param serverAddress Where to listen.
   * @param RequestHandlerClass The class whose instances serve the requests.
   * @param options How to do it.
   * @throws {ValueError} If an option has an impossible value.
   */
  constructor(serverAddress: A, RequestHandlerClass: HandlerClass | Target, options: ServerOptions = {}) {
    if (typeof RequestHandlerClass !== "function") {
      throw new TypeError(`Cannot serve with ${String(RequestHandlerClass)}: it must be a class of handlers`);
    }
    if (isImporting()) {
      throw new RuntimeError(
        "Cannot make a server while its module is being imported by a worker: " +
          "put what starts the server below `if (import.meta.main)`",
      );
    }
    checkOptions(options);
    this.serverAddress = serverAddress;
    this.RequestHandlerClass = RequestHandlerClass;
    this.options = options;
    this.site = callingModule();
  }

  // --- For the caller -------------------------------------------------------------------------------------------

  /**
   * Serves requests until {@link BaseServer.shutdown}.
   *
   * @param options `signal`, which stops it as well.
   * @returns Settles when it has been stopped; connections of a `Threading…` server go on.
   * @throws {RuntimeError} If it is running already.
   * @throws {OSError} If the server was closed.
   */
  async serveForever(options?: ServeOptions): Promise<void> {
    if (this.#serving !== undefined) {
      throw new RuntimeError("Cannot serve: serveForever() is running already; call shutdown() first");
    }
    this.#checkOpen("serve");
    const { signal, pollInterval = 500 } = options ?? {};
    const stop = () => this.#stop();
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
    const ended = Promise.withResolvers<void>();
    this.#serving = ended.promise;
    this.stayUp(true);
    this.prepare();
    try {
      await this.#serve(pollInterval);
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#stopping = false;
      this.#serving = undefined;
      if (!this.#closed) this.stayUp(false);
      ended.resolve();
    }
  }

  async #serve(pollInterval: number): Promise<void> {
    // A timer only for those who have something to do between requests.
    const acts = this.serviceActions !== BaseServer.prototype.serviceActions;
    while (!this.#stopping && !this.#closed) {
      const full = this.admission();
      if (full !== undefined) {
        await this.#first(full, Infinity);
        continue;
      }
      const arrival = await this.#nextArrival(acts ? pollInterval : Infinity);
      if (arrival !== undefined) await this.#take(arrival);
      else if (this.#stopping) break;
      if (acts) await this.serviceActions();
    }
  }

  /**
   * Serves one request, waiting for it at most {@link BaseServer.timeout} milliseconds, after which it calls
   * `handleTimeout` instead.
   *
   * @returns Settles when the request has been processed; a `Threading…` server then still serves it.
   */
  async handleRequest(): Promise<void> {
    this.#checkOpen("handle a request");
    this.stayUp(true);
    try {
      const arrival = await this.#nextArrival(this.timeout ?? Infinity);
      if (arrival !== undefined) await this.#take(arrival);
      else if (!this.#stopping && !this.#closed) await this.handleTimeout();
    } finally {
      if (!this.#closed && this.#serving === undefined) this.stayUp(false);
    }
  }

  /**
   * Stops {@link BaseServer.serveForever}. May be called from anywhere, also from a handler; called before
   * `serveForever`, it lets that return at once.
   *
   * @returns Settles when no further request will be taken. A request that the loop itself is serving goes on.
   */
  async shutdown(): Promise<void> {
    const serving = this.#serving;
    this.#stop();
    // Whoever serves requests in the loop may be the one who calls, and cannot wait for itself.
    if (serving !== undefined && !this.#handling) await serving;
  }

  /**
   * Closes the server for good.
   *
   * @returns Of a `Threading…` server: settles when its connections are served and its workers are gone.
   */
  serverClose(): void | Promise<void> {
    this.#closed = true;
    this.#interrupt?.();
    this.#arriving?.then((arrival) => "request" in arrival && this.closeRequest(arrival.request));
  }

  /** Stops the server and closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
    await this.serverClose();
  }

  // --- For the overrider ----------------------------------------------------------------------------------------

  /** Makes the socket and lets it listen. Called by the constructor of servers that have one. */
  serverBind(): void {}

  /** Called by the constructor after {@link BaseServer.serverBind}. Nothing is left to do by itself. */
  serverActivate(): void {}

  /** Waits for a request and gives it, with the address of the client. */
  getRequest(): Promise<[request: R, clientAddress: A]> {
    return Promise.reject(
      new RuntimeError("Cannot get a request: a BaseServer has no socket; use TCPServer"),
    );
  }

  /**
   * Whether to serve a request. If not, it is closed.
   *
   * @param _request The request.
   * @param _clientAddress Where it comes from.
   * @returns `true`, unless overridden.
   */
  verifyRequest(_request: R, _clientAddress: A): boolean | Promise<boolean> {
    return true;
  }

  /**
   * Serves a request and closes it. The mix-ins let somebody else do that.
   *
   * @param request The request.
   * @param clientAddress Where it comes from.
   */
  async processRequest(request: R, clientAddress: A): Promise<void> {
    await this.finishRequest(request, clientAddress);
    await this.shutdownRequest(request);
  }

  /**
   * Makes an instance of the handler class and lets it serve the request.
   *
   * @param request The request.
   * @param clientAddress Where it comes from.
   */
  async finishRequest(request: R, clientAddress: A): Promise<void> {
    const Handler = await this.#handlerClass();
    await runHandler(
      Handler,
      request as Socket,
      clientAddress as [string, number],
      this,
      this.options.args ?? [],
    );
  }

  /**
   * Ends a request that was served. Calls {@link BaseServer.closeRequest}.
   *
   * @param request The request.
   */
  shutdownRequest(request: R): void | Promise<void> {
    return this.closeRequest(request);
  }

  /**
   * Lets go of a request.
   *
   * @param _request The request.
   */
  closeRequest(_request: R): void | Promise<void> {}

  /**
   * Reports a request that failed: prints the error on stderr, unless overridden.
   *
   * In a `Threading…` server the error is what the handler threw in its worker; a {@link ProcessError} with an
   * `exitcode` if the worker ended; a {@link PicklingError} if no module exports the handler class.
   *
   * @param _request The request.
   * @param clientAddress Where it comes from.
   * @param error What was thrown.
   */
  handleError(_request: R, clientAddress: A, error: unknown): void | Promise<void> {
    const from = Array.isArray(clientAddress)
      ? `(${clientAddress.map((part) => typeof part === "string" ? `'${part}'` : String(part)).join(", ")})`
      : String(clientAddress);
    printError(`${DASHES}\nException occurred during processing of request from ${from}`, error);
    writeStderr(`${DASHES}\n`);
  }

  /** Called by {@link BaseServer.handleRequest} when no request came in time. */
  handleTimeout(): void | Promise<void> {}

  /** Called by {@link BaseServer.serveForever} after each request, and every now and then while none comes. */
  serviceActions(): void | Promise<void> {}

  // --- For subclasses -------------------------------------------------------------------------------------------

  /** What there is to do before the loop begins. */
  protected prepare(): void {}

  /** What the loop waits for before it takes another request, if there is anything. */
  protected admission(): Promise<void> | undefined {
    return undefined;
  }

  /** Whether waiting for a request keeps the program up. */
  protected stayUp(_up: boolean): void {}

  /** Reports a request that failed where nobody else can take an error. */
  protected async report(request: R, clientAddress: A, error: unknown): Promise<void> {
    try {
      await this.handleError(request, clientAddress, error);
    } catch (another) {
      printError("Exception in handleError()", another);
    }
  }

  #stop(): void {
    this.#stopping = true;
    this.#interrupt?.();
  }

  /** The next request; `undefined` if `ms` passed or the loop is stopped. */
  async #nextArrival(ms: number): Promise<Arrival<R, A> | undefined> {
    this.#arriving ??= this.getRequest().then(
      ([request, clientAddress]) => ({ request, clientAddress }),
      (error) => ({ error }),
    );
    const arrival = await this.#first(this.#arriving, ms);
    if (arrival !== undefined) this.#arriving = undefined;
    return arrival;
  }

  // Not Promise.race(): it would leave something behind on a promise that lives as long as the server.
  #first<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
    if (this.#stopping || this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const settle = (value: T | undefined) => {
        this.#interrupt = undefined;
        clearTimeout(timer);
        resolve(value);
      };
      this.#interrupt = () => settle(undefined);
      if (ms < 2 ** 31) timer = setTimeout(settle, ms, undefined);
      promise.then(settle);
    });
  }

  async #take(arrival: Arrival<R, A>): Promise<void> {
    if ("error" in arrival) {
      // As in Python, a request that is gone before it could be got is nobody's concern.
      if (!this.#closed) await this.#first(afterMs(RETRY_MS), Infinity);
      return;
    }
    const { request, clientAddress } = arrival;
    this.#handling = true;
    try {
      if (await this.verifyRequest(request, clientAddress)) await this.processRequest(request, clientAddress);
      else await this.shutdownRequest(request);
    } catch (error) {
      try {
        await this.handleError(request, clientAddress, error);
      } finally {
        await this.shutdownRequest(request);
      }
    } finally {
      this.#handling = false;
    }
  }

  async #handlerClass(): Promise<HandlerClass> {
    const given = this.RequestHandlerClass;
    // A class has a prototype; what ref() gives has none.
    if (given.prototype !== undefined) return given as HandlerClass;
    const found = await lookUp(addressOf(given, this.site));
    if (found === undefined) throw notExported(given.name, "its module has no such export");
    return found as HandlerClass;
  }

  #checkOpen(what: string): void {
    if (this.#closed) throw new OSError(`Cannot ${what}: the server was closed; Bad file descriptor`);
  }
}

function checkOptions(options: ServerOptions): void {
  if (options.permissions !== undefined) {
    throw new ValueError(
      "Cannot restrict the permissions of handlers: Deno has them for a whole operating-system process; " +
        'run the server in a process of its own, with the start method "spawn" and `permissions`',
    );
  }
  if (options.args !== undefined && !Array.isArray(options.args)) {
    throw new TypeError(`Cannot give handlers ${String(options.args)}: 'args' must be an array`);
  }
  if (options.maxWorkers !== undefined) wholeNumber("maxWorkers", options.maxWorkers, 1);
  if (options.warmWorkers !== undefined) wholeNumber("warmWorkers", options.warmWorkers, 0);
  for (const name of ["idleTimeout", "workerIdleTimeout", "closeTimeout"] as const) {
    const ms = options[name];
    if (ms !== undefined && !(typeof ms === "number" && ms >= 0)) {
      throw new ValueError(
        `Cannot use ${String(ms)} as ${name}: it must be a number of milliseconds, at least 0`,
      );
    }
  }
}
