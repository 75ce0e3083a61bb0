/**
 * When to look again before going to sleep.
 *
 * Waking from sleep costs some 30 µs; an answer that comes within 20 µs is had cheaper by looking again. Where
 * answers do not come that fast (a slow peer, more threads than cores) looking is a waste, and the spin notices by
 * itself: each miss doubles the number of waits that go straight to sleep.
 */

const LONGEST_MS = 0.02;
const MOST_SKIPPED = 1024;

/** The habit of one waiter. */
export class Spin {
  #skip = 0;
  #penalty = 1;

  /** Looks for up to 20 µs, if that has paid lately. */
  until(ready: () => boolean): boolean {
    if (this.#skip > 0) {
      this.#skip--;
      return false;
    }
    const end = performance.now() + LONGEST_MS;
    do {
      for (let i = 0; i < 8; i++) {
        if (ready()) {
          this.#penalty = 1;
          return true;
        }
        Atomics.pause();
      }
    } while (performance.now() < end);
    this.#skip = this.#penalty;
    this.#penalty = Math.min(this.#penalty * 2, MOST_SKIPPED);
    return false;
  }
}
