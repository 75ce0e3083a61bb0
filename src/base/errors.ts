/**
 * The errors of the library, under the names Python gives them.
 *
 * Every class is built alike: a message that names what was asked, what is the case and the cure, and an
 * optional `cause`. They travel between processes and keep their class.
 */

/** What every error of this library has in common: a name that survives minification and subclassing. */
function named(Class: { prototype: Error }, name: string): void {
  Object.defineProperty(Class.prototype, "name", { value: name, configurable: true, writable: true });
}

/**
 * The base of the errors that concern processes.
 *
 * Python: `multiprocessing.ProcessError`.
 *
 * @example Catch whatever concerns processes
 * ```ts
 * import { Pipe, ProcessError } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const [mine, _theirs] = Pipe<string>();
 * await assert.rejects(mine.recv({ timeout: 10 }), ProcessError); // a TimeoutError is one
 * ```
 */
export class ProcessError extends Error {}
named(ProcessError, "ProcessError");

/**
 * A wait took longer than its `timeout`.
 *
 * Python: `multiprocessing.TimeoutError`.
 *
 * @example Wait at most 10 ms
 * ```ts
 * import { Pipe, TimeoutError } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const [mine, theirs] = Pipe<string>();
 * await assert.rejects(mine.recv({ timeout: 10 }), TimeoutError);
 * await theirs.send("late"); // nothing was lost by giving up
 * assert.equal(await mine.recv(), "late");
 * ```
 */
export class TimeoutError extends ProcessError {}
named(TimeoutError, "TimeoutError");

/**
 * Nothing could be taken from a queue in time.
 *
 * Python: `queue.Empty`.
 *
 * @example
 * ```ts
 * import { Empty, Queue } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * using queue = new Queue<string>();
 * await assert.rejects(queue.getNowait(), Empty);
 * await assert.rejects(queue.get({ timeout: 10 }), Empty);
 * ```
 */
export class Empty extends Error {}
named(Empty, "Empty");

/**
 * Nothing could be put on a queue in time, because it holds `maxsize` items.
 *
 * Python: `queue.Full`.
 *
 * @example
 * ```ts
 * import { Full, Queue } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * using queue = new Queue<string>(1);
 * await queue.put("bread");
 * await assert.rejects(queue.putNowait("milk"), Full);
 * await assert.rejects(queue.put("milk", { timeout: 10 }), Full);
 * ```
 */
export class Full extends Error {}
named(Full, "Full");

/**
 * The queue was shut down.
 *
 * Python: `queue.ShutDown` (3.13).
 *
 * @example
 * ```ts
 * import { Queue, ShutDown } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * using queue = new Queue<string>();
 * const waiting = queue.get();
 * queue.shutdown();
 * await assert.rejects(waiting, ShutDown);
 * await assert.rejects(queue.put("bread"), ShutDown);
 * ```
 */
export class ShutDown extends Error {}
named(ShutDown, "ShutDown");

/**
 * The other end is closed and everything it sent has been received.
 *
 * Python: `EOFError`.
 *
 * @example Receive until the other side has no more
 * ```ts
 * import { EOFError, Pipe } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const [receiver, sender] = Pipe<string>({ duplex: false });
 * await sender.send("the last one");
 * sender.close();
 * assert.equal(await receiver.recv(), "the last one");
 * await assert.rejects(receiver.recv(), EOFError);
 * ```
 */
export class EOFError extends Error {}
named(EOFError, "EOFError");

/**
 * The other end is closed, so nothing that is sent could ever be received.
 *
 * Python: `BrokenPipeError`.
 *
 * @example
 * ```ts
 * import { BrokenPipeError, Pipe } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const [receiver, sender] = Pipe<string>({ duplex: false });
 * receiver.close();
 * await assert.rejects(sender.send("hello"), BrokenPipeError);
 * ```
 */
export class BrokenPipeError extends Error {}
named(BrokenPipeError, "BrokenPipeError");

/**
 * The other side does not know the key.
 *
 * Python: `multiprocessing.AuthenticationError`.
 *
 * @example A client without the key
 * ```ts
 * import { AuthenticationError, Client, Listener } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * using listener = new Listener({ authkey: new TextEncoder().encode("between us") });
 * await assert.rejects(Client(listener.address), AuthenticationError);
 * ```
 */
