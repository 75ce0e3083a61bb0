/**
 * Several threads that do the same, as in CPython's `lock_tests.py`.
 *
 * @module
 */
import { Event, Thread } from "@multiprocessing/deno/threading";
import assert from "node:assert/strict";
import { within } from "../support/gates.ts";

/** Only a net. */
const NET_MS = 20_000;

/**
 * Lets all threads run until nobody in this process has anything left to do but to wait.
 *
 * What one thread grants another is delivered by a bell, which may ring only after many turns of the event loop. But
 * it is one bell for all: once a grant of our own has come, every earlier one has.
 */
export async function rest(): Promise<void> {
  for (let round = 0; round < 50; round++) {
    const event = new Event();
    setImmediate(() => event.set());
    await event.wait();
  }
}

/** So many threads that run one function. */
export class Bunch {
  readonly threads: Thread[];
  /** The threads that are through, in the order they were. */
  readonly finished: Thread[] = [];
  readonly #errors: unknown[] = [];

  /** Starts them. */
  constructor(count: number, body: (index: number) => unknown) {
    this.threads = Array.from({ length: count }, (_, index) => {
      const thread: Thread = new Thread({
        target: async () => {
          try {
            await body(index);
          } catch (error) {
            this.#errors.push(error);
          }
          this.finished.push(thread);
        },
        name: `bunch ${index}`,
      });
      return thread;
    });
    for (const thread of this.threads) thread.start();
  }

  /** As {@link rest}; checks that so many of the threads are through. */
  async settled(finished = 0): Promise<void> {
    await rest();
    assert.equal(this.finished.length, finished);
  }

  /** Waits for their end; throws what any of them did. */
  async end(): Promise<void> {
    await within(NET_MS, Promise.all(this.threads.map((thread) => thread.join())), "the end of the threads");
    if (this.#errors.length > 0) throw new AggregateError(this.#errors);
  }
}

/** Runs a function in a thread, and gives what it returns. */
export async function inThread<R>(body: () => R): Promise<Awaited<R>> {
  let result: { value: Awaited<R> } | undefined;
  const bunch = new Bunch(1, async () => void (result = { value: await body() }));
  await bunch.end();
  return result!.value;
}
