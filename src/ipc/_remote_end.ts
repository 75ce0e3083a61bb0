/**
 * An end of a pipe that is not in memory here, and who has it by way of us.
 *
 * ```
 * Connection ─▶ RemoteEnd ──┬─▶ EndRelay ── link ──▶ its home, or a process on the way there: SharedEnd or LentEnd
 * Connection ─▶ RemoteEnd ──┤
 * a process behind another link ─▶ LentEnd ──┘
 *
 * a worker: Connection ─▶ RemoteEnd ─▶ EndRelay ── link ──▶ the EndRelay of the hub
 * ```
 *
 * The home holds the end in the name of this whole program, as long as somebody holds it here. Who that is stands in a
 * table as a pipe has one, in memory that the hub shares with its workers, so that what a worker does there counts even
 * if the worker has died before the hub hears of it. What goes over the link besides the operations of the lanes:
 *
 * - `rest`: nobody counts here any more; `use`: somebody does again, as every operation says, too.
 * - `lookAtEnd`, from a worker to its hub: the table has changed.
 * - RELEASE: nobody has it here any more.
 */

import { RemoteError } from "../base/errors.ts";
import { thisAgent } from "../transport/agent.ts";
import { hubLine, onMessage } from "../transport/hub_line.ts";
import type { Lane } from "../transport/lane.ts";
import type { PackContext, UnpackContext } from "../transport/registry.ts";
import {
  type Caller,
  type Exportable,
  type Link,
  packCore,
  RemoteCore,
  sharedByHub,
  unpackCore,
  unshare,
} from "../transport/remote.ts";
import { RemoteLane } from "../transport/remote_lane.ts";
import { destinationOf, Hold, Holders } from "./_holders.ts";
import { type EndPayload, type Mode, type PackedEnd, type PipeEnd, SharedEnd } from "./_pipe_end.ts";

/** What an operation is answered when nothing comes and goes any more. */
const over = (method: string) => method.endsWith(".ready") ? true : "ended";

/** The end, as this process knows it. */
class EndRelay extends RemoteCore {
  readonly mode: Mode;
  #holders: Holders | undefined;
  /** What our home was told last. */
  #counts = true;
  #unwatch: (() => void) | undefined;
  #released = false;

  constructor(link: Link, number: number) {
    super(link, number);
    this.mode = this.mirror() as Mode | undefined ?? "duplex";
  }

  /** Who holds the end: the table of the hub, which a worker is sent with the end. */
  get holders(): Holders {
    return this.#holders ??= Holders.create();
  }

