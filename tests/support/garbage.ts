/**
 * Collecting garbage when a test says so, so that what is left is what leaks.
 *
 * @module
 */
import { setImmediate } from "node:timers/promises";
import v8 from "node:v8";
import vm from "node:vm";

let gc: (() => void) | undefined;

/** Collects the garbage of this thread, and what becomes garbage by that. */
export async function collect(): Promise<void> {
  if (gc === undefined) {
    v8.setFlagsFromString("--expose-gc");
    gc = vm.runInNewContext("gc") as () => void;
  }
  for (let i = 0; i < 3; i++) {
    gc();
    await setImmediate();
  }
}

/** Settles when none of these is left. There is no event for that; the time limit is a net. */
export async function allCollected(refs: readonly WeakRef<object>[]): Promise<void> {
  for (const endMs = performance.now() + 20_000;;) {
    await collect();
    const left = refs.filter((ref) => ref.deref() !== undefined).length;
    if (left === 0) return;
    if (performance.now() > endMs) throw new Error(`${left} of ${refs.length} objects are still there`);
  }
}

/** How many MiB this operating-system process grows while something is done. */
export async function growthMiB(work: () => Promise<void>): Promise<number> {
  await collect();
  const before = Deno.memoryUsage().rss;
  await work();
  await collect();
  return (Deno.memoryUsage().rss - before) / 2 ** 20;
}
