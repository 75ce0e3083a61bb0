/** From what the user says to what the platform starts, with everything checked first. */

import { ValueError } from "../base/errors.ts";
import { onWindows, pathOf, type ProcessPlan, type Stdio } from "../platform/os_process.ts";
import { type TextCodec, textCodec } from "./_text.ts";
import { shownArgs, SubprocessError } from "./errors.ts";
import { list2cmdline } from "./list2cmdline.ts";
import { type Args, DEVNULL, PIPE, type PopenOptions, type Sink, type Source, STDOUT } from "./options.ts";
import { isOpen, ReadPipe } from "./read_pipe.ts";

const OPTIONS: readonly string[] = [
  "stdin",
  "stdout",
  "stderr",
  "text",
  "universalNewlines",
  "encoding",
  "errors",
  "shell",
  "cwd",
  "env",
] satisfies (keyof PopenOptions)[];

/** What to start, and what its pipes are to become. */
export interface Plan {
  readonly process: ProcessPlan;
  /** How pipes give text; `undefined` if they give bytes. */
  readonly codec: TextCodec | undefined;
  readonly source: Source | undefined;
  readonly stdoutSink: Sink | undefined;
  readonly stderrSink: Sink | undefined;
}

/** Checks the arguments of a Popen. */
export function planOf(args: Args, options: PopenOptions): Plan {
  checkArgs(args);
  for (const name of Object.keys(options)) {
    if (!OPTIONS.includes(name)) {
      throw new TypeError(`Cannot start '${shownArgs(args)}': there is no option '${name}' here`);
    }
  }
  checkEnv(options.env);
  const { stdin, stdout } = options;
  if (stdout as unknown === STDOUT) {
    throw new ValueError("Cannot use STDOUT as stdout: STDOUT can only be used for stderr");
  }
  // One sink for both is written by the child itself in its own order.
  const stderr = typeof options.stderr === "object" && options.stderr !== null && options.stderr === stdout
    ? STDOUT
    : options.stderr;
  const source = given("stdin", stdin, isSource);
  const stdoutSink = given("stdout", stdout, isSink);
  const stderrSink = stderr === STDOUT ? undefined : given("stderr", stderr, isSink);
  const merged = stderr === STDOUT;
  return {
    process: {
      ...command(args, options.shell ?? false, merged),
      cwd: options.cwd === undefined || options.cwd === null ? undefined : pathOf(options.cwd),
      env: options.env ?? undefined,
      stdin: stdio(stdin),
      stdout: stdio(stdout),
      // On Windows the command line itself says 2>&1.
      stderr: !merged ? stdio(stderr) : onWindows && options.shell ? "inherit" : "stdout",
    },
    codec: codecOf(options),
    source,
    stdoutSink,
    stderrSink,
  };
}

function checkArgs(args: Args): void {
  if (typeof args !== "string" && !Array.isArray(args)) {
    throw new TypeError(`Cannot start ${String(args)}: 'args' must be a string or an array of strings`);
  }
  if (args.length === 0 && typeof args !== "string") {
    throw new ValueError("Cannot start a process: 'args' is empty; its first item names the program");
  }
  for (const [i, arg] of (typeof args === "string" ? [args] : args).entries()) {
    if (typeof arg !== "string") {
      throw new TypeError(`Cannot start a process with args[${i}]: it is a ${typeof arg}; make it a string`);
    }
    refuseNull(`args[${i}]`, arg);
  }
}

/** Checks what is to be sent. */
export function checkInput(input: unknown): void {
  if (input === undefined || input === null || typeof input === "string") return;
  if (input instanceof Uint8Array || input instanceof ReadableStream) return;
  throw new TypeError(
    `Cannot send ${String(input)}: 'input' must be a string, a Uint8Array or a ReadableStream`,
  );
}

function checkEnv(env: PopenOptions["env"]): void {
  for (const [name, value] of Object.entries(env ?? {})) {
    if (typeof value !== "string") {
      throw new TypeError(
        `Cannot start a process with env.${name}: it is a ${typeof value}; make it a string`,
      );
    }
    if (name.includes("=")) {
      throw new ValueError(
        `Cannot start a process with the variable ${JSON.stringify(name)}: illegal environment variable name`,
      );
    }
    refuseNull("a name in env", name);
    refuseNull(`env.${name}`, value);
  }
}

function refuseNull(what: string, text: string): void {
  if (text.includes("\0")) {
    throw new ValueError(
      `Cannot start a process with ${what}: embedded null byte in ${JSON.stringify(text)}`,
    );
  }
}

function command(
  args: Args,
  shell: boolean,
  merged: boolean,
): { program: string; args: readonly string[]; raw?: boolean } {
  if (!shell) {
    return typeof args === "string"
      ? { program: args, args: [] }
      : { program: args[0]!, args: args.slice(1) };
  }
  if (!onWindows) return { program: "/bin/sh", args: ["-c", ...(typeof args === "string" ? [args] : args)] };
  const line = typeof args === "string" ? args : list2cmdline(args);
  return {
    program: "cmd.exe",
    args: ["/d", "/s", "/c", merged ? `"(${line}) 2>&1"` : `"${line}"`],
    raw: true,
  };
}

/** What was given for a stream, if it is none of the numbers. */
function given<T extends object>(
  name: string,
  value: unknown,
  isOne: (value: object) => value is T,
): T | undefined {
  if (value === undefined || value === null || value === PIPE || value === DEVNULL) return undefined;
  if (typeof value === "object" && isOne(value)) {
    if ((value as { locked?: boolean }).locked) {
      throw new ValueError(
        `Cannot use the stream as ${name}: it is locked; release its reader or writer first`,
      );
    }
    if (value instanceof ReadPipe && !isOpen(value)) {
      throw new ValueError(
        `Cannot use the pipe as ${name}: it was closed, or somebody else has taken it over`,
      );
    }
    return value;
  }
  throw new ValueError(
    `Cannot use ${
      typeof value === "object" ? "this object" : String(value)
    } as ${name}: give PIPE, DEVNULL, a stream ` +
      `or an open file`,
  );
}

function isSource(value: object): value is Source {
  return value instanceof ReadableStream || value instanceof ReadPipe ||
    typeof (value as { read?: unknown }).read === "function";
}

function isSink(value: object): value is Sink {
  return value instanceof WritableStream || typeof (value as { write?: unknown }).write === "function";
}

function stdio(value: unknown): Stdio {
  if (value === undefined || value === null) return "inherit";
  return value === DEVNULL ? "null" : "piped";
}

function codecOf({ text, universalNewlines, encoding, errors }: PopenOptions): TextCodec | undefined {
  if (text !== undefined && universalNewlines !== undefined && text !== universalNewlines) {
    throw new SubprocessError(
      "Cannot disambiguate when both text and universalNewlines are supplied but different. Pass one or the other",
    );
  }
  const given = (value: string | null | undefined) => value !== undefined && value !== null;
  if (!text && !universalNewlines && !given(encoding) && !given(errors)) return undefined;
  return textCodec(encoding ?? "utf-8", errors ?? "strict");
}
