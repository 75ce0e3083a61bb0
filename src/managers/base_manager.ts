/** BaseManager: a process that owns objects, and proxies of them anywhere. */

import { AssertionError, BrokenPipeError, EOFError, ProcessError, ValueError } from "../base/errors.ts";
import { waitMs, type WaitOptions } from "../base/options.ts";
import { authkeyFor } from "../ipc/authkey.ts";
import { type Connection, Pipe } from "../ipc/connection.ts";
import { type Address, checkedAddress } from "../ipc/listener.ts";
import { Queue } from "../ipc/queue.ts";
import { onProgramIdle, settledWithin } from "../platform/runtime.ts";
import { removePrivateSocket, type SocketAddress } from "../platform/stream.ts";
import type { StartMethod } from "../process/hub.ts";
import { activeChildren, agentOf, followStarter, Process } from "../process/process.ts";
import { type Address as Place, type Callable, callingModule, ownRef } from "../process/target.ts";
import { methodOf } from "../team/options.ts";
import { Whereabouts } from "../team/whereabouts.ts";
import { thisAgent } from "../transport/agent.ts";
import { AddressDoor, type Arrival, dial, PipeDoor } from "./_door.ts";
import { ClientLine, useLine } from "./_line.ts";
import { newNumber } from "./_messages.ts";
import { FAILED, MOVED, type PackedType, READY, type ServeOrder, STOP } from "./_serve.ts";
import { makerOf, SYNC_TYPES, type Type } from "./_types.ts";
import { AutoProxy } from "./auto_proxy.ts";
import { ManagerServer } from "./manager_server.ts";
import { type BaseProxy, kindOf, newProxy, type ProxyClass } from "./proxy.ts";

/** What a manager is. */
export interface ManagerOptions {
  /** Where its server listens, or is to be connected to. */
  address?: Address | undefined;
  /** The key that clients over sockets have to know, and the server too; that of this process when left out. */
  authkey?: Uint8Array | undefined;
  /** How the server's process is started: a context, or the name of a start method; the default when left out. */
  context?: { readonly name: string } | StartMethod | undefined;
  /** How long `shutdown` gives the server to end by itself, in milliseconds; 1 000 when left out. */
  shutdownTimeout?: number | undefined;
}

/** What the server's process does first. */
export interface StartOptions {
  /** An exported function that it calls. */
  // deno-lint-ignore no-explicit-any -- what it takes is what `initargs` holds
  initializer?: ((...args: any[]) => unknown) | undefined;
  /** What it calls that with. */
  initargs?: readonly unknown[] | undefined;
}

/** How the objects of a registered type are used. */
export interface RegisterOptions {
  /** The methods that can be called; every one whose name does not begin with `_` when left out. */
  exposed?: readonly string[] | undefined;
  /** Of methods whose results stay in the server, for a proxy: the type each gives. */
  methodToTypeid?: Readonly<Record<string, string>> | undefined;
  /** The class of the proxies, one of this library's; {@link AutoProxy} when left out. */
  proxytype?: ProxyClass | undefined;
  /** Whether the manager gets a method that makes such objects; it does when left out. */
  createMethod?: boolean | undefined;
}

/** A registered type. */
interface Registration extends RegisterOptions {
  readonly callable: Callable | undefined;
  /** The module that registered it. */
  readonly site: string | undefined;
  readonly Proxy: ProxyClass;
}

const SHUTDOWN_MS = 1_000;

const target = ownRef(import.meta.resolve("./_serve.ts"), "serve", () => import("./_serve.ts"));

class WorkerServer extends Process {
  static override readonly startMethod: StartMethod = "worker";
}

class SpawnServer extends Process {
  static override readonly startMethod: StartMethod = "spawn";
}

/** Makes an object by the method of its type. */
export let createIn: <P extends BaseProxy>(
  manager: BaseManager,
  typeid: string,
  args: readonly unknown[],
  Proxy: ProxyClass<P>,
) => P;

/** Starts the server's process without waiting for it. `listening`: whether also to be reached by a socket. */
export let launch: (manager: BaseManager, listening: boolean) => void;

const registries = new WeakMap<object, Map<string, Registration | "sync">>();

