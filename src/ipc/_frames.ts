/** Frames over a stream: 4 bytes of length, high byte first, then so many bytes. */

import { OSError } from "../base/errors.ts";
import type { Stream } from "../platform/stream.ts";

const HEADER = 4;
/** What is read at a time; a longer frame is read straight into its own memory. */
const CHUNK = 16 * 1024;
/** A frame gets no more memory than this on the word of its length alone; further memory as the bytes come. */
const FIRST_ROOM = 256 * 1024;

/** A frame with its header. */
export function framed(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(HEADER + bytes.length);
  new DataView(frame.buffer).setUint32(0, bytes.length);
  frame.set(bytes, HEADER);
  return frame;
}

/** The longest frame there can be. */
export const LONGEST_FRAME: number = 2 ** 32 - 1;

/** Reads frames, one at a time. */
export class FrameReader {
  readonly #stream: Stream;
  readonly #chunk = new Uint8Array(CHUNK);
  #start = 0;
  #end = 0;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  /**
   * Reads the next frame.
   *
   * @returns The frame, in memory of its own; nothing at the end of the stream.
   * @throws {OSError} If it is longer than `limit`, or the stream ends within it. Nothing can be read afterwards.
   */
  async next(limit: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    while (this.#end - this.#start < HEADER) {
      if (await this.#more()) continue;
      if (this.#end === this.#start) return undefined;
      throw cutShort();
    }
    const length = new DataView(this.#chunk.buffer).getUint32(this.#start);
    if (length > limit) {
      throw new OSError(
        `Cannot receive a message of ${length} bytes: at most ${limit} are accepted; the other side may send more ` +
          `than 'maxlength', or be no connection of this library`,
      );
    }
    this.#start += HEADER;
    let frame = new Uint8Array(Math.min(length, FIRST_ROOM));
    let filled = Math.min(length, this.#end - this.#start);
    frame.set(this.#chunk.subarray(this.#start, this.#start + filled));
    this.#start += filled;
    while (filled < length) {
      if (filled === frame.length) {
        const larger = new Uint8Array(Math.min(length, frame.length * 2));
        larger.set(frame);
        frame = larger;
      }
      const read = await this.#stream.read(frame.subarray(filled));
      if (read === 0) throw cutShort();
      filled += read;
    }
    return frame;
  }

  async #more(): Promise<boolean> {
    this.#chunk.copyWithin(0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
    const read = await this.#stream.read(this.#chunk.subarray(this.#end));
    this.#end += read;
    return read > 0;
  }
}

function cutShort(): OSError {
  return new OSError("Cannot receive: got end of file during message; the other side broke off");
}
