// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * Three pages are fetched at the same time.
 *
 * Python:
 *
 *     from gevent import monkey; monkey.patch_all()
 *     import gevent
 *     import requests
 *
 *     def f(url):
 *         print('GET: %s' % url)
 *         resp = requests.get(url)
 *         data = resp.text
 *         print('%d bytes received from %s.' % (len(data), url))
 *
 *     gevent.joinall([
 *         gevent.spawn(f, 'https://www.python.org/'),
 *         gevent.spawn(f, 'https://www.yahoo.com/'),
 *         gevent.spawn(f, 'https://github.com/'),
 *     ])
 *
 * Here the pages come from three servers that the program starts itself, so that it runs without the internet. Each
 * answers only once all three were asked: one after another they would never be.
 *
 * Run: `deno run -A examples/gevent_fetch.ts`
 *
 * Prints, the last three lines in any order:
 *
 *     GET: http://127.0.0.1:40731/
 *     GET: http://127.0.0.1:40733/
 *     GET: http://127.0.0.1:40735/
 *     3000 bytes received from http://127.0.0.1:40735/.
 *     1000 bytes received from http://127.0.0.1:40731/.
 *     2000 bytes received from http://127.0.0.1:40733/.
 *
 * @module
 */
import { joinall, monkey, spawn } from "@multiprocessing/deno/gevent";
import { Barrier } from "@multiprocessing/deno/threading";

monkey.patchAll(); // not needed: nothing here blocks

async function f(url: string): Promise<void> {
  console.log(`GET: ${url}`);
  const resp = await fetch(url);
  const data = await resp.text();
  console.log(`${data.length} bytes received from ${url}.`);
}

/** A server with one page of so many bytes; it answers when all are asked. */
function serve(bytes: number, allAsked: Barrier): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async () => {
    await allAsked.wait();
    return new Response("x".repeat(bytes));
  });
}

if (import.meta.main) {
  const allAsked = new Barrier(3);
  const servers = [1000, 2000, 3000].map((bytes) => serve(bytes, allAsked));
  const [a, b, c] = servers.map(({ addr }) => `http://${addr.hostname}:${addr.port}/`);

  await joinall([
    spawn(f, a!),
    spawn(f, b!),
    spawn(f, c!),
  ]);
  for (const server of servers) await server.shutdown();
}
