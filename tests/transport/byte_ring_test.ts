/**
 * The byte ring, on one thread and between two.
 *
 * @module
 */
import { Process, type Queue, Queue as NewQueue } from "@multiprocessing/deno";
import assert from "node:assert/strict";
import { resetRing, RING_BYTES, RingReader, RingWriter } from "../../src/transport/byte_ring.ts";
import { isPending, within } from "../support/gates.ts";

const CAPACITY = 64 * 1024;

/** A byte of the stream that the tests send, by its place. */
const byteAt = (place: number) => place * 131 % 251;

function stream(from: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => byteAt(from + i));
}

/** A child: writes `total` bytes in pieces of many sizes. */
export async function writes(memory: SharedArrayBuffer, total: number, sync: boolean): Promise<void> {
  const ring = new RingWriter(memory, 0);
  for (let at = 0, size = 1; at < total; size = size * 7 % 50_021) {
    const piece = stream(at, Math.min(size, total - at));
    for (let done = 0; done < piece.length;) {
      done += ring.write(piece, done);
      if (done === piece.length) break;
      if (sync) ring.waitSync(Infinity);
      else await ring.wait(Infinity);
    }
    at += piece.length;
  }
  ring.end(false);
}

/** A child: reads until the end and tells how much was right. */
export async function reads(
  memory: SharedArrayBuffer,
  results: Queue<unknown>,
  sync: boolean,
): Promise<void> {
  const ring = new RingReader(memory, 0);
  let count = 0;
  let wrong = 0;
  for (;;) {
    if (ring.available === 0) {
      if (ring.ended && ring.available === 0) break;
      if (sync) ring.waitSync(Infinity);
      else await ring.wait(Infinity);
      continue;
    }
    for (const byte of ring.take(1 + count % 5000)) if (byte !== byteAt(count++)) wrong++;
  }
  await results.put([count, wrong, ring.failed]);
}

/** A child: attaches to the reading side, says so, and waits to be killed. */
export async function attaches(memory: SharedArrayBuffer, ready: Queue<unknown>): Promise<void> {
  const ring = new RingReader(memory, 0);
  await ready.put("attached");
  ring.waitSync(Infinity);
}

function both(): [RingReader, RingWriter, SharedArrayBuffer] {
  const memory = new SharedArrayBuffer(RING_BYTES);
  return [new RingReader(memory, 0), new RingWriter(memory, 0), memory];
}

Deno.test("ByteRing gives bytes in order, around its end many times", () => {
  const [reader, writer] = both();
  let written = 0, read = 0;
  for (let turn = 0; turn < 500; turn++) {
    written += writer.write(stream(written, 1 + turn * 997 % CAPACITY), 0);
    assert.equal(reader.available, written - read);
    assert.equal(writer.room, CAPACITY - reader.available);
    const taken = reader.take(1 + turn * 1009 % CAPACITY);
    assert.deepEqual(taken, stream(read, taken.length));
    read += taken.length;
  }
  assert.ok(written > 100 * CAPACITY / 8);
  reader.dispose();
  writer.dispose();
});

Deno.test("ByteRing.region() and commit() are what write() does, without a copy", () => {
  const [reader, writer] = both();
  writer.write(new Uint8Array(CAPACITY - 10), 0);
  reader.consume(CAPACITY - 20);
  assert.equal(writer.region().length, 10);
  writer.region().set([1, 2, 3]);
  writer.commit(3);
  assert.equal(reader.available, 13);
  reader.consume(10);
  assert.deepEqual([...reader.region()], [1, 2, 3]);
  reader.dispose();
  writer.dispose();
});

Deno.test("ByteRing counters wrap around at 2^32", () => {
  const [reader, writer, memory] = both();
  const words = new Int32Array(memory);
  words[0] = words[16] = -5;
  for (let turn = 0; turn < 10; turn++) {
    assert.equal(writer.write(stream(turn, 3), 0), 3);
    assert.deepEqual(reader.take(100), stream(turn, 3));
  }
  reader.dispose();
  writer.dispose();
});

