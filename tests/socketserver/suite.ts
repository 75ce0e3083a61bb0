/**
 * Servers whose requests are served elsewhere: one suite for every way in which a connection reaches its handler.
 *
 * @module
 */
import { activeChildren, OSError, ProcessError, Queue } from "@multiprocessing/deno";
import { SHUT_WR, type Socket } from "@multiprocessing/deno/socket";
import assert from "node:assert/strict";
import { isPending } from "../support/gates.ts";
import { Actor, Echo, EchoSync, type Report, rest, sayTo, text, Upper } from "./fixtures.ts";
import type { Kind, Server } from "./kinds.ts";
import { test } from "./support.ts";

/** Connects, says one line, and gives the socket. */
function say(kind: Kind, server: Server, line: string): Promise<Socket> {
  return sayTo(kind.connect(server), line);
}

/** Connects, says one line, and gives everything that comes until the end. */
async function ask(kind: Kind, server: Server, line: string): Promise<string> {
  using socket = await say(kind, server, line);
  await socket.shutdown(SHUT_WR);
  return await rest(socket);
}

/** What a connection that was cut off gives until its end, or how it ended. */
function whole(socket: Socket): Promise<string> {
  return rest(socket).catch((error) => error.code ?? error.name);
}

/** How much the kernel keeps at most of what one end of a TCP connection sends to the other. */
function kernelBytes(): number {
  if (Deno.build.os !== "linux") return 10_000_000;
  const most = (name: string) =>
    Number(Deno.readTextFileSync(`/proc/sys/net/ipv4/${name}`).trim().split(/\s+/)[2]);
  return most("tcp_wmem") + most("tcp_rmem");
}

/** Whether that is the end of a connection which was cut off: with TLS a client can tell. */
const isCut = (end: string) => ["", "ECONNRESET"].includes(end);

