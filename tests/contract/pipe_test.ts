/**
 * Pipe and Connection, for each start method. The names in comments are those of CPython's tests
 * (`_test_multiprocessing.py`).
 *
 * @module
 */
import {
  BrokenPipeError,
  BufferTooShort,
  Connection,
  EOFError,
  getContext,
  Lock,
  OSError,
  PicklingError,
  TimeoutError,
  ValueError,
} from "@multiprocessing/deno";
import assert from "node:assert/strict";
import * as targets from "../fixtures/targets.ts";
import { contexts, test } from "../support/contexts.ts";
import { CLOCK_SLACK_MS, isPending, timed, within } from "../support/gates.ts";

/** How long a death may take to be known. */
const DEATH_MS = 2_000;

for (const mp of contexts()) {
  const echoing = (connection: Connection<unknown>) => {
    const child = new mp.Process({ target: targets.echoesConnection, args: [connection], daemon: true });
    child.start();
    return child;
  };

  // --- _TestConnection ------------------------------------------------------------------------------------------

  // test_connection
  test(mp, "Connection sends and receives objects and bytes, and polls", async () => {
    const [conn, childConn] = mp.Pipe<unknown>();
    await using child = echoing(childConn);
    const seq = [1, 2.25, null];
    await conn.send(seq);
    assert.deepEqual(await conn.recv(), seq);
    const longMessage = new TextEncoder().encode("hello world".repeat(10_000));
    await conn.sendBytes(longMessage);
    assert.deepEqual(await conn.recvBytes(), longMessage);

    // recvBytesInto
    const message = new TextEncoder().encode("hello");
    const buffer = new Uint8Array(40);
    await conn.sendBytes(message);
    assert.equal(await conn.recvBytesInto(buffer), 5);
    assert.deepEqual(buffer.subarray(0, 5), message);
    await conn.sendBytes(message);
    assert.equal(await conn.recvBytesInto(buffer, 30), 5);
    assert.deepEqual(buffer.subarray(30, 35), message);
    assert.deepEqual(buffer.subarray(5, 30), new Uint8Array(25));
    await conn.sendBytes(longMessage);
    await assert.rejects(conn.recvBytesInto(buffer), (error: Error) => {
      assert.ok(error instanceof BufferTooShort, String(error));
      return true;
    });
    await conn.sendBytes(message);
    await assert.rejects(conn.recvBytesInto(buffer, 38), BufferTooShort);
    await conn.sendBytes(message);
    await assert.rejects(conn.recvBytesInto(buffer, 41), ValueError);
    assert.deepEqual(await conn.recvBytes(), message);

    // poll
    assert.equal(await conn.poll(), false);
    assert.equal(await conn.poll(0), false);
    const waited = await timed(() => conn.poll(80));
    assert.equal(waited.value, false);
    assert.ok(waited.ms >= 80 - CLOCK_SLACK_MS, `${waited.ms} ms`);
    await conn.send(null);
    assert.equal(await conn.poll(10_000), true);
    assert.equal(await conn.poll(), true); // looking takes nothing
    assert.equal(await conn.recv(), null);

    // 16 MiB, as there
    const reallyBig = new Uint8Array(16 * 1024 * 1024).fill(88);
    await conn.sendBytes(reallyBig);
    const back = await conn.recvBytes();
    assert.equal(back.length, reallyBig.length);
    assert.ok(back.every((byte) => byte === 88));

    assert.deepEqual([conn.readable, conn.writable], [true, true]);
    await conn.send(targets.SENTINEL);
    await child.join();
    await assert.rejects(conn.recv(), EOFError);
    await assert.rejects(conn.recvBytes(), EOFError);
  });

  // test_duplex_false
  test(mp, "Pipe({ duplex: false }) goes one way", async () => {
    const [reader, writer] = mp.Pipe<number>({ duplex: false });
    await writer.send(1);
    assert.equal(await reader.recv(), 1);
    assert.deepEqual([reader.readable, reader.writable], [true, false]);
    assert.deepEqual([writer.readable, writer.writable], [false, true]);
    await assert.rejects(reader.send(2), { name: "OSError", message: /read-only/ });
    await assert.rejects(writer.recv(), { name: "OSError", message: /write-only/ });
    await assert.rejects(writer.poll(), OSError);
    assert.throws(() => reader.sendSync(2), OSError);
    assert.throws(() => writer.recvSync(), OSError);
    const out = new mp.Queue<unknown>();
    for (
      const [connection, expected] of [[reader, [true, false, false]], [writer, [
        false,
        true,
        false,
      ]]] as const
    ) {
      await using child = new mp.Process({ target: targets.tellsDirection, args: [connection, out] });
      child.start();
      assert.deepEqual(await out.get(), expected);
      await child.join();
    }
  });

  // test_spawn_close: a connection that was passed on may be closed here at once.
  test(mp, "Connection.close() of our copy leaves the child's", async () => {
    const [conn, childConn] = mp.Pipe<unknown>();
    const child = echoing(childConn);
    childConn.close();
    const message = new TextEncoder().encode("hello");
    await conn.sendBytes(message);
    assert.deepEqual(await conn.recvBytes(), message);
    await conn.send(targets.SENTINEL);
    conn.close();
    await child.join();
    assert.equal(child.exitcode, 0);
  });

  // test_sendbytes
  test(mp, "Connection.sendBytes() takes an offset and a size", async () => {
    const message = new TextEncoder().encode("abcdefghijklmnopqrstuvwxyz");
    const [a, b] = mp.Pipe<unknown>();
    const cases: [options: { offset?: number; size?: number }, expected: Uint8Array][] = [
      [{}, message],
      [{ offset: 5 }, message.subarray(5)],
      [{ offset: 7, size: 8 }, message.subarray(7, 15)],
      [{ offset: 26 }, new Uint8Array(0)],
      [{ offset: 26, size: 0 }, new Uint8Array(0)],
      [{ size: 3 }, message.subarray(0, 3)],
    ];
    for (const [options, expected] of cases) {
      await a.sendBytes(message, options);
      assert.deepEqual(await b.recvBytes(), new Uint8Array(expected));
    }
    const bad = [{ offset: 27 }, { offset: 22, size: 5 }, { offset: 26, size: 1 }, { offset: -1 }, {
      offset: 4,
      size: -1,
    }];
    for (const options of bad) {
      await assert.rejects(a.sendBytes(message, options), ValueError, JSON.stringify(options));
    }
    assert.equal(await b.poll(), false);
  });

  // test_context
  test(mp, "Connection is closed by using, and then every use is an OSError", async () => {
    const [first, second] = mp.Pipe<number>();
    {
      using a = first;
      using b = second;
      await a.send(1729);
      assert.equal(await b.recv(), 1729);
      assert.deepEqual([a.closed, b.closed], [false, false]);
    }
    assert.deepEqual([first.closed, second.closed], [true, true]);
    await assert.rejects(first.send(1), { name: "OSError", message: /handle is closed/ });
    await assert.rejects(second.recv(), { name: "OSError", message: /handle is closed/ });
    await assert.rejects(first.poll(), OSError);
    await assert.rejects(first.sendBytes(new Uint8Array(1)), OSError);
    await assert.rejects(first.recvBytes(), OSError);
    await assert.rejects(first.recvBytesInto(new Uint8Array(1)), OSError);
    assert.throws(() => first.sendSync(1), OSError);
    assert.throws(() => first.recvSync(), OSError);
    await assert.rejects(Array.fromAsync(first), OSError);
    first.close();
    first[Symbol.dispose]();
    const child = new mp.Process({ target: targets.tellsDirection, args: [first, new mp.Queue<unknown>()] });
    assert.throws(() => child.start(), { name: "PicklingError", message: /args\[0\].*handle is closed/ });
  });

  // --- _TestPoll --------------------------------------------------------------------------------------------------

  // test_empty_string
  test(mp, "Connection.poll() sees an empty message", async () => {
    const [a, b] = mp.Pipe<unknown>();
    assert.equal(await a.poll(), false);
    await b.sendBytes(new Uint8Array(0));
    assert.equal(await a.poll(), true);
    assert.equal(await a.poll(), true);
    assert.deepEqual(await a.recvBytes(), new Uint8Array(0));
    assert.equal(await a.poll(), false);
  });

  // test_strings, test_boundaries, test_dont_merge
  test(mp, "Connection keeps messages apart", async () => {
    const strings = ["hello", "", "a", "b", "", "bye", "", "lop"].map((s) => new TextEncoder().encode(s));
    const [a, b] = mp.Pipe<unknown>();
    await using child = new mp.Process({ target: targets.sendsAll, args: [b, strings] });
    child.start();
    const got: Uint8Array[] = [];
    while (got.length < strings.length) {
      assert.equal(await a.poll(10_000), true);
      assert.equal(await a.poll(), true);
      got.push(await a.recvBytes());
    }
    assert.deepEqual(got, strings);
    await child.join();
    assert.equal(await a.poll(), true); // the end
    await assert.rejects(a.recvBytes(), EOFError);
    assert.equal(await a.poll(), true);
  });

  // --- _TestPicklingConnections -----------------------------------------------------------------------------------

  // test_pickling
  test(mp, "Connection travels over a Connection, and over that one", async () => {
    const [mine, theirs] = mp.Pipe<unknown>();
    await using child = echoing(theirs);
    const [near, far] = mp.Pipe<unknown>();
    await mine.send({ nested: [far] });
    const { nested: [back] } = await mine.recv() as { nested: [Connection<unknown>] };
    assert.ok(back instanceof Connection);
    assert.deepEqual([back.readable, back.writable], [true, true]);
    await back.send("there and back");
    assert.equal(await near.recv(), "there and back");
    await near.send(1);
    assert.equal(await back.recv(), 1);
    await mine.send(targets.SENTINEL);
    await child.join();
  });

  test(mp, "Connection carries handles nested in plain data", async () => {
    const [lock, queue, [mine, theirs]] = [new mp.Lock(), new mp.Queue<string>(), mp.Pipe<string>()];
    const parcel: targets.Parcel = {
      deep: new Map([["here", { lock, list: [queue, new Set([theirs])] }]]),
      note: "hi",
    };
    const [near, far] = mp.Pipe<targets.Parcel>();
    await using child = new mp.Process({ target: targets.receivesParcel, args: [far] });
    child.start();
    await near.send(parcel);
    assert.equal(await mine.recv(), "hi over the connection");
    assert.equal(await queue.get(), "hi over the queue");
    assert.equal(await lock.acquire({ block: false }), false);
  });

  test(mp, "Connection joins two children directly", async () => {
    const [a, b] = mp.Pipe<unknown>();
    const out = new mp.Queue<unknown>();
    await using sender = new mp.Process({
      target: targets.sendsAll,
      args: [a, [[42, null, "hello"], "你好"]],
    });
    await using receiver = new mp.Process({ target: targets.receivesToTheEnd, args: [b, out] });
    receiver.start();
    sender.start();
    assert.deepEqual(await out.get(), [[[42, null, "hello"], "你好"], "EOFError"]);
    await sender.join();
    await receiver.join();
  });

  test(mp, "Connection handed on 200 times to one process still ends", async () => {
    const queue = new mp.Queue<Connection<number>>();
    const out = new mp.Queue<number>();
    const [mine, theirs] = mp.Pipe<number>();
    await using child = new mp.Process({ target: targets.usesConnections, args: [queue, out] });
    child.start();
    for (let i = 1; i <= 200; i++) {
      await queue.put(theirs);
      assert.equal(await mine.recv(), i);
    }
    queue.shutdown();
    assert.equal(await out.get(), 200);
    await child.join();
    await within(DEATH_MS, assert.rejects(mine.recv(), EOFError), "recv()");
  });

  test(mp, "Connection lost in a queue that is shut down is gone", async () => {
    const queue = new mp.Queue<Connection<unknown>>();
    const [mine, theirs] = mp.Pipe<unknown>();
    await queue.put(theirs);
    theirs.close();
    const ended = assert.rejects(mine.recv(), EOFError);
    assert.ok(await isPending(ended)); // somebody may still take it
    queue.shutdown({ immediate: true });
    await within(DEATH_MS, ended, "recv()");
  });

  // --- Values ---------------------------------------------------------------------------------------------------

  test(mp, "Connection carries big, moved and small objects in order, both ways at once", async () => {
    const [mine, theirs] = mp.Pipe<unknown>();
    await using child = echoing(theirs);
    const sent: unknown[] = [];
    const lock = new Lock();
    for (let i = 0; i < 40; i++) {
      if (i % 4 === 0) sent.push([i, new Uint8Array(300_000).fill(i)]);
      else if (i % 4 === 1) sent.push([i, new ArrayBuffer(16)]);
      else if (i % 4 === 2) sent.push([i, lock]);
      else sent.push([i, "small"]);
    }
    const sending = (async () => {
      for (const message of sent) {
        const buffer = (message as unknown[])[1];
        await mine.send(message, buffer instanceof ArrayBuffer ? { transfer: [buffer] } : {});
        if (buffer instanceof ArrayBuffer) assert.equal(buffer.byteLength, 0);
      }
    })();
    for (let i = 0; i < sent.length; i++) {
      const [n, what] = await mine.recv() as [number, unknown];
      assert.equal(n, i);
      if (i % 4 === 0) assert.deepEqual(what, new Uint8Array(300_000).fill(i));
      if (i % 4 === 1) assert.deepEqual(what, new ArrayBuffer(16));
      if (i % 4 === 2) assert.ok(what instanceof Lock);
    }
    await sending;
    mine.close();
    await child.join();
    assert.equal(child.exitcode, 0);
  });

  test(mp, "Connection carries 10 MB and 10,000 messages", async () => {
    const [mine, theirs] = mp.Pipe<unknown>();
    await using child = echoing(theirs);
    const big = "ж".repeat(5 * 1024 * 1024);
    await mine.send(big);
    assert.ok(await mine.recv() === big);
    const sending = (async () => {
      for (let i = 0; i < 10_000; i++) await mine.send(i);
    })();
    for (let i = 0; i < 10_000; i++) if (await mine.recv() !== i) assert.fail(`message ${i}`);
    await sending;
    await mine.send(targets.SENTINEL);
    await child.join();
  });

  // As a full pipe of the operating system makes its writer wait.
  for (const how of ["small", "large", "moved"]) {
    test(mp, `Connection.send() waits while more than 1 MiB is unread, in ${how} messages`, async () => {
      const [mine, theirs] = mp.Pipe<[number, string | ArrayBuffer]>();
      const count = how === "small" ? 60 : 12;
      let sent = 0;
      const sending = (async () => {
        for (; sent < count; sent++) {
          const moved = new ArrayBuffer(how === "moved" ? 400_000 : 0);
          const piece = how === "moved" ? moved : "x".repeat(how === "small" ? 50_000 : 400_000);
          await mine.send([sent, piece], { transfer: [moved] });
        }
      })();
      assert.ok(await isPending(sending, 200));
      const waitingAt = sent;
      assert.ok(waitingAt >= 3 && waitingAt < count / 2, `${waitingAt} messages went in`);
      const out = new mp.Queue<unknown>();
      await using child = new mp.Process({ target: targets.receivesToTheEnd, args: [theirs as never, out] });
      child.start();
      await sending;
      mine.close();
      const [received, end] = await out.get() as [[number, unknown][], string];
      assert.deepEqual(received.map(([n]) => n), Array.from({ length: count }, (_, i) => i));
      assert.equal(end, "EOFError");
      await child.join();
    });
  }

  test(mp, "Connection.send() refuses what cannot travel by its path, and goes on", async () => {
    const [mine, theirs] = mp.Pipe<unknown>();
    for (
      const [obj, path] of [[{ callback: () => 1 }, "obj.callback"], [() => 1, "obj"], [
        [Symbol()],
        "obj[0]",
      ]] as const
    ) {
      await assert.rejects(mine.send(obj), (error: Error) => {
        assert.ok(error instanceof PicklingError, String(error));
        assert.ok(error.message.includes(path), `${error.message} does not name ${path}`);
        return true;
      });
    }
    await mine.send("good");
    assert.equal(await theirs.recv(), "good");
  });

  test(mp, "Connection.recvBytes() refuses other messages and longer ones", async () => {
    const [mine, theirs] = mp.Pipe<unknown>();
    await mine.send("text");
    await assert.rejects(theirs.recvBytes(), OSError);
    await mine.sendBytes(new Uint8Array(5));
    assert.deepEqual(await theirs.recvBytes({ maxlength: 5 }), new Uint8Array(5));
    await assert.rejects(theirs.recvBytes({ maxlength: -1 }), ValueError);
    await mine.sendBytes(new Uint8Array(6));
    await assert.rejects(theirs.recvBytes({ maxlength: 5 }), OSError);
    assert.equal(theirs.closed, true); // as CPython: what follows would be the rest of that message
    await assert.rejects(mine.send(1), BrokenPipeError);
  });

  // --- The end ----------------------------------------------------------------------------------------------------

  test(mp, "Connection yields what comes and ends at the end", async () => {
    const [mine, theirs] = mp.Pipe<unknown>();
    await using child = new mp.Process({ target: targets.sendsAll, args: [theirs, [1, 2, 3]] });
    child.start();
    assert.deepEqual(await Array.fromAsync(mine), [1, 2, 3]);
    await child.join();
  });

  test(
    mp,
    "Connection of a child that ended without closing: what it sent, then EOFError and BrokenPipeError",
    async () => {
      const [mine, theirs] = mp.Pipe<unknown>();
      const bytes = new Uint8Array(500_000).fill(5);
      await using child = new mp.Process({ target: targets.sendsBytes, args: [theirs, bytes] });
      child.start();
      await child.join();
      // Our copy of its end stays open all the while; CPython would wait for ever.
      assert.deepEqual(await mine.recvBytes(), bytes);
      await within(DEATH_MS, assert.rejects(mine.recv(), EOFError), "recv()");
      await within(DEATH_MS, assert.rejects(mine.send(1), BrokenPipeError), "send()");
      assert.equal(await mine.poll(), true);
    },
  );

  for (const how of ["terminate", "kill"] as const) {
    test(mp, `Connection.recv() under way is ended by the ${how}() of the other side`, async () => {
      const [mine, theirs] = mp.Pipe<unknown>();
      const child = echoing(theirs);
      await mine.send("are you there");
      assert.equal(await mine.recv(), "are you there");
      const ended = assert.rejects(mine.recv(), EOFError);
      const polled = mine.poll(30_000);
      child[how]();
      await within(DEATH_MS, ended, "recv()");
      assert.equal(await within(DEATH_MS, polled, "poll()"), true);
      await child.join();
      await assert.rejects(mine.send(1), BrokenPipeError);
    });
  }

  test(mp, "Connection.send() under way is ended by the death of the other side", async () => {
    const [mine, theirs] = mp.Pipe<unknown>();
    const said = new mp.Queue<string>();
    const child = new mp.Process({ target: targets.holdsConnection, args: [theirs, said] });
    child.start();
    await said.get();
    const piece = "x".repeat(50_000);
    const sending = (async () => {
      for (;;) await mine.send(piece);
    })();
    const ended = assert.rejects(sending, BrokenPipeError);
    assert.ok(await isPending(sending, 200));
    child.terminate();
    await within(DEATH_MS, ended, "send()");
    await child.join();
  });

  test(mp, "Connection closed here ends the child's recv()", async () => {
    const [mine, theirs] = mp.Pipe<unknown>();
    const out = new mp.Queue<unknown>();
    await using child = new mp.Process({ target: targets.receivesToTheEnd, args: [theirs, out] });
    child.start();
    await mine.send("last words");
    mine.close();
    assert.deepEqual(await within(10_000, out.get(), "the child"), [["last words"], "EOFError"]);
    await child.join();
  });

  test(mp, "Connection that nobody was given is ended by close()", async () => {
    const [mine, other] = mp.Pipe<unknown>();
    await mine.send("last words");
    const received = other.recv();
    mine.close();
    assert.equal(await received, "last words");
    await within(DEATH_MS, assert.rejects(other.recv(), EOFError), "recv()");
    await assert.rejects(other.send(1), BrokenPipeError);
  });

  test(mp, "Connection closed during our own recv() ends that recv()", async () => {
    const [mine, other] = mp.Pipe<unknown>();
    const received = assert.rejects(mine.recv());
    mine.close();
    await within(DEATH_MS, received, "recv()");
    other.close();
  });

  test(mp, "Connection held by two children ends with the second", async () => {
    const [mine, theirs] = mp.Pipe<unknown>();
    const [first, second] = [echoing(theirs), echoing(theirs)];
    await mine.send(targets.SENTINEL);
    await Promise.race([first.join(), second.join()]);
    await mine.send("one is left");
    assert.equal(await mine.recv(), "one is left");
    const ended = assert.rejects(mine.recv(), EOFError);
    await mine.send(targets.SENTINEL);
    await within(DEATH_MS, ended, "recv()");
    await first.join();
    await second.join();
  });

  // --- Waits that end early -----------------------------------------------------------------------------------------

  test(
    mp,
    "Connection.recv() ends by timeout and signal, takes nothing, and leaves the next message",
    async () => {
      const [mine, theirs] = mp.Pipe<unknown>();
      const { ms, error } = await timed(() => mine.recv({ timeout: 60 }));
      assert.ok(error instanceof TimeoutError, String(error));
      assert.ok(ms >= 60 - CLOCK_SLACK_MS, `${ms} ms`);
      await assert.rejects(mine.recv({ block: false }), TimeoutError);
      const signal = AbortSignal.abort(new RangeError("already"));
      await assert.rejects(mine.recv({ signal }), new RangeError("already"));
      const controller = new AbortController();
      const received = mine.recv({ signal: controller.signal });
      assert.ok(await isPending(received));
      controller.abort(new RangeError("later"));
      await assert.rejects(received, new RangeError("later"));
      await theirs.send("for a later recv()");
      await assert.rejects(mine.recv({ signal }), new RangeError("already"));
      assert.equal(await mine.recv(), "for a later recv()");

      const out = new mp.Queue<unknown>();
      await using child = new mp.Process({ target: targets.connectionInVain, args: [theirs, out] });
      child.start();
      const ends = await out.get() as { name: string; message: string; ms: number }[];
      assert.deepEqual(ends.map(({ name }) => name), [
        "TimeoutError",
        "RangeError",
        "RangeError",
        "ValueError",
      ]);
      assert.deepEqual([ends[1]!.message, ends[2]!.message], ["already", "later"]);
      await child.join();
    },
  );

  test(mp, "Connection refuses bad timeouts", async () => {
    const [mine] = mp.Pipe<unknown>();
    for (const timeout of [-1, NaN, -Infinity]) {
      await assert.rejects(mine.recv({ timeout }), ValueError);
      await assert.rejects(mine.recvBytes({ timeout }), ValueError);
      await assert.rejects(mine.poll(timeout), ValueError);
      assert.throws(() => mine.recvSync({ timeout }), ValueError);
    }
  });

  test(mp, "Connection.poll() wakes for a message and gives it to nobody", async () => {
    const [mine, theirs] = mp.Pipe<unknown>();
    const polls = [mine.poll(30_000), mine.poll(30_000)];
    assert.ok(await isPending(Promise.race(polls)));
    await using child = new mp.Process({ target: targets.sendsAll, args: [theirs, ["it"]] });
    child.start();
    assert.deepEqual(await Promise.all(polls), [true, true]);
    assert.equal(await mine.recv(), "it");
    await child.join();
  });

  test(mp, "Connection.recv() serves waiters in order", async () => {
    const [mine, theirs] = mp.Pipe<unknown>();
    const waits = [mine.recv(), mine.recv(), mine.recv()];
    await using child = new mp.Process({ target: targets.sendsAll, args: [theirs, [1, 2, 3]] });
    child.start();
    assert.deepEqual(await Promise.all(waits), [1, 2, 3]);
    await child.join();
  });

  test(mp, "Connection cannot be constructed by itself", () => {
    assert.throws(() => new Connection(), { name: "ValueError", message: /Pipe/ });
  });
}

