// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * Two functions hand the control to and fro.
 *
 * Python:
 *
 *     from greenlet import greenlet
 *
 *     def test1():
 *         print(12)
 *         gr2.switch()
 *         print(34)
 *         gr2.switch()
 *
 *     def test2():
 *         print(56)
 *         gr1.switch()
 *         print(78)
 *
 *     gr1 = greenlet(test1)
 *     gr2 = greenlet(test2)
 *     gr1.switch()
 *
 * Run: `deno run -A examples/greenlet_switch.ts`
 *
 * Prints:
 *
 *     12
 *     56
 *     34
 *     78
 *
 * @module
 */
import { greenlet } from "@multiprocessing/deno/gevent";

async function test1(): Promise<void> {
  console.log(12);
  await gr2.switch();
  console.log(34);
  await gr2.switch();
}

async function test2(): Promise<void> {
  console.log(56);
  await gr1.switch();
  console.log(78);
}

const gr1 = greenlet(test1);
const gr2 = greenlet(test2);

if (import.meta.main) {
  await gr1.switch();
}
