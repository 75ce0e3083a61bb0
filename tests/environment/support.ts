/**
 * Programs of users: in a folder of their own, with a configuration of their own, run as their users run them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath, pathToFileURL } from "node:url";
import { root } from "../support/house.ts";

/** The folder of this repository. */
export const checkout: string = fileURLToPath(root);

/** What a command left. */
export interface Left {
  code: number;
  stdout: string;
  stderr: string;
}

/** How a command is run. */
export interface Surroundings {
  cwd?: string;
  env?: Record<string, string>;
}

/** Only a net: a program that does not end is killed after this long, and its exit code then is no 0. */
const NET_MS = 180_000;

/** Runs a command to its end. */
export async function run(
  command: string,
  args: string[],
  { cwd = checkout, env = {} }: Surroundings = {},
): Promise<Left> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    cwd,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
    stdin: "null",
    signal: AbortSignal.timeout(NET_MS),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Runs Deno to its end. */
export function deno(args: string[], surroundings?: Surroundings): Promise<Left> {
  return run(Deno.execPath(), args, surroundings);
}

/** What `fixtures/programs/all_kinds.ts` leaves if all is well. */
export function allWell(methods: readonly string[]): Left {
  const lines = methods.flatMap((method) => [
    `${method}: process 49`,
    `${method}: pool 3,6,9`,
    `${method}: manager 1 exit codes 0 0`,
  ]);
  return { code: 0, stdout: lines.map((line) => `${line}\n`).join(""), stderr: "" };
}

/** A folder that ends with its test. */
export class Folder implements AsyncDisposable {
  readonly path: string;
  readonly #outer: string;

  private constructor(outer: string, path: string) {
    this.#outer = outer;
    this.path = path;
  }

  /** Makes a folder of the given name somewhere. */
  static async make(name = "project"): Promise<Folder> {
    const outer = await Deno.realPath(await Deno.makeTempDir());
    const path = `${outer}/${name}`;
    await Deno.mkdir(path);
    return new Folder(outer, path);
  }

  /** Writes a file into it, and gives the path of that. */
  async write(name: string, text: string): Promise<string> {
    const path = `${this.path}/${name}`;
    await Deno.writeTextFile(path, text);
    return path;
  }

  /**
   * Writes a configuration that maps the doors of the library.
   *
   * @param name What the library is called.
   * @param library The folder it is in.
   */
  async configure(name = "@multiprocessing/deno", library: string = checkout): Promise<void> {
    const base = pathToFileURL(`${library}/`);
    const { exports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", base)));
    const imports = Object.fromEntries(
      Object.entries(exports as Record<string, string>).map(([door, file]) => [
        name + door.slice(1),
        new URL(file, base).href,
      ]),
    );
    await this.write("deno.json", JSON.stringify({ imports }));
  }

  /** Writes a program of `fixtures/programs/`, and gives its path. */
  async program(name: string, library = "@multiprocessing/deno"): Promise<string> {
    const text = await Deno.readTextFile(new URL(`tests/fixtures/programs/${name}`, root));
    assert.ok(text.includes(`from "@multiprocessing/deno"`));
    return await this.write(name, text.replaceAll(`from "@multiprocessing/deno`, `from "${library}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#outer, { recursive: true });
  }
}
