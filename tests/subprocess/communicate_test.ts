/**
 * Popen.communicate(). The names are those of CPython's `test_subprocess.py`.
 *
 * @module
 */
import { ValueError } from "@multiprocessing/deno";
import { PIPE, Popen, run, STDOUT, TimeoutExpired } from "@multiprocessing/deno/subprocess";
import assert from "node:assert/strict";
import { isPending } from "../support/gates.ts";
import { bytes, expired, MUCH, sh, test, text } from "./support.ts";

// test_communicate_stdin, test_communicate_stdout, test_communicate_stderr, test_communicate_returns
test("Popen.communicate() gives what is a pipe, and null for the rest", async () => {
  const only = new Popen(sh('test "$(cat)" = pear'), { stdin: PIPE });
  assert.deepEqual(await only.communicate("pear"), [null, null]);
  assert.equal(only.returncode, 0);
  const out = new Popen(["printf", "pineapple"], { stdout: PIPE });
  assert.deepEqual(await out.communicate(), [bytes("pineapple"), null]);
  const err = new Popen(sh("printf pineapple >&2"), { stderr: PIPE });
  assert.deepEqual(await err.communicate(), [null, bytes("pineapple")]);
  assert.deepEqual(await new Popen(["true"]).communicate(), [null, null]);
});

// test_communicate
test("Popen.communicate() sends, and reads both", async () => {
  const child = new Popen(sh("printf pineapple >&2; cat"), { stdin: PIPE, stdout: PIPE, stderr: PIPE });
  const [stdout, stderr] = await child.communicate(bytes("banana"));
  assert.deepEqual([text(stdout), text(stderr), child.returncode], ["banana", "pineapple", 0]);
  assert.deepEqual([child.stdin.closed, child.stdout.closed, child.stderr.closed], [true, true, true]);
});

// test_communicate_pipe_fd_leak
test("Popen.communicate() closes every pipe there is", async () => {
  for (let which = 0; which < 8; which++) {
    const child: Popen = new Popen(["true"], {
      ...(which & 1 && { stdin: PIPE }),
      ...(which & 2 && { stdout: PIPE }),
      ...(which & 4 && { stderr: PIPE }),
    });
    await child.communicate();
    const pipes = [child.stdin, child.stdout, child.stderr];
    assert.deepEqual(pipes.map((pipe) => pipe !== null), [1, 2, 4].map((bit) => (which & bit) !== 0));
    assert.ok(pipes.every((pipe) => pipe === null || pipe.closed));
  }
});

// test_communicate_pipe_buf
test("Popen.communicate() with more than pipes hold, in every direction, never waits for ever", async () => {
  const script = `head -c 47; head -c ${MUCH} /dev/zero >&2; cat; head -c ${MUCH} /dev/zero >&2`;
  const child = new Popen(sh(script), { stdin: PIPE, stdout: PIPE, stderr: PIPE });
  const input = new Uint8Array(MUCH).map((_, i) => i % 251);
  const [stdout, stderr] = await child.communicate(input);
  assert.equal(stderr.length, 2 * MUCH);
  assert.ok(Buffer.from(stdout).equals(input));
});

// test_writes_before_communicate
test("Popen.communicate() sends after what was written before, and reads after what was read before", async () => {
  const child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE, stderr: PIPE });
  void child.stdin.write(bytes("banana\n"));
  assert.equal(text(await child.stdout.read(3)), "ban");
  const [stdout, stderr] = await child.communicate(bytes("split"));
  assert.deepEqual([text(stdout), text(stderr)], ["ana\nsplit", ""]);
});

test("Popen.communicate() leaves a read that is pending what it asked for", async () => {
  const child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE, text: true });
  const line = child.stdout.readline();
  const [stdout] = await child.communicate("one\ntwo\n");
  assert.deepEqual([await line, stdout], ["one\n", "two\n"]);
});

// test_communicate_timeout
test("Popen.communicate() may be called again after its timeout, and loses nothing", async () => {
  const child = new Popen(sh("echo pineapple >&2; kill -STOP $$; echo pear >&2; cat"), {
    stdin: PIPE,
    stdout: PIPE,
    stderr: PIPE,
    text: true,
  });
  await assert.rejects(child.communicate("banana", { timeout: 0 }), TimeoutExpired);
  // It stops itself once it has written.
  const { output, stderr } = await expired((timeout) => child.communicate({ timeout }));
  assert.deepEqual([output, text(stderr!)], [null, "pineapple\n"]);
  child.sendSignal("SIGCONT");
  assert.deepEqual(await child.communicate(), ["banana", "pineapple\npear\n"]);
});

// test_communicate_timeout_large_output
test("Popen.communicate() has whole what came while nobody waited", async () => {
  const script = `head -c ${MUCH} /dev/zero; read line; head -c ${MUCH} /dev/zero`;
  const child = new Popen(sh(script), { stdin: PIPE, stdout: PIPE });
  const gate = Promise.withResolvers<string>();
  const line = ReadableStream.from((async function* () {
    yield await gate.promise;
  })());
  await assert.rejects(child.communicate(line, { timeout: 0 }), TimeoutExpired);
  for (let come = 0; come < MUCH;) {
    const { output } = await expired((timeout) => child.communicate({ timeout }));
    assert.ok(output!.length >= come, "what has come stays");
    come = output!.length;
  }
  gate.resolve("go on\n");
  const [stdout] = await child.communicate();
  assert.equal(stdout.length, 2 * MUCH);
});

