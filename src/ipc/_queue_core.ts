/** What a queue stands on: a lane in shared memory, or requests to where it lives. */

import type { Lane, SharedLane } from "../transport/lane.ts";
import { type Caller, type Exportable, type Link, RemoteCore } from "../transport/remote.ts";
import { invokeLane, RemoteLane } from "../transport/remote_lane.ts";

/** The part of a queue that its handles share. */
export interface QueueCore extends Exportable {
  /** The items. */
  readonly lane: Lane;
  /** The most items; 0 for no limit. */
  readonly maxsize: number;
}

type Mirror = readonly [count: number, maxsize: number];
const NONE: Mirror = [0, 0];

/** A queue in shared memory. */
export class SharedQueue implements QueueCore {
  readonly lane: SharedLane;

  constructor(lane: SharedLane) {
    this.lane = lane;
  }

  get maxsize(): number {
    return this.lane.maxCount;
  }

  invoke(method: string, args: readonly unknown[], caller: Caller): unknown {
    return invokeLane(this.lane, method, args, caller);
  }

  mirror(): Mirror {
    return [this.lane.count, this.maxsize];
  }
}

/** A queue of another operating-system process. */
export class RemoteQueue extends RemoteCore implements QueueCore {
  readonly lane: Lane;

  constructor(link: Link, number: number) {
    super(link, number);
    this.lane = new RemoteLane({
      link,
      ask: (method, args, signal) => this.ask(method, args, signal),
      tell: (method, args) => this.tell(method, args),
      count: () => (this.glance() as Mirror | undefined ?? NONE)[0],
    });
  }

  get maxsize(): number {
    return (this.mirror() as Mirror | undefined ?? NONE)[1];
  }
}
