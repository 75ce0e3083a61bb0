/** PriorityQueue: a queue whose least item comes first. */

import { Heap } from "./_heap.ts";
import { Queue } from "./queue.ts";

/**
 * A {@link Queue} whose least item comes first.
 *
 * What is less goes by Python's rules:
 *
 * - numbers, bigints and booleans by value; strings as JavaScript's `<` compares them;
 * - arrays as tuples, by their first items that differ, so an item often is `[priority, data]`;
 * - objects with a method `compareTo(other)` by the sign of what it gives;
 * - other objects by their `valueOf()`, as dates.
 *
 * What cannot be compared is a `TypeError`, and the queue is as it was before. Items that are equal come in no
 * particular order: for theirs put a counter between priority and data, `[priority, count, data]`.
 *
 * Python: {@link https://docs.python.org/3/library/queue.html#queue.PriorityQueue | queue.PriorityQueue}.
 *
 * @typeParam T What the items are.
 *
 * @example
 * ```ts
 * import { PriorityQueue } from "@multiprocessing/deno/queue";
 * import assert from "node:assert/strict";
 *
 * const work = new PriorityQueue<[priority: number, what: string]>();
 * await work.put([3, "sweep"]);
 * await work.put([1, "bake"]);
 * await work.put([2, "sell"]);
 * work.shutdown();
 * assert.deepEqual(await Array.fromAsync(work, ([, what]) => what), ["bake", "sell", "sweep"]);
 * ```
 */
export class PriorityQueue<T = unknown> extends Queue<T> {
  readonly #items = new Heap<T>();

  /** Keeps an item where it belongs; throws a `TypeError` if it cannot be compared with the others. */
  protected override _put(item: T): void {
    this.#items.push(item);
  }

  /** Gives the least item. */
  protected override _get(): T {
    return this.#items.pop();
  }

  /** Counts the items that are kept. */
  protected override _qsize(): number {
    return this.#items.size;
  }
}
