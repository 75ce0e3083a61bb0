/**
 * What only a whole program shows: who is waited for at its end, and what it prints on stderr. The names in comments
 * are those of CPython's `test_threading.py`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Program } from "../support/program.ts";

const programs = "tests/threading/programs";

// ThreadJoinOnShutdown.test_4_daemon_threads, of which ours is the harmless half
Deno.test("a program does not wait for daemon threads and greenlets, whatever they wait for", async () => {
  const { code, lines, stderr } = await Program.deno(`${programs}/daemons.ts`).end();
  assert.deepEqual([code, stderr, lines], [0, "", ["end of main"]]);
});

// test_join_nondaemon_on_shutdown
Deno.test("a program waits at its end for a thread that is no daemon", async () => {
  const { code, lines, stderr } = await Program.deno(`${programs}/daemons.ts`, ["300"]).end();
  assert.deepEqual([code, stderr], [0, ""]);
  assert.deepEqual(lines, ["end of main", "a thread that is no daemon was waited for"]);
});

// ExceptHookTests.test_excepthook, test_custom_excepthook_fail; ThreadingExceptionTests.test_print_exception
Deno.test("an error in a thread is printed with its stack, and ends neither program nor other threads", async () => {
  const { code, lines, stderr } = await Program.deno(`${programs}/uncaught.ts`).end();
  assert.deepEqual([code, lines], [0, ["hook called", "the other goes on"]]);
  const [first, second, ...rest] = stderr.split(/^Exception in /m).slice(1);
  assert.match(
    first!,
    /^thread excepthook thread:\nRangeError: run failed\n {4}at Fails\.run .*uncaught\.ts/,
  );
  assert.match(second!, /^threading\.excepthook:\nTypeError: hook failed\n {4}at /);
  assert.deepEqual(rest, []);
});
