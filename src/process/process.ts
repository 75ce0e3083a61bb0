/** Process: a function that runs beside this one, in a worker or in an operating-system process of its own. */

import { AssertionError, RuntimeError, ValueError } from "../base/errors.ts";
import { waitMs, type WaitOptions, wholeNumber } from "../base/options.ts";
import { setDefaultAuthkey } from "../ipc/authkey.ts";
import { requireChildren } from "../platform/compiled.ts";
import { mayInspect } from "../platform/inspector.ts";
import { permissionFlags } from "../platform/permissions.ts";
import { cores, exitNow, keepAlive, osParentId, osProcessId, settledWithin } from "../platform/runtime.ts";
import { thisAgent } from "../transport/agent.ts";
import { arrive, arriving } from "../transport/arriving.ts";
import { encode, type EncodeOptions } from "../transport/codec.ts";
import { onMessage } from "../transport/hub_line.ts";
import {
  answerAddress,
  type Identity,
  newLink,
  type Order,
  orderSpawn,
  type PackedValue,
  type StartMethod,
  startSpawn,
  startWorker,
  stop,
} from "./hub.ts";
import { getStartMethod, setStartMethod } from "./start_method.ts";
import { addressOf, type Callable, callingModule, locate, notExported } from "./target.ts";

/**
 * What a {@link Process} is made of.
 *
 * @example A name, and an object as last argument
 * ```ts
 * import { Process, Queue } from "@multiprocessing/deno";
 * import { greetOn } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * using greetings = new Queue<string>();
 * await using child = new Process({
 *   target: greetOn,
 *   args: [greetings],
 *   kwargs: { who: "egon" }, // greetOn(greetings, { who: "egon" })
 *   name: "greeter",
 * });
 * child.start();
 * await child.join();
 * assert.equal(await greetings.get(), "hello egon");
 * ```
 */
export interface ProcessOptions<A extends unknown[] = unknown[]> {
  /** What to run: an exported function. */
  target?: ((...args: A) => unknown) | undefined;
  /** What to call it with. */
  args?: A | undefined;
  /** One more, last argument: an object. */
  kwargs?: Record<string, unknown> | undefined;
  /** What to call the process; `Process-1`, `Process-2` … when left out. */
  name?: string | undefined;
  /** Whether it is taken down with the program; as its creator is when left out. */
  daemon?: boolean | undefined;
  /** Only for likeness with Python; always `null`. */
  group?: null | undefined;
  /** What the child may do: start method `"spawn"` only. As much as this program when left out. */
  permissions?: Deno.PermissionOptions | undefined;
  /** Buffers and ports in the arguments that move to the child. */
  transfer?: Transferable[] | undefined;
  /**
   * How large the child's heap may become, in MiB; as large as Deno lets it when left out. A child that needs more
   * ends: a worker with exit code 1, and the program lives.
   */
  maxMemoryMb?: number | undefined;
}

/** The agent of a child that was started; for rooms above that watch whether it lives. */
export let agentOf: (process: Process) => number;
/** Has a process that was not started yet end with its starter as a daemon does, though it is none. */
export let followStarter: (process: Process) => void;
/** Whether its starter ends it at its own end, instead of waiting for it. */
export let endsWithStarter: (process: Process) => boolean;

/** Work of this process that others do for it. It ends before those are ended who end with their starter. */
export const unfinishedWork: Set<() => Promise<void>> = new Set();

/** Settles when that work is done. */
export async function workDone(): Promise<void> {
  for (const done of unfinishedWork) await done();
}

/** How a {@link Process} object is made that stands for a process which exists already. */
export interface Existing {
  readonly identity: Identity;
  /** What `run` calls. */
  readonly target?: ((...args: unknown[]) => unknown) | undefined;
  readonly args?: unknown[];
}

