/** Programs that people use, as clients of a server; each where it is installed. */

import assert from "node:assert/strict";
import { Http, Upper } from "./fixtures.ts";
import { Server, test } from "./support.ts";

const HERE: [string, number] = ["127.0.0.1", 0];

async function installed(program: string): Promise<boolean> {
  try {
    await new Deno.Command(program, { args: ["--help"], stdout: "null", stderr: "null" }).output();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function run(program: string, args: string[], input = ""): Promise<string> {
  const child = new Deno.Command(program, { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

if (await installed("curl")) {
  test("ThreadingTCPServer speaks HTTP with curl, many requests on one connection", async () => {
    await using server = new Server(HERE, Http);
    void server.serveForever();
    const url = `http://127.0.0.1:${server.serverAddress[1]}`;
    const answer = await run("curl", ["--silent", "--show-error", `${url}/[1-100]`]);
    assert.equal(answer, Array.from({ length: 100 }, (_, i) => `/${i + 1}`).join(""));
  });
}

if (await installed("nc")) {
  test("ThreadingTCPServer answers nc, which half closes", async () => {
    await using server = new Server(HERE, Upper);
    void server.serveForever();
    const port = String(server.serverAddress[1]);
    assert.equal(await run("nc", ["-N", "127.0.0.1", port], "one\ntwo\n"), "ONE\nTWO\n");
  });
}
