/**
 * Sockets and servers together with Deno's standard library.
 *
 * @module
 */
import { retry } from "@std/async";
import { getAvailablePort } from "@std/net";
import { mergeReadableStreams, TextLineStream, toText } from "@std/streams";
import { createConnection, type Socket } from "@multiprocessing/deno/socket";
import assert from "node:assert/strict";
import { Echo } from "./fixtures.ts";
import { Measuring } from "./line_handler.ts";
import { Server, test } from "./support.ts";

const HERE: [string, number] = ["127.0.0.1", 0];

for (const handoff of [true, false]) {
  const where = handoff ? "in the worker" : "in rings";

  test(`a handler and a client made of the streams of @std/streams [${where}]`, async () => {
    await using server = new Server(HERE, Measuring, { handoff });
    void server.serveForever();
    using client = await createConnection(server.serverAddress);
    const lengths = [3, 0, 200_000, 1];
    const lines = lengths.map((length) => "x".repeat(length));
    const sending = ReadableStream.from([lines.join("\n")]).pipeThrough(new TextEncoderStream())
      .pipeTo(client.writable);
    const answers = client.readable.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
    assert.deepEqual(await Array.fromAsync(answers), lengths.map((length, i) => `${i + 1}: ${length}`));
    await sending;
    assert.deepEqual(server.errors, []);
  });

  test(`10 MB piped through a handler and back, to somebody who is slow to read [${where}]`, async () => {
    await using server = new Server(HERE, Echo, { handoff });
    void server.serveForever();
    using client = await createConnection(server.serverAddress);
    const chunk = new Uint8Array(64 * 1024).fill(7);
    let [made, read] = [0, 0];
    const source = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (made === 160 * chunk.length) return controller.close();
        made += chunk.length;
        controller.enqueue(chunk);
      },
    });
    const sink = new WritableStream<Uint8Array>({
      async write(bytes) {
        read += bytes.length;
        await new Promise((resolve) => setTimeout(resolve, 0));
      },
    });
    await Promise.all([source.pipeTo(client.writable), client.readable.pipeTo(sink)]);
    assert.deepEqual([made, read], [10 * 2 ** 20, 10 * 2 ** 20]);
  });
}

test("the streams of two connections merge, and end when both have", async () => {
  await using server = new Server(HERE, Echo);
  void server.serveForever();
  const sockets: Socket[] = [];
  for (const letter of ["a", "b"]) {
    const socket = await createConnection(server.serverAddress);
    sockets.push(socket);
    void ReadableStream.from([letter.repeat(1000)]).pipeThrough(new TextEncoderStream()).pipeTo(
      socket.writable,
    );
  }
  const merged = await toText(mergeReadableStreams(...sockets.map((socket) => socket.readable)));
  assert.equal([...merged].sort().join(""), "a".repeat(1000) + "b".repeat(1000));
  for (const socket of sockets) socket.close();
});

test("a client that tries again and again finds a server that is started after it", async () => {
  const port = getAvailablePort();
  let refused = 0;
  const begun = Promise.withResolvers<void>();
  const connecting = retry(async () => {
    try {
      return await createConnection(["127.0.0.1", port]);
    } catch (error) {
      assert.match(String(error), /Connection refused|actively refused/);
      if (++refused === 2) begun.resolve();
      throw error;
    }
  }, { minTimeout: 10, maxTimeout: 50, maxAttempts: 500 });
  await begun.promise;
  await using server = new Server(["127.0.0.1", port], Echo);
  assert.deepEqual(server.serverAddress, ["127.0.0.1", port]);
  void server.serveForever();
  using client = await connecting as Socket;
  await client.sendall("hello");
  assert.equal((await client.recv(5)).length, 5);
});
