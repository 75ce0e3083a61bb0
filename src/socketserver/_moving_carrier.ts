/** Moves connections themselves to the workers: a descriptor is good in every thread of the process. */

import type { Address } from "../socket/endpoint.ts";
import type { KernelEndpoint } from "../socket/kernel_endpoint.ts";
import type { Member } from "../team/team.ts";
import type { Call, Carriage, Carrier } from "./_carrier.ts";
import type { Delivery } from "./handler_worker.ts";

interface Known {
  /** A word in which the worker counts what it reads and writes. */
  readonly activity: Int32Array<SharedArrayBuffer>;
  /** Whether the worker has it. */
  sent: boolean;
}

/** For accepted sockets of the kernel. The server closes them, once the worker is done with them or dead. */
export class MovingCarrier implements Carrier<KernelEndpoint> {
  readonly #call: Call;
  readonly #underway: Set<Carriage>;
  readonly #known = new Map<Member, Known>();

  constructor(call: Call, underway: Set<Carriage>) {
    this.#call = call;
    this.#underway = underway;
  }

  async serve(member: Member, endpoint: KernelEndpoint, clientAddress: Address): Promise<void> {
    const known = this.#knownOf(member);
    const { activity, sent } = known;
    const carriage: Carriage = {
      get activity() {
        return Atomics.load(activity, 0);
      },
      endInput: () => endpoint.cut("input"),
      abort: () => endpoint.cut("both"),
    };
    this.#underway.add(carriage);
    try {
      const delivery: Delivery = ["moved", endpoint.lend(), sent ? null : activity, endpoint.local];
      known.sent = true;
      await this.#call(member, delivery, clientAddress);
    } finally {
      this.#underway.delete(carriage);
      endpoint.takeBack();
      member.release();
    }
  }

  forget(member: Member): void {
    this.#known.delete(member);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #knownOf(member: Member): Known {
    let known = this.#known.get(member);
    if (known === undefined) {
      known = { activity: new Int32Array(new SharedArrayBuffer(4)), sent: false };
      this.#known.set(member, known);
    }
    return known;
  }
}
