/**
 * Where a child reads from and writes to: files, streams, other children. The names are those of CPython's
 * `test_subprocess.py`.
 *
 * @module
 */
import { ValueError } from "@multiprocessing/deno";
import { DEVNULL, PIPE, Popen, run, STDOUT } from "@multiprocessing/deno/subprocess";
import assert from "node:assert/strict";
import { bytes, inDirectory, MUCH, sh, test, text } from "./support.ts";

/** A stream that keeps what is written into it. */
function keeping(): { stream: WritableStream<Uint8Array>; kept: () => string } {
  const parts: Uint8Array[] = [];
  const stream = new WritableStream<Uint8Array>({ write: (part) => void parts.push(part.slice()) });
  return { stream, kept: () => parts.map(text).join("") };
}

// test_stdin_fileobj, test_stdin_filedes
test("stdin may be an open file, which stays open, from where it is", async () => {
  await inDirectory(async (path) => {
    await Deno.writeTextFile(`${path}/in`, "pear, banana");
    using stdin = await Deno.open(`${path}/in`);
    await stdin.seek(6, Deno.SeekMode.Start);
    const { stdout } = await run(["cat"], { stdin, stdout: PIPE, text: true });
    assert.equal(stdout, "banana");
    await stdin.seek(0, Deno.SeekMode.Start);
    const again = await run(["cat"], { stdin, stdout: PIPE, text: true });
    assert.equal(again.stdout, "pear, banana");
  });
});

// test_stdout_fileobj, test_stdout_filedes, test_stderr_fileobj, test_stderr_filedes
test("stdout and stderr may be open files, which stay open and have everything when wait() is over", async () => {
  await inDirectory(async (path) => {
    using stdout = await Deno.open(`${path}/out`, { create: true, write: true });
    using stderr = await Deno.open(`${path}/err`, { create: true, write: true });
    await stdout.write(bytes("before;"));
    const child = new Popen(sh(`head -c ${MUCH} /dev/zero; echo strawberry >&2`), { stdout, stderr });
    assert.deepEqual([child.stdout, child.stderr], [null, null]);
    assert.equal(await child.wait(), 0);
    assert.equal((await Deno.stat(`${path}/out`)).size, "before;".length + MUCH);
    assert.equal(await Deno.readTextFile(`${path}/err`), "strawberry\n");
    await stdout.write(bytes("after"));
    assert.equal((await Deno.readTextFile(`${path}/out`)).slice(-5), "after");
  });
});

// test_stdout_stderr_file
test("stdout and stderr may be the same file, in the order in which the child wrote", async () => {
  await inDirectory(async (path) => {
    using file = await Deno.open(`${path}/out`, { create: true, write: true });
    const script = Array.from({ length: 100 }, (_, i) => `echo ${i}${i % 2 ? " >&2" : ""}`).join(";");
    await run(sh(script), { stdout: file, stderr: file, check: true });
    assert.equal(
      await Deno.readTextFile(`${path}/out`),
      Array.from({ length: 100 }, (_, i) => `${i}\n`).join(""),
    );
  });
});

test("stdin, stdout and stderr may be streams, which stay open", async () => {
  const [out, err] = [keeping(), keeping()];
  const stdin = ReadableStream.from(["bread ", bytes("and "), "milk"]);
  const child = new Popen(sh("cat; echo oops >&2"), { stdin, stdout: out.stream, stderr: err.stream });
  assert.deepEqual([child.stdin, child.stdout, child.stderr], [null, null, null]);
  assert.equal(await child.wait(), 0);
  assert.deepEqual([out.kept(), err.kept()], ["bread and milk", "oops\n"]);
  assert.deepEqual([out.stream.locked, err.stream.locked], [false, false]);
  await run(["echo", "more"], { stdout: out.stream, stderr: STDOUT });
  assert.equal(out.kept(), "bread and milkmore\n");
});

