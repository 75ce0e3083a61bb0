/** Pipe: one number to a child and back. Microseconds. */

import { type Connection, Pipe, Process } from "@multiprocessing/deno";
import { type Budget, msPerOperation, report } from "../measure.ts";

/** The CPU-bound child's way: it blocks in `recvSync`. */
export function echoSync(connection: Connection<number>): void {
  for (let value; (value = connection.recvSync()) >= 0;) {
    connection.sendSync(value);
  }
}

/** The usual way: it awaits. */
export async function echoAsync(connection: Connection<number>): Promise<void> {
  for (let value; (value = await connection.recv()) >= 0;) {
    await connection.send(value);
  }
}

function roundTrip(
  target: typeof echoSync | typeof echoAsync,
): (budget: Budget) => Promise<number> {
  return async (budget) => {
    const [ours, theirs] = Pipe<number>();
    const child = new Process({ target, args: [theirs] });
    child.start();
    const ms = await msPerOperation(
      async (n) => {
        for (let i = 0; i < n; i++) {
          await ours.send(i);
          await ours.recv();
        }
      },
      200,
      budget,
    );
    await ours.send(-1);
    await child.join();
    return ms * 1e3;
  };
}

if (import.meta.main) {
  await report({
    "sync-child": roundTrip(echoSync),
    "async-child": roundTrip(echoAsync),
  });
}
