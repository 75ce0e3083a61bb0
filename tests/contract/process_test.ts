/**
 * Process, for each start method. The names in comments are those of CPython's tests (`_test_multiprocessing.py`).
 *
 * @module
 */
import {
  activeChildren,
  AssertionError,
  cpuCount,
  currentProcess,
  exit,
  getAllStartMethods,
  getContext,
  getpid,
  getppid,
  getStartMethod,
  parentProcess,
  PicklingError,
  Pipe,
  Process,
  Queue,
  ref,
  setSpareWorkers,
  setStartMethod,
  ValueError,
} from "@multiprocessing/deno";
import assert from "node:assert/strict";
import defaultTarget, * as other from "../fixtures/other_targets.ts";
import * as targets from "../fixtures/targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { CLOCK_SLACK_MS, isPending, timed, within } from "../support/gates.ts";
import { allGone, canLook } from "../support/leftovers.ts";
import { Program } from "../support/program.ts";

/** How long a death may take to be known. */
const DEATH_MS = 2_000;

for (const mp of contexts()) {
  // --- _TestProcess ---------------------------------------------------------------------------------------------

  // test_process
  test(mp, "Process shows its state before, during and after its run", async () => {
    const out = new mp.Queue<unknown>();
    const self = new mp.Queue<targets.Self>();
    const child = new mp.Process({
      target: targets.putsArgs,
      args: [out, 1, 2],
      kwargs: { hello: 23, bye: 2.54 },
      name: "SomeProcess",
      daemon: true,
    });
    assert.deepEqual(child.authkey, currentProcess().authkey);
    assert.equal(child.isAlive(), false);
    assert.equal(child.daemon, true);
    assert.equal(child.pid, undefined);
    assert.equal(child.ident, undefined);
    assert.equal(child.exitcode, null);
    assert.ok(!activeChildren().includes(child as Process));

    child.start();
    assert.equal(child.exitcode, null);
    assert.equal(child.isAlive(), true);
    assert.ok(activeChildren().includes(child as Process));
    assert.equal(typeof child.pid, "number");
    assert.equal(child.ident, child.pid);

    assert.deepEqual(await out.get(), [1, 2, { hello: 23, bye: 2.54 }]);
    await child.join();
    assert.equal(child.exitcode, 0);
    assert.equal(child.isAlive(), false);
    assert.ok(!activeChildren().includes(child as Process));

    const second = new mp.Process({ target: targets.putsSelf, args: [self], name: "Second", daemon: true });
    second.start();
    const seen = await self.get();
    assert.deepEqual(seen, {
      name: "Second",
      daemon: true,
      authkey: new Uint8Array(currentProcess().authkey),
      pid: second.pid!,
      getpid: second.pid!,
      getppid: getpid(),
      parentName: "MainProcess",
      parentPid: getpid(),
      exitcode: null,
      alive: true,
      method: getStartMethod(),
      children: 0,
    });
    await second.join();
  });

  // test_args_argument
  test(mp, "Process calls the target with its args", async () => {
    const out = new mp.Queue<unknown>();
    for (const arg of [1, "str", [1], { a: [1] }, null, undefined, 10n, new Map([[1, new Set([2])]])]) {
      const child = new mp.Process({ target: targets.putsArgs, args: [out, arg] });
      child.start();
      assert.deepEqual(await out.get(), [arg]);
      await child.join();
    }
  });

  test(mp, "Process passes kwargs as one last argument", async () => {
    const out = new mp.Queue<unknown>();
    const child = new mp.Process({ target: targets.putsArgs, args: [out], kwargs: { only: true } });
    child.start();
    assert.deepEqual(await out.get(), [{ only: true }]);
    await child.join();
  });

  // test_daemon_argument
  test(mp, "Process.daemon is its creator's unless said otherwise", async () => {
    assert.equal(new mp.Process({ target: targets.nothing }).daemon, currentProcess().daemon);
    assert.equal(new mp.Process({ target: targets.nothing, daemon: true }).daemon, true);
    assert.equal(new mp.Process({ target: targets.nothing, daemon: false }).daemon, false);
    const child = new mp.Process({ target: targets.nothing });
    child.daemon = true;
    assert.equal(child.daemon, true);
    child.start();
    assert.throws(() => child.daemon = false, AssertionError);
    assert.equal(child.daemon, true);
    await child.join();
  });

  // test_active_children
  test(mp, "activeChildren() lists who runs, in the order of their start", async () => {
    const go = new mp.Queue<null>();
    const children = [0, 1, 2].map((code) =>
      new mp.Process({ target: targets.waitsThenExits, args: [go, code], name: `child ${code}` })
    );
    assert.deepEqual(mp.activeChildren(), []);
    for (const child of children) child.start();
    assert.deepEqual(mp.activeChildren(), children);
    for (const _ of children) await go.put(null);
    for (const child of children) await child.join();
    assert.deepEqual(mp.activeChildren(), []);
  });

  // test_parent_process_attributes
  test(mp, "parentProcess() names the creator in the child", async () => {
    const out = new mp.Queue<targets.Self>();
    const child = new mp.Process({ target: targets.putsSelf, args: [out] });
    child.start();
    const { parentName, parentPid } = await out.get();
    assert.deepEqual([parentName, parentPid], [currentProcess().name, currentProcess().pid]);
    await child.join();
  });

  // test_parent_process: there the grandchild notices; here it is ended.
  test(mp, "Process.terminate() of a child ends the grandchild", async () => {
    const [mine, theirs] = mp.Pipe<unknown>({ duplex: false });
    const child = new mp.Process({ target: targets.hasGrandchild, args: [mp.name, theirs], name: "middle" });
    child.start();
    const pid = await mine.recv() as number;
    assert.equal(await mine.recv(), "middle");
    child.terminate();
    await child.join();
    await within(DEATH_MS, assert.rejects(mine.recv(), { name: "EOFError" }), "the end of the grandchild");
    if (mp.name === "spawn" && canLook) assert.deepEqual(await allGone([pid], DEATH_MS), []);
  });

  // test_terminate, test_kill
  for (const [how, code] of [["terminate", -15], ["kill", -9]] as const) {
    test(mp, `Process.${how}() ends a waiting child with ${code}`, async () => {
      const said = new mp.Queue<string>();
      const child = new mp.Process({ target: targets.waits, args: [said], daemon: true });
      child.start();
      assert.equal(child.isAlive(), true);
      assert.ok(activeChildren().includes(child as Process));
      assert.equal(child.exitcode, null);
      await child.join({ timeout: 0 });
      assert.equal(child.isAlive(), true);
      await said.get();
      child[how]();
      await within(DEATH_MS, child.join(), "join()");
      assert.equal(child.exitcode, code);
      assert.equal(child.isAlive(), false);
      assert.deepEqual(activeChildren(), []);
      await child.join();
      child[how](); // nothing happens
      assert.equal(child.exitcode, code);
    });

    test(mp, `Process.${how}() ends a child that spins and catches with ${code}`, async () => {
      const said = new mp.Queue<string>();
      const child = new mp.Process({ target: targets.spinsCatching, args: [said] });
      child.start();
      await said.get();
      child[how]();
      await within(DEATH_MS, child.join(), "join()");
      assert.equal(child.exitcode, code);
    });

    test(mp, `Process.${how}() right after start() ends the child with ${code}`, async () => {
      const child = new mp.Process({ target: targets.forever });
      child.start();
      child[how]();
      await within(DEATH_MS, child.join(), "join()");
      assert.equal(child.exitcode, code);
    });
  }

  test(mp, "Process.kill() after terminate() leaves one exit code", async () => {
    const said = new mp.Queue<string>();
    const child = new mp.Process({ target: targets.waits, args: [said] });
    child.start();
    await said.get();
    child.terminate();
    child.kill();
    await within(DEATH_MS, child.join(), "join()");
    assert.ok(child.exitcode === -15 || child.exitcode === -9, String(child.exitcode));
    assert.equal(await child.sentinel, child.exitcode);
  });

  // test_recursion
  test(mp, "Process starts children in children, results in order", async () => {
    const [mine, theirs] = mp.Pipe<number[]>({ duplex: false });
    await targets.recurses(mp.name, theirs, []);
    theirs.close();
    const expected = [[], [0], [0, 0], [0, 1], [1], [1, 0], [1, 1]];
    assert.deepEqual(await Array.fromAsync(mine), expected);
  });

  for (const inner of getAllStartMethods()) {
    test(mp, `Process has a "${inner}" grandchild that reaches what we made`, async () => {
      const out = new mp.Queue<targets.Self>();
      const child = new mp.Process({ target: targets.startsGrandchild, args: [inner, out], name: "middle" });
      child.start();
      const self = await out.get();
      assert.equal(self.parentName, "middle");
      assert.equal(self.parentPid, child.pid);
      assert.equal(self.getppid, child.pid);
      assert.notEqual(self.pid, child.pid);
      assert.deepEqual(self.authkey, new Uint8Array(currentProcess().authkey));
      await child.join();
      assert.equal(child.exitcode, 0);
    });
  }

  test(mp, "Process names grandchildren after their parents", async () => {
    const out = new mp.Queue<targets.Self>();
    const child = new mp.Process({ target: targets.startsDefaultGrandchild, args: [out] });
    const number = /-(\d+)$/.exec(child.name)![1];
    child.start();
    assert.match((await out.get()).name, new RegExp(`^\\w*Process-${number}:1$`));
    await child.join();
  });

  test(mp, "Process ends after the children it leaves running", async () => {
    const said = new mp.Queue<string>();
    const go = new mp.Queue<null>();
    const child = new mp.Process({ target: targets.leavesGrandchild, args: [mp.name, false, said, go] });
    child.start();
    assert.deepEqual([await said.get(), await said.get()].sort(), ["child returns", "grandchild"]);
    assert.ok(await isPending(child.sentinel));
    await go.put(null);
    assert.equal(await said.get(), "grandchild ends");
    await child.join();
    assert.equal(child.exitcode, 0);
  });

  test(mp, "Process takes its daemon children down when it ends", async () => {
    const said = new mp.Queue<string>();
    const go = new mp.Queue<null>();
    const child = new mp.Process({ target: targets.leavesGrandchild, args: [mp.name, true, said, go] });
    child.start();
    await within(5_000, child.join(), "join()");
    assert.equal(child.exitcode, 0);
    assert.equal(go.empty(), true);
  });

  // test_sentinel
  test(mp, "Process.sentinel settles exactly at the end, with the exit code", async () => {
    const go = new mp.Queue<null>();
    const child = new mp.Process({ target: targets.waitsThenExits, args: [go, 4] });
    assert.throws(() => child.sentinel, ValueError);
    child.start();
    const { sentinel } = child;
    assert.equal(child.sentinel, sentinel);
    assert.ok(await isPending(sentinel));
    await go.put(null);
    assert.equal(await sentinel, 4);
    assert.equal(child.exitcode, 4);
    assert.equal(child.isAlive(), false);
    await child.join();
  });

  // test_close
  test(mp, "Process.close() refuses while it runs, and then every use is refused", async () => {
    const q = new mp.Queue<null>();
    const child = new mp.Process({ target: targets.waitsForKeyword, kwargs: { q }, daemon: true });
    child.start();
    assert.equal(child.isAlive(), true);
    assert.throws(() => child.close(), ValueError);
    await q.put(null);
    await child.join();
    assert.equal(child.isAlive(), false);
    assert.equal(child.exitcode, 0);
    child.close();
    assert.throws(() => child.isAlive(), ValueError);
    await assert.rejects(child.join(), ValueError);
    assert.throws(() => child.terminate(), ValueError);
    assert.throws(() => child.kill(), ValueError);
    assert.throws(() => child.start(), ValueError);
    assert.throws(() => child.exitcode, ValueError);
    assert.throws(() => child.pid, ValueError);
    assert.throws(() => child.sentinel, ValueError);
    child.close();
  });

  // test_many_processes
  test(mp, "Process runs 20 at once, and ends 20 at once", async () => {
    const go = new mp.Queue<null>();
    const many = Array.from(
      { length: 20 },
      () => new mp.Process({ target: targets.waitsThenExits, args: [go, 0] }),
    );
    for (const child of many) child.start();
    assert.equal(activeChildren().length, 20);
    for (const _ of many) await go.put(null);
    await Promise.all(many.map((child) => child.join()));
    assert.deepEqual(many.map((child) => child.exitcode), many.map(() => 0));
    assert.equal(new Set(many.map((child) => child.pid)).size, 20);
    assert.equal(new Set(many.map((child) => child.name)).size, 20);

    const doomed = Array.from({ length: 20 }, () => new mp.Process({ target: targets.forever }));
    for (const child of doomed) child.start();
    for (const child of doomed) child.terminate();
    await within(10_000, Promise.all(doomed.map((child) => child.join())), "20 joins");
    assert.deepEqual(doomed.map((child) => child.exitcode), doomed.map(() => -15));
  });

  // test_wait_for_threads: JavaScript's threads of a process are what is left on its event loop.
  test(mp, "Process ends after the timers that its target left", async () => {
    const said = new mp.Queue<string>();
    const child = new mp.Process({ target: targets.leavesTimers, args: [said] });
    child.start();
    await child.join();
    assert.equal(child.exitcode, 0);
    assert.deepEqual([await said.getNowait(), await said.getNowait()], ["first", "second"]);
  });

  test(mp, "Process shares nothing: a global changed in the child stays as it was here", async () => {
    const out = new mp.Queue<number>();
    for (let i = 0; i < 2; i++) {
      const child = new mp.Process({ target: targets.changesGlobal, args: [out] });
      child.start();
      assert.equal(await out.get(), 99);
      await child.join();
    }
    assert.equal(targets.readsGlobal(), 100);
  });

  // --- Exit codes: test_sys_exit, without the texts as codes, which TypeScript refuses -------------------------

  const ends: [what: string, target: () => Process, exitcode: number][] = [
    ["returns", () => new mp.Process({ target: targets.nothing }) as Process, 0],
    ["returns a value", () => new mp.Process({ target: targets.returns, args: [5] }) as Process, 0],
    ["has no target", () => new mp.Process(), 0],
    ["calls exit()", () => new mp.Process({ target: targets.exits }) as Process, 0],
    ["calls exit(0)", () => new mp.Process({ target: targets.exits, args: [0] }) as Process, 0],
    ["calls exit(1)", () => new mp.Process({ target: targets.exits, args: [1] }) as Process, 1],
    ["calls exit(8)", () => new mp.Process({ target: targets.exits, args: [8] }) as Process, 8],
    ["calls exit(255)", () => new mp.Process({ target: targets.exits, args: [255] }) as Process, 255],
    [
      "has exit() itself as its target",
      () => new mp.Process({ target: exit, args: [6] }) as unknown as Process,
      6,
    ],
  ];
  for (const [what, make, exitcode] of ends) {
    test(mp, `Process.exitcode is ${exitcode} for a child that ${what}`, async () => {
      await using child = make();
      child.start();
      await child.join();
      assert.equal(child.exitcode, exitcode);
    });
  }

  test(mp, "exit() ends the child at once: no finally runs, what it put stays", async () => {
    const said = new mp.Queue<string>();
    const child = new mp.Process({ target: targets.exitsInTry, args: [said, 9] });
    child.start();
    await child.join();
    assert.equal(child.exitcode, 9);
    assert.equal(await said.getNowait(), "before");
    assert.equal(said.empty(), true);
  });

  // --- Targets --------------------------------------------------------------------------------------------------

  const found: [what: string, target: (out: Queue<string>) => unknown, says: string][] = [
    ["a function of another module", other.puts, "the namesake in the other module"],
    ["a default export", defaultTarget, "the default export"],
    ["an arrow function", other.arrow, "an arrow function"],
    ["a function exported under another name", other.renamed, "exported under another name"],
    [
      "ref()",
      ref(import.meta.resolve("../fixtures/other_targets.ts"), "puts"),
      "the namesake in the other module",
    ],
    [
      "ref() to a default export",
      ref(import.meta.resolve("../fixtures/other_targets.ts"), "default"),
      "the default export",
    ],
    [
      "ref() with a URL",
      ref(new URL("../fixtures/other_targets.ts", import.meta.url), "arrow"),
      "an arrow function",
    ],
    ["a function exported by the test's own module", ownTarget, "the test's own module"],
  ];
  for (const [what, target, says] of found) {
    test(mp, `Process runs ${what}`, async () => {
      const out = new mp.Queue<string>();
      await using child = new mp.Process({ target, args: [out] });
      child.start();
      await child.join();
      assert.equal(child.exitcode, 0);
      assert.equal(await out.getNowait(), says);
    });
  }

  test(mp, "Process.join() refuses a target that no module exports, and says to export it", async () => {
    const out = new mp.Queue<string>();
    for (
      const target of [
        other.handOutHidden(),
        hiddenTarget,
        () => out.put("never"),
        ref(import.meta.url, "absent"),
      ]
    ) {
      await using child = new mp.Process({ target: target as (out: Queue<string>) => unknown, args: [out] });
      child.start();
      await assert.rejects(child.join(), (error: Error) => {
        assert.ok(error instanceof PicklingError, String(error));
        assert.match(error.message, /export/);
        return true;
      });
      assert.equal(child.exitcode, 1);
      assert.equal(child.isAlive(), false);
    }
    assert.equal(out.empty(), true);
  });

  test(mp, "Process.start() refuses bound and native functions", () => {
    for (const target of [targets.nothing.bind(null), Math.max, [].push]) {
      const child = new mp.Process({ target });
      assert.throws(() => child.start(), (error: Error) => {
        assert.ok(error instanceof PicklingError, String(error));
        assert.match(error.message, /export/);
        return true;
      });
      assert.deepEqual(activeChildren(), []);
    }
  });

  test(mp, "Process refuses a target that is no function and args that are no array", () => {
    for (const target of [42, "work", null, {}]) {
      assert.throws(() => new mp.Process({ target: target as unknown as () => void }), TypeError);
    }
    assert.throws(() => new mp.Process({ target: targets.nothing, args: "ab" as unknown as [] }), TypeError);
    assert.throws(() => new mp.Process({ group: {} as unknown as null }), AssertionError);
  });

  test(mp, "Process calls its target without a this", async () => {
    const out = new mp.Queue<boolean>();
    await using child = new mp.Process({ target: targets.putsWhetherThis, args: [out] });
    child.start();
    assert.equal(await out.get(), false);
    await child.join();
  });

  test(mp, "Process.terminate() ends a child whose module never finishes loading", async () => {
    const child = new mp.Process({
      target: ref(import.meta.resolve("../fixtures/spins_on_import.ts"), "never"),
    });
    child.start();
    assert.ok(await isPending(child.sentinel, 100));
    child.terminate();
    await within(DEATH_MS, child.join(), "join()");
    assert.equal(child.exitcode, -15);
  });

  // --- Arguments ------------------------------------------------------------------------------------------------

  test(mp, "Process.start() refuses an argument that cannot travel, naming its path", async () => {
    class Unknown {
      method(): void {}
    }
    const cases: [arg: unknown, path: string][] = [
      [{ callback: () => 1 }, "args[0].callback"],
      [() => 1, "args[0]"],
      [[[1, { deep: Symbol("s") }]], "args[0][0][1].deep"],
      [{ it: new Unknown() }, "args[0].it"],
      [new Map([["k", () => 1]]), `args[0].get("k")`],
      [{ promise: Promise.resolve() }, "args[0].promise"],
    ];
    for (const [arg, path] of cases) {
      const child = new mp.Process({ target: targets.returns, args: [arg] });
      assert.throws(() => child.start(), (error: Error) => {
        assert.ok(error instanceof PicklingError, String(error));
        assert.ok(error.message.includes(path), `${error.message} does not name ${path}`);
        return true;
      });
      assert.equal(child.isAlive(), false);
      assert.equal(child.pid, undefined);
      assert.deepEqual(activeChildren(), []);
    }
    // After the refusal the process can still be thrown away, and another started.
    await using child = new mp.Process({ target: targets.nothing });
    child.start();
    await child.join();
  });

  test(mp, "Process names the path of a kwarg that cannot travel", () => {
    const child = new mp.Process({ target: targets.returns, args: [1], kwargs: { callback: () => 1 } });
    assert.throws(() => child.start(), (error: Error) => {
      assert.ok(error instanceof PicklingError, String(error));
      assert.match(error.message, /callback/);
      return true;
    });
  });

  test(mp, "Process brings cycles, shared references and 10 MB", async () => {
    const out = new mp.Queue<unknown>();
    const big = new Uint8Array(10 * 1024 * 1024);
    for (let i = 0; i < big.length; i += 4096) big[i] = i >> 12;
    const cyclic: { self?: unknown; twice: unknown[] } = { twice: [] };
    cyclic.self = cyclic;
    cyclic.twice = [cyclic.twice, cyclic.twice];
    const text = "ü".repeat(1_000_000);
    await using child = new mp.Process({ target: targets.putsArgs, args: [out, big, cyclic, text] });
    child.start();
    const [gotBig, gotCyclic, gotText] = await out.get() as [Uint8Array, typeof cyclic, string];
    assert.ok(equalBytes(gotBig, big));
    assert.equal(gotCyclic.self, gotCyclic);
    assert.equal(gotCyclic.twice[0], gotCyclic.twice[1]);
    assert.ok(gotText === text);
    await child.join();
  });

  test(mp, "Process moves what transfer names", async () => {
    const out = new mp.Queue<unknown>();
    const buffer = new Uint8Array([1, 2, 3]).buffer;
    await using child = new mp.Process({ target: targets.putsArgs, args: [out, buffer], transfer: [buffer] });
    child.start();
    assert.equal(buffer.byteLength, 0);
    assert.deepEqual(await out.get(), [new Uint8Array([1, 2, 3]).buffer]);
    await child.join();
  });

  test(mp, "Process copies its arguments at start()", async () => {
    const out = new mp.Queue<unknown>();
    const arg = { n: 1 };
    await using child = new mp.Process({ target: targets.putsArgs, args: [out, arg] });
    arg.n = 2;
    child.start();
    arg.n = 3;
    assert.deepEqual(await out.get(), [{ n: 2 }]);
    await child.join();
  });

  // --- Names, keys, daemons -----------------------------------------------------------------------------------

  test(mp, "Process.name is given or made up, and may be changed", async () => {
    const out = new mp.Queue<targets.Self>();
    const [one, two] = [new mp.Process(), new mp.Process()];
    assert.match(one.name, /^\w*Process-\d+$/);
    assert.equal(Number(/\d+$/.exec(two.name)![0]), Number(/\d+$/.exec(one.name)![0]) + 1);
    assert.equal(new mp.Process({ name: "" }).name, "");
    const child = new mp.Process({ target: targets.putsSelf, args: [out] });
    child.name = "Ünïcode name";
    child.authkey = new Uint8Array([1, 2, 3]);
    assert.throws(() => child.name = 5 as unknown as string, TypeError);
    child.start();
    const { name, authkey } = await out.get();
    assert.equal(name, "Ünïcode name");
    assert.deepEqual(authkey, new Uint8Array([1, 2, 3]));
    await child.join();
  });

  test(mp, "Process.start() is refused in a daemon, with Python's sentence", async () => {
    const out = new mp.Queue<string>();
    const child = new mp.Process({ target: targets.triesChild, args: [mp.name, out], daemon: true });
    child.start();
    assert.match(await out.get(), /^AssertionError: .*daemonic processes are not allowed to have children/);
    await child.join();
    assert.equal(child.exitcode, 0);
  });

  // --- Misuse -----------------------------------------------------------------------------------------------

  test(mp, "Process.start() works once", async () => {
    const child = new mp.Process({ target: targets.nothing });
    child.start();
    assert.throws(() => child.start(), { name: "AssertionError", message: /cannot start a process twice/ });
    await child.join();
    assert.throws(() => child.start(), AssertionError);
    assert.equal(child.exitcode, 0);
  });

  test(mp, "Process before its start: join() and sentinel are refused, isAlive() is false", async () => {
    const child = new mp.Process({ target: targets.nothing });
    await assert.rejects(child.join(), {
      name: "AssertionError",
      message: /can only join a started process/,
    });
    await assert.rejects(child.join({ timeout: 0 }), AssertionError);
    assert.equal(child.isAlive(), false);
    assert.equal(child.exitcode, null);
    assert.throws(() => child.terminate(), ValueError);
    assert.throws(() => child.kill(), ValueError);
    child.close();
    await assert.rejects(child.join(), ValueError);
  });

  test(mp, "Process.join() is refused for a process of somebody else", async () => {
    const out = new mp.Queue<string>();
    await using child = new mp.Process({ target: targets.joinsParent, args: [out] });
    child.start();
    assert.deepEqual([await out.get(), await out.get()], ["AssertionError", "AssertionError"]);
    await child.join();
  });

  test(mp, "Process.join() refuses bad timeouts", async () => {
    const said = new mp.Queue<string>();
    await using child = new mp.Process({ target: targets.waits, args: [said] });
    child.start();
    for (const timeout of [-1, NaN, -Infinity, "5" as unknown as number]) {
      await assert.rejects(child.join({ timeout }), ValueError);
    }
    assert.equal(child.isAlive(), true);
    child.terminate();
    await child.join();
    await assert.rejects(child.join({ timeout: -1 }), ValueError);
  });

  test(mp, "Process.join() with a timeout returns while the child runs, and changes nothing", async () => {
    const go = new mp.Queue<null>();
    await using child = new mp.Process({ target: targets.waitsThenExits, args: [go, 2] });
    child.start();
    const { ms, error } = await timed(() => child.join({ timeout: 60 }));
    assert.equal(error, undefined);
    assert.ok(ms >= 60 - CLOCK_SLACK_MS, `${ms}`);
    assert.equal(child.exitcode, null);
    await child.join({ block: false });
    assert.equal(child.isAlive(), true);
    await go.put(null);
    await child.join({ timeout: 10_000 });
    assert.equal(child.exitcode, 2);
  });

  test(mp, "Process.join() rejects with the reason of its signal", async () => {
    const said = new mp.Queue<string>();
    await using child = new mp.Process({ target: targets.waits, args: [said] });
    child.start();
    const already = new RangeError("already");
    await assert.rejects(child.join({ signal: AbortSignal.abort(already) }), already);
    const controller = new AbortController();
    const joined = child.join({ signal: controller.signal });
    assert.ok(await isPending(joined));
    controller.abort(new RangeError("later"));
    await assert.rejects(joined, new RangeError("later"));
    assert.equal(child.isAlive(), true);
    // A signal that is aborted after the wait changes nothing.
    const late = new AbortController();
    child.terminate();
    await child.join({ signal: late.signal });
    late.abort();
  });

  test(mp, "Process.join() serves any number of waiters", async () => {
    const go = new mp.Queue<null>();
    await using child = new mp.Process({ target: targets.waitsThenExits, args: [go, 0] });
    child.start();
    const joins = [child.join(), child.join({ timeout: 30_000 }), child.join()];
    await go.put(null);
    await Promise.all(joins);
  });

  // --- The five questions of disposal ---------------------------------------------------------------------------

  test(mp, "Process is ended by await using", async () => {
    const said = new mp.Queue<string>();
    let kept: Process;
    {
      await using child = new mp.Process({ target: targets.waits, args: [said] });
      child.start();
      await said.get();
      kept = child as Process;
    }
    assert.equal(kept.exitcode, -15);
    assert.equal(kept.isAlive(), false);
    await kept.join();
  });

  test(mp, "Process may be disposed of before its start, after its end, and twice", async () => {
    {
      await using _ = new mp.Process({ target: targets.nothing });
    }
    await using child = new mp.Process({ target: targets.exits, args: [3] });
    child.start();
    await child.join();
    await child[Symbol.asyncDispose]();
    await child[Symbol.asyncDispose]();
    assert.equal(child.exitcode, 3);
    child.close();
  });

  test(mp, "Process disposed of during a join() lets it settle", async () => {
    const said = new mp.Queue<string>();
    const child = new mp.Process({ target: targets.waits, args: [said] });
    child.start();
    await said.get();
    const joined = child.join();
    await within(DEATH_MS, child[Symbol.asyncDispose](), "the disposal");
    await within(DEATH_MS, joined, "join()");
    assert.equal(child.exitcode, -15);
  });

  // --- _TestSubclassingProcess ----------------------------------------------------------------------------------

  const UpperCaser = mp.name === "worker" ? targets.WorkerUpperCaser : targets.SpawnUpperCaser;
  const Greeter = mp.name === "worker" ? targets.WorkerGreeter : targets.SpawnGreeter;
  const Wrapper = mp.name === "worker" ? targets.WorkerWrapper : targets.SpawnWrapper;

  // test_subclassing
  test(mp, "Process subclass overrides run(), and its fields travel, handles too", async () => {
    const uppercaser = new UpperCaser();
    uppercaser.daemon = true;
    uppercaser.shift.by = 2;
    uppercaser.start();
    assert.equal(await uppercaser.submit("hello"), "HELLO!!");
    assert.equal(await uppercaser.submit("world"), "WORLD!!");
    await uppercaser.stop();
    await uppercaser.join();
    assert.equal(uppercaser.exitcode, 0);
  });

  test(mp, "Process subclass does not run its constructor again, and has its own name", async () => {
    const out = new mp.Queue<string>();
    await using greeter = new Greeter("egon", out);
    greeter.start();
    assert.equal(await out.get(), "greeter of egon greets egon: true");
    await greeter.join();
    assert.equal(greeter.exitcode, 7);
    assert.match(new UpperCaser().name, /^(Worker|Spawn)UpperCaser-\d+$/);
  });

  test(mp, "Process subclass calls its target by super.run()", async () => {
    const out = new mp.Queue<string>();
    await using wrapper = new Wrapper({ target: targets.puts<string>, args: [out, "wrapped"] });
    wrapper.start();
    await wrapper.join();
    assert.equal(await out.getNowait(), "wrapped");
    assert.equal(wrapper.exitcode, 5);
  });

  test(mp, "Process subclass with a field that cannot travel is refused by its path", () => {
    const uppercaser = new UpperCaser();
    Object.assign(uppercaser.shift, { callback: () => 1 });
    assert.throws(() => uppercaser.start(), (error: Error) => {
      assert.ok(error instanceof PicklingError, String(error));
      assert.match(error.message, /this\.shift\.callback/);
      return true;
    });
    assert.deepEqual(activeChildren(), []);
  });

  // test_nested_startmethod
  test(mp, "Process started by default in a child has the default of its creator", async () => {
    const out = new mp.Queue<targets.Self>();
    setStartMethod(mp.name);
    try {
      const child = new Process({ target: targets.startsDefaultGrandchild, args: [out] });
      child.start();
      const self = await out.get();
      assert.equal(self.method, mp.name);
      assert.equal(self.pid > 10_000_000, mp.name === "worker");
      await child.join();
    } finally {
      setStartMethod("worker");
    }
  });
}

