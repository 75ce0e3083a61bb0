/**
 * Importing a module by its URL.
 *
 * A module that the first module of a child names literally is loaded with it, and needs no permission to be read.
 * So a `"spawn"` child that may read nothing can still import its main module and the module of its target.
 */

type Load = () => Promise<Record<string, unknown>>;

const offered = new Map<string, Load>();

/** Names a way to import a module that needs no permission. */
export function offerModule(url: string, load: Load): void {
  offered.set(url, load);
}

const imported = new Map<string, Record<string, unknown>>();

/** Imports a module. */
export async function importModule(url: string): Promise<Record<string, unknown>> {
  const module = await (offered.get(url)?.() ?? import(url));
  imported.set(url, module);
  return module;
}

/** What a module exports that {@link importModule} has imported before. */
export function importedModule(url: string): Record<string, unknown> | undefined {
  return imported.get(url);
}

/** The source of a first module: it offers `modules`, then goes on with `next`. */
export function firstModule(modules: readonly string[], next: string): string {
  const offers = modules.map((url) =>
    `offerModule(${JSON.stringify(url)}, () => import(${JSON.stringify(url)}));`
  );
  const source = `import { offerModule } from ${JSON.stringify(import.meta.url)};${offers.join("")}` +
    `await import(${JSON.stringify(next)});`;
  return `data:text/javascript,${encodeURIComponent(source)}`;
}
