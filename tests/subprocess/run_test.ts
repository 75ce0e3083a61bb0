/**
 * run(), call() and their like. The names are those of CPython's `test_subprocess.py`.
 *
 * @module
 */
import { Queue, ValueError } from "@multiprocessing/deno";
import {
  call,
  CalledProcessError,
  checkCall,
  checkOutput,
  CompletedProcess,
  getoutput,
  getstatusoutput,
  list2cmdline,
  PIPE,
  run,
  STDOUT,
  SubprocessError,
  TimeoutExpired,
} from "@multiprocessing/deno/subprocess";
import assert from "node:assert/strict";
import { isPending } from "../support/gates.ts";
import { allGone, canLook, runs } from "../support/leftovers.ts";
import { bytes, expired, inDirectory, MUCH, osError, sh, test, text } from "./support.ts";

// --- run ----------------------------------------------------------------------------------------------------------

// RunFuncTestCase.test_returncode
test("run() gives how it ended", async () => {
  const done = await run(sh("exit 47"));
  assert.ok(done instanceof CompletedProcess);
  assert.deepEqual({ ...done }, { args: sh("exit 47"), returncode: 47, stdout: null, stderr: null });
  assert.throws(() => done.checkReturncode(), CalledProcessError);
});

// RunFuncTestCase.test_run_kwargs, test_run_with_an_empty_env
test("run() takes the options of Popen", async () => {
  const env = { ...Deno.env.toObject(), FRUIT: "banana" };
  const { returncode } = await run('[ "$FRUIT" = banana ] && exit 33 || exit 31', { env, shell: true });
  assert.equal(returncode, 33);
  assert.equal((await run(["/bin/sh", "-c", ":"], { env: {} })).returncode, 0);
});

// RunFuncTestCase.test_check, test_check_zero
test("run() with check throws for another exit code than 0", async () => {
  await assert.rejects(
    run(sh("echo out; echo err >&2; exit 47"), { check: true, captureOutput: true }),
    (error) => {
      assert.ok(error instanceof CalledProcessError && error instanceof SubprocessError);
      assert.equal(error.returncode, 47);
      assert.deepEqual([error.output, error.stdout, error.stderr], [
        bytes("out\n"),
        bytes("out\n"),
        bytes("err\n"),
      ]);
      return true;
    },
  );
  const done = await run(["true"], { check: true });
  assert.equal(done.returncode, 0);
  done.checkReturncode();
});

// RunFuncTestCase.test_capture_stdout, test_capture_stderr, test_capture_output
test("run() captures what it is told to", async () => {
  const script = sh("printf BDFL; printf FLUFL >&2");
  const both = await run(script, { captureOutput: true });
  assert.deepEqual([text(both.stdout), text(both.stderr)], ["BDFL", "FLUFL"]);
  const merged = await run(script, { stdout: PIPE, stderr: STDOUT, text: true });
  assert.deepEqual([merged.stdout, merged.stderr], ["BDFLFLUFL", null]);
  const one = await run(sh("printf FLUFL >&2"), { stderr: PIPE, text: true });
  assert.deepEqual([one.stdout, one.stderr], [null, "FLUFL"]);
});

// RunFuncTestCase.test_check_output_input_arg
test("run() sends input of every kind", async () => {
  for (const input of ["pear", bytes("pear"), ReadableStream.from(["pe", "ar"])]) {
    const { stdout } = await run(["tr", "a-z", "A-Z"], { input, stdout: PIPE, text: true });
    assert.equal(stdout, "PEAR");
  }
  const none = await run(["cat"], { input: "", stdout: PIPE, text: true });
  assert.equal(none.stdout, "");
  const much = new Uint8Array(MUCH);
  const { stdout } = await run(["cat"], { input: much, captureOutput: true });
  assert.equal(stdout.length, MUCH);
});

// RunFuncTestCase.test_check_output_stdin_with_input_arg, test_stdout_with_capture_output_arg,
// test_stderr_with_capture_output_arg
test("run() refuses options that contradict each other", async () => {
  const refused = (options: object, message: RegExp) =>
    assert.rejects(run(["true"], options as { text: true }), { name: "ValueError", message });
  await refused({ stdin: PIPE, input: "hare" }, /stdin and input arguments may not both be used/);
  for (const name of ["stdout", "stderr"]) {
    await refused(
      { captureOutput: true, [name]: PIPE },
      /stdout and stderr arguments may not be used with captureOutput/,
    );
  }
  await assert.rejects(run(["true"], { text: true, universalNewlines: false }), SubprocessError);
  await assert.rejects(run(["true"], { cature: true } as unknown as Record<string, never>), TypeError);
  await assert.rejects(run(["true"], { timeout: -1 }), ValueError);
});

