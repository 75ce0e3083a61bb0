/** SetProxy: the proxy of a set. */

import { type Count, count } from "./_count.ts";
import { checkedKey } from "./_key.ts";
import type { IteratorProxy } from "./iterator_proxy.ts";
import { itemsOf } from "./list_proxy.ts";
import { BaseProxy, call, proxyTravels } from "./proxy.ts";

/** The members as they travel. */
export function membersOf<T>(members: Iterable<T>): T[] {
  return itemsOf(members).map(checkedKey);
}

/**
 * The proxy of a set in the server of a manager, made by {@link SyncManager.set}. Each call is one step.
 *
 * Members are texts, numbers, bigints, booleans, `null` and `undefined`, compared as a Set does.
 *
 * Python: {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.managers.SyncManager.set | SyncManager.set}
 * (3.14), of which the methods are here that change the set, ask for one member, or for all.
 *
 * @typeParam T What the members are.
 *
 * @example
 * ```ts
 * import { Manager } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * await using manager = Manager();
 * const seen = manager.set(["a", "b"]);
 * await seen.add("a");
 * assert.equal(await seen.has("c"), false);
 * assert.deepEqual(await seen.copy(), new Set(["a", "b"]));
 * ```
 */
export class SetProxy<T = unknown> extends BaseProxy implements AsyncIterable<T> {
  /**
   * Adds a member.
   *
   * @param member The member.
   * @throws {TypeError} If it is an object.
   */
  add(member: T): Promise<void> {
    return this.#with("add", member);
  }

  /**
   * Whether something is a member.
   *
   * @param member What.
   */
  has(member: T): Promise<boolean> {
    return this.#with("has", member);
  }

  /**
   * Removes a member if it is one.
   *
   * @param member The member.
   * @returns Whether it was.
   */
  delete(member: T): Promise<boolean> {
    return this.#with("delete", member);
  }

  /**
   * The same as {@link SetProxy.delete}, under Python's name.
   *
   * @param member The member.
   */
  discard(member: T): Promise<void> {
    return this.#with("discard", member);
  }

  /**
   * Removes a member.
   *
   * @param member The member.
   * @throws {RangeError} If it is none.
   */
  remove(member: T): Promise<void> {
    return this.#with("remove", member);
  }

  /**
   * Removes one of the members.
   *
   * @returns The member.
   * @throws {RangeError} If there is none.
   */
  pop(): Promise<T> {
    return call(this, "pop");
  }

  /**
   * Adds several members, in one step.
   *
   * @param members The members.
   */
  // deno-lint-ignore require-await -- what cannot be members is a rejection
  async update(members: Iterable<T>): Promise<void> {
    return call(this, "update", [membersOf(members)]);
  }

  /** Removes every member. */
  clear(): Promise<void> {
    return call(this, "clear");
  }

  /** How many members there are: `await set.size`, or `await set.size()`. */
  get size(): Count {
    return count(() => call(this, "size"));
  }

  /** The members, in the order in which they were added. */
  values(): Promise<T[]> {
    return call(this, "values");
  }

  /** All of it, as a Set of this process. */
  copy(): Promise<Set<T>> {
    return call(this, "copy");
  }

  /**
   * Yields the members.
   *
   * @throws {RuntimeError} If members come or go meanwhile.
   */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<T> {
    using members = await call<IteratorProxy<T>>(this, "#iterate");
    yield* members;
  }

  // deno-lint-ignore require-await -- what cannot be a member is a rejection
  async #with<R>(method: string, member: T): Promise<R> {
    return call<R>(this, method, [checkedKey(member)]);
  }
}

proxyTravels(SetProxy, "Set");
