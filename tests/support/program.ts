/**
 * Whole programs, run as a user runs them: a child OS process of which a test sees the output and the exit code.
 *
 * No program can hang a test: a net of a minute kills it and fails with everything it had printed.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const root = new URL("../../", import.meta.url);

/** What a program that ended has left. */
export interface Output {
  code: number;
  stdout: string;
  stderr: string;
  /** The lines of stdout, empty ones included. */
  lines: string[];
}

interface LineWait {
  pattern: RegExp;
  found(match: RegExpExecArray): void;
  never(reason: Error): void;
}

/** One running program. `await using` ends it if it still runs. */
export class Program implements AsyncDisposable {
  readonly #title: string;
  readonly #child: Deno.ChildProcess;
  readonly #readers: ReadableStreamDefaultReader<Uint8Array>[];
  readonly #output: Promise<Output>;
  readonly #waits = new Set<LineWait>();
  readonly #printed = { stdout: "", stderr: "" };
  #ended = false;
  #net: string | undefined;

  private constructor(command: string, args: string[], netMs: number) {
    this.#title = [command, ...args].join(" ");
    this.#child = new Deno.Command(command, {
      args,
      cwd: fileURLToPath(root),
      // Unbuffered, Python would write a line in pieces, and those of two processes would mix.
      env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", PYTHONUNBUFFERED: "", PYTHONIOENCODING: "utf-8" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#readers = [this.#child.stdout.getReader(), this.#child.stderr.getReader()];
    this.#output = this.#watch(netMs);
  }

  /** Starts a TypeScript program of this repository with every permission. */
  static deno(file: string, args: string[] = [], netMs = 60_000): Program {
    return new Program(Deno.execPath(), ["run", "-A", new URL(file, root).href, ...args], netMs);
  }

  /** Starts a Python program of this repository. */
  static python(file: string, args: string[] = [], netMs = 60_000): Program {
    return new Program("python3", [fileURLToPath(new URL(file, root)), ...args], netMs);
  }

  /** Waits for a whole line of stdout that matches. */
  line(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((found, never) => {
      this.#waits.add({ pattern, found, never });
      this.#look();
    });
  }

  /** Sends a signal. */
  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits for the program's end. */
  async end(): Promise<Output> {
    const output = await this.#output;
    if (this.#net !== undefined) throw new Error(this.#report(this.#net));
    return output;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.#kill();
    await this.#output;
  }

  async #watch(netMs: number): Promise<Output> {
    const net = setTimeout(() => {
      this.#net = `it still ran after ${netMs} ms`;
      this.#kill();
    }, netMs);
    const [stdout, stderr] = this.#readers;
    const [{ code }] = await Promise.all([
      this.#child.status,
      this.#read(stdout!, "stdout"),
      this.#read(stderr!, "stderr"),
    ]);
    clearTimeout(net);
    this.#ended = true;
    this.#look();
    const lines = this.#printed.stdout.split(/\r?\n/);
    if (lines.at(-1) === "") lines.pop();
    return { code, lines, ...this.#printed };
  }

  async #read(reader: ReadableStreamDefaultReader<Uint8Array>, name: "stdout" | "stderr"): Promise<void> {
    const decoder = new TextDecoder();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      this.#printed[name] += decoder.decode(chunk.value, { stream: true });
      this.#look();
    }
  }

  #look(): void {
    const whole = this.#printed.stdout.split(/\r?\n/).slice(0, -1);
    for (const wait of this.#waits) {
      const match = whole.map((line) => wait.pattern.exec(line)).find((match) => match !== null);
      if (match) wait.found(match);
      else if (this.#ended) {
        wait.never(new Error(this.#report(this.#net ?? `it ended before printing ${wait.pattern}`)));
      } else continue;
      this.#waits.delete(wait);
    }
  }

  #kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      // It has ended, but a child of its own may still hold its pipes.
      if (!(error instanceof TypeError)) throw error;
    }
    for (const reader of this.#readers) void reader.cancel();
  }

  #report(what: string): string {
    return `${this.#title}: ${what}\n--- stdout\n${this.#printed.stdout}\n--- stderr\n${this.#printed.stderr}`;
  }
}

/** Whether this machine has a Python to compare with. */
export async function hasPython(): Promise<boolean> {
  try {
    return (await new Deno.Command("python3", { args: ["--version"] }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Whether this machine has a program, whatever it says when it is asked for help. */
export async function installed(program: string): Promise<boolean> {
  try {
    await new Deno.Command(program, { args: ["--help"], stdin: "null", stdout: "null", stderr: "null" })
      .output();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** What a program prints that is given some input, and has nothing to complain of. */
export async function output(program: string, args: string[], input = ""): Promise<string> {
  const child = new Deno.Command(program, { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}
