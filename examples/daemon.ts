// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * Daemon children end with the main program, other children outlive it.
 *
 * Four small programs in one; the first word after the file name chooses:
 *
 * | word | what happens | time |
 * |---|---|---|
 * | `alive` (or none) | the main program ends after 3 s, the daemon falls silent, the other child goes on to 10 s | 10 s |
 * | `join` | the main program joins the other child first, so the daemon lives that long | 10 s |
 * | `end` | the main program ends at once: `end456` is printed, `end123` never | 3 s |
 * | `children` | a daemon may not have children of its own | |
 *
 * Python:
 *
 *     p2 = Process(target=wahaha)
 *     p2.start()
 *     p = Process(target=daemon_func)
 *     p.daemon = True
 *     p.start()
 *     for i in range(3):
 *         print(i * '*')
 *         time.sleep(1)
 *     # p2.join()
 *
 * Run: `deno run -A examples/daemon.ts end`
 *
 * Prints, the first lines in any order, and 123 only if the daemon is that quick:
 *
 *     main-------
 *     123
 *     456
 *     end456
 *
 * `alive` and `join` print `我还活着` ("I am still alive") from the daemon, `*` from the main program and `#` from the
 * other child; `children` prints `AssertionError: daemonic processes are not allowed to have children…`.
 *
 * @module
 */
import { AssertionError, Process } from "@multiprocessing/deno";
import { sleep, useStartMethod } from "./options.ts";

export async function daemonFunc(): Promise<void> {
  while (true) {
    console.log("我还活着");
    await sleep(0.5);
  }
}

export async function wahaha(): Promise<void> {
  for (let i = 0; i < 10; i++) {
    await sleep(1);
    console.log("#".repeat(i));
  }
}

export async function foo(): Promise<void> {
  console.log(123);
  await sleep(1);
  console.log("end123");
}

export async function bar(): Promise<void> {
  console.log(456);
  await sleep(3);
  console.log("end456");
}

export function haveAChild(): void {
  try {
    new Process({ target: bar }).start();
  } catch (error) {
    if (!(error instanceof AssertionError)) throw error;
    console.log(`AssertionError: ${error.message}`);
  }
}

async function alive(join: boolean): Promise<void> {
  const p2 = new Process({ target: wahaha });
  p2.start();
  const p = new Process({ target: daemonFunc });
  p.daemon = true;
  p.start();
  for (let i = 0; i < 3; i++) {
    console.log("*".repeat(i));
    await sleep(1);
  }
  if (join) await p2.join();
}

function end(): void {
  const p1 = new Process({ target: foo });
  const p2 = new Process({ target: bar });
  p1.daemon = true;
  p1.start();
  p2.start();
  console.log("main-------");
}

async function children(): Promise<void> {
  const p = new Process({ target: haveAChild, daemon: true });
  p.start();
  await p.join();
}

if (import.meta.main) {
  useStartMethod();
  const word = Deno.args.find((arg) => !arg.startsWith("--")) ?? "alive";
  if (word === "alive") await alive(false);
  else if (word === "join") await alive(true);
  else if (word === "end") end();
  else if (word === "children") await children();
  else throw new Error(`Cannot run ${word}: expected alive, join, end or children`);
}
