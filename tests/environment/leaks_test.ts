/**
 * Users test with leak checks: what is ended as the documents say leaves nothing that these see.
 *
 * @module
 */
import assert from "node:assert/strict";
import { deno, Folder } from "./support.ts";

const CHECKS = ["--sanitize-ops", "--sanitize-resources"];

for (const flags of [[], ["--no-check", "--parallel", "--trace-leaks"]]) {
  Deno.test(`a user's tests pass with leak checks [${flags.join(" ")}]`, async () => {
    await using folder = await Folder.make();
    await folder.configure();
    const tests = await folder.program("users_tests.ts");
    const { code, stdout, stderr } = await deno(["test", "-A", ...CHECKS, ...flags, tests], {
      cwd: folder.path,
    });
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /ok \| 17 passed \| 0 failed/);
  });
}

Deno.test("the leak checks of a user's tests are awake: a child that nobody ends is seen", async () => {
  await using folder = await Folder.make();
  await folder.configure();
  const tests = await folder.write(
    "forgets.ts",
    `import { getContext } from "@multiprocessing/deno";
    export function nothing() {}
    Deno.test("forgets", () => new (getContext("spawn").Process)({ target: nothing }).start());`,
  );
  const { code, stdout } = await deno(["test", "-A", ...CHECKS, tests], { cwd: folder.path });
  assert.equal(code, 1);
  assert.match(stdout, /Leaks detected/);
});
