/**
 * A line: how this process reaches the server of one manager. All proxies of that manager here share it.
 *
 * ```
 * proxy ─▶ request ─▶ [number · encode] ─▶ connection ═══▶ server
 *       ◀─ settle ◀── pump, while something is asked ◀═══
 * ```
 *
 * Requests are sent at once and start in the order in which they were made, whether or not answers are awaited in
 * between. Nothing here keeps the program up but a request. When the line ends, every request rejects.
 */

import { EOFError, PicklingError, ShutDown } from "../base/errors.ts";
import { type Connection, lanesOf } from "../ipc/connection.ts";
import { keepAlive, nextTurn } from "../platform/runtime.ts";
import { thisTask } from "../platform/task.ts";
import { onBehalf } from "../transport/agent.ts";
import { decode, encode } from "../transport/codec.ts";
import { type Lane, NOTHING, SharedLane, type Taken } from "../transport/lane.ts";
import type { Arrival, Door } from "./_door.ts";
import {
  ANSWER,
  CANCEL,
  CLAIM,
  CREATE,
  DROP,
  type FromServer,
  LEND,
  newNumber,
  RECEIPT,
  REFUSED,
  REQUEST,
  RETURN,
  type ToServer,
} from "./_messages.ts";

/** What proxies ask of the line they are on. Objects are named by numbers that this side has chosen. */
export interface Line {
  /** The manager. */
  readonly manager: number;
  /** The line itself. */
  readonly number: number;
  /** How other processes of the program get a line of their own. */
  readonly door: Door | undefined;
  /** Has the server make an object. */
  create(typeid: string, args: readonly unknown[]): number;
  /** Takes over an object that another process, or the server, has lent. */
  claim(lender: number, loan: number): number;
  /** Keeps an object for the process that a proxy is sent to, until that claims it. */
  lend(object: number): number;
  /** Takes a {@link lend} back. */
  unlend(loan: number): void;
  /** Says that no proxy of the object is left here. */
  drop(object: number): void;
  /** Whether two numbers are known to name the same object. */
  same(one: number, other: number): boolean;
  /** Has the server call a method of the object. */
  request(object: number, method: string, args: readonly unknown[], signal?: AbortSignal): Promise<unknown>;
}

interface Pending {
  /** What was asked, for messages. */
  readonly what: string;
  resolve(value: unknown): void;
  reject(reason: unknown): void;
}

/** The manager that a message is being written for. */
let addressee: number | undefined;

/** Whether a message is being written that goes to the manager, or from it to one of its lines. */
export function goesWithin(manager: number): boolean {
  return addressee === manager;
}

/** Writes a message that goes to the manager, or from it to one of its lines. */
export function within<R>(manager: number, write: () => R): R {
  const before = addressee;
  addressee = manager;
  try {
    return write();
  } finally {
    addressee = before;
  }
}

/** Whoever awaits an answer goes on within so many microtasks, and often asks for something else at once. */
const MICROTASKS = 4;

/** After so many answers that came one upon the other the event loop has its turn. */
const BURST = 64;

/** The pump's waits keep nobody up: the requests do. */
const quiet = new AbortController().signal;
onBehalf.add(quiet);

/** A line to a server in another process. */
export class ClientLine implements Line {
  readonly manager: number;
  readonly number: number;
  readonly door: Door | undefined;
  /** Says why the server is gone, if that is known here. */
  explain: (() => Promise<string | undefined>) | undefined;
  #connection: Connection | undefined;
  #outgoing: Lane | undefined;
  /** What was asked before there was a connection. */
  #early: ToServer[] = [];
  #messages = 0;
  /** The message that is being written. */
  #writing: number | undefined;
  #objects = 0;
  #loans = 0;
  readonly #pending = new Map<number, Pending>();
  #pumping = false;
  /** Whether the server is known to have this line. */
  #met: boolean;
  #why: string | undefined;

  /** Opens a line. `opened`: one that is open already. */
  constructor(manager: number, door: Door | undefined, opened?: Arrival) {
    this.manager = manager;
    this.number = opened?.[0] ?? newNumber();
    this.door = door;
    this.#met = opened !== undefined;
    if (opened !== undefined) this.#connected(opened[1]);
    else if (door !== undefined) this.#open(door);
    else this.#why = "this process has no connection to its manager; connect() to it first";
  }

