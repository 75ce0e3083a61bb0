/**
 * Small functions for children to run. The documentation's snippets start them, so that each snippet can show one thing:
 *
 *     import { square } from "examples/targets.ts";
 *
 * @module
 */
import {
  type Barrier,
  type Connection,
  currentProcess,
  type Event,
  exit,
  type Lock,
  type Queue,
  type Value,
} from "@multiprocessing/deno";

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

/** Holds a lock: sets `held` once it has it, lets it go when `done` is set (at once when there is no `done`). */
export async function hold(lock: Lock, held?: Event, done?: Event): Promise<void> {
  using _ = await lock.guard();
  held?.set();
  await done?.wait();
}

/** Adds one to a shared number, `times` times. */
export async function count(value: Value, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await value.add(1);
}

/** Waits for `go`, then puts `item` on a queue. */
export async function waitFor<T>(go: Event, queue: Queue<T>, item: T): Promise<void> {
  await go.wait();
  await queue.put(item);
}

/** Meets the other processes at a barrier and puts its place, 0 up to one less than the parties, on a queue. */
export async function meet(barrier: Barrier, places: Queue<number>): Promise<void> {
  await places.put(await barrier.wait());
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