/** All tests of a kind. */
export function suite(kind: Kind): void {
  const named = (name: string, body: () => Promise<void>) => test(`${name} [${kind.name}]`, body);

  for (const Handler of kind.blocks ? [Echo, EchoSync] : [Echo]) {
    named(`a server serves ${Handler.name}`, async () => {
      await using server = kind.make(Handler);
      const serving = server.serveForever();
      {
        using client = await kind.connect(server);
        for (const word of ["hello", "a", "b".repeat(1000)]) {
          await client.sendall(word);
          assert.equal(text(await client.makefile("r").read(word.length)), word);
        }
        await client.shutdown(SHUT_WR);
        assert.equal((await client.recv(10)).length, 0);
      }
      await server.shutdown();
      await serving;
      assert.deepEqual(server.errors, []);
    });

    named(`10 MB each way through ${Handler.name}, to a client that is slow to read`, async () => {
      await using server = kind.make(Handler);
      void server.serveForever();
      using client = await kind.connect(server);
      const data = new Uint8Array(Math.max(10_000_000, 2 * kernelBytes()));
      for (let i = 0; i < data.length; i++) data[i] = i * 31 % 251;
      const sending = client.sendall(data).then(() => client.shutdown(SHUT_WR));
      // Nobody but the kernel keeps what we do not read, on its way there and back: at some point we can send no more.
      assert.ok(await isPending(sending, 200));
      const back = await client.makefile("r").read();
      await sending;
      assert.equal(back.length, data.length);
      assert.ok(back.every((byte, i) => byte === data[i]), "the bytes are the same, in order");
    });
  }

  named("both sides end their own half first", async () => {
    using reports = new Queue<Report>();
    await using server = kind.make(Actor, { args: [reports] });
    void server.serveForever();
    {
      using client = await say(kind, server, "counts");
      await client.sendall(new Uint8Array(300_000));
      await client.shutdown(SHUT_WR);
      assert.equal(await rest(client), "300000");
    }
    using client = await say(kind, server, "halves");
    assert.equal(await rest(client), "half");
    await client.sendall("still here");
    await client.shutdown(SHUT_WR);
    assert.deepEqual(await reports.get(), ["received", "still here"]);
  });

  named("either side closes in the middle, and disturbs nobody", async () => {
    using reports = new Queue<Report>();
    await using server = kind.make(Actor, { args: [reports], maxWorkers: 2 });
    void server.serveForever();
    using other = await say(kind, server, "echo");
    {
      using client = await say(kind, server, "closes");
      assert.equal(text(await client.recv(7)), "closing");
      assert.ok(isCut(await whole(client)));
      assert.deepEqual(await reports.get(), ["closed", "OSError", "OSError"]);
    }
    (await say(kind, server, "sends 10000000")).close();
    assert.match(await ask(kind, server, "pid"), /^\d+$/);
    await other.sendall("x");
    assert.equal(text(await other.recv(1)), "x");
  });

  named("a client that never reads fills its own buffers and no memory, and disturbs nobody", async () => {
    using reports = new Queue<Report>();
    await using server = kind.make(Actor, { args: [reports] });
    void server.serveForever();
    using _silent = await say(kind, server, "blasts");
    const blasted = reports.get();
    assert.match(await ask(kind, server, "pid"), /^\d+$/);
    const [event, sent, why] = await blasted;
    assert.deepEqual([event, why], ["blasted", "TimeoutError"]);
    assert.ok(sent as number < 32 * 1024 * 1024, `${sent} bytes were taken`);
  });

  named("a client that is slow to read gets everything after its handler is done", async () => {
    await using server = kind.make(Actor, { maxWorkers: 1 });
    void server.serveForever();
    const count = 6_000_000;
    using slow = await say(kind, server, `sends ${count}`);
    const reader = slow.makefile("r");
    // The kernel holds the rest, and the handler has nothing left to do.
    let got = (await reader.read(count - 50_000)).length;
    assert.match(await ask(kind, server, "pid"), /^\d+$/);
    got += (await reader.read()).length;
    assert.equal(got, count);
  });

  if (kind.resets) {
    named("a client that resets gives its handler an error, and disturbs nobody", async () => {
      using reports = new Queue<Report>();
      await using server = kind.make(Actor, { args: [reports] });
      void server.serveForever();
      const client = await say(kind, server, "isReset");
      await client.recv(1);
      client.close(); // with a byte unread, which makes it a reset
      const [event, received, sent] = await reports.get();
      assert.deepEqual([event, sent], ["reset", "BrokenPipeError"]);
      assert.ok(received === "OSError" || received === 0, String(received));
      assert.match(await ask(kind, server, "pid"), /^\d+$/);
      assert.deepEqual(server.errors, []);
    });
  }

  named("a handler that throws ends its own connection only, and handleError gets the error", async () => {
    await using server = kind.make(Actor);
    void server.serveForever();
    using other = await say(kind, server, "echo");
    using client = await say(kind, server, "throws");
    const from = client.getsockname();
    assert.equal(await rest(client), "before");
    await server.failed(1);
    const { clientAddress, error } = server.errors[0]!;
    assert.deepEqual(clientAddress, from);
    assert.deepEqual([error.message, error.reason], ["I throw", "asked to"]);
    assert.match(error.stack!, /fixtures\.ts/);
    await other.sendall("x");
    assert.equal(text(await other.recv(1)), "x");
  });

  named("a handler that calls exit() ends its own connection only, and handleError is told how", async () => {
    await using server = kind.make(Actor);
    void server.serveForever();
    {
      using client = await say(kind, server, "exits 3");
      assert.equal(text(await client.makefile("r").read(6)), "before");
      assert.ok(isCut(await whole(client)));
    }
    await server.failed(1);
    const { error } = server.errors[0]!;
    assert.ok(error instanceof ProcessError, String(error));
    assert.match(error.message, /ended with exit code 3/);
    assert.equal(error.exitcode, 3);
    assert.match(await ask(kind, server, "pid"), /^\d+$/);
  });

  named("a handler that spins is ended by kill(), and others are served", async () => {
    await using server = kind.make(Actor);
    void server.serveForever();
    using client = await say(kind, server, "spins");
    const [, pid] = text(await client.recv(100)).split(" ");
    activeChildren().find((child) => child.pid === Number(pid))!.kill();
    assert.ok(isCut(await whole(client)));
    await server.failed(1);
    assert.match(server.errors[0]!.error.message, /was ended by signal 9/);
    assert.match(await ask(kind, server, "pid"), /^\d+$/);
  });

  named(
    "a recv() that a handler leaves behind rejects, and takes nothing from the next connection",
    async () => {
      using reports = new Queue<Report>();
      await using server = kind.make(Actor, { args: [reports], maxWorkers: 1 });
      void server.serveForever();
      using client = await say(kind, server, "abandons");
      assert.equal(await rest(client), "left");
      assert.deepEqual(await reports.get(), ["abandoned", "OSError"]);
      client.close();
      for (let i = 0; i < 10; i++) assert.match(await ask(kind, server, "pid"), /^\d+$/);
    },
  );

  named("settimeout() in a handler ends its waits", async () => {
    await using server = kind.make(Actor);
    void server.serveForever();
    using client = await say(kind, server, "timesOut");
    assert.equal(await rest(client), kind.blocks ? "TimeoutError,TimeoutError" : "TimeoutError,RuntimeError");
  });

  named("the streams of a connection pipe to others", async () => {
    await using server = kind.make(Actor);
    void server.serveForever();
    using client = await say(kind, server, "streams");
    const sending = new Blob(["hello ", "streams ", "ü".repeat(100_000)]).stream().pipeTo(client.writable);
    assert.equal(await rest(client), `HELLO STREAMS ${"Ü".repeat(100_000)}`);
    await sending;
  });

  named("a StreamRequestHandler reads lines and writes at once", async () => {
    await using server = kind.make(Upper);
    void server.serveForever();
    using client = await say(kind, server, "hello");
    assert.equal(text(await client.recv(100)), "HELLO\n");
    await client.sendall("wor");
    await client.sendall("ld");
    await client.shutdown(SHUT_WR);
    assert.equal(await rest(client), "WORLD");
  });

  named("recycle: false gives each connection a worker of its own", async () => {
    await using server = kind.make(Actor, { recycle: false });
    void server.serveForever();
    const pids = [];
    for (let i = 0; i < 3; i++) pids.push(await ask(kind, server, "pid"));
    assert.equal(new Set(pids).size, 3);
  });

  named("maxWorkers lets further connections wait their turn", async () => {
    await using server = kind.make(Actor, { maxWorkers: 1 });
    void server.serveForever();
    using first = await say(kind, server, "echo");
    await first.sendall("x");
    await first.recv(1);
    const second = ask(kind, server, "pid");
    assert.ok(await isPending(second));
    first.close();
    assert.match(await second, /^\d+$/);
  });

  named("overload: refuse closes what there is no place for", async () => {
    await using server = kind.make(Actor, { maxWorkers: 1, maxWaiting: 0, overload: "refuse" });
    void server.serveForever();
    using first = await say(kind, server, "echo");
    await first.sendall("x");
    await first.recv(1);
    const refused = await ask(kind, server, "pid").catch((error) => error.name);
    assert.ok(["", "OSError", "BrokenPipeError"].includes(refused), refused);
    await first.sendall("y");
    assert.equal(text(await first.recv(1)), "y");
  });

  if (kind.watches) {
    named("idleTimeout closes connections that are silent, and only those", async () => {
      const idleTimeout = 400;
      await using server = kind.make(Echo, { idleTimeout });
      void server.serveForever();
      using lively = await kind.connect(server);
      using silent = await kind.connect(server);
      let closed = false;
      const end = silent.recv(1).then((bytes) => bytes.length, (error) => error.code).then((end) => {
        closed = true;
        return end;
      });
      // Goes on talking for as long as the other one is let be.
      for (let spokenMs = performance.now(); !closed; spokenMs = performance.now()) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        await lively.sendall("x");
        if (text(await lively.recv(1)) === "x") continue;
        assert.ok(performance.now() - spokenMs >= idleTimeout, "it was not silent for long enough");
        break; // this machine was too busy to let it talk
      }
      assert.ok([0, "ECONNRESET"].includes(await end), String(await end));
    });
  }

  named("shutdown() with a deadline lets handlers finish, and cuts those off that do not", async () => {
    await using server = kind.make(Actor);
    const serving = server.serveForever();
    using finishing = await say(kind, server, "finishes");
    using hanging = await say(kind, server, "hangs");
    assert.equal(text(await finishing.recv(7)), "at work");
    assert.equal(text(await hanging.recv(7)), "hanging");
    await server.shutdown({ deadline: 500 });
    await serving;
    assert.equal(await rest(finishing), "done");
    assert.ok(isCut(await whole(hanging)));
    assert.deepEqual(server.errors.map(({ error }) => error.name), ["ProcessError"]);
    // And it can serve again.
    void server.serveForever();
    assert.match(await ask(kind, server, "pid"), /^\d+$/);
  });

  named("shutdown() from a handler stops the server, and the handler goes on", async () => {
    await using server = kind.make(Actor);
    const serving = server.serveForever();
    const answer = ask(kind, server, "stops");
    await serving;
    assert.match(await answer, /^stopping /);
  });

  named("serverClose() leaves no worker, whatever they do", async () => {
    const server = kind.make(Actor, { closeTimeout: 100 });
    const serving = server.serveForever();
    using idle = await say(kind, server, "echo");
    using hanging = await say(kind, server, "hangs");
    await idle.sendall("x");
    assert.equal(text(await idle.recv(1)), "x");
    assert.equal(text(await hanging.recv(7)), "hanging");
    await server.shutdown();
    await serving;
    await server.serverClose();
    assert.deepEqual(activeChildren(), []);
    assert.equal(await rest(idle), "");
    assert.ok(isCut(await whole(hanging)));
    assert.deepEqual(server.errors.map(({ error }) => error.name), ["ProcessError"]);
    await assert.rejects(kind.connect(server), OSError);
  });
}