// RunFuncTestCase.test_timeout, test_check_output_timeout
test("run() kills what takes too long, and tells what it said until then", async () => {
  const pids: number[] = [];
  const script = sh("echo $$; exec sleep 3600");
  for (const options of [{ stdout: PIPE, text: true }, { captureOutput: true }] as const) {
    const { output } = await expired((timeout) => run(script, { ...options, timeout }));
    assert.ok(output instanceof Uint8Array, "bytes, in text mode as well");
    pids.push(Number(text(output)));
  }
  if (canLook) assert.deepEqual(await allGone(pids, 0), []);
  await assert.rejects(run(sh("while :; do :; done"), { timeout: 1 }), TimeoutExpired);
});

// RunFuncTestCase.test_run_with_shell_timeout_and_capture_output
test("run() that took too long is not held up by what the child has started", async () => {
  // The shell is killed; sleep, its child, lives on for a while and holds whatever the shell wrote into.
  const script = "sleep 20 & echo $!; wait";
  const stillRuns = (output: string) => assert.ok(!canLook || runs(Number(output)), "sleep was waited for");
  const { output } = await expired((timeout) => run(script, { shell: true, timeout, captureOutput: true }));
  stillRuns(text(output!));
  await inDirectory(async (path) => {
    for (let timeout = 20, output = ""; output === ""; timeout *= 2) {
      using stdout = await Deno.open(`${path}/out`, { create: true, write: true, truncate: true });
      await assert.rejects(run(script, { shell: true, timeout, stdout }), TimeoutExpired);
      output = await Deno.readTextFile(`${path}/out`);
      if (output !== "") stillRuns(output);
    }
  });
});

test("run() kills the child when its signal aborts, and rejects with the reason", async () => {
  const controller = new AbortController();
  const calls = [
    run(["sleep", "3600"], { signal: controller.signal, captureOutput: true }),
    call(["sleep", "3600"], { signal: controller.signal }),
    checkOutput(["sleep", "3600"], { signal: controller.signal }),
    getoutput("exec sleep 3600", { signal: controller.signal }),
  ].map((promise) => promise.then(() => "done", (error) => error.message));
  assert.equal(await isPending(Promise.race(calls)), true);
  controller.abort(new Error("enough"));
  assert.deepEqual(await Promise.all(calls), ["enough", "enough", "enough", "enough"]);
  // Nothing is started under a signal that has aborted.
  await assert.rejects(run(["nonexisting_i_hope"], { signal: controller.signal }), { message: "enough" });
});

test("run() throws for a program that is not there", async () => {
  await assert.rejects(
    run(["nonexisting_i_hope"], { captureOutput: true }),
    osError("ENOENT", "nonexisting_i_hope"),
  );
  await assert.rejects(call("nonexisting_i_hope"), osError("ENOENT", "nonexisting_i_hope"));
});

// --- call, checkCall ----------------------------------------------------------------------------------------------

// test_call_seq, test_call_string, test_call_kwargs
test("call() gives the exit code", async () => {
  assert.equal(await call(sh("exit 47")), 47);
  assert.equal(await call("exit 47", { shell: true }), 47);
  const env = { PATH: Deno.env.get("PATH")!, FRUIT: "banana" };
  assert.equal(await call('test "$FRUIT" = banana', { shell: true, env }), 0);
  assert.equal(await call("kill -9 $$", { shell: true }), -9);
});

// test_call_timeout
test("call() kills what takes too long", async () => {
  await assert.rejects(call(sh("while :; do :; done"), { timeout: 50 }), TimeoutExpired);
  await assert.rejects(checkCall(["sleep", "3600"], { timeout: 50 }), TimeoutExpired);
});

// test_check_call_zero, test_check_call_nonzero
test("checkCall() throws for another exit code than 0", async () => {
  assert.equal(await checkCall(["true"]), 0);
  await assert.rejects(checkCall(sh("exit 47")), (error) => {
    assert.ok(error instanceof CalledProcessError);
    assert.deepEqual([error.returncode, error.cmd, error.output, error.stderr], [
      47,
      sh("exit 47"),
      null,
      null,
    ]);
    return true;
  });
});

// --- checkOutput --------------------------------------------------------------------------------------------------

// test_check_output, test_check_output_stderr
test("checkOutput() gives what was written", async () => {
  assert.deepEqual(await checkOutput(["printf", "BDFL"]), bytes("BDFL"));
  assert.equal(await checkOutput(sh("printf BDFL >&2"), { stderr: STDOUT, text: true }), "BDFL");
});

// test_check_output_nonzero
test("checkOutput() throws for another exit code than 0", async () => {
  await assert.rejects(checkOutput(sh("printf out; exit 5"), { text: true }), (error) => {
    assert.ok(error instanceof CalledProcessError);
    assert.deepEqual([error.returncode, error.output], [5, "out"]);
    return true;
  });
});

// test_check_output_stdin_arg, test_check_output_input_arg
test("checkOutput() sends input, or a file", async () => {
  assert.deepEqual(await checkOutput(["tr", "a-z", "A-Z"], { input: bytes("pear") }), bytes("PEAR"));
  await inDirectory(async (path) => {
    await Deno.writeTextFile(`${path}/in`, "pear");
    using stdin = await Deno.open(`${path}/in`);
    assert.equal(await checkOutput(["tr", "a-z", "A-Z"], { stdin, text: true }), "PEAR");
  });
});

