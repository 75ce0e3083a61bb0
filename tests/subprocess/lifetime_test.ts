/**
 * What of a child keeps a program up, and what outlives it: whole programs.
 *
 * @module
 */
import { PIPE, Popen, run } from "@multiprocessing/deno/subprocess";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { allGone, canLook, runs } from "../support/leftovers.ts";
import { Program } from "../support/program.ts";
import { inDirectory, test } from "./support.ts";

const programs = "tests/subprocess/programs";

// test_stdout_none, test_issue8780, test_stderr_redirect_with_no_stdout_redirect
test("a child writes where its parent writes", async () => {
  await using program = Program.deno(`${programs}/inherits.ts`);
  const { code, stdout, stderr } = await program.end();
  assert.deepEqual([code, stdout, stderr], [0, "out\nout\nerr as out\n", "err\n"]);
});

for (
  const what of ["nothing", "a wait that gave up", "a communicate that gave up", "a read that was closed"]
) {
  test(`a child does not keep the program up, after ${what}; it lives on`, async () => {
    await using program = Program.deno(`${programs}/leaves.ts`, [what]);
    const [, pid] = await program.line(/^child (\d+)$/);
    const { code, lines, stderr } = await program.end();
    assert.deepEqual([code, lines[1], stderr], [0, "done", ""]);
    if (!canLook) return;
    assert.equal(runs(Number(pid)), true);
    Deno.kill(Number(pid), "SIGKILL");
    assert.deepEqual(await allGone([Number(pid)], 10_000), []);
  });
}

for (const [what, ended] of [["a wait", "-15"], ["a communicate", "-15"], ["a read", "0"]] as const) {
  test(`${what} that somebody made keeps the program up`, async () => {
    await using program = Program.deno(`${programs}/leaves.ts`, [what]);
    const [, pid] = await program.line(/^child (\d+)$/);
    await program.line(/^done$/);
    Deno.kill(Number(pid), "SIGTERM");
    const { code, lines } = await program.end();
    assert.deepEqual([code, lines.slice(1)], [0, ["done", `ended ${ended}`]]);
  });
}

test("a child whose output goes through the program keeps it up until everything has arrived", async () => {
  await inDirectory(async (path) => {
    const program = fileURLToPath(import.meta.resolve("./programs/carries.ts"));
    const child = new Popen([Deno.execPath(), "run", "-A", program, `${path}/out`], {
      stdin: PIPE,
      stdout: PIPE,
      text: true,
    });
    assert.equal(await child.stdout.readline(), "done\n");
    await child.communicate("bread\n");
    assert.equal(child.returncode, 0);
    assert.equal(await Deno.readTextFile(`${path}/out`), "bread\n");
  });
});

Deno.test({
  name: "a signal that has no name is told by its number",
  ignore: Deno.build.os !== "linux", // elsewhere other numbers have none
  async fn() {
    await using program = Program.deno(`${programs}/signals.ts`);
    const { code, lines, stderr } = await program.end();
    assert.deepEqual([code, lines, stderr], [0, ["-34", "-64"], ""]);
  },
});

test("a program that may run nothing is told which permission it lacks", async () => {
  const program = fileURLToPath(import.meta.resolve("./programs/inherits.ts"));
  const { returncode, stderr } = await run([Deno.execPath(), "run", "--no-prompt", program], {
    captureOutput: true,
    text: true,
  });
  assert.equal(returncode, 1);
  assert.match(stderr, /NotCapable.*: Requires run access to/);
});

test("a program that may only run a shell and read nothing merges the streams, and the shell says what is missing", async () => {
  const code = `import { run, STDOUT, PIPE } from "@multiprocessing/deno/subprocess";
    const { returncode, stdout } = await run(["nonexisting_i_hope"], { stdout: PIPE, stderr: STDOUT, text: true });
    if (returncode !== 127 || !stdout.includes("not found")) throw new Error(stdout);`;
  const cwd = fileURLToPath(new URL("../../", import.meta.url));
  await run([Deno.execPath(), "run", "--no-prompt", "--allow-run=/bin/sh", "-"], {
    input: code,
    cwd,
    captureOutput: true,
    text: true,
    check: true,
  });
});
