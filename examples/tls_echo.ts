// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * TLS: what goes over the wire is encrypted, and the client knows whom it talks to. Handlers notice nothing of it.
 *
 * Python, with a wrapped socket:
 *
 *     context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
 *     context.load_cert_chain('cert.pem', 'key.pem')
 *     server = socketserver.ThreadingTCPServer(('127.0.0.1', 0), Echo)
 *     server.socket = context.wrap_socket(server.socket, server_side=True)
 *
 * Run: `deno run -A examples/tls_echo.ts`. With `--serve` it goes on until Ctrl-C, for
 * `openssl s_client -quiet -connect 127.0.0.1:9002`; `--port=0` takes any free port.
 *
 * Prints:
 *
 *     hello
 *     the server is who it should be
 *     a client that trusts nobody: Cannot connect to 127.0.0.1:…
 *
 * @module
 */
import { createConnection } from "@multiprocessing/deno/socket";
import { BaseRequestHandler, ThreadingTLSServer } from "@multiprocessing/deno/socketserver";
import { certificate } from "./certificate.ts";
import { option } from "./options.ts";

export class Echo extends BaseRequestHandler {
  override async handle(): Promise<void> {
    for (let data; (data = await this.request.recv(1024)).length > 0;) await this.request.sendall(data);
  }
}

/** Says nothing of clients that do not trust it. */
class Server extends ThreadingTLSServer {
  override handleError(): void {}
}

if (import.meta.main) {
  const serve = option("serve") !== undefined;
  const port = Number(option("port") ?? (serve ? 9002 : 0));
  await using server = new Server(["127.0.0.1", port], Echo, certificate);
  const serving = server.serveForever();
  if (serve) {
    const stop = () => void server.shutdown();
    Deno.addSignalListener("SIGINT", stop);
    Deno.addSignalListener(Deno.build.os === "windows" ? "SIGBREAK" : "SIGTERM", stop);
    console.log(`serving on ${server.serverAddress.join(":")}, stop with Ctrl-C`);
    await serving;
    console.log("stopped");
  } else {
    const tls = { hostname: "localhost", caCerts: [certificate.cert] };
    using client = await createConnection(server.serverAddress, { tls });
    await client.sendall("hello");
    console.log(new TextDecoder().decode(await client.recv(1024)));
    console.log("the server is who it should be");

    try {
      (await createConnection(server.serverAddress, { tls: { hostname: "localhost" } })).close();
    } catch (error) {
      console.log(`a client that trusts nobody: ${(error as Error).message}`);
    }
  }
}
