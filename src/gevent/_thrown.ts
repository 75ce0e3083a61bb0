/** What is thrown, given that itself or, as Python allows, its class. */

/** An instance for what may be a class. */
export function instanceFor(exception: unknown): unknown {
  return typeof exception === "function" ? new (exception as new () => unknown)() : exception;
}
