/**
 * Sockets: over the kernel, and over shared memory as a `socketpair()`.
 *
 * @module
 */
import {
  BrokenPipeError,
  OSError,
  PicklingError,
  Queue,
  RuntimeError,
  TimeoutError,
  ValueError,
} from "@multiprocessing/deno";
import {
  createConnection,
  IPPROTO_TCP,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  Socket,
  socketpair,
  TCP_NODELAY,
} from "@multiprocessing/deno/socket";
import assert from "node:assert/strict";
import { isPending } from "../support/gates.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Both ends of a connection over the kernel. */
async function connected(): Promise<[Socket, Deno.TcpConn]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [socket, conn] = await Promise.all([
    createConnection(["127.0.0.1", listener.addr.port]),
    listener.accept(),
  ]);
  return [socket, conn];
}

function test(name: string, fn: () => Promise<void> | void): void {
  Deno.test({ name, sanitizeOps: true, sanitizeResources: true, fn });
}

test("socketpair() carries bytes both ways", async () => {
  const [left, right] = socketpair();
  assert.equal(await left.send("hello"), 5);
  await right.sendall(new Uint8Array([1, 2]));
  assert.equal(text(await right.recv(3)), "hel");
  assert.equal(text(await right.recv(100)), "lo");
  assert.deepEqual(await left.recv(100), new Uint8Array([1, 2]));
  left.close();
  right.close();
});

test("socketpair() has the blocking forms", () => {
  const [left, right] = socketpair();
  assert.equal(left.sendSync("hello"), 5);
  assert.equal(text(right.recvSync(100)), "hello");
  right.settimeout(10);
  assert.throws(() => right.recvSync(1), TimeoutError);
  left.close();
  assert.equal(right.recvSync(1).length, 0);
  right.close();
});

test("Socket.recv() waits for bytes, and gets none at the end", async () => {
  const [left, right] = socketpair();
  const waiting = right.recv(10);
  assert.ok(await isPending(waiting));
  left.sendSync("x");
  assert.equal(text(await waiting), "x");
  const end = right.recv(10);
  await left.shutdown(SHUT_WR);
  assert.equal((await end).length, 0);
  assert.equal((await right.recv(10)).length, 0);
  assert.equal((await right.recv(0)).length, 0);
  await right.sendall("back");
  assert.equal(text(await left.recv(10)), "back");
  await assert.rejects(left.send("more"), BrokenPipeError);
  left.close();
  right.close();
});

test("Socket.recv() calls at a time are served in order", async () => {
  const [left, right] = socketpair();
  const waiting = [right.recv(1), right.recv(1), right.recv(1)];
  await left.sendall("abc");
  assert.deepEqual((await Promise.all(waiting)).map(text), ["a", "b", "c"]);
  left.close();
  right.close();
});

test("Socket.send() calls at a time keep their bytes together", async () => {
  const [left, right] = socketpair();
  const size = 200_000;
  const sending = [1, 2, 3].map((byte) => left.send(new Uint8Array(size).fill(byte)));
  sending.push(left.shutdown(SHUT_RD).then(() => 0));
  const all = right.makefile("r");
  for (const byte of [1, 2, 3]) {
    const bytes = await all.read(size);
    assert.ok(bytes.length === size && bytes.every((it) => it === byte));
  }
  await Promise.all(sending);
  left.close();
  right.close();
});

test("Socket.send() waits while the peer does not read", async () => {
  const [left, right] = socketpair();
  const sending = left.send(new Uint8Array(200_000));
  assert.ok(await isPending(sending));
  let got = 0;
  while (got < 200_000) got += (await right.recv(1_000_000)).length;
  assert.equal(await sending, 200_000);
  left.settimeout(10);
  await assert.rejects(left.send(new Uint8Array(200_000)), TimeoutError);
  left.close();
  right.close();
});

