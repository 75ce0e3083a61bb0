/** What can be a key of a shared dict, and a member of a shared set. */

/** Refuses an object: what arrives is a copy, which no other key is the same as. */
export function checkedKey<K>(key: K): K {
  if (typeof key === "function" || (typeof key === "object" && key !== null)) {
    throw new TypeError(
      `Cannot use ${
        Array.isArray(key) ? "an array" : `a ${typeof key}`
      } as key: it would arrive as a copy, which ` +
        `nothing else is equal to; use a text, a number, a bigint, a boolean, null or undefined`,
    );
  }
  return key;
}
