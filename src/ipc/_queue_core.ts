/** What a queue stands on: a lane in shared memory, or requests to where it lives. */

import { arrive } from "../transport/arriving.ts";
import { type Lane, SharedLane } from "../transport/lane.ts";
import { travels } from "../transport/registry.ts";
import {
  type Caller,
  type Exportable,
  type Link,
  packCore,
  type Reference,
  RemoteCore,
  unpackCore,
} from "../transport/remote.ts";
import { bringsValue, invokeLane, RemoteLane, undoLane } from "../transport/remote_lane.ts";

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

  handsOn(method: string): boolean {
    return bringsValue(method);
  }

  undo(method: string, answer: unknown): void {
    undoLane(this.lane, method, answer);
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

/** Lets the instances of a class of queues travel. */
export function queueTravels<Q extends object>(
  Class: new () => Q,
  tag: string,
  coreOf: (queue: Q) => QueueCore,
): void {
  travels<Q, Reference<number[]>>(Class, {
    tag,
    pack(queue, context) {
      const core = coreOf(queue);
      return packCore(core, context, () => {
        const { lane } = core as SharedQueue;
        return [context.attach(lane.words.buffer), context.attach(lane.memory)];
      });
    },
    unpack(reference, context) {
      const local = (places: number[]): QueueCore => {
        const [words, ring] = places.map((at) => context.attachments[at] as SharedArrayBuffer);
        return new SharedQueue(new SharedLane(new Int32Array(words!), 0, ring!));
      };
      return arrive(Class, unpackCore<number[], QueueCore>(reference, context, local, RemoteQueue));
    },
  });
}
