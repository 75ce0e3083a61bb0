/** WritePipe: what a child reads on its stdin, as a file. */

import { BrokenPipeError, ValueError } from "../base/errors.ts";
import { isBrokenPipe, type WriteEnd } from "../platform/os_process.ts";
import type { Encode } from "./_text.ts";

/**
 * A pipe to a child: what `Popen.stdin` is with `PIPE`.
 *
 * - What is written leaves at once and in order; nothing is gathered.
 * - A write settles when the pipe has taken it. A child that does not read lets it wait, and a write that waits keeps
 *   the program up; {@link Popen.communicate} writes and reads at the same time.
 * - The child sees the end of its input when the pipe is closed.
 *
 * Python: {@link https://docs.python.org/3/library/subprocess.html#subprocess.Popen.stdin | Popen.stdin}, a
 * `BufferedWriter` or `TextIOWrapper`. Here a string may be written to any pipe: as UTF-8, or in the encoding of the
 * {@link Popen}.
 *
 * @example Ask, and be answered
 * ```ts
 * import { PIPE, Popen } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * await using child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE, text: true });
 * await child.stdin.write("bread\n");
 * assert.equal(await child.stdout.readline(), "bread\n");
 * await child.stdin.close(); // cat ends at the end of its input
 * assert.equal(await child.wait(), 0);
 * ```
 */
export class WritePipe implements AsyncDisposable {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #encode: Encode;
  #written: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;
  #writable: WritableStream<Uint8Array | string> | undefined;

  /** Pipes are made by {@link Popen}. */
  constructor(end: WriteEnd, encode: Encode = (text) => new TextEncoder().encode(text)) {
    this.#writer = end.getWriter();
    this.#encode = encode;
  }

  /** Whether the pipe was closed. */
  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /**
   * Writes all of the data.
   *
   * @param data Bytes or text.
   * @returns How many bytes or characters those are, once the pipe has taken them.
   * @throws {BrokenPipeError} If the child has ended or closed its stdin.
   * @throws {ValueError} If the pipe is closed, or the encoding has not the characters.
   * @throws {TypeError} If it is neither bytes nor text.
   */
  async write(data: Uint8Array | string): Promise<number> {
    if (this.#closed !== undefined) throw new ValueError("Cannot write: I/O operation on closed file");
    if (typeof data !== "string" && !(data instanceof Uint8Array)) {
      throw new TypeError(`Cannot write ${String(data)}: give a string or a Uint8Array`);
    }
    const bytes = typeof data === "string" ? this.#encode(data) : data;
    const written = this.#writer.write(bytes);
    this.#written = written.catch(() => {});
    try {
      await written;
    } catch (cause) {
      if (!isBrokenPipe(cause)) throw cause;
      throw new BrokenPipeError("Cannot write: the child has ended or closed its stdin; Broken pipe", {
        cause,
      });
    }
    return data.length;
  }

  /** Settles when everything that was written so far has left, or could not. */
  flush(): Promise<void> {
    return this.#written;
  }

  /**
   * The pipe as a stream, which takes bytes and text. Closing it closes the pipe.
   *
   * @example A stream into a child
   * ```ts
   * import { PIPE, Popen } from "@multiprocessing/deno/subprocess";
   * import assert from "node:assert/strict";
   *
   * await using child = new Popen(["sort"], { stdin: PIPE, stdout: PIPE, text: true });
   * await ReadableStream.from(["milk\n", "bread\n"]).pipeTo(child.stdin.writable);
   * assert.equal(await child.stdout.read(), "bread\nmilk\n");
   * ```
   */
  get writable(): WritableStream<Uint8Array | string> {
    return this.#writable ??= new WritableStream({
      write: async (data) => void await this.write(data),
      close: () => this.close(),
      abort: () => this.close(),
    });
  }

  /** Closes the pipe after everything that was written has left. A second time does nothing. */
  close(): Promise<void> {
    // A child that is gone had no use for the rest; whoever wrote that was told.
    return this.#closed ??= this.#writer.close().catch(() => {});
  }

  /** The same as {@link WritePipe.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
