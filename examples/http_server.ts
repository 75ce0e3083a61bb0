// deno-lint-ignore-file no-console -- a program shows what it does by printing
/**
 * A web server by hand: HTTP/1.1 over a StreamRequestHandler, many requests on one connection. Open it in a browser.
 *
 * Python, in its simplest form:
 *
 *     class Http(socketserver.StreamRequestHandler):
 *         def handle(self):
 *             while (request := self.rfile.readline().split()):
 *                 while self.rfile.readline().strip():
 *                     pass
 *                 body = b'<h1>hello</h1>'
 *                 self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s' % (len(body), body))
 *
 *     socketserver.ThreadingTCPServer(('127.0.0.1', 8080), Http).serve_forever()
 *
 * Run: `deno run -A examples/http_server.ts`, then open http://127.0.0.1:8080/, or
 * `curl --data 'hello' http://127.0.0.1:8080/echo`. `--port=0` takes any free port. Ctrl-C stops it: requests that
 * have come are answered, for five seconds at most.
 *
 * Prints:
 *
 *     serving on http://127.0.0.1:8080/, stop with Ctrl-C
 *     stopped
 *
 * @module
 */
import { BrokenPipeError, getpid, OSError } from "@multiprocessing/deno";
import { StreamRequestHandler, ThreadingTCPServer } from "@multiprocessing/deno/socketserver";
import { option } from "./options.ts";

interface Request {
  method: string;
  path: string;
  headers: Map<string, string>;
  body: Uint8Array;
}

interface Answer {
  status: string;
  type?: string;
  body: string | Uint8Array;
}

/** What a client may send at most: a line, the lines of a head, a body. */
const LINE_BYTES = 8192;
const HEAD_LINES = 100;
const BODY_BYTES = 1024 * 1024;

/** What is wrong with a request; the connection ends with the answer. */
class Refused extends Error {}

export class Http extends StreamRequestHandler {
  /** An answer leaves in one piece. */
  static override wbufsize = 64 * 1024;

  override async handle(): Promise<void> {
    try {
      for (let request; (request = await this.#read()) !== undefined;) {
        const goesOn = request.headers.get("connection")?.toLowerCase() !== "close";
        await this.#write(answer(request), request.method, goesOn);
        if (!goesOn) return;
      }
    } catch (error) {
      if (error instanceof BrokenPipeError || error instanceof OSError && error.code === "ECONNRESET") return; // gone
      if (!(error instanceof Refused)) throw error;
      await this.#write({ status: error.message, body: `${error.message}\n` }, "GET", false);
    }
  }

  /** The next request; nothing when the client has no more. */
  async #read(): Promise<Request | undefined> {
    const first = await this.#line();
    if (first === undefined) return undefined;
    const [method, path, version] = first.split(" ");
    if (path === undefined || !version?.startsWith("HTTP/1.")) throw new Refused("400 Bad Request");
    const headers = new Map<string, string>();
    for (let line; (line = await this.#line()) !== "";) {
      if (line === undefined) return undefined; // gone in the middle
      const colon = line.indexOf(":");
      if (colon < 1 || headers.size === HEAD_LINES) throw new Refused("400 Bad Request");
      headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    if (headers.has("transfer-encoding")) throw new Refused("501 Not Implemented");
    const length = Number(headers.get("content-length") ?? 0);
    if (!Number.isInteger(length) || length < 0) throw new Refused("400 Bad Request");
    if (length > BODY_BYTES) throw new Refused("413 Content Too Large");
    return { method: method!, path, headers, body: await this.rfile.read(length) };
  }

  /** The next line, without its end; nothing when there is no whole one any more. */
  async #line(): Promise<string | undefined> {
    const line = new TextDecoder().decode(await this.rfile.readline(LINE_BYTES));
    if (line.length === LINE_BYTES) throw new Refused("431 Request Header Fields Too Large");
    return line.endsWith("\n") ? line.trimEnd() : undefined;
  }

  async #write(
    { status, type = "text/plain", body }: Answer,
    method: string,
    goesOn: boolean,
  ): Promise<void> {
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
    await this.wfile.write(
      `HTTP/1.1 ${status}\r\nContent-Type: ${type}; charset=utf-8\r\nContent-Length: ${bytes.length}\r\n` +
        `Connection: ${goesOn ? "keep-alive" : "close"}\r\n\r\n`,
    );
    if (method !== "HEAD") await this.wfile.write(bytes);
    await this.wfile.flush();
  }
}

function answer({ method, path, body }: Request): Answer {
  if (path === "/echo" && method === "POST") return { status: "200 OK", body };
  if (method !== "GET" && method !== "HEAD") {
    return { status: "405 Method Not Allowed", body: "GET or HEAD\n" };
  }
  if (path === "/") return { status: "200 OK", type: "text/html", body: page("It works") };
  if (path === "/pid") return { status: "200 OK", body: `${getpid()}\n` };
  return { status: "404 Not Found", type: "text/html", body: page("Not here") };
}

const page = (title: string) =>
  `<!doctype html><title>${title}</title><h1>${title}</h1>` +
  `<p>Served by process ${getpid()}. See also <a href="/pid">/pid</a>.`;

if (import.meta.main) {
  const port = Number(option("port") ?? 8080);
  // A browser keeps its connections; each has a worker so long, but not for ever.
  await using server = new ThreadingTCPServer(["127.0.0.1", port], Http, { idleTimeout: 60_000 });

  const stop = () => void server.shutdown({ deadline: 5_000 });
  Deno.addSignalListener("SIGINT", stop);
  Deno.addSignalListener(Deno.build.os === "windows" ? "SIGBREAK" : "SIGTERM", stop);

  console.log(`serving on http://${server.serverAddress.join(":")}/, stop with Ctrl-C`);
  await server.serveForever();
  await server.shutdown({ deadline: 5_000 });
  console.log("stopped");
}
