/**
 * The same calls in Python and here: what they give, and how they fail.
 *
 * @module
 */
import {
  call,
  CalledProcessError,
  checkOutput,
  DEVNULL,
  getstatusoutput,
  list2cmdline,
  PIPE,
  Popen,
  run,
  STDOUT,
  TimeoutExpired,
} from "@multiprocessing/deno/subprocess";
import assert from "node:assert/strict";
import { hasPython } from "../support/program.ts";

/** A call in Python's words, and in ours. */
const cases: [python: string, ours: () => unknown][] = [
  ["call(['sh', '-c', 'exit 300'])", () => call(["sh", "-c", "exit 300"])],
  ["call(['sh', '-c', 'kill -9 $$'])", () => call(["sh", "-c", "kill -9 $$"])],
  ["call('exit 3', shell=True)", () => call("exit 3", { shell: true })],
  ["call(['exit 3; true'], shell=True)", () => call(["exit 3; true"], { shell: true })],
  ["check_output('echo $0 $1', shell=True)", () => checkOutput("echo $0 $1", { shell: true })],
  [
    "check_output(['echo $0 $1', 'a', 'b'], shell=True)",
    () => checkOutput(["echo $0 $1", "a", "b"], { shell: true }),
  ],
  ["check_output(['cat'], input=b'pear')", () => checkOutput(["cat"], { input: "pear" })],
  ["check_output(['cat'], input=None)", () => checkOutput(["cat"], { input: null })],
  [
    "check_output(['printf', 'a\\r\\nb\\rc'], text=True)",
    () => checkOutput(["printf", "a\r\nb\rc"], { text: true }),
  ],
  ["check_output(['printf', '\\\\377'], text=True)", () => checkOutput(["printf", "\\377"], { text: true })],
  [
    "check_output(['printf', '\\\\377'], errors='backslashreplace')",
    () => checkOutput(["printf", "\\377"], { errors: "backslashreplace" }),
  ],
  ["check_output(['env'], env={'A': '1'})", () => checkOutput(["env"], { env: { A: "1" } })],
  ["check_output(['pwd'], cwd='/')", () => checkOutput(["pwd"], { cwd: "/" })],
  [
    "check_output('echo a; echo b >&2; echo c', shell=True, stderr=STDOUT)",
    () => checkOutput("echo a; echo b >&2; echo c", { shell: true, stderr: STDOUT }),
  ],
  [
    "run('echo a; echo b >&2; exit 4', shell=True, capture_output=True)",
    () => run("echo a; echo b >&2; exit 4", { shell: true, captureOutput: true }),
  ],
  ["run(['true'])", () => run(["true"])],
  ["run(['true'], stdout=DEVNULL)", () => run(["true"], { stdout: DEVNULL })],
  [
    "run('echo a; exit 4', shell=True, capture_output=True, check=True)",
    () => run("echo a; exit 4", { shell: true, captureOutput: true, check: true }),
  ],
  ["run(['sleep', '60'], timeout=0.05)", () => run(["sleep", "60"], { timeout: 50 })],
  [
    "run(['sleep', '60'], timeout=0.05, stdout=PIPE)",
    () => run(["sleep", "60"], { timeout: 50, stdout: PIPE }),
  ],
  [
    "run(['true'], capture_output=True, stdout=PIPE)",
    () => run(["true"], { captureOutput: true, stdout: PIPE }),
  ],
  ["run(['true'], input=b'', stdin=PIPE)", () => run(["true"], { input: "", stdin: PIPE })],
  [
    "check_output(['true'], stdout=PIPE)",
    () => checkOutput(["true"], { stdout: PIPE } as unknown as { text: true }),
  ],
  ["run(['nonexisting_i_hope'])", () => run(["nonexisting_i_hope"])],
  ["run(['nonexisting_i_hope'], stderr=STDOUT)", () => run(["nonexisting_i_hope"], { stderr: STDOUT })],
  ["run(['/etc/passwd'])", () => run(["/etc/passwd"])],
  ["run(['/etc/passwd/no'])", () => run(["/etc/passwd/no"])],
  ["run(['true'], cwd='/nonexisting_i_hope')", () => run(["true"], { cwd: "/nonexisting_i_hope" })],
  [
    "run(['nonexisting_i_hope'], cwd='/etc/passwd')",
    () => run(["nonexisting_i_hope"], { cwd: "/etc/passwd" }),
  ],
  ["run(['true\\0'])", () => run(["true\0"])],
  ["run(['true'], env={'A=B': ''})", () => run(["true"], { env: { "A=B": "" } })],
  [
    "run(['true'], text=True, universal_newlines=False)",
    () => run(["true"], { text: true, universalNewlines: false }),
  ],
  [
    "getstatusoutput('printf \"a\\\\n\\\\n\"; kill -15 $$')",
    () => getstatusoutput('printf "a\\n\\n"; kill -15 $$'),
  ],
  [
    "getstatusoutput('nonexisting_i_hope 2>/dev/null')",
    () => getstatusoutput("nonexisting_i_hope 2>/dev/null"),
  ],
  [
    "list2cmdline(['a b', '', 'c\\\\', 'd\\\\\"', 'e f\\\\'])",
    () => list2cmdline(["a b", "", "c\\", 'd\\"', "e f\\"]),
  ],
  ["Popen(['cat'], stdin=PIPE, stdout=PIPE).communicate(b'a')", () => {
    return new Popen(["cat"], { stdin: PIPE, stdout: PIPE }).communicate("a");
  }],
  ["Popen(['true'], stderr=PIPE).communicate()", () => new Popen(["true"], { stderr: PIPE }).communicate()],
];

