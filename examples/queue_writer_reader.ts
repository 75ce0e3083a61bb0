// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * One process writes A to E with pauses, another reads for ever and is ended from outside.
 *
 * Python:
 *
 *     def write(q):
 *         for i in ['A', 'B', 'C', 'D', 'E']:
 *             print('Put %s to queue' % i)
 *             q.put(i)
 *             time.sleep(0.5)
 *
 *     def read(q):
 *         while True:
 *             v = q.get(True)
 *             print('get %s from queue' % v)
 *             q.task_done()
 *
 *     pw.join()
 *     q.join()        # until the reader has printed all it got
 *     pr.terminate()  # it would read on for ever
 *     pr.join()
 *
 * The original joins the reader before it terminates it, and so never ends. Its queue is a plain one, which cannot tell
 * when the last item was dealt with.
 *
 * Run: `deno run -A examples/queue_writer_reader.ts` (3 s)
 *
 * Prints five times "Put" and "get", and how both processes ended: the reader by signal 15, SIGTERM:
 *
 *     write process =  <Process name='Process-1' initial>
 *     read process =  <Process name='Process-2' initial>
 *     Put A to queue
 *     get A from queue
 *     …
 *     write process ended with 0
 *     read process ended with -15
 *
 * @module
 */
import { JoinableQueue, Process } from "@multiprocessing/deno";
import { sleep, useStartMethod } from "./options.ts";

export async function write(q: JoinableQueue<string>): Promise<void> {
  for (const i of ["A", "B", "C", "D", "E"]) {
    console.log(`Put ${i} to queue`);
    await q.put(i);
    await sleep(0.5);
  }
}

export async function read(q: JoinableQueue<string>): Promise<void> {
  while (true) {
    const v = await q.get({ block: true });
    console.log(`get ${v} from queue`);
    q.taskDone();
  }
}

if (import.meta.main) {
  useStartMethod();
  const q = new JoinableQueue<string>();
  const pw = new Process({ target: write, args: [q] });
  const pr = new Process({ target: read, args: [q] });
  console.log("write process = ", pw);
  console.log("read process = ", pr);
  pw.start();
  pr.start();
  await pw.join();
  await q.join();
  pr.terminate();
  await pr.join();
  console.log(`write process ended with ${pw.exitcode}`);
  console.log(`read process ended with ${pr.exitcode}`);
}