// --- Whole programs ---------------------------------------------------------------------------------------------

for (const mp of contexts()) {
  const ends = (which: string) => Program.deno("tests/fixtures/programs/ends.ts", [mp.name, which]);

  // test_stderr_flush, and the texts of test_sys_exit
  const errors: [which: string, text: RegExp][] = [
    [
      "throw",
      /^Process broken:\nError: thrown here\n +at (?:async )?(?:\w+\.)?throwsError \(.*targets\.ts:\d+:\d+\)/m,
    ],
    [
      "reject",
      /^Process broken:\nRangeError: rejected here\n +at (?:async )?(?:\w+\.)?rejects \(.*targets\.ts:\d+:\d+\)/m,
    ],
    ["text", /^Process broken:\n"?a mere text"?$/m],
    [
      "unhandled",
      /^Process broken:\nError: nobody looked\n +at (?:async )?(?:\w+\.)?rejectsUnhandled \(.*targets\.ts:\d+:\d+\)/m,
    ],
    [
      "import",
      /^Process broken:\nSyntaxError: this module fails on import\n +at .*fails_on_import\.ts:\d+:\d+/m,
    ],
    ["noModule", /^Process broken:\nTypeError: .*absent\.ts/m],
    ["timer", /^Process broken:\nError: in a timer\n +at .*targets\.ts:\d+:\d+/m],
  ];
  for (const [which, text] of errors) {
    Deno.test(`Process prints its name and the error's stack on stderr: ${which} [${mp.name}]`, async () => {
      await using program = ends(which);
      const { code, lines, stderr } = await program.end();
      assert.deepEqual(lines, ["1"]);
      assert.match(stderr, text);
      assert.equal(stderr.split("Process broken:").length, 2, `printed more than once:\n${stderr}`);
      assert.equal(code, 0);
    });
  }

  Deno.test(`Process prints that its target is not exported [${mp.name}]`, async () => {
    await using program = ends("notExported");
    const { code, lines, stderr } = await program.end();
    assert.deepEqual(lines, ["PicklingError", "1"]);
    assert.match(stderr, /^Process broken:\nPicklingError: .*export/m);
    assert.equal(code, 0);
  });

  Deno.test(`Process outlives the main program, which waits for it [${mp.name}]`, async () => {
    await using program = ends("outlives");
    const { code, lines, stderr } = await program.end();
    assert.deepEqual(lines, ["the main program ends", "the child ends"]);
    assert.deepEqual([code, stderr], [0, ""]);
  });

  for (const which of ["daemon", "spinningDaemon"]) {
    Deno.test(`Process goes with the main program: ${which} [${mp.name}]`, async () => {
      await using program = ends(which);
      const { code, stderr } = await program.end();
      assert.deepEqual([code, stderr], [0, ""]);
    });
  }

  Deno.test(`Process goes with a main program that calls Deno.exit() [${mp.name}]`, async () => {
    await using program = ends("exit");
    const { code, lines, stderr } = await program.end();
    assert.deepEqual([code, lines, stderr], [5, ["there"], ""]);
  });

  Deno.test(`Process goes with a main program that fails [${mp.name}]`, async () => {
    await using program = ends("mainThrows");
    const { code, lines, stderr } = await program.end();
    assert.equal(code, 1);
    assert.match(stderr, /RangeError: the main program fails/);
    if (mp.name === "spawn" && canLook) assert.deepEqual(await allGone(lines.map(Number), DEATH_MS), []);
  });

  // TestNoForkBomb.test_noforkbomb
  Deno.test(`Process started on import is refused, with the cure [${mp.name}]`, async () => {
    await using program = Program.deno("tests/fixtures/programs/no_guard.ts", [mp.name]);
    const { code, stdout, stderr } = await program.end();
    assert.equal(stdout, "");
    assert.match(stderr, /RuntimeError: .*import\.meta\.main/);
    assert.equal(code, 1);
  });
}

