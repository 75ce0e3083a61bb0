// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * One call of `fork` gives twice: in this process the id of its new child, in the child 0.
 *
 * Python:
 *
 *     print('Process (%s) start...' % os.getpid())
 *     # Only works on Unix/Linux/Mac:
 *     pid = os.fork()
 *     if pid == 0:
 *         print('I am child process (%s) and my parent is %s.' % (os.getpid(), os.getppid()))
 *     else:
 *         print('I (%s) just created a child process (%s).' % (os.getpid(), pid))
 *
 * Run: `deno run -A examples/fork.ts`
 *
 * Prints, with other ids (the last two lines in either order):
 *
 *     Process (876) start...
 *     I (876) just created a child process (877).
 *     I am child process (877) and my parent is 876.
 *
 * @module
 */
import { fork, getpid, getppid } from "@multiprocessing/deno/os";

if (import.meta.main) {
  console.log(`Process (${getpid()}) start...`);
  const pid = fork(); // works on Windows, too: the child runs the program again, silent up to here
  if (pid === 0) {
    console.log(`I am child process (${getpid()}) and my parent is ${getppid()}.`);
  } else {
    console.log(`I (${getpid()}) just created a child process (${pid}).`);
  }
}
