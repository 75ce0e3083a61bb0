/**
 * This thread as an agent: how it waits, async or blocking, and how it learns that it shall die.
 *
 * All waits of an agent hang on one word, its bell. Whoever grants one of its nodes puts the node into the
 * agent's inbox and rings; the agent wakes, empties the inbox and settles exactly the waits it finds there. One
 * wake-up so serves many waits, and a wait that gives up can never swallow somebody else's wake-up.
 *
 * ```
 * primitive ──grant(node)──▶ inbox ──ring──▶ bell ──▶ drain() ──▶ the waiter of that node
 * death ─────deaths += 1────────────ring──▶ bell ──▶ drain() ──▶ every watcher looks again
 * ```
 */

import { RuntimeError } from "../base/errors.ts";
import { keepAlive, unrefTimer } from "../platform/runtime.ts";
import { thisTask } from "../platform/task.ts";
import { Directory, NODE_AGENT, NODE_OWNER, NODE_STATE } from "./directory.ts";

/** How a wait ended: somebody granted it, its time ran out, or its signal was aborted. */
export type Outcome = "granted" | "timeout" | "aborted";

interface Waiter {
  granted: boolean;
  settle: ((outcome: Outcome) => void) | undefined;
}

const GRANTED: Promise<Outcome> = Promise.resolve("granted");

/** Longest delay a timer can take; a longer timeout counts as for ever (24 days). */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * The signals of waits that are made on behalf of another process. Those keep nobody's event loop up: whether the
 * program goes on is a matter of the process that waits.
 */
export const onBehalf: WeakSet<AbortSignal> = new WeakSet();

/** One thread's part in the waiting of the program. */
export class Agent {
  /** The program's directory. */
  readonly directory: Directory;
  /** Who this thread is. */
  readonly id: number;
  /** Whether this is the program's main thread, through which what is not plain data passes. */
  readonly isHub: boolean;
  readonly #bell: number;
  readonly #asleep: number;
  readonly #waiters = new Map<number, Waiter>();
  readonly #watchers = new Set<() => void>();
  /** Nodes whose grant came before anybody waited for it. */
  readonly #early = new Set<number>();
  readonly #freeNodes: number[] = [];
  #deaths: number;
  #listening = false;
  /** Ends this thread with the given code; set by whoever booted it. The hub cannot be condemned. */
  die: ((code: number) => void) | undefined;

  constructor(directory: Directory, id: number, isHub: boolean) {
    this.directory = directory;
    this.id = id;
    this.isHub = isHub;
    this.#bell = directory.bell(id);
    this.#asleep = directory.asleep(id);
    this.#deaths = directory.deaths();
  }