// test_communicate_repeated_call_after_stdout_close
test("Popen.communicate() waits for a child that has closed its stdout", async () => {
  const child = new Popen(sh("exec >&-; read line"), { stdin: PIPE, stdout: PIPE });
  const controller = new AbortController();
  const endless = new ReadableStream<Uint8Array>();
  const pending = child.communicate(endless, { signal: controller.signal });
  assert.equal(await isPending(pending), true);
  controller.abort(new Error("enough"));
  await assert.rejects(pending, { message: "enough" });
  for (let i = 0; i < 3; i++) await assert.rejects(child.communicate({ timeout: 2 }), TimeoutExpired);
  child.kill();
  assert.deepEqual(await child.communicate(), [new Uint8Array(0), null]);
  assert.equal(child.returncode, -9);
});

// test_communicate_epipe, test_communicate_epipe_only_stdin, test_communicate_BrokenPipeError_stdin_close,
// test_communicate_BrokenPipeError_stdin_write, test_communicate_BrokenPipeError_stdin_flush,
// test_communicate_BrokenPipeError_stdin_close_with_timeout
test("Popen.communicate() does not mind a child that reads nothing", async () => {
  for (const pipes of [{ stdout: PIPE, stderr: PIPE }, {}] as const) {
    const child = new Popen(["true"], { stdin: PIPE, ...pipes });
    await child.communicate(new Uint8Array(MUCH));
    assert.equal(child.returncode, 0);
    const ended = new Popen(["true"], { stdin: PIPE, ...pipes });
    await ended.wait();
    await ended.communicate(new Uint8Array(MUCH));
  }
});

test("Popen.communicate() gives the same again", async () => {
  const child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE, text: true });
  const both = await Promise.all([child.communicate("pear"), child.communicate()]);
  assert.deepEqual(both, [["pear", null], ["pear", null]]);
  assert.deepEqual(await child.communicate(), ["pear", null]);
  assert.deepEqual(await child.communicate("", { timeout: 0 }), ["pear", null]);
});

test("Popen.communicate() takes everything in one object, too", async () => {
  const child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE, text: true });
  assert.deepEqual(await child.communicate({ input: "pear", timeout: 30_000 }), ["pear", null]);
});

test("Popen.communicate() refuses input that nobody could get, and impossible waits", async () => {
  const none = new Popen(["true"], { stdout: PIPE });
  await assert.rejects(none.communicate("pear"), { name: "ValueError", message: /stdin is no pipe/ });
  await assert.rejects(none.communicate(null, { timeout: -1 }), ValueError);
  assert.deepEqual(await none.communicate(null), [new Uint8Array(0), null]);
  const child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE });
  await child.communicate("pear");
  await assert.rejects(child.communicate("more"), {
    message: /Cannot send input after starting communication/,
  });
});

test("Popen.communicate() and run() refuse what cannot be sent, before anything starts", async () => {
  await using child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE });
  for (const wrong of [3, new ArrayBuffer(1), ["pear"]] as unknown as string[]) {
    await assert.rejects(child.communicate(wrong), TypeError);
    await assert.rejects(run(["nonexisting_i_hope"], { input: wrong }), TypeError);
  }
});

test("ReadPipe is taken over by communicate()", async () => {
  const child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE });
  const result = child.communicate("pear");
  await assert.rejects(child.stdout.read(), {
    name: "ValueError",
    message: /communicate\(\) has taken over/,
  });
  assert.equal(text((await result)[0]), "pear");
});

test("Popen.communicate() sends a stream as it comes, and lets go of it when the child ends", async () => {
  const child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE, text: true });
  const parts = ReadableStream.from(["bread ", bytes("and "), "milk"]);
  assert.deepEqual(await child.communicate(parts), ["bread and milk", null]);

  let cancelled = false;
  const endless = new ReadableStream<string>({
    pull: (controller) => controller.enqueue("y\n"),
    cancel: () => void (cancelled = true),
  });
  const head = new Popen(["head", "-n", "2"], { stdin: PIPE, stdout: PIPE, text: true });
  assert.deepEqual(await head.communicate(endless), ["y\ny\n", null]);
  assert.equal(cancelled, true);

  const silent = new ReadableStream<string>({ cancel: () => void (cancelled = true) });
  cancelled = false;
  const exiting = new Popen(["true"], { stdin: PIPE });
  await exiting.communicate(silent);
  assert.equal(cancelled, true);
});

test("Popen.communicate() rejects with the failure of the stream it sends", async () => {
  await using child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE });
  const failing = ReadableStream.from((function* () {
    yield "some";
    throw new Error("no more");
  })());
  await assert.rejects(child.communicate(failing), { message: "no more" });
  await assert.rejects(child.communicate(), { message: "no more" });
});

// test_stdout_stderr_pipe
test("stderr: STDOUT keeps the order in which the child wrote", async () => {
  const script = Array.from({ length: 200 }, (_, i) => `echo ${i}${i % 2 ? " >&2" : ""}`).join(";");
  const child = new Popen(sh(script), { stdout: PIPE, stderr: STDOUT, text: true });
  const [stdout, stderr] = await child.communicate();
  assert.equal(stdout, Array.from({ length: 200 }, (_, i) => `${i}\n`).join(""));
  assert.equal(stderr, null);
  assert.equal(child.stderr, null);
});
