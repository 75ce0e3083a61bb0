/** Why a value cannot travel, and the sentence that says so. */

import { PicklingError } from "../base/errors.ts";

const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/** Steps beyond this many are left out of the text: nobody reads further. */
const SHOWN_STEPS = 12;

/**
 * Thrown inside the encoder where it meets something that cannot travel. On its way up every container adds the
 * step that leads to it, so the path is exact and costs nothing while all goes well. Not an Error: it never
 * leaves the encoder, and a stack trace would be dear.
 */
export class Refusal {
  /** Innermost first. */
  readonly steps: string[] = [];

  constructor(readonly reason: string, readonly cause?: unknown) {}

  /** The error for the caller. */
  toError(root: string, receiver: string): PicklingError {
    const steps = this.steps.reverse();
    const path = steps.length <= SHOWN_STEPS ? steps.join("") : steps.slice(0, SHOWN_STEPS).join("") + "…";
    return new PicklingError(
      `Cannot send ${root}${path} to ${receiver}: ${this.reason}`,
      this.cause === undefined ? undefined : { cause: this.cause },
    );
  }
}

/** The step to a property. */
export function propertyStep(key: string): string {
  return IDENTIFIER.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** The step into a collection: `.get("k")` for the key `"k"`. */
export function memberStep(method: string, key: unknown): string {
  const shown = typeof key === "string"
    ? JSON.stringify(key)
    : key === null || (typeof key !== "object" && typeof key !== "function")
    ? describe(key)
    : "…";
  return `.${method}(${shown})`;
}

/** `String(value)`, also for what resists it. */
export function describe(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "something that has no text";
  }
}

/** Why a value that is neither plain data nor a traveller cannot travel, and what to do about it. */
export function reasonAgainst(value: unknown): string {
  if (typeof value === "function") {
    return "it is a function no module exports; export it or name it with ref()";
  }
  if (typeof value === "symbol" || value instanceof Symbol) {
    return "it is a symbol, which is unique to its process; send a string";
  }
  if (value instanceof Promise) return "it is a Promise; await it and send the result";
  if (value instanceof WeakMap || value instanceof WeakSet) {
    return `it is a ${className(value)}, whose contents cannot be listed; send a ${
      className(value).slice(4)
    }`;
  }
  if (value instanceof WeakRef) return "it is a WeakRef; send what deref() gives";
  const name = className(value as object);
  if (name === "Object") {
    return "it is an object whose prototype is another object; send a plain copy, { ...it }";
  }
  if (name === "") {
    return "it is an instance of a class without a name, which is not registered; register() lets its instances travel";
  }
  return `it is an instance of class ${name}, which is not registered; register(${name}) lets its instances travel`;
}

function className(value: object): string {
  const name: unknown = value.constructor?.name;
  if (typeof name === "string" && name !== "") return name;
  // Generators and iterators have no class of their own, but a tag.
  const tag: unknown = (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
  return typeof tag === "string" ? tag : "";
}
