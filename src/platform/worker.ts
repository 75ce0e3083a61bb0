/**
 * Worker threads that can really be ended.
 *
 * A `node:worker_threads` Worker of Deno is interrupted by `terminate()` even in a busy loop, provided that it
 * holds a Web Lock; without one it burns its core for ever. Each worker therefore takes a lock at boot and keeps
 * it. The lock is also the one sure sign of death: it becomes free when the thread is gone.
 *
 * The stop ladder: ask (the worker leaves by itself, from its event loop or from a blocking wait) and only after
 * a grace without answer use force. Force that hits a thread in the moment it loads a built-in module panics
 * Deno 2.9; asking first made that 0 in 150, against 1 in 3 at worst without.
 */

import type { Worker } from "node:worker_threads";
import { afterMs } from "./runtime.ts";
import { threads } from "./threads.ts";
import { requestWebLock } from "./web_lock.ts";

/** Under this name a worker finds the messages that came before it could listen. */
export const EARLY_MESSAGES = "multiprocessing: early messages";

/** How long a worker has to leave by itself before force is used. */
export const GRACE_MS = 100;

/**
 * The entry of every worker. Deno drops what is posted to a worker that does not listen yet, and our modules take a
 * while to load; so the entry listens first and keeps what comes for them.
 */
const entry = (bootUrl: string) => {
  const source = `const { parentPort } = process.getBuiltinModule("node:worker_threads");` +
    `const early = globalThis[Symbol.for(${JSON.stringify(EARLY_MESSAGES)})] = [];` +
    `parentPort.on("message", early.keep = (message) => early.push(message));` +
    `await import(${JSON.stringify(bootUrl)});`;
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`);
};

/** A worker thread, from its creator's side. */
export class WorkerThread {
  readonly #worker: Worker;
  readonly #beacon: string;
  #forced = false;
  #asked = false;
  #dead = false;
  /** Called with each message of the worker. */
  onMessage: ((message: { kind: string }) => void) | undefined;
  /** Called before {@link onDeath} when the thread's memory did not suffice. */
  onOutOfMemory: (() => void) | undefined;
  /** Called once, when the thread is dead, with its exit code (1 after force). */
  onDeath: ((code: number) => void) | undefined;

  /**
   * Boots a worker.
   *
   * @param bootUrl The module it runs.
   * @param memoryMb How large its heap may become; as large as Deno lets it when left out.
   */
  constructor(bootUrl: string, memoryMb?: number) {
    this.#beacon = `multiprocessing-${crypto.randomUUID()}`;
    this.#worker = new (threads().Worker)(entry(bootUrl), {
      workerData: { beacon: this.#beacon },
      ...(memoryMb !== undefined && { resourceLimits: { maxOldGenerationSizeMb: memoryMb } }),
    });
    this.#worker.on("message", (message) => this.onMessage?.(message));
    // The worker reports its own errors; what arrives here besides is the end of a worker out of memory.
    this.#worker.on("error", (error: { code?: unknown }) => {
      if (error?.code === "ERR_WORKER_OUT_OF_MEMORY") this.onOutOfMemory?.();
    });
    this.#worker.on("exit", (code: number) => {
      this.#dead = true;
      // After force the event comes before the thread is dead.
      if (this.#forced) requestWebLock(this.#beacon, () => {}).then(() => this.onDeath?.(code));
      else this.onDeath?.(code);
    });
    // The program stays up for a process by what it does for it, never by the thread itself.
    this.#worker.unref();
  }

  /** Sends a message. */
  post(message: { kind: string }, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer as never);
  }

  /** Asks the worker to end with `code`, and ends it by force after a grace. */
  stop(code: number): void {
    if (this.#asked) return;
    this.#asked = true;
    this.post({ kind: "stop", code } as { kind: string });
    afterMs(GRACE_MS).then(() => {
      if (this.#dead) return;
      this.#forced = true;
      this.#worker.terminate();
    });
  }
}
