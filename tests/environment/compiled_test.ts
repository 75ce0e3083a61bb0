/**
 * Compiled programs.
 *
 * The runtime of compiled programs is downloaded by `deno compile`, so no program is compiled here. Instead, a script
 * stands for the executable. It does what is known of one: it starts its program with the flags, permissions and the
 * preload that were given once, hands its arguments to the program, and says `Deno.build.standalone`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { permissionFlags } from "../../src/platform/permissions.ts";
import { childArguments, memoryFlags, whyNoChildren } from "../../src/platform/compiled.ts";
import { ask, codeOf, files, root } from "../support/house.ts";
import { Folder, run } from "./support.ts";

interface Graph {
  modules: { specifier: string }[];
}

const main = "file:///app/main.ts";
const boot = "data:text/javascript,boot";

Deno.test("a child of a program that is run is Deno, with the program's main module and arguments", () => {
  assert.deepEqual(childArguments({ standalone: false, main, args: ["-v", "a b"] }, boot, ["-A"]), [
    "run",
    "-A",
    "--preload",
    boot,
    main,
    "-v",
    "a b",
  ]);
});

Deno.test("a child of a compiled program is that program, with one argument", () => {
  assert.deepEqual(childArguments({ standalone: true, main, args: ["-v", "a b"] }, boot, ["-A"]), [
    "--multiprocessing-child",
  ]);
});

Deno.test("only a program that is run can limit the memory of its children", () => {
  assert.deepEqual(memoryFlags(64, false), ["--v8-flags=--max-old-space-size=64"]);
  assert.deepEqual(memoryFlags(undefined, false), []);
  assert.deepEqual(memoryFlags(undefined, true), []);
  assert.throws(() => memoryFlags(64, true), { name: "RuntimeError", message: /Cannot limit .* to 64 MiB/ });
});

Deno.test("only a program that is run can give its children other permissions", () => {
  assert.deepEqual(permissionFlags("none", false), ["--no-prompt"]);
  assert.deepEqual(permissionFlags({ read: true, net: ["localhost"] }, false), [
    "--no-prompt",
    "--allow-read",
    "--allow-net=localhost",
  ]);
  assert.deepEqual(permissionFlags(undefined, true), permissionFlags("inherit", true));
  for (const permissions of ["none", {}, { read: true }] as const) {
    assert.throws(() => permissionFlags(permissions, true), { name: "ValueError", message: /compiled/ });
  }
});

Deno.test("a compiled program can start children if their first modules are compiled in", () => {
  assert.equal(whyNoChildren({ standalone: false, main, ready: false }), undefined);
  assert.equal(whyNoChildren({ standalone: true, main, ready: true }), undefined);
  assert.equal(whyNoChildren({ standalone: true, main: undefined, ready: false }), undefined); // a worker
  assert.match(whyNoChildren({ standalone: true, main, ready: false })!, /--preload.*\/compiled$/);
});

Deno.test("src/child/compiled.ts brings the first modules of all children along", async () => {
  const { modules } = await ask<Graph>("info", "src/child/compiled.ts");
  const brought = modules.map(({ specifier }) => specifier);
  for await (const { name } of Deno.readDir(new URL("src/child/", root))) {
    assert.ok(brought.includes(new URL(`src/child/${name}`, root).href), name);
  }
});

Deno.test("whoever names a module of ours by URL brings it along", async () => {
  const named = files.flatMap((file) =>
    [...codeOf(file).matchAll(/import\.meta\.resolve\(("[^"]+")\)/g)]
      .map(([, module]) => [file, new URL(JSON.parse(module!), new URL(file, root)).href] as const)
  );
  assert.ok(named.length >= 4);
  for (const [file, module] of named) {
    const { modules } = await ask<Graph>("info", file);
    assert.ok(modules.some(({ specifier }) => specifier === module), `${file} names ${module}`);
  }
});

// The script is one of a Unix shell.
if (Deno.build.os !== "windows") {
  Deno.test("a compiled program has processes and pools of both kinds", async () => {
    await using folder = await Folder.make();
    const executable = await standIn(folder, ["--preload", new URL("src/child/compiled.ts", root).href]);
    const { code, stdout, stderr } = await run(executable, ["-v", "a b"], { cwd: folder.path });
    const args = '["compiled in","-v","a b"]';
    assert.deepEqual({ stderr, code, lines: stdout.trimEnd().split("\n") }, {
      stderr: "",
      code: 0,
      lines: [
        `main ${args}`,
        `worker: child {"main":false,"args":${args}}`,
        "worker: pool 5,13",
        `spawn: child {"main":false,"args":${args}}`,
        "spawn: pool 5,13",
        "ValueError: Cannot give a process permissions of its own: a compiled program has those it was compiled " +
        "with; leave `permissions` out, or use `deno run`",
        "RuntimeError: Cannot limit the memory of a process to 64 MiB: a compiled program has the V8 flags it was " +
        'compiled with; compile it with --v8-flags=--max-old-space-size, or use the start method "worker"',
      ],
    });
  });

  Deno.test("a compiled program without the first modules of children says what to do", async () => {
    await using folder = await Folder.make();
    const executable = await standIn(folder, []);
    const { code, stderr } = await run(executable, [], { cwd: folder.path });
    assert.equal(code, 1);
    assert.match(
      stderr,
      /RuntimeError: Cannot start a process: .* not compiled in; use `deno compile --preload`/,
    );
  });
}

/** Makes what stands for an executable that was compiled with the given flags, and with one argument. */
async function standIn(folder: Folder, flags: string[]): Promise<string> {
  await folder.configure();
  const program = await folder.program("compiled.ts");
  const executable = `${folder.path}/executable`;
  const runtime = await folder.write(
    "runtime.js",
    `Deno.build = { ...Deno.build, standalone: true }; Deno.execPath = () => ${JSON.stringify(executable)};`,
  );
  const quoted = [Deno.execPath(), "run", "-A", "--preload", runtime, ...flags, program, "compiled in"]
    .map((word) => `'${word}'`);
  await folder.write("executable", `#!/bin/sh\nexec ${quoted.join(" ")} "$@"\n`);
  await Deno.chmod(executable, 0o755);
  return executable;
}
