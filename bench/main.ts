/**
 * The benchmark: one table of the library beside CPython and beside bare Deno.
 *
 *     deno task bench [--only=<substring>] [--runs=N] [--json] [--pin] [--python=<program>]
 *
 * See README.md for what the rows measure and how to read them.
 *
 * @module
 */

import { cpus } from "node:os";
import { stderr } from "node:process";
import { fileURLToPath } from "node:url";
import { GROUPS } from "./catalogue.ts";
import { compare, type Result, type Series, type Target, type Tools, type Unit } from "./harness.ts";
import { print } from "./measure.ts";

interface Options {
  only: string;
  runs: number;
  json: boolean;
  pin: boolean;
  python: string;
}

const USAGE = "deno task bench [--only=<substring>] [--runs=N] [--json] [--pin] [--python=<program>]";

function parse(args: string[]): Options {
  const options: Options = {
    only: "",
    runs: 5,
    json: false,
    pin: false,
    python: "python3",
  };
  for (const arg of args) {
    const [name, text = ""] = arg.split(/=(.*)/s);
    if (name === "--only") options.only = text.toLowerCase();
    else if (name === "--python") options.python = text;
    else if (name === "--json") options.json = true;
    else if (name === "--pin") options.pin = true;
    else if (name === "--runs" && Number(text) >= 1) {
      options.runs = Math.floor(Number(text));
    } else {
      throw new Error(`Cannot run with ${arg}: not an option; use ${USAGE}`);
    }
  }
  return options;
}

/** The trimmed output of a program, or null where it is missing or fails. */
async function ask(command: string, ...args: string[]): Promise<string | null> {
  try {
    const { success, stdout } = await new Deno.Command(command, {
      args,
      stdin: "null",
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout).trim() : null;
  } catch {
    return null;
  }
}

async function environment(python: string | null) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: cpus()[0]?.model ?? "unknown",
    cores: navigator.hardwareConcurrency,
    os: `${Deno.build.os} ${Deno.build.arch}`,
    deno: `${Deno.version.deno} (V8 ${Deno.version.v8})`,
    cpython: python && await ask(
      python,
      "-c",
      "import platform; print(platform.python_version())",
    ),
    commit: await ask("git", "-C", root, "describe", "--always", "--dirty"),
  };
}

function figure(value: number, unit: Unit): string {
  const short = (n: number) => Number(n.toPrecision(3)).toString();
  if (unit !== "/s") return `${short(value)} ${unit}`;
  if (value >= 1e6) return `${short(value / 1e6)}M/s`;
  return value >= 1e3 ? `${short(value / 1e3)}k/s` : `${short(value)}/s`;
}

function cell(series: Series | null, unit: Unit): string {
  if (series === null) return "–";
  const value = series.failure !== undefined
    ? "failed"
    : series.median === null
    ? "–"
    : figure(series.median, unit);
  return series.name === undefined ? value : `${value} (${series.name})`;
}

function times(ratio: number): string {
  return `${ratio.toFixed(2)}×`;
}

function goal({ least, aim }: Target): string {
  return [
    least === undefined ? "" : `≥ ${least}×`,
    aim === undefined ? "" : `aim ${aim}×`,
  ].filter((part) => part !== "").join(", ");
}

function spread(ratios: number[]): string {
  if (ratios.length < 2) return "";
  return `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`;
}

const HEADS: [title: string, width: number][] = [
  ["row", 60],
  ["theirs", 26],
  ["ours", 10],
  ["bare", 31],
  ["ratio", 7],
  ["min–max", 11],
  ["target", 16],
  ["", 5],
];

function tableLine(cells: string[]): string {
  return `| ${cells.map((text, i) => text.padEnd(HEADS[i]?.[1] ?? 0)).join(" | ")} |`;
}

function resultLine(result: Result): string {
  const { row, unit, theirs, ours, bare, ratio, ratios, target, verdict } = result;
  return tableLine([
    row,
    cell(theirs, unit),
    cell(ours, unit),
    cell(bare, unit),
    ratio === null ? "–" : times(ratio),
    spread(ratios),
    goal(target),
    ours.failure !== undefined ? "FAIL" : verdict ?? "–",
  ]);
}

/** One line on a terminal's stderr that the next one overwrites. */
function progress(what: string): void {
  if (stderr.isTTY) stderr.write(`\r\x1b[K${what}`);
}

async function main(): Promise<number> {
  const options = parse(Deno.args);
  // The interpreter itself: a launcher in front of it would take the signals.
  const python = await ask(
    options.python,
    "-c",
    "import sys; print(sys.executable)",
  );
  const tools: Tools = {
    python,
    warmMs: 200,
    measureMs: 400,
    pin: options.pin,
  };
  if (tools.pin && await ask("taskset", "--version") === null) {
    throw new Error("Cannot pin: there is no taskset here; leave --pin out");
  }
  if (tools.pin && navigator.hardwareConcurrency < 2) {
    throw new Error("Cannot pin: there is one core only; leave --pin out");
  }
  const where = await environment(python);
  const begin = performance.now();
  const results: Result[] = [];

  if (!options.json) {
    print(
      `${where.date} · ${where.cpu}, ${where.cores} cores · ${where.os} · Deno ${where.deno} · ${
        where.cpython === null ? "no python3 here: ours alone" : `CPython ${where.cpython}`
      } · commit ${where.commit ?? "unknown"} · ${options.runs} runs${options.pin ? ", pinned" : ""}`,
    );
    print("");
    print(tableLine(HEADS.map(([title]) => title)));
    print(tableLine(HEADS.map(([, width]) => "-".repeat(width))));
  }
  for (const group of GROUPS) {
    const variants = group.variants.filter(({ name }) => name.toLowerCase().includes(options.only));
    if (variants.length === 0) continue;
    const lines = await compare(
      { ...group, variants },
      tools,
      options.runs,
      progress,
    );
    if (stderr.isTTY) stderr.write("\r\x1b[K");
    results.push(...lines);
    if (!options.json) { for (const line of lines) print(resultLine(line)); }
  }

  const failures = new Set(
    results.flatMap(({ theirs, ours, bare }) =>
      [theirs?.failure, ours.failure, bare?.failure].filter((text) => text !== undefined)
    ),
  );
  if (options.json) {
    print(JSON.stringify(
      { environment: where, runs: options.runs, pin: options.pin, results },
      null,
      2,
    ));
  } else {
    for (const failure of failures) print(`\n${failure}`);
    const judged = results.filter(({ verdict, ours }) => verdict !== null || ours.failure !== undefined);
    const ok = judged.filter(({ verdict }) => verdict === "ok");
    print(
      `\n${ok.length} of ${judged.length} rows reach their target; ${
        ((performance.now() - begin) / 1e3).toFixed(0)
      } s`,
    );
  }
  return results.some(({ ours }) => ours.failure !== undefined) ? 1 : 0;
}

if (import.meta.main) Deno.exitCode = await main();
