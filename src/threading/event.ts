/** Event: a flag that the threads of a process can wait for. */

import type { WaitOptions } from "../base/options.ts";
import { interruptible } from "../platform/task.ts";
import { Event as SharedEvent } from "../sync/event.ts";
import { atOnce, staysInProcess } from "./_in_process.ts";

/**
 * A flag that threads of this process set, clear and wait for.
 *
 * `set` lets everybody go on who waits at that moment, even if `clear` follows before they wake.
 *
 * Python: {@link https://docs.python.org/3/library/threading.html#threading.Event | threading.Event}.
 * Here times are milliseconds.
 *
 * @example
 * ```ts
 * import { Event, Thread } from "@multiprocessing/deno/threading";
 * import assert from "node:assert/strict";
 *
 * const green = new Event();
 * const cars: string[] = [];
 * const car = new Thread({ target: async () => void (await green.wait() && cars.push("MINI")) });
 * car.start();
 * green.set();
 * await car.join();
 * assert.deepEqual(cars, ["MINI"]);
 * ```
 */
export class Event extends SharedEvent {
  /**
   * Waits until the flag is set.
   *
   * @param options How long to wait; for ever when left out.
   * @returns Whether it was set; `false` after `timeout` milliseconds without.
   * @throws {ValueError} If `timeout` is negative. An aborted `signal` throws its own reason.
   */
  override wait(options?: WaitOptions): Promise<boolean> {
    return interruptible(options, (options) => super.wait(options));
  }

  /**
   * Whether the flag is set. It never blocks, since that would block whoever could set it as well.
   *
   * @param options How long to wait; only for the cases in which that is not needed.
   * @returns Whether it is set.
   * @throws {RuntimeError} If it is not set, and `options` allow to wait.
   */
  override waitSync(options?: WaitOptions): boolean {
    return atOnce(this.isSet(), options);
  }
}

staysInProcess(Event);
