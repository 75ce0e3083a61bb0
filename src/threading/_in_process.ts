/**
 * What the primitives of this room have in common. Each is the class of `sync/` that it is named after, but for
 * Python's errors, which are other ones in `threading` than in `multiprocessing`; and for three things that follow
 * from all who use it being in one process: a blocking wait can never end, so it is refused; the wait of a greenlet
 * can be broken off; and it does not travel.
 */

import { RuntimeError } from "../base/errors.ts";
import { waitMs, type WaitOptions } from "../base/options.ts";
import { staysHome } from "../transport/registry.ts";

/** What a blocking wait gives when it need not block; refuses it otherwise. */
export function atOnce(got: boolean, options: WaitOptions | undefined): boolean {
  if (!got && waitMs(options) > 0) refuseToBlock();
  return got;
}

/** Throws: whoever could end the wait runs on the thread that it would block. */
export function refuseToBlock(): never {
  throw new RuntimeError(
    "Cannot block on a primitive of threading: the threads that could end the wait run in this process and would " +
      "be blocked with it; await the form without Sync",
  );
}

/** Lets a class of primitives not travel. */
export function staysInProcess(Class: abstract new (...args: never[]) => object): void {
  staysHome(Class, `threading.${Class.name}`, `take the ${Class.name} of "@multiprocessing/deno"`);
}
