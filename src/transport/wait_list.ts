/**
 * A wait list: who waits for one thing, first come, first served.
 *
 * Six words inside a primitive's shared block hold two doubly linked lists of directory nodes: those in line, and
 * those that were granted and have not collected yet. Granted nodes stay listed so that a grant whose agent died
 * can be found and given to the next. Every function here is called under the primitive's guard.
 */

import type { Agent } from "./agent.ts";
import { GRANTED, NODE_AGENT, NODE_NEXT, NODE_OWNER, NODE_PREV, NODE_STATE, WAITING } from "./directory.ts";

const FIRST = 0;
const LAST = 1;
const GRANTED_FIRST = 2;
const GRANTED_LAST = 3;
const GRANTED_COUNT = 4;

/** Words a wait list takes. */
export const WAIT_LIST_WORDS = 6;

/** One wait list, seen by one agent. */
export class WaitList {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #at: number;
  readonly #agent: Agent;

  constructor(agent: Agent, words: Int32Array<SharedArrayBuffer>, at: number) {
    this.#agent = agent;
    this.#words = words;
    this.#at = at;
  }

  /** How many were granted and have not collected. May be read without the guard, as a hint. */
  get granted(): number {
    return Atomics.load(this.#words, this.#at + GRANTED_COUNT);
  }

  /** Whether nobody is in line. */
  get idle(): boolean {
    return this.#words[this.#at + FIRST] === 0;
  }

  /** Puts a node at the end of the line. */
  join(node: number): void {
    Atomics.store(this.#nodes, node + NODE_STATE, WAITING);
    this.#append(node, FIRST, LAST);
  }

  /** Takes a node off, wherever it is, and says whether it had been granted. */
  depart(node: number): boolean {
    const granted = Atomics.load(this.#nodes, node + NODE_STATE) === GRANTED;
    if (granted) {
      this.#unlink(node, GRANTED_FIRST, GRANTED_LAST);
      Atomics.sub(this.#words, this.#at + GRANTED_COUNT, 1);
      // The grant put the node into our inbox; it has to be out before the node may serve another wait.
      this.#agent.sortInbox();
    } else {
      this.#unlink(node, FIRST, LAST);
    }
    Atomics.store(this.#nodes, node + NODE_STATE, 0);
    return granted;
  }

  /** Grants the first in line whose agent lives; returns its node, or 0 if there is none. */
  grant(): number {
    for (;;) {
      const node = this.#words[this.#at + FIRST]!;
      if (node === 0) return 0;
      this.#unlink(node, FIRST, LAST);
      if (!this.#lives(node)) {
        this.#agent.freeNode(node);
        continue;
      }
      Atomics.store(this.#nodes, node + NODE_STATE, GRANTED);
      this.#append(node, GRANTED_FIRST, GRANTED_LAST);
      Atomics.add(this.#words, this.#at + GRANTED_COUNT, 1);
      this.#agent.directory.deliver(node);
      return node;
    }
  }

  /** Grants everybody in line; `each` sees their nodes. */
  grantAll(each?: (node: number) => void): void {
    for (let node; (node = this.grant()) !== 0;) each?.(node);
  }

  /** Whether somebody in line has died, or the process on whose behalf they are. */
  anyDead(): boolean {
    for (let node = this.#words[this.#at + FIRST]!; node !== 0; node = this.#nodes[node + NODE_NEXT]!) {
      if (!this.#lives(node) || !this.#agent.directory.alive(this.#nodes[node + NODE_OWNER]!)) return true;
    }
    return false;
  }

  /** Takes off the granted nodes of agents that died before they collected; returns how many there were. */
  reap(): number {
    let reaped = 0;
    for (let node = this.#words[this.#at + GRANTED_FIRST]!; node !== 0;) {
      const next = this.#nodes[node + NODE_NEXT]!;
      if (!this.#lives(node)) {
        this.#unlink(node, GRANTED_FIRST, GRANTED_LAST);
        Atomics.sub(this.#words, this.#at + GRANTED_COUNT, 1);
        this.#agent.freeNode(node);
        reaped++;
      }
      node = next;
    }
    return reaped;
  }

  get #nodes(): Int32Array<SharedArrayBuffer> {
    return this.#agent.directory.words;
  }

  // A node whose owner died but whose agent lives (a creator waiting for its "spawn" child) is left to its agent,
  // which cancels it and still counts on its memory.
  #lives(node: number): boolean {
    const agent = this.#nodes[node + NODE_AGENT]!;
    return agent === this.#agent.id || this.#agent.directory.alive(agent);
  }

  #append(node: number, first: number, last: number): void {
    const nodes = this.#nodes;
    const words = this.#words;
    const at = this.#at;
    const previous = words[at + last]!;
    nodes[node + NODE_NEXT] = 0;
    nodes[node + NODE_PREV] = previous;
    if (previous === 0) words[at + first] = node;
    else nodes[previous + NODE_NEXT] = node;
    words[at + last] = node;
  }

  #unlink(node: number, first: number, last: number): void {
    const nodes = this.#nodes;
    const words = this.#words;
    const at = this.#at;
    const next = nodes[node + NODE_NEXT]!;
    const previous = nodes[node + NODE_PREV]!;
    if (previous === 0) words[at + first] = next;
    else nodes[previous + NODE_NEXT] = next;
    if (next === 0) words[at + last] = previous;
    else nodes[next + NODE_PREV] = previous;
  }
}

/** On whose behalf a node waits. */
export function ownerOf(agent: Agent, node: number): number {
  return agent.directory.words[node + NODE_OWNER]!;
}
