/** Bytes carried between a child's pipe and what the user gave instead of one. */

import { BrokenPipeError } from "../base/errors.ts";
import type { ReadEnd } from "../platform/os_process.ts";
import { keepAlive } from "../platform/runtime.ts";
import type { Input, Sink, Source } from "./options.ts";
import { handOver, ReadPipe } from "./read_pipe.ts";
import type { WritePipe } from "./write_pipe.ts";

const CHUNK_BYTES = 64 * 1024;

/**
 * Writes what comes from a source to a child, then closes the pipe. Settles at the latest when the child has `ended`:
 * what is still to be written then is of no use to anybody.
 */
export async function feed(pipe: WritePipe, source: Source | Input, ended: Promise<unknown>): Promise<void> {
  await Promise.race([write(pipe, source, ended), ended]);
}

/** Keeps the program up until the promise settles: nobody else would go on with the work. */
export async function held<T>(work: Promise<T>): Promise<T> {
  keepAlive.hold();
  try {
    return await work;
  } finally {
    keepAlive.drop();
  }
}

async function write(pipe: WritePipe, source: Source | Input, ended: Promise<unknown>): Promise<void> {
  try {
    if (typeof source === "string" || source instanceof Uint8Array) {
      if (source.length > 0) await pipe.write(source);
      return;
    }
    const reader = streamOf(source).getReader();
    const stop = () => reader.cancel().catch(() => {}); // the source's own failure, which read() has told
    ended.then(stop);
    try {
      for (let part; !(part = await reader.read()).done;) await pipe.write(part.value);
    } catch (error) {
      void stop();
      throw error;
    }
  } catch (error) {
    // A child need not read all of its input.
    if (!(error instanceof BrokenPipeError)) throw error;
  } finally {
    await pipe.close();
  }
}

function streamOf(source: Source): ReadableStream<Uint8Array | string> {
  if (source instanceof ReadableStream) return source;
  if (source instanceof ReadPipe) return handOver(source);
  return new ReadableStream({
    async pull(controller) {
      const chunk = new Uint8Array(CHUNK_BYTES);
      const read = await source.read(chunk);
      if (read === null) controller.close();
      else controller.enqueue(chunk.subarray(0, read));
    },
  }, { highWaterMark: 0 });
}

/** Output of a child on its way to a sink. */
export class Carrier {
  /** Settles at the end of the stream, when the sink has everything. */
  readonly end: Promise<void>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(from: ReadEnd, sink: Sink) {
    this.#reader = from.getReader();
    this.end = held(this.#carry(sink));
    this.end.catch(() => {}); // who waits for the process is told
  }

  /** Carries nothing more. */
  async stop(): Promise<void> {
    await this.#reader.cancel();
  }

  async #carry(sink: Sink): Promise<void> {
    const writer = sink instanceof WritableStream ? sink.getWriter() : undefined;
    try {
      for (let part; !(part = await this.#reader.read()).done;) {
        if (writer !== undefined) await writer.write(part.value);
        else await writeAll(sink as Exclude<Sink, WritableStream>, part.value);
      }
    } catch (error) {
      await this.stop(); // the child gets SIGPIPE
      throw error;
    } finally {
      writer?.releaseLock();
    }
  }
}

async function writeAll(sink: Exclude<Sink, WritableStream>, bytes: Uint8Array): Promise<void> {
  while (bytes.length > 0) bytes = bytes.subarray(await sink.write(bytes));
}
