/**
 * fork(): whole programs that go on twice.
 *
 * @module
 */
import { getContext, Queue, RuntimeError } from "@multiprocessing/deno";
import { fork } from "@multiprocessing/deno/os";
import { run } from "@multiprocessing/deno/subprocess";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { allGone, canLook } from "../support/leftovers.ts";
import { Program } from "../support/program.ts";
import { forkHere } from "./programs/where.ts";

const programs = "tests/os/programs";
const repository = fileURLToPath(new URL("../../", import.meta.url));

async function output(name: string, ...args: string[]) {
  await using program = Program.deno(`${programs}/${name}.ts`, args);
  return await program.end();
}

Deno.test("fork() lets nothing be printed twice, and everything after it", async () => {
  const { code, stdout, stderr } = await output("silent");
  assert.equal(code, 0, stderr);
  const table = stdout.slice(stdout.indexOf("┌"), stdout.indexOf("┘") + 1);
  assert.deepEqual(stdout.replace(table, "table").trimEnd().split("\n"), [
    "taken log before",
    "log before",
    "table",
    "dir before",
    "group before",
    "  inside before",
    "writeSync before",
    "write before",
    "writable before",
    "process.stdout before",
    "  taken log after",
    "  log after",
    "writeSync after",
    "own writeSync after",
    "writable after",
    "process.stdout after",
  ]);
  assert.deepEqual(stderr.trimEnd().split("\n"), [
    "error before",
    "Assertion failed: assert before",
    "stderr before",
    "error after",
  ]);
});

Deno.test("fork() and wait() in a loop: each child relives what went before", async () => {
  const { code, lines, stderr } = await output("loop");
  assert.equal(code, 0, stderr);
  assert.deepEqual(lines, [
    "child 0 true true true true",
    "parent 0 true 10",
    "child 1 true true true true",
    "parent 1 true 11",
    "child 2 true true true true",
    "parent 2 true 12",
    "ECHILD",
  ]);
});

Deno.test("fork() in a child of fork(): getpid() before it gives the forefathers' ids", async () => {
  const { lines, stderr } = await output("nested");
  assert.equal(stderr, "");
  const [grandchild, child, parent] = lines.map((line) => JSON.parse(line));
  assert.deepEqual([grandchild.who, child.who, parent.who], ["grandchild", "child", "parent"]);
  assert.deepEqual(grandchild.ids, [parent.pid, child.pid, grandchild.pid]);
  assert.deepEqual(child.ids, [parent.pid, child.pid]);
  assert.deepEqual(parent.ids, [parent.pid]);
  assert.deepEqual([grandchild.ppid, child.ppid], [child.pid, parent.pid]);
  assert.deepEqual([child.grandchild, parent.child], [grandchild.pid, child.pid]);
});

Deno.test("fork(): a parent that has ended leaves its child alone, which has seen it as its parent", async () => {
  await using program = Program.deno(`${programs}/orphan.ts`);
  const [, child] = await program.line(/^parent of (\d+)$/);
  await program.line(new RegExp(`^child ${child} of \\d+ true$`));
  await program.line(/^child alone$/);
  const { code, stderr } = await program.end();
  assert.deepEqual([code, stderr], [0, ""]);
  if (canLook) assert.deepEqual(await allGone([Number(child)], 10_000), []);
});

Deno.test("fork() gives the child the arguments, the permissions and the directory its parent began with", async () => {
  const { stdout } = await run(
    [
      Deno.execPath(),
      "run",
      "--no-prompt",
      "--allow-read",
      "--allow-run",
      "--allow-env",
      `${programs}/surroundings.ts`,
      "tests/os",
      "--flag",
    ],
    { cwd: repository, captureOutput: true, text: true, check: true, timeout: 60_000 },
  );
  const [child, parent] = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(child, parent);
  assert.deepEqual(child, {
    main: true,
    args: ["tests/os", "--flag"],
    cwd: fileURLToPath(new URL("./", import.meta.url)).replace(/[/\\]$/, ""),
    granted: ["read", "env", "run"],
  });
});

for (
  const [way, said] of [["end", /the program ended before/], ["exit", /the program ended before/]] as const
) {
  Deno.test(`fork(): a child that comes to its end by another way (${way}) says so and fails`, async () => {
    const { lines, stderr } = await output("astray", way);
    assert.deepEqual(lines, ["before", "1"]);
    assert.match(stderr, said);
  });
}

Deno.test("fork(): a child that calls something else than its parent did says so and fails", async () => {
  const { lines, stderr } = await output("astray", "wait");
  assert.deepEqual(lines, ["before", "1"]);
  assert.match(
    stderr,
    /RuntimeError: Cannot go on from fork\(\): .* calls wait\(\) where it called fork\(\)/,
  );
});

Deno.test("fork() is refused under `deno test`, which the program could not be run again by", () => {
  assert.throws(fork, (error: Error) => {
    assert.ok(error instanceof RuntimeError);
    assert.match(error.message, /^Cannot fork: `deno test` .*; use a program of its own, and `deno run`$/);
    return true;
  });
});

Deno.test("fork() is refused where the main module is in this process only", async () => {
  const source = `import { fork } from "@multiprocessing/deno/os"; fork();`;
  const options = { cwd: repository, captureOutput: true, text: true, timeout: 60_000 } as const;
  const evaluated = await run([Deno.execPath(), "eval", source], options);
  const piped = await run([Deno.execPath(), "run", "-A", "-"], { ...options, input: source });
  for (const { returncode, stderr } of [evaluated, piped]) {
    assert.equal(returncode, 1);
    assert.match(
      stderr,
      /Cannot fork: the main module exists only in this process; put the program into a file/,
    );
  }
});

for (const method of ["worker", "spawn"] as const) {
  Deno.test(`fork() is refused in a process that another one started [${method}]`, async () => {
    const mp = getContext(method);
    using said = new Queue<string>();
    await using child = new mp.Process({ target: forkHere, args: [said] });
    child.start();
    assert.match(
      await said.get(),
      /^RuntimeError: Cannot fork: this process was started by another one; start a Process$/,
    );
    await child.join();
  });
}

Deno.test("fork() is refused in a worker of the program's own", async () => {
  const url = new URL("./programs/where.ts", import.meta.url).href;
  const source = `import { forkHere } from ${JSON.stringify(url)}; await forkHere({ put: postMessage });`;
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(source)}`, { type: "module" });
  const said = await new Promise((said) => worker.onmessage = ({ data }) => said(data));
  worker.terminate();
  assert.equal(said, "RuntimeError: Cannot fork: this is a worker; call it on the program's main thread");
});

Deno.test("fork() says which permission it lacks", async () => {
  const { returncode, stderr } = await run(
    [Deno.execPath(), "run", "--no-prompt", fileURLToPath(import.meta.resolve("../../examples/fork.ts"))],
    { captureOutput: true, text: true, env: { ...Deno.env.toObject(), NO_COLOR: "1" }, timeout: 60_000 },
  );
  assert.equal(returncode, 1);
  assert.match(stderr, /NotCapable: Requires run access to /);
});
