/**
 * What only servers have whose handlers are processes.
 *
 * @module
 */
import { activeChildren } from "@multiprocessing/deno";
import { createConnection, type Socket } from "@multiprocessing/deno/socket";
import { ForkingTCPServer } from "@multiprocessing/deno/socketserver";
import assert from "node:assert/strict";
import { isPending, within } from "../support/gates.ts";
import { Actor, ask, rest, say, text } from "./fixtures.ts";
import { keepingErrors } from "./kinds.ts";
import { test } from "./support.ts";

const HERE: [string, number] = ["127.0.0.1", 0];

class Server extends keepingErrors(ForkingTCPServer) {}

/** Connects to a handler that sends everything back, and has an answer of it. */
async function talk(server: Server): Promise<Socket> {
  const socket = await say(server.serverAddress, "echo");
  await socket.sendall("x");
  assert.equal(text(await socket.recv(1)), "x");
  return socket;
}

/** The processes that have the server's end of a connection open. */
function holders(client: Socket): number[] {
  const hex = ([, port]: [string, number]) => port.toString(16).toUpperCase().padStart(4, "0");
  const [local, remote] = [hex(client.getpeername()), hex(client.getsockname())];
  const lines = Deno.readTextFileSync("/proc/net/tcp").split("\n").map((line) => line.trim().split(/\s+/));
  const line = lines.find((words) => words[1]?.endsWith(`:${local}`) && words[2]?.endsWith(`:${remote}`));
  const name = `socket:[${line![9]}]`;
  const has = (pid: number) =>
    [...Deno.readDirSync(`/proc/${pid}/fd`)].some((fd) => {
      try {
        return Deno.readLinkSync(`/proc/${pid}/fd/${fd.name}`) === name;
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return false; // closed while we looked
        throw error;
      }
    });
  return [Deno.pid, ...activeChildren().map((child) => child.pid!)].filter(has);
}

// Where there are descriptors to hand on.
if (Deno.build.os === "linux") {
  test("ForkingTCPServer hands the socket itself to a process", async () => {
    await using server = new Server(HERE, Actor);
    void server.serveForever();
    using client = await talk(server);
    const [worker] = server.activeChildren;
    assert.notEqual(worker, Deno.pid);
    assert.ok(holders(client).includes(worker!));
  });

  test("ForkingTCPServer.maxChildren lets further connections wait; activeChildren and collectChildren() tell", async () => {
    class Two extends Server {
      override maxChildren = 2;
    }
    await using server = new Two(HERE, Actor);
    void server.serveForever();
    using first = await talk(server);
    using second = await talk(server);
    assert.equal(server.activeChildren.size, 2);
    const third = ask(server.serverAddress, "pid");
    assert.ok(await isPending(third));
    const pids = [...server.activeChildren];
    first.close();
    assert.ok(pids.includes(Number(await third)));
    await server.collectChildren(); // does not wait
    const collected = server.collectChildren({ blocking: true });
    assert.ok(await isPending(collected));
    second.close();
    await collected;
    assert.equal(server.activeChildren.size, 0);
  });

  test("ForkingTCPServer.handleRequest() collects children when nobody comes in time", async () => {
    let collected = 0;
    class Counting extends Server {
      override collectChildren(options?: { blocking?: boolean }): Promise<void> {
        collected++;
        return super.collectChildren(options);
      }
    }
    await using server = new Counting(HERE, Actor);
    assert.equal(server.timeout, 300_000);
    server.timeout = 20;
    await server.handleRequest();
    assert.equal(collected, 1);
  });

  test("ForkingTCPServer.blockOnClose = false lets serverClose() not wait for handlers", async () => {
    const server = new Server(HERE, Actor);
    server.blockOnClose = false;
    void server.serveForever();
    using client = await say(server.serverAddress, "finishes");
    assert.equal(text(await client.recv(7)), "at work");
    await server.serverClose();
    assert.equal(server.activeChildren.size, 1);
    assert.equal(await rest(client), "done");
    await Promise.all(
      activeChildren().map(({ name, sentinel }) => within(10_000, sentinel, `the end of ${name}`)),
    );
    await assert.rejects(createConnection(server.serverAddress), { name: "OSError" });
  });
}