/** What Python says of them: a value, or a failure with all that a caller may look at. */
const PYTHON = `
import errno, json, sys
from subprocess import *
from subprocess import list2cmdline

def plain(value):
    if isinstance(value, CompletedProcess):
        return {"returncode": value.returncode, "stdout": plain(value.stdout), "stderr": plain(value.stderr)}
    if isinstance(value, bytes):
        return {"bytes": list(value)}
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    return value

def failure(error):
    if isinstance(error, CalledProcessError):
        return {"called": error.returncode, "output": plain(error.output), "stderr": plain(error.stderr)}
    if isinstance(error, TimeoutExpired):
        return {"expired": True, "output": plain(error.output), "stderr": plain(error.stderr)}
    if isinstance(error, OSError) and error.errno in errno.errorcode:
        return {"code": errno.errorcode[error.errno], "filename": error.filename}
    return {"error": "ValueError" if isinstance(error, ValueError) else type(error).__name__}

answers = []
for case in json.load(sys.stdin):
    try:
        answers.append(plain(eval(case)))
    except Exception as error:
        answers.append(failure(error))
json.dump(answers, sys.stdout)
`;

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: [...value] };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const { returncode, stdout, stderr } = value as Record<string, unknown>;
  return { returncode, stdout: plain(stdout), stderr: plain(stderr) };
}

function failure(error: Error): unknown {
  if (error instanceof CalledProcessError) {
    return { called: error.returncode, output: plain(error.output), stderr: plain(error.stderr) };
  }
  if (error instanceof TimeoutExpired) {
    return { expired: true, output: plain(error.output), stderr: plain(error.stderr) };
  }
  const { code, filename } = error as { code?: string; filename?: string };
  return error.name === "OSError" ? { code, filename } : { error: error.name };
}

Deno.test({
  name: "subprocess gives what Python gives, and fails as Python fails",
  ignore: !await hasPython(), // nothing to compare with
  async fn() {
    const { stdout } = await run(["python3", "-c", PYTHON], {
      input: JSON.stringify(cases.map(([python]) => python)),
      stdout: PIPE,
      text: true,
      check: true,
    });
    const theirs = JSON.parse(stdout) as unknown[];
    for (const [i, [python, ours]] of cases.entries()) {
      const answer = await Promise.resolve().then(ours).then(plain, failure);
      assert.deepEqual(answer, theirs[i], python);
    }
  },
});
