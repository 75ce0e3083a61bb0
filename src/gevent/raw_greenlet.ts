/**
 * The greenlets of the package `greenlet`: functions that hand the control to each other.
 *
 * Of the greenlets of one thread one runs at a time. `switch()` suspends the one that calls it, as the Promise it
 * returns, and resumes another, by settling the Promise that one waits for. A greenlet that ends resumes its parent.
 *
 * ```
 * a: await b.switch(x) ─▶ a is suspended ─▶ b is new: run(x)          ─▶ … ─▶ b: await a.switch(y): a's gives y
 *                                        └▶ b is suspended: its gives x      b ends with z: its parent's gives z
 * ```
 */

import { RuntimeError, ValueError } from "../base/errors.ts";
import { ContextVar } from "../platform/context_var.ts";
import { currentThread, type Thread } from "../threading/thread.ts";
import { staysHome } from "../transport/registry.ts";

/**
 * Thrown into a greenlet to end it. It is no error of the greenlet: one that ends by it gives it as its value.
 *
 * Python: {@link https://greenlet.readthedocs.io/en/latest/api.html#greenlet.GreenletExit | greenlet.GreenletExit}.
 * Here it is caught by a `catch` as any error is; one that means other errors throws it on.
 *
 * @example
 * ```ts
 * import { GreenletExit, sleep, spawn } from "@multiprocessing/deno/gevent";
 * import assert from "node:assert/strict";
 *
 * const sleeper = spawn(sleep, 60_000);
 * await sleeper.kill();
 * assert.ok(sleeper.value instanceof GreenletExit);
 * ```
 */
export class GreenletExit extends Error {
  static {
    Object.defineProperty(this.prototype, "name", {
      value: "GreenletExit",
      configurable: true,
      writable: true,
    });
  }

  /** Makes one. */
  constructor(message: string = "the greenlet was asked to end") {
    super(message);
  }
}

/** What one greenlet hands to another. */
type Delivery = { readonly args: readonly unknown[] } | { readonly error: unknown };

interface Suspended {
  resolve(value: unknown): void;
  reject(reason: unknown): void;
}

const running = new ContextVar<RawGreenlet>();
/** What a thread runs that is in no greenlet. */
const roots = new WeakMap<Thread, RawGreenlet>();

let threadOf: (greenlet: RawGreenlet) => Thread;
/** Makes a greenlet the one that a thread begins with; for the other files of this room. */
export let becomeRoot: (greenlet: RawGreenlet, thread: Thread) => void;

/**
 * A function that hands the control to others of its kind, and is handed it by them.
 *
 * - Greenlets take turns only where they `switch`, in the order they say. Between two switches a greenlet may await
 *   other things; those that handed it the control go on waiting meanwhile.
 * - What a greenlet returns or throws goes to its parent: the one that made it, unless another is named.
 * - One that nobody switches to again is simply left, its `finally` blocks with it.
 *
 * Python: {@link https://greenlet.readthedocs.io/en/latest/api.html#greenlet.greenlet | greenlet.greenlet}.
 * Here `switch` and `throw` are awaited. What is switched to with several arguments gets them as an array, with none
 * `undefined`.
 *
 * @example A class of one's own
 * ```ts
 * import { RawGreenlet } from "@multiprocessing/deno/gevent";
 * import assert from "node:assert/strict";
 *
 * class Doubler extends RawGreenlet {
 *   override async run(n: number) {
 *     for (;;) n = await this.parent!.switch(2 * n) as number;
 *   }
 * }
 * const doubler = new Doubler();
 * assert.equal(await doubler.switch(1), 2);
 * assert.equal(await doubler.switch(21), 42);
 * ```
 */
export class RawGreenlet {
  readonly #run: ((...args: unknown[]) => unknown) | undefined;
  #parent: RawGreenlet | null;
  #thread: Thread;
  #state: "new" | "started" | "dead" = "new";
  /** How to resume it, while it waits to be switched to. */
  #suspended: Suspended | undefined;

  /**
   * Makes a greenlet; it begins when it is first switched to.
   *
   * @param run What it does; a subclass overrides {@link RawGreenlet.run} instead.
   * @param parent Who gets what it returns or throws; the current greenlet when left out.
   */
  constructor(run?: (...args: never[]) => unknown, parent: RawGreenlet | null = getcurrent()) {
    this.#run = run as ((...args: unknown[]) => unknown) | undefined;
    this.#parent = parent;
    this.#thread = parent === null ? currentThread() : parent.#thread;
  }