// --- One start method only --------------------------------------------------------------------------------------

// Permissions belong to an operating-system process.
Deno.test("Process refuses permissions, and names the cure [worker]", () => {
  const { Process } = getContext("worker");
  assert.throws(() => new Process({ target: targets.nothing, permissions: "none" }), {
    name: "ValueError",
    message: /spawn/,
  });
});

test(getContext("spawn"), "Process runs with the permissions it was given and no others", async () => {
  const { Process, Queue } = getContext("spawn");
  const out = new Queue<string[]>();
  await using child = new Process({
    target: looksAround,
    args: [out],
    permissions: { read: true, env: ["HOME"], net: false },
  });
  child.start();
  await child.join();
  assert.equal(child.exitcode, 0);
  assert.deepEqual(await out.getNowait(), [
    "read granted",
    "env prompt",
    "env HOME granted",
    "net prompt",
    "run prompt",
  ]);
});

test(getContext("spawn"), `Process runs with permissions: "none"`, async () => {
  const { Process, Queue } = getContext("spawn");
  const out = new Queue<string[]>();
  await using child = new Process({ target: looksAround, args: [out], permissions: "none" });
  child.start();
  await child.join();
  assert.equal(child.exitcode, 0);
  assert.deepEqual(await out.getNowait(), [
    "read prompt",
    "env prompt",
    "env HOME prompt",
    "net prompt",
    "run prompt",
  ]);
});

