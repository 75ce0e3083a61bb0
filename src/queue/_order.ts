/** What comes before what, as Python's `<` says. */

/**
 * Whether `a` comes before `b`.
 *
 * - Numbers, bigints and booleans go by value, strings as JavaScript compares them.
 * - Arrays go by their first items that differ, as tuples do; then the shorter one comes first.
 * - Objects with a method `compareTo` go by what it says: a negative number if they come before its argument.
 * - Other objects go by their `valueOf()`, as dates do.
 *
 * @throws {TypeError} If they cannot be compared.
 */
export function isBefore(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return isArrayBefore(a, b);
  if (isComparable(a)) return a.compareTo(b) < 0;
  if (isComparable(b)) return b.compareTo(a) > 0;
  const [x, y] = [primitive(a), primitive(b)];
  if (isNumeric(x) && isNumeric(y)) return x < y;
  if (typeof x === "string" && typeof y === "string") return x < y;
  throw new TypeError(`'<' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

function isArrayBefore(a: readonly unknown[], b: readonly unknown[]): boolean {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    if (Object.is(a[i], b[i])) continue; // also what cannot be compared with anything is equal to itself
    if (isBefore(a[i], b[i])) return true;
    if (isBefore(b[i], a[i])) return false;
  }
  return a.length < b.length;
}

function isComparable(value: unknown): value is { compareTo(other: unknown): number } {
  return typeof (value as { compareTo?: unknown } | null | undefined)?.compareTo === "function";
}

function primitive(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return (value as { valueOf?(): unknown }).valueOf?.(); // what has no prototype has none
}

function isNumeric(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint" || typeof value === "boolean";
}

function typeName(value: unknown): string {
  if (typeof value !== "object") return typeof value;
  return value === null ? "null" : value.constructor?.name ?? "Object";
}
