/**
 * Nobody hangs, killing kills, nothing survives: each way in which a child can die, in the middle of each thing it can be
 * doing, for each start method. Deaths are real, and each must be known to everybody within two seconds.
 *
 * @module
 */
import type { Context, Process } from "@multiprocessing/deno";
import assert from "node:assert/strict";
import * as targets from "../fixtures/targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { isPending, within } from "../support/gates.ts";
import { allGone, canLook, runs } from "../support/leftovers.ts";
import { Program } from "../support/program.ts";

/** How long after a death everything that depended on the dead may take to settle. */
const DEATH_MS = 2_000;

interface Way {
  name: string;
  /** What the child does in the end. */
  death: targets.Death;
  exitcode: number;
  kill(child: Process, scene: targets.Scene): void | Promise<void>;
  methods?: readonly string[];
  occupations?: readonly targets.Occupation[];
}

const told = async (_: Process, { go }: targets.Scene) => await go.put(null);

const ways: Way[] = [
  // A wait under way when the target returns is not cut off: the process ends after it. So only these two.
  { name: "returns", death: "return", exitcode: 0, kill: told, occupations: ["idle", "holding"] },
  { name: "throws", death: "throw", exitcode: 1, kill: told },
  { name: "calls exit(3)", death: "exit", exitcode: 3, kill: told },
  { name: "is terminated while it waits", death: "wait", exitcode: -15, kill: (child) => child.terminate() },
  { name: "is terminated in for(;;)", death: "spin", exitcode: -15, kill: (child) => child.terminate() },
  { name: "is killed in for(;;)", death: "spin", exitcode: -9, kill: (child) => child.kill() },
  // A "spawn" child has no blocking waits.
  {
    name: "is terminated in a blocking wait",
    death: "block",
    exitcode: -15,
    kill: (child) => child.terminate(),
    methods: ["worker"],
  },
  {
    name: "is killed in a blocking wait",
    death: "block",
    exitcode: -9,
    kill: (child) => child.kill(),
    methods: ["worker"],
  },
  // A worker has no process id of the operating system that a signal could be sent to.
  {
    name: "gets SIGKILL from outside while it waits",
    death: "wait",
    exitcode: -9,
    kill: (child) => Deno.kill(child.pid!, "SIGKILL"),
    methods: ["spawn"],
  },
  {
    name: "gets SIGKILL from outside in for(;;)",
    death: "spin",
    exitcode: -9,
    kill: (child) => Deno.kill(child.pid!, "SIGKILL"),
    methods: ["spawn"],
  },
];

const occupations: targets.Occupation[] = ["idle", "holding", "putting", "getting"];

async function newScene(mp: Context): Promise<targets.Scene> {
  const full = new mp.Queue<string>(1);
  await full.put("inside");
  return { lock: new mp.Lock(), full, empty: new mp.Queue(), said: new mp.Queue(), go: new mp.Queue() };
}