// --- The blocking twins ----------------------------------------------------------------------------------------------

const worker = getContext("worker");

test(worker, "Connection.sendSync() and recvSync() in a child carry what the async forms do", async () => {
  const [mine, theirs] = worker.Pipe<unknown>();
  const messages = [1, "two", { three: [3] }, new Uint8Array(300_000).fill(1), new Lock(), undefined];
  await using child = new worker.Process({
    target: targets.echoesConnectionSync,
    args: [theirs, messages.length],
  });
  child.start();
  for (const message of messages) {
    await mine.send(message);
    const back = await mine.recv();
    if (message instanceof Lock) assert.ok(back instanceof Lock);
    else assert.deepEqual(back, message);
  }
  await child.join();
  assert.equal(child.exitcode, 0);
});

test(worker, "Connection.recvSync() in a child ends when the other end is closed", async () => {
  const [mine, theirs] = worker.Pipe<unknown>();
  const out = new worker.Queue<unknown>();
  await using child = new worker.Process({ target: targets.blocksOnConnection, args: [theirs, out] });
  child.start();
  mine.close();
  assert.equal(await within(10_000, out.get(), "recvSync()"), "EOFError");
  await child.join();
});

test(worker, "Connection.recvSync() works on the main process, too", async () => {
  const [mine, theirs] = worker.Pipe<unknown>();
  await using child = new worker.Process({ target: targets.echoesConnectionSync, args: [theirs, 2] });
  child.start();
  for (const n of [1, 2]) {
    mine.sendSync(n);
    assert.equal(mine.recvSync(), n);
  }
  assert.throws(() => mine.recvSync({ timeout: 0 }), (error: Error) => {
    assert.ok(error instanceof TimeoutError || error instanceof EOFError, String(error));
    return true;
  });
  await child.join();
});
