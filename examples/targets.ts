/**
 * Small functions for children to run. The documentation's snippets start them, so that each snippet can show one thing:
 *
 *     import { square } from "examples/targets.ts";
 *
 * @module
 */
import {
  type Condition,
  type Connection,
  currentProcess,
  exit,
  getpid,
  getppid,
  type Lock,
  parentProcess,
  Process,
  type Queue,
  type RawValue,
  type SharedMemory,
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

/** Who a process is, and who started it. */
export interface Person {
  name: string;
  pid: number;
  parentName: string | undefined;
  parentPid: number;
}

/** Puts on a queue who runs it. */
export async function introduce(people: Queue<Person>): Promise<void> {
  const { name } = currentProcess();
  await people.put({ name, pid: getpid(), parentName: parentProcess()?.name, parentPid: getppid() });
}

/** Puts a greeting on a queue. */
export async function greetOn(greetings: Queue<string>, options?: { who?: string }): Promise<void> {
  await greetings.put(greet(options?.who ?? "you"));
}

/** A process with work of its own: it puts a greeting on a queue. */
export class Greeter extends Process {
  constructor(readonly who: string, readonly greetings: Queue<string>) {
    super();
  }

  override async run(): Promise<void> {
    await this.greetings.put(greet(this.who));
  }
}

/** Adds 1 to a shared number, so many times. */
export async function addOnes(count: RawValue, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await count.add(1);
}

/** Raises a shared number by 1, so many times, and each time wakes those who wait for it. */
export async function raise(condition: Condition, level: RawValue, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    using _ = await condition.guard();
    await level.add(1);
    condition.notifyAll();
  }
}

/** Writes bytes to the beginning of shared memory. */
export async function fill(memory: SharedMemory, bytes: Uint8Array): Promise<void> {
  await memory.write(bytes);
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

/** A number that goes up, for a manager to own. */
export class Counter {
  /** Where it stands. */
  #count: number;

  /** Begins at `start`. */
  constructor(start: number = 0) {
    this.#count = start;
  }

  /** Adds to it and gives what it is then. */
  add(by: number): number {
    return this.#count += by;
  }

  /** Begins again at 0. */
  reset(): void {
    this.#count = 0;
  }
}

/** Counters by name, for a manager to own. */
export class Shelf {
  readonly #counters = new Map<string, Counter>();

  /** The counter of that name. */
  counter(name: string): Counter {
    const counter = this.#counters.get(name) ?? new Counter();
    this.#counters.set(name, counter);
    return counter;
  }
}

/** The first squares. */
export function* squares(count: number): Generator<number> {
  for (let n = 0; n < count; n++) yield n * n;
}
