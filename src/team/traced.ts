/** How the stack of an error comes along to another process. */

import { RemoteTraceback } from "../base/errors.ts";
import { describe } from "../transport/codec.ts";

const tracedBefore = new WeakSet<Error>();

/** Puts an error's stack where the other side finds it as that of this process. */
export function traced(error: unknown): unknown {
  if (error instanceof Error && !tracedBefore.has(error)) {
    tracedBefore.add(error);
    const text = error.stack ?? describe(error);
    const cause = new RemoteTraceback(text, "cause" in error ? { cause: error.cause } : undefined);
    cause.stack = `RemoteTraceback: ${text}`; // where it was made says nothing
    Reflect.defineProperty(error, "cause", { value: cause, configurable: true, writable: true });
  }
  return error;
}
