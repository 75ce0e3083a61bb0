/** What children of `processes_test.ts` do. */
import type { Queue } from "@multiprocessing/deno";
import { DEVNULL, Popen, run } from "@multiprocessing/deno/subprocess";

/** Runs programs, and sends what came of them. */
export async function runThere(results: Queue<unknown>): Promise<void> {
  await results.put(await run(["cat"], { input: "bread", captureOutput: true, text: true }));
  await results.put(await run("exit 3", { shell: true, check: true }).catch((error) => error));
}

/** Starts a program, and ends without it. */
export async function leaveBehind(pids: Queue<number>): Promise<void> {
  const streams = { stdin: DEVNULL, stdout: DEVNULL, stderr: DEVNULL } as const;
  await pids.put(new Popen(["sleep", "3600"], streams).pid);
}
