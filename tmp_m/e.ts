import { getContext, type QueueProxy, type Queue } from "/work/main/mod.ts";
import { waitsForEver } from "/work/main/tests/fixtures/manager_targets.ts";
if (import.meta.main) {
  const mp = getContext("spawn");
  for (const mm of ["worker", "spawn"] as const) for (const how of ["terminate", "kill", "kill"] as const) {
  await using manager = getContext(mm).Manager();
    using said = new mp.Queue<string>();
      using queue = manager.Queue<number>();
      await using child = new mp.Process({ target: waitsForEver, args: ["get", queue, said] });
      child.start();
      console.log(await said.get());
      queue[Symbol.dispose]();
      console.log(await manager._numberOfObjects());
      child[how]();
      await child.join();
      for (let i = 0; i < 4; i++) { await new Promise(r => setTimeout(r, 100)); console.log(mm, how, await manager._numberOfObjects()); }
  }
}
