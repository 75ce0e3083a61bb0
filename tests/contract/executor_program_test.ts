/**
 * Whole programs with an executor that nobody shuts down: they end by themselves, after what was submitted, and leave
 * nothing behind.
 *
 * The names in the comments are those of `ExecutorShutdownTest` in CPython 3.13's `test_concurrent_futures/
 * test_shutdown.py`, which runs such programs, too.
 *
 * @module
 */
import assert from "node:assert/strict";
import { allGone, canLook } from "../support/leftovers.ts";
import { type Output, Program } from "../support/program.ts";

const fruit = ["apple", "banana", "cherry"];

interface Case {
  name: string;
  shows: string;
  kinds?: readonly string[];
  check(output: Output): void | Promise<void>;
}

const cases: Case[] = [
  {
    name: "unused",
    shows: "ends when it was never used",
    check: ({ lines }) => assert.deepEqual(lines, []),
  },
  {
    name: "idle",
    shows: "ends while its workers are idle",
    check: ({ lines }) => assert.deepEqual(lines, ["apple", "the main part ends"]),
  },
  // test_interpreter_shutdown
  {
    name: "pending",
    shows: "ends after the calls that are under way",
    check({ lines: [first, ...rest] }) {
      assert.equal(first, "the main part ends");
      assert.deepEqual(rest.sort(), fruit);
    },
  },
  // test_hang_gh83386
  {
    name: "shutdownNoWait",
    shows: "ends after the calls that are under way, also after shutdown({ wait: false })",
    check({ lines: [first, ...rest] }) {
      assert.equal(first, "the main part ends");
      assert.deepEqual(rest.sort(), fruit);
    },
  },
  // test_cancel_futures_wait_false
  {
    name: "cancelNoWait",
    shows: "ends after the calls that run, also after shutdown({ wait: false, cancelFutures: true })",
    check({ lines: [first, second, ...rest] }) {
      assert.deepEqual([first, second], ["cancelled 3", "the main part ends"]);
      assert.deepEqual(rest.sort(), fruit.slice(0, 2));
    },
  },
  // ThreadPoolShutdownTest.test_del_shutdown, ProcessPoolShutdownTest.test_del_shutdown: nobody has the executor any more
  {
    name: "mapUnread",
    shows: "ends after the calls of a map() that nobody reads",
    check({ lines: [first, ...rest] }) {
      assert.equal(first, "the main part ends");
      assert.deepEqual(rest.sort(), fruit);
    },
  },
  {
    name: "starting",
    shows: "ends after a call whose worker had yet to start",
    check: ({ lines }) => assert.deepEqual(lines.sort(), ["apple", "the main part ends"]),
  },
  {
    name: "cancelled",
    shows: "ends after calls that were cancelled",
    check: ({ lines }) => assert.deepEqual(lines, ["cancelled 3", "the main part ends"]),
  },
  {
    name: "chained",
    shows: "ends after the calls that callbacks submit",
    check: ({ lines }) => assert.deepEqual(lines, ["the main part ends", "round 1", "round 2", "round 3"]),
  },
  // test_submit_after_interpreter_shutdown. Python refuses; here the program goes on as long as it gets work.
  {
    name: "again",
    shows: "can be used again when nothing was left to do",
    check: ({ lines }) => assert.deepEqual(lines, ["first", "the main part ends", "again 1", "again 2"]),
  },
  {
    name: "uncaught",
    shows: "ends at once with an error that nobody catches",
    check({ code, lines, stderr }) {
      assert.equal(code, 1);
      assert.deepEqual(lines, []);
      assert.match(stderr, /Error: uncaught/);
    },
  },
  {
    name: "inside",
    shows: "ends when a worker has an executor that nobody shut down",
    kinds: ["worker", "spawn"],
    check: ({ lines }) => assert.deepEqual(lines, ["9", "the main part ends"]),
  },
  {
    name: "spinInside",
    shows: "takes what its workers have started along when they are killed",
    kinds: ["worker", "spawn"],
    async check({ lines }) {
      const pid = Number(/^pid (\d+)$/.exec(lines[0]!)?.[1]);
      assert.ok(pid > 0);
      if (canLook) assert.deepEqual(await allGone([pid], 5_000), []);
    },
  },
];

for (const kind of ["worker", "spawn", "thread"]) {
  for (const { name, shows, kinds, check } of cases) {
    if (kinds && !kinds.includes(kind)) continue;
    Deno.test(`Program with an executor ${shows} [${kind}]`, async () => {
      await using program = Program.deno("tests/fixtures/programs/executor_ends.ts", [kind, name]);
      const output = await program.end();
      if (name !== "uncaught") {
        assert.equal(output.stderr, "");
        assert.equal(output.code, 0);
      }
      await check(output);
    });
  }
}
