/** local: an object of which each thread has its own. */

import { staysHome } from "../transport/registry.ts";
import { currentThread, localsOf } from "./thread.ts";

/** How a {@link local} is made. */
export interface LocalConstructor {
  /** What an instance is one of. */
  readonly prototype: object;
  /**
   * Makes an object that is empty for each thread.
   *
   * @typeParam T Its attributes; anything when left out.
   * @param args For a subclass: what its constructor is called with, once for each thread.
   * @throws {TypeError} If there are arguments and this is no subclass.
   */
  // deno-lint-ignore no-explicit-any -- as in Python: attributes of any name and type, unless T says otherwise
  new <T extends object = Record<string, any>>(...args: unknown[]): T;
}

/** The class of which a thread's own object is being made, by what stands for all of them. */
let making: unknown;

class Local {
  constructor(...args: unknown[]) {
    const Class = new.target;
    if (making === Class) {
      making = undefined;
      return;
    }
    if (Class === Local && args.length > 0) {
      throw new TypeError("Initialization arguments are not supported: a subclass of local may have some");
    }
    const face = Object.create(Class.prototype);
    localsOf(currentThread()).set(face, this);
    const own = (): object => {
      const locals = localsOf(currentThread());
      let mine = locals.get(face);
      if (mine === undefined) {
        making = Class;
        try {
          mine = new Class(...args);
        } finally {
          making = undefined;
        }
        locals.set(face, mine);
      }
      return mine;
    };
    return new Proxy(face, {
      get: (_, name, receiver) => Reflect.get(own(), name, receiver),
      set: (_, name, value, receiver) => Reflect.set(own(), name, value, receiver),
      has: (_, name) => Reflect.has(own(), name),
      deleteProperty: (_, name) => Reflect.deleteProperty(own(), name),
      ownKeys: () => Reflect.ownKeys(own()),
      getOwnPropertyDescriptor: (_, name) => Reflect.getOwnPropertyDescriptor(own(), name),
      defineProperty: (_, name, attributes) => Reflect.defineProperty(own(), name, attributes),
      preventExtensions: () => false, // it would be so for one thread and not for others
    });
  }
}

/**
 * An object of which each thread has its own: what one thread sets, no other sees.
 *
 * - It is empty for each thread at first. A subclass is constructed once for each thread that uses it, at the first
 *   use, with the arguments it passed to `super`; so its fields begin anew for each.
 * - What a thread had is let go of when the thread ends.
 * - `#fields` of a subclass are one for all threads, as Python's `__slots__` are.
 *
 * Python: {@link https://docs.python.org/3/library/threading.html#threading.local | threading.local}.
 * Here what was not set is `undefined`.
 *
 * @example
 * ```ts
 * import { local, Thread } from "@multiprocessing/deno/threading";
 * import assert from "node:assert/strict";
 *
 * const mine = new local<{ student?: string }>();
 * mine.student = "Alice";
 * const others: unknown[] = [];
 * const thread = new Thread({
 *   target() {
 *     others.push(mine.student);
 *     mine.student = "Bob";
 *   },
 * });
 * thread.start();
 * await thread.join();
 * assert.deepEqual([mine.student, others], ["Alice", [undefined]]);
 * ```
 *
 * @example With a beginning for each thread
 * ```ts
 * import { local, Thread } from "@multiprocessing/deno/threading";
 * import assert from "node:assert/strict";
 *
 * class Counter extends local {
 *   count: number;
 *   constructor(start: number) {
 *     super(start);
 *     this.count = start;
 *   }
 * }
 * const counter = new Counter(10);
 * counter.count++;
 * const others: number[] = [];
 * const thread = new Thread({ target: () => void others.push(counter.count) });
 * thread.start();
 * await thread.join();
 * assert.deepEqual([counter.count, others], [11, [10]]);
 * ```
 */
export const local: LocalConstructor = Local as LocalConstructor;

/** The type of a {@link local}: that of its attributes. */
// deno-lint-ignore no-explicit-any -- as above
export type local<T extends object = Record<string, any>> = T;

staysHome(Local, "local", "send what is in it");
