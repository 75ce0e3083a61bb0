/** What only V8 itself knows of functions and classes, through the inspector; nothing where it may not be asked. */

type Ask = <R>(method: string, params: object) => Promise<R>;

interface Remote {
  objectId: string;
}

/** Whether V8 may be asked. */
export function mayInspect(): boolean {
  return Deno.permissions.querySync({ name: "sys" }).state === "granted";
}

/** The URL of the module that `target` was compiled in; `undefined` where V8 has none or may not be asked. */
export function compiledIn(target: unknown): Promise<string | undefined> {
  return inspect(target, async (ask, { objectId }, urls) => {
    await ask("Debugger.enable", {});
    const { internalProperties } = await ask<
      { internalProperties: { name: string; value?: { value?: unknown } }[] }
    >("Runtime.getProperties", { objectId, ownProperties: true });
    const location = internalProperties.find(({ name }) => name === "[[FunctionLocation]]")?.value?.value;
    return urls.get((location as { scriptId: string } | undefined)?.scriptId ?? "") || undefined;
  });
}

/** The classes in this thread that are derived from `Class`; none where V8 may not be asked. Takes some 40 ms. */
export async function subclassesOf(Class: unknown): Promise<unknown[]> {
  const found: { classes?: unknown[] } = {};
  await inspect([Class, found], async (ask, { objectId }) => {
    const item = async (index: number) => {
      const { result } = await ask<{ result: Remote }>("Runtime.callFunctionOn", {
        objectId,
        functionDeclaration: `function () { return this[${index}]; }`,
      });
      return result.objectId;
    };
    const { objects } = await ask<{ objects: Remote }>("Runtime.queryObjects", {
      prototypeObjectId: await item(0),
    });
    await ask("Runtime.callFunctionOn", {
      objectId: objects.objectId,
      functionDeclaration: "function (found) { found.classes = this; }",
      arguments: [{ objectId: await item(1) }],
    });
  });
  return found.classes ?? [];
}

/** Opens a session, in which `thing` is known, for as long as `look` takes. */
async function inspect<R>(
  thing: unknown,
  look: (ask: Ask, thing: Remote, urls: Map<string, string>) => Promise<R>,
): Promise<R | undefined> {
  const { Session } = await import("node:inspector");
  const session = new Session();
  try {
    session.connect();
  } catch {
    return undefined; // without --allow-sys
  }
  const key = `multiprocessing ${crypto.randomUUID()}`;
  const holder = globalThis as unknown as Record<string, unknown>;
  holder[key] = thing;
  try {
    const urls = new Map<string, string>();
    session.on("Debugger.scriptParsed", ({ params }: { params: { scriptId: string; url: string } }) => {
      urls.set(params.scriptId, params.url);
    });
    const ask: Ask = <A>(method: string, params: object) =>
      new Promise<A>((resolve, reject) => {
        session.post(method, params, (error, result) => error ? reject(error) : resolve(result as A));
      });
    const { result } = await ask<{ result: Remote }>("Runtime.evaluate", {
      expression: `globalThis[${JSON.stringify(key)}]`,
    });
    return await look(ask, result, urls);
  } finally {
    delete holder[key];
    session.disconnect();
  }
}
