/** What {@link Popen} and the functions over it are told, and what follows from that for their types. */

import type { ReadPipe } from "./read_pipe.ts";
import type { WritePipe } from "./write_pipe.ts";

/**
 * A command: a program and its arguments; or a string, which is the program's name alone, or with `shell` what the shell
 * is told.
 */
export type Args = string | readonly string[];

/**
 * For `stdin`, `stdout` and `stderr`: a pipe between this process and the child.
 *
 * Python: `subprocess.PIPE`.
 *
 * @example
 * ```ts
 * import { PIPE, Popen } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * await using child = new Popen(["echo", "bread"], { stdout: PIPE });
 * assert.equal(new TextDecoder().decode(await child.stdout.read()), "bread\n");
 * assert.equal(child.stdin, null); // it was not asked for
 * ```
 */
export const PIPE: -1 = -1;
/**
 * For `stderr`: the same as stdout, so that both come in the order in which the child wrote them.
 *
 * Python: `subprocess.STDOUT`.
 *
 * @example
 * ```ts
 * import { PIPE, run, STDOUT } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * const script = "echo one; echo two >&2; echo three";
 * const { stdout } = await run(script, { shell: true, stdout: PIPE, stderr: STDOUT, text: true });
 * assert.equal(stdout, "one\ntwo\nthree\n");
 * ```
 */
export const STDOUT: -2 = -2;
/**
 * For `stdin`, `stdout` and `stderr`: nothing comes in, and what goes out is lost.
 *
 * Python: `subprocess.DEVNULL`.
 *
 * @example
 * ```ts
 * import { call, DEVNULL } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * assert.equal(await call(["cat"], { stdin: DEVNULL }), 0); // its input ends at once
 * ```
 */
export const DEVNULL: -3 = -3;

/**
 * Where a child's input can come from: a stream, the stdout of another child, or what is read as a `Deno.FsFile` or a
 * `Deno.Conn` is. This process carries it over, and stays up while it does. (`Deno.stdin` itself is what a child reads
 * anyway if nothing is said.)
 */
export type Source =
  | ReadableStream<Uint8Array | string>
  | ReadPipe
  | { read(into: Uint8Array): Promise<number | null> };

/**
 * Where a child's output can go: a stream, the stdin of another child, or what is written as a `Deno.FsFile` or a
 * `Deno.Conn` is. This process carries it over, and stays up while it does; what it goes to is left open.
 */
export type Sink =
  | WritableStream<Uint8Array>
  | WritePipe
  | { write(part: Uint8Array): Promise<number> };

/** What is sent to a child: text, bytes, or a stream of them. */
export type Input = string | Uint8Array | ReadableStream<Uint8Array | string>;

/**
 * How a process is started.
 *
 * Python: the arguments of {@link https://docs.python.org/3/library/subprocess.html#popen-constructor | Popen}.
 *
 * @example A directory, an environment, a file for the output
 * ```ts
 * import { Popen } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * const path = await Deno.makeTempFile();
 * using stdout = await Deno.open(path, { write: true });
 * const child = new Popen('echo "$FRUIT from $PWD"', { shell: true, cwd: "/", env: { FRUIT: "pear" }, stdout });
 * await child.wait(); // everything is in the file now
 * assert.equal(await Deno.readTextFile(path), "pear from /\n");
 * await Deno.remove(path);
 * ```
 */
export interface PopenOptions {
  /** Where its input comes from: {@link PIPE}, {@link DEVNULL}, or a {@link Source}; from ours when left out. */
  stdin?: typeof PIPE | typeof DEVNULL | Source | null | undefined;
  /** Where its output goes: {@link PIPE}, {@link DEVNULL}, or a {@link Sink}; to ours when left out. */
  stdout?: typeof PIPE | typeof DEVNULL | Sink | null | undefined;
  /**
   * Where its error output goes: {@link PIPE}, {@link DEVNULL}, {@link STDOUT}, or a {@link Sink}; to ours when left
   * out. With {@link STDOUT}, and when it gets the same sink as `stdout`, a shell makes both the same and then becomes
   * the program; it may add variables such as `PWD` to the environment. Not on Windows, unless `shell` is set.
   */
  stderr?: typeof PIPE | typeof DEVNULL | typeof STDOUT | Sink | null | undefined;
  /** Whether pipes give text: UTF-8 unless `encoding` says otherwise, every kind of newline as `"\n"`. */
  text?: boolean | undefined;
  /** The same as `text`. */
  universalNewlines?: boolean | undefined;
  /**
   * Pipes give text in this encoding: Python's names for UTF-8, UTF-16, Latin-1 and ASCII, read and written; and
   * whatever else `TextDecoder` knows, read only.
   */
  encoding?: string | null | undefined;
  /**
   * Pipes give text, and what is none in its encoding becomes this: `"strict"` (an error, as when left out),
   * `"replace"`, and for UTF-8, Latin-1 and ASCII also `"ignore"`, `"backslashreplace"` and `"surrogateescape"`.
   */
  errors?: string | null | undefined;
  /** Whether a shell runs the command: `/bin/sh -c`, on Windows `cmd /d /s /c`. */
  shell?: boolean | undefined;
  /** The directory it runs in; ours when left out. A program with a relative path is looked for there. */
  cwd?: string | URL | null | undefined;
  /** Its whole environment; ours when left out. */
  env?: Readonly<Record<string, string>> | null | undefined;
}

