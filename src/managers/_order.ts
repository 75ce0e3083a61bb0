/** Which items of a list are equal, and which comes first: as in Python, by what they hold. */

import { BaseProxy, referentOf } from "./proxy.ts";

/** Whether two items are equal: proxies if they stand for the same object, others if they hold the same. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b || Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof BaseProxy || b instanceof BaseProxy) {
    return a instanceof BaseProxy && b instanceof BaseProxy && sameReferent(a, b);
  }
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Date) return a.getTime() === (b as Date).getTime();
  if (a instanceof RegExp) return String(a) === String(b);
  if (a instanceof Error && String(a) !== String(b)) return false;
  if (a instanceof Set) {
    const other = b as typeof a;
    return a.size === other.size && [...a].every((one) => other.has(one));
  }
  if (a instanceof Map) {
    const other = b as typeof a;
    return a.size === other.size &&
      [...a].every(([key, value]) => other.has(key) && same(value, other.get(key)));
  }
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && same(Reflect.get(a, key), Reflect.get(b, key)));
}

function sameReferent(a: BaseProxy, b: BaseProxy): boolean {
  const [one, other] = [referentOf(a), referentOf(b)];
  return one.line === other.line && one.line.same(one.object, other.object);
}

const NUMERIC: ReadonlySet<string> = new Set(["number", "bigint", "boolean"]);

/** Which of two items comes first: negative if `a` does. Throws a TypeError for what cannot be compared. */
export function compare(a: unknown, b: unknown): number {
  if ((NUMERIC.has(typeof a) && NUMERIC.has(typeof b)) || (typeof a === "string" && typeof b === "string")) {
    return a! < b! ? -1 : a! > b! ? 1 : 0;
  }
  if (a instanceof Date && b instanceof Date) return a.getTime() - b.getTime();
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let i = 0; i < Math.min(a.length, b.length); i++) {
      if (!same(a[i], b[i])) return compare(a[i], b[i]);
    }
    return a.length - b.length;
  }
  throw new TypeError(`Cannot sort the list: '<' not supported between ${kindOf(a)} and ${kindOf(b)}`);
}

function kindOf(item: unknown): string {
  return item === null ? "null" : Array.isArray(item) ? "an array" : typeof item;
}
