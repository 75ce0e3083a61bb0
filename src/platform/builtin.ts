/** Modules of Node that are part of the runtime, loaded when they are first needed. */

/** The module of that name. */
export function builtin<M>(name: string): M {
  const { process } = globalThis as unknown as { process: { getBuiltinModule(name: string): M } };
  return process.getBuiltinModule(name);
}
