/** Operating-system processes of any program: starting one with pipes to it, signals, how it ended. */

import { OSError, RuntimeError, ValueError } from "../base/errors.ts";
import { exitCodeOf, signalNumber } from "./signals.ts";

/** What a process gets as one of its standard streams. */
export type Stdio = "inherit" | "piped" | "null";

/** What to start. */
export interface ProcessPlan {
  /** A path, or a name that is looked up in `PATH`. */
  readonly program: string;
  readonly args: readonly string[];
  /** Whether `args` are put on a Windows command line as they are, without quoting. */
  readonly raw?: boolean;
  /** Where it runs; here when undefined. */
  readonly cwd?: string | undefined;
  /** Its whole environment; this process's when undefined. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly stdin: Stdio;
  readonly stdout: Stdio;
  /** `"stdout"`: the very same file or pipe. */
  readonly stderr: Stdio | "stdout";
}

/** A pipe that this process reads. */
export type ReadEnd = ReadableStream<Uint8Array<ArrayBuffer>>;

/** A pipe that this process writes. */
export type WriteEnd = WritableStream<Uint8Array>;

/** The children of this thread whose end nobody has asked for yet, in the order they were started. */
const unreaped = new Map<number, OsProcess>();
let ended: PromiseWithResolvers<void> = Promise.withResolvers();

/** A process that was started. It keeps no event loop up; whoever awaits something does. */
export class OsProcess {
  readonly pid: number;
  /** The pipe to its stdin, where there is one. */
  readonly stdin: WriteEnd | null;
  /** The pipe from its stdout, where there is one. */
  readonly stdout: ReadEnd | null;
  /** The pipe from its stderr, where there is one. */
  readonly stderr: ReadEnd | null;
  /** Its exit code once it has ended; −N for signal N. */
  readonly ended: Promise<number>;
  readonly #child: Deno.ChildProcess;
  #code: number | undefined;

  constructor(child: Deno.ChildProcess, piped: { stdin: boolean; stdout: boolean; stderr: boolean }) {
    child.unref();
    this.#child = child;
    this.pid = child.pid;
    this.stdin = piped.stdin ? child.stdin : null;
    this.stdout = piped.stdout ? child.stdout : null;
    this.stderr = piped.stderr ? child.stderr : null;
    this.ended = exitCodeOf(child.status).then((code) => {
      this.#code = code;
      ended.resolve();
      ended = Promise.withResolvers();
      return code;
    });
    unreaped.set(this.pid, this);
  }

  /** Its exit code, once it has ended. */
  get code(): number | undefined {
    return this.#code;
  }

  /** Takes notice of its end: it is no longer one of {@link children}. */
  reap(): void {
    if (unreaped.get(this.pid) === this) unreaped.delete(this.pid);
  }

