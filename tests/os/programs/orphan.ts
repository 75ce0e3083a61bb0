// deno-lint-ignore-file no-console -- what it prints is what the test looks at
/** The parent ends at once, the child when it is told. */
import { fork, getpid, getppid } from "@multiprocessing/deno/os";

const me = getpid();
const pid = fork();
if (pid === 0) {
  console.log(`child ${getpid()} of ${getppid()}`, getppid() === me);
  // The parent is not our child: nothing tells its end but that we have another parent.
  while (Deno.ppid === me) await new Promise((again) => setTimeout(again, 5));
  console.log("child alone");
} else {
  console.log(`parent of ${pid}`);
}
