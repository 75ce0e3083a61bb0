/**
 * How a handle is built on arrival: its class is constructed as always, and finds here what it stands on instead
 * of making something new. So the parameters of public constructors stay free of machinery.
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

/** The core that the constructor running now was given, if it was built by {@link arrive}. */
export function arriving<C>(): C | undefined {
  const given = core as C | undefined;
  core = undefined;
  return given;
}
