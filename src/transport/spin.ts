/**
 * When to look again before going to sleep.
 *
 * Waking from sleep costs some 30 µs; an answer that comes within 20 µs is had cheaper by looking again. Where
 * answers do not come that fast (a slow peer, more threads than cores) looking is a waste, and the spin notices by
 * itself: each miss doubles the number of waits that go straight to sleep. The one look after those is longer, so
 * that it outlasts the waking of a peer that sleeps too: two sleepers would otherwise never meet awake.
 */

const USUAL_MS = 0.02;
const LONG_MS = 0.06;
const MOST_SKIPPED = 64;

/** The habit of one waiter. */
export class Spin {
  #skip = 0;
  #penalty = 1;

  /** Looks for a while, if that has paid lately. */
  until(ready: () => boolean): boolean {
    if (this.#skip > 0) {
      this.#skip--;
      return false;
    }
    const end = performance.now() + (this.#penalty > 1 ? LONG_MS : USUAL_MS);
    do {
      for (let i = 0; i < 8; i++) {
        if (ready()) {
          // Not at once back to 1: where one look in ten pays, the other nine cost more than it saves.
          this.#penalty = Math.max(1, this.#penalty >> 1);
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
