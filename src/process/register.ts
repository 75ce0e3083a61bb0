/** register: lets instances of a user's class travel. */

import { ValueError } from "../base/errors.ts";
import { travels } from "../transport/registry.ts";
import { callingModule } from "./target.ts";

/**
 * How the instances of a class are taken apart and put together.
 *
 * @example Private fields
 * ```ts
 * import { Queue, register } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * class Temperature {
 *   readonly #kelvin: number;
 *   constructor(kelvin: number) {
 *     this.#kelvin = kelvin;
 *   }
 *   get celsius() {
 *     return this.#kelvin - 273;
 *   }
 *   static {
 *     register(Temperature, {
 *       reduce: (temperature) => temperature.#kelvin,
 *       rebuild: (kelvin: number) => new Temperature(kelvin),
 *     });
 *   }
 * }
 *
 * using queue = new Queue<Temperature>();
 * await queue.put(new Temperature(300));
 * assert.equal((await queue.get()).celsius, 27);
 * ```
 */
export interface Reduction<T extends object, S> {
  /** Says in data that can travel what an instance holds. */
  reduce(instance: T): S;
  /** Builds an instance from it in the other process. */
  rebuild(state: S): T;
}

/**
 * Lets the instances of an exported class travel: as arguments, over queues and connections.
 *
 * Call it in the module that declares the class, right after it, so that every process that imports the module
 * knows. Without a reduction the own enumerable fields travel (of an error also message, stack and cause) and the
 * constructor does not run on arrival; private `#fields` do not travel that way.
 *
 * Python: `copyreg.pickle`; there any class of a module can travel without being registered.
 *
 * @typeParam T The class.
 * @typeParam S What an instance is reduced to.
 * @param Class The class.
 * @param reduction How to take an instance apart and put it together.
 * @throws {ValueError} If the class has no name.
 *
 * @example
 * ```ts
 * import { Queue, register } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * class Point {
 *   constructor(readonly x: number, readonly y: number) {}
 *   get length() {
 *     return Math.hypot(this.x, this.y);
 *   }
 * }
 * register(Point);
 *
 * using queue = new Queue<Point>();
 * await queue.put(new Point(3, 4));
 * assert.equal((await queue.get()).length, 5);
 * ```
 */
export function register<T extends object, S = Partial<T>>(
  Class: abstract new (...args: never[]) => T,
  reduction?: Reduction<T, S>,
): void {
  if (typeof Class !== "function" || Class.name === "") {
    throw new ValueError("Cannot register a class without a name: processes know it by its module and name");
  }
  const { reduce, rebuild } = reduction ?? byFields(Class) as unknown as Reduction<T, S>;
  travels<T, S>(Class, {
    tag: `${Class.name} of ${callingModule() ?? "an unknown module"}`,
    foreign: true,
    pack: (instance) => reduce(instance),
    unpack: (state) => rebuild(state),
  });
}

type Fields = Record<string, unknown>;

/** What of an error is not enumerable. */
const HIDDEN = ["message", "stack", "cause"];

function byFields(
  Class: abstract new (...args: never[]) => object,
): Reduction<object, Fields | [Fields, Fields]> {
  if (!(Class.prototype instanceof Error)) {
    return {
      reduce: (instance) => ({ ...instance }),
      rebuild: (fields) => Object.assign(Object.create(Class.prototype), fields),
    };
  }
  return {
    reduce(error) {
      const hidden = HIDDEN.filter((key) => Object.hasOwn(error, key));
      return [{ ...error }, Object.fromEntries(hidden.map((key) => [key, (error as Fields)[key]]))];
    },
    rebuild(state) {
      const [fields, hidden] = state as [Fields, Fields];
      const error: Error = Reflect.construct(Error, [], Class); // a true error, without the constructor of the class
      for (const [key, value] of Object.entries(hidden)) {
        Object.defineProperty(error, key, { value, configurable: true, writable: true });
      }
      return Object.assign(error, fields);
    },
  };
}
