/**
 * A value that is packed by itself within a message, and opened by whoever has taken the message: for values of
 * classes that the receiver may only know once it has imported a module which the message names, and where a value
 * that cannot be rebuilt must not spoil the message around it.
 */

import { decode, encode, type EncodeOptions } from "./codec.ts";
import { movable } from "./courier.ts";
import { DISCARDED } from "./lane.ts";
import { travels } from "./registry.ts";

/** A packed value; travels within the program and over links. */
export class Sealed {
  readonly #bytes: Uint8Array;
  readonly #attachments: readonly unknown[];
  readonly #context: unknown;

  /** Made by {@link seal}, or on arrival. */
  constructor(bytes: Uint8Array, attachments: readonly unknown[], context: unknown) {
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

  /** The value. Once only, for what it carries arrives by that. */
  open(): unknown {
    return decode(this.#bytes, this.#attachments, this.#context);
  }

  static {
    travels<Sealed, { bytes: Uint8Array; places: number[] }>(Sealed, {
      tag: "Sealed",
      pack(sealed, context) {
        const { wire } = context;
        const { bytes } = wire
          ? encode(sealed.open(), { wire, context: context.context })
          : { bytes: sealed.#bytes };
        const attachments = wire ? [] : sealed.#attachments;
        const moved: unknown[] = movable(attachments);
        return {
          bytes: bytes.slice(),
          places: attachments.map((it) => context.attach(it as object, moved.includes(it))),
        };
      },
      unpack({ bytes, places }, { attachments, context }) {
        const sealed = new Sealed(bytes, places.map((place) => attachments[place]), context);
        if (context === DISCARDED) sealed.open();
        return sealed;
      },
    });
  }
}
