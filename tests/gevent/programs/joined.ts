// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * Greenlets of which one fails, joined. What fails is printed on stderr as well.
 *
 * @module
 */
import { joinall, killall, sleep, spawn } from "@multiprocessing/deno/gevent";
import { Empty } from "@multiprocessing/deno/queue";

const greenlets = [
  spawn(sleep, 3_600_000),
  spawn(() => {
    throw new Empty("its own");
  }),
  spawn(() => {}),
];
console.log(`${(await joinall(greenlets, { count: 2 })).length} ended`);
await joinall(greenlets, { raiseError: true }).catch((error) => console.log(String(error)));
await joinall(greenlets, { raiseError: true, timeout: 1 }).catch((error) => console.log(String(error)));
await killall(greenlets);
