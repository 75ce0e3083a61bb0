/**
 * The doors: what users can import has one home each, and nothing is made in the doorway.
 *
 * @module
 */
import assert from "node:assert/strict";
import { getAllStartMethods, getContext } from "@multiprocessing/deno";
import * as main from "@multiprocessing/deno";
import { ask, codeOf, doors, files, root } from "../support/house.ts";

interface Doc {
  nodes: Record<string, { symbols: { name: string; declarations: Declaration[] }[] }>;
}
interface Declaration {
  location: { filename: string };
  /**
   * Of a second name for something (`kind` "reference"): what it names. Of a module as a whole (`kind` "namespace"):
   * what it exports.
   */
  def?: { target?: { filename: string }; elements?: { declarations: Declaration[] }[] };
}

/** Where each public name of a door is declared. */
async function homesOf(door: string): Promise<Map<string, string[]>> {
  const homes = new Map<string, string[]>();
  for (const { symbols } of Object.values((await ask<Doc>("doc", door)).nodes)) {
    for (const { name, declarations } of symbols) {
      const found = declarations.map(({ location, def }) =>
        (def?.target?.filename ?? def?.elements?.[0]?.declarations[0]?.location.filename ?? location.filename)
          .slice(root.length)
      );
      homes.set(name, [...new Set([...homes.get(name) ?? [], ...found])]);
    }
  }
  return homes;
}

for (const [specifier, file] of doors) {
  Deno.test(`door "${specifier}": every name has one home, which is no door`, async () => {
    const wrong: string[] = [];
    const homes = await homesOf(file);
    for (const [name, where] of homes) {
      if (where.length !== 1) wrong.push(`${name} has ${where.length} homes: ${where.join(", ")}`);
      else if (doors.some(([, door]) => door === where[0])) {
        wrong.push(`${name} is made in the door ${where[0]}`);
      } else if (!where[0]!.startsWith("src/")) wrong.push(`${name} comes from ${where[0]}`);
      else if (/^src\/child\//.test(where[0]!)) wrong.push(`${name} comes from ${where[0]}`);
    }
    assert.deepEqual(wrong, []);
  });

  Deno.test(`door "${specifier}": nothing but re-exports`, () => {
    const rest = codeOf(file)
      .replace(/export\s+(type\s+)?(\*(\s+as\s+\w+)?|\{[^}]*\})\s+from\s+"[^"]+";/g, "")
      .replace(/export\s+\{\s*\};/g, "")
      .trim();
    assert.equal(rest, "");
  });

  Deno.test(`door "${specifier}": opens with what it is for`, () => {
    const text = Deno.readTextFileSync(new URL(file, root));
    assert.match(text, /^\/\*\*[\s\S]*?@module[\s\S]*?\*\//);
  });
}

// --- The contract: names of the API page, by door -----------------------------------------------------------------

/** What `import … from "@multiprocessing/deno"` gives, once it is made. */
const MAIN = `
  Process currentProcess parentProcess activeChildren cpuCount getpid getppid getContext Context setStartMethod
  getStartMethod getAllStartMethods exit ref register freezeSupport WaitOptions
  Queue JoinableQueue SimpleQueue Pipe Connection wait Listener Client
  Lock RLock Semaphore BoundedSemaphore Event Condition Barrier
  Value SharedArray RawValue RawArray SharedMemory ShareableList
  Pool AsyncResult Progress
  Manager BaseManager SyncManager DictProxy ListProxy
  ProcessError TimeoutError Empty Full ShutDown EOFError BrokenPipeError AuthenticationError BufferTooShort
  BrokenBarrierError BrokenProcessPool CancelledError InvalidStateError PicklingError ValueError RuntimeError
  AssertionError RemoteError RemoteTraceback
`.trim().split(/\s+/);

/** The constructors and functions that a Context binds to its start method; as in CPython, not Listener and Client. */
const BOUND = `
  Process Queue JoinableQueue SimpleQueue Pipe Connection
  Lock RLock Semaphore BoundedSemaphore Event Condition Barrier
  Value SharedArray RawValue RawArray Pool Manager
  currentProcess parentProcess activeChildren cpuCount freezeSupport getStartMethod getAllStartMethods getContext
`.trim().split(/\s+/);

/** Rooms with doors of their own: what they declare is not the main door's, whatever its name. */
const OWN_DOORS = /^src\/(threading|socket|socketserver|subprocess|queue|gevent|os|futures)\//;

const declared = new Set(
  files.filter((file) => !OWN_DOORS.test(file)).flatMap((file) =>
    [
      ...codeOf(file).matchAll(
        /^export (?:abstract )?(?:async )?(?:class|function|const|interface|type) (\w+)/gm,
      ),
    ]
      .map((match) => match[1]!)
  ),
);

Deno.test("every name of the API that exists is exported by the main door", async () => {
  const homes = await homesOf("mod.ts");
  const missing = MAIN.filter((name) => declared.has(name) && !homes.has(name));
  assert.deepEqual(missing, []);
  // So that the rule above cannot come to hold for nothing at all.
  for (const name of ["Process", "Queue", "Pipe", "Connection", "Lock", "ref", "exit"]) {
    assert.ok(homes.has(name), name);
  }
});

Deno.test("every error that exists is exported by the main door, and has its name", () => {
  const values = main as unknown as Record<string, unknown>;
  const names = [...codeOf("src/base/errors.ts").matchAll(/^export class (\w+)/gm)].map((match) => match[1]!);
  assert.ok(names.length > 15);
  for (const name of names) {
    const Class = values[name] as new (message: string, options?: ErrorOptions) => Error;
    assert.equal(typeof Class, "function", name);
    const cause = new Error("the cause");
    const error = new Class("text", { cause });
    assert.ok(error instanceof Error);
    assert.deepEqual([error.name, error.message, error.cause], [name, "text", cause]);
  }
});

Deno.test("every context has what it binds, under both start methods", () => {
  const values = main as unknown as Record<string, unknown>;
  for (const method of getAllStartMethods()) {
    const context = getContext(method) as unknown as Record<string, unknown>;
    const missing = BOUND.filter((name) => name in values && typeof context[name] !== "function");
    assert.deepEqual(missing, []);
  }
});
