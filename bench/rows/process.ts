/** Process: start and join a child that does nothing. Milliseconds. */

import { getContext } from "@multiprocessing/deno";
import { type Budget, msEach, report } from "../measure.ts";

/** Long enough for the library to boot its next spare worker. */
const REFILL_MS = 80;

export function nothing(): void {}

function startJoin(
  method: "worker" | "spawn",
  pauseMs: number,
): (budget: Budget) => Promise<number> {
  const context = getContext(method);
  async function once(): Promise<void> {
    const child = new context.Process({ target: nothing });
    child.start();
    await child.join();
    if (child.exitcode !== 0) {
      throw new Error(`Cannot count a child that ended with ${child.exitcode}`);
    }
  }
  return (budget) => msEach(once, pauseMs, budget);
}

if (import.meta.main) {
  await report({
    "worker-paced": startJoin("worker", REFILL_MS),
    "worker-back-to-back": startJoin("worker", 0),
    "spawn-back-to-back": startJoin("spawn", 0),
  });
}
