/** The servants of objects of any class, and of iterators. */

import { type DictObject, VALUE } from "./_objects.ts";
import {
  type Asker,
  type Exposure,
  findWork,
  type Methods,
  notExposed,
  type Servant,
  type Share,
} from "./_servant.ts";

/** Something that may have methods. */
export type AnyObject = Record<string | symbol, unknown>;

/** What iterators do. */
export function iteratorMethods(iterator: Iterator<unknown> | AsyncIterator<unknown>): Methods {
  return {
    next: () => iterator.next(),
    return: () => iterator.return?.() ?? { value: undefined, done: true },
  };
}

/** Calls the methods of an object, those of a user's class for the most part. */
export class ObjectServant implements Servant {
  readonly object: AnyObject;
  readonly #typeid: string;
  readonly #exposed: ReadonlySet<string> | undefined;
  readonly #typeids: ReadonlyMap<string, string>;
  readonly #share: Share;

  constructor(typeid: string, object: AnyObject, { exposed, methodToTypeid }: Exposure, share: Share) {
    this.#typeid = typeid;
    this.object = object;
    this.#typeids = new Map(Object.entries(methodToTypeid ?? {}));
    this.#exposed = exposed && new Set([...exposed, ...this.#typeids.keys()]);
    this.#share = share;
  }

  invoke(method: string, args: readonly unknown[], _asker: Asker): unknown {
    const { object } = this;
    if (method === "#value") return VALUE in object ? (object[VALUE] as () => unknown)() : object;
    if (method === "#iterate") return this.#iterate();
    if (!this.exposes(method)) throw notExposed(this.#typeid, method);
    const result = (object[method] as (...args: unknown[]) => unknown)(...args);
    const typeid = this.#typeids.get(method);
    if (typeid === undefined) return result;
    return isPromise(result)
      ? result.then((result) => this.#share(typeid, result))
      : this.#share(typeid, result);
  }

  protected exposes(method: string): boolean {
    const found = isObject(this.object) ? this.object[method] : undefined;
    if (typeof found !== "function") return false;
    if (this.#exposed !== undefined) return this.#exposed.has(method);
    return !method.startsWith("_") && !method.startsWith("#") && method !== "constructor" &&
      found !== (Object.prototype as unknown as AnyObject)[method];
  }

  #iterate(): unknown {
    const { object } = this;
    const makes = isObject(object) ? object[Symbol.asyncIterator] ?? object[Symbol.iterator] : undefined;
    if (typeof makes !== "function" || (this.#exposed !== undefined && !this.#exposed.has("next"))) {
      throw new TypeError(`Cannot iterate over a shared ${this.#typeid}: it yields nothing`);
    }
    return this.#share("Iterator", makes.call(object));
  }
}

/** The servant of a dict. */
export class DictServant extends ObjectServant {
  readonly exclusive = new Set(["#change"]);
  readonly #dict: DictObject;

  constructor(typeid: string, dict: DictObject, exposure: Exposure, share: Share) {
    super(typeid, dict as unknown as AnyObject, exposure, share);
    this.#dict = dict;
  }

  override invoke(method: string, args: readonly unknown[], asker: Asker): unknown {
    if (method !== "#change" || !this.exposes("update")) return super.invoke(method, args, asker);
    const [key, where] = args;
    return findWork(where, asker).then((change) => this.#dict.change(key, change));
  }
}

function isObject(value: unknown): boolean {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function isPromise(value: unknown): value is Promise<unknown> {
  return isObject(value) && typeof (value as Partial<Promise<unknown>>).then === "function";
}
