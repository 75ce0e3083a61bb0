// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * One producer, two consumers, a queue between them, and `null` as the sign that nothing more will come.
 *
 * Python:
 *
 *     def producer(q):
 *         for i in range(10):
 *             time.sleep(random.random())
 *             food = 'Spam %s' % i
 *             print('%s生产了%s' % ('Jane', food))
 *             q.put(food)
 *
 *     def consumer(q, name):
 *         while True:
 *             food = q.get()
 *             if not food: break
 *             time.sleep(random.uniform(1, 2))
 *             print('%s 吃了 %s' % (name, food))
 *
 *     p1.join()
 *     q.put(None)  # one for each consumer
 *     q.put(None)
 *
 * Run: `deno run -A examples/producer_consumer.ts --fast` (1 s; 9 s without `--fast`)
 *
 * Prints ten times 生产了 ("made"), in order, and ten times 吃了 ("ate"), shared by Lisa and Annie:
 *
 *     Jane生产了Spam 0
 *     Jane生产了Spam 1
 *     Lisa 吃了 Spam 0
 *     …
 *
 * @module
 */
import { Process, Queue } from "@multiprocessing/deno";
import { sleep, useStartMethod } from "./options.ts";

export async function producer(q: Queue<string | null>): Promise<void> {
  for (let i = 0; i < 10; i++) {
    await sleep(Math.random());
    const food = `Spam ${i}`;
    console.log(`Jane生产了${food}`);
    await q.put(food);
  }
}

export async function consumer(q: Queue<string | null>, name: string): Promise<void> {
  while (true) {
    const food = await q.get();
    if (food === null) break;
    await sleep(1 + Math.random());
    console.log(`${name} 吃了 ${food}`);
  }
}

if (import.meta.main) {
  useStartMethod();
  const q = new Queue<string | null>();
  const p1 = new Process({ target: producer, args: [q] });
  p1.start();
  const c1 = new Process({ target: consumer, args: [q, "Lisa"] });
  c1.start();
  const c2 = new Process({ target: consumer, args: [q, "Annie"] });
  c2.start();
  await p1.join();
  await q.put(null);
  await q.put(null);
}
