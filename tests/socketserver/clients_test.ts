/** Programs that people use, as clients of a server; each where it is installed. */

import { ThreadingTLSServer } from "@multiprocessing/deno/socketserver";
import assert from "node:assert/strict";
import { certificate } from "examples/certificate.ts";
import { echoed } from "../support/openssl.ts";
import { installed, output } from "../support/program.ts";
import { Echo, Http, Pong, Upper } from "./fixtures.ts";
import { keepingErrors } from "./kinds.ts";
import { Server, test } from "./support.ts";

class TlsServer extends keepingErrors(ThreadingTLSServer) {}

const HERE: [string, number] = ["127.0.0.1", 0];

if (await installed("curl")) {
  test("ThreadingTCPServer speaks HTTP with curl, many requests on one connection", async () => {
    await using server = new Server(HERE, Http);
    void server.serveForever();
    const url = `http://127.0.0.1:${server.serverAddress[1]}`;
    const answer = await output("curl", ["--silent", "--show-error", `${url}/[1-100]`]);
    assert.equal(answer, Array.from({ length: 100 }, (_, i) => `/${i + 1}`).join(""));
    assert.deepEqual(server.errors, []);
  });
}

if (await installed("nc")) {
  test("ThreadingTCPServer answers nc, which half closes", async () => {
    await using server = new Server(HERE, Upper);
    void server.serveForever();
    const port = String(server.serverAddress[1]);
    assert.equal(await output("nc", ["-N", "127.0.0.1", port], "one\ntwo\n"), "ONE\nTWO\n");
    assert.deepEqual(server.errors, []);
  });
}

if (await installed("openssl")) {
  for (const handoff of [false, true]) {
    test(`ThreadingTLSServer answers openssl s_client [${handoff ? "by workers" : "here"}]`, async () => {
      await using server = new TlsServer(HERE, Echo, { ...certificate, handoff });
      void server.serveForever();
      const texts = ["hello\n", "again\n", `${"x".repeat(50_000)}\n`];
      await echoed((server.serverAddress as [string, number])[1], certificate.cert, texts);
    });
  }
}

if (await installed("redis-benchmark")) {
  test("ThreadingTCPServer answers every PING of redis-benchmark, on 20 connections, 16 at a time on each", async () => {
    await using server = new Server(HERE, Pong);
    void server.serveForever();
    const port = String(server.serverAddress[1]);
    const flags = ["-h", "127.0.0.1", "-p", port, "-t", "ping_inline", "--csv"];
    for (const more of [["-c", "20", "-n", "10000"], ["-c", "20", "-n", "30000", "-P", "16"]]) {
      const report = await output("redis-benchmark", [...flags, ...more]);
      const line = report.split("\n").find((line) => line.startsWith('"PING_INLINE"'));
      assert.match(line ?? report, /^"PING_INLINE","\d+\.\d+"/);
    }
  });
}

if (await installed("wrk")) {
  test("ThreadingTCPServer answers all that wrk asks for a second, on 20 connections", async () => {
    await using server = new Server(HERE, Http);
    void server.serveForever();
    const url = `http://127.0.0.1:${server.serverAddress[1]}/hello`;
    const report = await output("wrk", ["-t1", "-c20", "-d1s", "--timeout", "10s", url]);
    const [, requests] = /(\d+) requests in /.exec(report)!;
    assert.ok(Number(requests) > 20, report); // more than one on a connection
    assert.doesNotMatch(report, /Socket errors|Non-2xx/);
  });
}
