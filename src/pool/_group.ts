/** Work that a pool was given as many calls: parts, in order, of one whole. */

import type { Dispatcher, Task } from "../team/dispatcher.ts";
import type { CallKind } from "../team/calls.ts";
import type { Callable } from "../process/target.ts";

/** How many parts per worker, so that the last ones end at about the same time. */
const PARTS_PER_WORKER = 4;

/** How many items make a part when nobody says. */
export function automaticChunksize(items: number, workers: number): number {
  return Math.max(1, Math.ceil(items / (workers * PARTS_PER_WORKER)));
}

/** What to run over which items. */
export interface GroupOptions {
  fn: Callable;
  kind: CallKind;
  items: unknown[];
  chunksize: number;
  /** Called after each part, with the number of items that are done. */
  progress(done: number): void;
  done(results: unknown[]): void;
  failed(error: unknown): void;
}

/**
 * Runs a function over all items. Ends when every part has, with the results in order or with the first error, as in
 * Python. Returns what ends all of it for a reason.
 */
export function runGroup(dispatcher: Dispatcher, options: GroupOptions): (reason: unknown) => void {
  const { fn, kind, items, chunksize } = options;
  const results: unknown[][] = [];
  const tasks: Task[] = [];
  let missing = Math.ceil(items.length / chunksize);
  let counted = 0;
  let failure: { error: unknown } | undefined;
  const partEnded = () => {
    if (--missing > 0) return;
    if (failure !== undefined) options.failed(failure.error);
    else options.done(results.flat());
  };
  if (missing === 0) options.done([]);
  for (let part = 0; part * chunksize < items.length; part++) {
    const args = items.slice(part * chunksize, (part + 1) * chunksize);
    tasks.push(dispatcher.submit({
      fn,
      kind,
      args,
      first: part * chunksize,
      done(value) {
        results[part] = value as unknown[];
        counted += args.length;
        options.progress(counted);
        partEnded();
      },
      failed(error) {
        failure ??= { error };
        partEnded();
      },
    }));
  }
  return (reason) => {
    for (const task of tasks) dispatcher.abort(task, reason);
  };
}
