/**
 * Popen: starting, waiting, signals, disposal. The names are those of CPython's `test_subprocess.py`.
 *
 * @module
 */
import {
  BrokenPipeError,
  OSError,
  PicklingError,
  Queue,
  TimeoutError,
  ValueError,
} from "@multiprocessing/deno";
import {
  DEVNULL,
  PIPE,
  Popen,
  STDOUT,
  SubprocessError,
  TimeoutExpired,
} from "@multiprocessing/deno/subprocess";
import assert from "node:assert/strict";
import { isPending } from "../support/gates.ts";
import { allGone, canLook } from "../support/leftovers.ts";
import { bytes, inDirectory, MUCH, osError, sh, test, text } from "./support.ts";

/** A child that runs until its stdin is closed. */
const waiting = () => new Popen(["cat"], { stdin: PIPE, stdout: DEVNULL });

// --- Waiting ------------------------------------------------------------------------------------------------------

// test_poll
test("Popen.poll() gives null while it runs, then the exit code", async () => {
  const child = new Popen(sh("read line; exit 3"), { stdin: PIPE });
  assert.equal(child.poll(), null);
  await child.stdin.write("A\n");
  await child.wait();
  assert.equal(child.poll(), 3);
  assert.equal(child.poll(), 3);
  await child.stdin.close();
});

// test_wait
test("Popen.wait() gives the exit code, as often as it is asked", async () => {
  const child = new Popen(["true"]);
  assert.equal(child.returncode, null);
  assert.equal(await child.wait(), 0);
  assert.equal(child.returncode, 0);
  assert.equal(await child.wait(), 0);
});

// test_wait_timeout
test("Popen.wait() gives up after its timeout, and the child goes on", async () => {
  await using child = waiting();
  await assert.rejects(child.wait({ timeout: 10 }), (error) => {
    assert.ok(error instanceof TimeoutExpired && error instanceof SubprocessError);
    assert.deepEqual([error.cmd, error.timeout, error.output, error.stderr], [["cat"], 10, null, null]);
    assert.equal(error.message, `Command '["cat"]' timed out after 10 ms`);
    return true;
  });
  await assert.rejects(child.wait({ timeout: 0 }), TimeoutExpired);
  await assert.rejects(child.wait({ block: false }), TimeoutExpired);
  await assert.rejects(child.wait({ timeout: -1 }), ValueError);
  assert.equal(child.returncode, null);
  await child.stdin.close();
  assert.equal(await child.wait({ timeout: 30_000 }), 0);
});

test("Popen.wait() rejects with the reason of an aborted signal, and the child goes on", async () => {
  await using child = waiting();
  const controller = new AbortController();
  const waited = child.wait({ signal: controller.signal });
  assert.equal(await isPending(waited), true);
  controller.abort(new Error("enough"));
  await assert.rejects(waited, { message: "enough" });
  await assert.rejects(child.wait({ signal: controller.signal }), { message: "enough" });
  assert.equal(child.poll(), null);
});

// test_threadsafe_wait
test("Popen.wait() of several callers tells all of them", async () => {
  const child = waiting();
  const waits = [child.wait(), child.wait({ timeout: 30_000 }), child.wait()];
  assert.equal(await isPending(Promise.race(waits)), true);
  child.kill();
  assert.deepEqual(await Promise.all(waits), [-9, -9, -9]);
  await child.stdin.close();
});

// test_run_abort
test("Popen.returncode is −N after signal N", async () => {
  for (const [signal, code] of [["ABRT", -6], ["TERM", -15], ["KILL", -9]] as const) {
    await using child = new Popen(sh(`kill -${signal} $$`));
    assert.equal(await child.wait(), code);
  }
});

// --- Signals ------------------------------------------------------------------------------------------------------

/** A child that traps what it is told to, and has said that it is ready. */
async function ready(script: string) {
  const child = new Popen(sh(`${script}; echo x; cat`), {
    stdin: PIPE,
    stdout: PIPE,
    stderr: PIPE,
    text: true,
  });
  assert.equal(await child.stdout.readline(), "x\n");
  return child;
}