  /** Takes a node for one wait of this agent, on behalf of `owner`. */
  node(owner: number): number {
    if (this.#freeNodes.length === 0) this.directory.takeNodes(4, this.#freeNodes);
    const node = this.#freeNodes.pop()!;
    const { words } = this.directory;
    words[node + NODE_AGENT] = this.id;
    words[node + NODE_OWNER] = owner;
    Atomics.store(words, node + NODE_STATE, 0);
    return node;
  }

  /** Takes a node back that is on no list. It must be out of the inbox too, which the guard of its list ensures. */
  freeNode(node: number): void {
    this.#early.delete(node);
    this.#freeNodes.push(node);
    if (this.#freeNodes.length > 64) this.directory.returnNodes(this.#freeNodes.splice(32));
  }

  /** Ends this thread at once if somebody asked for that. Called wherever a primitive is entered. */
  checkSentence(): void {
    if (this.die === undefined) return;
    const code = this.directory.sentence(this.id);
    if (code !== 0) this.die(code);
  }

  /**
   * Checks that this thread may still use what somebody else takes over when it is dead, such as a descriptor. A thread
   * that was ended by force is dead for the program some milliseconds before it runs no more.
   *
   * @throws {RuntimeError} If it counts as dead.
   */
  checkAlive(): void {
    this.checkSentence();
    if (!this.directory.alive(this.id)) throw new RuntimeError("Cannot go on: this process was ended");
  }

  /**
   * Waits until `node` is granted. The node must be on its list already, and stays there: the caller takes it off
   * under the list's guard, and looks at its state there, since a grant may cross an expiry.
   */
  wait(node: number, ms: number, signal?: AbortSignal): Promise<Outcome> {
    if (this.#early.delete(node)) return GRANTED;
    const waiter: Waiter = { granted: false, settle: undefined };
    this.#waiters.set(node, waiter);
    const promise = new Promise<Outcome>((resolve) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const weak = thisTask().daemon || (signal !== undefined && onBehalf.has(signal));
      const holds = ms > LONGEST_TIMER_MS && !weak;
      const abort = () => settle("aborted");
      const settle = (outcome: Outcome) => {
        this.#waiters.delete(node);
        clearTimeout(timer);
        if (holds) keepAlive.drop();
        signal?.removeEventListener("abort", abort);
        resolve(outcome);
      };
      waiter.settle = settle;
      if (ms <= LONGEST_TIMER_MS) {
        timer = setTimeout(() => settle("timeout"), Math.max(0, ms));
        if (weak) unrefTimer(timer);
      } else if (holds) keepAlive.hold();
      signal?.addEventListener("abort", abort, { once: true });
    });
    this.#listen();
    return promise;
  }

  /** As {@link wait}, blocking the thread. */
  waitSync(node: number, ms: number): Outcome {
    if (this.#early.delete(node)) return "granted";
    const waiter: Waiter = { granted: false, settle: undefined };
    this.#waiters.set(node, waiter);
    const end = ms === Infinity ? Infinity : performance.now() + ms;
    const { words } = this.directory;
    for (;;) {
      this.checkSentence();
      const seen = Atomics.load(words, this.#bell);
      this.#drain();
      if (waiter.granted) return "granted";
      const left = end - performance.now();
      if (left <= 0) {
        this.#waiters.delete(node);
        return "timeout";
      }
      Atomics.store(words, this.#asleep, 1);
      Atomics.wait(words, this.#bell, seen, left);
    }
  }

  /**
   * Calls `heard` each time `node` is delivered, until {@link Agent.unhear}: for waits that come again and again,
   * where a promise each would cost more than what is waited for. Nothing here keeps the event loop up. `heard` may
   * run inside a guard, so it enters none.
   */
  hear(node: number, heard: () => void): void {
    if (this.#early.delete(node)) heard();
    this.#waiters.set(node, { granted: false, settle: heard });
    this.#listen();
  }

  /** Ends {@link Agent.hear}. */
  unhear(node: number): void {
    this.#waiters.delete(node);
  }

  /**
   * Calls `look` after every death in the program, until the returned function is called; never before it has been
   * returned, since `look` may want to call it, and a death may be there already.
   */
  onDeath(look: () => void): () => void {
    const entry = () => look();
    this.#watchers.add(entry);
    queueMicrotask(this.#listen);
    return () => this.#watchers.delete(entry);
  }

  /** Moves what is in the inbox to its waiters. Called under a list's guard before one of its nodes is freed. */
  sortInbox(): void {
    this.directory.collect(this.id, (node) => {
      const waiter = this.#waiters.get(node);
      if (waiter === undefined) {
        this.#early.add(node);
        return;
      }
      waiter.granted = true;
      if (waiter.settle === undefined) this.#waiters.delete(node);
      else waiter.settle("granted");
    });
  }

  /** The last words of a thread: gives back what it holds of the arena. */
  retire(): void {
    this.directory.returnNodes(this.#freeNodes.splice(0));
  }

  #drain(): void {
    this.sortInbox();
    const deaths = this.directory.deaths();
    if (deaths !== this.#deaths) {
      this.#deaths = deaths;
      for (const look of [...this.#watchers]) look();
    }
  }

  readonly #listen = (): void => {
    if (this.#listening) return;
    this.#listening = true;
    const { words } = this.directory;
    for (;;) {
      this.checkSentence();
      const seen = Atomics.load(words, this.#bell);
      this.#drain();
      if (this.#waiters.size === 0 && this.#watchers.size === 0) break;
      Atomics.store(words, this.#asleep, 1);
      const change = Atomics.waitAsync(words, this.#bell, seen);
      if (change.async) {
        change.value.then(this.#hear);
        return;
      }
    }
    this.#listening = false;
  };

  readonly #hear = (): void => {
    this.#listening = false;
    this.#listen();
  };
}

let current: Agent | undefined;

/** The agent of this thread; a thread nobody booted as a child is the main thread of a program of its own. */
export function thisAgent(): Agent {
  if (current === undefined) {
    const directory = new Directory();
    current = new Agent(directory, directory.enroll(0), true);
  }
  return current;
}

/** Makes this thread the agent its creator enrolled it as. Called once, by the first module of a child. */
export function becomeAgent(directory: SharedArrayBuffer, id: number): Agent {
  return current = new Agent(new Directory(directory), id, false);
}