/** What a class of managers has registered, and those it derives from. */
function typesOf(Class: unknown): Map<string, Registration | "sync"> {
  if (typeof Class !== "function") return new Map();
  return new Map([...typesOf(Object.getPrototypeOf(Class)), ...registries.get(Class) ?? []]);
}

/** Registers the types that the library itself offers. */
export function registerSyncTypes(Class: typeof BaseManager): void {
  registries.set(Class, new Map(Object.keys(SYNC_TYPES).map((typeid) => [typeid, "sync"])));
}

/**
 * A manager: a process that owns objects which other processes, of this program and of others, use by proxies.
 *
 * A manager is started ({@link BaseManager.start}), connected to one that runs elsewhere ({@link BaseManager.connect}),
 * or served in this process ({@link BaseManager.getServer}). Which objects there can be is registered with a subclass
 * ({@link BaseManager.register}), on both sides alike; {@link SyncManager} comes with many.
 *
 * - Processes of the program that started the server reach it through shared memory, or by way of their creator;
 *   others over a socket, after both sides have proven that they know the `authkey`, as with {@link Listener}. Over a
 *   socket goes plain data, and proxies; nothing a client sends makes code run but the methods that are exposed.
 * - The server ends with the program, or with whoever has started it.
 * - A client that dies gives up what it held: its locks, its places in line, its proxies. A request that was not sent
 *   whole is not done; one that was, is.
 * - When the server is gone, every request, waiting or new, rejects with an {@link EOFError} that says why.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.managers.BaseManager | multiprocessing.managers.BaseManager}.
 * Here objects are created at once and used by Promises; that a creation fails in the server is told by the first use.
 * `with manager:` is `await using manager`, which does not start it.
 *
 * @example A class of one's own
 * ```ts
 * import { BaseManager, type Maker } from "@multiprocessing/deno";
 * import { Counter } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * class MyManager extends BaseManager {
 *   declare Counter: Maker<typeof Counter>; // tells TypeScript of what is registered
 * }
 * MyManager.register("Counter", Counter);
 *
 * await using manager = new MyManager();
 * await manager.start();
 * const counter = manager.Counter(1);
 * assert.equal(await counter.add(2), 3);
 * ```
 */
export class BaseManager implements AsyncDisposable {
  readonly #address: Address | undefined;
  readonly #authkey: Uint8Array<ArrayBuffer>;
  readonly #method: StartMethod;
  readonly #shutdownMs: number;
  #state: "initial" | "started" | "connected" | "over" = "initial";
  #line: ClientLine | undefined;
  #bound: SocketAddress | undefined;
  #process: Process | undefined;
  #control: Connection | undefined;
  #ready: Promise<void> = Promise.resolve();
  #ending: Promise<void> | undefined;

  /**
   * Describes a manager; nothing runs yet.
   *
   * @param options Where it is, and the key.
   * @throws {ValueError} If the address is impossible.
   * @throws {TypeError} If the key is no Uint8Array, or empty.
   */
  constructor(options: ManagerOptions = {}) {
    const { address, authkey, context, shutdownTimeout } = options;
    if (address !== undefined) checkedAddress(address, true);
    this.#address = address;
    this.#authkey = authkeyFor(authkey ?? true)!;
    this.#method = methodOf(context);
    this.#shutdownMs = waitMs({ timeout: shutdownTimeout ?? SHUTDOWN_MS });
  }

