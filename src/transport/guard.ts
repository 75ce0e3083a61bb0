/**
 * The guard: the small mutex inside every shared primitive, held for a handful of instructions.
 *
 * Its word is 0, or the id of the holder with a flag for "somebody sleeps". A guard whose holder died is taken
 * over; the code it protects publishes each change with its last store, so what the dead one left is whole.
 */

import type { Agent } from "./agent.ts";

const SLEEPERS = 1 << 30;
const SPINS = 200;
/** A sleeper looks again after so many milliseconds whether the holder still lives. */
const SLICE_MS = 10;

/** Enters the critical section whose word is `words[at]`. */
export function enter(agent: Agent, words: Int32Array<SharedArrayBuffer>, at: number): void {
  agent.checkSentence();
  if (Atomics.compareExchange(words, at, 0, agent.id) !== 0) enterContended(agent, words, at);
}

function enterContended(agent: Agent, words: Int32Array<SharedArrayBuffer>, at: number): void {
  for (let spins = 0; spins < SPINS; spins++) {
    Atomics.pause();
    if (Atomics.load(words, at) === 0 && Atomics.compareExchange(words, at, 0, agent.id) === 0) return;
  }
  // From here on we take the guard with the flag set, since others may sleep behind us.
  const mine = agent.id | SLEEPERS;
  for (;;) {
    const seen = Atomics.load(words, at);
    if (seen === 0 || !agent.directory.alive(seen & ~SLEEPERS)) {
      if (Atomics.compareExchange(words, at, seen, mine) === seen) return;
      continue;
    }
    const marked = seen | SLEEPERS;
    if (seen !== marked && Atomics.compareExchange(words, at, seen, marked) !== seen) continue;
    Atomics.wait(words, at, marked, SLICE_MS);
  }
}

/** Leaves the critical section. */
export function leave(words: Int32Array<SharedArrayBuffer>, at: number): void {
  if (Atomics.exchange(words, at, 0) >= SLEEPERS) Atomics.notify(words, at, 1);
}
