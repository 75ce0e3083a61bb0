// deno-lint-ignore-file no-console -- what it prints is what the test looks at
/** The way to fork() depends on which process it is, so that the child never comes there, or by another way. */
import { fork, wait, WEXITSTATUS } from "@multiprocessing/deno/os";

const key = "PARENT_OF_ASTRAY";
const again = Deno.env.get(key) !== undefined;
Deno.env.set(key, "1");
console.log("before");
if (again) {
  if (Deno.args[0] === "end") { /* comes to its end without a fork */ }
  if (Deno.args[0] === "exit") Deno.exit(0);
  if (Deno.args[0] === "wait") await wait();
} else {
  fork();
  const [, status] = await wait();
  console.log(WEXITSTATUS(status));
}
