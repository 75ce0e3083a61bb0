/**
 * The directory: the one block of shared memory that every agent of a program knows.
 *
 * An *agent* is whatever can hold a lock or wait: the program's main thread, each worker child and, by way of
 * its creator, each `"spawn"` child. The directory gives every agent a slot (who it is, whether it lives, the
 * word it sleeps on) and holds the arena of wait nodes that the wait lists of all primitives are made of.
 *
 * ```
 * words 0…15          header: high-water mark of slots, count of deaths, tickets, the node allocator, whose child it is
 * 16 words per slot   id · state · bell · inbox · kill · exit code · parent · pid · asleep
 * 8 words per node    agent · state · next · previous · inbox link · owner · value
 * ```
 *
 * Invariants:
 * - An id is never reused: it is slot plus generation. A word that holds the id of an agent whose slot has
 *   moved on therefore names a dead agent.
 * - `state` becomes DEAD before `deaths` is counted up, and `deaths` before any bell rings: whoever a bell
 *   wakes sees the death.
 * - Only the agent that allocated a node frees it (or whoever unlinks the node of a dead agent).
 */

import { RuntimeError } from "../base/errors.ts";

const SLOT_BITS = 12;
const MAX_SLOTS = 1 << SLOT_BITS;
const SLOT_MASK = MAX_SLOTS - 1;
/** Ids stay below 2^30, so that a word may carry one flag beside an id. */
const MAX_GENERATION = (1 << (30 - SLOT_BITS)) - 1;

const HEADER_WORDS = 16;
const HIGH_WATER = 0;
const DEATHS = 1;
const TICKETS = 2;
const FREE_GUARD = 3;
const FREE_HEAD = 4;
const NODE_CURSOR = 5;
const CHILD_NUMBERS = 6;
const OUTPOST = 7;

const SLOT_WORDS = 16;
const ID = 0;
const STATE = 1;
const BELL = 2;
const INBOX = 3;
const KILL = 4;
const EXIT_CODE = 5;
const PARENT = 6;
const PID = 7;
const ASLEEP = 8;

/** Instead of a process id: the agent is none of this program's processes. */
const GUEST = -1;

const FREE = 0;
const ALIVE = 1;
const DEAD = 2;
/** Somebody is filling the slot in. */
const ENROLLING = 3;

const NODE_WORDS = 8;
/** Memory is only committed when touched, so a large arena costs address space alone. */
const MAX_NODES = 1 << 20;
const SLOTS_BASE = HEADER_WORDS;
const NODES_BASE = HEADER_WORDS + MAX_SLOTS * SLOT_WORDS;

/** How many agents there can be at a time. */
export const SLOT_LIMIT: number = MAX_SLOTS;

/** The slot of an agent: a number below {@link SLOT_LIMIT} that no two living agents share. */
export function slotOf(id: number): number {
  return id & SLOT_MASK;
}

/** Offsets of a node's words from its index; node 0 does not exist, so 0 means none. */
export const NODE_AGENT = 0;
/** {@link WAITING} or {@link GRANTED}; changes only under the guard of the list the node is on. */
export const NODE_STATE = 1;
/** The next node of its list. */
export const NODE_NEXT = 2;
/** The previous node of its list. */
export const NODE_PREV = 3;
const NODE_INBOX = 4;
/** On whose behalf the wait is: differs from NODE_AGENT when a creator waits for its `"spawn"` child. */
export const NODE_OWNER = 5;
/** Free for the primitive. */
export const NODE_VALUE = 6;

/** The node is in line. */
export const WAITING = 1;
/** The node got what it waited for and has not collected it yet. */
export const GRANTED = 2;

/** The shared directory, seen by one agent. */
export class Directory {
  /** What is handed to each new worker child. */
  readonly buffer: SharedArrayBuffer;
  /** Every word of the directory; nodes are addressed by word index in it. */
  readonly words: Int32Array<SharedArrayBuffer>;

  constructor(buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer((NODES_BASE + MAX_NODES * NODE_WORDS) * 4);
    this.words = new Int32Array(this.buffer);
    if (buffer === undefined) this.words[NODE_CURSOR] = 1;
  }

  /** No slot from this one on was ever used. */
  get highWater(): number {
    return Atomics.load(this.words, HIGH_WATER);
  }

  /** The id of the program's main thread, which enrolled first. */
  get hub(): number {
    return Atomics.load(this.words, SLOTS_BASE + ID);
  }