// Memory and ports cannot cross to another operating-system process.
test(getContext("worker"), "Process shares a SharedArrayBuffer and is given a MessagePort", async () => {
  const { Process } = getContext("worker");
  const memory = new SharedArrayBuffer(4);
  const { port1, port2 } = new MessageChannel();
  const answer = new Promise((resolve) => port1.onmessage = ({ data }) => resolve(data));
  await using child = new Process({
    target: targets.usesMemoryAndPort,
    args: [{ memory }, port2],
    transfer: [port2],
  });
  child.start();
  port1.postMessage(41);
  assert.equal(await answer, 42);
  port1.close();
  await child.join();
  assert.equal(new Int32Array(memory)[0], 5);
});

test(getContext("spawn"), "Process refuses a SharedArrayBuffer and a MessagePort by their path", () => {
  const { Process } = getContext("spawn");
  const memory = new SharedArrayBuffer(4);
  const { port1, port2 } = new MessageChannel();
  const cases = [
    [new Process({ target: targets.returns, args: [{ memory }] }), /args\[0\]\.memory/],
    [new Process({ target: targets.returns, args: [port2] }), /args\[0\]/],
    [new Process({ target: targets.returns, args: [port2], transfer: [port2] }), /transfer\[0\]|args\[0\]/],
  ] as const;
  for (const [child, path] of cases) {
    assert.throws(() => child.start(), { name: "PicklingError", message: path });
  }
  port1.close();
  port2.close();
});

