/** BaseServer: the loop that every server has, and the hooks it calls. */

import { OSError, RuntimeError, ValueError } from "../base/errors.ts";
import { afterMs, printError, writeStderr } from "../platform/runtime.ts";
import type { KernelListener } from "../platform/kernel_listener.ts";
import type { TlsServerOptions } from "../platform/tls.ts";
import { isImporting } from "../process/process.ts";
import { addressOf, callingModule, lookUp, notExported, type Target } from "../process/target.ts";
import type { Movability } from "./_acceptor.ts";
import { checkMs, checkOptions } from "./_options.ts";
import { type HandlerClass, runHandler, type ShutdownOptions } from "./handlers.ts";

/**
 * How a server does its work.
 *
 * @example Something for the handlers
 * ```ts
 * import { createConnection } from "@multiprocessing/deno/socket";
 * import { BaseRequestHandler, TCPServer } from "@multiprocessing/deno/socketserver";
 * import assert from "node:assert/strict";
 *
 * class Greeting extends BaseRequestHandler<[text: string]> {
 *   override async handle() {
 *     const [text] = this.args;
 *     await this.request.sendall(text);
 *   }
 * }
 * await using server = new TCPServer(["127.0.0.1", 0], Greeting, { args: ["welcome"] });
 * const handled = server.handleRequest();
 * using client = await createConnection(server.serverAddress);
 * assert.equal(new TextDecoder().decode(await client.recv(1024)), "welcome");
 * await handled;
 * ```
 */
export interface ServerOptions {
  /** Whether the constructor binds the address. When left out it does; else call `serverBind` and `serverActivate`. */
  bindAndActivate?: boolean;
  /** What each handler has as `this.args`: plain data and handles, such as a queue or a lock. */
  args?: readonly unknown[];
  /** `Threading…` servers: at most so many connections are served at a time, others wait; 64 when left out. */
  maxWorkers?: number;
  /**
   * `Threading…` servers: so many connections may wait for a worker; as many as `maxWorkers` when left out. What
   * becomes of further ones says `overload`.
   */
  maxWaiting?: number;
  /**
   * `Threading…` servers: with `"wait"`, as when left out, further connections stay with the kernel, which holds
   * `requestQueueSize` of them; with `"refuse"` they are given to `refuseRequest`, which closes them.
   */
  overload?: "wait" | "refuse";
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
   * `Threading…` servers: whether the kernel socket itself moves into the worker, which is faster by far. When left
   * out it does where Deno can: on Linux, with the permission `ffi`, which is part of `-A`; elsewhere bytes are
   * carried through shared memory, as with `false`. `true` prints a warning where it is not possible.
   *
   * Of a {@link TLSServer} it only moves with `true`: encryption then is the worker's work, too, and its handlers
   * have no `…Sync` forms.
   */
  handoff?: boolean;
  /**
   * {@link ForkingUDPServer}: what the handler processes may do; what the program may when left out. Others refuse it:
   * Deno has permissions for a whole operating-system process, not for a worker, and a process needs `ffi`, which
   * allows everything, to take a connection over.
   */
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
 *
 * @example A server of one's own: its clients are in this process
 * ```ts
 * import { type Socket, socketpair } from "@multiprocessing/deno/socket";
 * import { BaseServer } from "@multiprocessing/deno/socketserver";
 * import { UpperHandler } from "examples/handlers.ts";
 * import assert from "node:assert/strict";
 *
 * class LocalServer extends BaseServer<Socket, string> {
 *   #knock = Promise.withResolvers<Socket>();
 *
 *   connect(): Socket {
 *     const [client, request] = socketpair();
 *     this.#knock.resolve(request);
 *     return client;
 *   }
 *   override async getRequest(): Promise<[Socket, string]> {
 *     const request = await this.#knock.promise;
 *     this.#knock = Promise.withResolvers();
 *     return [request, "a client"];
 *   }
 *   override closeRequest(request: Socket) {
 *     request.close();
 *   }
 * }
 *
 * const server = new LocalServer("here", UpperHandler);
 * const handled = server.handleRequest();
 * using client = server.connect();
 * await client.sendall("hello\n");
 * assert.equal(new TextDecoder().decode(await client.recv(1024)), "HELLO\n");
 * await handled;
 * ```
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
  /** The request that the loop itself is serving. */
  #handling: { readonly request: R } | undefined;

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
    this.#checkServants(options);
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
   * @throws Whatever `getRequest` threw that is no {@link OSError}, or `handleError`.
   *
   * @example Until a signal
   * ```ts
   * import { createConnection } from "@multiprocessing/deno/socket";
   * import { ThreadingTCPServer } from "@multiprocessing/deno/socketserver";
   * import { EchoHandler } from "examples/handlers.ts";
   * import assert from "node:assert/strict";
   *
   * await using server = new ThreadingTCPServer(["127.0.0.1", 0], EchoHandler);
   * const stop = new AbortController();
   * const serving = server.serveForever({ signal: stop.signal });
   * using client = await createConnection(server.serverAddress);
   * await client.sendall("hello");
   * assert.equal((await client.recv(1024)).length, 5);
   * stop.abort();
   * await serving;
   * ```
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
    try {
      await this.#delegate();
      await this.#serve(pollInterval);
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#stopping = false;
      this.#serving = undefined;
      if (!this.#closed) this.stayUp(false);
      ended.resolve();
    }
  }