// test_send_signal
test("Popen.sendSignal() reaches the child's own handler, by name and by number", async () => {
  for (const signal of ["SIGINT", 2]) {
    const child = await ready("trap 'echo interrupted >&2; exit 5' INT");
    child.sendSignal(signal);
    await child.stdin.close(); // the shell sees to its handler when cat has ended
    const [, stderr] = await child.communicate();
    assert.deepEqual([stderr, child.returncode], ["interrupted\n", 5]);
  }
});

test("Popen.sendSignal() of 0 only looks, and of what is no signal is refused", async () => {
  await using child = waiting();
  child.sendSignal(0);
  for (const wrong of ["SIGNONE", "TERM", -1, 1.5, 999]) {
    assert.throws(() => child.sendSignal(wrong), ValueError, String(wrong));
  }
  assert.equal(await isPending(child.wait()), true);
});

// test_kill, test_terminate
for (const [method, code] of [["kill", -9], ["terminate", -15]] as const) {
  test(`Popen.${method}() ends the child`, async () => {
    const child = await ready(":");
    child[method]();
    await child.stdin.close();
    const [, stderr] = await child.communicate();
    assert.equal(stderr, "");
    assert.equal(await child.wait(), code);
  });
}

// test_send_signal_dead, test_kill_dead, test_terminate_dead
test("Popen.sendSignal(), kill() and terminate() do nothing to a child that has ended", async () => {
  const child = new Popen(sh("exit 7"), { stdout: PIPE });
  // It has closed its stdout, so it is ending or has ended, and we have not heard of it yet.
  assert.equal((await child.stdout.read()).length, 0);
  child.sendSignal("SIGINT");
  child.kill();
  child.terminate();
  const unheard = await child.wait();
  child.sendSignal(2);
  child.kill();
  child.terminate();
  assert.throws(() => child.sendSignal("SIGNONE"), ValueError);
  assert.equal(await child.wait(), unheard);
  await child.stdout.close();

  // This one surely had ended.
  const dead = new Popen(sh("exit 7"));
  await dead.wait();
  dead.kill();
  assert.equal(dead.returncode, 7);
});

// --- What is started ----------------------------------------------------------------------------------------------

// test_call_seq; test_args_string, where the program is a script of its own
test("Popen starts a program by its path or name, given alone or with arguments", async () => {
  await inDirectory(async (path) => {
    const script = `${path}/a script`;
    await Deno.writeTextFile(script, "#!/bin/sh\nexit ${1:-47}\n", { mode: 0o700 });
    assert.equal(await new Popen(script).wait(), 47);
    assert.equal(await new Popen([script]).wait(), 47);
    assert.equal(await new Popen([script, "3"]).wait(), 3);
  });
  assert.equal(await new Popen("true").wait(), 0);
});

// test_shell_string, test_shell_sequence
test("Popen with shell runs a command line; further arguments are the shell's own", async () => {
  const env = { PATH: Deno.env.get("PATH")!, FRUIT: "apple" };
  for (const args of ["echo $FRUIT", ["echo $FRUIT"], ["echo $0", "apple"]]) {
    await using child = new Popen(args, { shell: true, stdout: PIPE, env, text: true });
    assert.equal(await child.stdout.read(), "apple\n");
  }
});

// test_file_not_found_includes_filename, test_exception_bad_args_0, test_invalid_args of ContextManagerTests
test("Popen throws an OSError for a program that is not there", () => {
  for (
    const missing of [
      "nonexisting_i_hope",
      "/opt/nonexistent_binary",
      "./nonexisting_i_hope",
      "/etc/passwd/x",
    ]
  ) {
    const code = missing.startsWith("/etc") ? "ENOTDIR" : "ENOENT";
    for (const stderr of [PIPE, STDOUT] as const) {
      const start = () => new Popen([missing, "with", "some", "args"], { stdin: PIPE, stdout: PIPE, stderr });
      assert.throws(start, osError(code, missing));
    }
  }
  assert.throws(() => new Popen("nonexisting_i_hope"), OSError);
  assert.throws(() => new Popen(""), osError("ENOENT", ""));
});