  /** Takes a free slot for a new agent and returns its id. */
  enroll(parent: number): number {
    const { words } = this;
    for (let slot = 0; slot < MAX_SLOTS; slot++) {
      const at = SLOTS_BASE + slot * SLOT_WORDS;
      if (Atomics.compareExchange(words, at + STATE, FREE, ENROLLING) !== FREE) continue;
      const generation = (Atomics.load(words, at + ID) >>> SLOT_BITS) % MAX_GENERATION + 1;
      const id = generation << SLOT_BITS | slot;
      Atomics.store(words, at + ID, id);
      Atomics.store(words, at + INBOX, 0);
      Atomics.store(words, at + KILL, 0);
      Atomics.store(words, at + EXIT_CODE, 0);
      Atomics.store(words, at + PARENT, parent);
      Atomics.store(words, at + PID, 0);
      Atomics.store(words, at + STATE, ALIVE);
      for (;;) {
        const high = Atomics.load(words, HIGH_WATER);
        if (high > slot || Atomics.compareExchange(words, HIGH_WATER, high, slot + 1) === high) break;
      }
      return id;
    }
    throw new RuntimeError(
      `Cannot start another process: ${MAX_SLOTS} processes of this program are alive; join() some first`,
    );
  }

  /** Takes a slot for somebody outside who is served by `host`, and goes with it. */
  enrollGuest(host: number): number {
    const id = this.enroll(host);
    this.setPid(id, GUEST);
    return id;
  }

  /** Whether the agent is one of {@link enrollGuest}. */
  isGuest(id: number): boolean {
    return this.pid(id) === GUEST;
  }

  /** Gives a dead agent's slot back, once its exit code has been read. */
  release(id: number): void {
    const at = this.#slot(id);
    if (Atomics.load(this.words, at + ID) === id) {
      Atomics.compareExchange(this.words, at + STATE, DEAD, FREE);
    }
  }

