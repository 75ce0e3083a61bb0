/**
 * The attendants of a server: workers that accept connections for themselves, so that nobody stands between a client
 * and its handler.
 *
 * ```
 * client ─▶ the kernel wakes one attendant that waits ─▶ accept ─▶ handler ─▶ close ─▶ it waits again
 *                        └─ nobody waits any more ─▶ the server sends another, up to `max`
 * ```
 *
 * Who fails or dies leaves its connection in its seat; the server reports it, closes it, and sends another.
 */

import type { KernelListener, Loan } from "../platform/kernel_listener.ts";
import { closeLeftBehind, endConnection } from "../platform/kernel_socket.ts";
import type { Address } from "../socket/endpoint.ts";
import type { Member } from "../team/team.ts";
import type { Post } from "./_attendant.ts";
import type { Call, Carriage } from "./_carrier.ts";
import {
  ACTIVITY,
  BOARD_WORDS,
  EPOLL,
  FD,
  SEAT_WORDS,
  SERVING,
  STATE,
  STOP,
  withDescriptor,
  type Words,
  words,
} from "./_seat.ts";

/** What the attendants are for. */
export interface AttendanceOptions {
  /** Gives a worker, waiting until there is one, or until nobody wants it any more. */
  take(needless: AbortSignal): Promise<Member>;
  /** Calls a worker. */
  call: Call;
  /** What is being served, for whoever wants to end it. */
  underway: Set<Carriage>;
  /** How many attendants at most. */
  max: number;
  /** How many shall wait for a connection. */
  warm: number;
  /** Whether one serves more than one connection. */
  recycle: boolean;
  /** How long more than `warm` wait. */
  idleMs: number;
  /** Called with the connection that a worker has left behind; whoever is called closes it. */
  onLeft(fd: number, peer: Address | undefined, error: unknown): Promise<void>;
  /** Called with what settles when a worker has left, and what it left behind is closed. */
  follow(leaving: Promise<void>): void;
}

interface Attendant {
  readonly member: Member;
  readonly seat: Words;
  /** Settles when it has left. */
  readonly left: Promise<void>;
  /** The client it failed to serve. */
  failedFor: Address | undefined;
}

/** So many are sent as soon as somebody wants one; beyond those the {@link Team} is patient. */
const EAGER = 8;

/** One run of a server whose workers accept for themselves. */
export class Attendance {
  readonly #options: AttendanceOptions;
  readonly #listener: KernelListener;
  readonly #loan: Loan;
  readonly #board: Words = words(BOARD_WORDS);
  readonly #attendants = new Map<Member, Attendant>();
  #stopping = false;
  #failed = false;
  /** One has died before it served anybody: none is sent ahead of need. */
  #wary = false;
  #hiring = false;
  #stir: (() => void) | undefined;
  #knocking: Promise<void> | undefined;

  constructor(listener: KernelListener, options: AttendanceOptions) {
    this.#options = options;
    this.#listener = listener;
    this.#loan = listener.lend();
  }

