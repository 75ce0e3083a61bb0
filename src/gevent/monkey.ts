/** monkey: what gevent has to patch, and Deno has not. */

/**
 * Does nothing, and says why: whatever gevent patches so that it does not block, does not block here.
 *
 * Python: {@link https://www.gevent.org/api/gevent.monkey.html#gevent.monkey.patch_all | gevent.monkey.patch_all}.
 *
 * @returns For each module that gevent patches, what stands for it here.
 *
 * @example
 * ```ts
 * import { monkey } from "@multiprocessing/deno/gevent";
 * import assert from "node:assert/strict";
 *
 * assert.match(monkey.patchAll().time!, /sleep/);
 * ```
 */
export function patchAll(): Readonly<Record<string, string>> {
  return {
    builtins: "nothing to do: there is no input() that blocks",
    dns: "resolveDns() of Deno is asynchronous",
    os: 'fork() of "@multiprocessing/deno/os" starts a process',
    queue: 'the queues of "@multiprocessing/deno/queue" are awaited',
    select: "each read, write and accept is awaited by itself",
    signal: "addSignalListener() of Deno calls back",
    socket: 'fetch(), connect() of Deno and "@multiprocessing/deno/socket" are asynchronous',
    ssl: "connectTls() of Deno is asynchronous",
    subprocess: '"@multiprocessing/deno/subprocess" and Command of Deno are asynchronous',
    sys: "stdin, stdout and stderr of Deno are asynchronous",
    thread: '"@multiprocessing/deno/threading" is made of tasks that await',
    time: "sleep() of this module is awaited, as timers are",
  };
}
