/**
 * The permissions that README.md says are enough are enough, and what is missing is named.
 *
 * @module
 */
import assert from "node:assert/strict";
import { allWell, checkout, deno } from "./support.ts";

const programs = `${checkout}tests/fixtures/programs`;

/** Runs a program of the fixtures with no more than the permissions named. */
function withOnly(permissions: string[], program: string, method: string) {
  return deno(["run", "--no-prompt", ...permissions, `${programs}/${program}`, method]);
}

const SPAWN = [`--allow-run=${Deno.execPath()}`, "--allow-net=127.0.0.1"];

Deno.test("workers need to read the modules they import", async () => {
  assert.deepEqual(
    await withOnly([`--allow-read=${checkout}`], "all_kinds.ts", "worker"),
    allWell(["worker"]),
  );
});

Deno.test('"spawn" children need Deno and a socket to it', async () => {
  assert.deepEqual(await withOnly(SPAWN, "all_kinds.ts", "spawn"), allWell(["spawn"]));
});

Deno.test('"spawn" children need no more if their program has all of a kind', async () => {
  assert.deepEqual(
    await withOnly(["--allow-run", "--allow-net"], "all_kinds.ts", "spawn"),
    allWell(["spawn"]),
  );
});

Deno.test("a threading server needs the net and what its workers need", async () => {
  assert.deepEqual(
    await withOnly([`--allow-read=${checkout}`, "--allow-net=127.0.0.1"], "serves.ts", "worker"),
    { code: 0, stdout: "answer HELLO\n", stderr: "" },
  );
});

if (Deno.build.os === "linux") { // elsewhere no connection can be handed on
  Deno.test("a forking server needs to call into the C library, too", async () => {
    assert.deepEqual(await withOnly(["--allow-run", "--allow-net", "--allow-ffi"], "serves.ts", "spawn"), {
      code: 0,
      stdout: "answer HELLO\n",
      stderr: "",
    });
    const { code, stdout, stderr } = await withOnly(SPAWN, "serves.ts", "spawn");
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
    assert.match(stderr, /RuntimeError: Cannot hand connections .* --allow-ffi/);
  });
}

for (
  const [method, held, missing] of [
    [
      "worker",
      [],
      /^NotCapable: Cannot load .*\/worker\.ts in a worker: that requires read access; run again with --allow-read/,
    ],
    ["spawn", [SPAWN[0]!], /^NotCapable: Requires net access to "127\.0\.0\.1.*--allow-net/],
    ["spawn", [SPAWN[1]!], /^NotCapable: Requires run access to .*--allow-run/],
  ] as const
) {
  Deno.test(`start() says which permission is missing [${method}, ${held.join() || "none"}]`, async () => {
    const { code, stdout, stderr } = await withOnly([...held], "starts.ts", method);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(stdout, missing);
  });
}

Deno.test("a worker that may not import its target says so and ends", async () => {
  const library = ["mod.ts", "src"].map((name) => checkout + name).join();
  const { code, stdout, stderr } = await withOnly([`--allow-read=${library}`], "starts.ts", "worker");
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "exit code 1\n" });
  assert.match(stderr, /Requires read access to ".*\/tests\/fixtures\/.*--allow-read/);
});

Deno.test("a target of another module than the one that makes the process takes --allow-sys", async () => {
  const read = `--allow-read=${checkout}`;
  const { stdout } = await withOnly([read], "starts.ts", "worker");
  assert.match(
    stdout,
    /^PicklingError: Cannot run function nothing .* only with --allow-sys; .* name it with ref\(\)/,
  );
  assert.deepEqual(await withOnly([read, "--allow-sys"], "starts.ts", "worker"), {
    code: 0,
    stdout: "exit code 0\n",
    stderr: "",
  });
  assert.deepEqual(await withOnly([...SPAWN, "--allow-sys"], "starts.ts", "spawn"), {
    code: 0,
    stdout: "exit code 0\n",
    stderr: "",
  });
});
