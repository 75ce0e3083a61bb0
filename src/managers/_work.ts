/** Calls of shared objects that have the server call a function. */

import type { Address, Callable } from "../process/target.ts";
import { Whereabouts } from "../team/whereabouts.ts";
import { type BaseProxy, call } from "./proxy.ts";

/** As {@link call}, with arguments that say where a function is found; once more if it is elsewhere. */
export async function callWork<R>(
  proxy: BaseProxy,
  method: string,
  fn: Callable,
  site: string | undefined,
  args: (where: Address) => unknown[],
  signal?: AbortSignal,
): Promise<R> {
  const whereabouts = new Whereabouts(fn, site);
  for (;;) {
    try {
      return await call<R>(proxy, method, args(whereabouts.address), signal);
    } catch (error) {
      if (!await whereabouts.elsewhere(error)) throw error;
    }
  }
}
