/**
 * A ring of frames in growable shared memory: variable-length byte strings, first in, first out.
 *
 * Bytes from `HEAD` to `TAIL` are in use. A frame never wraps: when it does not fit before the end of the region,
 * `WRAP` remembers where the upper part ends and the frame goes to the bottom. When there is no room at all the
 * region grows (the SharedArrayBuffer is growable; views are fixed-length, which keeps them fast, and are renewed
 * when `CAP` has changed). Every method is called under the guard of the lane that owns the words.
 *
 * ```
 * frame: length in bytes · ticket of its attachments or 0 · payload, padded to 4
 * ```
 *
 * The payload of a frame with a ticket is one word: how many bytes lie elsewhere, which count as used here.
 */

const HEAD = 0;
const TAIL = 1;
/** End of the upper part while the data wraps around, else 0. */
const WRAP = 2;
const CAP = 3;
const COUNT = 4;
const USED = 5;

/** Words a ring takes in its owner's block. */
export const RING_WORDS = 6;

const HEADER_BYTES = 8;
const INITIAL_BYTES = 16 * 1024;
/** Address space reserved for each ring; memory is committed as the ring grows. */
const MAX_BYTES = 512 * 1024 * 1024;
/** Below this a loop copies faster than `set` with its temporary view. */
const SHORT_BYTES = 96;

/** The memory a new ring needs. */
export function newRingMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(INITIAL_BYTES, { maxByteLength: MAX_BYTES });
}

/** A ring, seen by one agent. */
export class Ring {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #at: number;
  #bytes: Uint8Array<SharedArrayBuffer>;
  #ints: Int32Array<SharedArrayBuffer>;
  #scratch = new Uint8Array(1024);

  constructor(words: Int32Array<SharedArrayBuffer>, at: number, memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#words = words;
    this.#at = at;
    if (words[at + CAP] === 0) words[at + CAP] = INITIAL_BYTES;
    this.#bytes = new Uint8Array(memory, 0, 0);
    this.#ints = new Int32Array(memory, 0, 0);
    this.#renewViews();
  }

