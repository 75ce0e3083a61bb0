/** How requests reach the workers that serve them. */

import type { Address } from "../socket/endpoint.ts";
import type { Member } from "../team/team.ts";
import type { Attending, Delivery } from "./handler_worker.ts";

/** A request that is being served elsewhere, as its server sees it. */
export interface Carriage {
  /** Changes while bytes flow. */
  readonly activity: number;
  /** Lets the handler see the end of its input. */
  endInput(): void | Promise<void>;
  /** Cuts the connection off; for the handler the client has gone. */
  abort(): void;
}

/** Calls a worker, which is at work until that settles. */
export type Call = (member: Member, delivery: Delivery | Attending, clientAddress: Address) => Promise<void>;

/** Takes requests of one kind to workers. */
export interface Carrier<E> {
  /**
   * Has a worker serve a request, to the end, and releases the worker.
   *
   * @throws {ProcessError} If the worker died; or else what the handler threw.
   */
  serve(member: Member, request: E, clientAddress: Address): Promise<void>;
  /** A worker has died. */
  forget(member: Member): void;
}
