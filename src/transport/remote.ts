/**
 * Links: how an object that lives in one place is used from another where there is no shared memory.
 *
 * A link connects two agents and carries bytes: over a socket between a `"spawn"` child and its creator, over the
 * hub's line between a worker and the hub. Either side *exports* objects under numbers; the other side holds
 * {@link RemoteCore}s, whose operations are requests. An object that is only passed on keeps its home: exporting a
 * RemoteCore makes a relay.
 *
 * ```
 * REQUEST id object method args ──▶ invoke ──▶ RESPONSE id value mirror        CANCEL id: the caller gave up
 * POST id object method args    ──▶ invoke, no answer but a failure, which nobody can catch any more              CONTROL message: between the two rooms above
 * ```
 *
 * An answer that can be undone (an item taken) asks for a RECEIPT; without one, at the end of the link, it is.
 *
 * Requests start in the order they were sent. When a link ends, every pending request rejects with the reason.
 */

import { RemoteError, RuntimeError } from "../base/errors.ts";
import { keepAlive } from "../platform/runtime.ts";
import { decode, encode } from "./codec.ts";
import { hubLine, onMessage } from "./hub_line.ts";
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
  /** What tells the object from others, where several JavaScript objects may stand for the same shared memory. */
  readonly identity?: number;
  /** Takes back what `invoke` did, because its answer never arrived. Objects that have it get receipts for answers. */
  undo?(method: string, answer: unknown): void;
  /** A small value that goes along with each answer, for what the other side must know without asking. */
  mirror?(): unknown;
}

const REQUEST = 0;
const RESPONSE = 1;
const FAILURE = 2;
const CANCEL = 3;
const POST = 4;
const CONTROL = 5;
const RECEIPT = 6;

/** The request that every object answers, with nothing but its mirror. */
const LOOK = "look";

interface Pending {
  readonly object: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

/** One end of a link. */
export class Link {
  readonly #send: (bytes: Uint8Array) => void;
  /** The agent at the other end. */
  readonly peer: number;
  readonly #exports = new Map<number, Exportable>();
  readonly #numbers = new Map<Exportable | number, number>();
  readonly #imports = new Map<number, WeakRef<RemoteCore>>();
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
  #next = 1;
  #ended: Error | undefined;

  constructor(peer: number, send: (bytes: Uint8Array) => void) {
    this.peer = peer;
    this.#send = send;
  }

  /** The number under which the other side can use `object`. */
  export(object: Exportable): number {
    const key = object.identity ?? object;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#next++;
      this.#numbers.set(key, number);
      this.#exports.set(number, object);
    }
    return number;
  }

  /** What was exported under `number`. */
  exported(number: number): Exportable {
    const object = this.#exports.get(number);
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
    const known = this.#imports.get(number)?.deref();
    if (known instanceof Core) return known;
    const core = new Core(this, number);
    this.#imports.set(number, new WeakRef(core));
    return core;
  }

  /** The last mirror that came for an object. */
  mirror(number: number): unknown {
    return this.#mirrors.get(number);
  }

  /** How many posts to an object its last mirror does not know of yet. */
  unseen(number: number): number {
    return this.#unseen.get(number) ?? 0;
  }

