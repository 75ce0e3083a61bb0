/** Lock: one holder at a time, across processes. */

import { TimeoutError } from "../base/errors.ts";
import { waitMs, type WaitOptions } from "../base/options.ts";
import { arrive, arriving } from "../transport/arriving.ts";
import { travels } from "../transport/registry.ts";
import { packCore, type Reference, unpackCore } from "../transport/remote.ts";
import { SharedMutex } from "./_mutex.ts";
import { type Permit, RemotePermit } from "./_permit.ts";

const GOT: Promise<boolean> = Promise.resolve(true);

/** What a lock stands on; for the other files of this room, and for `threading/`. */
export let permitOf: (lock: Lock) => Permit;

/** Releases what it was made for, once. */
class Guard implements Disposable {
  #lock: Lock | undefined;

  constructor(lock: Lock) {
    this.#lock = lock;
  }

  [Symbol.dispose](): void {
    const lock = this.#lock;
    this.#lock = undefined;
    lock?.release();
  }
}

function tooLate(options: WaitOptions | undefined): TimeoutError {
  return new TimeoutError(
    `Cannot acquire the lock within ${waitMs(options)} ms: another process or thread holds it`,
  );
}

/**
 * A lock that any process of the program can hold, one at a time.
 *
 * - Those who wait get it in the order in which they came.
 * - A wait that ends early (timeout, abort) gives up its place and takes nothing.
 * - A process that ends while it holds the lock, however it ends, releases it; who gets it next can see that in
 *   {@link Lock.abandoned}.
 * - It may be released by a process other than the one that acquired it.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.Lock | multiprocessing.Lock}.
 * Here times are milliseconds, and `with lock:` is `using _ = await lock.guard()`.
 *
 * @example Keep ten increments apart
 * ```ts
 * import { Lock } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const lock = new Lock();
 * {
 *   using _ = await lock.guard();
 *   assert.equal(lock.locked(), true);
 *   assert.equal(await lock.acquire({ timeout: 10 }), false);
 * }
 * assert.equal(lock.locked(), false);
 * ```
 */
export class Lock {
  readonly #permit: Permit;
  #abandoned = false;

  /** Makes a free lock. */
  constructor() {
    this.#permit = arriving<Permit>() ?? new SharedMutex();
  }

  /**
   * Whether the last acquire took the lock over from a process that ended while it held it, so that what the
   * lock protects may be half done.
   *
   * @example A holder that died
   * ```ts
   * import { Lock, Pipe, Process } from "@multiprocessing/deno";
   * import { hold } from "examples/targets.ts";
   * import assert from "node:assert/strict";
   *
   * const lock = new Lock();
   * const [mine, theirs] = Pipe<string>();
   * await using child = new Process({ target: hold, args: [lock, theirs] });
   * child.start();
   * assert.equal(await mine.recv(), "held");
   * child.kill();
   * await lock.acquire(); // nobody else will release it
   * assert.equal(lock.abandoned, true);
   * lock.release();
   * ```
   */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  /**
   * Waits until the lock is free and takes it.
   *
   * @param options How long to wait; for ever when left out.
   * @returns `true` once this process holds the lock; `false` if it did not come free within `timeout`
   * milliseconds, or at once with `block: false`.
   * @throws {ValueError} If `timeout` is negative. An aborted `signal` throws its own reason.
   *
   * @example Not at all, a while, for ever
   * ```ts
   * import { Lock } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * const lock = new Lock();
   * await lock.acquire();
   * assert.equal(await lock.acquire({ block: false }), false);
   * assert.equal(await lock.acquire({ timeout: 10 }), false);
   * const third = lock.acquire();
   * lock.release();
   * assert.equal(await third, true);
   * lock.release();
   * ```
   */
  acquire(options?: WaitOptions): Promise<boolean> {
    // Free and without options: one compare-and-swap, no promise made.
    if (options === undefined && this.#permit.tryAcquire()) {
      this.#abandoned = this.#permit.abandoned();
      return GOT;
    }
    return this.#acquireLater(options);
  }

  async #acquireLater(options: WaitOptions | undefined): Promise<boolean> {
    const got = await this.#permit.acquire(waitMs(options), options?.signal);
    if (got) this.#abandoned = this.#permit.abandoned();
    return got;
  }

  /**
   * Like {@link Lock.acquire}, blocking the thread. For worker processes that compute.
   *
   * @param options How long to wait; for ever when left out.
   * @returns Whether this process holds the lock now.
   * @throws {ValueError} If `timeout` is negative.
   * @throws {RuntimeError} In a `"spawn"` child, which shares no memory with the lock.
   */
  acquireSync(options?: WaitOptions): boolean {
    const ms = waitMs(options);
    const got = this.#permit.tryAcquire() || this.#permit.acquireSync(ms);
    if (got) this.#abandoned = this.#permit.abandoned();
    return got;
  }

  /**
   * Gives the lock up; the first in line has it at once.
   *
   * A `"spawn"` child cannot know whether somebody else holds the lock: its release goes to the lock's home, and one
   * too many is then an uncaught error of the child.
   *
   * @throws {ValueError} If nobody holds the lock.
   */
  release(): void {
    this.#permit.release();
  }

  /** Whether some process holds the lock. In a `"spawn"` child: as of the last answer from its home. */
  locked(): boolean {
    return this.#permit.locked();
  }

  /**
   * Acquires the lock for a block: `using _ = await lock.guard()` releases it at the end of the block, also when
   * the block throws.
   *
   * @param options How long to wait; for ever when left out.
   * @returns What releases the lock when disposed of.
   * @throws {TimeoutError} If the lock did not come free within `timeout` milliseconds.
   *
   * @example Released even by an error
   * ```ts
   * import { Lock } from "@multiprocessing/deno";
   * import assert from "node:assert/strict";
   *
   * const lock = new Lock();
   * await assert.rejects(async () => {
   *   using _ = await lock.guard();
   *   throw new Error("half way");
   * }, /half way/);
   * assert.equal(lock.locked(), false);
   * ```
   */
  async guard(options?: WaitOptions): Promise<Disposable> {
    if (!await this.acquire(options)) throw tooLate(options);
    return new Guard(this);
  }

  /**
   * Like {@link Lock.guard}, blocking the thread.
   *
   * @param options How long to wait; for ever when left out.
   * @returns What releases the lock when disposed of.
   * @throws {TimeoutError} If the lock did not come free within `timeout` milliseconds.
   */
  guardSync(options?: WaitOptions): Disposable {
    if (!this.acquireSync(options)) throw tooLate(options);
    return new Guard(this);
  }

  static {
    permitOf = (lock) => lock.#permit;
  }
}

/** Lets the instances of a class of locks travel. */
export function lockTravels<L extends Lock>(
  Class: new () => L,
  tag: string,
  shared: (
    words: Int32Array<SharedArrayBuffer>,
  ) => Permit & { readonly words: Int32Array<SharedArrayBuffer> },
  Remote: typeof RemotePermit = RemotePermit,
): void {
  travels<L, Reference<number>>(Class, {
    tag,
    pack(lock, context) {
      const permit = permitOf(lock);
      return packCore(
        permit,
        context,
        () => context.attach((permit as ReturnType<typeof shared>).words.buffer),
      );
    },
    unpack(reference, context) {
      const local = (at: number) => shared(new Int32Array(context.attachments[at] as SharedArrayBuffer));
      return arrive(Class, unpackCore<number, Permit>(reference, context, local, Remote));
    },
  });
}

lockTravels(Lock, "Lock", (words) => new SharedMutex(words));
