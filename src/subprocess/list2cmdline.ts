/** A command line as Windows programs take it apart. */

/**
 * Puts arguments together into one command line, with the quotes from which a Windows program gets them back as they
 * are.
 *
 * Python: `subprocess.list2cmdline`.
 *
 * @param args The arguments.
 * @returns The line.
 *
 * @example
 * ```ts
 * import { list2cmdline } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * assert.equal(list2cmdline(["copy", "my file", 'a "b"']), 'copy "my file" "a \\"b\\""');
 * ```
 */
export function list2cmdline(args: Iterable<string>): string {
  return Array.from(args, (arg) => {
    // Backslashes count only before a quote: there they are doubled, and one more keeps the quote.
    const kept = arg.replace(/(\\*)"/g, '$1$1\\"');
    return arg === "" || /[ \t]/.test(arg) ? `"${kept.replace(/(\\+)$/, "$1$1")}"` : kept;
  }).join(" ");
}