  /** Asks the other side. The caller's event loop stays up until the answer is there. */
  call(object: number, method: string, args: readonly unknown[], signal?: AbortSignal): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = this.#next++;
    const bytes = this.#pack([REQUEST, id, object, method, args]);
    keepAlive.hold();
    return new Promise((resolve, reject) => {
      // The answer is awaited all the same: it may be on its way already, with an item that must not be lost.
      const cancel = () => this.#send(this.#pack([CANCEL, id]));
      const done = () => {
        this.#pending.delete(id);
        signal?.removeEventListener("abort", cancel);
        keepAlive.drop();
      };
      this.#pending.set(id, {
        object,
        resolve: (value) => (done(), resolve(value)),
        reject: (reason) => (done(), reject(signal?.aborted ? signal.reason : reason)),
      });
      signal?.addEventListener("abort", cancel, { once: true });
      this.#send(bytes);
    });
  }

  /** Tells the other side, without answer. */
  post(object: number, method: string, args: readonly unknown[]): void {
    this.#unseen.set(object, this.unseen(object) + 1);
    if (this.#ended === undefined) this.#send(this.#pack([POST, this.#next++, object, method, args]));
  }

  /** Sends a message about the process at the other end itself. */
  control(message: { kind: string }): void {
    if (this.#ended === undefined) this.#send(this.#pack([CONTROL, message]));
  }

  /** Takes a message that arrived. */
  receive(bytes: Uint8Array): void {
    const message = decode(bytes, [], this) as unknown[];
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
        if (message[3] !== undefined) this.#mirrors.set(pending.object, message[3]);
        this.#unseen.set(pending.object, this.unseen(pending.object) - (message[5] as number));
        if (message[4] === true) this.#send(this.#pack([RECEIPT, message[1]]));
        pending.resolve(message[2]);
        break;
      }
      case FAILURE: {
        const pending = this.#pending.get(message[1] as number);
        if (pending !== undefined && message[3] !== undefined) this.#mirrors.set(pending.object, message[3]);
        if (pending !== undefined) pending.reject(message[2]);
        else {queueMicrotask(() => {
            throw message[2];
          });}
        break;
      }
      case CANCEL:
        this.#running.get(message[1] as number)?.abort();
        break;
      case RECEIPT:
        this.#unconfirmed.delete(message[1] as number);
        break;
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
          this.#send(this.#packFailure(message[1] as number, error));
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
    let answer: Uint8Array;
    try {
      const object = this.exported(number);
      const caller = { agent: this.peer, signal: running.signal };
      const value = method === LOOK ? undefined : await object.invoke(method, args, caller);
      const undoable = object.undo !== undefined && method !== LOOK;
      answer = this.#pack([RESPONSE, id, value, object.mirror?.(), undoable, this.#served.get(number) ?? 0]);
      this.#served.delete(number);
      if (undoable) {
        const undo = () => object.undo!(method, value);
        if (this.#ended === undefined) this.#unconfirmed.set(id, undo);
        else undo();
      }
    } catch (error) {
      answer = this.#packFailure(id, error, this.#exports.get(number)?.mirror?.());
    }
    this.#running.delete(id);
    if (this.#ended === undefined) this.#send(answer);
  }

  // Two stages: the error as it is, else a summary that can always be made.
  #packFailure(id: number, error: unknown, mirror?: unknown): Uint8Array {
    try {
      return this.#pack([FAILURE, id, error, mirror]);
    } catch {
      return this.#pack([FAILURE, id, new RemoteError(String(error)), mirror]);
    }
  }

  #pack(message: unknown[]): Uint8Array {
    return encode(message, { wire: true, context: this, root: "message" }).bytes.slice();
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

  /** Asks the object. */
  ask(method: string, args: readonly unknown[], signal?: AbortSignal): Promise<unknown> {
    return this.link.call(this.number, method, args, signal);
  }

  /** Tells the object. */
  tell(method: string, args: readonly unknown[]): void {
    this.link.post(this.number, method, args);
  }

  /** Relays for a third process. */
  invoke(method: string, args: readonly unknown[], caller: Caller): unknown {
    return caller.post ? this.tell(method, args) : this.ask(method, args, caller.signal);
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
    return { theirs: link.export(core), mirror: core.mirror?.() };
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

let toHub: Link | undefined;
function linkToHub(): Link {
  return toHub ??= new Link(
    thisAgent().directory.hub,
    (bytes) => hubLine().post({ kind: "link", bytes } as { kind: string }),
  );
}

const toWorkers = new Map<number, Link>();

onMessage("link", ({ bytes }: { bytes: Uint8Array }, from) => {
  if (from.agent === 0) return linkToHub().receive(bytes);
  let link = toWorkers.get(from.agent);
  if (link === undefined) {
    link = new WorkerLink(
      from.agent,
      (answer) => from.line.post({ kind: "link", bytes: answer } as { kind: string }),
    );
    toWorkers.set(from.agent, link);
  }
  link.receive(bytes);
});

/** The hub's end of the link to one worker: it serves out of the table that all workers share. */
class WorkerLink extends Link {
  override exported(number: number): Exportable {
    return hubExports().exported(number);
  }

  override export(object: Exportable): number {
    return hubExports().export(object);
  }
}

/** Ends the hub's link to a worker that died. */
export function unlinkWorker(agent: number, reason: Error): void {
  toWorkers.get(agent)?.end(reason);
  toWorkers.delete(agent);
}
