/**
 * Thread: a function that runs beside the others of its process and shares their memory.
 *
 * A thread is a cooperative task: it runs until it awaits something, then others run. Which thread runs is known from
 * the async context, which follows a thread through everything it awaits and begins. So `currentThread`, `local` and
 * the owner of an RLock are right wherever a thread goes.
 *
 * ```
 * start() ─▶ a Task and this Thread become the async context of run() ─▶ ended, or excepthook() and ended
 * ```
 */

import { AssertionError, RuntimeError } from "../base/errors.ts";
import { waitMs, type WaitOptions } from "../base/options.ts";
import { ContextVar } from "../platform/context_var.ts";
import { osProcessId, settledWithin } from "../platform/runtime.ts";
import { interruptible, mainTask, setRunningTask, Task } from "../platform/task.ts";
import { staysHome } from "../transport/registry.ts";
import { reportUncaught } from "./excepthook.ts";

/** What a {@link Thread} is made of. */
export interface ThreadOptions<A extends unknown[] = unknown[]> {
  /** What to run. */
  target?: ((...args: A) => unknown) | undefined;
  /** What to call it with. */
  args?: A | undefined;
  /** One more, last argument: an object. */
  kwargs?: Record<string, unknown> | undefined;
  /** What to call the thread; `Thread-1 (TARGET)`, `Thread-2 (TARGET)` … when left out. */
  name?: string | undefined;
  /** Whether its waits keep the program up; as with its creator when left out. */
  daemon?: boolean | undefined;
  /** Only for likeness with Python; always `null`. */
  group?: null | undefined;
}

/** The task of a thread; for the rooms that stand on this one. */
export let taskOf: (thread: Thread) => Task;
/** What a thread has of each `local`; for the other files of this room. */
export let localsOf: (thread: Thread) => WeakMap<object, object>;

let main: Thread;
const running = new ContextVar<Thread>();
/** Those that have started and not ended, the main thread first. */
const alive = new Set<Thread>();
let named = 0;
let started = 0;

/**
 * A thread: a function that runs beside the others of this process, in the same memory.
 *
 * - It is a cooperative task. It runs until it awaits something; then others do, so nothing changes under its hands
 *   between two `await`s. One that computes without awaiting stops all others: for that there are processes.
 * - `start()` returns at once, and the thread begins when its starter awaits something.
 * - What it throws and does not catch goes to {@link excepthook}, and the other threads go on.
 * - The program goes on as long as a thread has something to wait for. Not so for a daemon: what it awaits of this
 *   library (queues, locks, `join` …) does not keep the program up, as in Python; what it awaits of the runtime
 *   (timers, connections …) does.
 *
 * Python: {@link https://docs.python.org/3/library/threading.html#threading.Thread | threading.Thread}.
 * Here `kwargs` is one last argument, `target` and `run` may be async, times are milliseconds, and `exit()` ends the
 * process, not the thread.
 *
 * @typeParam A What the target is called with.
 *
 * @example
 * ```ts
 * import { Thread } from "@multiprocessing/deno/threading";
 * import { setTimeout } from "node:timers/promises";
 * import assert from "node:assert/strict";
 *
 * const said: string[] = [];
 * const greet = async (name: string) => {
 *   said.push(`hello ${name}`);
 *   await setTimeout(1);
 *   said.push(`good bye ${name}`);
 * };
 * const threads = ["egon", "alex"].map((name) => new Thread({ target: greet, args: [name] }));
 * for (const thread of threads) thread.start();
 * for (const thread of threads) await thread.join();
 * assert.deepEqual(said.slice(0, 2), ["hello egon", "hello alex"]);
 * assert.equal(said.length, 4);
 * ```
 *
 * @example A class of one's own
 * ```ts
 * import { Thread } from "@multiprocessing/deno/threading";
 * import assert from "node:assert/strict";
 *
 * class Square extends Thread {
 *   result = 0;
 *   constructor(readonly n: number) {
 *     super({ name: `square of ${n}` });
 *   }
 *   override run() {
 *     this.result = this.n * this.n;
 *   }
 * }
 * const thread = new Square(3);
 * thread.start();
 * await thread.join();
 * assert.equal(thread.result, 9);
 * ```
 */
export class Thread<A extends unknown[] = unknown[]> {
  readonly #call: () => unknown;
  #name: string;
  #daemon: boolean;
  #task: Task | undefined;
  #state: "initial" | "started" | "stopped" = "initial";
  #ended: Promise<void> | undefined;
  #locals: WeakMap<object, object> | undefined;

