/** Carries the bytes of connections in rings of shared memory, two for each worker. */

import { afterMs } from "../platform/runtime.ts";
import type { ConnEndpoint } from "../socket/conn_endpoint.ts";
import type { Address } from "../socket/endpoint.ts";
import { type Rings, RINGS_BYTES, ringsIn } from "../socket/ring_endpoint.ts";
import type { Member } from "../team/team.ts";
import { resetRing, RING_BYTES } from "../transport/byte_ring.ts";
import type { Call, Carriage, Carrier } from "./_carrier.ts";
import { Pump } from "./_pump.ts";
import type { Delivery } from "./handler_worker.ts";

/** The rings of a worker, as this side has them. */
interface Lines {
  readonly memory: SharedArrayBuffer;
  readonly rings: Rings;
  /** Whether the worker knows them. */
  sent: boolean;
  /** When the kernel has nothing to do with them any more. */
  settled: Promise<void>;
  disposed: boolean;
}

/** Output that is not with the client so long after its handler was done goes on without the worker. */
const PATIENCE_MS = 50;
/** And if the client then takes nothing for so long, it is given up. */
const LINGER_MS = 30_000;

/** For connections of the runtime, which belong to their thread. */
export class RingCarrier implements Carrier<ConnEndpoint> {
  readonly #call: Call;
  readonly #underway: Set<Carriage>;
  readonly #lines = new Map<Member, Lines>();

  constructor(call: Call, underway: Set<Carriage>) {
    this.#call = call;
    this.#underway = underway;
  }

  async serve(member: Member, endpoint: ConnEndpoint, clientAddress: Address): Promise<void> {
    const lines = this.#linesOf(member);
    const delivery: Delivery = ["rings", lines.sent ? null : lines.memory, endpoint.local];
    const pump = new Pump(endpoint, lines.rings, () => this.#underway.size === 1);
    this.#underway.add(pump);
    lines.settled = pump.settled;
    try {
      await this.#call(member, delivery, clientAddress);
    } finally {
      lines.sent = true;
      pump.finish();
      await this.#flush(pump, member, lines);
      this.#underway.delete(pump);
    }
  }

  forget(member: Member): void {
    const lines = this.#lines.get(member);
    if (lines === undefined) return;
    this.#lines.delete(member);
    lines.settled.then(() => dispose(lines));
  }

  async #flush(pump: Pump, member: Member, lines: Lines): Promise<void> {
    let flushed = pump.isFlushed;
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      member.release();
    };
    // The rings serve again once the kernel is done with them, which is when the socket has been closed.
    pump.settled.then(release);
    if (flushed) return;
    pump.flushed.then(() => flushed = true);
    await Promise.race([pump.flushed, afterMs(PATIENCE_MS)]);
    if (flushed) return;
    // A client that is slow to read keeps the rings, not the worker.
    if (this.#lines.get(member) === lines) this.#lines.delete(member);
    pump.settled.then(() => dispose(lines));
    release();
    for (let seen = -1; !flushed && seen !== pump.activity;) {
      seen = pump.activity;
      await Promise.race([pump.flushed, afterMs(LINGER_MS)]);
    }
    if (!flushed) pump.abort();
  }

  #linesOf(member: Member): Lines {
    let lines = this.#lines.get(member);
    if (lines === undefined) {
      const memory = new SharedArrayBuffer(RINGS_BYTES);
      lines = { memory, rings: ringsIn(memory, 0), sent: false, settled: Promise.resolve(), disposed: false };
      this.#lines.set(member, lines);
    } else {
      resetRing(lines.memory, 0);
      resetRing(lines.memory, RING_BYTES);
    }
    return lines;
  }
}

function dispose(lines: Lines): void {
  if (lines.disposed) return;
  lines.disposed = true;
  lines.rings.incoming.dispose();
  lines.rings.outgoing.dispose();
}
