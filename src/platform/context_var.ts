/** A variable with a value for each async context. Loading what it stands on takes 4 ms, so not everybody does. */

import { AsyncLocalStorage } from "node:async_hooks";

/** A value that follows whoever it was given to through `await`, timers and callbacks. */
export class ContextVar<T> {
  readonly #storage = new AsyncLocalStorage<T>();

  /** The value here and now. */
  get(): T | undefined {
    return this.#storage.getStore();
  }

  /** Calls `body` with the value, which all that `body` begins will have as well. */
  run<R>(value: T, body: () => R): R {
    return this.#storage.run(value, body);
  }
}
