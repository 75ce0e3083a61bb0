/** Takes datagrams to workers, and sends what those answer. */

import type { Address } from "../socket/endpoint.ts";
import { type DatagramSocket, portOf } from "../socket/datagram_socket.ts";
import type { Member } from "../team/team.ts";
import type { Call, Carrier } from "./_carrier.ts";
import type { DatagramRequest } from "./datagram_handler.ts";
import type { Delivery } from "./handler_worker.ts";

/** For datagrams. They are not under way: there is no connection that could be silent, or be cut off. */
export class DatagramCarrier implements Carrier<DatagramRequest<Address>> {
  readonly #call: Call;
  readonly #sockets = new Map<Member, DatagramSocket<Address>>();

  constructor(call: Call) {
    this.#call = call;
  }

  async serve(
    member: Member,
    [data, socket]: DatagramRequest<Address>,
    clientAddress: Address,
  ): Promise<void> {
    this.#sockets.set(member, socket);
    const delivery: Delivery = ["datagram", data, portOf(socket).address];
    try {
      await this.#call(member, delivery, clientAddress);
    } finally {
      member.release();
    }
  }

  /** The socket over which a worker's datagrams leave. */
  socketOf(member: Member): DatagramSocket<Address> | undefined {
    return this.#sockets.get(member);
  }

  forget(member: Member): void {
    this.#sockets.delete(member);
  }
}
