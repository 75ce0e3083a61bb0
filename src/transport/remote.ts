/**
 * Links: how an object that lives in one place is used from another where there is no shared memory.
 *
 * A link connects two agents: over a socket between a `"spawn"` child and its creator, which carries bytes, or over
 * the hub's line between a worker and the hub, which carries memory as well. Either side *exports* objects under numbers; the other side holds
 * {@link RemoteCore}s, whose operations are requests. An object that is only passed on keeps its home: exporting a
 * RemoteCore makes a relay.
 *
 * ```
 * REQUEST id object method args ──▶ invoke ──▶ RESPONSE id … value             CANCEL id: the caller gave up
 * POST id object method args    ──▶ invoke, no answer but a failure, which nobody can catch any more              CONTROL message: between the two rooms above
 * ```
 *
 * An answer that can be undone (an item taken) asks for a RECEIPT; without one, at the end of the link, it is.
 *
 * Requests start in the order they were sent. When a link ends, every pending request rejects with the reason.
 *
 * A number is forgotten on both sides by a RELEASE, which says how often it came: when nobody has its RemoteCore any
 * more, or at once if that says so. If it was sent once more meanwhile, the count tells, and it stays.
 */

import { RemoteError, RuntimeError } from "../base/errors.ts";
import { keepAlive } from "../platform/runtime.ts";
import { thisTask } from "../platform/task.ts";
import { decode, encode, type EncodeOptions, type Packed } from "./codec.ts";
import { hubLine, type Line, onMessage } from "./hub_line.ts";
import type { PackContext, UnpackContext } from "./registry.ts";
import { onBehalf, thisAgent } from "./agent.ts";

/** On whose behalf an exported object is asked to do something. */
export interface Caller {
  /** The agent that asks. */
  readonly agent: number;
  /** Aborted when it gives up, or dies. */
  readonly signal: AbortSignal;
  /** Whether it does not wait for an answer. */
  readonly post?: boolean;
}

/** What a link can export. */
export interface Exportable {
  /** Does what a {@link RemoteCore} was asked. */
  invoke(method: string, args: readonly unknown[], caller: Caller): unknown;
  /** Whether the arguments are for somebody else, who alone shall rebuild what is in them. */
  handsOn?(method: string): boolean;
  /** What tells the object from others, where several JavaScript objects may stand for the same shared memory. */
  readonly identity?: number;
  /** Takes back what `invoke` did, because its answer never arrived. Objects that have it get receipts for answers. */
  undo?(method: string, answer: unknown): void;
  /** A small value that goes along with each answer, for what the other side must know without asking. */
  mirror?(): unknown;
  /** The other side of the link is done with it. */
  released?(): void;
}

const REQUEST = 0;
const RESPONSE = 1;
const FAILURE = 2;
const CANCEL = 3;
const POST = 4;
const CONTROL = 5;
const RECEIPT = 6;
const RELEASE = 7;

/** The request that every object answers, with nothing but its mirror. */
const LOOK = "look";

/** Numbers below this are those of services. */
const FIRST_NUMBER = 16;
const services = new Map<number, Exportable>();

/** Lets the other side of every link use `object` without having been given it, under a number of 1 to 15. */
export function offerService(number: number, object: Exportable): void {
  services.set(number, object);
}

interface Pending {
  readonly object: number;
  /** Whether the answer is for somebody else. */
  readonly transit: boolean;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

/** A message as it travels. What goes beside the bytes is only there within a program. */
type Parcel = Pick<Packed, "bytes" | "attachments" | "transfer">;

/** One end of a link. */
export class Link {
  readonly #send: (bytes: Uint8Array, attachments: unknown[], transfer: Transferable[]) => void;
  /** The agent at the other end. */
  readonly peer: number;
  readonly #exports = new Map<number, { readonly object: Exportable; sent: number }>();
  readonly #numbers = new Map<Exportable | number, number>();
  readonly #imports = new Map<number, { core: WeakRef<RemoteCore>; received: number }>();
  readonly #dropped = new FinalizationRegistry<number>((number) => {
    if (this.#imports.get(number)?.core.deref() === undefined) this.release(number);
  });
  readonly #mirrors = new Map<number, unknown>();
  /** Per imported object: posts we sent, less those that its last mirror counts in. */
  readonly #unseen = new Map<number, number>();
  /** Per exported object: posts served since its last mirror was sent. */
  readonly #served = new Map<number, number>();
  readonly #pending = new Map<number, Pending>();
  readonly #running = new Map<number, AbortController>();
  /** Answers whose receipt is not there yet, oldest first. */
  readonly #unconfirmed = new Map<number, () => void>();
  /** Called with each message that the other side sent with {@link Link.control}. */
  onControl: ((message: { kind: string }) => void) | undefined;
  #next = FIRST_NUMBER;
  #ended: Error | undefined;

