/**
 * Request handlers for the documentation's snippets about servers:
 *
 *     import { EchoHandler } from "examples/handlers.ts";
 *
 * @module
 */
import {
  BaseRequestHandler,
  DatagramRequestHandler,
  StreamRequestHandler,
} from "@multiprocessing/deno/socketserver";

/** Sends every byte back until the client has no more. */
export class EchoHandler extends BaseRequestHandler {
  override async handle(): Promise<void> {
    while (true) {
      const data = await this.request.recv(65536);
      if (data.length === 0) return;
      await this.request.sendall(data);
    }
  }
}

/** Answers the client's first line in capitals. */
export class UpperHandler extends StreamRequestHandler {
  override async handle(): Promise<void> {
    const line = new TextDecoder().decode(await this.rfile.readline());
    await this.wfile.write(new TextEncoder().encode(line.toUpperCase()));
  }
}

/** Answers a datagram in capitals. */
export class UpperDatagramHandler extends DatagramRequestHandler {
  override async handle(): Promise<void> {
    const text = new TextDecoder().decode(await this.rfile.read());
    await this.wfile.write(text.toUpperCase());
  }
}
