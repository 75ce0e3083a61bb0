/**
 * Semaphore acquire and release while it is free; an Event and a Condition to a child and back; a JoinableQueue round: put
 * here, get and taskDone there, join here. Microseconds.
 */

import {
  Condition,
  type Connection,
  Event,
  JoinableQueue,
  Lock,
  Pipe,
  Process,
  Semaphore,
} from "@multiprocessing/deno";
import { type Budget, msPerOperation, report } from "../measure.ts";

const BLOCK = 50_000;
const ROUNDS = 200;

// --- Semaphore ----------------------------------------------------------------------------------------------------

/** Measured in a child, because the Sync forms are made for children. */
export async function measureSemaphore(
  semaphore: Semaphore,
  result: Connection<number>,
  budget: Budget,
): Promise<void> {
  const ms = await msPerOperation(
    (n) => {
      for (let i = 0; i < n; i++) {
        semaphore.acquireSync();
        semaphore.release();
      }
    },
    BLOCK,
    budget,
  );
  await result.send(ms * 1e3);
}

async function semaphoreSync(budget: Budget): Promise<number> {
  const [ours, theirs] = Pipe<number>();
  const child = new Process({ target: measureSemaphore, args: [new Semaphore(4), theirs, budget] });
  child.start();
  const value = await ours.recv();
  await child.join();
  return value;
}

async function semaphoreAsync(budget: Budget): Promise<number> {
  const semaphore = new Semaphore(4);
  const ms = await msPerOperation(
    async (n) => {
      for (let i = 0; i < n; i++) {
        await semaphore.acquire();
        semaphore.release();
      }
    },
    BLOCK,
    budget,
  );
  return ms * 1e3;
}

// --- Event --------------------------------------------------------------------------------------------------------

/** The CPU-bound child's way: it blocks. */
export function answerEventSync(ping: Event, pong: Event, over: Event): void {
  for (;;) {
    ping.waitSync();
    if (over.isSet()) return;
    ping.clear();
    pong.set();
  }
}

/** The usual way: it awaits. */
export async function answerEvent(ping: Event, pong: Event, over: Event): Promise<void> {
  for (;;) {
    await ping.wait();
    if (over.isSet()) return;
    ping.clear();
    pong.set();
  }
}

function eventRoundTrip(
  target: typeof answerEvent | typeof answerEventSync,
): (budget: Budget) => Promise<number> {
  return async (budget) => {
    const [ping, pong, over] = [new Event(), new Event(), new Event()];
    const child = new Process({ target, args: [ping, pong, over] });
    child.start();
    const ms = await msPerOperation(
      async (n) => {
        for (let i = 0; i < n; i++) {
          ping.set();
          await pong.wait();
          pong.clear();
        }
      },
      ROUNDS,
      budget,
    );
    over.set();
    ping.set();
    await child.join();
    return ms * 1e3;
  };
}

// --- Condition ----------------------------------------------------------------------------------------------------

/** Both sides hold the lock but while they wait, so whoever has it knows that the other one waits. */
export function answerConditionSync(there: Condition, back: Condition, over: Event): void {
  there.acquireSync();
  back.notify(); // we are there
  for (;;) {
    there.waitSync();
    back.notify();
    if (over.isSet()) break;
  }
  there.release();
}

/** As {@link answerConditionSync}, awaiting. */
export async function answerCondition(there: Condition, back: Condition, over: Event): Promise<void> {
  await there.acquire();
  back.notify();
  for (;;) {
    await there.wait();
    back.notify();
    if (over.isSet()) break;
  }
  there.release();
}

function conditionRoundTrip(
  target: typeof answerCondition | typeof answerConditionSync,
): (budget: Budget) => Promise<number> {
  return async (budget) => {
    const lock = new Lock();
    const [there, back, over] = [new Condition(lock), new Condition(lock), new Event()];
    await lock.acquire();
    const child = new Process({ target, args: [there, back, over] });
    child.start();
    await back.wait();
    const ms = await msPerOperation(
      async (n) => {
        for (let i = 0; i < n; i++) {
          there.notify();
          await back.wait();
        }
      },
      ROUNDS,
      budget,
    );
    over.set();
    there.notify();
    await back.wait();
    lock.release();
    await child.join();
    return ms * 1e3;
  };
}

// --- JoinableQueue ------------------------------------------------------------------------------------------------

/** Finishes with what it gets, blocking. */
export function finishSync(queue: JoinableQueue<number>): void {
  for (let value = 0; value >= 0; queue.taskDone()) value = queue.getSync();
}

/** As {@link finishSync}, awaiting. */
export async function finish(queue: JoinableQueue<number>): Promise<void> {
  for (let value = 0; value >= 0; queue.taskDone()) value = await queue.get();
}

function joinableRound(target: typeof finish | typeof finishSync): (budget: Budget) => Promise<number> {
  return async (budget) => {
    using queue = new JoinableQueue<number>();
    const child = new Process({ target, args: [queue] });
    child.start();
    const ms = await msPerOperation(
      async (n) => {
        for (let i = 0; i < n; i++) {
          await queue.put(i);
          await queue.join();
        }
      },
      ROUNDS,
      budget,
    );
    await queue.put(-1);
    await child.join();
    return ms * 1e3;
  };
}

if (import.meta.main) {
  await report({
    "semaphore-async": semaphoreAsync,
    "semaphore-sync": semaphoreSync,
    "event-sync-child": eventRoundTrip(answerEventSync),
    "event-async-child": eventRoundTrip(answerEvent),
    "condition-sync-child": conditionRoundTrip(answerConditionSync),
    "condition-async-child": conditionRoundTrip(answerCondition),
    "joinable-sync-child": joinableRound(finishSync),
    "joinable-async-child": joinableRound(finish),
  });
}
