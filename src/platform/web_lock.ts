/** Web Locks, which Deno 2.9 has and its types do not know. */

interface LockManager {
  request(name: string, held: () => unknown): Promise<unknown>;
}

/**
 * Calls `held` once this thread has the lock, and keeps it until what `held` returns has settled. Settles when it has
 * been given back.
 */
export async function requestWebLock(name: string, held: () => unknown): Promise<void> {
  const { locks } = navigator as unknown as { locks: LockManager };
  await locks.request(name, held);
}
