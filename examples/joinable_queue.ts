// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * A JoinableQueue: the producer waits until everything it made is eaten, and the consumer ends with the program.
 *
 * Python:
 *
 *     def consumer(jq, name):
 *         while True:
 *             food = jq.get()
 *             time.sleep(random.uniform(1, 2))
 *             print('%s吃完%s' % (name, food))
 *             jq.task_done()
 *
 *     def producer(jq):
 *         for i in range(10):
 *             time.sleep(random.random())
 *             food = 'Spam%s' % i
 *             print('%s生产了%s' % ('Jane', food))
 *             jq.put(food)
 *         jq.join()
 *
 *     jq = JoinableQueue(5)
 *     c1 = Process(target=consumer, args=(jq, 'Annie'))
 *     p1 = Process(target=producer, args=(jq,))
 *     c1.daemon = True
 *     c1.start()
 *     p1.start()
 *     p1.join()
 *
 * Run: `deno run -A examples/joinable_queue.ts --fast` (2 s; 16 s without `--fast`)
 *
 * Prints ten times 生产了 ("made") and ten times 吃完 ("ate up"), both in order; the queue holds five, so the producer
 * gets no farther ahead than that. The last line is Annie's, and then the program ends by itself:
 *
 *     Jane生产了Spam0
 *     Jane生产了Spam1
 *     Annie吃完Spam0
 *     …
 *     Annie吃完Spam9
 *
 * @module
 */
import { JoinableQueue, Process } from "@multiprocessing/deno";
import { sleep, useStartMethod } from "./options.ts";

export async function consumer(jq: JoinableQueue<string>, name: string): Promise<void> {
  while (true) {
    const food = await jq.get();
    await sleep(1 + Math.random());
    console.log(`${name}吃完${food}`);
    jq.taskDone();
  }
}

export async function producer(jq: JoinableQueue<string>): Promise<void> {
  for (let i = 0; i < 10; i++) {
    await sleep(Math.random());
    const food = `Spam${i}`;
    console.log(`Jane生产了${food}`);
    await jq.put(food);
  }
  await jq.join(); // until the consumer is done with the last one
}

if (import.meta.main) {
  useStartMethod();
  const jq = new JoinableQueue<string>(5);
  const c1 = new Process({ target: consumer, args: [jq, "Annie"] });
  const p1 = new Process({ target: producer, args: [jq] });
  c1.daemon = true; // ends with the main program
  c1.start();
  p1.start();
  await p1.join();
}