// test_exception_bad_executable
test("Popen throws an OSError for what is no program", async () => {
  await inDirectory(async (path) => {
    await Deno.writeTextFile(`${path}/text`, "no program");
    for (const stderr of [PIPE, STDOUT] as const) {
      assert.throws(() => new Popen(path, { stderr }), osError("EACCES", path));
      assert.throws(() => new Popen(`${path}/text`, { stderr }), osError("EACCES", `${path}/text`));
    }
  });
  const long = ["true", "x".repeat(4_000_000)];
  assert.throws(() => new Popen(long), osError("E2BIG", "true"));
});

// test_invalid_cmd, test_invalid_args
test("Popen refuses arguments that cannot be given", () => {
  assert.throws(() => new Popen([]), ValueError);
  assert.throws(() => new Popen("true\0"), { name: "ValueError", message: /args\[0\]: embedded null byte/ });
  assert.throws(() => new Popen(["true", "a\0b"]), {
    name: "ValueError",
    message: /args\[1\]: embedded null byte/,
  });
  assert.throws(() => new Popen(["true", 3 as unknown as string]), {
    name: "TypeError",
    message: /args\[1\]/,
  });
  assert.throws(() => new Popen(3 as unknown as string), TypeError);
  assert.throws(() => new Popen(["true"], { stout: PIPE } as unknown as Record<string, never>), {
    name: "TypeError",
    message: /no option 'stout'/,
  });
  for (const name of ["stdin", "stdout", "stderr"]) {
    assert.throws(() => new Popen(["true"], { [name]: 5 } as Record<string, never>), ValueError);
    assert.throws(() => new Popen(["true"], { [name]: {} } as Record<string, never>), ValueError);
  }
  const wrong = { stdout: STDOUT as unknown as typeof PIPE };
  assert.throws(() => new Popen(["true"], wrong), { message: /STDOUT can only be used for stderr/ });
});

// --- Directory and environment ------------------------------------------------------------------------------------

// test_cwd, test_cwd_with_pathlike, test_cwd_with_absolute_arg
test("Popen runs in cwd, a path or a URL", async () => {
  await inDirectory(async (path) => {
    const url = new URL(`file://${path}/`);
    for (const cwd of [path, url]) {
      await using child = new Popen(["pwd"], { cwd, stdout: PIPE, text: true });
      assert.equal(await child.stdout.read(), `${path}\n`);
    }
    assert.throws(() => new Popen(["pwd"], { cwd: new URL("https://example.com/") }), ValueError);
  });
});

// test_cwd_with_relative_arg
test("Popen looks for a program with a relative path in cwd", async () => {
  await inDirectory(async (path) => {
    await Deno.writeTextFile(`${path}/here`, "#!/bin/sh\necho out; echo err >&2\n", { mode: 0o700 });
    for (const stderr of [DEVNULL, STDOUT] as const) {
      assert.throws(() => new Popen(["./here"], { stderr }), osError("ENOENT", "./here"));
      assert.throws(() => new Popen(["./here"], { cwd: "/", stderr }), osError("ENOENT", "./here"));
      await using child = new Popen(["./here"], { cwd: path, stdout: PIPE, stderr, text: true });
      assert.equal(await child.stdout.read(), stderr === STDOUT ? "out\nerr\n" : "out\n");
    }
  });
});

// test_exception_cwd, test_file_not_found_with_bad_cwd
test("Popen tells a missing directory from a missing program", async () => {
  for (const program of ["true", "exit", "nonexisting_i_hope"]) {
    for (const stderr of [PIPE, STDOUT] as const) {
      const cwd = "/some/nonexistent/directory";
      assert.throws(() => new Popen([program], { cwd, stderr }), osError("ENOENT", cwd));
    }
  }
  await inDirectory(async (path) => {
    await Deno.writeTextFile(`${path}/file`, "");
    assert.throws(() => new Popen("true", { cwd: `${path}/file` }), osError("ENOTDIR", `${path}/file`));
  });
});

