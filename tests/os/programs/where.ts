/** Calls fork() where that is not possible. */
import { fork } from "@multiprocessing/deno/os";
import type { Queue } from "@multiprocessing/deno";

export async function forkHere(said: Queue<string>): Promise<void> {
  try {
    fork();
    await said.put("forked");
  } catch (error) {
    await said.put(`${(error as Error).name}: ${(error as Error).message}`);
  }
}
