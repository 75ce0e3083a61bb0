/** What the workers of the pool rows run. */

export function increment(n: number): number {
  return n + 1;
}

/** Keeps a core busy. */
export function spin(count: number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total = (Math.imul(total, 31) + i) & 1048575;
  return total;
}