  /**
   * Sends a signal; nothing happens when the process has ended.
   *
   * @throws {ValueError} If there is no such signal.
   * @throws {OSError} If this process may not send it one.
   */
  signal(signal: number | string): void {
    const number = typeof signal === "number" ? signal : signalNumber(signal);
    if (number === undefined || !Number.isInteger(number) || number < 0) {
      throw new ValueError(
        `Cannot send signal ${String(signal)}: this system has none of that name or number`,
      );
    }
    if (this.#code !== undefined) return;
    try {
      this.#child.kill(number);
    } catch (error) {
      if (error instanceof Deno.errors.PermissionDenied) {
        const denied = new OSError(
          `Cannot send signal ${signal} to process ${this.pid}: Operation not permitted`,
          { cause: error },
        );
        throw Object.assign(denied, { code: "EPERM" });
      }
      if (/^EINVAL/.test((error as Error).message)) {
        throw new ValueError(`Cannot send signal ${signal}: this system has none of that number`, {
          cause: error,
        });
      }
      // Otherwise it has ended, which we just have not heard of.
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** The children of this thread whose end nobody has taken notice of. */
export function children(): OsProcess[] {
  return [...unreaped.values()];
}

/** Settles when the next child ends. */
export function nextEnd(): Promise<void> {
  return ended.promise;
}

/**
 * Starts a process.
 *
 * @throws {OSError} If there is no such program (`ENOENT`), or it cannot be run; if there is no such directory. The
 * property `filename` tells which of both is meant.
 */
export function startProcess(plan: ProcessPlan): OsProcess {
  const { program, args, stdin, stdout, stderr } = plan;
  const merged = stderr === "stdout";
  if (merged) refuseToMerge(plan);
  try {
    const child = new Deno.Command(merged ? "/bin/sh" : program, {
      // A shell makes stderr the same as stdout and then becomes the program, under the same process id.
      args: merged ? ["-c", 'exec "$@" 2>&1', "sh", program, ...args] : [...args],
      ...(plan.cwd !== undefined && { cwd: plan.cwd }),
      ...(plan.env !== undefined && { env: { ...plan.env }, clearEnv: true }),
      ...(plan.raw && { windowsRawArguments: true }),
      stdin,
      stdout,
      stderr: merged ? "inherit" : stderr,
    }).spawn();
    return new OsProcess(child, {
      stdin: stdin === "piped",
      stdout: stdout === "piped",
      stderr: stderr === "piped",
    });
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    refuseDirectory(plan.cwd, program);
    throw cannotStart(program, (error as { code?: string }).code, error);
  }
}

/** Throws if stderr cannot be made the same as stdout, and for what the shell would only find out itself. */
function refuseToMerge({ program, cwd, env }: ProcessPlan): void {
  if (onWindows) {
    throw new RuntimeError(
      `Cannot start ${
        JSON.stringify(program)
      }: on Windows nothing can make its stderr the same as its stdout; ` +
        `use a shell and 2>&1`,
    );
  }
  refuseDirectory(cwd, program);
  const code = lookUp(program, cwd, env);
  if (code !== undefined) throw cannotStart(program, code);
}

/** Why a program cannot be run, as the system would say; `undefined` if it can, or if we may not look. */
function lookUp(
  program: string,
  cwd: string = ".",
  env?: Readonly<Record<string, string>>,
): string | undefined {
  try {
    const path = env === undefined ? Deno.env.get("PATH") : env.PATH;
    if (path === undefined) return undefined; // the shell has a default of its own
    const named = program.includes("/");
    const folders = named ? [""] : path.split(":").map((folder) => `${folder || "."}/`);
    let code = "ENOENT";
    for (const folder of folders) {
      const file = folder + program;
      const found = look(file.startsWith("/") ? file : `${cwd}/${file}`);
      if (typeof found !== "string" && found.isFile && (found.mode! & 0o111) !== 0) return undefined;
      if (typeof found !== "string") code = "EACCES";
      else if (named) code = found;
    }
    return code;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}

/** What is at a path, or why nothing is. */
function look(path: string): Deno.FileInfo | string {
  try {
    return Deno.statSync(path);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === undefined) throw error;
    return code;
  }
}

/** Throws an {@link OSError} if `cwd` is no directory. */
function refuseDirectory(cwd: string | undefined, program: string): void {
  if (cwd === undefined) return;
  let found;
  try {
    found = look(cwd);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return; // we may not look
    throw error;
  }
  if (typeof found !== "string" && found.isDirectory) return;
  const code = typeof found === "string" ? found : "ENOTDIR";
  const what = `Cannot start ${JSON.stringify(program)} in ${JSON.stringify(cwd)}`;
  const error = new OSError(`${what}: ${REASONS[code] ?? code}; check the directory`);
  throw Object.assign(error, { code, filename: cwd });
}

/** What the system says, for the failures that are found before it is asked. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "No such file or directory",
  ENOTDIR: "Not a directory",
  EACCES: "Permission denied",
};

const CURES: Readonly<Record<string, string>> = {
  ENOENT: "; check the name and PATH",
  EACCES: "; check that it is a program",
  E2BIG: "; hand it less, or on its stdin",
};

function cannotStart(program: string, code: string = "", cause?: unknown): OSError {
  const why = REASONS[code] ?? (cause === undefined ? code : saidBy(cause));
  const error = new OSError(
    `Cannot start ${JSON.stringify(program)}: ${why}${CURES[code] ?? ""}`,
    cause === undefined ? undefined : { cause },
  );
  return Object.assign(error, { code, filename: program });
}

/** The words of the system in an error of the runtime. */
function saidBy(error: unknown): string {
  return (error as Error).message.replace(/^.*?: /, "").replace(/ \(os error \d+\)$/, "");
}

/** Whether this is Windows. */
export const onWindows: boolean = Deno.build.os === "windows";

/** The path that a `file:` URL names. */
export function pathOf(place: string | URL): string {
  if (typeof place === "string") return place;
  if (place.protocol !== "file:") {
    throw new ValueError(`Cannot use ${place.href} as a directory: it is not a file: URL`);
  }
  const path = decodeURIComponent(place.pathname);
  return onWindows ? path.slice(1).replaceAll("/", "\\") : path;
}

/** Whether a write failed because nobody reads the pipe any more. */
export function isBrokenPipe(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe;
}
