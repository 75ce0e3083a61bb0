// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * Puts something on the queue of `remote_manager.ts`, or gets what somebody has put there.
 *
 * Python:
 *
 *     class QueueManager(BaseManager): pass
 *     QueueManager.register('get_queue')
 *     m = QueueManager(address=('127.0.0.1', 50000), authkey=b'abracadabra')
 *     m.connect()
 *     queue = m.get_queue()
 *     queue.put('hello')    # or: print(queue.get())
 *
 * Run: `deno run -A examples/remote_manager_client.ts put hello` and `deno run -A examples/remote_manager_client.ts get`
 * while `remote_manager.ts` runs; `--port=50001` for another port, `--host=…` for another machine.
 *
 * `get` waits until there is something, and prints it:
 *
 *     hello
 *
 * @module
 */
import { BaseManager, type QueueProxy } from "@multiprocessing/deno";
import { option } from "./options.ts";

class QueueManager extends BaseManager {
  declare getQueue: () => QueueProxy<string>; // tells TypeScript what is registered below
}
QueueManager.register("getQueue");

if (import.meta.main) {
  await using m = new QueueManager({
    address: { hostname: option("host") ?? "127.0.0.1", port: Number(option("port") ?? 50000) },
    authkey: new TextEncoder().encode("abracadabra"),
  });
  await m.connect();
  const queue = m.getQueue();
  const [command, word = "hello"] = Deno.args.filter((arg) => !arg.startsWith("--"));
  if (command === "put") await queue.put(word);
  else console.log(await queue.get());
}
