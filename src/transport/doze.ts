/**
 * When to block the thread for a moment instead of going through the event loop.
 *
 * Waking a blocked thread costs one wake-up of the system; waking an event loop costs two or three, and 16 loops that
 * are woken at a time hinder each other. A worker whose answer comes soon therefore dozes: it blocks for up to two
 * milliseconds before it waits asynchronously. Whatever else goes on in the worker is held up by that much at most:
 * dozes that are in vain become rare, and {@link Doze.turn} sees to it that the event loop has its turn.
 */

import { nextTurn } from "../platform/runtime.ts";

const LONGEST_MS = 2;
const MOST_SKIPPED = 64;
const TURN_MS = 20;

/** The habit of one waiter. */
export class Doze {
  readonly #mostSkipped: number;
  #skip = 0;
  #penalty = 1;
  #paid = false;
  /** When the event loop last had its turn, as far as we know. */
  #turnedMs = 0;

  /** `mostSkipped`: after dozes in vain so many waits at most go by without one. */
  constructor(mostSkipped: number = MOST_SKIPPED) {
    this.#mostSkipped = mostSkipped;
  }

  /** Whether the event loop had no turn for long. */
  get turnDue(): boolean {
    return performance.now() - this.#turnedMs > TURN_MS;
  }

  /** Lets the event loop have its turn if that is due. */
  turn(): Promise<void> | undefined {
    if (!this.turnDue) return undefined;
    this.#turnedMs = performance.now();
    return nextTurn();
  }

  /** Waits by `block`, which gives whether that was worth it, if it has paid lately. Says whether it did. */
  until(block: (ms: number) => boolean): boolean {
    const ms = this.longestMs;
    return ms > 0 && this.note(block(ms));
  }

  /** Whether blocking has paid the last time. */
  get pays(): boolean {
    return this.#paid;
  }

  /** For how long to block; 0 if it has not paid lately. Whoever then blocks says by {@link Doze.note} what came of it. */
  get longestMs(): number {
    if (this.#skip === 0) return LONGEST_MS;
    this.#skip--;
    return 0;
  }

  /** Notes whether blocking has paid. */
  note(paid: boolean): boolean {
    this.#paid = paid;
    if (paid) {
      this.#penalty = Math.max(1, this.#penalty >> 1);
    } else {
      this.#skip = this.#penalty;
      this.#penalty = Math.min(this.#penalty * 2, this.#mostSkipped);
    }
    return paid;
  }
}