  /**
   * What the greenlet does: calls the function it was made with. A subclass overrides it.
   *
   * @param args What it was first switched to with.
   * @returns What its parent gets, once it has settled.
   */
  run(...args: unknown[]): unknown {
    const run = this.#run; // called as a function, without a `this`
    if (run === undefined) {
      throw new RuntimeError(
        "Cannot run the greenlet: it was made without a function; give it one or override run()",
      );
    }
    return run(...args);
  }

  /**
   * Hands the control to this greenlet: calls its function if it is new, else lets the `switch` it waits in return.
   * If it is dead, its parent has the control.
   *
   * @param args What it is called with, or what its `switch` gives: the one argument, several as an array.
   * @returns What the caller is switched to with when its turn comes again, or what a greenlet returned whose parent
   * it is.
   * @throws {RuntimeError} If this greenlet belongs to another thread; if it runs already; or if the caller has
   * switched away and not been switched to since. What a greenlet throws whose parent is the caller is thrown here.
   *
   * @example
   * ```ts
   * import { getcurrent, greenlet } from "@multiprocessing/deno/gevent";
   * import assert from "node:assert/strict";
   *
   * const main = getcurrent();
   * const adder = greenlet(async (a: number) => {
   *   const b = await main.switch("and?") as number;
   *   return a + b;
   * });
   * assert.equal(await adder.switch(1), "and?");
   * assert.equal(await adder.switch(2), 3);
   * assert.equal(adder.dead, true);
   * ```
   */
  switch(...args: unknown[]): Promise<unknown> {
    return this.#transfer({ args });
  }

  /**
   * Hands the control to this greenlet, and throws into it: where it waits, or before it has begun.
   *
   * @param error What to throw; a {@link GreenletExit} when left out.
   * @returns As {@link RawGreenlet.switch}; a `GreenletExit` that this greenlet does not catch is returned.
   * @throws {RuntimeError} As {@link RawGreenlet.switch}. What this greenlet does not catch is thrown to its parent.
   *
   * @example
   * ```ts
   * import { getcurrent, greenlet } from "@multiprocessing/deno/gevent";
   * import assert from "node:assert/strict";
   *
   * const main = getcurrent();
   * const careful = greenlet(async () => {
   *   try {
   *     await main.switch();
   *   } catch (error) {
   *     return `caught ${error}`;
   *   }
   *   return "nothing to catch";
   * });
   * await careful.switch();
   * assert.equal(await careful.throw(new RangeError("too far")), "caught RangeError: too far");
   * ```
   */
  throw(error: unknown = new GreenletExit()): Promise<unknown> {
    return this.#transfer({ error });
  }

  /** Whether it has ended. */
  get dead(): boolean {
    return this.#state === "dead";
  }

  /** Who gets what it returns or throws; `null` for what a thread begins with. */
  get parent(): RawGreenlet | null {
    return this.#parent;
  }

  /**
   * Changes who gets what it returns or throws.
   *
   * @throws {ValueError} If that would make it its own ancestor, or belongs to another thread.
   * @throws {TypeError} If either has none.
   */
  set parent(parent: RawGreenlet | null) {
    if (parent === null || this.#parent === null) {
      throw new TypeError(
        "Cannot change the parent: what a thread begins with has none, and all others have one",
      );
    }
    for (let one: RawGreenlet | null = parent; one !== null; one = one.#parent) {
      if (one === this) throw new ValueError("cyclic parent chain");
    }
    if (parent.#thread !== this.#thread) throw new ValueError("parent cannot be on a different thread");
    this.#parent = parent;
  }

  #transfer(delivery: Delivery): Promise<unknown> {
    const me = getcurrent();
    return new Promise((resolve, reject) => {
      if (me.#thread !== this.#thread) {
        throw new RuntimeError(
          `Cannot switch to a different thread: the greenlet belongs to thread "${this.#thread.name}"`,
        );
      }
      if (me.#suspended !== undefined) {
        throw new RuntimeError(
          "Cannot switch: the greenlet that does so has switched away already; await each switch",
        );
      }
      me.#suspended = { resolve, reject };
      try {
        this.#deliver(delivery);
      } catch (error) {
        me.#suspended = undefined;
        throw error;
      }
    });
  }