/**
 * A process: a function that runs in isolation from this one and at the same time.
 *
 * - `start()` returns at once; `join()` waits.
 * - Nothing is shared but what is made for sharing: the child imports its modules anew, and arguments are copies,
 *   but for handles (queues, connections, locks …), which stay themselves.
 * - The program waits at its end for processes that are not daemons, and ends those that are.
 * - However the child ends, `join` settles and `exitcode` says how.
 *
 * The target is an exported function, passed as itself; the child imports the module that exports it, and
 * `if (import.meta.main)` keeps that module's main part from running there. A subclass that overrides `run` is
 * exported likewise, and its own fields travel.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.Process | multiprocessing.Process}.
 * Here `kwargs` is one last argument; a target that cannot be found is reported by `join()`, since only the child
 * can tell; a killed process takes its own children with it.
 *
 * @typeParam A What the target is called with.
 *
 * @example Run a function
 * ```ts
 * import { Process } from "@multiprocessing/deno";
 * import { square } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * await using child = new Process({ target: square, args: [3] });
 * child.start();
 * await child.join();
 * assert.equal(child.exitcode, 0);
 * ```
 */
export class Process<A extends unknown[] = unknown[]> implements AsyncDisposable {
  /** The start method of this class; that of {@link setStartMethod} when undefined. Contexts set it. */
  static readonly startMethod: StartMethod | undefined = undefined;

  readonly #target: ((...args: A) => unknown) | undefined;
  readonly #args: A;
  readonly #permissions: Deno.PermissionOptions | undefined;
  readonly #transfer: readonly Transferable[];
  readonly #memoryMb: number | undefined;
  readonly #method: StartMethod;
  /** The module whose code constructed us, where the target is looked for first. */
  readonly #site: string | undefined;
  readonly #numbers: readonly number[];
  #name: string;
  #daemon: boolean;
  #follows = false;
  #authkey: Uint8Array;
  /** `existing`: made by somebody else, as this process itself and its parent are. */
  #state: "initial" | "running" | "ended" | "closed" | "existing";
  #agent = 0;
  #pid: number | undefined;
  #exitcode: number | null = null;
  #failure: Error | undefined;
  #sentinel: Promise<number> | undefined;

  /**
   * Describes a process; nothing runs yet.
   *
   * @param options What to run, and as what.
   * @throws {AssertionError} If `group` is not null.
   * @throws {TypeError} If `target` is no function or `args` is no array.
   */
  constructor(options: ProcessOptions<A> = {}) {
    const existing = arriving<Existing>();
    if (existing !== undefined) {
      const { identity } = existing;
      this.#target = existing.target as ((...args: A) => unknown) | undefined;
      this.#args = (existing.args ?? []) as A;
      this.#transfer = [];
      this.#method = identity.startMethod;
      this.#numbers = identity.numbers;
      this.#name = identity.name;
      this.#daemon = identity.daemon;
      this.#authkey = identity.authkey;
      this.#pid = identity.pid;
      this.#state = "existing";
      return;
    }
    const { target, args, kwargs, name, daemon, group, permissions, transfer, maxMemoryMb } = options;
    if (group !== undefined && group !== null) {
      throw new AssertionError("group argument must be null for now: processes have no groups");
    }
    if (target !== undefined && typeof target !== "function") {
      throw new TypeError(
        `Cannot run ${String(target)}: 'target' must be a function, and is ${typeof target}`,
      );
    }
    if (args !== undefined && !Array.isArray(args)) {
      throw new TypeError(`Cannot call a target with ${String(args)}: 'args' must be an array`);
    }
    this.#target = target;
    this.#args = [...(args ?? []), ...(kwargs === undefined ? [] : [kwargs])] as A;
    this.#permissions = permissions;
    this.#transfer = transfer ?? [];
    this.#memoryMb = maxMemoryMb === undefined ? undefined : wholeNumber("maxMemoryMb", maxMemoryMb, 1);
    this.#method = new.target.startMethod ?? getStartMethod();
    if (permissions !== undefined && this.#method === "worker") {
      throw new ValueError(
        `Cannot restrict the permissions of a worker: Deno has them for a whole operating-system process; use ` +
          `the start method "spawn", by getContext("spawn").Process`,
      );
    }
    this.#site = callingModule();
    const parent = currentProcess();
    this.#numbers = [...parent.#numbers, ++made];
    this.#name = name === undefined ? `${new.target.name}-${this.#numbers.join(":")}` : String(name);
    this.#daemon = daemon ?? parent.daemon;
    this.#authkey = parent.authkey;
    this.#state = "initial";
  }

