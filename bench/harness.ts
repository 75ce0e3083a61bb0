/**
 * Runs samples and compares them.
 *
 * A sample is one number measured by a program of its own: a fresh OS process,
 * which warms up, measures and ends. So nothing that one sample leaves behind
 * (JIT state, spare workers, a hang) reaches the next one, and both sides pay
 * the same. A group of rows is measured in rounds:
 *
 *     CPython, ours (each variant), bare, CPython, ours, bare, …
 *
 * and a ratio is taken within its round, so that a machine which grows slower
 * half way through slows both sides of it.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { median } from "./measure.ts";

/** What the samples run with. */
export interface Tools {
  /** The real path of python3, or null where there is none. */
  python: string | null;
  /** Milliseconds that a sample warms up, then measures. */
  warmMs: number;
  measureMs: number;
  /** Server rows: the client has the last core to itself, the server the others. */
  pin: boolean;
}

/** Measures once. Rejects when the program fails, hangs or does not end. */
export type Sample = (tools: Tools) => Promise<number>;

export type Unit = "ms" | "µs" | "/s" | "×" | "MB/s" | "MB";

const MORE_IS_BETTER: ReadonlySet<Unit> = new Set(["/s", "×", "MB/s"]);

/** Ratios of ours to theirs, above 1 when we are faster. */
export interface Target {
  least?: number;
  aim?: number;
}

/** One way of doing it with the library: a row of the table. */
export interface Variant {
  name: string;
  sample: Sample;
  target: Target;
}

/** What to compare with: CPython, or another library; a row is printed for each. */
export interface Rival {
  /** Said in the table where it is not just CPython. */
  name?: string;
  /** Whether it runs without Python. */
  isLibrary?: boolean;
  sample: Sample;
  /** Instead of the variant's. */
  target?: Target;
}

/** Rows that share their rivals' and bare figures. */
export interface Group {
  unit: Unit;
  rivals: Rival[];
  variants: Variant[];
  bare?: { name: string; sample: Sample };
}

/** All samples of one thing, or what went wrong. */
export interface Series {
  name?: string;
  median: number | null;
  samples: number[];
  failure?: string;
}

/** A line of the table. */
export interface Result {
  row: string;
  unit: Unit;
  theirs: Series | null;
  ours: Series;
  bare: Series | null;
  /** Median of the rounds' ratios; above 1 when we are faster. */
  ratio: number | null;
  /** One ratio per round. */
  ratios: number[];
  target: Target;
  verdict: "ok" | "short" | null;
}

const HERE = new URL("./", import.meta.url);
const SAMPLE_LIMIT_MS = 30_000;
const EXIT_LIMIT_MS = 3_000;

/** A program under way: its lines, its end, and its death when we leave. */
class Running implements AsyncDisposable {
  readonly #name: string;
  readonly #child: Deno.ChildProcess;
  readonly #stdout: ReadableStreamDefaultReader<string>;
  readonly #stderrDone: Promise<void>;
  #stderr = "";
  #pending = "";

  constructor(name: string, command: string[]) {
    const [file = "", ...args] = command;
    this.#name = name;
    this.#child = new Deno.Command(file, {
      args,
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#stdout = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
    this.#stderrDone = this.#collect();
  }

  async #collect(): Promise<void> {
    const text = this.#child.stderr.pipeThrough(new TextDecoderStream());
    for await (const part of text) {
      this.#stderr = (this.#stderr + part).slice(-2_000);
    }
  }

  /** The first line that matches `pattern`. */
  async line(pattern: RegExp): Promise<string> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#kill();
    }, SAMPLE_LIMIT_MS);
    try {
      while (true) {
        const lines = this.#pending.split("\n");
        this.#pending = lines.pop() ?? "";
        const found = lines.find((line) => pattern.test(line));
        if (found !== undefined) return found;
        const { done, value } = await this.#stdout.read();
        if (done) break;
        this.#pending += value;
      }
    } finally {
      clearTimeout(timer);
    }
    const { code, signal } = await this.#child.status;
    await this.#stderrDone;
    const how = late
      ? `no answer within ${SAMPLE_LIMIT_MS} ms`
      : signal
      ? `it was ended by ${signal}`
      : `it ended with ${code}`;
    throw new Error(
      `Cannot measure ${this.#name}: ${how}\n${this.#stderr.trim()}`,
    );
  }

  /** Waits until it has ended by itself. */
  async end(): Promise<void> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#kill();
    }, EXIT_LIMIT_MS);
    const { code } = await this.#child.status;
    clearTimeout(timer);
    if (late) {
      throw new Error(
        `Cannot count ${this.#name}: it measured, and then did not end within ${EXIT_LIMIT_MS} ms`,
      );
    }
    if (code !== 0) {
      await this.#stderrDone;
      throw new Error(
        `Cannot count ${this.#name}: it measured, and then ended with ${code}\n${this.#stderr.trim()}`,
      );
    }
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** What it has said on stderr so far. */
  get complaint(): string {
    return this.#stderr.trim();
  }

  #kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#kill();
    await this.#child.status;
    await this.#stdout.cancel();
    await this.#stderrDone;
  }
}

