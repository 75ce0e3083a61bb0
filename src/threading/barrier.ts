/** Barrier: so many threads of a process meet, and go on together. */

import type { WaitOptions } from "../base/options.ts";
import { interruptible } from "../platform/task.ts";
import { Barrier as SharedBarrier } from "../sync/barrier.ts";
import { refuseToBlock, staysInProcess } from "./_in_process.ts";

/**
 * A barrier: whichever thread comes waits until all are there, then all go on. It can be passed any number of times.
 *
 * If one of those who wait gives up (timeout, abort), the barrier breaks: everybody there, and whoever comes later,
 * gets a {@link BrokenBarrierError} until `reset`.
 *
 * Python: {@link https://docs.python.org/3/library/threading.html#threading.Barrier | threading.Barrier}.
 * Here times are milliseconds; `action` and `timeout` are options.
 *
 * @example With an action, which one of the threads runs
 * ```ts
 * import { Barrier, Thread } from "@multiprocessing/deno/threading";
 * import assert from "node:assert/strict";
 *
 * const said: string[] = [];
 * const barrier = new Barrier(2, { action: () => said.push("all here") });
 * const threads = ["Jane", "Lisa"].map((name) =>
 *   new Thread({
 *     async target() {
 *       said.push("somebody comes");
 *       await barrier.wait();
 *       said.push("somebody goes on");
 *     },
 *     name,
 *   })
 * );
 * for (const thread of threads) thread.start();
 * for (const thread of threads) await thread.join();
 * assert.equal(said.join(", "), "somebody comes, somebody comes, all here, somebody goes on, somebody goes on");
 * ```
 */
export class Barrier extends SharedBarrier {
  /**
   * Waits until all parties have come.
   *
   * @param options How long to wait; as long as the barrier's own `timeout` when left out.
   * @returns When one came, from 0 to `parties - 1`; different for each.
   * @throws {BrokenBarrierError} If the barrier is or gets broken, or is reset meanwhile; or after `timeout`
   * milliseconds, which breaks it. An aborted `signal` breaks it too and throws its own reason.
   */
  override wait(options?: WaitOptions): Promise<number> {
    return interruptible(options, (options) => super.wait(options));
  }

  /**
   * Passes the barrier if all others are there. It never blocks, since that would block whoever is to come as well.
   *
   * @param options How long to wait; only for the cases in which that is not needed.
   * @returns When one came.
   * @throws {RuntimeError} If others have still to come.
   */
  override waitSync(options?: WaitOptions): number {
    if (!this.broken && this.nWaiting < this.parties - 1) refuseToBlock();
    return super.waitSync(options);
  }
}

staysInProcess(Barrier);
