// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * Calls in a pool that fail, which is printed on stderr as well.
 *
 * @module
 */
import { pool } from "@multiprocessing/deno/gevent";

const two = new pool.Pool(2);

function visit(n: number): number {
  if (n === 2) throw new RangeError("2 is too much");
  return n;
}

/** Everything an iterator gives, errors included. */
async function all(results: AsyncIterator<unknown>): Promise<string> {
  const seen: string[] = [];
  for (;;) {
    try {
      const { done, value } = await results.next();
      seen.push(done ? "end" : String(value));
      if (done) return seen.join(", ");
    } catch (error) {
      seen.push(String(error));
    }
  }
}

function* broken(): Generator<number> {
  yield 1;
  throw new TypeError("no more");
}

await two.map(visit, [1, 2, 3]).catch((error) => console.log(`map: ${error}`));
console.log(`imap: ${await all(two.imap(visit, [1, 2, 3]))}`);
console.log(`imapUnordered: ${await all(two.imapUnordered(visit, [1, 2, 3]))}`);
console.log(`iterable: ${await all(two.imap(visit, broken()))}`);
await two.apply(visit, [2]).catch((error) => console.log(`apply: ${error}`));
await two.spawn(visit, 2);
await two.join({ raiseError: true }).catch((error) => console.log(`join: ${error}`));
