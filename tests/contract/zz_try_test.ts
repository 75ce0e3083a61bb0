import { getContext } from "@multiprocessing/deno";
import { addTo } from "../fixtures/targets.ts";
import assert from "node:assert/strict";
console.error("import", Deno.mainModule, typeof Deno.test, Deno.pid);
for (const m of ["worker","spawn"] as const) {
  const mp = getContext(m);
  Deno.test(`try [${m}]`, async () => {
    const q = new mp.Queue<string>();
    let t = performance.now();
    await using p = new mp.Process({ target: addTo, args: [q, "x"] });
    p.start();
    assert.equal(await q.get(), "x");
    await p.join();
    console.error(p.exitcode, performance.now() - t);
  });
}