// test_env, test_call_kwargs, test_empty_env
test("Popen's env is the child's whole environment", async () => {
  const variables = async (env?: Record<string, string>) => {
    await using child = new Popen(["env"], { stdout: PIPE, text: true, env });
    return (await child.stdout.readlines()).map((line) => line.trimEnd()).sort();
  };
  assert.deepEqual(await variables({ FRUIT: "orange", EMPTY: "" }), ["EMPTY=", "FRUIT=orange"]);
  assert.deepEqual(await variables({}), []);
  // test_invalid_env, its end: an equal sign in a value is fine
  assert.deepEqual(await variables({ FRUIT: "orange=lemon" }), ["FRUIT=orange=lemon"]);
  const ours = Object.entries(Deno.env.toObject()).map(([name, value]) => `${name}=${value}`);
  assert.deepEqual((await variables()).filter((line) => ours.includes(line)).length > 0, true);
});

// test_invalid_env
test("Popen refuses variables that cannot be", () => {
  const refused = (env: Record<string, unknown>, name: string) =>
    assert.throws(() => new Popen("true", { env: env as Record<string, string> }), { name });
  refused({ "FRUIT\0VEGETABLE": "cabbage" }, "ValueError");
  refused({ FRUIT: "orange\0VEGETABLE=cabbage" }, "ValueError");
  refused({ "FRUIT=ORANGE": "lemon" }, "ValueError");
  refused({ FRUIT: 3 }, "TypeError");
});

test("Popen looks for the program in the PATH of env", async () => {
  await inDirectory(async (path) => {
    await Deno.writeTextFile(`${path}/tool`, "#!/bin/sh\necho found\n", { mode: 0o700 });
    for (const stderr of [DEVNULL, STDOUT] as const) {
      assert.throws(() => new Popen("tool", { stderr }), osError("ENOENT", "tool"));
      await using child = new Popen("tool", {
        env: { PATH: `/nowhere:${path}` },
        stdout: PIPE,
        stderr,
        text: true,
      });
      assert.equal(await child.stdout.read(), "found\n");
    }
  });
});

// --- Pipes as files -----------------------------------------------------------------------------------------------

// test_stdin_pipe, test_stdout_pipe, test_stderr_pipe, test_stdin_none, test_stdout_none, test_stderr_none
test("Popen has the pipes that were asked for, and null for the others", async () => {
  await using child = new Popen(sh("cat; echo err >&2; exit 1"), { stdin: PIPE, stdout: PIPE, stderr: PIPE });
  await child.stdin.write(bytes("pear"));
  await child.stdin.close();
  assert.deepEqual([text(await child.stdout.read()), text(await child.stderr.read())], ["pear", "err\n"]);
  await using none = new Popen(["true"], { stdin: DEVNULL, stdout: DEVNULL });
  assert.deepEqual([none.stdin, none.stdout, none.stderr], [null, null, null]);
});

test("ReadPipe gives what is asked for, whatever pieces it comes in", async () => {
  await using child = new Popen(["printf", "ab\\ncd\\n\\nef"], { stdout: PIPE });
  const { stdout } = child;
  const read = async (bytes: Promise<Uint8Array>) => text(await bytes);
  assert.equal(await read(stdout.read(1)), "a");
  assert.equal(await read(stdout.read(0)), "");
  assert.equal(await read(stdout.readline()), "b\n");
  assert.equal(await read(stdout.readline(1)), "c");
  assert.equal(await read(stdout.readline(10)), "d\n");
  assert.equal(await read(stdout.readline()), "\n");
  assert.equal(await read(stdout.readline()), "ef");
  assert.equal(await read(stdout.readline()), "");
  assert.equal(await read(stdout.read()), "");
  assert.deepEqual(await stdout.readlines(), []);
});

test("ReadPipe serves calls one after the other", async () => {
  await using child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE, text: true });
  const { stdin, stdout } = child;
  const calls = [stdout.readline(), stdout.read(3), stdout.readline(), stdout.read()];
  assert.equal(await isPending(Promise.race(calls)), true);
  for (const part of ["on", "e\ntw", "o", "three", "\nfour", "\nfive"]) await stdin.write(part);
  await stdin.close();
  assert.deepEqual(await Promise.all(calls), ["one\n", "two", "three\n", "four\nfive"]);
});

