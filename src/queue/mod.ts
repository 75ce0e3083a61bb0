/**
 * Queues between the threads of one process, as in Python's `queue`.
 *
 * ```ts
 * import { Empty, Full, Queue } from "@multiprocessing/deno/queue";
 * import assert from "node:assert/strict";
 *
 * const queue = new Queue<string>(1);
 * await queue.put("bread");
 * await assert.rejects(queue.putNowait("milk"), Full);
 * assert.equal(await queue.get(), "bread");
 * await assert.rejects(queue.getNowait(), Empty);
 * ```
 *
 * For a queue between processes take the `Queue` of `@multiprocessing/deno`.
 *
 * @module
 */

export { Empty, Full, ShutDown } from "../base/errors.ts";
export type { WaitOptions } from "../base/options.ts";
export { LifoQueue } from "./lifo_queue.ts";
export { PriorityQueue } from "./priority_queue.ts";
export { Queue } from "./queue.ts";
export { SimpleQueue } from "./simple_queue.ts";
