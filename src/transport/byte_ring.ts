/**
 * A ring of bytes in shared memory, from one writer to one reader, with backpressure.
 *
 * ```
 * words 0…3    reader: bytes read · open or closed · the node it waits with · its agent
 * words 16…19  writer: bytes written · open or how it ended · the node it waits with · its agent
 * then         the bytes, CAPACITY of them
 * ```
 *
 * Counters run on and wrap around at 2^32; their difference is what is inside. Whoever has to wait writes a node
 * into its own node word and looks once more; the other side, after each change, exchanges that word with 0 and
 * delivers the node. So neither side takes a guard, and a change that nobody waits for costs one load.
 *
 * Invariants:
 * - Each word but a node word has one writer. A counter or state is stored after the bytes it stands for.
 * - A node is in the word, on its way back, or idle. It is written into the word only while idle, or else it
 *   would be in an inbox twice.
 * - The memory may serve again after {@link resetRing}, when neither side waits.
 */

import { keepAlive, unrefTimer } from "../platform/runtime.ts";
import { thisTask } from "../platform/task.ts";
import { type Agent, type Outcome, thisAgent } from "./agent.ts";
import { Spin } from "./spin.ts";

const READER = 0;
const WRITER = 16; // a cache line further on, so that the two sides do not slow each other down
const COUNT = 0;
const STATE = 1;
const NODE = 2;
const AGENT = 3;

const HEADER_BYTES = 128;
const CAPACITY = 64 * 1024;
const MASK = CAPACITY - 1;
/** A waiting writer is woken when so much is free, not for every byte. */
const ROOM_BYTES = CAPACITY / 4;

/** The memory one ring takes. */
export const RING_BYTES: number = HEADER_BYTES + CAPACITY;

const OPEN = 0;
/** Reader: it takes no more. */
const CLOSED = 1;
/** Writer: that was all. */
const ENDED = 1;
/** Writer: it was cut off. */
const FAILED = 2;

const words = (memory: SharedArrayBuffer, at: number) => new Int32Array(memory, at, HEADER_BYTES / 4);
const bytes = (memory: SharedArrayBuffer, at: number) => new Uint8Array(memory, at + HEADER_BYTES, CAPACITY);

/** Empties a ring for its next use. Neither side may be waiting, or touch it meanwhile. */
export function resetRing(memory: SharedArrayBuffer, at: number): void {
  const header = words(memory, at);
  for (const side of [READER, WRITER]) {
    Atomics.store(header, side + COUNT, 0);
    Atomics.store(header, side + STATE, OPEN);
  }
}

/** What both sides have in common: how they wait for each other. */
class RingSide {
  /** Whether the agent on the other side has died. */
  gone = false;
  readonly #agent: Agent = thisAgent();
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #mine: number;
  readonly #theirs: number;
  readonly #ready: () => boolean;
  readonly #spin = new Spin();
  readonly #node: number;
  readonly #forgetDeaths: () => void;
  /** The node is in the word or on its way back. */
  #out = false;
  #hearing = false;
  #heard: (() => void) | undefined;

