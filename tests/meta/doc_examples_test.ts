/**
 * What users import comes with an example: each class and function that a door exports shows in its doc comment how it
 * is used, in a snippet that `deno test --doc` runs.
 *
 * @module
 */
import assert from "node:assert/strict";
import { ask, doors, root } from "../support/house.ts";

interface Doc {
  nodes: Record<string, { symbols: { name: string; declarations: Declaration[] }[] }>;
}
interface Declaration {
  kind: string;
  location: { filename: string; line: number };
  jsDoc?: { doc?: string; tags?: { kind: string; doc?: string }[] };
}

/** A snippet that runs: not one marked `ignore`, and not one that only has to compile or to throw. */
const SNIPPET = /^```(?:ts|typescript)$/m;

for (const [specifier, file] of doors) {
  Deno.test(`door "${specifier}": every class and function has an example that runs`, async () => {
    const without: string[] = [];
    let looked = 0;
    for (const { symbols } of Object.values((await ask<Doc>("doc", file)).nodes)) {
      for (const { name, declarations } of symbols) {
        const shown = declarations.filter(({ kind }) => kind === "class" || kind === "function");
        if (shown.length === 0) continue;
        looked++;
        // Overloads share one.
        const examples = shown.flatMap(({ jsDoc }) => jsDoc?.tags ?? []).filter(({ kind }) =>
          kind === "example"
        );
        if (examples.some(({ doc = "" }) => SNIPPET.test(doc))) continue;
        const { filename, line } = shown[0]!.location;
        without.push(`${name} (${filename.slice(root.length)}:${line})`);
      }
    }
    assert.deepEqual(without, []);
    assert.ok(looked > 0, "the door exports something");
  });
}
