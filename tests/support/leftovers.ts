/**
 * What is left of processes and threads, as the operating system sees it. On Linux; elsewhere there is no /proc, and
 * {@link canLook} is false.
 *
 * @module
 */
import { setTimeout as delay } from "node:timers/promises";

/** Whether this machine lets us look. */
export const canLook: boolean = Deno.build.os === "linux";

/** Whether an operating-system process exists and is no zombie. */
export function runs(pid: number): boolean {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    // Read in the very moment of its end.
    if (error instanceof Error && /No such process/.test(error.message)) return false;
    throw error;
  }
}

/** Waits until none of the processes exists. Nothing tells the end of a process that is not our child, so we look. */
export async function allGone(pids: readonly number[], withinMs: number): Promise<number[]> {
  const end = performance.now() + withinMs;
  for (;;) {
    const left = pids.filter(runs);
    if (left.length === 0 || performance.now() > end) return left;
    await delay(5);
  }
}

/** How many threads a process has. */
export function threads(pid: number | "self" = "self"): number {
  return [...Deno.readDirSync(`/proc/${pid}/task`)].length;
}

/** How many milliseconds of processor time a process has used, all its threads together. */
export function cpuMs(pid: number | "self" = "self"): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // Fields 14 and 15 of proc(5), utime and stime, in ticks of 10 ms.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
