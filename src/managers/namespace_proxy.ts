/** NamespaceProxy: the proxy of an object with attributes. */

import { assign, BaseProxy, call, proxyTravels, wrapped } from "./proxy.ts";

/** What JavaScript itself looks for, or every object has: none of it can be an attribute. */
const OWN: ReadonlySet<string> = new Set(["constructor", "toString", "then", "toJSON"]);

const isOwn = (name: string | symbol): name is symbol =>
  typeof name === "symbol" || name.startsWith("_") || OWN.has(name);

const handler: ProxyHandler<NamespaceProxy> = {
  get(target, name, proxy) {
    return isOwn(name) ? Reflect.get(target, name, proxy) : call(target, "get", [name]);
  },
  set(target, name, value) {
    if (isOwn(name)) return Reflect.set(target, name, value);
    assign(target, "set", [name, value]);
    return true;
  },
  deleteProperty(target, name) {
    if (isOwn(name)) return Reflect.deleteProperty(target, name);
    assign(target, "delete", [name]);
    return true;
  },
};

/**
 * The proxy of an object with attributes in the server of a manager, made by {@link SyncManager.Namespace}.
 *
 * - `await ns.x` reads, `ns.x = 1` writes, `delete ns.x` removes. What this process does is done in its order, so that
 *   a read sees the writes before it. That a write has failed is an uncaught error: there is nobody to be told.
 * - An attribute that is not there is `undefined`.
 * - Names that begin with `_` stay in this process, and some belong to JavaScript: `constructor`, `then`, `toJSON`,
 *   `toString`.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.managers.Namespace | multiprocessing.managers.Namespace}.
 * There reading what is not there is an AttributeError.
 *
 * @example
 * ```ts
 * import { Manager } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * await using manager = Manager();
 * const settings = manager.Namespace({ colour: "red" });
 * settings.size = 3;
 * assert.equal(await settings.size, 3);
 * delete settings.colour;
 * assert.equal(await settings.colour, undefined);
 * ```
 */
export class NamespaceProxy extends BaseProxy {
  /** An attribute: a Promise when it is read, and whatever can travel to be written. */
  // deno-lint-ignore no-explicit-any -- it is a Promise to the reader and not to the writer
  [name: string]: any;

  /** Proxies are made by managers. */
  constructor() {
    super();
    return wrapped<NamespaceProxy>(this, new Proxy(this, handler));
  }
}

proxyTravels(NamespaceProxy, "Namespace");
