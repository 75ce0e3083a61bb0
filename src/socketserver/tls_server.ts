/** TLSServer: serves TCP connections whose bytes are encrypted, one after the other. */

import { ValueError } from "../base/errors.ts";
import type { TlsServerOptions } from "../platform/tls.ts";
import type { Target } from "../process/target.ts";
import type { Movability } from "./_acceptor.ts";
import type { ServerOptions } from "./base_server.ts";
import type { HandlerClass } from "./handlers.ts";
import { TCPServer } from "./tcp_server.ts";

/** How a {@link TLSServer} does its work, and what it needs for TLS. */
export interface TLSServerOptions extends ServerOptions, TlsServerOptions {}

/**
 * A {@link TCPServer} that speaks TLS: handlers read and write plain bytes, encrypted ones go over the wire.
 *
 * - A handler begins when its client and the server have agreed on a secret. A client that does not do so within
 *   `handshakeTimeout` milliseconds (10 s), or speaks something else, is reported by `handleError`, and the
 *   connection is closed.
 * - In {@link ThreadingTLSServer} the program's own thread encrypts, and handlers may block as in any `Threading…`
 *   server. With `handoff: true`, where Deno can, each worker encrypts for itself, which uses all cores; handlers
 *   then have no `…Sync` forms, and `verifyRequest` sees the encrypted bytes.
 *
 * Python has no such class; there one wraps the socket of a TCPServer with
 * {@link https://docs.python.org/3/library/ssl.html#ssl.SSLContext.wrap_socket | ssl}.
 *
 * @example Serve one request
 * ```ts
 * import { createConnection } from "@multiprocessing/deno/socket";
 * import { TLSServer } from "@multiprocessing/deno/socketserver";
 * import { UpperHandler } from "examples/handlers.ts";
 * import { certificate } from "examples/certificate.ts";
 * import assert from "node:assert/strict";
 *
 * await using server = new TLSServer(["127.0.0.1", 0], UpperHandler, certificate);
 * const handled = server.handleRequest();
 * using client = await createConnection(server.serverAddress, {
 *   tls: { hostname: "localhost", caCerts: [certificate.cert] },
 * });
 * await client.sendall("hello\n");
 * assert.equal(new TextDecoder().decode(await client.recv(1024)), "HELLO\n");
 * await handled;
 * ```
 */
export class TLSServer extends TCPServer {
  /**
   * Makes a server and binds its address.
   *
   * @param serverAddress Where to listen: host, `""` for every interface; and port, 0 for any that is free.
   * @param RequestHandlerClass The class whose instances serve the connections.
   * @param options `cert` and `key`, as PEM texts, and how to serve.
   * @throws {OSError} If the address cannot be had: `Address already in use`.
   * @throws {ValueError} If `cert` or `key` is not PEM, or an option has an impossible value.
   */
  constructor(
    serverAddress: readonly [hostname: string, port: number],
    RequestHandlerClass: HandlerClass | Target,
    options: TLSServerOptions,
  ) {
    checkPem("cert", options?.cert, "CERTIFICATE");
    checkPem("key", options?.key, "PRIVATE KEY");
    super(serverAddress, RequestHandlerClass, options);
  }

  /**
   * Only on demand: a handler that blocks cannot encrypt meanwhile.
   *
   * @internal
   */
  protected override get moves(): Movability {
    return super.moves === "may" ? "no" : super.moves;
  }

  /** The certificate and its key. */
  protected override get tls(): TlsServerOptions {
    const { cert, key, alpnProtocols, handshakeTimeout } = this.options as TLSServerOptions;
    return {
      cert,
      key,
      ...(alpnProtocols && { alpnProtocols }),
      ...(handshakeTimeout !== undefined && { handshakeTimeout }),
    };
  }
}

function checkPem(name: string, text: unknown, what: string): void {
  if (typeof text === "string" && text.includes(`${what}-----`)) return;
  throw new ValueError(
    `Cannot serve TLS with ${typeof text === "string" ? "this text" : String(text)} as ${name}: ` +
      `it must be a PEM text with a ${what}; read it from its file`,
  );
}
