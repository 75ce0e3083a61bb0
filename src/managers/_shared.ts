/** One object in a manager's server. */

import type { Servant } from "./_servant.ts";

/** An object that proxies stand for. It may yet have to be made; whoever uses it before waits, in order. */
export class Shared {
  readonly typeid: string;
  #servant: Servant | undefined;
  /** The object, where it has to be waited for. */
  readonly #made: Promise<Servant> | undefined;
  /** When the next one who uses it may, if not now. */
  #turn: Promise<Servant> | undefined;
  /** How many wait for their turn. */
  #waiting = 0;

  constructor(typeid: string, servant: Servant | Promise<Servant>) {
    this.typeid = typeid;
    if (!(servant instanceof Promise)) {
      this.#servant = servant;
      return;
    }
    this.#made = this.#turn = servant;
    servant.then((servant) => this.#servant = servant, () => {/* whoever uses it is told */});
  }

  /** The object; nothing while it is being made, or if that failed. */
  get servant(): Servant | undefined {
    return this.#servant;
  }

  /** The object once it is there, without anybody's turn. */
  get made(): Servant | Promise<Servant> {
    return this.#servant ?? this.#made!;
  }

  /** Uses the object: now, if it is there and nobody is before us. */
  use<R>(use: (servant: Servant) => R): R | Promise<Awaited<R>> {
    if (this.#turn === undefined) return use(this.#servant!);
    this.#waiting++;
    return this.#turn.then((servant): R => {
      if (--this.#waiting === 0) this.#turn = undefined;
      return use(servant);
    }) as Promise<Awaited<R>>;
  }

  /** Lets whoever uses it from now on wait for something first, which does not fail. */
  await(something: Promise<unknown>): void {
    const turn = this.#turn ?? Promise.resolve(this.#servant!);
    this.#turn = Promise.all([turn, something]).then(([servant]) => servant);
    this.#turn.catch(() => {/* whoever uses it is told */});
  }

  /** Whether another one is the same object. */
  is(other: Shared | undefined): boolean {
    return this === other ||
      (this.#servant !== undefined && this.#servant.object === other?.servant?.object);
  }
}
