/** Waits for a descriptor through the event loop. */

import { CLOEXEC, type Io, type Listening, NONBLOCK, POLLIN } from "./libc.ts";

const ONE = new BigUint64Array([1n]);

/** An `eventfd` that ends the waits of other threads. */
export class Alarm {
  /** Its descriptor. */
  readonly fd: number;
  readonly #io: Io;
  readonly #functions: Listening;

  constructor(io: Io, functions: Listening) {
    this.#io = io;
    this.#functions = functions;
    this.fd = functions.eventfd(0, NONBLOCK | CLOEXEC);
  }

  /** Ends all waits, until {@link silence}. */
  ring(): void {
    this.#functions.write(this.fd, ONE, 8n);
  }

  /** Waits last again. */
  silence(): void {
    this.#functions.read(this.fd, new Uint8Array(8), 8n);
  }

  /** Gives it up. */
  close(): void {
    this.#io.close(this.fd);
  }
}

/**
 * Says when there is something to receive or to accept: a thread beside this one watches the descriptor. While it is
 * `ref`ed and somebody waits, the event loop stays up.
 */
export class Watch {
  readonly #io: Io;
  readonly #fd: number;
  readonly #alarm: Alarm;
  #up = true;
  #closed = false;
  #watching: Promise<void> | undefined;
  #change: PromiseWithResolvers<void> | undefined;

  constructor(fd: number, io: Io, functions: Listening) {
    this.#fd = fd;
    this.#io = io;
    this.#alarm = new Alarm(io, functions);
  }

  /** Settles when it is time to look, also because the watch was closed. */
  change(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#change ??= Promise.withResolvers();
    this.#watch();
    return this.#change.promise;
  }

  /** Lets waits keep the event loop up. */
  ref(): void {
    this.#up = true;
    this.#watch();
  }

  /** Lets waits keep nothing up; they go on after {@link ref}. */
  unref(): void {
    this.#up = false;
    this.#ring();
  }

  /** Ends all waits. Settles when no other thread watches the descriptor any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#ring();
    this.#settle();
    await this.#watching;
    this.#alarm.close();
  }

  #watch(): void {
    if (this.#up && !this.#closed && this.#change !== undefined) this.#watching ??= this.#look();
  }

  async #look(): Promise<void> {
    const polled = new Int32Array([this.#fd, POLLIN, this.#alarm.fd, POLLIN]);
    await this.#io.pollAside(polled, 2n, -1);
    this.#watching = undefined;
    if (this.#closed) return;
    this.#alarm.silence();
    const happened = polled[1]! >> 16 !== 0;
    if (happened) this.#settle();
    else this.#watch();
  }

  #ring(): void {
    if (this.#watching !== undefined) this.#alarm.ring();
  }

  #settle(): void {
    const change = this.#change;
    this.#change = undefined;
    change?.resolve();
  }
}