test("stdout may be another child's stdin", async () => {
  await using sort = new Popen(["sort"], { stdin: PIPE, stdout: PIPE, text: true });
  await run(["printf", "milk\\n"], { stdout: sort.stdin });
  await run(["printf", "bread\\n"], { stdout: sort.stdin });
  assert.deepEqual(await sort.communicate(), ["bread\nmilk\n", null]);
});

// The pipeline of Python's documentation.
test("stdin may be another child's stdout, and closing that here does not close it there", async () => {
  const first = new Popen(sh(`head -c ${MUCH} /dev/zero; echo end`), { stdout: PIPE });
  const second = new Popen(["tail", "-c", "4"], { stdin: first.stdout, stdout: PIPE, text: true });
  await first.stdout.close();
  assert.deepEqual(await second.communicate(), ["end\n", null]);
  assert.equal(await first.wait(), 0);
  await assert.rejects(first.stdout.read(), ValueError);
  assert.throws(() => new Popen(["cat"], { stdin: first.stdout }), ValueError);
});

test("a child at the end of a pipeline that reads no more lets the first one end by SIGPIPE", async () => {
  const first = new Popen(sh("while :; do echo y; done"), { stdout: PIPE });
  const second = new Popen(["head", "-n", "2"], { stdin: first.stdout, stdout: PIPE, text: true });
  assert.deepEqual(await second.communicate(), ["y\ny\n", null]);
  assert.equal(await first.wait(), -13);
});

test("a child in a pipeline gets what its predecessor's reader has left", async () => {
  const first = new Popen(["printf", "one\\ntwo\\nthree\\n"], { stdout: PIPE });
  assert.equal(text(await first.stdout.readline()), "one\n");
  const { stdout } = await run(["cat"], { stdin: first.stdout, stdout: PIPE, text: true });
  assert.equal(stdout, "two\nthree\n");
  await assert.rejects(first.stdout.read(), { name: "ValueError", message: /another child has taken over/ });
  await first.wait();
  await first.stdout.close();
});

const failingSource = () =>
  ReadableStream.from((function* () {
    yield "some";
    throw new Error("no more");
  })());

test("a stream that fails ends the child's input, and wait() tells of it", async () => {
  {
    await using child = new Popen(["cat"], { stdin: failingSource(), stdout: PIPE, text: true });
    assert.equal(await child.stdout.read(), "some");
    await assert.rejects(child.wait(), { message: "no more" });
  } // and this does not tell it again
  const child = new Popen(["cat"], { stdin: failingSource(), stdout: DEVNULL });
  await assert.rejects(child[Symbol.asyncDispose](), { message: "no more" });
  assert.equal(child.returncode, 0);
});

test("a stream or file that cannot take the output ends the child, and wait() tells of it", async () => {
  const fails = () => Promise.reject(new Error("disk full"));
  for (const stdout of [new WritableStream<Uint8Array>({ write: fails }), { write: fails }]) {
    await using child = new Popen(sh("while :; do echo y; done"), { stdout });
    await assert.rejects(child.wait(), { message: "disk full" });
  }
  await assert.rejects(run(sh("while :; do echo y; done"), { stdout: { write: fails } }), {
    message: "disk full",
  });
});

test("a stream that is locked is refused before anything starts", () => {
  const { stream } = keeping();
  stream.getWriter();
  assert.throws(() => new Popen(["nonexisting_i_hope"], { stdout: stream }), {
    name: "ValueError",
    message: /the stream as stdout: it is locked/,
  });
});

// test_stdout_devnull, test_stderr_devnull, test_stdin_devnull
test("DEVNULL takes everything and gives nothing", async () => {
  const lost = new Popen(sh(`head -c ${MUCH} /dev/zero; head -c ${MUCH} /dev/zero >&2; cat; exit 3`), {
    stdin: DEVNULL,
    stdout: DEVNULL,
    stderr: DEVNULL,
  });
  assert.equal(await lost.wait(), 3);
  assert.deepEqual([lost.stdin, lost.stdout, lost.stderr], [null, null, null]);
});