  /**
   * Describes a thread; nothing runs yet.
   *
   * @param options What to run, and as what.
   * @throws {AssertionError} If `group` is not null.
   * @throws {TypeError} If `target` is no function or `args` is no array.
   */
  constructor(options: ThreadOptions<A> = {}) {
    const { target, args, kwargs, name, daemon, group } = options;
    if (group !== undefined && group !== null) {
      throw new AssertionError("group argument must be None for now: leave it out");
    }
    if (target !== undefined && typeof target !== "function") {
      throw new TypeError(`Cannot make a thread of ${String(target)}: 'target' must be a function`);
    }
    if (args !== undefined && !Array.isArray(args)) {
      throw new TypeError(`Cannot call the target with ${String(args)}: 'args' must be an array`);
    }
    const all = [...args ?? [], ...(kwargs === undefined ? [] : [kwargs])] as unknown as A;
    this.#call = () => target?.(...all);
    this.#name = name ? String(name) : `Thread-${++named}${target?.name ? ` (${target.name})` : ""}`;
    this.#daemon = daemon ?? currentThread().daemon;
  }

  /**
   * What the thread does: calls the target. A subclass overrides it, with a function that may be async.
   *
   * @returns What the target returns. Nobody sees it but a subclass that calls this.
   */
  run(): unknown {
    return this.#call();
  }

