/**
 * The server's side of TLS over any connection. With `node:tls`, since the runtime's own has no TCP_NODELAY, which
 * costs each new connection some 90 ms.
 */

import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { OSError } from "../base/errors.ts";
import { builtin } from "./builtin.ts";
import type { NetConn } from "./net.ts";

/** What a server needs for TLS. */
export interface TlsServerOptions {
  /** The certificate, and those between it and the authority that signed it, as PEM text. */
  cert: string;
  /** Its private key, as PEM text. */
  key: string;
  /** The application protocols that are spoken, the best first. */
  alpnProtocols?: string[];
  /** How long a client has to agree on a secret, in milliseconds; 10 s when left out. */
  handshakeTimeout?: number;
}

const HANDSHAKE_TIMEOUT_MS = 10_000;

const CHUNK_BYTES = 64 * 1024;

/**
 * The server's end of a TLS connection over another one.
 *
 * Encrypted bytes are read only while fewer than {@link CHUNK_BYTES} plain ones wait to be taken, which is the
 * backpressure. The TLS socket itself is never paused: Deno 2.9 then loses the end of the stream.
 */
export class TlsServerConn implements NetConn {
  readonly localAddr: Deno.Addr;
  readonly remoteAddr: Deno.Addr;
  readonly #conn: NetConn;
  readonly #socket: TLSSocket;
  readonly #secured = Promise.withResolvers<void>();
  /** Plain bytes that nobody has taken. */
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #failure: Error | undefined;
  /** Rejects what has been begun. */
  readonly #pending = new Set<() => void>();
  #ended = false;
  /** Wakes the `read` that waits, if one does. */
  #stir: (() => void) | undefined;
  /** Reads on, if that was put off. */
  #readOn: (() => void) | undefined;

  constructor(conn: NetConn, options: TlsServerOptions) {
    const { cert, key, alpnProtocols, handshakeTimeout = HANDSHAKE_TIMEOUT_MS } = options;
    this.#conn = conn;
    this.localAddr = conn.localAddr;
    this.remoteAddr = conn.remoteAddr;
    this.#socket = new (tls().TLSSocket)(this.#encrypted() as never, {
      isServer: true,
      cert,
      key,
      ...(alpnProtocols && { ALPNProtocols: alpnProtocols }),
    });
    const late = () => this.#socket.destroy(new OSError(`no handshake within ${handshakeTimeout} ms`));
    const timer = setTimeout(late, handshakeTimeout);
    this.#secured.promise.then(() => clearTimeout(timer), () => clearTimeout(timer));
    this.#socket.once("secure", () => this.#secured.resolve());
    this.#socket.on("data", (bytes: Uint8Array) => {
      this.#waiting.push(bytes);
      this.#waitingBytes += bytes.length;
      this.#stir?.();
    });
    this.#socket.once("end", () => {
      this.#ended = true;
      this.#stir?.();
    });
    this.#socket.on("error", (error) => this.#fail(error));
    this.#socket.once("close", () => this.#fail(cutOff()));
  }

  handshake(): Promise<void> {
    return this.#secured.promise;
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      const first = this.#waiting[0];
      if (first !== undefined) return this.#take(first, into);
      if (this.#ended) return null;
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((stir) => this.#stir = stir);
    }
  }

  #take(first: Uint8Array, into: Uint8Array): number {
    const count = Math.min(first.length, into.length);
    into.set(first.subarray(0, count));
    if (count === first.length) this.#waiting.shift();
    else this.#waiting[0] = first.subarray(count);
    this.#waitingBytes -= count;
    if (this.#waitingBytes < CHUNK_BYTES) {
      const readOn = this.#readOn;
      this.#readOn = undefined;
      readOn?.();
    }
    return count;
  }

  write(from: Uint8Array): Promise<number> {
    const bytes = from.slice(0, CHUNK_BYTES); // the view may be of shared memory
    return this.#unlessFailed((done) => this.#socket.write(bytes, () => done(bytes.length)));
  }

  closeWrite(): Promise<void> {
    return this.#unlessFailed((done) => this.#socket.end(done));
  }

  close(): void {
    this.#fail(cutOff());
    this.#socket.destroy();
    this.#conn.close();
  }

  setNoDelay(on: boolean): void {
    this.#conn.setNoDelay?.(on);
  }

  /** What `begin` gives to its argument; rejects if the connection fails, or has failed, before. */
  #unlessFailed<T>(begin: (done: (value: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail = () => reject(this.#failure);
      this.#pending.add(fail);
      begin((value) => {
        this.#pending.delete(fail);
        // Node calls back after a failure, too.
        if (this.#failure === undefined) resolve(value);
        else fail();
      });
      if (this.#failure !== undefined) fail();
    });
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#secured.reject(error);
    this.#stir?.();
    for (const fail of this.#pending) fail();
  }

  /** The encrypted side, as the TLS socket wants it. */
  #encrypted(): Duplex {
    const conn = this.#conn;
    const chunk = new Uint8Array(CHUNK_BYTES);
    const duplex: Duplex = new (stream().Duplex)({
      allowHalfOpen: true,
      read: () => {
        if (this.#waitingBytes < CHUNK_BYTES) readOn();
        else this.#readOn = readOn;
      },
      write(bytes: Uint8Array, _encoding, done) {
        writeAll(conn, bytes).then(() => done(), done);
      },
      final(done) {
        conn.closeWrite().then(() => done(), done);
      },
    });
    const readOn = () => {
      conn.read(chunk).then(
        (count) => duplex.push(count === null ? null : chunk.slice(0, count)),
        (error) => duplex.destroy(error),
      );
    };
    return duplex;
  }
}

async function writeAll(conn: NetConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(at === 0 ? bytes : bytes.subarray(at));
}

const cutOff = () => Object.assign(new OSError("Connection reset by peer"), { code: "ECONNRESET" });

// Loaded when first needed: that takes 50 ms.
const tls = () => builtin<typeof import("node:tls")>("node:tls");
const stream = () => builtin<typeof import("node:stream")>("node:stream");
