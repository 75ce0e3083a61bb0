/** IteratorProxy: the proxy of an iterator. */

import { BaseProxy, call, proxyTravels } from "./proxy.ts";

/**
 * The proxy of an iterator that runs in the server of a manager. Several processes may take from it; each item comes
 * to one of them.
 *
 * Python: `multiprocessing.managers.IteratorProxy`.
 *
 * @typeParam T What it yields.
 *
 * @example Two who share the items
 * ```ts
 * import { BaseManager, type IteratorProxy } from "@multiprocessing/deno";
 * import { squares } from "examples/targets.ts";
 * import assert from "node:assert/strict";
 *
 * class MyManager extends BaseManager {
 *   declare squares: (count: number) => IteratorProxy<number>;
 * }
 * MyManager.register("squares", squares); // a generator function
 *
 * await using manager = new MyManager();
 * await manager.start();
 * const items = manager.squares(5);
 * assert.deepEqual(await items.next(), { value: 0, done: false });
 * assert.deepEqual(await Array.fromAsync(items), [1, 4, 9, 16]);
 * ```
 */
export class IteratorProxy<T = unknown> extends BaseProxy implements AsyncIterableIterator<T> {
  /** The next item. */
  next(): Promise<IteratorResult<T, undefined>> {
    return call(this, "next");
  }

  /** Ends the iterator: nobody gets anything more from it. */
  return(): Promise<IteratorResult<T, undefined>> {
    return call(this, "return");
  }

  /** The proxy itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }
}

proxyTravels(IteratorProxy, "Iterator");
