/**
 * Which classes travel between processes, and how.
 *
 * The codec knows plain data and nothing else. A class whose instances travel registers itself here, at the
 * foot of its own file; so the rooms above may be known to the codec without it importing any of them.
 */

import * as errors from "../base/errors.ts";

/** What the codec offers to {@linkcode Traveller.pack}. */
export interface PackContext {
  /** Whether the message goes to another OS process, where nothing can be attached. */
  readonly wire: boolean;
  /** What the caller of `encode()` gave as `context`. */
  readonly context: unknown;
  /**
   * Sends `thing` beside the bytes, for things that only the engine can bring over.
   *
   * @param thing A `SharedArrayBuffer`, a `MessagePort` or anything else that can be posted.
   * @param transfer Whether this side gives it up.
   * @returns The place of `thing` among the attachments; the same one when it was attached before.
   * @throws {errors.PicklingError} If the message goes to another OS process.
   */
  attach(thing: object, transfer?: boolean): number;
  /** Calls `undo` if the message is refused after all, because of something else in it. The last one comes first. */
  onRefusal(undo: () => void): void;
}

/** What the codec offers to {@linkcode Traveller.unpack}. */
export interface UnpackContext {
  /** What came beside the bytes, in the order in which it was attached. */
  readonly attachments: readonly unknown[];
  /** What the caller of `decode()` gave as `context`. */
  readonly context: unknown;
}

/** How the instances of one class travel. */
export interface Traveller<T extends object = object, P = unknown> {
  /** The word that stands for the class in a message: short, and used by no other class. */
  readonly tag: string;
  /** Says in plain data, which may contain other travellers, what `unpack` needs to know. */
  pack(value: T, c: PackContext): P;
  /** Builds the instance on the other side. */
  unpack(payload: P, c: UnpackContext): T;
  /** Whether that runs code of the user's, which is for the sender and the receiver alone. */
  readonly foreign?: boolean;
}

/** How functions travel. There is one way for all of them. */
export interface FunctionTraveller {
  /** Says in plain data where to find `fn`, or `undefined` if it cannot be found. */
  // deno-lint-ignore ban-types -- any function at all may be met in a value
  pack(fn: Function): unknown;
  /** Finds the function on the other side. */
  unpack(payload: unknown): unknown;
}

// By prototype, not by `constructor`: that is an ordinary property, and anyone may have overwritten it.
const byPrototype = new Map<object, Traveller>();
const byTag = new Map<string, Traveller>();
const errorNames = new Map<object, string>();
const errorClasses = new Map<string, abstract new (...args: never[]) => Error>();
let functions: FunctionTraveller | undefined;

/**
 * Lets the instances of a class travel. Instances of subclasses arrive as instances of the nearest registered
 * ancestor.
 *
 * @param Class The class. Registering it again replaces how it travels.
 * @param traveller How it travels.
 * @throws {errors.ValueError} If another class has the same tag.
 */
export function travels<T extends object, P = unknown>(
  Class: abstract new (...args: never[]) => T,
  traveller: Traveller<T, P>,
): void {
  const before = byPrototype.get(Class.prototype);
  const holder = byTag.get(traveller.tag);
  if (holder !== undefined && holder !== before) {
    throw new errors.ValueError(
      `Cannot register class ${Class.name}: the tag "${traveller.tag}" belongs to another class; choose another tag`,
    );
  }
  if (before !== undefined) byTag.delete(before.tag);
  // The payload's type is a matter between pack and unpack; the codec carries it without looking.
  const stored = traveller as unknown as Traveller;
  byPrototype.set(Class.prototype, stored);
  byTag.set(traveller.tag, stored);
}

/**
 * Refuses the instances of a class that means something in its own process only, though a class it derives from
 * travels or the message for unknown classes would advise to register it.
 *
 * @param Class The class.
 * @param name What messages call it; unlike any other tag.
 * @param cure What to do instead.
 */
