/** LifoQueue: a queue whose latest item comes first. */

import { Queue } from "./queue.ts";

/**
 * A {@link Queue} whose latest item comes first.
 *
 * Python: {@link https://docs.python.org/3/library/queue.html#queue.LifoQueue | queue.LifoQueue}.
 *
 * @typeParam T What the items are.
 *
 * @example
 * ```ts
 * import { LifoQueue } from "@multiprocessing/deno/queue";
 * import assert from "node:assert/strict";
 *
 * const plates = new LifoQueue<string>();
 * for (const plate of ["red", "green", "blue"]) await plates.put(plate);
 * plates.shutdown();
 * assert.deepEqual(await Array.fromAsync(plates), ["blue", "green", "red"]);
 * ```
 */
export class LifoQueue<T = unknown> extends Queue<T> {
  readonly #items: T[] = [];

  /** Keeps an item on top of the others. */
  protected override _put(item: T): void {
    this.#items.push(item);
  }

  /** Gives the item on top. */
  protected override _get(): T {
    return this.#items.pop()!;
  }

  /** Counts the items that are kept. */
  protected override _qsize(): number {
    return this.#items.length;
  }
}
