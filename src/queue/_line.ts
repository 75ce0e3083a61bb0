/** Those who wait for something of a queue. */

import { waitMs, type WaitOptions } from "../base/options.ts";
import { settledWithin } from "../platform/runtime.ts";
import { interruptible } from "../platform/task.ts";

/** A place in line of one who waits for a `V`. */
export class Place<V = void> {
  readonly #served = Promise.withResolvers<V>();
  /** Whether the wait is over, for good or ill. */
  served = false;
  /** The neighbours in line. */
  ahead: this | undefined;
  behind: this | undefined;

  /** What this wait gives, once it is served. */
  get promise(): Promise<V> {
    return this.#served.promise;
  }

  /** Ends the wait with what was waited for. */
  serve(value: V): void {
    this.served = true;
    this.#served.resolve(value);
  }

  /** Ends the wait with an error. */
  fail(error: unknown): void {
    this.served = true;
    this.#served.reject(error);
  }
}

/** A line of those who wait, in the order they came. Linked, so that whoever gives up leaves at once and no trace. */
export class Line<V, P extends Place<V> = Place<V>> {
  #first: P | undefined;
  #last: P | undefined;

  /** Whether nobody waits. */
  get idle(): boolean {
    return this.#first === undefined;
  }

  /** Takes the first out of line. */
  shift(): P | undefined {
    const first = this.#first;
    if (first !== undefined) this.#remove(first);
    return first;
  }

  /** Waits in line until `place` is served. Is in line when it returns; throws what `tooLate` makes of a timeout. */
  wait(place: P, options: WaitOptions | undefined, tooLate: (ms: number) => Error): Promise<V> {
    place.ahead = this.#last;
    if (this.#last === undefined) this.#first = place;
    else this.#last.behind = place;
    this.#last = place;
    return interruptible(options, async (options) => {
      const ms = waitMs(options);
      try {
        await settledWithin(place.promise, ms, options?.signal);
      } catch (error) {
        // Who was served and aborted in the same turn keeps what he was served.
        if (!place.served) throw error;
      } finally {
        if (!place.served) this.#remove(place);
      }
      if (!place.served) throw tooLate(ms);
      return await place.promise;
    });
  }

  #remove(place: P): void {
    if (place.ahead === undefined) this.#first = place.behind;
    else place.ahead.behind = place.behind;
    if (place.behind === undefined) this.#last = place.ahead;
    else place.behind.ahead = place.ahead;
    place.ahead = place.behind = undefined;
  }
}
