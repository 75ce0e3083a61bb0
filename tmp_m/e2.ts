import { getContext, type QueueProxy, type Queue } from "/work/main/mod.ts";
import { waitsForEver } from "/work/main/tests/fixtures/manager_targets.ts";
if (import.meta.main) {
  const mp = getContext("spawn");
  for (let k = 0; k < 12; k++) {
  await using manager = getContext("worker").Manager();
    using said = new mp.Queue<string>();
      using queue = manager.Queue<number>();
      await using child = new mp.Process({ target: waitsForEver, args: ["get", queue, said] });
      child.start();
      await said.get();
      queue[Symbol.dispose]();
      await manager._numberOfObjects();
      child.kill();
      await child.join();
      let n = 0;
      for (let i = 0; i < 20; i++) { await new Promise(r => setTimeout(r, 50)); n = await manager._numberOfObjects(); if (n === 0) break; }
      console.log(k, n);
  }
}