for (const mp of contexts()) {
  for (const way of ways) {
    if (way.methods && !way.methods.includes(mp.name)) continue;
    for (const occupation of way.occupations ?? occupations) {
      test(mp, `Process that ${way.name}, ${occupation}, leaves everything in order`, async () => {
        const scene = await newScene(mp);
        const child = new mp.Process({ target: targets.dies, args: [occupation, way.death, scene] });
        child.start();
        assert.equal(await scene.said.get(), "ready");
        const after = await getInLine(occupation, scene, way.death === "block");
        await way.kill(child as Process, scene);
        await within(DEATH_MS, child.join(), "join()");
        assert.equal(child.exitcode, way.exitcode);
        assert.equal(child.isAlive(), false);
        await within(DEATH_MS, after(), "what depended on the dead");
        if (mp.name === "spawn" && canLook) assert.equal(runs(child.pid!), false);
      });
    }
  }

  // --- Deaths at the worst moment -----------------------------------------------------------------------------------

  test(mp, "Queue item granted to a child that is killed before it could take it is not lost", async () => {
    const scene = await newScene(mp);
    const child = new mp.Process({ target: targets.dies, args: ["getting", "spin", scene] });
    child.start();
    await scene.said.get();
    await scene.empty.put("granted to one that never looks");
    child.kill();
    assert.equal(await within(DEATH_MS, scene.empty.get(), "get()"), "granted to one that never looks");
    await child.join();
  });

  test(mp, "Queue room granted to a child that is killed before it could use it is not lost", async () => {
    const scene = await newScene(mp);
    const child = new mp.Process({ target: targets.dies, args: ["putting", "spin", scene] });
    child.start();
    await scene.said.get();
    assert.equal(await scene.full.get(), "inside");
    const mine = scene.full.put("mine");
    child.kill();
    await child.join();
    // A "spawn" child's put is done by the process that made the queue, so it came before the death.
    if (mp.name === "spawn") assert.equal(await scene.full.get(), "the dead one's");
    await within(DEATH_MS, mine, "put()");
    assert.equal(await scene.full.get(), "mine");
    assert.equal(scene.full.empty(), true);
  });

  test(mp, "Lock granted to a child that is killed before it could notice goes on", async () => {
    const lock = new mp.Lock();
    await lock.acquire();
    const said = new mp.Queue<string>();
    const child = new mp.Process({ target: targets.wantsLockAndSpins, args: [lock, said] });
    child.start();
    await said.get();
    lock.release(); // straight to the child, which never looks
    assert.equal(lock.locked(), true);
    const acquired = lock.acquire();
    assert.ok(await isPending(acquired));
    child.kill();
    assert.equal(await within(DEATH_MS, acquired, "acquire()"), true);
    await child.join();
    lock.release();
  });

  const floods = mp.name === "worker" ? [targets.floods, targets.floodsSync] : [targets.floods];
  for (const target of floods) {
    test(
      mp,
      `Queue of a child that is killed amid ${target.name}() has each item once, in order`,
      async () => {
        for (let round = 0; round < 5; round++) {
          const queue = new mp.Queue<number>();
          const said = new mp.Queue<string>();
          const child = new mp.Process({ target, args: [queue, said] });
          child.start();
          await said.get();
          if (round % 2 === 0) child.kill();
          else child.terminate();
          await within(DEATH_MS, child.join(), "join()");
          const count = queue.qsize();
          assert.ok(count > 100);
          for (let n = 0; n < count; n++) {
            if (await queue.getNowait() !== n) assert.fail(`item ${n} of ${count}`);
          }
          assert.equal(queue.empty(), true);
          await queue.put(-1);
          assert.equal(await queue.getNowait(), -1);
        }
      },
    );
  }

  test(
    mp,
    "Queue between children that are killed amid moving loses only what was in their hands",
    async () => {
      const count = 5_000;
      const [from, to] = [new mp.Queue<number>(), new mp.Queue<number>()];
      for (let n = 0; n < count; n++) await from.put(n);
      const killed = 4;
      const seen: number[] = [];
      for (let round = 0; round < killed; round++) {
        const child = new mp.Process({ target: targets.moves, args: [from, to] });
        child.start();
        for (let i = 0; i < 100; i++) seen.push(await to.get());
        child.kill();
        await within(DEATH_MS, child.join(), "join()");
      }
      while (!to.empty()) seen.push(await to.getNowait());
      while (!from.empty()) seen.push(await from.getNowait());
      assert.equal(new Set(seen).size, seen.length, "an item came twice");
      assert.ok(
        seen.length >= count - killed,
        `${count - seen.length} items are lost, with ${killed} children killed`,
      );
    },
  );

  test(mp, "Lock grabbed by children that are killed again and again stays whole", async () => {
    const lock = new mp.Lock();
    for (let round = 0; round < 6; round++) {
      const said = new mp.Queue<string>();
      const children = [0, 1].map(() => new mp.Process({ target: targets.grabs, args: [lock, said] }));
      for (const child of children) child.start();
      await said.get();
      for (const child of children) child.kill();
      for (const child of children) await within(DEATH_MS, child.join(), "join()");
      assert.equal(lock.locked(), false);
      assert.equal(await within(DEATH_MS, lock.acquire(), "acquire()"), true);
      lock.release();
    }
  });

  test(mp, "Process children that die all at once are all reported", async () => {
    const scene = await newScene(mp);
    const children = Array.from(
      { length: 10 },
      (_, i) => new mp.Process({ target: targets.dies, args: [occupations[i % 4]!, "wait", scene] }),
    );
    // Only one of them gets the lock; the others never come to say that they are ready.
    for (const child of children) child.start();
    for (let i = 0; i < 8; i++) await scene.said.get();
    for (const child of children) child.kill();
    await within(5_000, Promise.all(children.map((child) => child.join())), "10 joins");
    assert.deepEqual(children.map((child) => child.exitcode), children.map(() => -9));
    assert.equal(await within(DEATH_MS, scene.lock.acquire(), "acquire()"), true);
    assert.equal(await scene.full.get(), "inside");
    await scene.full.put("again");
    await scene.empty.put("again");
    assert.deepEqual([await scene.full.getNowait(), await scene.empty.getNowait()], ["again", "again"]);
  });

  // A child's primitives live as long as it does: who waits on them learns of its death.
  test(mp, "Queue and Lock of a child that is killed end our waits on them", async () => {
    const out = new mp.Queue<unknown>();
    const child = new mp.Process({ target: targets.sendsItsOwn, args: [out] });
    child.start();
    const own = await out.get() as { lock: targets.Scene["lock"]; queue: targets.Scene["empty"] };
    const acquired = own.lock.acquire();
    acquired.catch(() => {});
    assert.ok(await isPending(acquired));
    child.kill();
    await child.join();
    // A worker's are in shared memory and outlive it; the lock that it held is ours now.
    if (mp.name === "worker") {
      assert.equal(await within(DEATH_MS, acquired, "acquire()"), true);
      await own.queue.put("still there");
      assert.equal(await own.queue.getNowait(), "still there");
    } else {
      await assert.rejects(within(DEATH_MS, acquired, "acquire()"), { name: "ProcessError", message: /-9/ });
      await assert.rejects(within(DEATH_MS, own.queue.get(), "get()"), { name: "ProcessError" });
    }
  });

  for (const kill of [false, true]) {
    test(
      mp,
      `Lock of a maker that ${kill ? "was killed" : "ended"} is released by a third process`,
      async () => {
        const [out, end] = [new mp.Queue<targets.Scene["lock"]>(), new mp.Queue<unknown>()];
        const maker = new mp.Process({ target: targets.makesLock, args: [out, end] });
        maker.start();
        const lock = await out.get();
        // Each kind of third process reaches the maker in its own way.
        for (const other of contexts()) {
          const [said, go] = [new other.Queue<string>(), new other.Queue<unknown>()];
          const third = new other.Process({ target: targets.holds, args: [lock, said, go] });
          third.start();
          assert.equal(await said.get(), "held");
          if (maker.isAlive()) {
            if (kill) maker.kill();
            else await end.put(null);
            await maker.join();
          }
          await go.put(null); // it releases the lock of the dead
          await within(DEATH_MS, third.join(), "join()");
          assert.equal(third.exitcode, 0);
          // What a "spawn" child made is gone with it, so the lock can be had once only.
          if (mp.name === "spawn") break;
        }
      },
    );
  }

  // --- Killing kills: whole programs ----------------------------------------------------------------------------------

  // "spawn" has no blocking waits.
  for (const busy of mp.name === "worker" ? ["spin", "block"] : ["spin"]) {
    // Processor time is read from /proc.
    if (!canLook) continue;
    Deno.test(`Process.terminate() stops a child that does ${busy}, and its CPU [${mp.name}]`, async () => {
      await using program = Program.deno("tests/fixtures/programs/cpu.ts", [mp.name, busy]);
      const { code, lines, stderr } = await program.end();
      const [exitcode, cpuMs, windowMs] = lines.map(Number);
      assert.equal(exitcode, -15);
      assert.ok(cpuMs! < windowMs! / 2, `${cpuMs} ms of CPU in ${windowMs} ms`);
      assert.deepEqual([code, stderr], [0, ""]); // it ended by itself
    });
  }

  // --- No orphans -----------------------------------------------------------------------------------------------------

  for (const occupation of ["idle", "holding", "putting", "getting", "spinning"]) {
    // Processes that are not ours are looked for in /proc.
    if (!canLook) continue;
    Deno.test(`Process children do not survive the kill -9 of their program, ${occupation} [${mp.name}]`, async () => {
      await using program = Program.deno("tests/fixtures/programs/orphans.ts", [mp.name, occupation]);
      const [, list] = await program.line(/^pids (.*)$/);
      const pids = list!.split(" ").map(Number);
      try {
        assert.ok(pids.every(runs), list!);
        program.signal("SIGKILL");
        assert.deepEqual(await allGone(pids, DEATH_MS), []);
      } finally {
        // Those that did survive would burn their core for ever.
        for (const pid of pids.filter(runs)) Deno.kill(pid, "SIGKILL");
      }
    });
  }
}

