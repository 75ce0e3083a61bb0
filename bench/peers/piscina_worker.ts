/** What a worker of piscina runs. */
export default function increment(n: number): number {
  return n + 1;
}
