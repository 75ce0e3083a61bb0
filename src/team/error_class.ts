/**
 * Errors keep their class, also when it is not registered: the member says what the class is called and how it reads,
 * and here it is found among the classes of errors there are.
 */

import { subclassesOf } from "../platform/inspector.ts";
import { keepsClass } from "../transport/registry.ts";

/** A class of errors, for where it is not known by a registered name. */
export interface ErrorClass {
  /** What it is called. */
  readonly name: string;
  /** Its source text, to tell it from a namesake. */
  readonly source: string;
}

/** What the class of an error is, if the error loses it on its way. */
export function lostClass(error: unknown): ErrorClass | undefined {
  if (!(error instanceof Error) || keepsClass(error)) return undefined;
  const { constructor: Class } = Object.getPrototypeOf(error) as { constructor?: unknown };
  return typeof Class === "function" ? described(Class) : undefined;
}

/** Those that were looked for, `undefined` if there is none: looking takes long. */
const known = new Map<string, Promise<{ prototype: object } | undefined>>();

/** Makes an error one of its class again, where this thread has the class. */
export async function regainClass(error: unknown, { name, source }: ErrorClass): Promise<void> {
  const key = `${name} ${source}`;
  let finding = known.get(key);
  if (finding === undefined) {
    finding = subclassesOf(Error).then((classes) =>
      (classes as { prototype: object; name: string }[]).find((Class) => {
        const here = described(Class as unknown as CallableFunction);
        return here.name === name && here.source === source;
      })
    );
    known.set(key, finding);
  }
  const Class = await finding;
  if (Class !== undefined) Object.setPrototypeOf(error, Class.prototype);
}

function described(Class: CallableFunction): ErrorClass {
  return { name: Class.name, source: Function.prototype.toString.call(Class) };
}