  /** Gives the control to this greenlet or, if it has ended, to the nearest ancestor that has not. */
  #deliver(delivery: Delivery): void {
    if (this.#state === "new" && "error" in delivery) this.#state = "dead";
    if (this.#state === "dead") {
      const isExit = "error" in delivery && delivery.error instanceof GreenletExit;
      return this.#parent!.#deliver(isExit ? { args: [delivery.error] } : delivery);
    }
    if (this.#state === "new" && "args" in delivery) {
      this.#state = "started";
      void running.run(this, () => this.#live(delivery.args));
      return;
    }
    const suspended = this.#suspended;
    if (suspended === undefined) {
      throw new RuntimeError(
        "Cannot switch to the greenlet: it runs, and waits for something other than to be switched to",
        "error" in delivery ? { cause: delivery.error } : undefined,
      );
    }
    this.#suspended = undefined;
    if ("error" in delivery) suspended.reject(delivery.error);
    else suspended.resolve(delivery.args.length > 1 ? delivery.args : delivery.args[0]);
  }

  async #live(args: readonly unknown[]): Promise<void> {
    let last: Delivery;
    try {
      last = { args: [await this.run(...args)] };
    } catch (error) {
      last = { error };
    }
    this.#state = "dead";
    this.#deliver(last);
  }

  static {
    threadOf = (greenlet) => greenlet.#thread;
    becomeRoot = (greenlet, thread) => {
      greenlet.#state = "started";
      greenlet.#thread = thread;
      roots.set(thread, greenlet);
    };
  }
}

staysHome(RawGreenlet, "greenlet", "start a Process, and greenlets in it");

/**
 * The greenlet that runs this call: the one whose function does, or else what its thread began with.
 *
 * Python: {@link https://greenlet.readthedocs.io/en/latest/api.html#greenlet.getcurrent | greenlet.getcurrent}.
 *
 * @returns The greenlet; a {@link Greenlet} in what `spawn` began.
 *
 * @example
 * ```ts
 * import { getcurrent, greenlet } from "@multiprocessing/deno/gevent";
 * import assert from "node:assert/strict";
 *
 * const main = getcurrent();
 * const child = greenlet(() => getcurrent().parent === main);
 * assert.equal(await child.switch(), true);
 * ```
 */
export function getcurrent(): RawGreenlet {
  const thread = currentThread();
  const here = running.get();
  if (here !== undefined && threadOf(here) === thread) return here;
  let root = roots.get(thread);
  if (root === undefined) becomeRoot(root = new RawGreenlet(undefined, null), thread);
  return root;
}

/** How a {@link greenlet} is made. */
export interface GreenletClass {
  /** What each of them is one of. */
  readonly prototype: RawGreenlet;
  /**
   * Makes a greenlet; it begins when it is first switched to.
   *
   * @param run What it does; it may be async.
   * @param parent Who gets what it returns or throws; the current greenlet when left out.
   * @returns The greenlet.
   */
  (run: (...args: never[]) => unknown, parent?: RawGreenlet): RawGreenlet;
  /**
   * Makes a greenlet; it begins when it is first switched to.
   *
   * @param run What it does; a subclass overrides {@link RawGreenlet.run} instead.
   * @param parent Who gets what it returns or throws; the current greenlet when left out.
   */
  new (run?: (...args: never[]) => unknown, parent?: RawGreenlet): RawGreenlet;
  /** The same as {@link getcurrent}. */
  readonly getcurrent: typeof getcurrent;
}

/**
 * The class of greenlets under the name it has in Python, which can be called without `new` as there.
 *
 * Python: {@link https://greenlet.readthedocs.io/en/latest/api.html#greenlet.greenlet | greenlet.greenlet}.
 *
 * @example To and fro
 * ```ts
 * import { greenlet } from "@multiprocessing/deno/gevent";
 * import assert from "node:assert/strict";
 *
 * const said: number[] = [];
 * const gr1 = greenlet(async () => {
 *   said.push(12);
 *   await gr2.switch();
 *   said.push(34);
 *   await gr2.switch();
 * });
 * const gr2 = greenlet(async () => {
 *   said.push(56);
 *   await gr1.switch();
 *   said.push(78);
 * });
 * await gr1.switch();
 * assert.deepEqual(said, [12, 56, 34, 78]);
 * ```
 */
export const greenlet: GreenletClass = Object.assign(
  function greenlet(...args: ConstructorParameters<typeof RawGreenlet>): RawGreenlet {
    return Reflect.construct(RawGreenlet, args, new.target ?? RawGreenlet);
  },
  { prototype: RawGreenlet.prototype, getcurrent },
) as GreenletClass;