  /**
   * Starts the thread and returns at once.
   *
   * @throws {RuntimeError} If it was started before.
   */
  start(): void {
    if (this.#state !== "initial") throw new RuntimeError("threads can only be started once");
    const task = new Task(++started);
    task.daemon = this.#daemon;
    this.#begin(task);
    this.#ended = running.run(this, () => this.#live());
  }

  /**
   * Waits until the thread has ended, by itself or by an error.
   *
   * @param options How long to wait; for ever when left out. A wait that ends early changes nothing; see
   * {@link Thread.isAlive}.
   * @throws {RuntimeError} If it was not started; if it is the thread that calls; or if it is the main thread, of
   * which nobody is told when it has ended.
   * @throws {ValueError} If `timeout` is negative. An aborted `signal` throws its own reason.
   *
   * @example Wait for a while
   * ```ts
   * import { Event, Thread } from "@multiprocessing/deno/threading";
   * import assert from "node:assert/strict";
   *
   * const leave = new Event();
   * const thread = new Thread({ target: () => leave.wait() });
   * thread.start();
   * await thread.join({ timeout: 10 });
   * assert.equal(thread.isAlive(), true); // not yet
   * leave.set();
   * await thread.join();
   * assert.equal(thread.isAlive(), false);
   * ```
   */
  async join(options?: WaitOptions): Promise<void> {
    const ms = waitMs(options);
    if (this.#state === "initial") throw new RuntimeError("cannot join thread before it is started");
    if (this === currentThread()) throw new RuntimeError("cannot join current thread");
    const ended = this.#ended;
    if (ended === undefined) {
      throw new RuntimeError(
        "Cannot join the main thread: nothing tells when it has ended; await what it does",
      );
    }
    if (ms === 0) return;
    await interruptible(options, (options) => settledWithin(ended, ms, options?.signal));
  }

  /** Whether the thread has started and not ended. */
  isAlive(): boolean {
    return this.#state === "started";
  }

  /** What the thread is called; means nothing, and several may be called the same. */
  get name(): string {
    return this.#name;
  }

  /** Renames the thread. */
  set name(name: string) {
    this.#name = String(name);
  }

  /** Whether it is a daemon, whose waits do not keep the program up. */
  get daemon(): boolean {
    return this.#daemon;
  }

  /**
   * Makes it a daemon, or makes it none.
   *
   * @throws {RuntimeError} If it was started.
   */
  set daemon(daemon: boolean) {
    if (this.#state !== "initial") throw new RuntimeError("cannot set daemon status of active thread");
    this.#daemon = Boolean(daemon);
  }

  /** A number of its own among the threads of this process, from 1 on; `undefined` until it is started. */
  get ident(): number | undefined {
    return this.#task === undefined ? undefined : this.#task.number + 1;
  }

  /**
   * The id of the operating-system process the thread runs in; `undefined` until it is started.
   *
   * Python gives the kernel's id of the thread. Here all threads of a process are one to the kernel, and JavaScript
   * does not tell which.
   */
  get nativeId(): number | undefined {
    return this.#task === undefined ? undefined : osProcessId();
  }

  /** As Python shows it: `<Thread(NAME, STATUS IDENT)>`. */
  toString(): string {
    const ident = this.ident === undefined ? "" : ` ${this.ident}`;
    const status = `${this.#state}${this.#daemon ? " daemon" : ""}${ident}`;
    return `<${this.constructor.name}(${this.#name}, ${status})>`;
  }

  #begin(task: Task): void {
    this.#task = task;
    this.#state = "started";
    alive.add(this);
  }

  async #live(): Promise<void> {
    await null; // whoever starts a thread goes on first
    try {
      await this.run();
    } catch (error) {
      reportUncaught(error, this);
    } finally {
      this.#state = "stopped";
      this.#locals = undefined;
      alive.delete(this);
    }
  }

  static {
    taskOf = (thread) => thread.#task!;
    localsOf = (thread) => thread.#locals ??= new WeakMap();
    setRunningTask(() => currentThread().#task);
    main = new Thread({ name: "MainThread", daemon: false });
    main.#begin(mainTask);
  }
}

staysHome(Thread, "Thread", "start a Process, and threads in it");

/**
 * The thread that runs this call; the main thread for whatever no thread has begun.
 *
 * Python: {@link https://docs.python.org/3/library/threading.html#threading.current_thread | threading.current_thread}.
 *
 * @returns The thread.
 *
 * @example
 * ```ts
 * import { currentThread, Thread } from "@multiprocessing/deno/threading";
 * import assert from "node:assert/strict";
 *
 * const names: string[] = [];
 * const thread = new Thread({ target: () => void names.push(currentThread().name), name: "Thread-A" });
 * thread.start();
 * await thread.join();
 * names.push(currentThread().name);
 * assert.deepEqual(names, ["Thread-A", "MainThread"]);
 * ```
 */
export function currentThread(): Thread {
  return running.get() ?? main;
}

/**
 * The main thread of this process: what runs the module a program begins with, or the target of a child.
 *
 * Python: {@link https://docs.python.org/3/library/threading.html#threading.main_thread | threading.main_thread}.
 *
 * @returns The thread, called `MainThread`.
 *
 * @example
 * ```ts
 * import { currentThread, mainThread } from "@multiprocessing/deno/threading";
 * import assert from "node:assert/strict";
 *
 * assert.equal(mainThread(), currentThread());
 * ```
 */
export function mainThread(): Thread {
  return main;
}

/**
 * The {@link Thread.ident} of the thread that runs this call.
 *
 * Python: {@link https://docs.python.org/3/library/threading.html#threading.get_ident | threading.get_ident}.
 *
 * @returns A number of its own among the threads of this process.
 *
 * @example
 * ```ts
 * import { getIdent, mainThread } from "@multiprocessing/deno/threading";
 * import assert from "node:assert/strict";
 *
 * assert.equal(getIdent(), mainThread().ident);
 * ```
 */
export function getIdent(): number {
  return currentThread().ident!;
}

/**
 * The {@link Thread.nativeId} of the thread that runs this call.
 *
 * Python: {@link https://docs.python.org/3/library/threading.html#threading.get_native_id | threading.get_native_id}.
 *
 * @returns The id of the operating-system process.
 *
 * @example
 * ```ts
 * import { getNativeId } from "@multiprocessing/deno/threading";
 * import assert from "node:assert/strict";
 *
 * assert.equal(getNativeId(), Deno.pid);
 * ```
 */
export function getNativeId(): number {
  return currentThread().nativeId!;
}

/**
 * The threads of this process that have started and not ended, the main thread among them.
 *
 * Python: {@link https://docs.python.org/3/library/threading.html#threading.enumerate | threading.enumerate}.
 *
 * @returns The threads, in the order they were started.
 *
 * @example
 * ```ts
 * import { enumerate, Thread } from "@multiprocessing/deno/threading";
 * import assert from "node:assert/strict";
 *
 * const thread = new Thread({ target: () => {}, name: "Thread-A" });
 * thread.start();
 * assert.deepEqual(enumerate().map(({ name }) => name), ["MainThread", "Thread-A"]);
 * await thread.join();
 * assert.deepEqual(enumerate().map(({ name }) => name), ["MainThread"]);
 * ```
 */
export function enumerate(): Thread[] {
  return [...alive];
}

/**
 * How many threads of this process have started and not ended, the main thread among them.
 *
 * Python: {@link https://docs.python.org/3/library/threading.html#threading.active_count | threading.active_count}.
 *
 * @returns As many as {@link enumerate} gives.
 *
 * @example
 * ```ts
 * import { activeCount, enumerate } from "@multiprocessing/deno/threading";
 * import assert from "node:assert/strict";
 *
 * assert.equal(activeCount(), enumerate().length);
 * ```
 */
export function activeCount(): number {
  return alive.size;
}
