/**
 * The server of a manager: the objects, and a session for each process that has a line to it.
 *
 * ```
 * door, listener ─▶ Session ─▶ Shared ─▶ servant ─▶ object
 *                      │          ▲
 *  proxy passed on:  LEND ─▶ loans ─▶ CLAIM of whoever got it
 * ```
 *
 * Nobody counts references: an object lives as long as a session has a number for it, a loan is open, or an object here
 * holds a proxy of it, which is a plain reference then. A CLAIM may come before the LEND that it is for, since the two
 * come over different lines: it waits until the lender has lent, or is gone.
 */

import { RemoteError } from "../base/errors.ts";
import type { Connection } from "../ipc/connection.ts";
import { thisAgent } from "../transport/agent.ts";
import type { Door } from "./_door.ts";
import { FAILURE } from "./_messages.ts";
import { copied, hostLine, type Line } from "./_line.ts";
import { type Asker, type Servant, TableServant } from "./_servant.ts";
import { servantOf } from "./_servants.ts";
import { type Host, Session } from "./_session.ts";
import { Shared } from "./_shared.ts";
import { ITERATOR, type Type } from "./_types.ts";
import { BaseProxy, newProxy, referentOf } from "./proxy.ts";

/** The lender of what the server itself lends. */
const SERVER = 0;

/** So many lines that have ended are remembered: one of them might be named as lender of what never came. */
const REMEMBERED_LINES = 10_000;

const never = new AbortController().signal;

/** What was lent and not claimed yet. */
interface Loan {
  readonly shared: Shared;
  /** Where it is noted, if it goes with the session that it was made for. */
  readonly notes: Set<number> | undefined;
}

/** The objects of a manager, and those who use them. */
export class Server implements Host {
  readonly manager: number;
  readonly self: Shared = new Shared(
    "server",
    new TableServant("server", this, { numberOfObjects: () => this.objectCount }),
  );
  /** The line of those who are here themselves: objects that hold or get proxies of others. */
  readonly local: LocalLine;
  readonly #types: ReadonlyMap<string, Type>;
  readonly #sessions = new Map<number, Session>();
  readonly #ended = new Set<number>();
  /** Those of whose objects something goes on until it is stopped. */
  readonly #stopping = new Set<Servant>();
  readonly #loans = new Map<string, Loan>();
  /** Claims that are before their loans. */
  readonly #early = new Map<string, { readonly lender: number; resolve(shared: Shared | undefined): void }>();
  /** Where loans are noted that are made for one session. */
  #notes: Set<number> | undefined;

  constructor(manager: number, types: ReadonlyMap<string, Type>) {
    this.manager = manager;
    this.#types = types;
    this.local = new LocalLine(this);
    hostLine(manager, this.local);
  }

  /** Serves a line until it ends, of our program or from outside; one that cannot be served is told why. */
  serve(line: number, connection: Connection, ours: boolean): void {
    try {
      const session = new Session(this, line, connection, ours);
      this.#sessions.set(line, session);
      void session.serve();
    } catch (error) {
      const close = () => connection.close();
      connection.send([FAILURE, 0, error]).then(close, close);
    }
  }

