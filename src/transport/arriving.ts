/**
 * How an object is built on a given core: its class is constructed as always, and finds here what it stands on
 * instead of making something new. So the parameters of public constructors stay free of machinery, for a handle
 * that arrives as for a subclass that stands on something of its own.
 */

let core: unknown;

/** Constructs `Class` on an existing core. */
export function arrive<T>(Class: new () => T, existing: unknown): T {
  core = existing;
  try {
    return new Class();
  } finally {
    core = undefined;
  }
}

/** Names a core for the constructor that runs next, unless it is given one already. */
export function offer(make: () => unknown): void {
  core ??= make();
}

/** The core that the constructor running now was given. */
export function arriving<C>(): C | undefined {
  const given = core as C | undefined;
  core = undefined;
  return given;
}
