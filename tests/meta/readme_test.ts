/**
 * What the documents say is true: their programs run and print what stands below them, their links lead somewhere,
 * the commands they name exist.
 */
import assert from "node:assert/strict";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Program } from "../support/program.ts";

const root = new URL("../../", import.meta.url);
const readme = await read("README.md");
const documents = ["README.md", "CHANGELOG.md", "src/README.md", "examples/README.md", "bench/README.md"];

interface CodeBlock {
  language: string;
  code: string;
  /** The line of the document it begins on. */
  line: number;
  /** Where it ends. */
  end: number;
}

interface Snippet extends CodeBlock {
  /** What it prints, if the document says so right below it. */
  output: string | undefined;
}

const snippets = programsOf(readme);

Deno.test("README.md holds programs and says what they print", () => {
  assert.ok(snippets.length >= 3);
  assert.ok(snippets.every(({ output }) => output !== undefined));
});

Deno.test("README.md: every program type-checks", async () => {
  await inTempProject(snippets, async (files) => {
    const check = new Deno.Command(Deno.execPath(), {
      args: ["check", ...files.map((file) => fileURLToPath(file))],
      cwd: fileURLToPath(new URL(".", files[0]!)),
      env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
      stdin: "null",
    });
    const { success, stderr } = await check.output();
    assert.ok(success, new TextDecoder().decode(stderr));
  });
});

for (const snippet of snippets) {
  Deno.test(`README.md: the program on line ${snippet.line} runs`, async () => {
    await inTempProject([snippet], async ([file]) => {
      const { code, stdout, stderr } = await Program.deno(file!.href).end();
      assert.deepEqual({ code, stderr, stdout: stdout.trimEnd() }, {
        code: 0,
        stderr: "",
        stdout: snippet.output,
      });
    });
  });
}

for (const name of documents) {
  Deno.test(`${name}: every relative link leads somewhere`, async () => {
    const document = await read(name);
    for (const link of linksOf(document)) {
      const target = new URL(link, new URL(name, root));
      const anchor = decodeURIComponent(target.hash.slice(1));
      target.hash = "";
      // A link within the document has no path of its own.
      const text = link.startsWith("#") ? document : await textBehind(target, `${name} links to ${link}`);
      if (anchor !== "") {
        assert.ok(anchorsOf(text).has(anchor), `${name} links to ${link}, which has no such heading`);
      }
    }
  });
}

Deno.test("README.md and .ci/run name commands that exist", async () => {
  const { tasks, version } = JSON.parse(await read("deno.json"));
  for (const [, task] of readme.matchAll(/deno(?:@[\d.]+)? task (\w+)/g)) {
    assert.ok(task! in tasks, `task ${task}`);
  }
  const ci = await read(".ci/run");
  assert.match(ci, /\bdeno task test\b/);
  const [, ciVersion] = /^readonly version=(\S+)$/m.exec(ci)!;
  for (const [, named] of readme.matchAll(/deno@([\d.]+)/g)) assert.equal(named, ciVersion);
  assert.ok((await read("CHANGELOG.md")).includes(`\n## ${version}\n`), `CHANGELOG.md tells of ${version}`);
});

function read(path: string): Promise<string> {
  return Deno.readTextFile(new URL(path, root));
}

/** The text of a file, `""` for a folder; fails if there is neither. */
async function textBehind(url: URL, what: string): Promise<string> {
  try {
    return (await Deno.stat(url)).isDirectory ? "" : await Deno.readTextFile(url);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) assert.fail(`${what}, which does not exist`);
    throw error;
  }
}

function* blocksOf(document: string): Generator<CodeBlock> {
  for (const match of document.matchAll(/^```(\w*)[^\n]*\n(.*?)^```$/gms)) {
    const line = document.slice(0, match.index).split("\n").length;
    yield { language: match[1]!, code: match[2]!, line, end: match.index + match[0].length };
  }
}

/** The TypeScript blocks that import the package, each with the `text` block below it. */
function programsOf(document: string): Snippet[] {
  const blocks = [...blocksOf(document)];
  return blocks.flatMap((block, i) => {
    if (block.language !== "ts" || !block.code.includes(`from "@multiprocessing/deno`)) return [];
    const below = blocks[i + 1];
    const adjoins = below?.language === "text" &&
      document.slice(block.end, below.end - below.code.length - "```text\n```".length).trim() === "";
    return [{ ...block, output: adjoins ? below.code.trimEnd() : undefined }];
  });
}

/** Where relative links point to. */
function linksOf(document: string): string[] {
  const prose = document.replace(/^```.*?^```$/gms, "").replace(/`[^`\n]*`/g, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!).filter((link) =>
    !/^[a-z]+:/.test(link)
  );
}

/** The anchors that headings get. */
function anchorsOf(document: string): Set<string> {
  const headings = document.replace(/^```.*?^```$/gms, "").matchAll(/^#+ (.+)$/gm);
  return new Set(
    [...headings].map(([, title]) =>
      title!.toLowerCase().replace(/[^\p{L}\p{N}_ -]/gu, "").trim().replaceAll(" ", "-")
    ),
  );
}

/** Writes programs into a project of their own, which has the package by its name as a user's does. */
async function inTempProject(programs: CodeBlock[], use: (files: URL[]) => Promise<void>): Promise<void> {
  const { name, exports } = JSON.parse(await read("deno.json")) as {
    name: string;
    exports: Record<string, string>;
  };
  const imports = Object.fromEntries(
    Object.entries(exports).map(([door, file]) => [name + door.slice(1), new URL(file, root).href]),
  );
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify({ imports }));
    const files: URL[] = [];
    for (const { code, line } of programs) {
      const path = `${folder}/line_${line}.ts`;
      await Deno.writeTextFile(path, code);
      files.push(pathToFileURL(path));
    }
    await use(files);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