  #slot(id: number): number {
    return SLOTS_BASE + (id & SLOT_MASK) * SLOT_WORDS;
  }

  /** Whether the agent lives. An id whose slot was given to somebody else belongs to a dead one. */
  alive(id: number): boolean {
    const at = this.#slot(id);
    return Atomics.load(this.words, at + ID) === id && Atomics.load(this.words, at + STATE) === ALIVE;
  }

  /** The exit code of a dead agent; `undefined` while it lives or once its slot was released. */
  exitCode(id: number): number | undefined {
    const at = this.#slot(id);
    if (Atomics.load(this.words, at + ID) !== id || Atomics.load(this.words, at + STATE) !== DEAD) {
      return undefined;
    }
    return Atomics.load(this.words, at + EXIT_CODE);
  }

  /** Enters the process id, for a starter that could not know it at once. */
  setPid(id: number, pid: number): void {
    Atomics.store(this.words, this.#slot(id) + PID, pid);
  }

  /** The process id that was entered; 0 for none. */
  pid(id: number): number {
    const at = this.#slot(id);
    return Atomics.load(this.words, at + ID) === id ? Atomics.load(this.words, at + PID) : 0;
  }

  /** The agents that `parent` started and that still have a slot. */
  childrenOf(parent: number): number[] {
    const found: number[] = [];
    const high = Atomics.load(this.words, HIGH_WATER);
    for (let slot = 0; slot < high; slot++) {
      const at = SLOTS_BASE + slot * SLOT_WORDS;
      if (Atomics.load(this.words, at + STATE) !== FREE && Atomics.load(this.words, at + PARENT) === parent) {
        found.push(Atomics.load(this.words, at + ID));
      }
    }
    return found;
  }

  /**
   * Records a death and wakes every agent, so that whoever waits for something the dead one held can see to it.
   * The first report counts: a later one for the same agent changes nothing.
   */
  bury(id: number, exitCode: number): boolean {
    const { words } = this;
    const at = this.#slot(id);
    if (Atomics.load(words, at + ID) !== id || Atomics.load(words, at + STATE) !== ALIVE) return false;
    Atomics.store(words, at + EXIT_CODE, exitCode);
    if (Atomics.compareExchange(words, at + STATE, ALIVE, DEAD) !== ALIVE) return false;
    Atomics.add(words, DEATHS, 1);
    if (Atomics.load(words, at + PID) === GUEST) {
      // Only who serves it has something of its.
      this.#alarm(this.#slot(Atomics.load(words, at + PARENT)));
      return true;
    }
    const high = Atomics.load(words, HIGH_WATER);
    for (let slot = 0; slot < high; slot++) {
      const other = SLOTS_BASE + slot * SLOT_WORDS;
      if (Atomics.load(words, other + STATE) === ALIVE) this.#alarm(other);
    }
    return true;
  }

  /** How many agents have died so far: a change tells a waiter to look again at whom it depends on. */
  deaths(): number {
    return Atomics.load(this.words, DEATHS);
  }

  /** Asks an agent to die with `code` the next time it waits or enters a primitive. */
  condemn(id: number, code: number): void {
    const at = this.#slot(id);
    if (Atomics.load(this.words, at + ID) !== id) return;
    Atomics.store(this.words, at + KILL, code);
    this.#alarm(at);
  }

  /** The code that {@link condemn} left for the agent; 0 for none. */
  sentence(id: number): number {
    return Atomics.load(this.words, this.#slot(id) + KILL);
  }

  /** The word index of an agent's bell, on which all its waits sleep. */
  bell(id: number): number {
    return this.#slot(id) + BELL;
  }

  /** The word index of an agent's flag that it sleeps, or is about to: set by the agent before it waits on its bell. */
  asleep(id: number): number {
    return this.#slot(id) + ASLEEP;
  }

  // A notify takes a mutex that the whole program shares, and wakes an event loop by a system call: it is only made
  // for who sleeps, and once. An agent that is about to sleep sets its flag and then finds the bell changed.
  #ring(slotAt: number): void {
    const { words } = this;
    Atomics.add(words, slotAt + BELL, 1);
    if (Atomics.load(words, slotAt + ASLEEP) === 0) return;
    if (Atomics.exchange(words, slotAt + ASLEEP, 0) !== 0) Atomics.notify(words, slotAt + BELL);
  }

  // Notifies in any case: whoever took the flag down may have died before it did.
  #alarm(slotAt: number): void {
    Atomics.add(this.words, slotAt + BELL, 1);
    Atomics.notify(this.words, slotAt + BELL);
  }

  /** Puts a granted node into its agent's inbox and wakes the agent. Never blocks. */
  deliver(node: number): void {
    const { words } = this;
    const at = this.#slot(words[node + NODE_AGENT]!);
    for (;;) {
      const first = Atomics.load(words, at + INBOX);
      words[node + NODE_INBOX] = first;
      if (Atomics.compareExchange(words, at + INBOX, first, node) === first) break;
    }
    this.#ring(at);
  }

  /** Takes everything out of an agent's inbox, oldest first. */
  collect(id: number, each: (node: number) => void): void {
    const { words } = this;
    const at = this.#slot(id) + INBOX;
    if (Atomics.load(words, at) === 0) return;
    let node = Atomics.exchange(words, at, 0);
    let reversed = 0;
    while (node !== 0) {
      const next = words[node + NODE_INBOX]!;
      words[node + NODE_INBOX] = reversed;
      reversed = node;
      node = next;
    }
    while (reversed !== 0) {
      const next = words[reversed + NODE_INBOX]!;
      each(reversed);
      reversed = next;
    }
  }

  /** A number no other message of this program has. */
  ticket(): number {
    return Atomics.add(this.words, TICKETS, 1) + 1;
  }

  /** Whether this program is a `"spawn"` child of another. */
  get outpost(): boolean {
    return Atomics.load(this.words, OUTPOST) === 1;
  }

  set outpost(outpost: boolean) {
    Atomics.store(this.words, OUTPOST, outpost ? 1 : 0);
  }

  /** The next number for a child of this program; process ids of worker children are made of it. */
  childNumber(): number {
    return Atomics.add(this.words, CHILD_NUMBERS, 1) + 1;
  }

  /** Takes `count` nodes out of the arena into `free`. */
  takeNodes(count: number, free: number[]): void {
    const { words } = this;
    this.#lockFree();
    let head = words[FREE_HEAD]!;
    while (count > 0 && head !== 0) {
      free.push(head);
      head = words[head + NODE_NEXT]!;
      count--;
    }
    words[FREE_HEAD] = head;
    while (count > 0 && words[NODE_CURSOR]! < MAX_NODES) {
      free.push(NODES_BASE + words[NODE_CURSOR]! * NODE_WORDS);
      words[NODE_CURSOR]!++;
      count--;
    }
    Atomics.store(words, FREE_GUARD, 0);
    if (free.length === 0) {
      throw new RuntimeError(`Cannot wait: ${MAX_NODES} waits of this program are pending already`);
    }
  }

  /** Gives nodes back to the arena. */
  returnNodes(free: readonly number[]): void {
    const { words } = this;
    this.#lockFree();
    for (const node of free) {
      words[node + NODE_NEXT] = words[FREE_HEAD]!;
      words[FREE_HEAD] = node;
    }
    Atomics.store(words, FREE_GUARD, 0);
  }

  // The allocator's critical sections are a few plain stores; an agent is only ever ended by force after it had
  // 100 ms to leave, so nobody dies inside one. A sleeper looks again every millisecond all the same.
  #lockFree(): void {
    for (let spins = 0; Atomics.compareExchange(this.words, FREE_GUARD, 0, 1) !== 0; spins++) {
      if (spins < 100) Atomics.pause();
      else Atomics.wait(this.words, FREE_GUARD, 1, 1);
    }
  }
}