test("ReadPipe.read() and readline() give up after their timeout or on a signal, and lose nothing", async () => {
  for (const options of [{ text: true }, {}] as const) {
    await using child: Popen = new Popen(["cat"], { stdin: PIPE, stdout: PIPE, ...options });
    const [stdin, stdout] = [child.stdin!, child.stdout!];
    const said = (part: string | Uint8Array) => typeof part === "string" ? part : text(part);
    await stdin.write("one\ntw");
    assert.equal(said(await stdout.readline()), "one\n");
    // The half line is there some time; it stays for whoever reads next.
    for (let i = 0; i < 3; i++) await assert.rejects(stdout.readline(-1, { timeout: 10 }), TimeoutError);
    await assert.rejects(stdout.read(3, { timeout: 10 }), {
      message: "Cannot read within 10 ms: not as much has come",
    });
    const controller = new AbortController();
    const [aborted, patient] = [stdout.readline(-1, { signal: controller.signal }), stdout.read(4)];
    // In line behind another one, too, and then nobody passes that.
    await assert.rejects(stdout.read(1, { timeout: 10 }), TimeoutError);
    const last = stdout.readline();
    assert.equal(await isPending(Promise.race([aborted, patient, last])), true);
    controller.abort(new Error("enough"));
    await assert.rejects(aborted, { message: "enough" });
    await stdin.write("o\nthree\n");
    assert.equal(said(await patient), "two\n");
    assert.equal(said(await last), "three\n");
    await assert.rejects(stdout.read(1, { timeout: -1 }), ValueError);
  }
});

test("ReadPipe.close() ends a read that is pending, and later ones are refused", async () => {
  await using child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE });
  const pending = child.stdout.read();
  assert.equal(await isPending(pending), true);
  await child.stdout.close();
  assert.equal((await pending).length, 0);
  assert.equal(child.stdout.closed, true);
  await assert.rejects(child.stdout.read(), { name: "ValueError", message: /I\/O operation on closed file/ });
  await assert.rejects(child.stdout.readline(), ValueError);
  await child.stdout.close();
});

test("A child that writes into a pipe that was closed is ended by SIGPIPE", async () => {
  await using child = new Popen(sh("while :; do echo more; done"), { stdout: PIPE, text: true });
  assert.equal(await child.stdout.readline(), "more\n");
  await child.stdout.close();
  assert.equal(await child.wait(), -13);
});

test("ReadPipe.readable gives what was not read yet", async () => {
  await using child = new Popen(["printf", "one\\ntwo\\nthree\\n"], { stdout: PIPE });
  assert.equal(text(await child.stdout.readline()), "one\n");
  assert.equal(await new Response(child.stdout.readable).text(), "two\nthree\n");
  await using stopped = new Popen(sh("while :; do echo more; done"), { stdout: PIPE });
  const reader = stopped.stdout.readable.getReader();
  assert.equal((await reader.read()).done, false);
  await reader.cancel();
  assert.equal(stopped.stdout.closed, true);
  assert.equal(await stopped.wait(), -13);
});

test("WritePipe.writable takes bytes and text, and closes the pipe", async () => {
  await using child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE, text: true });
  await ReadableStream.from(["bread ", bytes("and "), "milk"]).pipeTo(child.stdin.writable);
  assert.equal(child.stdin.closed, true);
  assert.equal(await child.stdout.read(), "bread and milk");
});

test("WritePipe.write() says what was written, in order, and is refused after close()", async () => {
  await using child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE, text: true });
  const written = [child.stdin.write("äb"), child.stdin.write(bytes("ä")), child.stdin.write("")];
  await child.stdin.flush();
  assert.deepEqual(await Promise.all(written), [2, 2, 0]);
  await Promise.all([child.stdin.close(), child.stdin.close()]);
  await assert.rejects(child.stdin.write("late"), {
    name: "ValueError",
    message: /I\/O operation on closed file/,
  });
  assert.equal(await child.stdout.read(), "äbä");
});

