/**
 * What speaks to a Listener or a Client and is neither: bare sockets that send what they like.
 *
 * @module
 */
import type { SocketAddress } from "@multiprocessing/deno";

/** The bytes of a text. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** A bare socket. */
export class Raw implements Disposable {
  readonly #conn: Deno.Conn;
  #kept = new Uint8Array(0);

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Connects. */
  static async to(address: SocketAddress): Promise<Raw> {
    return new Raw(
      typeof address === "string"
        ? await Deno.connect({ transport: "unix", path: address })
        : await Deno.connect(address),
    );
  }

  /** Writes all of it, unless it is cut off. */
  async write(data: Uint8Array): Promise<void> {
    try {
      while (data.length > 0) data = data.subarray(await this.#conn.write(data));
    } catch {
      // cut off while we wrote, as junk is
    }
  }

  /** Writes a frame. */
  frame(data: Uint8Array): Promise<void> {
    const frame = new Uint8Array(4 + data.length);
    new DataView(frame.buffer).setUint32(0, data.length);
    frame.set(data, 4);
    return this.write(frame);
  }

  /** The next frame; nothing at the end. */
  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (this.#kept.length >= 4) {
        const length = new DataView(this.#kept.buffer).getUint32(0);
        if (this.#kept.length >= 4 + length) {
          const frame = this.#kept.slice(4, 4 + length);
          this.#kept = this.#kept.slice(4 + length);
          return frame;
        }
      }
      const chunk = new Uint8Array(1024);
      const read = await this.#conn.read(chunk).catch(() => null);
      if (read === null) return undefined;
      const more = new Uint8Array(this.#kept.length + read);
      more.set(this.#kept);
      more.set(chunk.subarray(0, read), this.#kept.length);
      this.#kept = more;
    }
  }

  /** Reads to the end; gives all frames. */
  async rest(): Promise<Uint8Array[]> {
    const frames = [];
    for (let frame; (frame = await this.read()) !== undefined;) frames.push(frame);
    return frames;
  }

  /** Says that nothing more comes. */
  closeWrite(): Promise<void> {
    return this.#conn.closeWrite().catch(() => {});
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

/** What both sides begin with. */
export const GREETING = bytes("@multiprocessing/deno 1\n");
/** Where their random bytes are in the first frame of each. */
export const NONCE_AT = GREETING.length + 1;

/** The parts in one. */
export function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

/** A client without key that says what it should, and then whatever it likes. */
export async function rawClient(address: SocketAddress): Promise<Raw> {
  const raw = await Raw.to(address);
  await raw.read();
  await raw.frame(joined(GREETING, new Uint8Array([0]), crypto.getRandomValues(new Uint8Array(32))));
  return raw;
}