  /** The end that came with a place in the table. */
  arrive([words, entry]: readonly [number, number], { attachments }: UnpackContext): RemoteEnd {
    this.#holders ??= new Holders(new Int32Array(attachments[words] as SharedArrayBuffer), 0);
    return new RemoteEnd(this, Hold.arrive(this.#holders, entry));
  }

  /** The end for one more Connection of this process. */
  comeHome(): RemoteEnd {
    const end = new RemoteEnd(this, new Hold(this.holders, thisAgent().id));
    this.look();
    return end;
  }

  /** The table has changed, or somebody has died. */
  look(): void {
    if (!thisAgent().isHub) {
      return hubLine().post({ kind: "lookAtEnd", number: this.number } as { kind: string });
    }
    if (this.#released) return;
    const { holders } = this;
    if (!holders.othersThan(thisAgent().id)) {
      this.#unwatch?.();
      this.#unwatch = undefined;
      unshare(this);
      // Otherwise the garbage collector will know: copies that only passed through here are never closed.
      if (holders.empty()) {
        this.#released = true;
        return this.link.release(this.number);
      }
    }
    const counts = holders.anybody();
    if (counts === this.#counts) return;
    this.#counts = counts;
    this.tell(counts ? "use" : "rest", []);
  }

  /** From now on others have it, too, who may die. */
  watch(): void {
    if (thisAgent().isHub) this.#unwatch ??= thisAgent().onDeath(() => this.look());
  }

  /** Asks on somebody's behalf; throws at once what cannot travel. When the process over there dies, the end comes. */
  request(
    method: string,
    args: readonly unknown[],
    signal: AbortSignal,
    transit = false,
  ): Promise<unknown> {
    const answer = this.ask(method, args, signal, transit);
    this.#counts = true;
    return answer.catch((error) => {
      if (this.link.ended && !signal.aborted) return over(method);
      throw error;
    });
  }

  /** What a worker asks its hub, or somebody by way of a {@link LentEnd}. */
  override invoke(method: string, args: readonly unknown[], caller: Caller): unknown {
    return caller.post ? this.tell(method, args) : this.request(method, args, caller.signal, true);
  }

  /** Gives back what was taken for somebody who has died before he had it. */
  undo(method: string, answer: unknown): void {
    if (method === "incoming.take" && Array.isArray(answer)) this.tell("incoming.restore", answer);
  }
}

// It may be released by now, since the hub had other reasons to look.
onMessage("lookAtEnd", ({ number }: { number: number }) => {
  const relay = sharedByHub(number);
  if (relay instanceof EndRelay) relay.look();
});

/** What the process behind another link has of it. */
class LentEnd implements Exportable {
  readonly relay: EndRelay;
  readonly #hold: Hold;

  constructor(relay: EndRelay, hold: Hold) {
    this.relay = relay;
    this.#hold = hold;
  }

  invoke(method: string, args: readonly unknown[], caller: Caller): unknown {
    if (method === "rest") this.#hold.rest();
    else this.#hold.use();
    if (method === "rest" || method === "use") return this.relay.look();
    return this.relay.invoke(method, args, caller);
  }

  handsOn(): boolean {
    return true;
  }

  undo(method: string, answer: unknown): void {
    this.relay.undo(method, answer);
  }

  released(): void {
    this.#hold.close();
    this.relay.look();
  }

  mirror(): Mode {
    return this.relay.mode;
  }
}

/** The end of one Connection of this process. */
export class RemoteEnd implements PipeEnd {
  readonly incoming: Lane;
  readonly outgoing: Lane;
  readonly #relay: EndRelay;
  readonly #hold: Hold;
  /** Ends what is being asked when the Connection is closed. */
  readonly #closed = new AbortController();

  constructor(relay: EndRelay, hold: Hold) {
    this.#relay = relay;
    this.#hold = hold;
    const lane = (name: string) =>
      new RemoteLane({
        link: relay.link,
        ask: (method, args, signal) => this.#ask(`${name}.${method}`, args, signal),
        tell: (method, args) => relay.tell(`${name}.${method}`, args),
        count: () => 0,
      });
    this.incoming = lane("incoming");
    this.outgoing = lane("outgoing");
  }

  get mode(): Mode {
    return this.#relay.mode;
  }

  use(): void {
    this.#hold.use(); // whoever asks for something says so at our home by that
  }

  close(): void {
    this.#closed.abort();
    this.#hold.close();
    this.#relay.look();
  }

  pack(context: PackContext): PackedEnd {
    const relay = this.#relay;
    const to = destinationOf(context);
    context.onRefusal(() => relay.look());
    relay.watch();
    let packed: PackedEnd;
    if (!context.wire) {
      const end = packCore<EndPayload>(relay, context, never);
      const words = context.attach(this.#hold.holders.words.buffer);
      packed = { end, hold: [words, this.#hold.send(to, context)] };
    } else if (context.context === relay.link) {
      // They make a hold of their own when it arrives. Until it has been sent ours counts.
      const end = packCore<EndPayload>(relay, context, never);
      let sent = true;
      context.onRefusal(() => void (sent = false));
      queueMicrotask(() => sent && this.#handedOn());
      return { end };
    } else {
      const lent = new LentEnd(relay, new Hold(this.#hold.holders, to));
      context.onRefusal(() => lent.released());
      packed = { end: packCore<EndPayload>(lent, context, never) };
    }
    this.#handedOn(context);
    return packed;
  }

  #handedOn(context?: PackContext): void {
    this.#hold.handedOn(context);
    this.#relay.look();
  }

  #ask(method: string, args: readonly unknown[], signal?: AbortSignal): Promise<unknown> {
    const closed = this.#closed.signal;
    const until = signal === undefined ? closed : AbortSignal.any([signal, closed]);
    return this.#relay.request(method, args, until).catch((error) => {
      if (closed.aborted) return over(method);
      throw error;
    });
  }
}

function never(): never {
  throw new RemoteError("Cannot hand the connection on: it is not in the memory of this process");
}

/** The end that arrived in a message. */
export function unpackEnd({ end, hold }: PackedEnd, context: UnpackContext): SharedEnd | RemoteEnd {
  const local = (payload: EndPayload) => SharedEnd.unpack(payload, context);
  const core = unpackCore<EndPayload, Exportable>(end, context, local, EndRelay);
  if (core instanceof SharedEnd) return "yours" in end ? core.comeHome() : core;
  if (core instanceof LentEnd) return core.relay.comeHome();
  if (core instanceof EndRelay) return hold === undefined ? core.comeHome() : core.arrive(hold, context);
  throw new RemoteError("Cannot receive a connection: the other side names something else as its end");
}
