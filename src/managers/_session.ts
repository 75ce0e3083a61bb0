/**
 * A session: what the server knows of one process that has a line to it.
 *
 * What the process holds there (locks, permits) is held under an agent of its own, which dies with the line. Requests
 * are served in the order in which they were sent; one that waits holds up no other.
 */

import { EOFError, PicklingError, RemoteError } from "../base/errors.ts";
import { type Connection, lanesOf } from "../ipc/connection.ts";
import { nextTurn } from "../platform/runtime.ts";
import { traced } from "../team/traced.ts";
import { onBehalf, thisAgent } from "../transport/agent.ts";
import { type Lane, NOTHING, SharedLane, type Taken } from "../transport/lane.ts";
import { named, within } from "./_line.ts";
import {
  ANSWER,
  CANCEL,
  CLAIM,
  CREATE,
  DROP,
  FAILURE,
  type FromServer,
  LEND,
  RECEIPT,
  REFUSED,
  REQUEST,
  RETURN,
  type ToServer,
} from "./_messages.ts";
import type { Asker, Servant } from "./_servant.ts";
import { Shared } from "./_shared.ts";

/** What a session asks of its server. */
export interface Host {
  /** The manager. */
  readonly manager: number;
  /** What can be asked of the server itself, as object 0. */
  readonly self: Shared;
  /** Makes an object; what goes wrong is told to whoever uses it. */
  create(typeid: string, args: readonly unknown[]): Shared;
  /** An object is lent by a line. */
  lend(lender: number, loan: number, shared: Shared): void;
  /** What was lent is not taken. */
  unlend(lender: number, loan: number): void;
  /** Takes over what a line has lent, or will have. */
  claim(lender: number, loan: number): Shared;
  /** If proxies among the arguments are before what they stand for: when that is known, or known not to come. */
  unresolved(args: readonly unknown[]): Promise<unknown> | undefined;
  /** Does `write`; what it lends in the server's own name is noted, until somebody claims it. */
  noting(notes: Set<number>, write: () => void): void;
  /** The session is over. */
  left(session: Session): void;
}

/** After so many messages that came one upon the other the event loop has its turn, and so have other sessions. */
const BURST = 64;

/** What a lock or a queue can do at once is done within so many microtasks. */
const MICROTASKS = 8;

/** The server's waits for messages keep nothing up: that it serves does. */
const quiet = new AbortController().signal;
onBehalf.add(quiet);

/** Whoever asks for one thing. */
class Asking implements Asker {
  readonly agent: number;
  readonly gone: AbortSignal;
  #controller: AbortController | undefined;

  readonly ours: boolean;

  constructor(agent: number, gone: AbortSignal, ours: boolean) {
    this.agent = agent;
    this.gone = gone;
    this.ours = ours;
  }

  // Most methods do not wait, and look at no signal.
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      onBehalf.add(this.#controller.signal);
    }
    return this.#controller.signal;
  }

  abort(reason?: unknown): void {
    void this.signal;
    this.#controller!.abort(reason);
  }
}

/** One process that has a line to the server. */
export class Session {
  /** The number of the line. */
  readonly line: number;
  readonly #host: Host;
  readonly #ours: boolean;
  readonly #connection: Connection;
  readonly #outgoing: Lane;
  readonly #agent: number;
  readonly #gone = new AbortController();
  readonly #objects = new Map<number, Shared>();
  readonly #running = new Map<number, Asking>();
  /** Answers whose receipt is not there yet, oldest first. */
  readonly #unconfirmed = new Map<number, () => void>();
  /** What was lent to it in answers. */
  readonly #loans = new Set<number>();
  /** Messages that have overtaken others, by the number that they come after. */
  readonly #ahead = new Map<number, ToServer[]>();
  #handled = 0;
  #ended = false;

  /** `ours`: whether it is a process of the program that the server belongs to. */
  constructor(host: Host, line: number, connection: Connection, ours: boolean) {
    this.line = line;
    this.#ours = ours;
    this.#host = host;
    this.#connection = connection;
    this.#outgoing = lanesOf(connection).outgoing;
    const me = thisAgent();
    this.#agent = me.directory.enrollGuest(me.id);
  }

  /** The objects it has proxies of. */
  get objects(): Iterable<Shared> {
    return this.#objects.values();
  }