test("Socket.send() to a peer that is gone is a BrokenPipeError", async () => {
  const [left, right] = socketpair();
  const sending = left.send(new Uint8Array(200_000));
  right.close();
  await assert.rejects(sending, BrokenPipeError);
  await assert.rejects(left.send("x"), BrokenPipeError);
  left.close();
});

test("Socket.close() rejects what is pending, and every use afterwards", async () => {
  const [left, right] = socketpair();
  const waiting = left.recv(1);
  const sending = left.send(new Uint8Array(200_000));
  left.close();
  left.close();
  await assert.rejects(waiting, OSError);
  await assert.rejects(sending, OSError);
  await assert.rejects(left.recv(1), OSError);
  await assert.rejects(left.send("x"), OSError);
  await assert.rejects(left.shutdown(SHUT_RDWR), OSError);
  assert.throws(() => left.getpeername(), OSError);
  assert.throws(() => left.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1), OSError);
  right.close();
});

test("Socket.settimeout() ends a wait, and takes nothing", async () => {
  for (const make of [() => Promise.resolve(socketpair()), pairOverKernel]) {
    const [left, right] = await make();
    assert.equal(left.gettimeout(), null);
    left.settimeout(20);
    assert.equal(left.gettimeout(), 20);
    await assert.rejects(left.recv(10), TimeoutError);
    await assert.rejects(left.recv(10), TimeoutError);
    await right.sendall("late");
    left.settimeout(null);
    assert.equal(text(await left.recv(2)), "la");
    assert.equal(text(await left.recv(10)), "te");
    assert.throws(() => left.settimeout(-1), ValueError);
    left.close();
    right.close();
  }
});

async function pairOverKernel(): Promise<
  [Socket, { sendall(data: string): Promise<unknown>; close(): void }]
> {
  const [socket, conn] = await connected();
  return [socket, {
    sendall: (data) => conn.write(new TextEncoder().encode(data)),
    close: () => conn.close(),
  }];
}

test("Socket over the kernel: recv, send, both addresses, half close", async () => {
  const [socket, conn] = await connected();
  assert.deepEqual(socket.getpeername(), ["127.0.0.1", conn.localAddr.port]);
  assert.deepEqual(socket.getsockname(), ["127.0.0.1", conn.remoteAddr.port]);
  socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, false);
  assert.throws(() => socket.setsockopt(1, 2, 3), OSError);
  assert.equal(await socket.send("hello"), 5);
  const buffer = new Uint8Array(10);
  assert.equal(await conn.read(buffer), 5);
  await socket.shutdown(SHUT_WR);
  assert.equal(await conn.read(buffer), null);
  await conn.write(buffer.subarray(0, 5));
  const target = new Uint8Array(3);
  assert.equal(await socket.recvInto(target), 3);
  assert.equal(text(target), "hel");
  assert.equal(text(await socket.recv(10)), "lo");
  await assert.rejects(socket.send("x"), BrokenPipeError);
  conn.close();
  assert.equal((await socket.recv(1)).length, 0);
  socket.close();
});

test("Socket over the kernel refuses to block", async () => {
  const [socket, conn] = await connected();
  assert.throws(() => socket.recvSync(1), RuntimeError);
  assert.throws(() => socket.sendSync("x"), RuntimeError);
  conn.close();
  socket.close();
});

test("Socket over the kernel: close() rejects a recv that is pending", async () => {
  const [socket, conn] = await connected();
  const waiting = socket.recv(1);
  socket.close();
  await assert.rejects(waiting, OSError);
  conn.close();
});

test("Socket over the kernel: a reset by the peer", async () => {
  const [socket, conn] = await connected();
  await socket.sendall("ab");
  await conn.read(new Uint8Array(1));
  conn.close(); // with a byte unread
  const received = await socket.recv(1).then((bytes) => bytes.length, (error) => error);
  assert.ok(
    received === 0 || received instanceof OSError && (received as { code?: string }).code === "ECONNRESET",
  );
  await assert.rejects(async () => {
    for (;;) await socket.send(new Uint8Array(1000));
  }, BrokenPipeError);
  socket.close();
});