// A reserve of booted workers is kept for "worker" alone.
test(getContext("worker"), "setSpareWorkers() changes what is in reserve, not what happens", async () => {
  const { Process, Queue } = getContext("worker");
  try {
    for (const count of [0, 3]) {
      setSpareWorkers(count);
      for (let i = 0; i < 4; i++) {
        const out = new Queue<number>();
        await using child = new Process({ target: targets.changesGlobal, args: [out] });
        child.start();
        assert.equal(await out.get(), 99); // a spare has run nothing
        await child.join();
        assert.equal(child.exitcode, 0);
      }
    }
  } finally {
    setSpareWorkers(1);
  }
});

// --- Without a child ----------------------------------------------------------------------------------------------

// test_current
Deno.test("currentProcess() is the main process here", () => {
  const current = currentProcess();
  assert.equal(current, currentProcess());
  assert.ok(current instanceof Process);
  assert.equal(current.name, "MainProcess");
  assert.equal(current.isAlive(), true);
  assert.equal(current.daemon, false);
  assert.equal(current.authkey.length, 32);
  assert.equal(current.ident, Deno.pid);
  assert.equal(current.pid, getpid());
  assert.equal(current.exitcode, null);
  assert.equal(parentProcess(), null);
  assert.equal(getppid(), Deno.ppid);
});