Deno.test("ByteRing.wait() of a reader ends with a byte, at the end, and in time", async () => {
  const [reader, writer] = both();
  const waiting = reader.wait(Infinity);
  assert.ok(await isPending(waiting));
  writer.write(new Uint8Array(1), 0);
  assert.equal(await waiting, "granted");
  reader.take(1);
  assert.equal(await reader.wait(5), "timeout");
  assert.equal(reader.waitSync(5), "timeout");
  assert.equal(await reader.wait(0), "timeout");
  const ending = reader.wait(Infinity);
  writer.end(true);
  assert.equal(await ending, "granted");
  assert.deepEqual([reader.ended, reader.failed, reader.available], [true, true, 0]);
  reader.dispose();
  writer.dispose();
});

Deno.test("ByteRing.wait() of a writer ends with room for a good piece, or when the reader closes", async () => {
  const [reader, writer] = both();
  assert.equal(writer.write(new Uint8Array(CAPACITY + 1), 0), CAPACITY);
  const waiting = writer.wait(Infinity);
  reader.consume(1);
  assert.ok(await isPending(waiting));
  reader.consume(CAPACITY / 4);
  assert.equal(await waiting, "granted");
  writer.write(new Uint8Array(CAPACITY), 0);
  const closing = writer.wait(Infinity);
  reader.close();
  assert.equal(await closing, "granted");
  assert.equal(writer.broken, true);
  reader.dispose();
  writer.dispose();
});

Deno.test("resetRing() makes a used ring new", async () => {
  const [reader, writer, memory] = both();
  writer.write(new Uint8Array(100), 0);
  writer.end(true);
  reader.close();
  resetRing(memory, 0);
  assert.deepEqual([reader.available, reader.ended, reader.failed, writer.broken], [0, false, false, false]);
  const waiting = reader.wait(Infinity);
  writer.write(new Uint8Array(1), 0);
  assert.equal(await waiting, "granted");
  reader.dispose();
  writer.dispose();
});

for (const sync of [false, true]) {
  const form = sync ? "Sync" : "async";
  const total = 3_000_000;

  Deno.test(`ByteRing carries ${total} bytes from a child, ${form}`, async () => {
    const memory = new SharedArrayBuffer(RING_BYTES);
    await using child = new Process({ target: writes, args: [memory, total, sync] });
    child.start();
    const reader = new RingReader(memory, 0);
    let count = 0;
    for (;;) {
      if (reader.available === 0) {
        if (reader.ended && reader.available === 0) break;
        await within(10_000, reader.wait(Infinity), "the wait");
        continue;
      }
      for (const byte of reader.take(100_000)) assert.equal(byte, byteAt(count++));
    }
    assert.equal(count, total);
    reader.dispose();
  });

  Deno.test(`ByteRing carries ${total} bytes to a child, ${form}`, async () => {
    const memory = new SharedArrayBuffer(RING_BYTES);
    using results = new NewQueue<unknown>();
    await using child = new Process({ target: reads, args: [memory, results, sync] });
    child.start();
    const writer = new RingWriter(memory, 0);
    for (let at = 0; at < total;) {
      const piece = stream(at, Math.min(40_000, total - at));
      for (let done = 0; done < piece.length;) {
        done += writer.write(piece, done);
        if (done < piece.length) await within(10_000, writer.wait(Infinity), "the wait");
      }
      at += piece.length;
    }
    writer.end(true);
    assert.deepEqual(await results.get(), [total, 0, true]);
    writer.dispose();
  });
}

Deno.test("ByteRing: the death of the other side ends a wait", async () => {
  const memory = new SharedArrayBuffer(RING_BYTES);
  using ready = new NewQueue<unknown>();
  await using child = new Process({ target: attaches, args: [memory, ready] });
  child.start();
  await ready.get();
  const writer = new RingWriter(memory, 0);
  writer.write(new Uint8Array(CAPACITY), 0);
  const waiting = writer.wait(Infinity);
  child.kill();
  assert.equal(await within(10_000, waiting, "the wait"), "granted");
  assert.equal(writer.broken, true);
  writer.dispose();
});