test("createConnection() to nobody, and to nowhere in time", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await assert.rejects(createConnection(["127.0.0.1", port]), (error: Error) => {
    assert.ok(error instanceof OSError);
    assert.match(error.message, new RegExp(`Cannot connect to 127.0.0.1:${port}: Connection refused`));
    return true;
  });
  const abort = AbortSignal.abort("no more");
  await assert.rejects(
    createConnection(["127.0.0.1", port], { signal: abort }),
    (reason) => reason === "no more",
  );
  await assert.rejects(createConnection(["127.0.0.1", port], { timeout: -1 }), ValueError);
});

test("Socket is disposed of by using", async () => {
  let kept: Socket;
  {
    using socket = await connected().then(([socket, conn]) => (conn.close(), socket));
    kept = socket;
  }
  assert.equal(kept.closed, true);
});

test("Socket.readable and Socket.writable are web streams", async () => {
  const [left, right] = socketpair();
  const writing = new Blob(["hello ", "world"]).stream().pipeTo(left.writable);
  assert.equal(await new Response(right.readable).text(), "hello world");
  await writing;
  left.close();
  right.close();
});

test("Socket.makefile() reads lines and whole messages", async () => {
  const [left, right] = socketpair();
  await left.sendall("one\ntwo\nthree four\nlast");
  await left.shutdown(SHUT_WR);
  const file = right.makefile("rb");
  assert.equal(text(await file.readline()), "one\n");
  assert.equal(text(file.readlineSync()), "two\n");
  assert.equal(text(await file.readline(3)), "thr");
  assert.equal(text(await file.read(4)), "ee f");
  assert.deepEqual((await file.readlines()).map(text), ["our\n", "last"]);
  assert.equal((await file.readline()).length, 0);
  assert.equal((await file.read()).length, 0);
  await file.close();
  await assert.rejects(file.read(), ValueError);
  left.close();
  right.close();
});

test("Socket.makefile() keeps what has come when a read gives up half way", async () => {
  const [left, right] = socketpair();
  const file = right.makefile("r");
  right.settimeout(10);
  await left.sendall("one\ntw");
  assert.equal(text(await file.readline()), "one\n");
  await assert.rejects(file.readline(), TimeoutError);
  await assert.rejects(file.read(4), TimeoutError);
  await left.sendall("o\n");
  right.settimeout(null);
  assert.equal(text(await file.readline()), "two\n");
  left.close();
  right.close();
});

test("Socket.makefile() gathers what is written", async () => {
  const [left, right] = socketpair();
  const file = left.makefile("w", 8);
  assert.equal(await file.write("1234"), 4);
  right.settimeout(0);
  await assert.rejects(right.recv(1), TimeoutError);
  file.writeSync("56789");
  assert.equal(text(await right.recv(100)), "123456789");
  await file.write("x");
  await file.close();
  assert.equal(text(await right.recv(100)), "x");
  assert.throws(() => left.makefile("q"), ValueError);
  left.close();
  right.close();
});

test("Socket.shutdown(SHUT_RD) gives what came, then the end", async () => {
  const [left, right] = socketpair();
  await left.sendall("x");
  await right.shutdown(SHUT_RD);
  assert.equal(text(await right.recv(10)), "x");
  assert.equal((await right.recv(10)).length, 0);
  left.close();
  right.close();
});

test("Socket refuses what makes no sense, and does not travel", async () => {
  const [left, right] = socketpair();
  await assert.rejects(left.recv(-1), ValueError);
  assert.throws(() => left.send(1 as never), TypeError);
  assert.throws(() => new Socket(), ValueError);
  using queue = new Queue();
  await assert.rejects(queue.put(left), PicklingError);
  left.close();
  right.close();
});
