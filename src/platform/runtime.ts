/** What the runtime is and does for this thread: who and where we are, keeping the event loop up, stderr. */

import { thisTask } from "./task.ts";

/** How many cores the machine has. */
export function cores(): number {
  return navigator.hardwareConcurrency;
}

/** The ids of a process and of the one that started it. */
export interface Ids {
  readonly pid?: number;
  readonly ppid?: number;
}

let claimed: Ids = {};

/** Lets this process pass for another one, in what is given here; none for itself. */
export function claimIds(ids: Ids): void {
  claimed = ids;
}

/** The id of this operating-system process. */
export function osProcessId(): number {
  return claimed.pid ?? Deno.pid;
}

/** The id of the operating-system process that started this one. */
export function osParentId(): number {
  return claimed.ppid ?? Deno.ppid;
}

/** Writes text to stderr at once. */
export function writeStderr(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let done = 0; done < bytes.length;) done += Deno.stderr.writeSync(bytes.subarray(done));
}

/** Ends this thread (or, on the main thread, the program) at once with an exit code. */
export function exitNow(code: number): never {
  // Node's exit, because it runs the last words of a worker; Deno's does not.
  const { process } = globalThis as unknown as { process: { exit(code: number): never } };
  return process.exit(code);
}

/** The entry module of the program, as a URL. */
export function mainModule(): string | undefined {
  return Deno.mainModule as string | undefined;
}

/** Calls `idle` each time the main program has nothing left to do; returning `true` keeps it up for more. */
export function onProgramIdle(idle: () => boolean): void {
  addEventListener("beforeunload", (event) => {
    if (idle()) event.preventDefault();
  });
}

/** Sets the exit code that the program gets when it ends by itself. */
export function setExitCode(code: number): void {
  Deno.exitCode = code;
}

/**
 * Keeps the event loop up while somebody awaits something the runtime cannot see, such as an `Atomics.waitAsync`.
 *
 * One interval that never fires stands for all holders. Starting one costs 3.4 µs and switching its reference
 * 0.1 µs, so the interval survives a few microtasks without holder: an exchange of messages starts it once.
 */
class KeepAlive {
  #holders = 0;
  #interval: ReturnType<typeof setInterval> | undefined;
  #closing = false;

  /** Keeps the event loop up until the matching {@link drop}. */
  hold(): void {
    if (++this.#holders > 1) return;
    if (this.#interval === undefined) this.#interval = setInterval(() => {}, 2 ** 31 - 1);
    else (this.#interval as unknown as { ref(): void }).ref();
  }

  /** Ends one {@link hold}. */
  drop(): void {
    if (--this.#holders > 0) return;
    unrefTimer(this.#interval!);
    if (!this.#closing) {
      this.#closing = true;
      this.#closeAfter(8);
    }
  }

  #closeAfter(microtasks: number): void {
    queueMicrotask(() => {
      if (microtasks > 0 && this.#holders === 0) return this.#closeAfter(microtasks - 1);
      this.#closing = false;
      if (this.#holders === 0) {
        clearInterval(this.#interval);
        this.#interval = undefined;
      }
    });
  }
}

/** The one {@link KeepAlive} of this thread. */
export const keepAlive: KeepAlive = new KeepAlive();

/**
 * Waits for a promise that nothing else may keep the program up for; the wait of a daemon task does not either. Gives
 * `true` when it settled, `false` when `ms` passed first; an aborted `signal` rejects with its reason.
 */
export function settledWithin(promise: Promise<unknown>, ms: number, signal?: AbortSignal): Promise<boolean> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const weak = thisTask().daemon;
    const timer = ms < 2 ** 31 ? setTimeout(() => end(() => resolve(false)), Math.max(0, ms)) : undefined;
    if (!weak) keepAlive.hold();
    else if (timer !== undefined) unrefTimer(timer);
    const abort = () => end(() => reject(signal!.reason));
    let over = false;
    const end = (settle: () => void) => {
      if (over) return;
      over = true;
      if (!weak) keepAlive.drop();
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      settle();
    };
    signal?.addEventListener("abort", abort, { once: true });
    promise.then(() => end(() => resolve(true)), () => end(() => resolve(true)));
  });
}

/** Settles when the event loop has turned once. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** Waits on a word of its own instead of a timer, so that the wait keeps nobody up and no leak check sees it. */
export async function afterMs(ms: number): Promise<void> {
  await Atomics.waitAsync(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms).value;
}

/** Prints an error with its stack and causes on stderr, below a line that says where it happened. */
export function printError(where: string, error: unknown): void {
  writeStderr(`${where}\n${Deno.inspect(error, { colors: false })}\n`);
}

/** Longest delay a timer can take; what is longer counts as for ever (24 days). */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Calls `ring` after a while, and keeps nobody up for that. */
export function weakTimer(ring: () => void, ms: number): ReturnType<typeof setTimeout> | undefined {
  if (ms > LONGEST_TIMER_MS) return undefined;
  const timer = setTimeout(ring, ms);
  unrefTimer(timer);
  return timer;
}

/** Lets a timer not keep the event loop up. */
export function unrefTimer(timer: ReturnType<typeof setTimeout>): void {
  (timer as unknown as { unref(): void }).unref();
}
