/**
 * The type checker knows what a Pool returns, and refuses arguments that are wrong: each `@ts-expect-error` of the
 * fixture is an error itself if nothing is wrong on the line below it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "../support/house.ts";

async function check(text: string): Promise<{ code: number; stderr: string }> {
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, "pool_types.ts");
    await Deno.writeTextFile(file, text);
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--config", fileURLToPath(new URL("deno.json", root)), file],
      cwd: fileURLToPath(root),
      env: { NO_COLOR: "1" },
    }).output();
    return { code, stderr: new TextDecoder().decode(stderr) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const fixture = await Deno.readTextFile(new URL("tests/fixtures/pool_types.ts", root));

Deno.test("Pool infers what its methods return and refuses wrong arguments", async () => {
  const { code, stderr } = await check(fixture);
  assert.equal(code, 0, stderr);
});

Deno.test("Pool's wrong arguments are errors, every one of them", async () => {
  const expected = fixture.match(/@ts-expect-error/g)!.length;
  assert.ok(expected >= 20);
  const { code, stderr } = await check(fixture.replaceAll("@ts-expect-error", "unexpected"));
  assert.notEqual(code, 0);
  const lines = new Set([...stderr.matchAll(/pool_types\.ts:(\d+):\d+/g)].map(([, line]) => line));
  assert.equal(lines.size, expected, stderr);
});
