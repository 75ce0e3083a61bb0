// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * A greenlet that fails, and a linked function that does.
 *
 * @module
 */
import { sleep, spawn } from "@multiprocessing/deno/gevent";

function fails(): never {
  throw new RangeError("no such page");
}

function succeeds(): void {}

const greenlet = spawn(fails);
try {
  await greenlet.get();
} catch (error) {
  console.log(`get: ${error}`);
}
console.log(`${greenlet.successful()} ${greenlet.value} ${greenlet.exception}`);

const linked = spawn(succeeds);
linked.link(() => {
  throw new TypeError("in the link");
});
await linked.join();
await sleep();
