/**
 * What the examples read from the command line.
 *
 * | argument | meaning |
 * |---|---|
 * | `--start-method=worker` or `=spawn` | how children are started: as a Worker (the default) or as an OS process |
 * | `--fast`, `--fast=0.02` | every pause lasts that fraction of its time, 0.1 when no number is given |
 *
 * A child sees the same arguments as the program that started it, so `sleep` is as fast there as here.
 *
 * @module
 */
import { setStartMethod } from "@multiprocessing/deno";

/** The value of `--name=value`, `""` for a bare `--name`, `undefined` when it was not given. */
export function option(name: string): string | undefined {
  for (const arg of Deno.args) {
    if (arg === `--${name}`) return "";
    if (arg.startsWith(`--${name}=`)) return arg.slice(`--${name}=`.length);
  }
  return undefined;
}

const fast = option("fast");
const scale = fast === undefined ? 1 : Number(fast || "0.1");

/** Python's `time.sleep`, made shorter by `--fast`. */
export function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000 * scale));
}

/** Takes the start method from `--start-method`. Called by the main program, never by a child. */
export function useStartMethod(): void {
  const method = option("start-method");
  if (method === undefined) return;
  if (method !== "worker" && method !== "spawn") {
    throw new Error(`Cannot use --start-method=${method}: expected "worker" or "spawn"`);
  }
  setStartMethod(method);
}