  /** Ends every session, and what goes on in objects. */
  async stop(why: string): Promise<void> {
    hostLine(this.manager, undefined);
    // None is over before all are: else one would be given what another had.
    for (const session of this.#sessions.values()) session.hangUp(why);
    await Promise.all([...this.#stopping].map((servant) => servant.stop!()));
  }

  /** How many objects there are that somebody outside has a proxy of, or is being sent one. */
  get objectCount(): number {
    const objects = new Set<unknown>();
    const count = (shared: Shared) => void objects.add(shared.servant?.object ?? shared);
    for (const session of this.#sessions.values()) for (const shared of session.objects) count(shared);
    for (const { shared } of this.#loans.values()) count(shared);
    return objects.size;
  }

  create(typeid: string, args: readonly unknown[]): Shared {
    try {
      const type = this.#type(typeid);
      const given = type.unwraps ? args.map((arg) => this.#meant(arg)) : args;
      const object = given.some(isPromise)
        ? Promise.all(given).then((args) => type.make(args))
        : type.make(given);
      return new Shared(typeid, this.#serving(typeid, type, object));
    } catch (error) {
      return new Shared(typeid, Promise.reject(error));
    }
  }

  /** Puts an object into the server and gives a proxy of it. */
  share(typeid: string, object: unknown): BaseProxy {
    const type = this.#type(typeid);
    const shared = new Shared(typeid, this.#serving(typeid, type, object));
    return newProxy(type.Proxy, { line: this.local, object: this.local.adopt(shared), typeid });
  }

  #type(typeid: string): Type {
    const type = typeid === "Iterator" ? ITERATOR : this.#types.get(typeid);
    if (type !== undefined) return type;
    throw new RemoteError(
      `Cannot create a shared ${typeid}: register() "${typeid}" in the program that serves it`,
    );
  }

  #serving(typeid: string, type: Type, object: unknown): Servant | Promise<Servant> {
    const serving = (object: unknown) => {
      const servant = servantOf(typeid, object, type, (...what) => this.share(...what));
      if (servant.stop !== undefined) this.#stopping.add(servant);
      return servant;
    };
    return isPromise(object) ? object.then(serving) : serving(object);
  }

  /** An argument for an object to be made of: another object of ours stands for itself, not for a proxy. */
  #meant(arg: unknown): unknown {
    const shared = this.#standsFor(arg);
    if (shared === undefined) return arg;
    return shared.servant?.object ?? Promise.resolve(shared.made).then(({ object }) => object);
  }

  unresolved(args: readonly unknown[]): Promise<unknown> | undefined {
    const coming = args.map((arg) => this.#standsFor(arg)).filter((shared) =>
      shared !== undefined && shared.servant === undefined
    );
    if (coming.length === 0) return undefined;
    return Promise.allSettled(coming.map((shared) => shared!.made));
  }

  /** What an argument stands for, if that is here. */
  #standsFor(arg: unknown): Shared | undefined {
    if (!(arg instanceof BaseProxy)) return undefined;
    const { line, object } = referentOf(arg);
    return line === this.local ? this.local.shared(object) : undefined;
  }

  // --- Loans ----------------------------------------------------------------------------------------------------

  lend(lender: number, loan: number, shared: Shared): void {
    const key = `${lender} ${loan}`;
    const early = this.#early.get(key);
    this.#early.delete(key);
    if (early !== undefined) return early.resolve(shared);
    const notes = lender === SERVER ? this.#notes : undefined;
    notes?.add(loan);
    this.#loans.set(key, { shared, notes });
  }

  unlend(lender: number, loan: number): void {
    this.#loans.delete(`${lender} ${loan}`);
  }

  claim(lender: number, loan: number): Shared {
    const key = `${lender} ${loan}`;
    const known = this.#loans.get(key);
    if (known !== undefined) {
      this.#loans.delete(key);
      known.notes?.delete(loan);
      return known.shared;
    }
    if (lender === SERVER || this.#ended.has(lender)) return new Shared("object", Promise.reject(gone()));
    const { promise, resolve } = Promise.withResolvers<Shared | undefined>();
    this.#early.set(key, { lender, resolve });
    const servant = promise.then((shared) => {
      if (shared === undefined) throw gone();
      return shared.made;
    });
    return new Shared("object", servant);
  }

  noting(notes: Set<number>, write: () => void): void {
    this.#notes = notes;
    try {
      write();
    } finally {
      this.#notes = undefined;
    }
  }

  left(session: Session): void {
    const { line } = session;
    this.#sessions.delete(line);
    this.#ended.add(line);
    if (this.#ended.size > REMEMBERED_LINES) {
      const [oldest] = this.#ended;
      this.#ended.delete(oldest!);
    }
    for (const [key, { lender, resolve }] of this.#early) {
      if (lender !== line) continue;
      this.#early.delete(key);
      resolve(undefined);
    }
  }
}

function gone(): RemoteError {
  return new RemoteError("Cannot find the object: nobody has a proxy of it any more");
}

function isPromise(value: unknown): value is Promise<unknown> {
  return value instanceof Promise;
}

/** The line of proxies that are in the server itself. */
class LocalLine implements Line {
  readonly manager: number;
  readonly number = SERVER;
  door: Door | undefined;
  readonly #server: Server;
  readonly #objects = new Map<number, Shared>();
  #lastObject = 0;
  #lastLoan = 0;

  constructor(server: Server) {
    this.manager = server.manager;
    this.#server = server;
  }

  /** Gives an object a number. */
  adopt(shared: Shared): number {
    this.#objects.set(++this.#lastObject, shared);
    return this.#lastObject;
  }

  /** The object that has a number. */
  shared(object: number): Shared {
    return this.#objects.get(object)!;
  }

  create(typeid: string, args: readonly unknown[]): number {
    return this.adopt(this.#server.create(typeid, args));
  }

  claim(lender: number, loan: number): number {
    return this.adopt(this.#server.claim(lender, loan));
  }

  lend(object: number): number {
    this.#server.lend(SERVER, ++this.#lastLoan, this.shared(object));
    return this.#lastLoan;
  }

  unlend(loan: number): void {
    this.#server.unlend(SERVER, loan);
  }

  drop(object: number): void {
    this.#objects.delete(object);
  }

  same(one: number, other: number): boolean {
    return this.shared(one).is(this.#objects.get(other));
  }

  // Whatever asks here is part of the server, and gets copies as everybody does.
  async request(object: number, method: string, args: readonly unknown[], signal = never): Promise<unknown> {
    const asker: Asker = { agent: thisAgent().id, signal, gone: never, ours: true };
    const given = copied(args);
    return copied(await this.shared(object).use((servant) => servant.invoke(method, given, asker)));
  }
}