// test_cpu_count
Deno.test("cpuCount() is a whole number of at least one", () => {
  assert.ok(Number.isInteger(cpuCount()) && cpuCount() >= 1);
});

// TestStartMethod.test_get_all, test_set_get, test_context
Deno.test("getAllStartMethods() names the default first", () => {
  assert.deepEqual(getAllStartMethods(), ["worker", "spawn"]);
  assert.equal(getStartMethod(), "worker");
});

Deno.test("setStartMethod() sets what getStartMethod() and plain contexts have", () => {
  try {
    for (const method of getAllStartMethods()) {
      setStartMethod(method);
      assert.equal(getStartMethod(), method);
      assert.equal(getContext().getStartMethod(), method);
    }
    assert.throws(() => setStartMethod("fork" as "spawn"), { name: "ValueError", message: /fork/ });
    assert.equal(getStartMethod(), "spawn");
  } finally {
    setStartMethod("worker");
  }
});

Deno.test("getContext() has its own method, whatever the default", () => {
  for (const method of getAllStartMethods()) {
    const mp = getContext(method);
    assert.equal(mp.name, method);
    assert.equal(mp.getStartMethod(), method);
    assert.equal(mp.getContext(method), mp);
    assert.ok(new mp.Process() instanceof Process);
    assert.ok(new mp.Queue() instanceof Queue);
    assert.equal(mp.Pipe, Pipe);
    assert.equal(mp.currentProcess(), currentProcess());
    assert.equal(mp.parentProcess(), null);
    assert.equal(mp.cpuCount(), cpuCount());
    assert.deepEqual(mp.getAllStartMethods(), getAllStartMethods());
  }
  assert.throws(() => getContext("fork" as "spawn"), ValueError);
});

