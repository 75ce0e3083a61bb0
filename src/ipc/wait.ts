/** wait: which of several things are ready. */

import { waitMs, type WaitOptions } from "../base/options.ts";
import { settledWithin } from "../platform/runtime.ts";
import type { Lane } from "../transport/lane.ts";
import { Connection, incomingOf } from "./connection.ts";

/** What one can wait for besides connections and promises: a `Process`, which is ready when it has ended. */
export interface Sentinel {
  /** Settles at the end. */
  readonly sentinel: PromiseLike<unknown>;
}

/** What {@link wait} can wait for. */
// deno-lint-ignore no-explicit-any -- what a connection carries does not matter here
export type Waitable = Connection<any> | Sentinel | PromiseLike<unknown>;

/** One of the things waited for. */
interface Watch {
  /** Whether it is ready now. */
  look(): boolean | Promise<boolean>;
  /** Settles when it is worth another look, or once `signal` is aborted and nothing is left behind. */
  wake(signal: AbortSignal): Promise<unknown>;
}

class ConnectionWatch implements Watch {
  readonly #lane: Lane;

  constructor(connection: Connection) {
    this.#lane = incomingOf(connection);
  }

  // A connection that fails is as ready as one that has something: `recv` will say why.
  look(): Promise<boolean> {
    return this.#lane.ready(0).catch(() => true);
  }

  wake(signal: AbortSignal): Promise<unknown> {
    return this.#lane.ready(Infinity, signal).catch(() => {});
  }
}

/**
 * A promise as something that can be waited for and left again. Nothing takes a `then` back, so each promise gets one,
 * however often it is waited for: a loop of waits would otherwise pile them up on the sentinel of a process.
 */
class PromiseWatch implements Watch {
  static readonly #known = new WeakMap<PromiseLike<unknown>, PromiseWatch>();
  #settled = false;
  readonly #waiting = new Set<() => void>();

  static of(promise: PromiseLike<unknown>): PromiseWatch {
    let watch = this.#known.get(promise);
    if (watch === undefined) this.#known.set(promise, watch = new PromiseWatch(promise));
    return watch;
  }

  private constructor(promise: PromiseLike<unknown>) {
    const settle = () => {
      this.#settled = true;
      for (const wake of this.#waiting) wake();
    };
    promise.then(settle, settle);
  }

  look(): boolean {
    return this.#settled;
  }

  wake(signal: AbortSignal): Promise<unknown> {
    return new Promise<void>((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      if (this.#settled) return resolve();
      this.#waiting.add(done);
      signal.addEventListener("abort", done);
    });
  }
}

function watch(object: unknown): Watch {
  if (object instanceof Connection) return new ConnectionWatch(object);
  const { sentinel, then } = (object ?? {}) as { sentinel?: unknown; then?: unknown };
  if (typeof then === "function") return PromiseWatch.of(object as PromiseLike<unknown>);
  if (typeof (sentinel as { then?: unknown } | undefined)?.then === "function") {
    return PromiseWatch.of(sentinel as PromiseLike<unknown>);
  }
  throw new TypeError(
    `Cannot wait for ${String(object)}: it is no Connection, no Process and no promise; give one of these`,
  );
}

/** A promise that has settled already says so after so many microtasks, if it is wrapped a few times. */
const MICROTASKS = 8;

/**
 * Waits until at least one of several connections, processes and promises is ready.
 *
 * A connection is ready when `recv` returns or throws at once, a process when it has ended, a promise when it is
 * settled, in whichever way. Nothing is taken from a connection, and a wait that ends leaves nothing behind. A
 * rejected promise counts as handled, as one that is awaited does.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.connection.wait | multiprocessing.connection.wait}.
 * Here `timeout` is in milliseconds, and a process is given as itself or by its sentinel.
 *
 * @typeParam T What is waited for.
 * @param objects What to wait for.
 * @param options How long to wait; for ever when left out.
 * @returns Those that are ready, in the order given; none if none was within `timeout` milliseconds, or none was given.
 * @throws {OSError} If a connection is closed, or only sends.
 * @throws {ValueError} If a process was not started, or `timeout` is negative. An aborted `signal` throws its own reason.
 * @throws {TypeError} If one of the objects is none of these.
 *
 * @example Whichever comes first
 * ```ts
 * import { Pipe, wait } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const [receiver, sender] = Pipe<string>({ duplex: false });
 * const late = new Promise<void>(() => {});
 * assert.deepEqual(await wait([late, receiver], { timeout: 10 }), []);
 * await sender.send("here");
 * assert.deepEqual(await wait([late, receiver]), [receiver]);
 * assert.equal(await receiver.recv(), "here");
 * ```
 */
export async function wait<T extends Waitable>(objects: Iterable<T>, options?: WaitOptions): Promise<T[]> {
  const ms = waitMs(options);
  const signal = options?.signal ?? undefined;
  signal?.throwIfAborted();
  const end = performance.now() + ms;
  const all = [...objects];
  const watches = all.map(watch);
  for (let i = 0; i < MICROTASKS; i++) await null;
  for (;;) {
    const looks = await Promise.all(watches.map((watch) => watch.look()));
    signal?.throwIfAborted();
    const ready = all.filter((_, i) => looks[i]);
    const leftMs = end - performance.now();
    if (ready.length > 0 || leftMs <= 0 || all.length === 0) return ready;
    // Whoever woke us may have been served to somebody else meanwhile, so a wake-up only means another look.
    const over = new AbortController();
    const wakes = watches.map((watch) => watch.wake(over.signal));
    try {
      await settledWithin(Promise.race(wakes), leftMs, signal);
    } finally {
      over.abort();
      await Promise.all(wakes);
    }
  }
}