  /** Why nothing can be asked any more; nothing while it can. */
  get ended(): string | undefined {
    return this.#why;
  }

  create(typeid: string, args: readonly unknown[]): number {
    if (this.#why !== undefined) throw this.#gone(`create a shared ${typeid}`);
    const object = ++this.#objects;
    this.#send([CREATE, object, typeid, args], object);
    return object;
  }

  claim(lender: number, loan: number): number {
    const object = ++this.#objects;
    this.#tell(CLAIM, object, lender, loan);
    return object;
  }

  lend(object: number): number {
    const loan = ++this.#loans;
    // A proxy that is of no use any more arrives as one.
    if (this.#why === undefined) this.#transmit([0, LEND, this.#writtenBefore, object, loan]);
    return loan;
  }

  unlend(loan: number): void {
    if (this.#why === undefined) this.#transmit([0, RETURN, this.#writtenBefore, loan]);
  }

  drop(object: number): void {
    this.#tell(DROP, object);
  }

  same(one: number, other: number): boolean {
    return one === other;
  }

  request(object: number, method: string, args: readonly unknown[], signal?: AbortSignal): Promise<unknown> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const what = `call ${method.replace("#", "")}()`;
    if (this.#why !== undefined) return Promise.reject(this.#gone(what));
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const number = this.#send([REQUEST, object, method, args]);
    // Whether the program goes on is no matter of a daemonic thread.
    const holds = !thisTask().daemon;
    if (holds) keepAlive.hold();
    // The answer is awaited all the same: it may be on its way already, with an item that must not be lost.
    const cancel = () => this.#tell(CANCEL, number);
    const settled = () => {
      this.#pending.delete(number);
      signal?.removeEventListener("abort", cancel);
      if (holds) keepAlive.drop();
    };
    this.#pending.set(number, {
      what,
      resolve: (value) => (settled(), resolve(value)),
      reject: (reason) => (settled(), reject(signal?.aborted ? signal.reason : reason)),
    });
    signal?.addEventListener("abort", cancel, { once: true });
    if (this.#connection !== undefined && !this.#pumping) this.#pump(this.#connection);
    return promise;
  }

  /** Ends the line: whoever waits for an answer learns why. */
  end(why: string): void {
    if (this.#why !== undefined) return;
    this.#why = why;
    this.#early = [];
    for (const pending of [...this.#pending.values()]) pending.reject(this.#gone(pending.what));
    this.#connection?.close();
  }

  #gone(what: string): EOFError {
    return new EOFError(`Cannot ${what}: ${this.#why}`);
  }

  /** The server is gone. */
  async lost(): Promise<void> {
    this.end(await this.explain?.() ?? "the manager has ended, or has closed the connection");
  }

  #open(door: Door): void {
    const failed = (error: unknown) =>
      error instanceof ShutDown
        ? this.lost()
        : this.end(`the manager cannot be reached: ${messageOf(error)}`);
    try {
      const opened = door.open(this.number);
      if (opened instanceof Promise) opened.then((connection) => this.#connected(connection), failed);
      else this.#connected(opened);
    } catch (error) {
      failed(error);
    }
  }

  #connected(connection: Connection): void {
    if (this.#why !== undefined) return connection.close();
    this.#connection = connection;
    this.#outgoing = lanesOf(connection).outgoing;
    abandoned.register(this, connection);
    for (const message of this.#early.splice(0)) this.#put(message);
    if (this.#pending.size > 0) this.#pump(connection);
  }

  /** Sends what nobody is told of if it cannot be sent: without a server there is nobody to be told. */
  #tell(...message: unknown[]): void {
    if (this.#why === undefined) this.#send(message);
  }

  /** Sends a message, and gives its number. `creates`: the object that cannot be made if it is refused. */
  #send(message: unknown[], creates?: number): number {
    const number = ++this.#messages;
    this.#writing = number;
    try {
      this.#transmit([number, ...message] as ToServer, creates);
    } catch (error) {
      this.#transmit([number, REFUSED]);
      throw named(error, 4, "args");
    } finally {
      this.#writing = undefined;
    }
    return number;
  }

  /** The last message before those that are being written, or will be. */
  get #writtenBefore(): number {
    return this.#writing === undefined ? this.#messages : this.#writing - 1;
  }

  #transmit(message: ToServer, creates?: number): void {
    if (this.#outgoing !== undefined) this.#put(message, creates);
    // A copy, as it would have been read by the server: what is changed afterwards does not count.
    else this.#early.push(within(this.manager, () => copied(message)));
  }

  #put(message: ToServer, creates?: number): void {
    const put = within(this.manager, () => this.#outgoing!.put(message, {}, Infinity, quiet));
    put.then((result) => {
      if (result !== "done") this.lost();
    }, (error) => {
      if (!(error instanceof PicklingError)) return this.end(`the connection broke: ${messageOf(error)}`);
      const why = named(error, 4, "args");
      this.#put(creates === undefined ? [message[0], REFUSED] : [message[0], REFUSED, creates, why]);
      this.#pending.get(message[0])?.reject(why);
    });
  }

  async #pump(connection: Connection): Promise<void> {
    this.#pumping = true;
    const { incoming } = lanesOf(connection);
    try {
      await null; // until everything is asked that is asked now
      for (let answers = 1; this.#pending.size > 0; answers++) {
        if (answers % BURST === 0) await nextTurn();
        let taken: Taken = incoming instanceof SharedLane ? incoming.takeNow() : NOTHING;
        if (taken === NOTHING) {
          for (let i = 0; i < MICROTASKS; i++) await null;
          if (this.#pending.size === 0) break;
          taken = incoming.take(Infinity, quiet);
        }
        if (taken instanceof Promise) taken = await taken;
        if (typeof taken === "symbol") {
          this.lost();
          break;
        }
        this.#settle(taken as FromServer);
      }
    } catch (error) {
      this.end(`an answer cannot be read: ${messageOf(error)}`);
    }
    this.#pumping = false;
  }

  #settle(message: FromServer): void {
    if (!this.#met) this.door?.answered?.();
    this.#met = true;
    if (message[0] === ANSWER) {
      const [, number, value, receipt] = message;
      if (receipt) this.#tell(RECEIPT, number);
      this.#pending.get(number)?.resolve(value);
    } else {
      const [, number, error] = message;
      if (number === 0) this.end(messageOf(error));
      else this.#pending.get(number)?.reject(error);
    }
  }
}

/** A refusal in the words of whoever gave that part of the message. */
export function named(error: unknown, part: number, name: string): unknown {
  if (!(error instanceof PicklingError)) return error;
  // A relay has the message in one of its own.
  const message = error.message.replace(new RegExp(`(?:value|message\\[4\\]\\[0\\])\\[${part}\\]`), name);
  return new PicklingError(message, { cause: error.cause });
}

/** A value as it arrives when it is sent. */
export function copied<T>(value: T): T {
  const { bytes, attachments } = encode(value);
  return decode(bytes.slice(), attachments) as T;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Closes the connections of lines on which no proxy is left. */
const abandoned = new FinalizationRegistry<Connection>((connection) => connection.close());

const lines = new Map<number, WeakRef<ClientLine>>();
const hosted = new Map<number, Line>();

/** Makes a line the one for proxies that arrive, unless there is one. */
export function useLine(line: ClientLine): ClientLine {
  const known = lines.get(line.manager)?.deref();
  if (known === undefined || known.ended !== undefined) lines.set(line.manager, new WeakRef(line));
  return line;
}

/** Names the line for proxies that arrive where the manager's server itself runs; `undefined` when it ends. */
export function hostLine(manager: number, line: Line | undefined): void {
  if (line === undefined) hosted.delete(manager);
  else hosted.set(manager, line);
}

/** The line to a manager; by `door`, or as it was `laid`, if there is none yet, or it has ended. */
export function lineTo(manager: number, door: Door | undefined, laid: Arrival | undefined): Line {
  const known = hosted.get(manager) ?? lines.get(manager)?.deref();
  if (known !== undefined && (door === undefined || !(known instanceof ClientLine && known.ended))) {
    laid?.[1].close();
    return known;
  }
  return useLine(new ClientLine(manager, door, laid));
}
