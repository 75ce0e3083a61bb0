/**
 * The start methods a contract suite runs for, and the frame around each of its tests.
 *
 * @module
 */
import { activeChildren, type Context, getAllStartMethods, getContext } from "@multiprocessing/deno";
import assert from "node:assert/strict";
import { within } from "./gates.ts";

/** The library once for each start method. */
export function contexts(): Context[] {
  return getAllStartMethods().map((method) => getContext(method));
}

/** Only a net: a test that waits for something that never comes fails after this long, and says so. */
const NET_MS = 40_000;

/**
 * A test of one start method, named `NAME [METHOD]`, that no child may outlive.
 *
 * The leak checks of `deno test` do not see a worker, so live children are counted here. Those of a failed test are
 * ended, lest they disturb the next one.
 */
export function test(mp: { readonly name: string }, name: string, body: () => Promise<void> | void): void {
  Deno.test(`${name} [${mp.name}]`, async () => {
    try {
      await within(NET_MS, (async () => await body())(), "the test");
      assert.deepEqual(activeChildren().map((child) => child.name), [], "children outlived the test");
    } finally {
      for (const child of activeChildren()) {
        child.kill();
        await within(NET_MS, child.sentinel, `the end of ${child.name} after kill()`);
      }
    }
  });
}
