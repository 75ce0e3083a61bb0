/**
 * A heap: a list from which the least item can be taken fast.
 *
 * Both operations compare before they move anything. So when a comparison throws, the heap is as it was before, where
 * Python's `heapq` and the heaps of libraries have lost or half placed an item.
 */

import { isBefore } from "./_order.ts";

/** A binary heap: no item comes before the one at half its place. */
export class Heap<T> {
  readonly #items: T[] = [];

  /** How many items there are. */
  get size(): number {
    return this.#items.length;
  }

  /** Adds an item. */
  push(item: T): void {
    const items = this.#items;
    let place = items.length;
    while (place > 0 && isBefore(item, items[parentOf(place)]!)) place = parentOf(place);
    for (let hole = items.length; hole > place; hole = parentOf(hole)) items[hole] = items[parentOf(hole)]!;
    items[place] = item;
  }

  /** Takes the least item; there must be one. */
  pop(): T {
    const items = this.#items;
    const least = items[0]!;
    const last = items.at(-1)!;
    // The places whose items move up, until the last one fits.
    const path: number[] = [];
    for (let child = 1; child < items.length - 1; child = 2 * child + 1) {
      if (child + 1 < items.length - 1 && isBefore(items[child + 1], items[child])) child++;
      if (!isBefore(items[child], last)) break;
      path.push(child);
    }
    let hole = 0;
    for (const child of path) {
      items[hole] = items[child]!;
      hole = child;
    }
    items[hole] = last;
    items.pop();
    return least;
  }
}

function parentOf(place: number): number {
  return (place - 1) >> 1;
}