/** What we want of the dead, wanted while it lives; the returned function checks that we get it. */
async function getInLine(
  occupation: targets.Occupation,
  { lock, full, empty }: targets.Scene,
  theirWaitBlocks: boolean,
): Promise<() => Promise<void>> {
  switch (occupation) {
    case "idle":
      return async () => {
        assert.equal(await lock.acquire({ block: false }), true);
        lock.release();
        assert.equal(await full.getNowait(), "inside");
        await empty.putNowait("usable");
        assert.equal(await empty.getNowait(), "usable");
      };
    case "holding": {
      const acquired = lock.acquire();
      assert.ok(await isPending(acquired));
      return async () => {
        assert.equal(await acquired, true);
        assert.equal(lock.abandoned, true);
        lock.release();
        assert.equal(await lock.acquire({ block: false }), true);
        assert.equal(lock.abandoned, false); // seen once
        lock.release();
        assert.equal(lock.locked(), false);
      };
    }
    case "putting": {
      const put = full.put("mine");
      assert.ok(await isPending(put));
      assert.equal(full.qsize(), 1);
      return async () => {
        assert.equal(await full.get(), "inside");
        await put;
        assert.equal(await full.getNowait(), "mine");
        assert.equal(full.empty(), true);
        await full.putNowait("usable");
        assert.equal(full.full(), true);
        assert.equal(await full.getNowait(), "usable");
      };
    }
    case "getting": {
      const got = empty.get();
      // Ours is behind theirs, which a blocking child enters only after its "ready".
      if (!theirWaitBlocks) assert.ok(await isPending(got));
      return async () => {
        await empty.put("first");
        assert.equal(await got, "first");
        await empty.put("second");
        assert.equal(await empty.getNowait(), "second");
        assert.equal(empty.empty(), true);
      };
    }
  }
}
