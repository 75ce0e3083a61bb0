// deno-lint-ignore-file no-console -- what it prints is what the test looks at
/** A child forks in turn. Each generation says who it was before, and who it is. */
import { fork, getpid, getppid, waitpid } from "@multiprocessing/deno/os";

const ids = [getpid()];
const child = fork();
if (child === 0) {
  ids.push(getpid());
  const grandchild = fork();
  if (grandchild === 0) {
    ids.push(getpid());
    console.log(JSON.stringify({ who: "grandchild", ids, pid: Deno.pid, ppid: getppid() }));
  } else {
    await waitpid(grandchild);
    console.log(JSON.stringify({ who: "child", ids, pid: Deno.pid, ppid: getppid(), grandchild }));
  }
} else {
  await waitpid(child);
  console.log(JSON.stringify({ who: "parent", ids, pid: Deno.pid, child }));
}