  /**
   * What the child does: calls the target. A subclass overrides it; what it returns is awaited.
   *
   * @returns What the target returns.
   *
   * @example A class of one's own, which a module exports
   * ```ts
   * import { Queue } from "@multiprocessing/deno";
   * import { Greeter } from "examples/targets.ts";
   * import assert from "node:assert/strict";
   *
   * // class Greeter extends Process {
   * //   constructor(readonly who: string, readonly greetings: Queue<string>) {
   * //     super();
   * //   }
   * //   override async run() {
   * //     await this.greetings.put(`hello ${this.who}`);
   * //   }
   * // }
   * using greetings = new Queue<string>();
   * await using child = new Greeter("egon", greetings);
   * child.start();
   * assert.equal(await greetings.get(), "hello egon");
   * await child.join();
   * ```
   */
  run(): unknown {
    const target = this.#target; // called as a function, without a `this`
    return target?.(...this.#args);
  }

  /**
   * Starts the child and returns at once.
   *
   * @throws {AssertionError} If it was started before, or by a daemon.
   * @throws {PicklingError} If an argument cannot travel, named by its path; or the target is of a kind that no
   * module exports. Whether an ordinary function is exported only the child finds out: then {@link Process.join}
   * throws it.
   * @throws {ValueError} If it was closed.
   */
  start(): void {
    this.#refuseClosed("start");
    if (this.#state !== "initial") {
      throw new AssertionError(
        `cannot start a process twice: process "${this.#name}" was started before; make another`,
      );
    }
    if (importing) {
      throw new RuntimeError(
        "Cannot start a process while the main module is being imported by a child: " +
          "put what starts processes below `if (import.meta.main)`",
      );
    }
    const parent = currentProcess();
    if (parent.daemon) {
      throw new AssertionError(
        `daemonic processes are not allowed to have children: "${parent.name}" is a daemon and cannot start "${this.#name}"`,
      );
    }
    requireChildren();
    // Whatever cannot travel fails here, before a child is taken.
    const subclass = this.run !== Process.prototype.run;
    const sources = [
      ...(subclass ? [this.constructor] : []),
      ...(this.#target === undefined ? [] : [this.#target]),
    ];
    const addresses = sources.map((source) => addressOf(source, this.#site));
    const { directory, id, isHub } = thisAgent();
    const agent = directory.enroll(id);
    let pid = 0; // an operating-system process knows its own
    try {
      const spawn = this.#method === "spawn";
      const order = (pack: EncodeOptions): [Order, Transferable[]] => {
        const [args, argsMoved] = this.#packed(this.#args, {
          ...pack,
          root: "args",
          transfer: this.#transfer,
        });
        const [fields, fieldsMoved] = this.#packed({ ...this }, { ...pack, root: "this" });
        return [{
          agent,
          identity: this.#identity(parent, pid),
          kind: subclass ? "subclass" : "target",
          addresses,
          args,
          fields,
          permissions: spawn ? permissionFlags(this.#permissions) : [],
          memoryMb: this.#memoryMb,
        }, [...argsMoved, ...fieldsMoved]];
      };
      if (!spawn) {
        pid = FIRST_WORKER_PID + osProcessId() * WORKERS_PER_PROCESS + directory.childNumber();
        startWorker(...order({ context: { destination: agent } }));
      } else if (isHub) {
        const link = newLink(agent);
        startSpawn(order({ wire: true, context: link })[0], link);
      } else {
        orderSpawn(...order({ context: { destination: agent } }));
      }
    } catch (error) {
      directory.bury(agent, 1);
      directory.release(agent);
      throw error;
    }
    this.#agent = agent;
    this.#pid = pid || undefined;
    this.#state = "running";
    sought.set(agent, { sources, fail: (error) => this.#failure = error });
    this.#sentinel = this.#watch();
  }

  /**
   * Waits until the child has ended.
   *
   * @param options How long to wait; for ever when left out. A wait that ends early changes nothing; see
   * {@link Process.exitcode}.
   * @throws {AssertionError} If it was not started, or not by this process.
   * @throws {PicklingError} If no module exports the target.
   * @throws {ValueError} If it was closed, or `timeout` is negative. An aborted `signal` throws its own reason.
   *
   * @example Wait for a while
   * ```ts
   * import { Process } from "@multiprocessing/deno";
   * import { spin } from "examples/targets.ts";
   * import assert from "node:assert/strict";
   *
   * await using child = new Process({ target: spin });
   * child.start();
   * await child.join({ timeout: 20 });
   * assert.equal(child.isAlive(), true); // we have given up waiting; it goes on
   * ```
   */
  async join(options?: WaitOptions): Promise<void> {
    const sentinel = this.#mine("join");
    const ms = waitMs(options);
    if (!await settledWithin(sentinel, ms, options?.signal)) return;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * Whether the child is running.
   *
   * @returns `false` before the start and after the end.
   * @throws {ValueError} If it was closed.
   * @throws {AssertionError} If it was started by another process.
   */
  isAlive(): boolean {
    this.#refuseClosed("ask for");
    if (this === current as unknown) return true;
    if (this.#state === "initial") return false;
    this.#mine("test");
    return this.exitcode === null;
  }

  /**
   * Ends the child: it leaves where it can (its event loop, a blocking wait), and is ended by force where it does not
   * within 100 ms, even in a busy loop. `finally` blocks do not run; locks it held are released. The exit code is −15.
   *
   * @throws {ValueError} If it was not started, or was closed.
   *
   * @example Even in a busy loop
   * ```ts
   * import { Process } from "@multiprocessing/deno";
   * import { spin } from "examples/targets.ts";
   * import assert from "node:assert/strict";
   *
   * await using child = new Process({ target: spin });
   * child.start();
   * child.terminate();
   * await child.join();
   * assert.equal(child.exitcode, -15);
   * ```
   */
  terminate(): void {
    this.#signal("terminate", -15);
  }

  /**
   * Like {@link Process.terminate}, with exit code −9. A `"spawn"` child gets SIGKILL.
   *
   * @throws {ValueError} If it was not started, or was closed.
   */
  kill(): void {
    this.#signal("kill", -9);
  }

  /**
   * Lets go of the child; afterwards every use is a {@link ValueError}.
   *
   * @throws {ValueError} While the child runs.
   *
   * @example
   * ```ts
   * import { Process, ValueError } from "@multiprocessing/deno";
   * import { spin } from "examples/targets.ts";
   * import assert from "node:assert/strict";
   *
   * const child = new Process({ target: spin });
   * child.start();
   * assert.throws(() => child.close(), ValueError); // it runs
   * child.kill();
   * await child.join();
   * child.close();
   * assert.throws(() => child.exitcode, ValueError);
   * ```
   */
  close(): void {
    if (this.#state === "closed") return;
    if (this.#state === "running" && this.exitcode === null) {
      throw new ValueError(
        `Cannot close process "${this.#name}": it is still running; call terminate() or await join() first`,
      );
    }
    this.#state = "closed";
  }

  /** What the process is called; a name need not be unique. */
  get name(): string {
    return this.#name;
  }

  set name(name: string) {
    if (typeof name !== "string") {
      throw new TypeError(`Cannot call a process ${String(name)}: a name must be a string`);
    }
    this.#name = name;
  }

  /** Whether the process is taken down with the program that started it. Set before the start. */
  get daemon(): boolean {
    return this.#daemon;
  }

  set daemon(daemon: boolean) {
    this.#refuseClosed("change");
    if (this.#state !== "initial") {
      throw new AssertionError(
        `process has already started: set daemon of "${this.#name}" before start()`,
      );
    }
    this.#daemon = daemon;
  }

  /** The key that connections between processes of this program prove themselves with: 32 random bytes at first. */
  get authkey(): Uint8Array {
    return this.#authkey;
  }

  set authkey(key: Uint8Array) {
    this.#authkey = key.slice();
  }

  /**
   * The process id; `undefined` before the start. That of a worker is a number of our own above those of the
   * operating system, so that a signal sent to it can hit nobody.
   */
  get pid(): number | undefined {
    this.#refuseClosed("ask for");
    if (this === (current as unknown) && parent === null) return osProcessId(); // it changes in a child of fork()
    // A worker that starts a "spawn" child learns the id from the hub.
    return this.#pid ??= this.#agent === 0 ? undefined : thisAgent().directory.pid(this.#agent) || undefined;
  }

  /** The same as {@link Process.pid}. */
  get ident(): number | undefined {
    return this.pid;
  }

  /**
   * How the child ended: `null` while it runs, 0 after its target returned, 1 after an uncaught error, `n` after
   * `exit(n)`, −15 and −9 after {@link Process.terminate} and {@link Process.kill}, −N after signal N.
   */
  get exitcode(): number | null {
    this.#refuseClosed("ask for");
    if (this.#state === "running") this.#look();
    return this.#exitcode;
  }

  /**
   * Settles with the exit code when the child has ended.
   *
   * @throws {ValueError} If it was not started.
   *
   * @example Which of two ends first
   * ```ts
   * import { Process, wait } from "@multiprocessing/deno";
   * import { spin, square } from "examples/targets.ts";
   * import assert from "node:assert/strict";
   *
   * await using quick = new Process({ target: square, args: [3] });
   * await using slow = new Process({ target: spin });
   * quick.start();
   * slow.start();
   * assert.deepEqual(await wait([slow.sentinel, quick.sentinel]), [quick.sentinel]);
   * assert.equal(await quick.sentinel, 0);
   * ```
   */
  get sentinel(): Promise<number> {
    this.#refuseClosed("ask for");
    if (this.#sentinel === undefined) {
      throw new ValueError(
        `process not started: call start() of "${this.#name}" before asking for its sentinel`,
      );
    }
    return this.#sentinel;
  }

  /** Ends the child if it still runs, and waits for that. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state !== "running") return;
    if (this.exitcode === null) this.terminate();
    await settledWithin(this.#sentinel!, Infinity);
  }

  /** For a debugger: what it is and how it is doing. */
  [Symbol.for("Deno.customInspect")](): string {
    const code = this.#state === "running" || this.#state === "ended" ? this.#exitcode : null;
    const state = this.#state === "running" ? "started" : this.#state === "ended" ? "stopped" : this.#state;
    const parts = [
      `name='${this.#name}'`,
      ...(this.#pid === undefined ? [] : [`pid=${this.#pid}`]),
      state,
      ...(code === null ? [] : [`exitcode=${code}`]),
      ...(this.#daemon ? ["daemon"] : []),
    ];
    return `<${this.constructor.name} ${parts.join(" ")}>`;
  }

  #packed(value: unknown, options: EncodeOptions): [PackedValue, Transferable[]] {
    const { bytes, attachments, transfer } = encode(value, {
      ...options,
      receiver: `process "${this.#name}"`,
    });
    return [{ bytes: bytes.slice(), attachments }, transfer];
  }

  #identity(parent: Process, pid: number): Identity {
    return {
      name: this.#name,
      numbers: this.#numbers,
      daemon: this.#daemon,
      pid,
      authkey: this.#authkey,
      parent: { name: parent.#name, pid: getpid() },
      startMethod: this.#method,
      defaultStartMethod: getStartMethod(),
    };
  }

  /** Settles when the directory says that the child is dead. */
  #watch(): Promise<number> {
    const me = thisAgent();
    running.add(this as unknown as Process);
    // On the main thread the end of the program waits for its children; elsewhere the event loop has to.
    const holds = !me.isHub && !this.#daemon && !this.#follows;
    if (holds) keepAlive.hold();
    return new Promise((resolve) => {
      const forget = me.onDeath(() => {
        if (!this.#look()) return;
        forget();
        if (holds) keepAlive.drop();
        resolve(this.#exitcode!);
      });
    });
  }

  /** Whether the child has ended. Takes its exit code over from the directory the first time. */
  #look(): boolean {
    if (this.#exitcode !== null) return true;
    const { directory } = thisAgent();
    const code = directory.exitCode(this.#agent);
    if (code === undefined) return false;
    this.#exitcode = code;
    this.#pid ??= directory.pid(this.#agent);
    if (this.#state === "running") this.#state = "ended";
    directory.release(this.#agent);
    running.delete(this as unknown as Process);
    sought.delete(this.#agent);
    return true;
  }

  #mine(what: string): Promise<number> {
    this.#refuseClosed(what);
    if (this.#state === "existing") {
      throw new AssertionError(
        `can only ${what} a child process: "${this.#name}" was started by another process`,
      );
    }
    if (this.#sentinel === undefined) {
      throw new AssertionError(`can only ${what} a started process: call start() of "${this.#name}" first`);
    }
    return this.#sentinel;
  }

  #signal(what: string, code: number): void {
    this.#refuseClosed(what);
    if (this.#state === "initial" || this.#state === "existing") {
      throw new ValueError(`Cannot ${what} process "${this.#name}": it is no running child of this process`);
    }
    if (this.exitcode === null) stop(this.#agent, code);
  }

  #refuseClosed(what: string): void {
    if (this.#state === "closed") {
      throw new ValueError(`process object is closed: cannot ${what} process "${this.#name}" after close()`);
    }
  }

  static {
    agentOf = (process) => process.#agent;
    followStarter = (process) => process.#follows = true;
    endsWithStarter = (process) => process.#daemon || process.#follows;
  }
}

/** Ids of workers begin above every id of the operating system. */
const FIRST_WORKER_PID = 10_000_000;
const WORKERS_PER_PROCESS = 100_000;

/** How many processes this one has made; part of their names. */
let made = 0;
let current: Process | undefined;
let parent: Process | null = null;
let importing = false;
const running = new Set<Process>();
/** Children that may yet ask where their target is. */
const sought = new Map<number, { sources: readonly Callable[]; fail: (error: Error) => void }>();

// A child asks where its target is, since the module that constructed the process does not export it. V8 knows where
// it was compiled; the second time (`final`) that was not the place either, or the child cannot be started at all.
onMessage("findTarget", async (message: { agent: number; which: number; final?: boolean; error?: Error }) => {
  const { agent, which, final, error } = message;
  const search = sought.get(agent);
  if (search === undefined) return;
  const source = search.sources[which]!;
  const address = final ? undefined : await locate(source);
  if (address === undefined) {
    const why = mayInspect()
      ? "no module exports it"
      : "the module that makes the process does not export it, and where else it is can be told only with --allow-sys";
    search.fail(error ?? notExported(source.name, why));
  }
  answerAddress(agent, address);
});

/**
 * The process this code runs in.
 *
 * Python: `multiprocessing.current_process`.
 *
 * @returns Its Process object; the main program is called `MainProcess`.
 *
 * @example
 * ```ts
 * import { currentProcess } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * assert.equal(currentProcess().name, "MainProcess");
 * ```
 */
export function currentProcess(): Process {
  return current ??= arrive<Process>(
    Process,
    {
      identity: {
        name: "MainProcess",
        numbers: [],
        daemon: false,
        pid: osProcessId(),
        authkey: crypto.getRandomValues(new Uint8Array(32)),
        parent: { name: "", pid: osParentId() },
        startMethod: "spawn",
        defaultStartMethod: "worker",
      },
    } satisfies Existing,
  );
}

setDefaultAuthkey(() => currentProcess().authkey);

/**
 * The process that started this one.
 *
 * Python: `multiprocessing.parent_process`.
 *
 * @returns Its Process object, of which `name` and `pid` are known; `null` in the main program.
 *
 * @example
 * ```ts
 * import { parentProcess, Process, Queue } from "@multiprocessing/deno";
 * import { introduce, type Person } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(parentProcess(), null); // this is the main program
 * using people = new Queue<Person>();
 * await using child = new Process({ target: introduce, args: [people] });
 * child.start();
 * assert.equal((await people.get()).parentName, "MainProcess"); // what parentProcess()?.name is in the child
 * await child.join();
 * ```
 */
export function parentProcess(): Process | null {
  currentProcess();
  return parent;
}

/**
 * The children of this process that run.
 *
 * Python: `multiprocessing.active_children`.
 *
 * @returns Their Process objects, in the order in which they were started.
 *
 * @example End them all
 * ```ts
 * import { activeChildren, Process } from "@multiprocessing/deno";
 * import { spin } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * await using busy = new Process({ target: spin, name: "busy" });
 * busy.start();
 * assert.deepEqual(activeChildren().map((child) => child.name), ["busy"]);
 * for (const child of activeChildren()) child.terminate();
 * await busy.join();
 * assert.deepEqual(activeChildren(), []);
 * ```
 */
export function activeChildren(): Process[] {
  return [...running].filter((child) => child.isAlive());
}

/**
 * How many cores the machine has.
 *
 * Python: `multiprocessing.cpu_count`.
 *
 * @returns At least 1.
 *
 * @example A child for each core, but four at most
 * ```ts
 * import { cpuCount, Process } from "@multiprocessing/deno";
 * import { square } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * const children = Array.from({ length: Math.min(cpuCount(), 4) }, (_, i) => {
 *   return new Process({ target: square, args: [i] });
 * });
 * for (const child of children) child.start();
 * for (const child of children) await child.join();
 * assert.ok(children.length > 0);
 * assert.ok(children.every((child) => child.exitcode === 0));
 * ```
 */
export function cpuCount(): number {
  return cores();
}

/**
 * The id of this process; each worker has one of its own.
 *
 * Python: `os.getpid`.
 *
 * @returns The id.
 *
 * @example
 * ```ts
 * import { getpid, Process, Queue } from "@multiprocessing/deno";
 * import { introduce, type Person } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * using people = new Queue<Person>();
 * await using child = new Process({ target: introduce, args: [people] });
 * child.start();
 * const { pid } = await people.get(); // what getpid() is in the child
 * assert.equal(pid, child.pid);
 * assert.notEqual(pid, getpid());
 * await child.join();
 * ```
 */
export function getpid(): number {
  return currentProcess().pid!;
}

/**
 * The id of the process that started this one.
 *
 * Python: `os.getppid`.
 *
 * @returns The id.
 *
 * @example
 * ```ts
 * import { getpid, Process, Queue } from "@multiprocessing/deno";
 * import { introduce, type Person } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * using people = new Queue<Person>();
 * await using child = new Process({ target: introduce, args: [people] });
 * child.start();
 * assert.equal((await people.get()).parentPid, getpid()); // what getppid() is in the child
 * await child.join();
 * ```
 */
export function getppid(): number {
  return parentProcess()?.pid ?? osParentId();
}

/**
 * Ends this process with an exit code, at once: `finally` blocks do not run, locks it holds are released, what it
 * has put on queues stays there.
 *
 * Python: `sys.exit`.
 *
 * @param code The exit code; 0 when left out.
 *
 * @example
 * ```ts
 * import { Process } from "@multiprocessing/deno";
 * import { leave } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * // export function leave(code: number): never {
 * //   exit(code);
 * // }
 * await using child = new Process({ target: leave, args: [3] });
 * child.start();
 * await child.join();
 * assert.equal(child.exitcode, 3);
 * ```
 */
export function exit(code: number = 0): never {
  exitNow(code);
}

/**
 * Does nothing.
 *
 * Python: `multiprocessing.freeze_support`, which a frozen Windows program needs.
 *
 * @example It may stay where the Python program has it
 * ```ts
 * import { freezeSupport, Process } from "@multiprocessing/deno";
 * import { square } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * freezeSupport();
 * await using child = new Process({ target: square, args: [3] });
 * child.start();
 * await child.join();
 * assert.equal(child.exitcode, 0);
 * ```
 */
export function freezeSupport(): void {}

/** Makes this thread the process that an order describes. Called once, by the first module of a child. */
export function becomeProcess(identity: Identity): void {
  setStartMethod(identity.defaultStartMethod);
  const { name, pid } = identity.parent;
  const blank = { numbers: [], daemon: false, authkey: identity.authkey, startMethod: identity.startMethod };
  const unknown = { ...blank, defaultStartMethod: identity.defaultStartMethod, parent: { name: "", pid: 0 } };
  parent = arrive<Process>(Process, { identity: { ...unknown, name, pid } } satisfies Existing);
  current = arrive<Process>(Process, { identity } satisfies Existing);
}

/** Makes the object whose `run` the child calls, and makes it the current process. */
export function enact(
  Class: new () => Process,
  existing: Existing,
  fields: Record<string, unknown>,
): Process {
  // The constructor of the subclass does not run again: what it made of its arguments travels.
  const Bare = function () {
    return Reflect.construct(Process, [], Class);
  } as unknown as new () => Process;
  current = arrive<Process>(Bare, existing);
  return Object.assign(current, fields);
}

/** Whether a child is importing the modules of its target now. */
export function isImporting(): boolean {
  return importing;
}

/** While `load` runs, starting a process is refused: a module that does so on import would start itself for ever. */
export async function whileImporting<T>(load: () => Promise<T>): Promise<T> {
  importing = true;
  try {
    return await load();
  } finally {
    importing = false;
  }
}
