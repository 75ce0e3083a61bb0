/** What a `"spawn"` child may do, as command-line flags. */

const KINDS = ["read", "write", "net", "env", "run", "sys", "ffi", "import"] as const;
type Kind = typeof KINDS[number];

/**
 * The flags that grant `permissions`; when left out, what this program has itself. A list that was granted on this
 * program's command line cannot be read back: a child then gets a kind as a whole or not at all.
 */
export function permissionFlags(permissions: Deno.PermissionOptions | undefined): string[] {
  if (permissions === undefined || permissions === "inherit") {
    const held = KINDS.filter(granted);
    return held.length === KINDS.length ? ["-A"] : held.map((name) => `--allow-${name}`);
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
