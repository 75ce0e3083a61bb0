/**
 * From a function to the module it is exported from, and back.
 *
 * A function does not travel; where it is found does. The parent names the module of the frame that handed us the
 * function, which is right nearly always and costs 12 µs. The child looks there and compares source texts, so that
 * a namesake is never called by mistake. Only if that fails is V8 asked where the function was compiled (20 ms the
 * first time). Neither works for what no module exports.
 */

import { PicklingError, ValueError } from "../base/errors.ts";
import { compiledIn } from "../platform/inspector.ts";
import { importedModule, importModule, offerModule } from "../platform/modules.ts";
import { setFunctionTraveller } from "../transport/registry.ts";

/** A function or class named by its module; made by {@link ref}. It can also be called, where it is. */
// deno-lint-ignore no-explicit-any -- what it is called with is between the caller and the function it names
export type Target = (...args: any[]) => any;

/** Where something exported is found. */
export interface Address {
  /** The module's URL. */
  readonly module: string;
  /** The name it is exported under, as far as known. */
  readonly name: string;
  /** Its source text, to tell it from a namesake; left out when it was named by {@link ref}. */
  readonly source?: string;
}

/** Whatever can be a target. */
// deno-lint-ignore ban-types -- classes and functions alike
export type Callable = Function;

const named = new WeakMap<Callable, Address>();
const library = new URL("../", import.meta.url).href;

/**
 * Names an exported function or class by its module, for where passing it as itself does not reach it.
 *
 * Python has no counterpart: `pickle` always goes by module and name.
 *
 * @param module The module's URL: `import.meta.resolve("./work.ts")`.
 * @param name The name it is exported under.
 * @returns What can be passed wherever a target is expected. Called directly, it imports the module and calls it.
 * @throws {ValueError} If `module` is not an absolute URL or `name` is empty.
 *
 * @example Name a function of another module
 * ```ts
 * import { Process, ref } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const target = ref(import.meta.resolve("examples/targets.ts"), "square");
 * assert.equal(await target(3), 9);
 * await using child = new Process({ target, args: [3] });
 * child.start();
 * await child.join();
 * assert.equal(child.exitcode, 0);
 * ```
 */
export function ref(module: string | URL, name: string): Target {
  const url = String(module);
  if (!URL.canParse(url)) {
    throw new ValueError(
      `Cannot name a target in ${JSON.stringify(url)}: it is not an absolute URL; use import.meta.resolve()`,
    );
  }
  if (typeof name !== "string" || name === "") {
    throw new ValueError("Cannot name a target: its name is empty");
  }
  const address = { module: url, name };
  const target: Target = async (...args) => {
    const found = await lookUp(address) as Target | undefined;
    if (found === undefined) throw notExported(name, `module ${url} has no such export`);
    return await found(...args);
  };
  named.set(target, address);
  return target;
}

/**
 * Names a function of this library that children run. `load` imports its module, by a literal, so that the module is
 * there whatever a child may read, and in a compiled program.
 */
export function ownRef(module: string, name: string, load: () => Promise<Record<string, unknown>>): Target {
  offerModule(module, load);
  return ref(module, name);
}

/** The URL of the module whose code is calling into this library. */
export function callingModule(): string | undefined {
  const { prepareStackTrace, stackTraceLimit } = Error;
  let sites: NodeJS.CallSite[] = [];
  try {
    Error.stackTraceLimit = 50;
    Error.prepareStackTrace = (_, found) => sites = found;
    void new Error().stack;
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
    Error.stackTraceLimit = stackTraceLimit;
  }
  for (const site of sites) {
    const url = site.getScriptNameOrSourceURL();
    if (!url || url.startsWith(library) || url.startsWith("ext:") || url.startsWith("node:")) continue;
    return url;
  }
  return undefined;
}

/** Where `target` is found if it comes from `site`. Throws a {@link PicklingError} for what can be nowhere. */
export function addressOf(target: Callable, site: string | undefined): Address {
  const known = named.get(target);
  if (known !== undefined) return known;
  const source = Function.prototype.toString.call(target);
  if (target.name.startsWith("bound ") || /\{\s*\[native code\]\s*\}\s*$/.test(source)) {
    throw notExported(target.name, "it is a bound or native function, which no module exports");
  }
  return { module: site ?? "", name: target.name, source };
}

/** Asks V8 where `target` was compiled, and remembers it. */
export async function locate(target: Callable): Promise<Address | undefined> {
  const module = await compiledIn(target);
  if (module === undefined) return undefined;
  const address = { module, name: target.name, source: Function.prototype.toString.call(target) };
  named.set(target, address);
  return address;
}

/** Imports what an address names; `undefined` if the module does not export it. */
export async function lookUp({ module, name, source }: Address): Promise<unknown> {
  if (module === "") return undefined;
  const namespace = await importModule(module);
  const same = (value: unknown) =>
    typeof value === "function" &&
    (source === undefined || Function.prototype.toString.call(value) === source);
  const found = same(namespace[name])
    ? namespace[name]
    : Object.values(namespace).find(source ? same : () => false);
  // In this thread it is the very function from now on, wherever it is passed on to.
  if (found !== undefined && source !== undefined) named.set(found as Callable, { module, name, source });
  return found;
}

/** The error for a target that cannot be reached. */
export function notExported(name: string, why: string): PicklingError {
  const called = name === "" ? "an anonymous function" : `function ${name}`;
  return new PicklingError(
    `Cannot run ${called} in another process: ${why}; export it from its module or name it with ref()`,
  );
}

setFunctionTraveller({
  pack: (target) => named.get(target),
  unpack: (address) => {
    const { module, name } = address as Address;
    // Where the module is here already it is the function itself, which can be called without waiting.
    const here = importedModule(module)?.[name];
    if (typeof here !== "function") return ref(module, name);
    named.set(here, { module, name });
    return here;
  },
});
