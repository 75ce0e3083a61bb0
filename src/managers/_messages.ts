/**
 * What goes over the line between a process and the server of a manager.
 *
 * Messages to the server are numbered: where the pipe is full, or lies in another process, they may overtake each
 * other, and the server puts them in order. The number of a REQUEST stands for it in what follows. LEND and RETURN are
 * sent while another message is being written, so they have no number but say after which one they come.
 *
 * ```
 * process ──▶ server   n CREATE object typeid args      object: the number under which this process will name it
 *                      n CLAIM object lender loan       the same, for one that a proxy arrived for
 *                      0 LEND after object loan       a proxy goes to another process, or into a message to the server
 *                      0 RETURN after loan            it was not sent after all
 *                      n DROP object
 *                      n REQUEST object method args · n CANCEL request · n RECEIPT request
 *                      n REFUSED object? error          instead of a message that could not be written
 * server ──▶ process   ANSWER request value receipt?  ·  FAILURE request error
 * ```
 *
 * Over a socket, HELLO line and WELCOME manager come first.
 */

export const CREATE = 0;
export const CLAIM = 1;
export const LEND = 2;
export const RETURN = 3;
export const DROP = 4;
export const REQUEST = 5;
export const CANCEL = 6;
export const RECEIPT = 7;
export const REFUSED = 8;

export const ANSWER = 0;
export const FAILURE = 1;

export const HELLO = "manager line";
export const WELCOME = "manager";

/** To the server: a number, one of the words above, and what belongs to it. */
export type ToServer = [number: number, kind: number, ...rest: unknown[]];

/** From the server. */
export type FromServer =
  | [kind: typeof ANSWER, request: number, value: unknown, receipt: boolean]
  | [kind: typeof FAILURE, request: number, error: unknown];

/** A number that nobody else has: of managers, and of the lines to them. */
export function newNumber(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return (high! & 0x1fffff) * 2 ** 32 + low! + 1;
}
