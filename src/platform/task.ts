/**
 * The cooperative tasks of this operating-system thread: which of them runs, whether what it waits for keeps the
 * program up, and how a wait of it is broken off from outside.
 *
 * A thread of `threading` is one, and so is a greenlet of `gevent`; whoever belongs to neither is the main task. Who
 * runs is known from the async context, which only those two rooms load: for all others it is the main task.
 */

import type { WaitOptions } from "../base/options.ts";

/** One cooperative task. */
export class Task {
  /** Unlike that of any other task of this thread; 0 for the main task. */
  readonly number: number;
  /** Whether what it waits for keeps nobody up. */
  daemon = false;
  /** Aborted when its waits are to be broken off; there is none as long as nobody could want that. */
  #interrupt: AbortController | undefined;
  /** What else is to be thrown, once the first was. */
  readonly #further: unknown[] = [];

  constructor(number: number) {
    this.number = number;
  }

  /** What its waits heed. */
  get signal(): AbortSignal | undefined {
    return this.#interrupt?.signal;
  }

  /** Lets waits that begin from now on be broken off. */
  heed(): void {
    this.#interrupt ??= new AbortController();
  }

  /** Throws `reason` into the task where it waits, or else where it will wait next; into one that heeds. */
  interrupt(reason: unknown): void {
    if (this.#interrupt!.signal.aborted) this.#further.push(reason);
    else this.#interrupt!.abort(reason);
  }

  /** Takes an {@link interrupt} back that was not thrown yet. */
  retract(reason: unknown): void {
    const at = this.#further.indexOf(reason);
    if (at >= 0) this.#further.splice(at, 1);
    else this.took(this.#interrupt!.signal, reason);
  }

  /** Whether `error` was thrown because of `signal`; if so, it will not be thrown again. */
  took(signal: AbortSignal, error: unknown): void {
    if (signal !== this.signal || !signal.aborted || signal.reason !== error) return;
    this.#interrupt = new AbortController();
    if (this.#further.length > 0) this.#interrupt.abort(this.#further.shift());
  }
}

/** The task of whoever runs in no other. */
export const mainTask: Task = new Task(0);

let running: () => Task | undefined = () => undefined;

/** Names who knows which task runs; `undefined` stands for the main task. */
export function setRunningTask(ask: () => Task | undefined): void {
  running = ask;
}

/** The task that runs now. */
export function thisTask(): Task {
  return running() ?? mainTask;
}

/** The number of the task that runs now. */
export function currentTask(): number {
  return thisTask().number;
}

/** Waits in a way that can be broken off from outside; `wait` is told by the `signal` of what it is given. */
export function interruptible<T>(
  options: WaitOptions | undefined,
  wait: (options: WaitOptions | undefined) => Promise<T>,
): Promise<T> {
  const task = thisTask();
  const { signal } = task;
  if (signal === undefined || options?.block === false) return wait(options);
  return heeding(task, signal, options, wait);
}

async function heeding<T>(
  task: Task,
  signal: AbortSignal,
  options: WaitOptions | undefined,
  wait: (options: WaitOptions | undefined) => Promise<T>,
): Promise<T> {
  const also = options?.signal;
  try {
    return await wait({ ...options, signal: also === undefined ? signal : AbortSignal.any([signal, also]) });
  } catch (error) {
    task.took(signal, error);
    throw error;
  }
}