Deno.test("ref() refuses what is no absolute URL and no name", () => {
  assert.throws(() => ref("./targets.ts", "puts"), ValueError);
  assert.throws(() => ref(import.meta.url, ""), ValueError);
});

Deno.test("ref() can be called where it is", async () => {
  const returns = ref(import.meta.resolve("../fixtures/targets.ts"), "returns");
  assert.equal(await returns(5), 5);
  await assert.rejects(ref(import.meta.resolve("../fixtures/targets.ts"), "absent")(), PicklingError);
});

// --- Targets of this module -------------------------------------------------------------------------------------

/** Exported by the module that constructs the process, which is the usual case. */
export async function ownTarget(out: Queue<string>): Promise<void> {
  await out.put("the test's own module");
}

async function hiddenTarget(out: Queue<string>): Promise<void> {
  await out.put("never");
}

/** What the child may do. */
export async function looksAround(out: Queue<string[]>): Promise<void> {
  const asked: Deno.PermissionDescriptor[] = [
    { name: "read" },
    { name: "env" },
    { name: "env", variable: "HOME" },
    { name: "net" },
    { name: "run" },
  ];
  await out.put(asked.map((descriptor) => {
    const detail = "variable" in descriptor ? ` ${descriptor.variable}` : "";
    return `${descriptor.name}${detail} ${Deno.permissions.querySync(descriptor).state}`;
  }));
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
