import { fork } from "@multiprocessing/deno/os";

export async function forkThere(): Promise<number> {
  await Promise.resolve();
  return fork();
}