export class AuthenticationError extends ProcessError {}
named(AuthenticationError, "AuthenticationError");

/**
 * A message is longer than the buffer it should go into.
 *
 * Python: `multiprocessing.BufferTooShort`.
 *
 * @example Nothing is lost: the message is its cause
 * ```ts
 * import { BufferTooShort, Pipe } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const [mine, theirs] = Pipe();
 * await theirs.sendBytes(new Uint8Array(16));
 * await assert.rejects(mine.recvBytesInto(new Uint8Array(8)), (error) => {
 *   assert.ok(error instanceof BufferTooShort);
 *   assert.equal((error.cause as Uint8Array).length, 16);
 *   return true;
 * });
 * ```
 */
export class BufferTooShort extends ProcessError {}
named(BufferTooShort, "BufferTooShort");

/**
 * The barrier was reset, aborted or timed out.
 *
 * Python: `threading.BrokenBarrierError`.
 *
 * @example
 * ```ts
 * import { Barrier, BrokenBarrierError } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const barrier = new Barrier(2);
 * const waiting = barrier.wait();
 * barrier.abort();
 * await assert.rejects(waiting, BrokenBarrierError);
 * ```
 */
export class BrokenBarrierError extends Error {}
named(BrokenBarrierError, "BrokenBarrierError");

/**
 * A worker process of an executor ended while it had work.
 *
 * Python: `concurrent.futures.process.BrokenProcessPool`.
 *
 * @example Tell it from an error of the work itself
 * ```ts
 * import { BrokenProcessPool, ProcessError } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const worthAnotherTry = (error: unknown) => error instanceof BrokenProcessPool;
 * assert.equal(worthAnotherTry(new BrokenProcessPool("Cannot finish 3 calls: a worker was ended")), true);
 * assert.equal(worthAnotherTry(new ProcessError("Cannot read the ticket")), false);
 * ```
 */
export class BrokenProcessPool extends ProcessError {}
named(BrokenProcessPool, "BrokenProcessPool");

/**
 * The call was cancelled before it ran.
 *
 * Python: `concurrent.futures.CancelledError`.
 *
 * @example As the reason of an abort
 * ```ts
 * import { CancelledError, Queue } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * using queue = new Queue<string>();
 * const user = new AbortController();
 * const waiting = queue.get({ signal: user.signal });
 * user.abort(new CancelledError("the user has left"));
 * await assert.rejects(waiting, CancelledError);
 * ```
 */
export class CancelledError extends Error {}
named(CancelledError, "CancelledError");

/**
 * The operation is not allowed in the state the future is in.
 *
 * Python: `concurrent.futures.InvalidStateError`.
 *
 * @example Refuse a second result
 * ```ts
 * import { InvalidStateError } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * class Result<T> {
 *   #values: T[] = [];
 *   set(value: T) {
 *     if (this.#values.length > 0) throw new InvalidStateError("Cannot set the result: it is set already");
 *     this.#values.push(value);
 *   }
 * }
 * const result = new Result<number>();
 * result.set(42);
 * assert.throws(() => result.set(43), InvalidStateError);
 * ```
 */
export class InvalidStateError extends Error {}
named(InvalidStateError, "InvalidStateError");

/**
 * The value cannot travel to another process. The message names where in the value it sits, and the cure.
 *
 * Python: `pickle.PicklingError`.
 *
 * @example The message says where
 * ```ts
 * import { PicklingError, Queue } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * using queue = new Queue();
 * const order = { dish: "bread", callback: () => "thanks" };
 * await assert.rejects(queue.put(order), (error) => {
 *   assert.ok(error instanceof PicklingError);
 *   assert.match(error.message, /item\.callback/);
 *   return true;
 * });
 * ```
 */
export class PicklingError extends Error {}
named(PicklingError, "PicklingError");

/**
 * An argument has the right type and an impossible value, or the object is in a state that forbids the call.
 *
 * Python: `ValueError`.
 *
 * @example
 * ```ts
 * import { Semaphore, ValueError } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * assert.throws(() => new Semaphore(-1), ValueError);
 * ```
 */
