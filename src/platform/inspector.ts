/** V8's own record of where a function was compiled, through the inspector. */

/** The URL of the module that `target` was compiled in; `undefined` where V8 has none or may not be asked. */
export async function compiledIn(target: unknown): Promise<string | undefined> {
  const { Session } = await import("node:inspector");
  const session = new Session();
  try {
    session.connect();
  } catch {
    return undefined; // without --allow-sys
  }
  const key = `multiprocessing ${crypto.randomUUID()}`;
  const holder = globalThis as unknown as Record<string, unknown>;
  holder[key] = target;
  try {
    const urls = new Map<string, string>();
    session.on("Debugger.scriptParsed", ({ params }: { params: { scriptId: string; url: string } }) => {
      urls.set(params.scriptId, params.url);
    });
    const ask = <R>(method: string, params: object) =>
      new Promise<R>((resolve, reject) => {
        session.post(method, params, (error, result) => error ? reject(error) : resolve(result as R));
      });
    await ask("Debugger.enable", {});
    const { result } = await ask<{ result: { objectId: string } }>("Runtime.evaluate", {
      expression: `globalThis[${JSON.stringify(key)}]`,
    });
    const { internalProperties } = await ask<
      { internalProperties: { name: string; value?: { value?: unknown } }[] }
    >(
      "Runtime.getProperties",
      { objectId: result.objectId, ownProperties: true },
    );
    const location = internalProperties.find(({ name }) => name === "[[FunctionLocation]]")?.value?.value;
    const url = urls.get((location as { scriptId: string } | undefined)?.scriptId ?? "");
    return url === "" ? undefined : url;
  } finally {
    delete holder[key];
    session.disconnect();
  }
}
