/** ReadPipe: what a child writes on its stdout or stderr, as a file. */

import { TimeoutError, ValueError } from "../base/errors.ts";
import { waitMs, type WaitOptions } from "../base/options.ts";
import { BYTES, joinBytes, type Part, PartReader, type Reading, TEXT } from "../base/reading.ts";
import type { ReadEnd } from "../platform/os_process.ts";
import { settledWithin } from "../platform/runtime.ts";
import type { Decode } from "./_text.ts";

type Bytes = Uint8Array<ArrayBuffer>;
const NOTHING: Bytes = new Uint8Array(0);

/** Until when somebody waits. */
interface Patience {
  readonly ms: number;
  readonly until: number;
  readonly signal: AbortSignal | undefined;
}
const ENDLESS: Patience = { ms: Infinity, until: Infinity, signal: undefined };

/** The bytes of a pipe that nobody reads any more but {@link Popen.communicate}. */
export interface Gathering {
  /** What has come so far. */
  readonly parts: Bytes[];
  /** Settles at the end of the stream. */
  readonly end: Promise<void>;
}

/** Whether a pipe can still be read, and handed over. */
export let isOpen: (pipe: ReadPipe) => boolean;
/** Takes a pipe over as the stdin of another child; its `close` then means this process's side of it, as in Python. */
export let handOver: (pipe: ReadPipe) => ReadableStream<Bytes>;
/** Takes over the reading of a pipe, for good. */
export let gather: (pipe: ReadPipe) => Gathering;
/** What the gathered bytes are to the reader of the pipe; only at the end of the stream, and once. */
export let finish: <T extends Part>(pipe: ReadPipe<T>, gathering: Gathering) => T;

/**
 * A pipe from a child: what `Popen.stdout` and `Popen.stderr` are with `PIPE`.
 *
 * - It gives bytes, or text if the {@link Popen} was made with `text` or an encoding.
 * - A child that writes more than the pipe holds waits until it is read.
 * - Calls that are made at the same time are served one after the other.
 * - Whoever awaits something here keeps the program up; the pipe itself does not.
 *
 * Python: {@link https://docs.python.org/3/library/subprocess.html#subprocess.Popen.stdout | Popen.stdout}, a
 * `BufferedReader` or `TextIOWrapper`.
 *
 * @typeParam T What it gives: bytes or text.
 *
 * @example Line by line, while the child runs
 * ```ts
 * import { PIPE, Popen } from "@multiprocessing/deno/subprocess";
 * import assert from "node:assert/strict";
 *
 * await using child = new Popen(["printf", "bread\\nmilk\\n"], { stdout: PIPE, text: true });
 * assert.equal(await child.stdout.readline(), "bread\n");
 * for await (const line of child.stdout) assert.equal(line, "milk\n");
 * ```
 */
