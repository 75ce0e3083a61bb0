/** What the options of a server are checked for. */

import { ValueError } from "../base/errors.ts";
import { wholeNumber } from "../base/options.ts";
import type { ServerOptions } from "./base_server.ts";

/** What a constructor was given last, as options. */
export function optionsOf(bindAndActivate: boolean | ServerOptions): ServerOptions {
  return typeof bindAndActivate === "object" ? bindAndActivate : { bindAndActivate };
}

/** Throws an error for what makes no sense. */
export function checkOptions(options: ServerOptions): void {
  const { args, overload } = options;
  if (args !== undefined && !Array.isArray(args)) {
    throw new TypeError(`Cannot give handlers ${String(args)}: 'args' must be an array`);
  }
  if (overload !== undefined && overload !== "wait" && overload !== "refuse") {
    throw new ValueError(`Cannot use ${JSON.stringify(overload)} as overload: it must be "wait" or "refuse"`);
  }
  if (options.maxWorkers !== undefined) wholeNumber("maxWorkers", options.maxWorkers, 1);
  if (options.maxWaiting !== undefined) wholeNumber("maxWaiting", options.maxWaiting, 0);
  if (options.warmWorkers !== undefined) wholeNumber("warmWorkers", options.warmWorkers, 0);
  for (const name of ["idleTimeout", "workerIdleTimeout", "closeTimeout"] as const) {
    if (options[name] !== undefined) checkMs(name, options[name]);
  }
}

/** Throws a {@link ValueError} unless `ms` is a number of milliseconds. */
export function checkMs(name: string, ms: unknown): void {
  if (typeof ms === "number" && ms >= 0) return;
  throw new ValueError(
    `Cannot use ${String(ms)} as ${name}: it must be a number of milliseconds, at least 0`,
  );
}
