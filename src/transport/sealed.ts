/**
 * A value that is packed by itself within a message, and opened by whoever has taken the message: for values of
 * classes that the receiver may only know once it has imported a module which the message names.
 */

import { decode, encode, type EncodeOptions, type Packed } from "./codec.ts";
import { movable } from "./courier.ts";
import { DISCARDED } from "./lane.ts";
import { type PackContext, travels } from "./registry.ts";

/** A packed value; travels within the program and over links. */
export class Sealed {
  readonly #bytes: Uint8Array;
  readonly #attachments: unknown[];
  /** The link it came over, if it did: to its other end alone the bytes mean something. */
  readonly #context: unknown;
  /** Once it was opened, which is once only: what the value carries arrives by that. */
  #opened: { value: unknown } | undefined;

  /** Made by {@link seal}, or on arrival. */
  constructor(bytes: Uint8Array, attachments: unknown[], context: unknown) {
    this.#bytes = bytes;
    this.#attachments = attachments;
    this.#context = context;
  }

  /**
   * Packs a value for this program; on its way over a link it is packed anew.
   *
   * @throws {PicklingError} If something in it cannot travel.
   */
  static seal(value: unknown, options: EncodeOptions): Sealed {
    const { bytes, attachments } = encode(value, options);
    return new Sealed(bytes.slice(), attachments, undefined);
  }

  /** The value. */
  open(): unknown {
    return this.#open(false);
  }

  /** The value for a process that only hands it on: see {@link decode}. */
  inTransit(): unknown {
    return this.#open(true);
  }

  /** Lets go of what the value carries. */
  discard(): void {
    if (this.#opened !== undefined) return;
    try {
      decode(this.#bytes, this.#attachments, DISCARDED, true);
    } catch { /* part of it cannot be rebuilt, and nobody asks for it */ }
  }

  #open(transit: boolean): unknown {
    this.#opened ??= { value: decode(this.#bytes, this.#attachments, this.#context, transit) };
    return this.#opened.value;
  }

  #pack({ wire, context }: PackContext): Pick<Packed, "bytes" | "attachments"> {
    if (this.#opened === undefined && !wire && this.#context === undefined) {
      return { bytes: this.#bytes, attachments: this.#attachments };
    }
    return encode(this.inTransit(), { wire, context });
  }

  static {
    travels<Sealed, { bytes: Uint8Array; places: number[] }>(Sealed, {
      tag: "Sealed",
      pack(sealed, context) {
        const { bytes, attachments } = sealed.#pack(context);
        const moved: unknown[] = movable(attachments);
        return {
          bytes: bytes.slice(),
          places: attachments.map((it) => context.attach(it as object, moved.includes(it))),
        };
      },
      unpack({ bytes, places }, { attachments, context }) {
        const sealed = new Sealed(bytes, places.map((place) => attachments[place]), context);
        if (context === DISCARDED) sealed.discard();
        return sealed;
      },
    });
  }
}