export class ReadPipe<T extends Uint8Array<ArrayBuffer> | string = Uint8Array<ArrayBuffer> | string>
  implements AsyncIterable<T>, AsyncDisposable {
  readonly #reader: ReadableStreamDefaultReader<Bytes>;
  readonly #decode: Decode | undefined;
  readonly #parts: PartReader<T>;
  #turn: Promise<void> = Promise.resolve();
  #arriving: Promise<ReadableStreamReadResult<Bytes>> | undefined;
  #ended = false;
  #state: "open" | "gathered" | "handed over" | "closed" = "open";
  #readable: ReadableStream<Bytes> | undefined;

  /** Pipes are made by {@link Popen}. */
  constructor(end: ReadEnd, decode?: Decode) {
    this.#reader = end.getReader();
    this.#decode = decode;
    const parts = decode === undefined ? new PartReader(BYTES) : new PartReader(TEXT);
    this.#parts = parts as unknown as PartReader<T>;
  }

  /** Whether the pipe was closed. */
  get closed(): boolean {
    return this.#state === "closed";
  }

  /**
   * Reads.
   *
   * @param size How many bytes, or characters of text, fewer only at the end of the stream; all until the end when left
   * out or negative.
   * @param options How long to wait; for ever when left out. A wait that ends early takes nothing.
   * @returns The bytes or the text.
   * @throws {ValueError} If the pipe is closed, or the bytes are no text in its encoding.
   * @throws {TimeoutError} If so much does not come within `timeout`. An aborted `signal` throws its own reason.
   */
  read(size: number = -1, options?: WaitOptions): Promise<T> {
    return this.#run(() => this.#parts.read(size), options);
  }

  /**
   * Reads a line.
   *
   * @param size The most bytes or characters of it; the whole line when left out or negative.
   * @param options How long to wait; for ever when left out. A wait that ends early takes nothing.
   * @returns The line with its newline, which only the last one may lack; nothing at the end of the stream.
   * @throws {ValueError} If the pipe is closed, or the bytes are no text in its encoding.
   * @throws {TimeoutError} If no line comes within `timeout`. An aborted `signal` throws its own reason.
   *
   * @example Not for ever
   * ```ts
   * import { TimeoutError } from "@multiprocessing/deno";
   * import { PIPE, Popen } from "@multiprocessing/deno/subprocess";
   * import assert from "node:assert/strict";
   *
   * await using child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE, text: true });
   * await child.stdin.write("half a ");
   * await assert.rejects(child.stdout.readline(-1, { timeout: 20 }), TimeoutError);
   * await child.stdin.write("line\n");
   * assert.equal(await child.stdout.readline(), "half a line\n");
   * ```
   */
  readline(size: number = -1, options?: WaitOptions): Promise<T> {
    return this.#run(() => this.#parts.line(size), options);
  }

  /** Reads all lines until the end of the stream. */
  readlines(): Promise<T[]> {
    return Array.fromAsync(this);
  }

  /** Yields the lines until the end of the stream. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<T> {
    for (let line; (line = await this.readline()).length > 0;) yield line;
  }

  /**
   * The pipe as a stream of bytes: those that were not read yet. Reading here and by the methods is reading the same
   * pipe. Text that was read ahead is not in it. Cancelling it closes the pipe.
   *
   * @example As the body of a response
   * ```ts
   * import { PIPE, Popen } from "@multiprocessing/deno/subprocess";
   * import assert from "node:assert/strict";
   *
   * await using child = new Popen(["echo", "bread"], { stdout: PIPE });
   * assert.equal(await new Response(child.stdout.readable).text(), "bread\n");
   * ```
   */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#readable ??= new ReadableStream({
      pull: (controller) => this.#exclusively(() => this.#pull(controller, ENDLESS), ENDLESS),
      cancel: () => this.close(),
    }, { highWaterMark: 0 });
  }

  /**
   * Closes the pipe: what was not read is lost, and a child that goes on writing is ended by `SIGPIPE`. A read that is
   * pending finds the end of the stream. A second time does nothing.
   */
  async close(): Promise<void> {
    const before = this.#state;
    this.#state = "closed";
    if (before !== "closed" && before !== "handed over") await this.#reader.cancel();
  }

  /** The same as {@link ReadPipe.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run(begin: () => Reading<T>, options: WaitOptions | undefined): Promise<T> {
    const ms = waitMs(options);
    const patience = { ms, until: performance.now() + ms, signal: options?.signal };
    return await this.#exclusively(async () => {
      const reading = begin();
      let step = reading.next();
      while (!step.done) step = reading.next(await this.#next(patience));
      return step.value;
    }, patience);
  }

  /** One call after the other. */
  async #exclusively<R>(work: () => Promise<R>, patience: Patience): Promise<R> {
    if (this.#state === "closed") throw new ValueError("Cannot read: I/O operation on closed file");
    if (this.#state !== "open") {
      const who = this.#state === "gathered" ? "communicate()" : "another child";
      throw new ValueError(`Cannot read: ${who} has taken over this pipe`);
    }
    const before = this.#turn;
    const mine = Promise.withResolvers<void>();
    this.#turn = mine.promise;
    try {
      await settled(before, patience);
      return await work();
    } finally {
      before.then(mine.resolve); // whoever gives up lets nobody pass the one before
    }
  }

  /** The next part, as what it is to the reader; an empty one at the end. */
  async #next(patience: Patience): Promise<T> {
    if (this.#decode === undefined) return await this.#receive(patience) as T;
    for (;;) {
      // Nothing follows the end but what the decoder has kept.
      if (this.#ended) return "" as T;
      const part = await this.#receive(patience);
      const text = this.#decode(part, this.#ended);
      if (text !== "" || this.#ended) return text as T;
    }
  }

  /**
   * The next part. One that comes after its reader has given up is the next reader's. Without `patience` it is waited
   * for without keeping the program up.
   */
  async #receive(patience?: Patience): Promise<Bytes> {
    if (this.#ended) return NOTHING;
    const arriving = this.#arriving ??= this.#reader.read();
    if (patience !== undefined) await settled(arriving, patience);
    const { value, done } = await arriving;
    this.#arriving = undefined;
    if (done) this.#ended = true;
    return value ?? NOTHING;
  }

  async #pull(controller: ReadableStreamDefaultController<Bytes>, patience?: Patience): Promise<void> {
    const part = await this.#takeBytes(patience);
    if (part.length > 0) controller.enqueue(part);
    else controller.close();
  }

  async #takeBytes(patience?: Patience): Promise<Bytes> {
    const unread = this.#decode === undefined ? this.#parts.takeUnread() as Bytes : NOTHING;
    return unread.length > 0 ? unread : await this.#receive(patience);
  }

  static {
    isOpen = (pipe) => pipe.#state === "open";
    handOver = (pipe) => {
      pipe.#state = "handed over";
      return new ReadableStream({
        pull: async (controller) => {
          await pipe.#turn; // whoever reads already gets what he asked for
          await pipe.#pull(controller);
        },
        cancel: () => pipe.#reader.cancel(),
      }, { highWaterMark: 0 });
    };
    gather = (pipe) => {
      if (pipe.#state !== "open") return { parts: [], end: Promise.resolve() };
      pipe.#state = "gathered";
      const parts: Bytes[] = [];
      const drain = async () => {
        await pipe.#turn; // as above
        for (let part; (part = await pipe.#takeBytes()).length > 0;) parts.push(part);
        await pipe.close();
      };
      return { parts, end: drain() };
    };
    finish = <T extends Part>(pipe: ReadPipe<T>, { parts }: Gathering): T => {
      const bytes = joinBytes(parts);
      if (pipe.#decode === undefined) return bytes as T;
      return pipe.#parts.takeUnread() as string + pipe.#decode(bytes, true) as T;
    };
  }
}

async function settled(promise: Promise<unknown>, { ms, until, signal }: Patience): Promise<void> {
  if (await settledWithin(promise, Math.max(0, until - performance.now()), signal)) return;
  throw new TimeoutError(`Cannot read within ${ms} ms: not as much has come`);
}