test("WritePipe.write() refuses what is neither bytes nor text", async () => {
  await using child = waiting();
  await assert.rejects(child.stdin.write(3 as unknown as string), TypeError);
});

test("WritePipe.write() to a child that has ended is a broken pipe, and close() is not", async () => {
  const child = new Popen(["true"], { stdin: PIPE });
  await child.wait();
  await assert.rejects(child.stdin.write("nobody reads this"), BrokenPipeError);
  await assert.rejects(child.stdin.write("nor this"), BrokenPipeError);
  await child.stdin.flush();
  await child.stdin.close();
});

test("WritePipe.write() waits while the child does not read", async () => {
  await using child = waiting();
  child.sendSignal("SIGSTOP");
  const written = child.stdin.write(new Uint8Array(MUCH));
  assert.equal(await isPending(written), true);
  child.sendSignal("SIGCONT");
  assert.equal(await written, MUCH);
});

// --- Disposal -----------------------------------------------------------------------------------------------------

// ContextManagerTests.test_pipe
test("await using closes the pipes", async () => {
  const child = new Popen(sh("printf stdout; printf stderr >&2"), {
    stdin: PIPE,
    stdout: PIPE,
    stderr: PIPE,
  });
  {
    await using same = child;
    assert.equal(text(await same.stdout.read()), "stdout");
    assert.equal(text(await same.stderr.read()), "stderr");
  }
  assert.deepEqual([child.stdin.closed, child.stdout.closed, child.stderr.closed], [true, true, true]);
});

// ContextManagerTests.test_returncode
test("await using waits for the end", async () => {
  const child = new Popen(sh("exit 100"));
  {
    await using _ = child;
  }
  assert.equal(child.returncode, 100);
});

// ContextManagerTests.test_communicate_stdin
test("await using after communicate() changes nothing", async () => {
  await using child = new Popen(sh('test "$(cat)" = context'), { stdin: PIPE });
  await child.communicate("context");
  assert.equal(child.returncode, 0);
});

// ContextManagerTests.test_broken_pipe_cleanup
test("await using after writing to nobody waits all the same", async () => {
  const child = new Popen(["true"], { stdin: PIPE });
  const written = assert.rejects(child.stdin.write(new Uint8Array(MUCH)), BrokenPipeError);
  await child[Symbol.asyncDispose]();
  await written;
  assert.deepEqual([child.returncode, child.stdin.closed], [0, true]);
});

test("Popen is disposed of twice, during a wait, while it is read, and when it was killed", async () => {
  const child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE });
  const [waited, read] = [child.wait(), child.stdout.read()];
  await Promise.all([child[Symbol.asyncDispose](), child[Symbol.asyncDispose]()]);
  assert.deepEqual([await waited, (await read).length], [0, 0]);
  const killed = new Popen(["cat"], { stdin: PIPE, stdout: PIPE });
  killed.kill();
  await killed[Symbol.asyncDispose]();
  assert.equal(killed.returncode, -9);
});

test("await using while a communicate() is pending lets it have what came, and leaves nothing", async () => {
  const child = new Popen(sh("echo early; cat"), { stdin: PIPE, stdout: PIPE, text: true });
  await assert.rejects(child.communicate(new ReadableStream<string>(), { timeout: 10 }), TimeoutExpired);
  child.kill();
  await child[Symbol.asyncDispose]();
  assert.equal(child.stdout.closed, true);
});

test("A Popen leaves no process and no zombie behind", async () => {
  const children = Array.from({ length: 20 }, (_, i) => new Popen(sh(`exit ${i}`)));
  assert.deepEqual(await Promise.all(children.map((child) => child.wait())), children.map((_, i) => i));
  if (canLook) assert.deepEqual(await allGone(children.map(({ pid }) => pid), 0), []);
});

test("A Popen stays in its process", async () => {
  using queue = new Queue<unknown>();
  await using child = new Popen(["true"]);
  await assert.rejects(queue.put({ child }), (error) => {
    assert.ok(error instanceof PicklingError);
    assert.match(error.message, /item\.child.*Popen/);
    return true;
  });
});
