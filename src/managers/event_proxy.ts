/** EventProxy and BarrierProxy: the proxies of events and barriers. */

import type { WaitOptions } from "../base/options.ts";
import { BaseProxy, call, callWaiting, proxyTravels } from "./proxy.ts";

/**
 * The proxy of an event in the server of a manager, made by {@link SyncManager.Event}.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.managers.SyncManager.Event | multiprocessing.managers.EventProxy}.
 *
 * @example
 * ```ts
 * import { Manager } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * await using manager = Manager();
 * const green = manager.Event();
 * assert.equal(await green.wait({ timeout: 10 }), false);
 * await green.set();
 * assert.equal(await green.wait(), true);
 * ```
 */
export class EventProxy extends BaseProxy {
  /** Sets the flag and lets everybody go on who waits for it. */
  set(): Promise<void> {
    return call(this, "set");
  }

  /** Clears the flag. */
  clear(): Promise<void> {
    return call(this, "clear");
  }

  /** Whether the flag is set. */
  isSet(): Promise<boolean> {
    return call(this, "isSet");
  }

  /**
   * Waits until the flag is set.
   *
   * @param options How long to wait; for ever when left out.
   * @returns Whether it was set; `false` after `timeout` milliseconds without.
   */
  wait(options?: WaitOptions): Promise<boolean> {
    return callWaiting(this, "wait", [], options);
  }
}

/**
 * The proxy of a barrier in the server of a manager, made by {@link SyncManager.Barrier}. A process that ends while it
 * waits breaks the barrier.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.managers.SyncManager.Barrier | multiprocessing.managers.BarrierProxy}.
 *
 * @example
 * ```ts
 * import { Manager } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * await using manager = Manager();
 * const barrier = manager.Barrier(2);
 * assert.deepEqual((await Promise.all([barrier.wait(), barrier.wait()])).sort(), [0, 1]);
 * ```
 */
export class BarrierProxy extends BaseProxy {
  /**
   * Waits until all parties have come.
   *
   * @param options How long to wait; as long as the barrier's own `timeout` when left out.
   * @returns When one came, from 0 to `parties - 1`; different for each.
   * @throws {BrokenBarrierError} If the barrier is or gets broken, or is reset meanwhile; or after `timeout`
   * milliseconds, which breaks it. An aborted `signal` breaks it too and throws its own reason.
   */
  wait(options?: WaitOptions): Promise<number> {
    return callWaiting(this, "wait", [], options);
  }

  /** Makes the barrier as new; whoever waits at it gets a {@link BrokenBarrierError}. */
  reset(): Promise<void> {
    return call(this, "reset");
  }

  /** Breaks the barrier. */
  abort(): Promise<void> {
    return call(this, "abort");
  }

  /** How many have to come. */
  get parties(): Promise<number> {
    return call(this, "parties");
  }

  /** How many have come. */
  get nWaiting(): Promise<number> {
    return call(this, "nWaiting");
  }

  /** Whether the barrier is broken. */
  get broken(): Promise<boolean> {
    return call(this, "broken");
  }
}

proxyTravels(EventProxy, "Event");
proxyTravels(BarrierProxy, "Barrier");
