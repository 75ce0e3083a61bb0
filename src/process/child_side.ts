/** What a child does with its order, whichever way it was started. */

import { printError, settledWithin, writeStderr } from "../platform/runtime.ts";
import { decode } from "../transport/codec.ts";
import { type Line, onMessage } from "../transport/hub_line.ts";
import type { Order } from "./hub.ts";
import {
  activeChildren,
  currentProcess,
  enact,
  endsWithStarter,
  Process,
  whileImporting,
  workDone,
} from "./process.ts";
import { type Address, lookUp } from "./target.ts";

/**
 * Finds the target, runs it and returns the exit code: 0, or 1 after an error, which is printed.
 *
 * @param order What to do.
 * @param line To the creator, who is asked if the target is not where it should be.
 * @param context For the decoder: the link the values came over, if any.
 */
export async function obey(order: Order, line: Line, context?: unknown): Promise<number> {
  try {
    const found = await whileImporting(async () => {
      const found: unknown[] = [];
      for (const [which, address] of order.addresses.entries()) found.push(await find(address, which, line));
      return found;
    });
    if (found.includes(NOT_EXPORTED)) return 1;
    const args = decode(order.args.bytes, order.args.attachments, context) as unknown[];
    const fields = decode(order.fields.bytes, order.fields.attachments, context) as Record<string, unknown>;
    const { identity } = order;
    const Class = order.kind === "subclass" ? found.shift() as new () => Process : Process;
    const target = found[0] as ((...args: unknown[]) => unknown) | undefined;
    const process = enact(Class, { identity, target, args }, fields);
    await process.run();
    return 0;
  } catch (error) {
    report(error);
    return 1;
  } finally {
    // Daemons go with the code that started them; what else is going on here (timers, other children) ends first.
    await workDone();
    const leaving = activeChildren().filter(endsWithStarter);
    for (const child of leaving) child.terminate();
    for (const child of leaving) if (!child.daemon) await settledWithin(child.sentinel, Infinity);
  }
}

const NOT_EXPORTED = Symbol("not exported");

async function find(address: Address, which: number, line: Line): Promise<unknown> {
  const found = await lookUp(address);
  if (found !== undefined) return found;
  const answer = nextAddress();
  line.post({ kind: "unresolved", which, final: false } as { kind: string });
  const elsewhere = await answer;
  if (elsewhere !== undefined) {
    const there = await lookUp(elsewhere);
    if (there !== undefined) return there;
    const heard = nextAddress();
    line.post({ kind: "unresolved", which, final: true } as { kind: string });
    await heard; // the creator knows now, before our end tells it less
  }
  writeStderr(
    `Process ${currentProcess().name}:\nPicklingError: Cannot run ${
      address.name || "an anonymous function"
    } here: ` +
      `no module exports it; export it from its module or name it with ref()\n`,
  );
  return NOT_EXPORTED;
}

let answered: ((address: Address | undefined) => void) | undefined;
const nextAddress = () => new Promise<Address | undefined>((resolve) => answered = resolve);
onMessage("address", ({ address }: { address?: Address }) => answered?.(address));

/** Prints what nobody caught as Python does: the process, then the traceback. */
export function report(error: unknown): void {
  printError(`Process ${currentProcess().name}:`, error);
}

/** Lets what nobody caught end this process with code 1, printed by us rather than by the runtime. */
export function catchUncaught(end: (code: number) => void): void {
  const uncaught = (event: Event, error: unknown) => {
    event.preventDefault();
    report(error);
    end(1);
  };
  addEventListener("error", (event) => uncaught(event, event.error));
  addEventListener("unhandledrejection", (event) => uncaught(event, event.reason));
}
