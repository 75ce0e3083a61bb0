/**
 * Small functions for children to run. The documentation's snippets start them, so that each snippet can show one thing:
 *
 *     import { square } from "examples/targets.ts";
 *
 * @module
 */
import { type Connection, currentProcess, exit, type Lock, type Queue } from "@multiprocessing/deno";

/** Its argument times itself. */
export function square(n: number): number {
  return n * n;
}

/** The sum of two numbers. */
export function add(a: number, b: number): number {
  return a + b;
}

/** A greeting. */
export function greet(name: string): string {
  return `hello ${name}`;
}

/** The name of the process that runs it. */
export function whoAmI(): string {
  return currentProcess().name;
}

/** Sends everything it receives back, until the other end is closed. */
export async function echo(connection: Connection): Promise<void> {
  for await (const message of connection) await connection.send(message);
  connection.close();
}

/** Puts one item on a queue. */
export async function addTo<T>(queue: Queue<T>, item: T): Promise<void> {
  await queue.put(item);
}

/** Puts `square(n)` of everything that comes on one queue onto another, until the first is shut down. */
export async function squareAll(numbers: Queue<number>, squares: Queue<number>): Promise<void> {
  for await (const n of numbers) await squares.put(square(n));
}

/** Holds a lock: says `"held"` once it has it, and lets it go when it is told anything. */
export async function hold(lock: Lock, gate: Connection): Promise<void> {
  using _ = await lock.guard();
  await gate.send("held");
  await gate.recv();
}

/** Never ends by itself and never lets go of the processor. */
export function spin(): never {
  for (;;);
}

/** Throws an error. */
export function fail(message: string): never {
  throw new Error(message);
}

/** Ends its process with an exit code. */
export function leave(code: number): never {
  exit(code);
}
