/**
 * Programs made by `deno compile`.
 *
 * Such a program is its own executable: it takes no flags of Deno, has the permissions and the V8 flags it was compiled
 * with, and loads only modules that were compiled in. So a `"spawn"` child is the program started again with one
 * argument, and what makes it a child is `child/compiled.ts`, which is compiled in as the program's preload. That
 * module also brings the first modules of the children along, which nothing imports.
 */

import { RuntimeError } from "../base/errors.ts";

/** The only argument of a compiled program that was started as a child. */
const AS_CHILD = "--multiprocessing-child";

let prepared = false;

/** Notes that the first modules of children are compiled in. Says whether this process is such a child. */
export function beginCompiled(): boolean {
  prepared = true;
  // What was compiled in as arguments comes first.
  return Deno.build.standalone && Deno.args.at(-1) === AS_CHILD;
}

/** Gives a child the arguments of its program, for the one that made it a child. */
export function setArguments(args: readonly string[]): void {
  Object.defineProperty(Deno, "args", {
    value: Object.freeze([...args]),
    enumerable: true,
    configurable: true,
  });
}

/** Why this program can start no processes; `undefined` if it can. */
export function whyNoChildren(
  { standalone, main, ready }: { standalone: boolean; main: string | undefined; ready: boolean },
): string | undefined {
  // A worker has no main module, and is there because its program was ready.
  if (!standalone || main === undefined || ready) return undefined;
  return "the first modules of children are not compiled in; " +
    "use `deno compile --preload` with the module @multiprocessing/deno/compiled";
}

/**
 * Checks that this program can start processes.
 *
 * @throws {RuntimeError} If it is compiled without the first modules of children.
 */
export function requireChildren(): void {
  const why = whyNoChildren({
    standalone: Deno.build.standalone,
    main: Deno.mainModule as string | undefined,
    ready: prepared,
  });
  if (why !== undefined) throw new RuntimeError(`Cannot start a process: ${why}`);
}

/** How a program starts itself again. */
export interface OwnProgram {
  /** Whether it is compiled. */
  readonly standalone: boolean;
  /** Its main module. */
  readonly main: string;
  /** Its arguments. */
  readonly args: readonly string[];
}

/**
 * The flags that limit the heap of a child.
 *
 * @throws {RuntimeError} If the program is compiled: nothing can limit its children then.
 */
export function memoryFlags(memoryMb: number | undefined, standalone: boolean): string[] {
  if (memoryMb === undefined) return [];
  if (!standalone) return [`--v8-flags=--max-old-space-size=${memoryMb}`];
  throw new RuntimeError(
    `Cannot limit the memory of a process to ${memoryMb} MiB: a compiled program has the V8 flags it was compiled ` +
      'with; compile it with --v8-flags=--max-old-space-size, or use the start method "worker"',
  );
}

/**
 * The arguments for the executable of this program that make it a child.
 *
 * @param boot The module that is loaded first; a compiled program has its own.
 * @param flags What the child may do, and its limits; a compiled program has those it was compiled with.
 */
export function childArguments(
  { standalone, main, args }: OwnProgram,
  boot: string,
  flags: readonly string[],
): string[] {
  return standalone ? [AS_CHILD] : ["run", ...flags, "--preload", boot, main, ...args];
}
