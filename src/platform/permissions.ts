/** What a `"spawn"` child may do, as command-line flags. */

import { ValueError } from "../base/errors.ts";

const KINDS = ["read", "write", "net", "env", "run", "sys", "ffi", "import"] as const;
type Kind = typeof KINDS[number];

/**
 * The flags that grant `permissions`; when left out, what this program has itself. A list that was granted on this
 * program's command line cannot be read back: a child then gets a kind as a whole or not at all. The children of a
 * compiled program have what it was compiled with, whatever the flags.
 *
 * @throws {ValueError} If a child of a compiled program is to have others.
 */
export function permissionFlags(
  permissions: Deno.PermissionOptions | undefined,
  standalone = Deno.build.standalone,
): string[] {
  if (permissions === undefined || permissions === "inherit") {
    const held = KINDS.filter(granted);
    return held.length === KINDS.length ? ["-A"] : held.map((name) => `--allow-${name}`);
  }
  if (standalone) {
    throw new ValueError(
      "Cannot give a process permissions of its own: a compiled program has those it was compiled with; " +
        "leave `permissions` out, or use `deno run`",
    );
  }
  const flags = ["--no-prompt"];
  if (permissions === "none") return flags;
  for (const name of KINDS) {
    const value = (permissions as Partial<Record<Kind, unknown>>)[name];
    if (value === true || value === "inherit" && granted(name)) flags.push(`--allow-${name}`);
    else if (Array.isArray(value) && value.length > 0) {
      flags.push(`--allow-${name}=${value.map(String).join(",")}`);
    }
  }
  return flags;
}

function granted(name: Kind): boolean {
  return Deno.permissions.querySync({ name } as Deno.PermissionDescriptor).state === "granted";
}

/**
 * Checks that a worker may load a module of this library; asks whom Deno would ask.
 *
 * @throws {Deno.errors.NotCapable} If not: in the worker it would be too late to tell.
 */
export function requireModule(url: string): void {
  if (!url.startsWith("file:") || Deno.build.standalone) return;
  const path = new URL(url);
  if (Deno.permissions.requestSync({ name: "read", path }).state === "granted") return;
  throw new Deno.errors.NotCapable(
    `Cannot load ${decodeURIComponent(path.pathname)} in a worker: that requires read access; ` +
      "run again with --allow-read for this library and the modules of yours that workers import",
  );
}