  /**
   * Serves until `stopped` settles, or no worker can be had.
   *
   * @returns Settles when nobody accepts any more. What is being served goes on.
   */
  async run(stopped: Promise<void>): Promise<void> {
    stopped.then(() => {
      this.#stopping = true;
      this.#stir?.();
    });
    while (!this.#stopping && !this.#failed) {
      if (!this.#hiring) this.#hire();
      await this.#change();
    }
    Atomics.store(this.#board, STOP, 1);
    this.#loan.alarm.ring();
    await Promise.all([...this.#attendants.values()].map(noMoreWaiting));
    this.#loan.end();
  }

  /** A worker says that none waits any more. */
  noteCrowd(): void {
    this.#stir?.();
  }

  /** A worker says whom it fails to serve. */
  noteFailure(member: Member, peer: Address): void {
    const attendant = this.#attendants.get(member);
    if (attendant !== undefined) attendant.failedFor = peer;
  }

  get #waiting(): number {
    let waiting = 0;
    for (const { seat } of this.#attendants.values()) if (Atomics.load(seat, STATE) !== SERVING) waiting++;
    return waiting;
  }

  /** Whether somebody stands at the door, and nobody is there to let him in. */
  get #crowded(): boolean {
    return this.#waiting === 0 && this.#listener.pending;
  }

  /** Settles when it is time to look again. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#stir = resolve;
      if (this.#hiring || this.#waiting > 0 || this.#attendants.size >= this.#options.max) return;
      this.#knocking ??= this.#listener.knock().finally(() => this.#knocking = undefined);
      this.#knocking.then(resolve, resolve);
    });
  }

  /** Sends as many attendants as are needed, one at a time or, when there are many already, twice as many. */
  async #hire(): Promise<void> {
    const { max, warm } = this.#options;
    const { size } = this.#attendants;
    const few = size < EAGER;
    const ahead = few && !this.#wary && this.#waiting < warm;
    if (size >= max || !ahead && !this.#crowded) return;
    this.#hiring = true;
    const needless = new AbortController();
    const count = few ? 1 : Math.min(size, max - size);
    await Promise.all(Array.from({ length: count }, () => this.#send(needless, ahead)));
    this.#hiring = false;
    this.#stir?.();
  }

  async #send(needless: AbortController, ahead: boolean): Promise<void> {
    let member: Member;
    try {
      member = await this.#options.take(needless.signal);
    } catch {
      // The server goes on accepting for itself, and so tells each client's connection what the matter is.
      if (!needless.signal.aborted) this.#failed = true;
      return;
    }
    if (this.#stopping || !ahead && !this.#listener.pending) {
      member.release();
      needless.abort();
      return;
    }
    const seat = words(SEAT_WORDS);
    const left = this.#employ(member, seat);
    this.#attendants.set(member, { member, seat, left, failedFor: undefined });
    this.#options.follow(left);
  }

  async #employ(member: Member, seat: Words): Promise<void> {
    const { call, underway, recycle, idleMs, warm } = this.#options;
    const { fd, alarm } = this.#loan;
    const carriage: Carriage = {
      get activity() {
        return Atomics.load(seat, ACTIVITY);
      },
      endInput: () => withDescriptor(seat, (fd) => endConnection(fd, 0)),
      abort: () => withDescriptor(seat, (fd) => endConnection(fd, 2)),
    };
    underway.add(carriage);
    const post: Post = { fd, alarm: alarm.fd, recycle, idleMs, warm };
    let failure: { error: unknown } | undefined;
    try {
      await call(member, ["attend", post, this.#board, seat, this.#listener.address], "");
    } catch (error) {
      failure = { error };
    }
    underway.delete(carriage);
    const attendant = this.#attendants.get(member)!;
    this.#attendants.delete(member);
    const epoll = Atomics.exchange(seat, EPOLL, 0) - 1;
    if (epoll >= 0) closeLeftBehind(epoll);
    const connection = Atomics.exchange(seat, FD, 0) - 1;
    if (connection >= 0) {
      this.#wary = false;
      await this.#options.onLeft(connection, attendant.failedFor, failure?.error);
    } else if (failure !== undefined) {
      this.#wary = true;
      if (member.alive) this.#failed = true; // it could not even begin
    }
    // One that has left by itself is needed no more.
    if (failure === undefined && recycle && !this.#stopping) member.retire();
    else member.release();
    this.#stir?.();
  }
}

/** Settles when an attendant serves somebody, or has left: it then accepts nobody any more. */
async function noMoreWaiting({ seat, left }: Attendant): Promise<void> {
  let gone = false;
  left.then(() => gone = true);
  for (let state; !gone && (state = Atomics.load(seat, STATE)) !== SERVING;) {
    const change = Atomics.waitAsync(seat, STATE, state);
    if (change.async) await Promise.race([change.value, left]);
  }
}
