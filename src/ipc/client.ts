/** Client: a connection to a Listener. */

import { TimeoutError } from "../base/errors.ts";
import { waitMs, type WaitOptions } from "../base/options.ts";
import { keepAlive } from "../platform/runtime.ts";
import { connectStream, shown, type Stream } from "../platform/stream.ts";
import { arrive } from "../transport/arriving.ts";
import { importKey, introduce } from "./_auth.ts";
import { FrameSocket } from "./_frame_socket.ts";
import { FrameReader } from "./_frames.ts";
import { SocketEnd } from "./_socket_end.ts";
import { authkeyFor } from "./authkey.ts";
import { Connection } from "./connection.ts";
import { type Address, checkedAddress, checkedMaxlength, type SocketOptions } from "./listener.ts";

/** How {@link Client} connects. */
export interface ClientOptions extends SocketOptions, WaitOptions {}

/**
 * Connects to a {@link Listener}, of this program or another.
 *
 * With an `authkey` both sides prove that they know it, before anything else is sent; without one, the listener may
 * have none either.
 *
 * Python: {@link https://docs.python.org/3/library/multiprocessing.html#multiprocessing.connection.Client | multiprocessing.connection.Client}.
 *
 * @typeParam T What is sent and received.
 * @param address Where: the path of a Unix socket, or host and port.
 * @param options The key; how long to try, for ever when left out.
 * @returns The connection.
 * @throws {AuthenticationError} If the two do not share a key.
 * @throws {OSError} If nobody listens there (`code` is the system's, such as `"ECONNREFUSED"`), or no Listener does.
 * @throws {EOFError} If the listener hangs up.
 * @throws {TimeoutError} If it took more than `timeout` milliseconds. An aborted `signal` throws its own reason.
 *
 * @example The wrong key
 * ```ts
 * import { AuthenticationError, Client, Listener } from "@multiprocessing/deno";
 * import assert from "node:assert/strict";
 *
 * const key = (text: string) => new TextEncoder().encode(text);
 * using listener = new Listener({ authkey: key("right") });
 * await assert.rejects(Client(listener.address, { authkey: key("wrong") }), AuthenticationError);
 * ```
 */
export async function Client<T = unknown>(address: Address, options?: ClientOptions): Promise<Connection<T>> {
  const where = checkedAddress(address, false);
  const ms = waitMs(options);
  const maxlength = checkedMaxlength(options?.maxlength);
  const bytes = authkeyFor(options?.authkey);
  const key = bytes && await importKey(bytes);
  options?.signal?.throwIfAborted();

  const over = new AbortController();
  const giveUp = () => over.abort(options!.signal!.reason);
  options?.signal?.addEventListener("abort", giveUp);
  const late = new TimeoutError(`Cannot connect to ${shown(where)} within ${ms} ms: it did not answer`);
  const timer = ms < 2 ** 31 ? setTimeout(() => over.abort(late), ms) : undefined;
  keepAlive.hold();
  let stream: Stream | undefined;
  const hangUp = () => stream?.close();
  over.signal.addEventListener("abort", hangUp);
  try {
    stream = await connectStream(where, over.signal);
    const reader = new FrameReader(stream);
    await introduce(stream, reader, key, shown(where));
    over.signal.throwIfAborted();
    return arrive<Connection<T>>(
      Connection<T>,
      new SocketEnd(new FrameSocket(stream, reader, maxlength), maxlength),
    );
  } catch (error) {
    stream?.close();
    throw over.signal.aborted ? over.signal.reason : error;
  } finally {
    keepAlive.drop();
    clearTimeout(timer);
    options?.signal?.removeEventListener("abort", giveUp);
  }
}
