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
 */
export class ProcessError extends Error {}
named(ProcessError, "ProcessError");

/**
 * A wait took longer than its `timeout`.
 *
 * Python: `multiprocessing.TimeoutError`.
 */
export class TimeoutError extends ProcessError {}
named(TimeoutError, "TimeoutError");

/**
 * Nothing could be taken from a queue in time.
 *
 * Python: `queue.Empty`.
 */
export class Empty extends Error {}
named(Empty, "Empty");

/**
 * Nothing could be put on a queue in time, because it holds `maxsize` items.
 *
 * Python: `queue.Full`.
 */
export class Full extends Error {}
named(Full, "Full");

/**
 * The queue was shut down.
 *
 * Python: `queue.ShutDown` (3.13).
 */
export class ShutDown extends Error {}
named(ShutDown, "ShutDown");

/**
 * The other end is closed and everything it sent has been received.
 *
 * Python: `EOFError`.
 */
export class EOFError extends Error {}
named(EOFError, "EOFError");

/**
 * The other end is closed, so nothing that is sent could ever be received.
 *
 * Python: `BrokenPipeError`.
 */
export class BrokenPipeError extends Error {}
named(BrokenPipeError, "BrokenPipeError");

/**
 * The other side does not know the key.
 *
 * Python: `multiprocessing.AuthenticationError`.
 */
export class AuthenticationError extends ProcessError {}
named(AuthenticationError, "AuthenticationError");

/**
 * A message is longer than the buffer it should go into.
 *
 * Python: `multiprocessing.BufferTooShort`.
 */
export class BufferTooShort extends ProcessError {}
named(BufferTooShort, "BufferTooShort");

/**
 * The barrier was reset, aborted or timed out.
 *
 * Python: `threading.BrokenBarrierError`.
 */
export class BrokenBarrierError extends Error {}
named(BrokenBarrierError, "BrokenBarrierError");

/**
 * A worker process of an executor ended while it had work.
 *
 * Python: `concurrent.futures.process.BrokenProcessPool`.
 */
export class BrokenProcessPool extends ProcessError {}
named(BrokenProcessPool, "BrokenProcessPool");

/**
 * The call was cancelled before it ran.
 *
 * Python: `concurrent.futures.CancelledError`.
 */
export class CancelledError extends Error {}
named(CancelledError, "CancelledError");

/**
 * The operation is not allowed in the state the future is in.
 *
 * Python: `concurrent.futures.InvalidStateError`.
 */
export class InvalidStateError extends Error {}
named(InvalidStateError, "InvalidStateError");

/**
 * The value cannot travel to another process. The message names where in the value it sits, and the cure.
 *
 * Python: `pickle.PicklingError`.
 */
export class PicklingError extends Error {}
named(PicklingError, "PicklingError");

/**
 * An argument has the right type and an impossible value, or the object is in a state that forbids the call.
 *
 * Python: `ValueError`.
 */
export class ValueError extends Error {}
named(ValueError, "ValueError");

/**
 * The call is not possible here or now.
 *
 * Python: `RuntimeError`.
 */
export class RuntimeError extends Error {}
named(RuntimeError, "RuntimeError");

/**
 * The caller broke a rule of the call.
 *
 * Python: `AssertionError`.
 */
export class AssertionError extends Error {}
named(AssertionError, "AssertionError");

/**
 * An operation of the operating system failed, such as binding an address that is taken.
 *
 * Python: `OSError`.
 */
export class OSError extends Error {}
named(OSError, "OSError");

/**
 * Something that failed in another process and could not be brought over as what it was.
 *
 * Python: `multiprocessing.managers.RemoteError`.
 */
export class RemoteError extends Error {}
named(RemoteError, "RemoteError");

/**
 * The stack of an error as it was in the process that threw it; found under the `cause` of the error that
 * was delivered.
 *
 * Python: `multiprocessing.pool.RemoteTraceback`.
 */
export class RemoteTraceback extends Error {}
named(RemoteTraceback, "RemoteTraceback");
