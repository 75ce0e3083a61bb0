/**
 * Who holds an end of a pipe: a table in shared memory, and one Connection's part in it.
 *
 * ```
 * table: guard · copies in flight to nobody knows whom · how many entries were ever used · entries
 * entry: the holder's agent id, or 0 · how many Connections it has · how many of them count
 * ```
 *
 * A Connection that was handed on and not used here before or since does not count: where CPython needs the parent to
 * close its copy of the child's end, or else waits for ever for a dead child, here the copy matters only once it is
 * used. Entries of dead agents do not count.
 */

import { RuntimeError } from "../base/errors.ts";
import { thisAgent } from "../transport/agent.ts";
import * as guard from "../transport/guard.ts";
import type { PackContext } from "../transport/registry.ts";
import type { Link } from "../transport/remote.ts";

const ENTRIES = 64;
const GUARD = 0;
const IN_FLIGHT = 1;
const USED_ENTRIES = 2;
const FIRST_ENTRY = 3;
const ENTRY_WORDS = 3;
const CONNECTIONS = 1;
const COUNTING = 2;

/** Words a table takes in its block. */
export const HOLDERS_WORDS: number = FIRST_ENTRY + ENTRIES * ENTRY_WORDS;

/** Instead of an entry: whoever takes the message makes one. */
const NO_ENTRY = -1;

/** The agent that a message goes to; 0 if that is whoever takes it. Throws where a message cannot carry handles. */
export function destinationOf({ wire, context }: PackContext): number {
  return wire ? (context as Link).peer : (context as { destination?: number } | undefined)?.destination ?? 0;
}

/** A table, seen by one agent. */
export class Holders {
  /** The block it lies in. */
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly #at: number;

  constructor(words: Int32Array<SharedArrayBuffer>, at: number) {
    this.words = words;
    this.#at = at;
  }

  /** A table in a block of its own. */
  static create(): Holders {
    return new Holders(new Int32Array(new SharedArrayBuffer(HOLDERS_WORDS * 4)), 0);
  }

  /** Whether somebody holds the end, or will. */
  anybody(): boolean {
    return this.#any(COUNTING);
  }

  /** Whether anybody but `agent` has it, or will, be it without counting. */
  othersThan(agent: number): boolean {
    return this.#any(CONNECTIONS, agent);
  }

  /** Whether nobody has it any more, not even without counting. */
  empty(): boolean {
    return !this.#any(CONNECTIONS);
  }

  /** Enters one more Connection, which counts, and gives its entry; with holder 0 it is in flight. */
  enter(holder: number): number {
    const { words } = this;
    if (holder === 0) {
      Atomics.add(words, this.#at + IN_FLIGHT, 1);
      return NO_ENTRY;
    }
    return this.#guarded(() => {
      const used = words[this.#at + USED_ENTRIES]!;
      let free = used;
      for (let entry = 0; entry < used; entry++) {
        const at = this.#entry(entry);
        if (words[at] === holder) {
          words[at + CONNECTIONS]!++;
          words[at + COUNTING]!++;
          return entry;
        }
        if (free === used && !thisAgent().directory.alive(words[at]!)) free = entry;
      }
      if (free === ENTRIES) {
        throw new RuntimeError(
          `Cannot hand the connection on: ${ENTRIES} processes hold this end of the pipe already`,
        );
      }
      const at = this.#entry(free);
      words[at + CONNECTIONS] = words[at + COUNTING] = 1;
      Atomics.store(words, at, holder);
      words[this.#at + USED_ENTRIES] = Math.max(used, free + 1);
      return free;
    });
  }

  /** Whose entry it is. */
  holder(entry: number): number {
    return Atomics.load(this.words, this.#entry(entry));
  }

  /** Takes one Connection off, `counting` of which counted; out of the air, if it has no entry. */
  leave(entry: number, holder: number, counting: 0 | 1): void {
    const { words } = this;
    if (entry === NO_ENTRY) {
      Atomics.sub(words, this.#at + IN_FLIGHT, 1);
      return;
    }
    const at = this.#entry(entry);
    this.#guarded(() => {
      if (words[at] !== holder) return; // it is dead, and another has the entry by now
      words[at + COUNTING]! -= counting;
      if (--words[at + CONNECTIONS]! === 0) Atomics.store(words, at, 0);
    });
  }

  /** One Connection of the entry counts from now on, or does not any more. */
  count(entry: number, holder: number, by: 1 | -1): void {
    const at = this.#entry(entry);
    this.#guarded(() => {
      if (this.words[at] === holder) this.words[at + COUNTING]! += by;
    });
  }

  #any(which: typeof CONNECTIONS | typeof COUNTING, except = 0): boolean {
    const { words } = this;
    if (Atomics.load(words, this.#at + IN_FLIGHT) > 0) return true;
    const used = words[this.#at + USED_ENTRIES]!;
    for (let entry = 0; entry < used; entry++) {
      const at = this.#entry(entry);
      const holder = Atomics.load(words, at);
      if (holder === 0 || holder === except || words[at + which]! <= 0) continue;
      if (thisAgent().directory.alive(holder)) return true;
    }
    return false;
  }

  #entry(entry: number): number {
    return this.#at + FIRST_ENTRY + entry * ENTRY_WORDS;
  }

  #guarded<R>(work: () => R): R {
    guard.enter(thisAgent(), this.words, this.#at + GUARD);
    try {
      return work();
    } finally {
      guard.leave(this.words, this.#at + GUARD);
    }
  }
}

/** One Connection's part in a table: of this process, or of one that has it by way of this one. */
export class Hold {
  /** The table. */
  readonly holders: Holders;
  readonly #holder: number;
  readonly #entry: number;
  #used = false;
  #counts = true;
  #closed = false;

  constructor(holders: Holders, holder: number, entry: number = holders.enter(holder)) {
    this.holders = holders;
    this.#holder = holder;
    this.#entry = entry;
  }

  /** The hold of a Connection that arrived with this entry. */
  static arrive(holders: Holders, entry: number): Hold {
    if (entry !== NO_ENTRY) return new Hold(holders, holders.holder(entry), entry);
    const hold = new Hold(holders, thisAgent().id);
    // Only now that ours counts, or the end would be gone for a moment.
    holders.leave(NO_ENTRY, 0, 1);
    return hold;
  }

  /** The entry for a copy that goes to a process, or, with 0, to whoever takes it. */
  send(to: number, context: PackContext): number {
    const entry = this.holders.enter(to);
    context.onRefusal(() => this.holders.leave(entry, to, 1));
    return entry;
  }

  /** Ours has been handed on, in a message that may be refused yet, or has been sent. */
  handedOn(context?: PackContext): void {
    if (this.#used || !this.#counts) return;
    this.rest();
    context?.onRefusal(() => this.#count());
  }

  /** It is used here, and counts. */
  use(): void {
    this.#used = true;
    if (!this.#counts && !this.#closed) this.#count();
  }

  /** It does not count until it is used again. */
  rest(): void {
    if (!this.#counts) return;
    this.#counts = false;
    this.holders.count(this.#entry, this.#holder, -1);
  }

  /** It is given up. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.holders.leave(this.#entry, this.#holder, this.#counts ? 1 : 0);
    this.#counts = false;
  }

  #count(): void {
    this.#counts = true;
    this.holders.count(this.#entry, this.#holder, 1);
  }
}
