// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * A tour of the queue: what it tells of itself, what does not wait, what waits for a while, and what is thrown then.
 *
 * Python:
 *
 *     def tour(q):  # q = Queue(3)
 *         print('empty:', q.empty(), 'qsize:', q.qsize(), 'full:', q.full())
 *         print('get_nowait:', refusal(q.get_nowait))
 *         print('get with a timeout:', refusal(q.get, timeout=0.1))
 *
 *         q.put('A')
 *         q.put_nowait('B')
 *         q.put('C', timeout=0.1)
 *         print('empty:', q.empty(), 'qsize:', q.qsize(), 'full:', q.full())
 *         print('put_nowait:', refusal(q.put_nowait, 'D'))
 *         print('put with a timeout:', refusal(q.put, 'D', timeout=0.1))
 *
 *         print('get:', q.get())
 *         print('get_nowait:', q.get_nowait())
 *         print('get with a timeout:', q.get(timeout=0.1))
 *
 * In CPython a thread writes what was put a moment later, so that right after `put` the queue may call itself empty;
 * here it never does.
 *
 * Run: `deno run -A examples/queue_api.ts`
 *
 * Prints this, and the same once more from a child, `Process-1`:
 *
 *     MainProcess
 *     empty: true qsize: 0 full: false
 *     getNowait: Empty
 *     get with a timeout: Empty
 *     empty: false qsize: 3 full: true
 *     putNowait: Full
 *     put with a timeout: Full
 *     get: A
 *     getNowait: B
 *     get with a timeout: C
 *
 * @module
 */
import { currentProcess, Empty, Full, Process, Queue } from "@multiprocessing/deno";
import { useStartMethod } from "./options.ts";

/** The name of the error with which the queue refuses. */
async function refusal(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return "not refused";
  } catch (error) {
    if (error instanceof Empty || error instanceof Full) return error.name;
    throw error;
  }
}

export async function tour(q: Queue<string>): Promise<void> {
  console.log(currentProcess().name);

  console.log("empty:", q.empty(), "qsize:", q.qsize(), "full:", q.full());
  console.log("getNowait:", await refusal(q.getNowait())); // the same as get({ block: false })
  console.log("get with a timeout:", await refusal(q.get({ timeout: 100 })));

  await q.put("A"); // waits for room, if need be for ever
  await q.putNowait("B");
  await q.put("C", { timeout: 100 });
  console.log("empty:", q.empty(), "qsize:", q.qsize(), "full:", q.full());
  console.log("putNowait:", await refusal(q.putNowait("D"))); // the same as put("D", { block: false })
  console.log("put with a timeout:", await refusal(q.put("D", { timeout: 100 })));

  console.log("get:", await q.get()); // waits for an item, if need be for ever
  console.log("getNowait:", await q.getNowait());
  console.log("get with a timeout:", await q.get({ timeout: 100 }));
}

if (import.meta.main) {
  useStartMethod();
  const q = new Queue<string>(3); // holds three items at most
  await tour(q);
  const p = new Process({ target: tour, args: [q] });
  p.start();
  await p.join();
}
