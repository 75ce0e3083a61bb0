/** How the members of a team find a function: here what they are told about it, there how it is looked up. */

import { PicklingError, RuntimeError } from "../base/errors.ts";
import { whileImporting } from "../process/process.ts";
import { Sealed } from "../transport/sealed.ts";
import { type Address, addressOf, type Callable, locate, lookUp, notExported } from "../process/target.ts";

/** How the error is marked that a function is not where it was looked for. */
const NOT_EXPORTED = "ERR_NOT_EXPORTED";

/** Where a function is looked for; should it not be there, V8 knows where it was compiled. */
export class Whereabouts {
  readonly #callable: Callable;
  #address: Address;
  #finding: Promise<Address | undefined> | undefined;

  /**
   * Notes a function.
   *
   * @throws {PicklingError} For one that no module can export.
   */
  constructor(callable: Callable, site: string | undefined) {
    this.#callable = callable;
    this.#address = addressOf(callable, site);
  }

  /** What a member is told. */
  get address(): Address {
    return this.#address;
  }

  /** After an error of {@link findExport}: whether there is another place to look at now. */
  async elsewhere(error: unknown): Promise<boolean> {
    if (!(error instanceof PicklingError)) return false;
    const { code, module } = error as { code?: unknown; module?: unknown };
    if (code !== NOT_EXPORTED) return false;
    this.#finding ??= locate(this.#callable);
    this.#address = await this.#finding ?? this.#address;
    return this.#address.module !== module;
  }
}

/** The arguments that an error of {@link findExport} brings back; it is then without. */
export function returnedArgs(error: unknown): Sealed | undefined {
  if (!(error instanceof Error && "args" in error && error.args instanceof Sealed)) return undefined;
  const { args } = error;
  delete error.args;
  return args;
}

/**
 * Imports what an address names.
 *
 * @throws {RuntimeError} If the module cannot be imported.
 * @throws {PicklingError} If it does not export the function.
 */
export async function findExport(address: Address): Promise<Callable> {
  let found: unknown;
  try {
    found = await whileImporting(() => lookUp(address));
  } catch (error) {
    throw new RuntimeError(
      `Cannot import module ${address.module} for ${address.name}(): ${(error as Error)?.message}`,
      { cause: error },
    );
  }
  if (found === undefined) {
    const error = notExported(address.name, `module ${address.module || "(unknown)"} does not export it`);
    throw Object.assign(error, { code: NOT_EXPORTED, module: address.module });
  }
  return found as Callable;
}
