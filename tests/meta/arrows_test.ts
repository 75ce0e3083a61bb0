/**
 * The house stands: who may import whom, who may speak to the runtime.
 *
 * A file imports its own room and rooms of a lower rank. So the arrows go public API → primitives → transport → platform,
 * and there are no cycles.
 *
 * @module
 */
import assert from "node:assert/strict";
import { ask, codeOf, doors, files, root } from "../support/house.ts";

/** The rank of each room below `src/`. */
const RANKS: Readonly<Record<string, number>> = {
  base: 0,
  platform: 1,
  transport: 2,
  sync: 3,
  socket: 3,
  subprocess: 3,
  memory: 4,
  ipc: 4,
  threading: 4,
  queue: 4,
  process: 5,
  gevent: 5,
  team: 6,
  os: 6,
  pool: 7,
  futures: 7,
  socketserver: 7,
  managers: 8,
  context: 9,
};
const MAIN_DOOR_RANK = 10;
const CHILD_RANK = 11;

interface Info {
  modules: { specifier: string; dependencies?: { specifier: string; code?: Edge; type?: Edge }[] }[];
}
interface Edge {
  specifier?: string;
}

interface Imports {
  /** Whom a file imports, types included. */
  all: Set<string>;
  /** Whom it imports when the program runs. */
  running: Set<string>;
}

/** Whom each source file imports, as paths relative to the repository; what lies outside of it is left out. */
async function readImports(): Promise<Map<string, Imports>> {
  const imports = new Map<string, Imports>();
  const ours = (edges: (Edge | undefined)[]) =>
    new Set(
      edges.flatMap((edge) => edge?.specifier?.startsWith(root) ? [edge.specifier.slice(root.length)] : []),
    );
  const read = async (entry: string) => {
    for (const { specifier, dependencies = [] } of (await ask<Info>("info", entry)).modules) {
      if (!specifier.startsWith(root)) continue;
      imports.set(specifier.slice(root.length), {
        all: ours(dependencies.flatMap(({ code, type }) => [code, type])),
        running: ours(dependencies.map(({ code }) => code)),
      });
    }
  };
  for (const entry of [...doors.map(([, file]) => file), ...files]) {
    if (!imports.has(entry)) await read(entry); // whatever a door has led to is known already
  }
  return imports;
}

let known: Promise<Map<string, Imports>> | undefined;
const imports = () => known ??= readImports();

/** Every import, types included. */
async function arrows(): Promise<[from: string, to: string][]> {
  return [...await imports()].flatMap(([file, { all }]) =>
    [...all].map((target): [string, string] => [file, target])
  );
}

function roomOf(file: string): string {
  return file === "mod.ts" ? "mod.ts" : file.split("/")[1]!;
}

function rankOf(file: string): number {
  const room = roomOf(file);
  if (room === "mod.ts") return MAIN_DOOR_RANK;
  if (room === "child") return CHILD_RANK;
  const rank = RANKS[room];
  assert.notEqual(rank, undefined, `src/${room}/ has no rank: give it one here and in src/README.md`);
  return rank!;
}

Deno.test("every import goes to its own room or to a lower rank", async () => {
  const wrong: string[] = [];
  for (const [file, target] of await arrows()) {
    if (roomOf(file) === roomOf(target) || rankOf(target) < rankOf(file)) continue;
    wrong.push(`${file} (${rankOf(file)}) imports ${target} (${rankOf(target)})`);
  }
  assert.deepEqual(wrong, []);
});

// Of what is imported when the program runs; types may know each other.
Deno.test("no imports go in a circle", async () => {
  const graph = await imports();
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: string[]) => {
    const at = path.indexOf(file);
    if (at >= 0) return void circles.push([...path.slice(at), file].join(" → "));
    if (done.has(file)) return;
    for (const target of graph.get(file)?.running ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  assert.deepEqual(circles, []);
});

Deno.test("a file whose name begins with _ is imported by its own room only", async () => {
  const wrong: string[] = [];
  for (const [file, target] of await arrows()) {
    if (/\/_[^/]*$/.test(target) && roomOf(file) !== roomOf(target)) wrong.push(`${file} imports ${target}`);
  }
  assert.deepEqual(wrong, []);
});

Deno.test("nobody imports src/child/, which is named by URL", async () => {
  const wrong: string[] = [];
  for (const [file, target] of await arrows()) {
    if (roomOf(target) === "child" && roomOf(file) !== "child") wrong.push(`${file} imports ${target}`);
  }
  assert.deepEqual(wrong, []);
});

Deno.test("the library imports nothing of tests, examples or bench", async () => {
  const foreign = (await arrows())
    .filter(([file, target]) => files.includes(file) && !files.includes(target))
    .map(([file, target]) => `${file} imports ${target}`);
  assert.deepEqual(foreign, []);
});

Deno.test("only src/platform/ says Deno.…, new Worker or console.…", () => {
  const wrong: string[] = [];
  for (const file of files) {
    if (roomOf(file) === "platform") continue;
    const code = codeOf(file);
    for (const match of code.matchAll(/\bDeno\.(\w+)|\bnew Worker\b|\bconsole\./g)) {
      // Types, such as Deno.PermissionOptions, are no calls; only what exists when the program runs is.
      if (match[1] !== undefined && !(match[1] in Deno)) continue;
      const line = code.slice(0, match.index).split("\n").length;
      wrong.push(`${file}, about line ${line}: ${match[0]}`);
    }
  }
  assert.deepEqual(wrong, []);
});
