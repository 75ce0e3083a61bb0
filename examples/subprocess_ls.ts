// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * Another program beside this one: both go on at the same time.
 *
 * Python:
 *
 *     child = subprocess.Popen(["ls"])
 *     print("parent process")
 *
 * Run: `deno run -A examples/subprocess_ls.ts`
 *
 * Prints "parent process" and what `ls` lists, in either order.
 *
 * @module
 */
import { Popen } from "@multiprocessing/deno/subprocess";

if (import.meta.main) {
  const _child = new Popen(["ls"]);
  console.log("parent process");
}
