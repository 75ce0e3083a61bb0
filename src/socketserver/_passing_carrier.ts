/** Hands connections over to processes that serve them. */

import { OSError } from "../base/errors.ts";
import { DescriptorSender } from "../platform/descriptor_passing.ts";
import type { Address } from "../socket/endpoint.ts";
import type { KernelEndpoint } from "../socket/kernel_endpoint.ts";
import type { Member } from "../team/team.ts";
import type { Call, Carriage, Carrier } from "./_carrier.ts";
import type { Delivery } from "./handler_worker.ts";

/**
 * For accepted sockets of the kernel and workers that are processes. Server and worker both have the connection; the
 * server closes it when the worker is done with it or dead.
 */
export class PassingCarrier implements Carrier<KernelEndpoint> {
  readonly #call: Call;
  readonly #underway: Set<Carriage>;
  readonly #sender = new DescriptorSender();
  #count = 0;

  constructor(call: Call, underway: Set<Carriage>) {
    this.#call = call;
    this.#underway = underway;
  }

  /** Where workers connect to receive what is handed over. */
  get name(): string {
    return this.#sender.name;
  }

  async serve(member: Member, endpoint: KernelEndpoint, clientAddress: Address): Promise<void> {
    const carriage: Carriage = {
      activity: 0,
      endInput: () => endpoint.cut("input"),
      abort: () => endpoint.cut("both"),
    };
    this.#underway.add(carriage);
    try {
      const mark = this.#count++ % 256;
      try {
        await this.#sender.send(member.pid!, endpoint.lend(), mark);
      } catch (error) {
        // How one has died says the call that follows.
        if (member.alive) {
          member.terminate();
          const why = error instanceof Error ? error.message : String(error);
          throw new OSError(`Cannot hand a connection over to process "${member.name}": ${why}`, {
            cause: error,
          });
        }
      }
      const delivery: Delivery = ["passed", mark, endpoint.local];
      await this.#call(member, delivery, clientAddress);
    } finally {
      this.#underway.delete(carriage);
      endpoint.takeBack();
      member.release();
    }
  }

  forget({ pid }: Member): void {
    if (pid !== undefined) this.#sender.forget(pid);
  }

  /** Hands nothing over any more. */
  close(): Promise<void> {
    return this.#sender.close();
  }
}