// test_check_output_input_none, test_check_output_input_none_text, test_check_output_input_none_universal_newlines,
// test_check_output_input_none_encoding_errors
test("checkOutput() takes input: null for none at all", async () => {
  assert.deepEqual(await checkOutput(["cat"], { input: null }), bytes(""));
  assert.equal(await checkOutput(["cat"], { input: null, text: true }), "");
  assert.equal(await checkOutput(["cat"], { input: null, universalNewlines: true }), "");
  assert.equal(
    await checkOutput(["echo", "foo"], { input: null, encoding: "utf-8", errors: "ignore" }),
    "foo\n",
  );
});

// test_check_output_stdout_arg, test_check_output_stdin_with_input_arg, the end of test_check_output
test("checkOutput() refuses what it does itself", async () => {
  for (const name of ["stdout", "check"]) {
    const options = { [name]: undefined } as unknown as { text: true };
    const message = new RegExp(`${name} argument not allowed, it will be overridden`);
    await assert.rejects(checkOutput(["true"], options), { name: "ValueError", message });
  }
  await assert.rejects(checkOutput(["true"], { stdin: PIPE, input: "hare" }), /stdin and input arguments/);
});

// test_check_output_timeout
test("checkOutput() tells what came until its timeout", async () => {
  const { output, stdout } = await expired((timeout) =>
    checkOutput(sh("printf BDFL; exec sleep 3600"), { timeout })
  );
  assert.deepEqual([output, stdout], [bytes("BDFL"), bytes("BDFL")]);
});

// --- getoutput, getstatusoutput -----------------------------------------------------------------------------------

// MiscTests.test_getoutput
test("getoutput() and getstatusoutput() run a shell", async () => {
  assert.equal(await getoutput("echo xyzzy"), "xyzzy");
  assert.deepEqual(await getstatusoutput("echo xyzzy"), [0, "xyzzy"]);
  assert.deepEqual(await getstatusoutput("echo a; echo b >&2; echo; kill -15 $$"), [-15, "a\nb\n"]);
  const [status, output] = await getstatusoutput("cat /nonexisting_i_hope");
  assert.notEqual(status, 0);
  assert.match(output, /cat:.*nonexisting_i_hope/);
  await assert.rejects(getoutput("exec sleep 3600", { timeout: 20 }), TimeoutExpired);
  assert.equal(await getoutput("printf '\\344'", { encoding: "latin-1" }), "ä");
});

// --- The rest -----------------------------------------------------------------------------------------------------

// test_CalledProcessError_str_signal, test_CalledProcessError_str_unknown_signal,
// test_CalledProcessError_str_non_zero
test("CalledProcessError says how it ended", () => {
  const said = (returncode: number) => new CalledProcessError(returncode, "fake cmd").message;
  assert.equal(said(-6), "Command 'fake cmd' died with signal SIGABRT (6).");
  assert.equal(said(-9876543), "Command 'fake cmd' died with unknown signal 9876543.");
  assert.equal(said(2), "Command 'fake cmd' returned non-zero exit status 2.");
});

// test_list2cmdline
test("list2cmdline() quotes as Windows wants it", () => {
  const cases: [string[], string][] = [
    [["a b c", "d", "e"], '"a b c" d e'],
    [['ab"c', "\\", "d"], 'ab\\"c \\ d'],
    [['ab"c', " \\", "d"], 'ab\\"c " \\\\" d'],
    [["a\\\\\\b", "de fg", "h"], 'a\\\\\\b "de fg" h'],
    [['a\\"b', "c", "d"], 'a\\\\\\"b c d'],
    [["a\\\\b c", "d", "e"], '"a\\\\b c" d e'],
    [["a\\\\b\\ c", "d", "e"], '"a\\\\b\\ c" d e'],
    [["ab", ""], 'ab ""'],
    [[], ""],
  ];
  for (const [args, line] of cases) assert.equal(list2cmdline(args), line);
});

test("CompletedProcess and the errors travel to other processes", async () => {
  using queue = new Queue<unknown>();
  const done = await run(["echo", "bread"], { captureOutput: true, text: true });
  const failed = new CalledProcessError(3, ["a", "b"], "out", null);
  const late = new TimeoutExpired("a b", 20, new Uint8Array([1, 2]));
  await queue.put([done, failed, late]);
  const [done2, failed2, late2] = await queue.get() as [CompletedProcess, CalledProcessError, TimeoutExpired];
  assert.ok(done2 instanceof CompletedProcess && done2 !== done);
  assert.deepEqual({ ...done2 }, { ...done });
  assert.ok(failed2 instanceof CalledProcessError);
  assert.deepEqual([failed2.returncode, failed2.cmd, failed2.stdout], [3, ["a", "b"], "out"]);
  assert.ok(late2 instanceof TimeoutExpired);
  assert.deepEqual([late2.timeout, late2.stdout, late2.message], [20, new Uint8Array([1, 2]), late.message]);
});
