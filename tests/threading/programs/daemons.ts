// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * Threads that wait for ever, or for long, in each of the ways this library has; and the program's end. All are
 * daemons but those named in the arguments, which wait as long as `--for` says.
 *
 * @module
 */
import * as mp from "@multiprocessing/deno";
import { Queue, SimpleQueue } from "@multiprocessing/deno/queue";
import { Barrier, Condition, Event, Lock, Semaphore, Thread } from "@multiprocessing/deno/threading";
import { sleep, spawn } from "@multiprocessing/deno/gevent";

const held = new Lock();
await held.acquire();
const full = new Queue<number>(1);
await full.put(1);
const condition = new Condition();

const waits: Record<string, () => Promise<unknown>> = {
  "a lock": () => held.acquire(),
  "a lock, with a timeout": () => held.acquire({ timeout: 3_600_000 }),
  "a semaphore": () => new Semaphore(0).acquire(),
  "an event": () => new Event().wait(),
  "a barrier": () => new Barrier(2).wait(),
  async "a condition"() {
    using _ = await condition.guard();
    await condition.wait();
  },
  "a queue": () => new Queue().get(),
  "a queue, with a timeout": () => new Queue().get({ timeout: 3_600_000 }),
  "a full queue": () => full.put(2),
  "unfinished tasks": () => full.join(),
  "a simple queue": () => new SimpleQueue().get(),
  "a queue of multiprocessing": () => new mp.Queue().get(),
  "a lock of multiprocessing": async () => {
    const lock = new mp.Lock();
    await lock.acquire();
    await lock.acquire({ timeout: 3_600_000 });
  },
  "a pipe": () => mp.Pipe()[0].recv(),
  "another thread": () => {
    const other = new Thread({ target: () => new Event().wait() });
    other.start();
    return other.join();
  },
  "a while": () => sleep(3_600_000),
};

if (import.meta.main) {
  for (const [name, target] of Object.entries(waits)) {
    const thread = new Thread({ target, name, daemon: true });
    thread.start();
    spawn(target);
  }
  const [wait] = Deno.args;
  if (wait !== undefined) {
    const thread = new Thread({
      async target() {
        await new Event().wait({ timeout: Number(wait) });
        console.log("a thread that is no daemon was waited for");
      },
    });
    thread.start();
  }
  await new Event().wait({ timeout: 20 }); // so that each has come to its wait
  console.log("end of main");
}