  /** Answers nothing more; whoever waits at the other end learns why. */
  hangUp(why: string): void {
    if (this.#ended) return;
    this.#send([FAILURE, 0, new EOFError(why)]);
    this.#ended = true;
    this.#connection.close();
  }

  /** Gives up what the process has here. */
  #end(): void {
    this.#ended = true;
    this.#connection.close();
    const gone = new EOFError("Cannot go on: the process that asked for it is gone");
    this.#gone.abort(gone);
    for (const asking of this.#running.values()) asking.abort(gone);
    // The youngest first, since each goes back to the front.
    for (const undo of [...this.#unconfirmed.values()].reverse()) undo();
    const { directory } = thisAgent();
    directory.bury(this.#agent, 0);
    directory.release(this.#agent);
    this.#objects.clear();
    for (const loan of this.#loans) this.#host.unlend(0, loan);
    this.#host.left(this);
  }

  /** Does what it is asked until it is over. */
  async serve(): Promise<void> {
    const { incoming } = lanesOf(this.#connection);
    try {
      for (let messages = 1; !this.#ended; messages++) {
        if (messages % BURST === 0) await nextTurn();
        let taken: Taken = incoming instanceof SharedLane ? incoming.takeNow() : NOTHING;
        if (taken === NOTHING) {
          // What is being done first: to look for the next message takes a moment.
          for (let i = 0; i < MICROTASKS && this.#running.size > 0; i++) await null;
          taken = incoming.take(Infinity, quiet);
        }
        if (taken instanceof Promise) taken = await taken;
        if (typeof taken === "symbol") break;
        this.#receive(taken);
      }
    } catch (error) {
      this.hangUp(`the server cannot understand what it was sent: ${(error as Error).message}`);
    }
    this.#end();
  }

  #receive(message: unknown): void {
    if (!isMessage(message)) throw new RemoteError("it is no message of this library");
    const [number, , after] = message;
    const before = number === 0 ? after as number : number - 1;
    if (before > this.#handled) {
      this.#ahead.set(before, [...this.#ahead.get(before) ?? [], message]);
    } else {
      if (number > 0 && before < this.#handled) throw new RemoteError("a message has come twice");
      this.#handle(message);
    }
  }

  #handle(message: ToServer): void {
    this.#do(message);
    if (message[0] === 0) return;
    const next = this.#ahead.get(++this.#handled);
    if (next === undefined) return;
    this.#ahead.delete(this.#handled);
    // What has no number comes before what has the next one.
    for (const message of next.toSorted(([one], [other]) => one - other)) this.#handle(message);
  }

  #do([number, kind, ...rest]: ToServer): void {
    const [object, second, third] = rest as [number, number, unknown];
    switch (kind) {
      case REQUEST:
        return this.#request(number, object, second as unknown as string, third as unknown[]);
      case CREATE:
        this.#objects.set(object, this.#host.create(second as unknown as string, third as unknown[]));
        return;
      case CLAIM:
        this.#objects.set(object, this.#host.claim(second, third as number));
        return;
      case LEND:
        return this.#host.lend(this.line, third as number, this.#find(second));
      case RETURN:
        return this.#host.unlend(this.line, second);
      case DROP:
        this.#objects.delete(object);
        return;
      case CANCEL:
        return this.#running.get(object)?.abort();
      case RECEIPT:
        this.#unconfirmed.delete(object);
        return;
      case REFUSED:
        if (object !== undefined) this.#objects.set(object, new Shared("object", Promise.reject(second)));
        return;
      default:
        throw new RemoteError(`there is no message of kind ${kind}`);
    }
  }

  #find(object: number): Shared {
    return (object === 0 ? this.#host.self : this.#objects.get(object)) ??
      new Shared("object", Promise.reject(new RemoteError("Cannot find the object: its proxy was released")));
  }

  #request(number: number, object: number, method: string, args: unknown[]): void {
    const asking = new Asking(this.#agent, this.#gone.signal, this.#ours);
    const shared = this.#find(object);
    const unresolved = this.#host.unresolved(args);
    if (unresolved !== undefined) shared.await(unresolved);
    let result: unknown;
    try {
      result = shared.use((servant) => servant.invoke(method, args, asking));
    } catch (error) {
      return this.#fail(number, error);
    }
    if (!(result instanceof Promise)) return this.#answer(number, method, result, shared.servant!);
    this.#running.set(number, asking);
    if (shared.servant?.exclusive?.has(method)) shared.await(result.catch(() => {/* who asked is told */}));
    result.then(
      (value) => this.#answer(number, method, value, shared.servant!),
      (error) => this.#fail(number, error),
    );
  }

  #answer(number: number, method: string, value: unknown, servant: Servant): void {
    this.#running.delete(number);
    const receipt = servant.undoable?.has(method) ?? false;
    const undo = () => servant.undo!(method, value);
    if (this.#ended) return receipt ? undo() : undefined;
    if (receipt) this.#unconfirmed.set(number, undo);
    this.#send([ANSWER, number, value, receipt]);
  }

  #fail(number: number, error: unknown): void {
    this.#running.delete(number);
    this.#send([FAILURE, number, traced(error)]);
  }

  #send(message: FromServer): void {
    if (this.#ended) return;
    const refused = (error: unknown) => {
      if (!(error instanceof PicklingError)) return; // the other end is gone, which the receiving side sees
      this.#unconfirmed.get(message[1])?.();
      this.#unconfirmed.delete(message[1]);
      const why = message[0] === ANSWER ? named(error, 2, "result") : new RemoteError(String(message[2]));
      this.#send([FAILURE, message[1], traced(why)]);
    };
    try {
      this.#host.noting(this.#loans, () => {
        within(this.#host.manager, () => this.#outgoing.put(message, {}, Infinity, quiet)).catch(refused);
      });
    } catch (error) {
      refused(error);
    }
  }
}

/** Whether something is a message to a server, with parts of the right kinds: it may come from any program. */
function isMessage(message: unknown): message is ToServer {
  if (!Array.isArray(message)) return false;
  const [number, kind, first, second, third] = message;
  if (!isNumber(number) || (number === 0) !== (kind === LEND || kind === RETURN)) return false;
  switch (kind) {
    case CREATE:
    case REQUEST:
      return isNumber(first) && typeof second === "string" && Array.isArray(third);
    case LEND:
    case CLAIM:
      return isNumber(first) && isNumber(second) && isNumber(third);
    case RETURN:
      return isNumber(first) && isNumber(second);
    case REFUSED:
      return first === undefined || isNumber(first);
    default:
      return isNumber(first);
  }
}

function isNumber(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
