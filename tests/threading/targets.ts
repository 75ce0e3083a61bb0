/**
 * What children of the tests in this folder run.
 *
 * @module
 */
import type { Connection, Queue, RLock } from "@multiprocessing/deno";
import * as threading from "@multiprocessing/deno/threading";

/** Says who the threads of this process are, from within two of them. */
export async function sayWho(answers: Queue<unknown>): Promise<void> {
  const who = async () => {
    const { name, ident, daemon } = threading.currentThread();
    await answers.put([name, ident, daemon, threading.mainThread().name, threading.activeCount()]);
  };
  await who();
  const thread = new threading.Thread({ target: who });
  thread.start();
  await thread.join();
  await answers.put(threading.enumerate().map(({ name }) => name));
}

/** Returns at once, and leaves behind a thread that has still to put something, and daemons that wait for ever. */
export async function leaveThreads(
  go: Queue<null>,
  answers: Queue<string>,
  never: Queue<null>,
): Promise<void> {
  const thread = new threading.Thread({
    async target() {
      await go.get();
      await answers.put("from the thread");
    },
  });
  thread.start();
  for (const target of [() => new threading.Event().wait(), () => never.get()]) {
    const daemon = new threading.Thread({ target, daemon: true });
    daemon.start();
  }
  await answers.put("main is through");
}

/** Throws in a thread, and returns. */
export async function throwInThread(): Promise<void> {
  const thread = new threading.Thread({
    target() {
      throw new RangeError("in a thread of a child");
    },
  });
  thread.start();
  await thread.join();
}

/** Acquires a lock in one thread, tries in another, and says how that was at each step. */
export async function lockInThreads(lock: RLock, told: Connection<boolean>): Promise<void> {
  const attempt = async (options?: { block: boolean }) => {
    let got = false;
    const thread = new threading.Thread({ target: async () => void (got = await lock.acquire(options)) });
    thread.start();
    await thread.join();
    await told.send(got);
  };
  const holder = new threading.Thread({
    async target() {
      await told.send(await lock.acquire());
      await told.send(await lock.acquire({ block: false })); // its own
      await attempt({ block: false }); // another thread's
      await told.recv();
      lock.release();
      lock.release();
    },
  });
  holder.start();
  await holder.join();
  await told.send(lock.locked());
}
