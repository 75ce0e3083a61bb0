// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * A program that shares its queue with other programs, which may run on other machines.
 *
 * Python:
 *
 *     queue = Queue()
 *     class QueueManager(BaseManager): pass
 *     QueueManager.register('get_queue', callable=lambda: queue)
 *     m = QueueManager(address=('127.0.0.1', 50000), authkey=b'abracadabra')
 *     s = m.get_server()
 *     s.serve_forever()
 *
 * Run: `deno run -A examples/remote_manager.ts`, then in other terminals, as often as you like,
 * `deno run -A examples/remote_manager_client.ts put hello` and `deno run -A examples/remote_manager_client.ts get`.
 * `--port=0` takes any free port. Ctrl-C stops it.
 *
 * Prints:
 *
 *     serving on 127.0.0.1:50000, stop with Ctrl-C
 *     stopped
 *
 * @module
 */
import { BaseManager, Queue } from "@multiprocessing/deno";
import { option } from "./options.ts";

class QueueManager extends BaseManager {}

if (import.meta.main) {
  const queue = new Queue<string>();
  QueueManager.register("getQueue", () => queue);
  const m = new QueueManager({
    address: { hostname: "127.0.0.1", port: Number(option("port") ?? 50000) },
    authkey: new TextEncoder().encode("abracadabra"),
  });
  const s = m.getServer();

  // Windows knows no SIGTERM; there a program is told to end by SIGBREAK.
  const stop = () => s.stop();
  Deno.addSignalListener("SIGINT", stop);
  Deno.addSignalListener(Deno.build.os === "windows" ? "SIGBREAK" : "SIGTERM", stop);

  const { hostname, port } = s.address as { hostname: string; port: number };
  console.log(`serving on ${hostname}:${port}, stop with Ctrl-C`);
  await s.serveForever();
  console.log("stopped");
  Deno.removeSignalListener("SIGINT", stop);
  Deno.removeSignalListener(Deno.build.os === "windows" ? "SIGBREAK" : "SIGTERM", stop);
}
