/** Lines and pieces out of a stream that comes in parts, of bytes or of text. */

/** A part of a stream. */
export type Part = Uint8Array<ArrayBuffer> | string;

/** Asks for the next part of the stream by yielding; gets it, or an empty one at the end. */
export type Reading<P extends Part, R = P> = Generator<void, R, P>;

/** What a {@link PartReader} needs to know of its parts. */
interface Kind<P extends Part> {
  readonly empty: P;
  newlineIn(part: P): number;
  slice(part: P, from: number, to?: number): P;
  join(parts: readonly P[]): P;
}

/** Parts of bytes. */
export const BYTES: Kind<Uint8Array<ArrayBuffer>> = {
  empty: new Uint8Array(0),
  newlineIn: (part) => part.indexOf(10),
  slice: (part, from, to) => part.subarray(from, to),
  join: joinBytes,
};

/** Parts of text. */
export const TEXT: Kind<string> = {
  empty: "",
  newlineIn: (part) => part.indexOf("\n"),
  slice: (part, from, to) => part.slice(from, to),
  join: (parts) => parts.join(""),
};

/**
 * Cuts a stream into what is asked for, and keeps what is left over for the next time. A reading that is given up half
 * way loses nothing: the next one begins where it began.
 */
export class PartReader<P extends Part> {
  readonly #kind: Kind<P>;
  #unread: P;
  /** What the reading that is under way has so far. */
  #cut: P[] = [];

  constructor(kind: Kind<P>) {
    this.#kind = kind;
    this.#unread = kind.empty;
  }

  /** So much of the stream, less only at its end; all of it for a negative size. */
  *read(size: number): Reading<P> {
    this.#putBack();
    for (let left = size < 0 ? Infinity : size; left > 0;) {
      if (this.#unread.length === 0) {
        this.#unread = yield;
        if (this.#unread.length === 0) break;
      }
      left -= this.#take(Math.min(left, this.#unread.length));
    }
    return this.#taken();
  }

  /** A line with its newline, or the first so much of it. */
  *line(size: number): Reading<P> {
    this.#putBack();
    for (let left = size < 0 ? Infinity : size; left > 0;) {
      if (this.#unread.length === 0) {
        this.#unread = yield;
        if (this.#unread.length === 0) break;
      }
      const newline = this.#kind.newlineIn(this.#unread);
      const end = newline < 0 ? this.#unread.length : newline + 1;
      const whole = newline >= 0 && end <= left;
      left -= this.#take(Math.min(left, end));
      if (whole) break;
    }
    return this.#taken();
  }

  /** What was left over, which is then no longer here. */
  takeUnread(): P {
    this.#putBack();
    const unread = this.#unread;
    this.#unread = this.#kind.empty;
    return unread;
  }

  #take(count: number): number {
    this.#cut.push(this.#kind.slice(this.#unread, 0, count));
    this.#unread = this.#kind.slice(this.#unread, count);
    return count;
  }

  #taken(): P {
    return this.#kind.join(this.#cut.splice(0));
  }

  #putBack(): void {
    if (this.#cut.length > 0) this.#unread = this.#kind.join([...this.#cut.splice(0), this.#unread]);
  }
}

/** One array of all the bytes. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