export class ValueError extends Error {}
named(ValueError, "ValueError");

/**
 * The call is not possible here or now.
 *
 * Python: `RuntimeError`.
 *
 * @example Block where that is not possible
 * ```ts
 * import { RuntimeError } from "@multiprocessing/deno";
 * import { createConnection } from "@multiprocessing/deno/socket";
 * import { TCPServer } from "@multiprocessing/deno/socketserver";
 * import { EchoHandler } from "examples/handlers.ts";
 * import assert from "node:assert/strict";
 *
 * await using server = new TCPServer(["127.0.0.1", 0], EchoHandler);
 * using client = await createConnection(server.serverAddress);
 * assert.throws(() => client.recvSync(1024), RuntimeError); // a socket of the kernel is awaited
 * ```
 */
export class RuntimeError extends Error {}
named(RuntimeError, "RuntimeError");

/**
 * The initializer of a thread pool failed.
 *
 * Python: `concurrent.futures.thread.BrokenThreadPool`.
 *
 * @example
 * ```ts
 * import { BrokenThreadPool, ThreadPoolExecutor } from "@multiprocessing/deno/futures";
 * import assert from "node:assert/strict";
 *
 * await using executor = new ThreadPoolExecutor({ maxWorkers: 1, initializer: () => JSON.parse("{") });
 * await assert.rejects(executor.submit(() => 1).result(), BrokenThreadPool);
 * ```
 */
export class BrokenThreadPool extends RuntimeError {}
named(BrokenThreadPool, "BrokenThreadPool");

/**
 * The caller broke a rule of the call.
 *
 * Python: `AssertionError`.
 *
 * @example Start a process twice
 * ```ts
 * import { AssertionError, Process } from "@multiprocessing/deno";
 * import { square } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * await using child = new Process({ target: square, args: [3] });
 * child.start();
 * assert.throws(() => child.start(), AssertionError);
 * ```
 */
export class AssertionError extends Error {}
named(AssertionError, "AssertionError");

/**
 * An operation of the operating system failed, such as binding an address that is taken.
 *
 * Python: `OSError`.
 *
 * @example `code` is the name the system has for it
 * ```ts
 * import { OSError, SharedMemory } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * assert.throws(() => new SharedMemory({ name: "nobody made this" }), { name: "OSError", code: "ENOENT" });
 * assert.throws(() => new SharedMemory({ name: "nobody made this" }), OSError);
 * ```
 */
export class OSError extends Error {
  /** The name the system has for what went wrong, such as `ENOENT`, where it has one. */
  declare code?: string | undefined;
  /** The file or directory it is about, where there is one. */
  declare filename?: string | undefined;
}
named(OSError, "OSError");

/**
 * Something that failed in another process and could not be brought over as what it was.
 *
 * Python: `multiprocessing.managers.RemoteError`.
 *
 * @example Errors travel and keep their class
 * ```ts
 * import { Queue, RemoteError } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * using failures = new Queue<Error>();
 * await failures.put(new RemoteError("the printer is on fire"));
 * const failure = await failures.get();
 * assert.ok(failure instanceof RemoteError);
 * assert.equal(failure.message, "the printer is on fire");
 * ```
 */
export class RemoteError extends Error {}
named(RemoteError, "RemoteError");

/**
 * The stack of an error as it was in the process that threw it; found under the `cause` of the error that
 * was delivered.
 *
 * Python: `multiprocessing.pool.RemoteTraceback`.
 *
 * @example Where it happened, over there
 * ```ts
 * import { Queue, RemoteTraceback } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * using failures = new Queue<Error>();
 * const cause = new RemoteTraceback("RangeError: no such seat\n    at reserve (seats.ts:7:11)");
 * await failures.put(new RangeError("no such seat", { cause }));
 * const failure = await failures.get();
 * assert.ok(failure instanceof RangeError);
 * assert.ok(failure.cause instanceof RemoteTraceback);
 * assert.match(failure.cause.message, /seats\.ts:7/);
 * ```
 */
export class RemoteTraceback extends Error {}
named(RemoteTraceback, "RemoteTraceback");
