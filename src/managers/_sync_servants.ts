/**
 * The servants of locks, conditions, events, barriers and queues.
 *
 * They are the library's own, and live in the server: what somebody acquires there is theirs, under the agent that stands
 * for their line, and comes back when that dies. A wait is given up when who asked for it gives up, or is gone.
 */

import { waitMs, type WaitOptions } from "../base/options.ts";
import { JoinableQueue } from "../ipc/joinable_queue.ts";
import { coreOf, type Queue } from "../ipc/queue.ts";
import type { Barrier } from "../sync/barrier.ts";
import type { Condition } from "../sync/condition.ts";
import type { Event } from "../sync/event.ts";
import type { Lock } from "../sync/lock.ts";
import {
  acquireFor,
  type Holder,
  lockOf,
  notifyFor,
  passOn,
  releaseFor,
  waitFor,
} from "../sync/on_behalf.ts";
import { Semaphore } from "../sync/semaphore.ts";
import { type Asker, type Methods, TableServant } from "./_servant.ts";

type Options = WaitOptions & { readonly task?: number };

// A thread of the one process is not that of another, wherever the lock lives.
function holder({ agent }: Asker, options: unknown): Holder {
  return { agent, task: (options as Options | undefined)?.task ?? 0 };
}

function patient(options: unknown, { signal }: Asker): WaitOptions {
  const { timeout, block } = options as Options | undefined ?? {};
  return { timeout, block, signal };
}

/** What locks and semaphores do. */
export function lockMethods(lock: Lock): Methods {
  const acquire = (options: unknown, asker: Asker) =>
    acquireFor(lock, holder(asker, options), waitMs(options as Options), asker.signal);
  return {
    "#acquire": ([options], asker) => acquire(options, asker),
    acquire: async ([options], asker) => (await acquire(options, asker))[0],
    release: ([options], asker) => releaseFor(lock, holder(asker, options)),
    locked: () => lock.locked(),
    ...(lock instanceof Semaphore && { getValue: () => lock.getValue() }),
  };
}

/** Conditions. */
export class ConditionServant extends TableServant {
  readonly undoable = new Set(["wait"]);
  readonly #condition: Condition;

  constructor(typeid: string, condition: Condition) {
    const { acquire, release } = lockMethods(lockOf(condition));
    super(typeid, condition, {
      acquire: acquire!,
      release: release!,
      wait: ([options], asker) => {
        const ms = waitMs(options as Options);
        return waitFor(condition, holder(asker, options), ms, asker.signal, asker.gone);
      },
      notify: ([n, options], asker) => notifyFor(condition, holder(asker, options), n as number ?? 1),
      notifyAll: ([options], asker) => notifyFor(condition, holder(asker, options), 2 ** 30),
    });
    this.#condition = condition;
  }

  undo(_method: string, notified: unknown): void {
    if (notified === true) passOn(this.#condition, 1);
  }
}

/** What events do. */
export function eventMethods(event: Event): Methods {
  return {
    set: () => event.set(),
    clear: () => event.clear(),
    isSet: () => event.isSet(),
    wait: ([options], asker) => event.wait(patient(options, asker)),
  };
}

/** What barriers do. */
export function barrierMethods(barrier: Barrier): Methods {
  return {
    wait: ([options], asker) => barrier.wait(patient(options, asker)),
    reset: () => barrier.reset(),
    abort: () => barrier.abort(),
    parties: () => barrier.parties,
    nWaiting: () => barrier.nWaiting,
    broken: () => barrier.broken,
  };
}

/** Queues. */
export class QueueServant extends TableServant {
  readonly undoable = new Set(["get", "getNowait"]);
  readonly #queue: Queue;

  constructor(typeid: string, queue: Queue) {
    const put = (item: unknown, options: unknown, asker: Asker) => queue.put(item, patient(options, asker));
    const get = (options: unknown, asker: Asker) => queue.get(patient(options, asker));
    super(typeid, queue, {
      put: ([item, options], asker) => put(item, options, asker),
      putNowait: ([item], asker) => put(item, { block: false }, asker),
      get: ([options], asker) => get(options, asker),
      getNowait: (_, asker) => get({ block: false }, asker),
      qsize: () => queue.qsize(),
      empty: () => queue.empty(),
      full: () => queue.full(),
      shutdown: ([options]) => queue.shutdown(options as { immediate?: boolean }),
      ...(queue instanceof JoinableQueue && {
        taskDone: () => queue.taskDone(),
        join: ([options], asker) => queue.join(patient(options, asker)),
      }),
    });
    this.#queue = queue;
  }

  undo(_method: string, item: unknown): void {
    coreOf(this.#queue).undo!("take", [item]);
  }
}
