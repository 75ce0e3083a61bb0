/**
 * What a worker that accepts connections for itself, an *attendant*, and its server know of each other: a seat for each,
 * and a board for all of them, in shared memory.
 *
 * Invariants:
 * - The descriptor is in the seat from the moment the connection is accepted until it is closed. If the attendant dies
 *   or fails meanwhile, the server takes it away and closes it. A dead attendant may run on for some milliseconds: what
 *   is not in its seat any more is not its own.
 * - Who closes a descriptor, or ends it from another thread, holds the lock: the kernel may give its number to another
 *   connection at once.
 */

/** A seat: AWAY, WAITING or SERVING. */
export const STATE = 0;
/** A seat: the descriptor of the connection that is being served, plus 1; or 0. */
export const FD = 1;
/** A seat: changes while bytes flow. */
export const ACTIVITY = 2;
/** A seat: 1 while somebody closes or ends the connection. */
export const LOCK = 3;
/** A seat: the descriptor with which the attendant waits, plus 1; or 0. */
export const EPOLL = 4;
/** The words of a seat. */
export const SEAT_WORDS = 5;

/** Takes no connection. */
export const AWAY = 0;
/** Waits for a connection. */
export const WAITING = 1;
/** Serves one. */
export const SERVING = 2;

/** The board: 1 when no connection shall be accepted any more. */
export const STOP = 0;
/** The board: how many attendants wait. */
export const IDLE = 1;
/** The words of a board. */
export const BOARD_WORDS = 2;

/** Words in shared memory. */
export type Words = Int32Array<SharedArrayBuffer>;

/** So many words of new memory. */
export function words(count: number): Words {
  return new Int32Array(new SharedArrayBuffer(count * Int32Array.BYTES_PER_ELEMENT));
}

/** Says what the attendant does now. */
export function setState(seat: Words, state: number): void {
  Atomics.store(seat, STATE, state);
  Atomics.notify(seat, STATE);
}

/** Calls `use` with the descriptor while it cannot be closed, unless it is being closed, or there is none. */
export function withDescriptor(seat: Words, use: (fd: number) => void): void {
  if (Atomics.compareExchange(seat, LOCK, 0, 1) !== 0) return;
  const fd = Atomics.load(seat, FD) - 1;
  if (fd >= 0) use(fd);
  Atomics.store(seat, LOCK, 0);
}

/** Calls `close` with the descriptor, which nobody else uses from then on, unless the server has taken it away. */
export function closeDescriptor(seat: Words, close: (fd: number) => void): void {
  while (Atomics.compareExchange(seat, LOCK, 0, 1) !== 0) Atomics.pause();
  const fd = Atomics.exchange(seat, FD, 0) - 1;
  if (fd >= 0) close(fd);
  Atomics.store(seat, LOCK, 0);
}
