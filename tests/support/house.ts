/**
 * The house as the tests in `meta/` see it: its doors, its files, and what they say once comments are taken out.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

/** The repository, as a URL that ends with a slash. */
export const root: string = new URL("../../", import.meta.url).href;

const config = JSON.parse(Deno.readTextFileSync(new URL("deno.json", root))) as {
  exports: Record<string, string>;
};

/** Each door: how users name it, and its file relative to the repository. What only a flag names is no door. */
export const doors: [specifier: string, file: string][] = Object.entries(config.exports)
  .map(([specifier, file]): [string, string] => [specifier, file.replace(/^\.\//, "")])
  .filter(([, file]) => !file.startsWith("src/child/"));

/** Every source file, relative to the repository, `mod.ts` included. */
export const files: string[] = ["mod.ts", ...list("src")].sort();

function list(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, root))].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? list(path) : /\.ts$/.test(name) ? [path] : [];
  });
}

/** A file without its comments. */
export function codeOf(file: string): string {
  const text = Deno.readTextFileSync(new URL(file, root));
  // Strings come first, so that what looks like a comment inside of one stays.
  return text.replace(
    /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (match) => match.startsWith("/*") || match.startsWith("//") ? " " : match,
  );
}

/** What a `deno` command says in JSON about a file. */
export async function ask<T>(command: "info" | "doc", file: string): Promise<T> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [command, "--json", file],
    cwd: fileURLToPath(root),
    env: { NO_COLOR: "1" },
  }).output();
  if (code !== 0) throw new Error(`deno ${command} --json ${file}: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(new TextDecoder().decode(stdout)) as T;
}