  /** `ready`: whether there is nothing to wait for. */
  constructor(header: Int32Array<SharedArrayBuffer>, mine: number, theirs: number, ready: () => boolean) {
    this.#words = header;
    this.#mine = mine;
    this.#theirs = theirs;
    this.#ready = ready;
    this.#node = this.#agent.node(this.#agent.id);
    Atomics.store(header, mine + AGENT, this.#agent.id);
    this.#forgetDeaths = this.#agent.onDeath(this.#lookForPeer);
  }

  /** Wakes the other side, if it waits. After every change it may wait for. */
  wake(): void {
    const word = this.#theirs + NODE;
    // The store of the change comes before this load, as the other side's store of its node comes before its last
    // look: one of the two sees the other.
    if (Atomics.load(this.#words, word) === 0) return;
    const node = Atomics.exchange(this.#words, word, 0);
    if (node !== 0) this.#agent.directory.deliver(node);
  }

  /** `true` if there is nothing to wait for; else `heard` is called once, when it is time to look again. */
  arm(heard: () => void): boolean {
    if (!this.#hearing) {
      this.#hearing = true;
      this.#agent.hear(this.#node, this.#delivered);
    }
    this.#heard = heard;
    this.#publish();
    this.#lookForPeer();
    if (!this.#ready()) return false;
    this.#heard = undefined;
    this.#withdraw();
    return true;
  }

  /** Looks for a moment, without being woken meanwhile; whoever looks arms again afterwards. */
  look(): boolean {
    this.#heard = undefined;
    this.#withdraw();
    return this.#spin.until(this.#ready);
  }

  /** Ends the wait that {@link arm} began, and calls its `heard`. */
  cancel(): void {
    this.#withdraw();
    this.#call();
  }

  /** Looks for a moment before sleeping, where that has paid lately. */
  spin(): boolean {
    return this.#spin.until(this.#ready);
  }

  /** Waits until there is something to look at. The event loop stays up meanwhile, unless a daemon thread waits. */
  async wait(ms: number): Promise<Outcome> {
    if (this.#ready() || this.spin()) return "granted";
    if (ms <= 0) return "timeout";
    let outcome: Outcome = "granted";
    let timer: ReturnType<typeof setTimeout> | undefined;
    const weak = thisTask().daemon;
    if (!weak) keepAlive.hold();
    await new Promise<void>((resolve) => {
      if (this.arm(resolve)) return resolve();
      if (ms >= 2 ** 31) return;
      timer = setTimeout(() => {
        outcome = "timeout";
        this.cancel();
      }, ms);
      if (weak) unrefTimer(timer);
    });
    if (!weak) keepAlive.drop();
    clearTimeout(timer);
    return outcome;
  }

  /** As {@link wait}, blocking the thread. */
  waitSync(ms: number): Outcome {
    if (this.#ready() || this.spin()) return "granted";
    const end = ms === Infinity ? Infinity : performance.now() + ms;
    for (;;) {
      this.#hearing = false; // the agent keeps one waiter per node
      this.#publish();
      this.#lookForPeer();
      if (this.#ready()) {
        this.#withdraw();
        return "granted";
      }
      const outcome = this.#agent.waitSync(this.#node, end - performance.now());
      if (outcome === "granted") this.#out = false;
      else this.#withdraw();
      if (!this.#ready() && outcome === "granted") continue;
      this.#call(); // an async wait that is pending here too has lost its node to us, and looks for itself
      return this.#ready() ? "granted" : outcome;
    }
  }

  /** Gives up what the side holds outside of its memory. */
  dispose(): void {
    this.cancel();
    this.#forgetDeaths();
    const release = () => {
      this.#agent.unhear(this.#node);
      this.#agent.freeNode(this.#node);
    };
    if (this.#out) this.#agent.hear(this.#node, release);
    else release();
  }

  #publish(): void {
    if (this.#out) return;
    this.#out = true;
    Atomics.store(this.#words, this.#mine + NODE, this.#node);
  }

  #withdraw(): void {
    if (!this.#out) return;
    // Where the other side was faster, the node is on its way back and `#out` stays until it is here.
    const word = this.#mine + NODE;
    if (Atomics.compareExchange(this.#words, word, this.#node, 0) === this.#node) this.#out = false;
  }

  readonly #delivered = (): void => {
    this.#out = false;
    this.#call();
  };

  #call(): void {
    const heard = this.#heard;
    this.#heard = undefined;
    heard?.();
  }

  readonly #lookForPeer = (): void => {
    if (this.gone) return;
    const peer = Atomics.load(this.#words, this.#theirs + AGENT);
    if (peer === 0 || this.#agent.directory.alive(peer)) return;
    this.gone = true;
    // What the dead one still delivered is in our inbox; what it took and did not deliver we deliver ourselves.
    this.#agent.sortInbox();
    if (!this.#out) return;
    Atomics.store(this.#words, this.#mine + NODE, 0);
    this.#agent.directory.deliver(this.#node);
  };
}

/** The side of a ring that bytes are taken from. */
export class RingReader {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  readonly #side: RingSide;

  constructor(memory: SharedArrayBuffer, at: number) {
    this.#words = words(memory, at);
    this.#bytes = bytes(memory, at);
    this.#side = new RingSide(this.#words, READER, WRITER, () => this.available > 0 || this.ended);
  }

  /** Bytes that can be taken at once. */
  get available(): number {
    return (Atomics.load(this.#words, WRITER + COUNT) - this.#words[READER + COUNT]!) | 0;
  }

  /** Whether no more bytes will be added. Those inside can still be taken. */
  get ended(): boolean {
    return Atomics.load(this.#words, WRITER + STATE) !== OPEN || this.#side.gone ||
      this.#words[READER + STATE] === CLOSED;
  }

  /** Whether it ended because the writer was cut off. */
  get failed(): boolean {
    return Atomics.load(this.#words, WRITER + STATE) === FAILED;
  }

  /** Bytes that can be taken, as many as lie in one piece: a view of the ring, until {@link consume}. */
  region(): Uint8Array<SharedArrayBuffer> {
    const from = this.#words[READER + COUNT]! & MASK;
    return this.#bytes.subarray(from, Math.min(from + this.available, CAPACITY));
  }

  /** Takes so many bytes away. */
  consume(count: number): void {
    Atomics.store(this.#words, READER + COUNT, (this.#words[READER + COUNT]! + count) | 0);
    if (CAPACITY - this.available >= ROOM_BYTES) this.#side.wake();
  }

  /** Takes up to `max` bytes that are there, as a copy. */
  take(max: number): Uint8Array<ArrayBuffer> {
    const count = Math.min(max, this.available);
    const from = this.#words[READER + COUNT]! & MASK;
    let taken: Uint8Array<ArrayBuffer>;
    if (from + count <= CAPACITY) {
      taken = new Uint8Array(count);
      // A loop is faster than set() with its temporary view for the short messages that matter.
      if (count <= 128) { for (let i = 0; i < count; i++) taken[i] = this.#bytes[from + i]!; }
      else taken.set(this.#bytes.subarray(from, from + count));
    } else {
      taken = new Uint8Array(count);
      const upper = this.#bytes.subarray(from);
      taken.set(upper);
      taken.set(this.#bytes.subarray(0, count - upper.length), upper.length);
    }
    this.consume(count);
    return taken;
  }

  /** Takes no more; the writer learns of it. */
  close(): void {
    Atomics.store(this.#words, READER + STATE, CLOSED);
    this.#side.wake();
    this.#side.cancel();
  }

  /** Waits until there are bytes, or no more will come. */
  wait(ms: number): Promise<Outcome> {
    return this.#side.wait(ms);
  }

  /** As {@link wait}, blocking the thread. */
  waitSync(ms: number): Outcome {
    return this.#side.waitSync(ms);
  }

  /** Looks for a moment whether there is something, in place of the wait that {@link arm} began. */
  look(): boolean {
    return this.#side.look();
  }

  /** `true` if there are bytes or no more will come; else `heard` is called once, when it is time to look again. */
  arm(heard: () => void): boolean {
    return this.#side.arm(heard);
  }

  /** Lets whoever waits on this side look again. */
  cancel(): void {
    this.#side.cancel();
  }

  /** Gives up what the reader holds outside of the ring. */
  dispose(): void {
    this.#side.dispose();
  }
}

/** The side of a ring that bytes are added to. */
export class RingWriter {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  readonly #side: RingSide;

  constructor(memory: SharedArrayBuffer, at: number) {
    this.#words = words(memory, at);
    this.#bytes = bytes(memory, at);
    this.#side = new RingSide(
      this.#words,
      WRITER,
      READER,
      () => this.room >= ROOM_BYTES || this.broken || this.#words[WRITER + STATE] !== OPEN,
    );
  }

  /** Bytes that can be added at once. */
  get room(): number {
    return CAPACITY - ((this.#words[WRITER + COUNT]! - Atomics.load(this.#words, READER + COUNT)) | 0);
  }

  /** Whether the reader takes no more. */
  get broken(): boolean {
    return Atomics.load(this.#words, READER + STATE) !== OPEN || this.#side.gone;
  }

  /** Where bytes can be added, as many as lie in one piece: a view of the ring, until {@link commit}. */
  region(): Uint8Array<SharedArrayBuffer> {
    const from = this.#words[WRITER + COUNT]! & MASK;
    return this.#bytes.subarray(from, Math.min(from + this.room, CAPACITY));
  }

  /** Adds so many bytes, which lie in the {@link region} already. */
  commit(count: number): void {
    Atomics.store(this.#words, WRITER + COUNT, (this.#words[WRITER + COUNT]! + count) | 0);
    this.#side.wake();
  }

  /** Adds as much of `data` from `start` on as there is room for; returns how much that was. */
  write(data: Uint8Array, start: number): number {
    const count = Math.min(data.length - start, this.room);
    const from = this.#words[WRITER + COUNT]! & MASK;
    if (count <= 128 && from + count <= CAPACITY) {
      for (let i = 0; i < count; i++) this.#bytes[from + i] = data[start + i]!;
    } else {
      const upper = Math.min(count, CAPACITY - from);
      this.#bytes.set(data.subarray(start, start + upper), from);
      if (upper < count) this.#bytes.set(data.subarray(start + upper, start + count), 0);
    }
    if (count > 0) this.commit(count);
    return count;
  }

  /** Adds no more. `failed`: the bytes before are not all there were meant to be. */
  end(failed: boolean): void {
    if (this.#words[WRITER + STATE] !== OPEN) return;
    Atomics.store(this.#words, WRITER + STATE, failed ? FAILED : ENDED);
    this.#side.wake();
    this.#side.cancel();
  }

  /** Waits until there is room, or the reader takes no more. */
  wait(ms: number): Promise<Outcome> {
    return this.#side.wait(ms);
  }

  /** As {@link wait}, blocking the thread. */
  waitSync(ms: number): Outcome {
    return this.#side.waitSync(ms);
  }

  /** `true` if there is room or the reader takes no more; else `heard` is called once, when to look again. */
  arm(heard: () => void): boolean {
    return this.#side.arm(heard);
  }

  /** Lets whoever waits on this side look again. */
  cancel(): void {
    this.#side.cancel();
  }

  /** Gives up what the writer holds outside of the ring. */
  dispose(): void {
    this.#side.dispose();
  }
}