export function staysHome(
  Class: abstract new (...args: never[]) => object,
  name: string,
  cure: string,
): void {
  const refuse = () => {
    throw new errors.PicklingError(`it is a ${name}, which lives in one process; ${cure}`);
  };
  travels(Class, { tag: name, pack: refuse, unpack: refuse });
}

/** How `value` travels, by the nearest ancestor of its class that is registered. */
export function travellerOf(value: object): Traveller | undefined {
  if (value instanceof Stranger) return strangers(value.tag);
  let prototype: object | null = Object.getPrototypeOf(value);
  while (prototype !== null) {
    const traveller = byPrototype.get(prototype);
    if (traveller !== undefined) return traveller;
    prototype = Object.getPrototypeOf(prototype);
  }
  return undefined;
}

/** The traveller registered under `tag`. */
export function travellerByTag(tag: string): Traveller | undefined {
  return byTag.get(tag) ?? (admitting ? strangers(tag) : undefined);
}

/**
 * What stands for an instance of a class in a process that only keeps it or hands it on: what it was packed as. It
 * travels as the instance would, and no code of the class runs.
 */
export class Stranger {
  /** The word that stands for the class. */
  readonly tag: string;
  /** What says in plain data what the instance is. */
  readonly payload: unknown;

  /** Made where an instance arrives. */
  constructor(tag: string, payload: unknown) {
    this.tag = tag;
    this.payload = payload;
  }
}

let admitting = false;

/**
 * Lets instances of classes that nobody here has registered in as {@link Stranger}s: for a process that only keeps what
 * others put there.
 */
export function admitStrangers(): void {
  admitting = true;
}

/** How instances travel of a class that is not known here. */
function strangers(tag: string): Traveller {
  return {
    tag,
    pack: (stranger) => (stranger as Stranger).payload,
    unpack: (payload) => new Stranger(tag, payload),
  };
}

/** Says how functions travel; `undefined` refuses them all. */
export function setFunctionTraveller(traveller: FunctionTraveller | undefined): void {
  functions = traveller;
}

/** How functions travel, if anyone has said. */
export function functionTraveller(): FunctionTraveller | undefined {
  return functions;
}

/**
 * Lets the errors of a class keep it when they travel. The built-in errors and those of this library do.
 *
 * They are rebuilt without running the constructor: message, stack, cause and own enumerable properties are
 * kept, private fields are not. A class that has some is registered with {@linkcode travels}.
 *
 * @param Class The class.
 * @param name The word that stands for it in a message.
 * @throws {errors.ValueError} If another class has the same name.
 */
export function travelsAsError(
  Class: abstract new (...args: never[]) => Error,
  name: string = Class.name,
): void {
  const holder = errorClasses.get(name);
  if (holder !== undefined && holder !== Class) {
    throw new errors.ValueError(
      `Cannot register error class ${Class.name}: the name "${name}" belongs to another class; choose another name`,
    );
  }
  errorClasses.set(name, Class);
  errorNames.set(Class.prototype, name);
}

/** The name of the nearest ancestor of the error's class that travels. */
export function errorNameOf(error: Error): string {
  let prototype: object | null = Object.getPrototypeOf(error);
  while (prototype !== null) {
    const name = errorNames.get(prototype);
    if (name !== undefined) return name;
    prototype = Object.getPrototypeOf(prototype);
  }
  return "Error";
}

/** Whether an error arrives as one of its very class. */
export function keepsClass(error: Error): boolean {
  const prototype: object = Object.getPrototypeOf(error);
  return errorNames.has(prototype) || byPrototype.has(prototype);
}

/** The error class that travels under `name`. */
export function errorClassByName(name: string): (abstract new (...args: never[]) => Error) | undefined {
  return errorClasses.get(name);
}

for (
  const Class of [
    Error,
    AggregateError,
    EvalError,
    RangeError,
    ReferenceError,
    SyntaxError,
    TypeError,
    URIError,
    DOMException,
    ...Object.values(errors),
  ]
) {
  travelsAsError(Class);
}
