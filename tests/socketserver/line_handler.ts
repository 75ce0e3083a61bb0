/** A handler that is made of the streams of `@std/streams`. */

import { TextLineStream } from "@std/streams";
import { BaseRequestHandler } from "@multiprocessing/deno/socketserver";

/** Answers each line with its number and length, until there are no more. */
export class Measuring extends BaseRequestHandler {
  override async handle(): Promise<void> {
    let number = 0;
    const measured = new TransformStream<string, string>({
      transform: (line, controller) => controller.enqueue(`${++number}: ${line.length}\n`),
    });
    await this.request.readable
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream())
      .pipeThrough(measured)
      .pipeThrough(new TextEncoderStream())
      .pipeTo(this.request.writable);
  }
}