  /** Lets others accept and serve, if they can. */
  async #delegate(): Promise<void> {
    if (this.#stopping || this.#arriving !== undefined) return;
    const stopped = Promise.withResolvers<void>();
    this.#interrupt = stopped.resolve;
    await this.delegate(stopped.promise);
    this.#interrupt = undefined;
  }

  async #serve(pollInterval: number): Promise<void> {
    if (!this.#stopping && !this.#closed) this.prepare();
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
   *
   * @example Wait 10 ms for somebody
   * ```ts
   * import { TCPServer } from "@multiprocessing/deno/socketserver";
   * import { EchoHandler } from "examples/handlers.ts";
   * import assert from "node:assert/strict";
   *
   * class Impatient extends TCPServer {
   *   override timeout = 10;
   *   waitedInVain = 0;
   *   override handleTimeout() {
   *     this.waitedInVain += 1;
   *   }
   * }
   * await using server = new Impatient(["127.0.0.1", 0], EchoHandler);
   * await server.handleRequest();
   * assert.equal(server.waitedInVain, 1);
   * ```
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
   * @param options `deadline`: waits for the handlers of a `Threading…` or `Forking…` server, and cuts off those that
   * are not done by then.
   * @returns Settles when no further request will be taken. A request that the loop itself is serving goes on. With
   * `deadline`: when no handler is at work any more.
   * @throws {ValueError} If `deadline` is no number of milliseconds.
   */
  async shutdown(options?: ShutdownOptions): Promise<void> {
    const { deadline } = options ?? {};
    if (deadline !== undefined) checkMs("deadline", deadline);
    const serving = this.#serving;
    const handling = this.#handling;
    this.#stop();
    if (handling !== undefined && deadline !== undefined) this.#close(handling, deadline);
    // Whoever serves requests in the loop may be the one who calls, and cannot wait for itself.
    if (serving !== undefined && handling === undefined) await serving;
    if (deadline !== undefined) await this.drain(deadline);
  }

  async #close(handling: { request: R }, afterSoLong: number): Promise<void> {
    await afterMs(afterSoLong);
    if (this.#handling === handling) await this.closeRequest(handling.request);
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
   *
   * @example Only from this machine
   * ```ts
   * import { createConnection, type Socket } from "@multiprocessing/deno/socket";
   * import { TCPServer } from "@multiprocessing/deno/socketserver";
   * import { UpperHandler } from "examples/handlers.ts";
   * import assert from "node:assert/strict";
   *
   * class Local extends TCPServer {
   *   override verifyRequest(_request: Socket, [host]: [string, number]) {
   *     return host === "127.0.0.1";
   *   }
   * }
   * await using server = new Local(["127.0.0.1", 0], UpperHandler);
   * const handled = server.handleRequest();
   * using client = await createConnection(server.serverAddress);
   * await client.sendall("hello\n");
   * assert.equal(new TextDecoder().decode(await client.recv(1024)), "HELLO\n");
   * await handled;
   * ```
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
    await runHandler(await this.#handlerClass(), request, clientAddress, this, this.options.args ?? []);
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
   *
   * @example Count instead of printing
   * ```ts
   * import { createConnection, type Socket } from "@multiprocessing/deno/socket";
   * import { TCPServer } from "@multiprocessing/deno/socketserver";
   * import { EchoHandler } from "examples/handlers.ts";
   * import assert from "node:assert/strict";
   *
   * class Counting extends TCPServer {
   *   readonly errors: unknown[] = [];
   *   override verifyRequest(): boolean {
   *     throw new Error("nobody today");
   *   }
   *   override handleError(_request: Socket, _clientAddress: [string, number], error: unknown) {
   *     this.errors.push(error);
   *   }
   * }
   * await using server = new Counting(["127.0.0.1", 0], EchoHandler);
   * const handled = server.handleRequest();
   * using client = await createConnection(server.serverAddress);
   * assert.equal((await client.recv(1024)).length, 0); // the server has closed it
   * await handled;
   * assert.equal(server.errors.length, 1);
   * ```
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

  /** Who serves the requests: this thread, workers, or operating-system processes. */
  protected get servedBy(): "here" | "worker" | "process" {
    return "here";
  }

  /**
   * Whether its connections move to whoever serves them.
   *
   * @internal
   */
  protected get moves(): Movability {
    return "no";
  }

  /**
   * The listening socket whose connections others can accept, if there is one.
   *
   * @internal
   */
  protected get shareable(): KernelListener | undefined {
    return undefined;
  }

  /** What encrypts its connections, if they are. */
  protected get tls(): TlsServerOptions | undefined {
    return undefined;
  }

  /**
   * Lets others accept and serve requests until `stopped` settles.
   *
   * @returns Settles when none of them accepts any more; at once if nobody can.
   */
  protected delegate(_stopped: Promise<void>): Promise<void> | void {}

  /** What there is to do before the loop begins. */
  protected prepare(): void {}

  /** What the loop waits for before it takes another request, if there is anything. */
  protected admission(): Promise<void> | undefined {
    return undefined;
  }

  /** Waits for the handlers that are at work elsewhere, and cuts off those that are not done after so long. */
  protected drain(_deadlineMs: number): Promise<void> {
    return Promise.resolve();
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
      if (this.#closed) return;
      // As in Python, a request that is gone before it could be got is nobody's concern; a mistake is.
      if (!(arrival.error instanceof OSError)) throw arrival.error;
      await this.#first(afterMs(RETRY_MS), Infinity);
      return;
    }
    const { request, clientAddress } = arrival;
    this.#handling = { request };
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
      this.#handling = undefined;
    }
  }

  /** Refuses what those who serve the requests cannot do. */
  #checkServants({ permissions, idleTimeout }: ServerOptions): void {
    if (permissions !== undefined && this.servedBy !== "process") {
      throw new ValueError(
        "Cannot restrict the permissions of handlers: Deno has them for a whole operating-system process; " +
          "use a Forking server of datagrams, or run the server in a process of its own",
      );
    }
    if (this.servedBy !== "process") return;
    if (permissions !== undefined && this.moves !== "no") {
      throw new ValueError(
        "Cannot restrict the permissions of handlers: to take a connection over they need ffi, which allows " +
          'everything; run the server in a process of its own, with the start method "spawn" and `permissions`',
      );
    }
    if (idleTimeout !== undefined) {
      throw new ValueError(
        "Cannot use idleTimeout here: a Forking server does not see what flows between a process and its client; " +
          "use settimeout() in the handler, or `timeout` of a StreamRequestHandler",
      );
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