async function value(name: string, command: string[]): Promise<number> {
  await using program = new Running(name, command);
  const line = await program.line(/^\{"value":/);
  await program.end();
  return JSON.parse(line).value;
}

function path(file: string): string {
  return fileURLToPath(new URL(file, HERE));
}

function denoCommand(file: string, ...args: string[]): string[] {
  return [Deno.execPath(), "run", "-A", path(file), ...args];
}

function pythonCommand(
  { python }: Tools,
  file: string,
  ...args: string[]
): string[] {
  if (python === null) throw new Error(`Cannot run ${file}: no python3 here`);
  return [python, path(`python/${file}`), ...args];
}

function budget({ warmMs, measureMs }: Tools): [string, string] {
  return [String(warmMs), String(measureMs)];
}

/** A case of a program in `rows/`, or in another folder. */
export function deno(file: string, name: string, folder = "rows"): Sample {
  return (tools) => value(`${file} ${name}`, denoCommand(`${folder}/${file}`, name, ...budget(tools)));
}

/** A case of a program in `python/`. */
export function python(file: string, name: string): Sample {
  return (tools) =>
    value(
      `${file} ${name}`,
      pythonCommand(tools, file, name, ...budget(tools)),
    );
}

/** What the load client does, and how often: clients for "echo" and "bulk", connections for "connect" and "idle". */
export type Load = ["echo" | "connect" | "bulk" | "idle", number];

/** The load client against a server of its own, which is killed afterwards. */
async function served(
  name: string,
  server: string[],
  [kind, number]: Load,
  tools: Tools,
): Promise<number> {
  const cores = navigator.hardwareConcurrency;
  const pinned = (cpus: string) => tools.pin ? ["taskset", "-c", cpus] : [];
  await using running = new Running(name, [
    ...pinned(`0-${cores - 2}`),
    ...server,
  ]);
  const port = await running.line(/^\d+$/);
  const args = [
    kind,
    String(number),
    port,
    ...budget(tools),
    ...(kind === "idle" ? [String(running.pid)] : []),
  ];
  // The same client for every server; select.poll and epoll do not exist on Windows.
  const client = tools.python !== null && Deno.build.os !== "windows"
    ? pythonCommand(tools, "load_client.py", ...args)
    : denoCommand("servers/load_client.ts", ...args);
  try {
    return await value(`the load client against ${name}`, [...pinned(String(cores - 1)), ...client]);
  } catch (error) {
    // The client only sees the connection fall; the reason is on the server's stderr.
    throw new Error([error instanceof Error ? error.message : String(error), running.complaint].join("\n"));
  }
}

/** A server of `servers/` under load. */
export function denoServer(file: string, args: string, load: Load): Sample {
  return (tools) =>
    served(`${file} ${args}`, denoCommand(`servers/${file}`, ...args.split(" ")), load, tools);
}

/** A server of `python/` under load. */
export function pythonServer(file: string, args: string, load: Load): Sample {
  return (tools) => served(`${file} ${args}`, pythonCommand(tools, file, ...args.split(" ")), load, tools);
}

/** Takes one sample into `series`, unless that has failed before. */
async function take(
  series: Series,
  sample: Sample,
  tools: Tools,
): Promise<void> {
  if (series.failure !== undefined) return;
  try {
    series.samples.push(await sample(tools));
    series.median = median(series.samples);
  } catch (error) {
    series.failure = error instanceof Error ? error.message : String(error);
  }
}

function empty(name?: string): Series {
  return { ...(name === undefined ? {} : { name }), median: null, samples: [] };
}

/** Measures a group in rounds and gives its lines of the table. */
export async function compare(
  group: Group,
  tools: Tools,
  runs: number,
  progress: (what: string) => void,
): Promise<Result[]> {
  const { unit, variants, bare } = group;
  const rivals = group.rivals.filter(({ isLibrary }) => isLibrary === true || tools.python !== null);
  const theirs = rivals.map(({ name }) => empty(name));
  const ours = variants.map(() => empty());
  const floor = bare === undefined ? null : empty(bare.name);
  for (let round = 1; round <= runs; round++) {
    const say = (what: string) => progress(`${what}, ${round} of ${runs}`);
    for (const [i, rival] of rivals.entries()) {
      say(`${rival.isLibrary === true ? "" : "CPython "}${rival.name ?? ""} for ${variants[0]?.name}`);
      await take(theirs[i]!, rival.sample, tools);
    }
    for (const [i, variant] of variants.entries()) {
      say(variant.name);
      await take(ours[i]!, variant.sample, tools);
    }
    if (bare !== undefined && floor !== null) {
      say(`bare ${bare.name}`);
      await take(floor, bare.sample, tools);
    }
  }
  return variants.flatMap((variant, i) => {
    const result = (theirs: Series | null, target: Target): Result => {
      const ratios = (theirs?.samples ?? []).flatMap((their, round) => {
        const our = ours[i]!.samples[round];
        if (our === undefined) return [];
        return [MORE_IS_BETTER.has(unit) ? our / their : their / our];
      });
      const ratio = ratios.length > 0 ? median(ratios) : null;
      const bound = target.least ?? target.aim;
      return {
        row: variant.name,
        unit,
        theirs,
        ours: ours[i]!,
        bare: floor,
        ratio,
        ratios,
        target,
        verdict: ratio === null || bound === undefined || ours[i]!.failure !== undefined
          ? null
          : ratio >= bound
          ? "ok"
          : "short",
      };
    };
    if (rivals.length === 0) return [result(null, variant.target)];
    return rivals.map((rival, r) => result(theirs[r]!, rival.target ?? variant.target));
  });
}
