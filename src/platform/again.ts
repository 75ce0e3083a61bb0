// deno-lint-ignore-file no-console -- it is console that is silenced here
/** Running this program once more in another process, silent for a while. */

import { type OsProcess, startProcess } from "./os_process.ts";
import { permissionFlags } from "./permissions.ts";

/** Where the program was when it began, if it may know. */
const startedIn = Deno.permissions.querySync({ name: "read", path: "." }).state === "granted"
  ? Deno.cwd()
  : undefined;

/** Why this program cannot be run once more from here; `undefined` if it can. */
export function whyNotAgain(): string | undefined {
  const main = Deno.mainModule as string | undefined;
  if (main === undefined) return "this is a worker; call it on the program's main thread";
  if (Deno.build.standalone) return "a compiled program cannot be run in another way; use `deno run`";
  if (/\/\$deno\$[^/]*$/.test(main)) {
    return "the main module exists only in this process; put the program into a file and use `deno run`";
  }
  // For `deno run` it is a function that does nothing, of another name.
  if (Deno.test.name === "test") {
    return "`deno test` calls what the program does again from elsewhere; use a program of its own, and `deno run`";
  }
  return undefined;
}

/**
 * Starts the program once more, with the same arguments and permissions, on the same standard streams.
 *
 * @param first The source of a module that runs before the main module does.
 */
export function runAgain(first: string): OsProcess {
  return startProcess({
    program: Deno.execPath(),
    args: [
      "run",
      ...permissionFlags(undefined),
      "--preload",
      `data:text/javascript,${encodeURIComponent(first)}`,
      Deno.mainModule,
      ...Deno.args,
    ],
    cwd: startedIn,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  });
}

/** The methods of `console` that print. `group` and its like only do if they are given something. */
const PRINTING =
  "assert clear count countReset debug dir dirxml error info log table timeEnd timeLog trace warn"
    .split(" ") as (keyof Console)[];
const GROUPING = ["group", "groupCollapsed"] as const;

/**
 * Lets nothing that this program prints be seen until the function that is returned is called: neither by `console`
 * nor by `Deno.stdout`, `Deno.stderr` and what stands on them. What is taken from them meanwhile works afterwards.
 */
export function silence(): () => void {
  let silent = true;
  const restore: (() => void)[] = [];
  const replace = <T extends object, K extends keyof T>(owner: T, key: K, instead: T[K]) => {
    const before = Object.getOwnPropertyDescriptor(owner, key);
    Object.defineProperty(owner, key, { value: instead, configurable: true, writable: true });
    restore.push(() => {
      if (owner[key] !== instead) return; // the program has put its own there
      if (before === undefined) delete owner[key];
      else Object.defineProperty(owner, key, before);
    });
  };
  for (const name of PRINTING) {
    const print = console[name] as (...args: unknown[]) => void;
    replace(console, name, (...args: unknown[]) => silent ? undefined : print(...args));
  }
  for (const name of GROUPING) {
    const group = console[name];
    replace(console, name, (...args) => silent ? group() : group(...args));
  }
  for (const out of [Deno.stdout, Deno.stderr]) {
    const { write, writeSync } = out;
    replace(out, "write", (bytes) => silent ? Promise.resolve(bytes.length) : write.call(out, bytes));
    replace(out, "writeSync", (bytes) => silent ? bytes.length : writeSync.call(out, bytes));
    replace(
      out,
      "writable",
      new WritableStream({
        async write(bytes) {
          while (bytes.length > 0) bytes = bytes.subarray(await out.write(bytes));
        },
      }),
    );
  }
  return () => {
    silent = false;
    for (const undo of restore) undo();
  };
}

/** Calls `last` when the program ends, however it does so in an orderly way; nothing async can follow. */
export function onProgramEnd(last: () => void): () => void {
  addEventListener("unload", last);
  return () => removeEventListener("unload", last);
}