  /**
   * Registers a type of objects with this class of managers.
   *
   * The manager gets a method of that name, which is called as the class or function is, and gives a proxy. The server
   * calls it. In a process of its own the server imports it, so it must be exported; {@link BaseManager.getServer} takes
   * closures, too. A client that only connects gives none.
   *
   * Python: `BaseManager.register`; `exposed`, `methodToTypeid`, `proxytype` and `createMethod` are options here.
   *
   * @param typeid The name of the type.
   * @param callable The class, or a function that gives the object; left out where only clients are.
   * @param options What of it can be used, and how.
   * @throws {ValueError} If the name is none, or taken by the manager itself.
   * @throws {TypeError} If the callable is no function, or an option is of the wrong kind.
   *
   * @example Methods whose results stay in the server
   * ```ts
   * import { BaseManager, type Maker, type ProxyOf } from "@multiprocessing/deno";
   * import { Counter, Shelf } from "examples/targets.ts";
   * import assert from "node:assert/strict";
   *
   * class MyManager extends BaseManager {
   *   declare Shelf: Maker<typeof Shelf>;
   * }
   * MyManager.register("Counter", Counter);
   * MyManager.register("Shelf", Shelf, { exposed: ["counter"], methodToTypeid: { counter: "Counter" } });
   *
   * await using manager = new MyManager();
   * await manager.start();
   * const shelf = manager.Shelf();
   * const counter = await shelf.counter("bread") as unknown as ProxyOf<Counter>;
   * await counter.add(3);
   * const same = await shelf.counter("bread") as unknown as ProxyOf<Counter>;
   * assert.equal(await same.add(1), 4);
   * ```
   */
  static register(
    typeid: string,
    // deno-lint-ignore ban-types -- classes and functions alike
    callable?: Function | null,
    options: RegisterOptions = {},
  ): void {
    if (typeof typeid !== "string" || typeid === "" || typeid in BaseManager.prototype) {
      throw new ValueError(
        `Cannot register ${JSON.stringify(typeid)}: it must be a name that managers do not have`,
      );
    }
    if (callable !== undefined && callable !== null && typeof callable !== "function") {
      throw new TypeError(`Cannot register "${typeid}": 'callable' must be a class or a function`);
    }
    const { exposed, methodToTypeid, proxytype: Proxy = AutoProxy, createMethod = true } = options;
    const names = [...exposed ?? [], ...Object.entries(methodToTypeid ?? {}).flat()];
    const wrong = names.find((name) => typeof name !== "string");
    if (wrong !== undefined) {
      throw new TypeError(`Cannot register "${typeid}": ${String(wrong)} is not a string`);
    }
    if (kindOf(Proxy) === undefined) {
      throw new TypeError(
        `Cannot register "${typeid}": 'proxytype' must be a class of proxies of this library`,
      );
    }
    let registry = registries.get(this);
    if (registry === undefined) registries.set(this, registry = new Map());
    registry.set(typeid, { ...options, callable: callable ?? undefined, site: callingModule(), Proxy });
    if (!createMethod) return;
    Object.defineProperty(this.prototype, typeid, {
      value: function (this: BaseManager, ...args: unknown[]) {
        return createIn(this, typeid, args, Proxy);
      },
      configurable: true,
      writable: true,
    });
  }

  /**
   * Starts the server in a process of its own, and waits until it serves.
   *
   * Without an `address` it listens on a Unix socket in a new directory that only this user can enter.
   *
   * @param options What it does first.
   * @throws {ProcessError} If the manager was started, connected or shut down before; or its process ends at once.
   * @throws {OSError} If it cannot listen at the address; `code` is the system's, such as `"EADDRINUSE"`.
   * @throws {PicklingError} If no module exports what is registered, or the initializer.
   * @throws {AssertionError} In a daemonic process, which may have no children. What the initializer throws comes, too.
   */
  async start(options: StartOptions = {}): Promise<void> {
    this.#launch(true, options);
    await this.#ready;
  }