/**
 * How a process is run to its end.
 *
 * @example End it from elsewhere
 * ```ts
 * import { call } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * const user = new AbortController();
 * const calling = call(["sleep", "60"], { signal: user.signal });
 * user.abort(new Error("the user has left"));
 * await assert.rejects(calling, { message: "the user has left" }); // and sleep was killed
 * ```
 */
export interface CallOptions extends PopenOptions {
  /** How long it may take, in milliseconds. It is killed then. */
  timeout?: number | undefined;
  /** Kills it: the call rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * How a process is run to its end, and what becomes of its output.
 *
 * @example
 * ```ts
 * import { run, type RunOptions } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * const options = { captureOutput: true, text: true, check: true, timeout: 60_000 } as const satisfies RunOptions;
 * const { stdout } = await run(["tr", "a-z", "A-Z"], { ...options, input: "bread" });
 * assert.equal(stdout, "BREAD");
 * ```
 */
export interface RunOptions extends CallOptions {
  /** What is sent to it. `stdin` is then a pipe. */
  input?: Input | null | undefined;
  /** Whether stdout and stderr are captured, each for itself. */
  captureOutput?: boolean | undefined;
  /** Whether another exit code than 0 throws a {@link CalledProcessError}. */
  check?: boolean | undefined;
}

/** How a process is run whose output is wanted. */
export interface OutputOptions extends CallOptions {
  /** What is sent to it. `stdin` is then a pipe. */
  input?: Input | null | undefined;
  /** Given by the call itself. */
  stdout?: undefined;
}

/** `T`, without names that `Known` has not. */
export type Only<T, Known> = T & { readonly [K in Exclude<keyof T, keyof Known>]: never };

/** The type of an option; `undefined` for one that is not there. */
export type OptionOf<O, Name> = Name extends keyof O ? O[Name] : undefined;

/** Whether a value of type `V` is a `T`, as far as its type tells: `"yes"`, `"no"` or `"maybe"`; `"maybe"` for `any`. */
export type Sure<V, T> = 0 extends 1 & V ? "maybe"
  : [V] extends [T] ? "yes"
  : [Extract<V, T>] extends [never] ? "no"
  : "maybe";

/** What pipes give under options of type `O`: bytes or text, or one of both if the type does not tell. */
export type OutputOf<O> = (
  | Sure<OptionOf<O, "text">, true>
  | Sure<OptionOf<O, "universalNewlines">, true>
  | Sure<OptionOf<O, "encoding">, string>
  | Sure<OptionOf<O, "errors">, string>
) extends infer Text ? "yes" extends Text ? string
  : "maybe" extends Text ? string | Uint8Array<ArrayBuffer>
  : Uint8Array<ArrayBuffer>
  : never;

/** `P` where options of type `O` make the stream `Name` a pipe, `null` where they do not. */
export type PipeOf<O, Name, P> = Sure<OptionOf<O, Name>, typeof PIPE> extends infer Piped
  ? "yes" extends Piped ? P : "maybe" extends Piped ? P | null : null
  : never;

/** What {@link run} captures of the stream `Name` under options of type `O`. */
export type CapturedOf<O, Name> =
  | Sure<OptionOf<O, "captureOutput">, true>
  | Sure<OptionOf<O, Name>, typeof PIPE> extends infer Captured
  ? "yes" extends Captured ? OutputOf<O> : "maybe" extends Captured ? OutputOf<O> | null : null
  : never;

/** What {@link Popen.communicate} gives under options of type `O`: what came from stdout and from stderr. */
export type ResultOf<O> = [
  stdout: PipeOf<O, "stdout", OutputOf<O>>,
  stderr: PipeOf<O, "stderr", OutputOf<O>>,
];