  constructor(
    peer: number,
    send: (bytes: Uint8Array, attachments: unknown[], transfer: Transferable[]) => void,
  ) {
    this.peer = peer;
    this.#send = send;
  }

  /** Whether the other side is gone. */
  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /** The number under which the other side can use `object`, for one message. */
  export(object: Exportable): number {
    const key = object.identity ?? object;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#next++;
      this.#numbers.set(key, number);
      this.#exports.set(number, { object, sent: 0 });
    }
    this.#exports.get(number)!.sent++;
    return number;
  }

  /** Takes back so many calls of {@link export}; says whether the number means nothing any more. */
  retract(number: number, times: number): boolean {
    const entry = this.#exports.get(number);
    if (entry === undefined || (entry.sent -= times) > 0) return false;
    this.forget(entry.object);
    return true;
  }

  /** Takes back that `object` was exported, however often it was. */
  forget(object: Exportable): void {
    const key = object.identity ?? object;
    const number = this.#numbers.get(key);
    if (number === undefined) return;
    this.#numbers.delete(key);
    this.#exports.delete(number);
    this.#served.delete(number);
  }

  /** What is exported under `number` now. */
  find(number: number): Exportable | undefined {
    return this.#exports.get(number)?.object ?? services.get(number);
  }

  /** What was exported under `number`, and must still be. */
  exported(number: number): Exportable {
    const object = this.find(number);
    if (object === undefined) {
      throw new RemoteError(`Cannot find object ${number}: this process did not share it`);
    }
    return object;
  }

  /** The stand-in for what the other side exported under `number`; one per number while it is in use. */
  import<C extends RemoteCore>(
    number: number,
    Core: new (link: Link, number: number) => C,
    mirror?: unknown,
  ): C {
    if (mirror !== undefined) this.#mirrors.set(number, mirror);
    const entry = this.#imports.get(number);
    const received = (entry?.received ?? 0) + 1;
    const known = entry?.core.deref();
    if (known instanceof Core) {
      entry!.received = received;
      return known;
    }
    const core = new Core(this, number);
    this.#imports.set(number, { core: new WeakRef(core), received });
    this.#dropped.register(core, number);
    return core;
  }

  /** Says that nobody here uses what the other side exported under `number` any more. */
  release(number: number): void {
    const entry = this.#imports.get(number);
    if (entry === undefined) return;
    this.#imports.delete(number);
    this.#mirrors.delete(number);
    this.#unseen.delete(number);
    if (this.#ended === undefined) this.#post([RELEASE, number, entry.received]);
  }

  /** The last mirror that came for an object. */
  mirror(number: number): unknown {
    return this.#mirrors.get(number);
  }

  /** How many posts to an object its last mirror does not know of yet. */
  unseen(number: number): number {
    return this.#unseen.get(number) ?? 0;
  }

  /**
   * Asks the other side. The caller's event loop stays up until the answer is there, unless a daemon thread asks.
   * `transit`: whether it asks for somebody else, who alone shall rebuild what is in the answer.
   */
  call(
    object: number,
    method: string,
    args: readonly unknown[],
    signal?: AbortSignal,
    transit = false,
  ): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = this.#next++;
    const request = this.#pack([REQUEST, id, object, method, args]);
    const weak = thisTask().daemon;
    if (!weak) keepAlive.hold();
    return new Promise((resolve, reject) => {
      // The answer is awaited all the same: it may be on its way already, with an item that must not be lost.
      const cancel = () => this.#post([CANCEL, id]);
      const done = () => {
        this.#pending.delete(id);
        signal?.removeEventListener("abort", cancel);
        if (!weak) keepAlive.drop();
      };
      this.#pending.set(id, {
        object,
        transit,
        resolve: (value) => (done(), resolve(value)),
        reject: (reason) => (done(), reject(signal?.aborted ? signal.reason : reason)),
      });
      signal?.addEventListener("abort", cancel, { once: true });
      this.#deliver(request);
    });
  }

  /** Tells the other side, without answer. */
  post(object: number, method: string, args: readonly unknown[]): void {
    this.#unseen.set(object, this.unseen(object) + 1);
    if (this.#ended === undefined) this.#post([POST, this.#next++, object, method, args]);
  }

  /** Sends a message about the process at the other end itself. */
  control(message: { kind: string }): void {
    if (this.#ended === undefined) this.#post([CONTROL, message]);
  }

  /** How messages are packed. */
  protected packing(): EncodeOptions {
    return { wire: true, context: this };
  }

  /** Takes a message that arrived. */
  receive(bytes: Uint8Array): void {
    this.open(bytes, [], this);
  }

  /** Reads a message and does what it says. */
  protected open(bytes: Uint8Array, attachments: readonly unknown[], context: unknown): void {
    const begin = 2 + bytes[0]! + bytes[1]! * 256;
    const head = decode(bytes.subarray(2, begin)) as unknown[];
    let contents: unknown;
    try {
      contents = decode(bytes.subarray(begin), attachments, context, this.#handsOn(head));
    } catch (error) {
      return this.#spoilt(head, error);
    }
    this.#take([...head, contents]);
  }

  /** Whether what a message brings is for somebody else. */
  #handsOn([kind, id, object, method]: unknown[]): boolean {
    if (kind === RESPONSE || kind === FAILURE) return this.#pending.get(id as number)?.transit === true;
    if (kind !== REQUEST && kind !== POST) return false;
    return this.find(object as number)?.handsOn?.(method as string) === true;
  }

  /** What a message brings cannot be rebuilt here: whoever is concerned by it hears why. */
  #spoilt([kind, id]: unknown[], error: unknown): void {
    if (kind === REQUEST || kind === POST) return this.#deliver(this.#packFailure(id as number, error));
    if (kind !== RESPONSE && kind !== FAILURE) throw error;
    this.#post([RECEIPT, id]); // it would be no better a second time
    this.#pending.get(id as number)?.reject(error);
  }

  /** Does what a message says. */
  #take(message: unknown[]): void {
    switch (message[0]) {
      case REQUEST:
        this.#serve(
          message[1] as number,
          message[2] as number,
          message[3] as string,
          message[4] as unknown[],
        );
        break;
      case RESPONSE: {
        const pending = this.#pending.get(message[1] as number);
        if (pending === undefined) break;
        if (this.#imports.has(pending.object)) {
          if (message[2] !== undefined) this.#mirrors.set(pending.object, message[2]);
          this.#unseen.set(pending.object, this.unseen(pending.object) - (message[4] as number));
        }
        if (message[3] === true) this.#post([RECEIPT, message[1]]);
        pending.resolve(message[5]);
        break;
      }
      case FAILURE: {
        const pending = this.#pending.get(message[1] as number);
        if (pending !== undefined && message[2] !== undefined && this.#imports.has(pending.object)) {
          this.#mirrors.set(pending.object, message[2]);
        }
        if (pending !== undefined) pending.reject(message[3]);
        else {queueMicrotask(() => {
            throw message[3];
          });}
        break;
      }
      case CANCEL:
        this.#running.get(message[1] as number)?.abort();
        break;
      case RECEIPT:
        this.#unconfirmed.delete(message[1] as number);
        break;
      case RELEASE: {
        const object = this.find(message[1] as number);
        if (this.retract(message[1] as number, message[2] as number)) object!.released?.();
        break;
      }
      case CONTROL:
        this.onControl?.(message[1] as { kind: string });
        break;
      case POST: {
        const caller = { agent: this.peer, signal: new AbortController().signal, post: true };
        const number = message[2] as number;
        this.#served.set(number, (this.#served.get(number) ?? 0) + 1);
        try {
          this.exported(number).invoke(message[3] as string, message[4] as unknown[], caller);
        } catch (error) {
          this.#deliver(this.#packFailure(message[1] as number, error));
        }
        break;
      }
    }
  }

  /** Ends the link: pending requests reject with `reason`, requests being served are aborted. */
  end(reason: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    for (const pending of [...this.#pending.values()]) pending.reject(reason);
    for (const running of this.#running.values()) running.abort(reason);
    // The youngest first, since each goes back to the front.
    for (const undo of [...this.#unconfirmed.values()].reverse()) undo();
    this.#unconfirmed.clear();
    this.#exports.clear();
    this.#numbers.clear();
  }

  async #serve(id: number, number: number, method: string, args: unknown[]): Promise<void> {
    const running = new AbortController();
    onBehalf.add(running.signal);
    this.#running.set(id, running);
    let answer: Parcel;
    try {
      const object = this.exported(number);
      const caller = { agent: this.peer, signal: running.signal };
      const value = method === LOOK ? undefined : await object.invoke(method, args, caller);
      const undoable = object.undo !== undefined && method !== LOOK;
      answer = this.#pack([RESPONSE, id, object.mirror?.(), undoable, this.#served.get(number) ?? 0, value]);
      this.#served.delete(number);
      if (undoable) {
        const undo = () => object.undo!(method, value);
        if (this.#ended === undefined) this.#unconfirmed.set(id, undo);
        else undo();
      }
    } catch (error) {
      answer = this.#packFailure(id, error, this.find(number)?.mirror?.());
    }
    this.#running.delete(id);
    if (this.#ended === undefined) this.#deliver(answer);
  }

  // Two stages: the error as it is, else a summary that can always be made.
  #packFailure(id: number, error: unknown, mirror?: unknown): Parcel {
    try {
      return this.#pack([FAILURE, id, mirror, error]);
    } catch {
      return this.#pack([FAILURE, id, mirror, new RemoteError(String(error))]);
    }
  }

  // In two pieces: what is in the last part may be such that the other side cannot rebuild it, and must know all the
  // same whom it concerns.
  #pack(message: unknown[]): Parcel {
    const head = encode(message.slice(0, -1)).bytes.slice();
    const { bytes, attachments, transfer } = encode(message.at(-1), { ...this.packing(), root: "message" });
    const both = new Uint8Array(2 + head.length + bytes.length);
    both.set([head.length % 256, head.length >> 8]);
    both.set(head, 2);
    both.set(bytes, 2 + head.length);
    return { bytes: both, attachments, transfer };
  }

  #deliver({ bytes, attachments, transfer }: Parcel): void {
    this.#send(bytes, attachments, transfer);
  }

  #post(message: unknown[]): void {
    this.#deliver(this.#pack(message));
  }
}

/** The stand-in for an object that lives at the other end of a link. */
export abstract class RemoteCore implements Exportable {
  /** The link to its home. */
  readonly link: Link;
  /** Its number there. */
  readonly number: number;
  #looking = false;

  constructor(link: Link, number: number) {
    this.link = link;
    this.number = number;
  }

  /** How many of our posts the last mirror does not know of yet. */
  protected get unseen(): number {
    return this.link.unseen(this.number);
  }

  /** The last mirror that came from home, for a caller who cannot wait; asks for a newer one. */
  glance(): unknown {
    if (!this.#looking) {
      this.#looking = true;
      const done = () => void (this.#looking = false);
      this.ask(LOOK, []).then(done, done);
    }
    return this.mirror();
  }

  /** Asks the object; with `transit` for somebody else. */
  ask(method: string, args: readonly unknown[], signal?: AbortSignal, transit = false): Promise<unknown> {
    return this.link.call(this.number, method, args, signal, transit);
  }

  /** Tells the object. */
  tell(method: string, args: readonly unknown[]): void {
    this.link.post(this.number, method, args);
  }

  /** Relays for a third process. */
  invoke(method: string, args: readonly unknown[], caller: Caller): unknown {
    return caller.post ? this.tell(method, args) : this.ask(method, args, caller.signal, true);
  }

  /** A relay only hands on. */
  handsOn(): boolean {
    return true;
  }

  /** The last mirror that came from home. */
  mirror(): unknown {
    return this.link.mirror(this.number);
  }
}

/** What a handle becomes in a message: memory, or a number at one of the two ends. */
export type Reference<L> = { here: L } | { theirs: number; mirror: unknown } | { yours: number } | {
  hub: number;
  mirror: unknown;
};

/** Packs the core of a handle for wherever the message goes. */
export function packCore<L>(core: Exportable, context: PackContext, local: () => L): Reference<L> {
  if (context.wire) {
    const link = context.context as Link;
    if (core instanceof RemoteCore && core.link === link) return { yours: core.number };
    const number = link.export(core);
    context.onRefusal(() => link.retract(number, 1));
    return { theirs: number, mirror: core.mirror?.() };
  }
  if (!(core instanceof RemoteCore)) return { here: local() };
  // Worker threads reach what is not in memory through the hub, under the hub's number.
  const number = thisAgent().isHub ? hubExports().export(core) : core.number;
  return { hub: number, mirror: core.mirror() };
}

/** The core a reference stands for, on arrival. */
export function unpackCore<L, C extends Exportable>(
  reference: Reference<L>,
  context: UnpackContext,
  local: (payload: L) => C,
  Remote: new (link: Link, number: number) => RemoteCore & C,
): C {
  // Only what comes from our own program may name memory or the hub's objects; a peer on a wire could name any.
  const ours = context.context === undefined || typeof context.context === "symbol";
  if (!ours && ("here" in reference || "hub" in reference)) {
    throw new RemoteError("Cannot receive a handle: the other side names an object that it was not given");
  }
  if ("here" in reference) return local(reference.here);
  if ("hub" in reference) {
    return thisAgent().isHub
      ? hubExports().exported(reference.hub) as C
      : linkToHub().import(reference.hub, Remote, reference.mirror);
  }
  const link = context.context as Link;
  if ("yours" in reference) return link.exported(reference.yours) as C;
  return link.import(reference.theirs, Remote, reference.mirror);
}

// Everything the hub exports to its workers is in one table, so that a number means the same to all of them.
let hubTable: Link | undefined;
function hubExports(): Link {
  return hubTable ??= new Link(0, () => {
    throw new RuntimeError("Cannot send: the hub's table of exports is no link");
  });
}

let toCreator: Link | undefined;

/** Names the link to the creator. Called once, by the first module of a `"spawn"` child. */
export function connectCreator(link: Link): void {
  toCreator = link;
  thisAgent().directory.outpost = true;
}

/**
 * The next link on the way to the program that the user started: of a `"spawn"` child to its creator, of a worker of
 * such a child to the child. None in that program itself.
 */
export function linkHomeward(): Link | undefined {
  const { isHub, directory } = thisAgent();
  return isHub ? toCreator : directory.outpost ? linkToHub() : undefined;
}

/** A link within the program, where memory can be sent: nothing but what the hub itself has remotely is remote. */
class InnerLink extends Link {
  constructor(peer: number, line: Line) {
    super(peer, (bytes, attachments, transfer) => {
      line.post({ kind: "link", bytes, attachments } as { kind: string }, transfer);
    });
  }

  protected override packing(): EncodeOptions {
    return { context: { destination: this.peer } };
  }

  /** Takes a message that arrived with attachments. */
  takeParcel({ bytes, attachments }: Parcel): void {
    this.open(bytes, attachments, undefined);
  }

  // The hub serves all workers out of one table, of which nobody knows who has what.
  override find(number: number): Exportable | undefined {
    return hubExports().find(number);
  }
}

let toHub: InnerLink | undefined;
function linkToHub(): InnerLink {
  return toHub ??= new InnerLink(thisAgent().directory.hub, hubLine());
}

const toWorkers = new Map<number, InnerLink>();

onMessage("link", (parcel: Parcel, from) => {
  if (from.agent === 0) return linkToHub().takeParcel(parcel);
  let link = toWorkers.get(from.agent);
  if (link === undefined) toWorkers.set(from.agent, link = new InnerLink(from.agent, from.line));
  link.takeParcel(parcel);
});

/** What the hub shares with its workers under this number, if it still does. */
export function sharedByHub(number: number): Exportable | undefined {
  return hubTable?.find(number);
}

/** Says that no worker uses an object of the hub any more. */
export function unshare(core: Exportable): void {
  hubTable?.forget(core);
}

/** Ends the hub's link to a worker that died. */
export function unlinkWorker(agent: number, reason: Error): void {
  toWorkers.get(agent)?.end(reason);
  toWorkers.delete(agent);
}