  /**
   * Connects to a server at the `address`, which another process or program has started.
   *
   * @param options How long to try; for ever when left out.
   * @throws {AuthenticationError} If the two do not share a key.
   * @throws {OSError} If nobody listens there (`code` is the system's, such as `"ECONNREFUSED"`), or no manager.
   * @throws {EOFError} If the server hangs up.
   * @throws {TimeoutError} If it took more than `timeout` milliseconds. An aborted `signal` throws its own reason.
   * @throws {ProcessError} If the manager was started, connected or shut down before.
   * @throws {ValueError} If there is no address.
   */
  async connect(options?: WaitOptions): Promise<void> {
    this.#refuseUnlessInitial("connect to");
    if (this.#address === undefined) {
      throw new ValueError("Cannot connect: there is no 'address' to connect to");
    }
    const address = checkedAddress(this.#address, false);
    const number = newNumber();
    const [connection, manager] = await dial(address, this.#authkey, number, options);
    this.#bound = address;
    this.#state = "connected";
    this.#line = useLine(
      new ClientLine(manager, new AddressDoor(address, this.#authkey, manager), [number, connection]),
    );
  }

  /**
   * A server of this manager's types in this very process, which listens already.
   *
   * @returns The server.
   * @throws {OSError} If it cannot listen at the address.
   * @throws {ProcessError} If the manager was started, connected or shut down before.
   */
  getServer(): ManagerServer {
    this.#refuseUnlessInitial("serve");
    const types = new Map<string, Type>();
    for (const [typeid, type] of typesOf(this.constructor)) {
      types.set(
        typeid,
        type === "sync" ? SYNC_TYPES[typeid]! : { ...type, make: makerOf(typeid, type.callable) },
      );
    }
    return new ManagerServer(types, this.#address, this.#authkey);
  }

  /**
   * Ends the server that this manager has started: whoever waits for something gets an {@link EOFError}. A manager that
   * was connected hangs up. Any number of calls do no more than one.
   */
  async shutdown(): Promise<void> {
    if (this.#state === "connected") {
      this.#state = "over";
      this.#line!.end("this manager has hung up");
    }
    if (this.#process === undefined) return;
    this.#state = "over";
    await (this.#ending ??= this.#end(this.#process));
  }

  /**
   * Waits until the server's process has ended.
   *
   * @param options How long to wait; for ever when left out.
   * @throws {TypeError} If this manager has started none. An aborted `signal` throws its own reason.
   */
  async join(options?: WaitOptions): Promise<void> {
    if (this.#process === undefined) {
      throw new TypeError("Cannot join the manager: it has started no process; call start() first");
    }
    await this.#process.join(options);
  }

  /**
   * Where the server listens, with the port it really has; before it runs, where it is to. `null` for one that only this
   * program reaches, such as {@link Manager} makes.
   */
  get address(): Address | null {
    return this.#bound ?? this.#address ?? null;
  }

  /**
   * How many objects the server holds of which somebody has a proxy, or is being sent one.
   *
   * Python: `BaseManager._number_of_objects`.
   *
   * @returns The number.
   */
  _numberOfObjects(): Promise<number> {
    return this.#started().request(0, "numberOfObjects", []) as Promise<number>;
  }

  /** The same as {@link BaseManager.shutdown}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  #refuseUnlessInitial(what: string): void {
    if (this.#state === "initial") return;
    throw new ProcessError(
      this.#state === "over"
        ? `Manager has shut down: cannot ${what} it again; make another`
        : `Already started server: cannot ${what} the manager once more`,
    );
  }

  #started(): ClientLine {
    if (this.#line !== undefined) return this.#line;
    throw new AssertionError("server not yet started: call start(), or connect(), and await it first");
  }

  #launch(listening: boolean, { initializer, initargs }: StartOptions = {}): void {
    this.#refuseUnlessInitial("start");
    if (initializer !== undefined && typeof initializer !== "function") {
      throw new TypeError("Cannot start the manager: initializer must be a callable");
    }
    const site = callingModule();
    const wheres = new Map<string, Whereabouts>();
    const where = (key: string, callable: Callable, site: string | undefined): Place => {
      const whereabouts = new Whereabouts(callable, site);
      wheres.set(key, whereabouts);
      return whereabouts.address;
    };
    const types = new Map<string, PackedType>();
    for (const [typeid, type] of typesOf(this.constructor)) {
      if (type === "sync") types.set(typeid, {});
      else {
        const { callable, exposed, methodToTypeid, Proxy, site } = type;
        const address = callable && where(typeid, callable, site);
        types.set(typeid, { kind: kindOf(Proxy)!, callable: address, exposed, methodToTypeid });
      }
    }
    const [control, theirs] = Pipe();
    const order: ServeOrder = {
      manager: newNumber(),
      types,
      listen: listening || this.#address !== undefined
        ? { address: this.#address, authkey: this.#authkey }
        : undefined,
      initializer: initializer && { callable: where("", initializer, site), args: initargs ?? [] },
      queue: new Queue<Arrival>(),
    };
    const ServerProcess = this.#method === "spawn" ? SpawnServer : WorkerServer;
    const process = new ServerProcess({ target, args: [theirs, order], daemon: false }) as Process;
    process.name = process.name.replace(/^\w+/, this.constructor.name);
    followStarter(process);
    process.start();
    endWithProgram(this, process);
    theirs.close();
    const door = PipeDoor.of(order.queue, agentOf(process));
    const line = useLine(new ClientLine(order.manager, door));
    process.sentinel.then(() => order.queue.shutdown({ immediate: true })); // whoever is in there has come too late
    line.explain = () => this.#ready.then(() => fate(process), failed);
    this.#state = "started";
    this.#process = process;
    this.#control = control;
    this.#line = line;
    this.#ready = this.#prepare(control, process, wheres, door);
    this.#ready.then(async () => {
      await process.sentinel;
      line.lost();
      if (this.#address === undefined && typeof this.#bound === "string") removePrivateSocket(this.#bound);
    }, (error) => {
      this.#state = "over";
      line.end(failed(error));
    });
  }

  async #prepare(
    control: Connection,
    process: Process,
    wheres: ReadonlyMap<string, Whereabouts>,
    door: PipeDoor,
  ): Promise<void> {
    try {
      for (;;) {
        const [kind, detail, key] = await control.recv() as [kind: string, detail: unknown, key: string];
        if (kind === READY) {
          this.#bound = detail as SocketAddress | undefined;
          return await control.send(door);
        }
        if (kind === FAILED) throw detail;
        if (kind === MOVED) {
          const whereabouts = wheres.get(key)!;
          await control.send(await whereabouts.elsewhere(detail) ? whereabouts.address : undefined);
        }
      }
    } catch (error) {
      if (!(error instanceof EOFError || error instanceof BrokenPipeError)) throw error;
      await settledWithin(process.sentinel, Infinity);
      throw new ProcessError(`Cannot start the manager: ${fate(process)}`);
    }
  }

  async #end(process: Process): Promise<void> {
    // The server tells everybody, us as well; what we hold there is nobody's until then.
    const why = "the manager was shut down";
    const isReady = await settledWithin(this.#ready.catch(() => {}), this.#shutdownMs);
    this.#line!.explain = () => Promise.resolve(why);
    if (isReady) {
      await this.#control!.send([STOP]).catch(() => {/* it has ended already */});
      await process.join({ timeout: this.#shutdownMs });
    }
    if (process.isAlive()) {
      process.terminate();
      await process.join({ timeout: this.#shutdownMs });
    }
    if (process.isAlive()) {
      process.kill();
      await process.join();
    }
    this.#line!.end(why);
    this.#control!.close();
  }

  static {
    createIn = (manager, typeid, args, Proxy) => {
      const line = manager.#started();
      return newProxy(Proxy, { line, object: line.create(typeid, args), typeid });
    };
    launch = (manager, listening) => manager.#launch(listening);
  }
}

/** Managers that run, and their processes. */
const running = new Map<Process, BaseManager>();

/** Has the program shut a manager down when it has nothing left to do, and no child that may yet use it. */
function endWithProgram(manager: BaseManager, process: Process): void {
  if (!thisAgent().isHub) return; // elsewhere it goes with whoever has started it
  if (!watching) onProgramIdle(shutDownAll);
  watching = true;
  running.set(process, manager);
  process.sentinel.then(() => running.delete(process));
}

let watching = false;

function shutDownAll(): boolean {
  if (running.size === 0 || activeChildren().some((child) => !child.daemon && !running.has(child))) {
    return false;
  }
  for (const manager of running.values()) void manager.shutdown();
  return true;
}

/** Why there is no server. */
function failed(error: unknown): string {
  return `the manager could not be started: ${(error as Error)?.message}`;
}

/** How the server's process has ended; nothing while it has not. */
function fate(process: Process): string | undefined {
  const { exitcode, name } = process;
  if (exitcode === null) return undefined;
  const how = exitcode < 0 ? `was ended by signal ${-exitcode}` : `has ended with exit code ${exitcode}`;
  return `the manager's process "${name}" ${how}`;
}
