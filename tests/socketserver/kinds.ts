/**
 * Every way in which a connection reaches a handler that is elsewhere. One suite runs for all of them.
 *
 * @module
 */
import { type Address, createConnection, type Socket } from "@multiprocessing/deno/socket";
import {
  ForkingMixIn,
  type HandlerClass,
  type ServerOptions,
  TCPServer,
  ThreadingTCPServer,
  ThreadingTLSServer,
  ThreadingUnixStreamServer,
} from "@multiprocessing/deno/socketserver";
import { certificate } from "examples/certificate.ts";

/** An error that a server was told of. */
export type Told = Error & Record<string, unknown>;

/** What a suite needs of a server. */
export interface Server extends AsyncDisposable {
  readonly serverAddress: Address;
  /** What `handleError` was called with. */
  readonly errors: { clientAddress: Address; error: Told }[];
  /** Settles when there were so many errors. */
  failed(count: number): Promise<void>;
  serveForever(): Promise<void>;
  shutdown(options?: { deadline?: number }): Promise<void>;
  serverClose(): void | Promise<void>;
}

/** A way. */
export interface Kind {
  name: string;
  /** Makes a server. Socket files lie in a directory that is gone with it. */
  make(Handler: HandlerClass, options?: ServerOptions): Server;
  /** Connects to it. */
  connect(server: Server): Promise<Socket>;
  /** Whether handlers may block. */
  blocks: boolean;
  /** Whether the server sees what flows. */
  watches: boolean;
  /** Whether a client can reset a connection. */
  resets: boolean;
}

// deno-lint-ignore no-explicit-any -- a mix-in takes any arguments
type Constructor = new (...args: any[]) => object;

/** A class of servers that keep their errors instead of printing them. */
export function keepingErrors<B extends Constructor>(Base: B) {
  return class extends Base {
    readonly errors: { clientAddress: Address; error: Told }[] = [];
    #heard: (() => void)[] = [];

    handleError(_request: unknown, clientAddress: Address, error: unknown): void {
      this.errors.push({ clientAddress, error: error as Told });
      for (const heard of this.#heard.splice(0)) heard();
    }

    async failed(count: number): Promise<void> {
      while (this.errors.length < count) await new Promise<void>((resolve) => this.#heard.push(resolve));
    }
  };
}

const HERE: [string, number] = ["127.0.0.1", 0];

class Tcp extends keepingErrors(ThreadingTCPServer) {}

/** Wants to see each connection, so that workers cannot accept for themselves. */
class Seeing extends Tcp {
  override verifyRequest(): boolean {
    return true;
  }
}

class Unix extends keepingErrors(ThreadingUnixStreamServer) {
  readonly #directory: string;

  constructor(Handler: HandlerClass, options?: ServerOptions) {
    const directory = Deno.makeTempDirSync({ prefix: "unix-server-" });
    super(`${directory}/socket`, Handler, options);
    this.#directory = directory;
  }

  override async serverClose(): Promise<void> {
    await super.serverClose();
    // Empty: the server has taken its socket away. A second time it is gone.
    await Deno.remove(this.#directory).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }
}

class Tls extends keepingErrors(ThreadingTLSServer) {}

class Forking extends keepingErrors(ForkingMixIn(TCPServer)) {}

const plainly = (server: Server) => createConnection(server.serverAddress as [string, number]);
const tls = { hostname: "localhost", caCerts: [certificate.cert] };
const secretly = (server: Server) => createConnection(server.serverAddress as [string, number], { tls });
const byPath = (server: Server) =>
  createConnection(server.serverAddress as string) as Promise<Socket<Address>> as Promise<Socket>;

const usual = { blocks: true, watches: true, resets: true };

/** TCP. */
export const tcpKinds: readonly Kind[] = [
  { ...usual, name: "accepted by workers", make: (H, o) => new Tcp(HERE, H, o), connect: plainly },
  { ...usual, name: "moved to workers", make: (H, o) => new Seeing(HERE, H, o), connect: plainly },
  {
    ...usual,
    name: "in rings",
    make: (H, o) => new Tcp(HERE, H, { ...o, handoff: false }),
    connect: plainly,
  },
];

/** Unix sockets. */
export const unixKinds: readonly Kind[] = [
  { ...usual, name: "Unix", make: (H, o) => new Unix(H, o), connect: byPath, resets: false },
  {
    ...usual,
    name: "Unix, in rings",
    make: (H, o) => new Unix(H, { ...o, handoff: false }),
    connect: byPath,
    resets: false,
  },
];

/** TLS. */
export const tlsKinds: readonly Kind[] = [
  {
    ...usual,
    name: "TLS",
    make: (H, o) => new Tls(HERE, H, { ...certificate, ...o }),
    connect: secretly,
    resets: false,
  },
  {
    ...usual,
    name: "TLS by workers",
    make: (H, o) => new Tls(HERE, H, { ...certificate, ...o, handoff: true }),
    connect: secretly,
    blocks: false,
    resets: false,
  },
];

/** Processes, where there are descriptors to hand on. */
export const processKinds: readonly Kind[] = Deno.build.os === "linux"
  ? [{
    ...usual,
    name: "processes",
    make: (H: HandlerClass, o?: ServerOptions) => new Forking(HERE, H, o),
    connect: plainly,
    watches: false,
  }]
  : [];
