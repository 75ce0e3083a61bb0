/**
 * Where a program and the library lie, where it is called from, and what it calls the library, make no difference.
 *
 * @module
 */
import assert from "node:assert/strict";
import { allWell, checkout, deno, Folder, run } from "./support.ts";

const METHODS = ["worker", "spawn"];
const AWKWARD = "mit Leerzeichen – 日本 %20#?";

Deno.test("a program runs from another directory, named by its path", async () => {
  await using elsewhere = await Folder.make();
  const program = `${checkout}tests/fixtures/programs/all_kinds.ts`;
  assert.deepEqual(await deno(["run", "-A", program, ...METHODS], { cwd: elsewhere.path }), allWell(METHODS));
});

Deno.test("a program runs from another directory, named relative to it", async () => {
  const left = await deno(["run", "-A", "../fixtures/programs/all_kinds.ts", ...METHODS], {
    cwd: `${checkout}tests/managers`,
  });
  assert.deepEqual(left, allWell(METHODS));
});

Deno.test("a program runs in a folder with spaces and signs in its name", async () => {
  await using folder = await Folder.make(AWKWARD);
  await folder.configure();
  const program = await folder.program("all_kinds.ts");
  assert.deepEqual(await deno(["run", "-A", program, ...METHODS], { cwd: "/" }), allWell(METHODS));
  assert.deepEqual(
    await deno(["run", "-A", "all_kinds.ts", ...METHODS], { cwd: folder.path }),
    allWell(METHODS),
  );
});

Deno.test("the library runs in a folder with spaces and signs in its name", async () => {
  await using folder = await Folder.make(AWKWARD);
  const library = `${folder.path}/the library`;
  await Deno.mkdir(library);
  await copyLibrary(library);
  await folder.configure(undefined, library);
  const program = await folder.program("all_kinds.ts");
  assert.deepEqual(await deno(["run", "-A", program, ...METHODS], { cwd: folder.path }), allWell(METHODS));
});

Deno.test("an import map may call the library something else", async () => {
  await using folder = await Folder.make();
  await folder.configure("mp");
  const program = await folder.program("all_kinds.ts", "mp");
  assert.deepEqual(await deno(["run", "-A", program, ...METHODS], { cwd: folder.path }), allWell(METHODS));
});

Deno.test("an import map of its own file may call the library something else, for workers", async () => {
  await using folder = await Folder.make();
  await folder.configure("mp");
  await Deno.rename(`${folder.path}/deno.json`, `${folder.path}/import_map.json`);
  const program = await folder.program("all_kinds.ts", "mp");
  const left = await deno(["run", "-A", "--import-map", `${folder.path}/import_map.json`, program, "worker"]);
  assert.deepEqual(left, allWell(["worker"]));
});

Deno.test("a program runs with a cache that cannot be written", async () => {
  await using folder = await Folder.make();
  await folder.configure();
  const program = await folder.program("all_kinds.ts");
  const cache = `${folder.path}/cache`;
  const surroundings = { cwd: folder.path, env: { DENO_DIR: cache } };
  const args = ["run", "-A", "--cached-only", program, ...METHODS];
  assert.equal((await deno(["cache", program], surroundings)).code, 0);
  await setWritable(cache, false);
  try {
    const left = await mayMount()
      ? await run("unshare", [...READ_ONLY, cache, Deno.execPath(), ...args], surroundings)
      : await deno(args, surroundings);
    assert.deepEqual(left, allWell(METHODS));
  } finally {
    await setWritable(cache, true);
  }
});

/** Root may write whatever the modes say, but not into what is mounted read-only, which `touch` makes sure of. */
const READ_ONLY = ["-m", "sh", "-c", 'mount -o ro,bind "$0" "$0" && ! touch "$0/x" 2>&- && exec "$@"'];

/** Whether this is a root that may mount; one that may not, as in some containers, runs with modes that bind it not. */
async function mayMount(): Promise<boolean> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  await using folder = await Folder.make();
  return (await run("unshare", [...READ_ONLY, folder.path, "true"])).code === 0;
}

async function setWritable(folder: string, writable: boolean): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) await setWritable(`${folder}/${name}`, writable);
    else await Deno.chmod(`${folder}/${name}`, writable ? 0o644 : 0o444);
  }
  await Deno.chmod(folder, writable ? 0o755 : 0o555);
}

async function copyLibrary(to: string, from = checkout): Promise<void> {
  for (const name of ["mod.ts", "deno.json"]) await Deno.copyFile(from + name, `${to}/${name}`);
  await copy(`${from}src`, `${to}/src`);
}

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copy(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}
