/**
 * Programs that are run in the processes of this library.
 *
 * @module
 */
import { Queue } from "@multiprocessing/deno";
import { CalledProcessError, CompletedProcess } from "@multiprocessing/deno/subprocess";
import assert from "node:assert/strict";
import { contexts, test } from "../support/contexts.ts";
import { allGone, canLook, runs } from "../support/leftovers.ts";
import { leaveBehind, runThere } from "./targets.ts";

for (const mp of Deno.build.os === "windows" ? [] : contexts()) { // sleep and cat are not there
  test(mp, "run() works in a child, and what it gives travels", async () => {
    using results = new Queue<unknown>();
    await using child = new mp.Process({ target: runThere, args: [results] });
    child.start();
    const done = await results.get();
    assert.ok(done instanceof CompletedProcess);
    assert.deepEqual({ ...done }, { args: ["cat"], returncode: 0, stdout: "bread", stderr: "" });
    const failed = await results.get();
    assert.ok(failed instanceof CalledProcessError);
    assert.deepEqual([failed.returncode, failed.cmd], [3, "exit 3"]);
    await child.join();
  });

  test(mp, "a child that ends leaves a Popen behind, which lives on", async () => {
    using pids = new Queue<number>();
    await using child = new mp.Process({ target: leaveBehind, args: [pids] });
    child.start();
    const pid = await pids.get();
    await child.join();
    assert.equal(child.exitcode, 0);
    if (canLook) assert.equal(runs(pid), true);
    Deno.kill(pid, "SIGKILL");
    if (canLook) assert.deepEqual(await allGone([pid], 10_000), []);
  });
}
