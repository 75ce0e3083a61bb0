// deno-lint-ignore-file no-console -- what it prints is what the test looks at
/** Forks three times in a loop and waits each time: each child relives the forks and waits before its own. */
import { fork, getpid, getppid, wait, waitpid, WEXITSTATUS, WNOHANG } from "@multiprocessing/deno/os";
import { currentProcess } from "@multiprocessing/deno";

const me = getpid();
for (let i = 0; i < 3; i++) {
  const pid = fork();
  if (pid === 0) {
    console.log(
      `child ${i}`,
      getppid() === me,
      getpid() !== me,
      getpid() === Deno.pid,
      currentProcess().pid === Deno.pid,
    );
    Deno.exit(10 + i);
  }
  // Many looks are as easily relived as one.
  let waited = await waitpid(pid, WNOHANG);
  for (let looks = 1; looks < 500; looks++) waited = waited[0] === 0 ? await waitpid(pid, WNOHANG) : waited;
  if (waited[0] === 0) waited = await wait();
  console.log(`parent ${i}`, waited[0] === pid, WEXITSTATUS(waited[1]));
}
await wait().catch((error) => console.log(error.code));