  #renewViews(): void {
    const capacity = this.#words[this.#at + CAP]!;
    this.#bytes = new Uint8Array(this.memory, 0, capacity);
    this.#ints = new Int32Array(this.memory, 0, capacity / 4);
  }

  /** Frames in the ring. May be read without the guard. */
  get count(): number {
    return Atomics.load(this.#words, this.#at + COUNT);
  }

  /** Bytes in the ring, headers included, and bytes that lie elsewhere for its frames. */
  get used(): number {
    return Atomics.load(this.#words, this.#at + USED);
  }

  /** Appends a frame; `false` if the ring can grow no further. */
  push(payload: Uint8Array, ticket: number): boolean {
    const words = this.#words;
    const at = this.#at;
    const length = payload.length;
    const need = HEADER_BYTES + (length + 3 & ~3);
    if (this.#bytes.length !== words[at + CAP]) this.#renewViews();
    const start = this.#reserve(need);
    if (start < 0) return false;
    this.#ints[start >> 2] = length;
    this.#ints[(start >> 2) + 1] = ticket;
    const body = start + HEADER_BYTES;
    const bytes = this.#bytes;
    if (length <= SHORT_BYTES) { for (let i = 0; i < length; i++) bytes[body + i] = payload[i]!; }
    else bytes.set(payload, body);
    // The frame counts from here on; an agent that dies above has changed nothing that is looked at.
    words[at + TAIL] = start + need;
    words[at + USED]! += need + (ticket === 0 ? 0 : this.#ints[body >> 2]!);
    Atomics.store(words, at + COUNT, words[at + COUNT]! + 1);
    return true;
  }

  /** Ticket of the first frame; only when there is one. */
  peekTicket(): number {
    const words = this.#words;
    if (this.#bytes.length !== words[this.#at + CAP]) this.#renewViews();
    return this.#ints[(this.#front() >> 2) + 1]!;
  }

  /** Takes the first frame; only when there is one. The bytes are valid until the next `shift`. */
  shift(): Uint8Array {
    const words = this.#words;
    const at = this.#at;
    if (this.#bytes.length !== words[at + CAP]) this.#renewViews();
    const start = this.#front();
    const length = this.#ints[start >> 2]!;
    const body = start + HEADER_BYTES;
    if (this.#scratch.length < length) this.#scratch = new Uint8Array(length * 2);
    const out = this.#scratch;
    const bytes = this.#bytes;
    if (length <= SHORT_BYTES) { for (let i = 0; i < length; i++) out[i] = bytes[body + i]!; }
    else out.set(bytes.subarray(body, body + length));
    const size = HEADER_BYTES + (length + 3 & ~3);
    const left = words[at + COUNT]! - 1;
    words[at + USED]! -= size + (this.#ints[(start >> 2) + 1] === 0 ? 0 : this.#ints[body >> 2]!);
    if (left === 0) {
      // Empty: begin at the bottom again, so that a ring that keeps up stays within its first pages.
      words[at + HEAD] = 0;
      words[at + TAIL] = 0;
      words[at + WRAP] = 0;
    } else {
      words[at + HEAD] = start + size;
    }
    Atomics.store(words, at + COUNT, left);
    return out.subarray(0, length);
  }

  /** Puts a frame before all others. Rare, so it may cost a copy of everything. */
  unshift(payload: Uint8Array, ticket: number): void {
    const frames: [Uint8Array, number][] = [[payload, ticket]];
    while (this.count > 0) {
      const next = this.peekTicket();
      frames.push([this.shift().slice(), next]);
    }
    for (const [bytes, its] of frames) this.push(bytes, its);
  }

  /** Forgets every frame; returns their tickets. */
  clear(): number[] {
    const tickets: number[] = [];
    while (this.count > 0) {
      tickets.push(this.peekTicket());
      this.shift();
    }
    return tickets;
  }

  /** Offset of the first frame, stepping over the unused end of the upper part. */
  #front(): number {
    const words = this.#words;
    const at = this.#at;
    if (words[at + WRAP] !== 0 && words[at + HEAD] === words[at + WRAP]) {
      words[at + HEAD] = 0;
      words[at + WRAP] = 0;
    }
    return words[at + HEAD]!;
  }

  /** Offset of `need` free bytes in one piece, or -1. */
  #reserve(need: number): number {
    const words = this.#words;
    const at = this.#at;
    for (;;) {
      const capacity = words[at + CAP]!;
      const head = this.#front();
      const tail = words[at + TAIL]!;
      if (words[at + WRAP] === 0) {
        if (capacity - tail >= need) return tail;
        // The upper part ends here and the frame goes below HEAD; `>` keeps HEAD and TAIL apart.
        if (head > need) {
          words[at + WRAP] = tail;
          words[at + TAIL] = 0;
          return 0;
        }
      } else if (head - tail > need) {
        return tail;
      }
      if (!this.#grow(need)) return -1;
    }
  }

  /** Doubles the region; data that wraps around is laid in one piece again. */
  #grow(need: number): boolean {
    const words = this.#words;
    const at = this.#at;
    let capacity = words[at + CAP]!;
    const wrap = words[at + WRAP]!;
    const tail = words[at + TAIL]!;
    while (capacity < (wrap === 0 ? tail : wrap + tail) + need) capacity *= 2;
    capacity = Math.max(capacity, words[at + CAP]! * 2);
    if (capacity > MAX_BYTES) return false;
    if (this.memory.byteLength < capacity) this.memory.grow(capacity);
    words[at + CAP] = capacity;
    this.#renewViews();
    if (wrap !== 0) {
      this.#bytes.copyWithin(wrap, 0, tail);
      words[at + TAIL] = wrap + tail;
      words[at + WRAP] = 0;
    }
    return true;
  }
}
