/**
 * Text mode: encodings, errors, newlines. The names are those of CPython's `test_subprocess.py`; where there is a Python
 * it says itself what every error handler makes of every kind of wrong bytes.
 *
 * @module
 */
import { ValueError } from "@multiprocessing/deno";
import { PIPE, Popen, run } from "@multiprocessing/deno/subprocess";
import assert from "node:assert/strict";
import { hasPython } from "../support/program.ts";
import { bytes, test } from "./support.ts";

const python = await hasPython();

/** What `cat` makes of bytes that are fed in one at a time, so that every character comes in pieces. */
async function bit(input: Uint8Array, options: { encoding?: string; errors?: string; text?: boolean }) {
  await using child: Popen = new Popen(["cat"], { stdin: PIPE, stdout: PIPE, ...options });
  const written = (async () => {
    for (const byte of input) await child.stdin!.write(new Uint8Array([byte]));
    await child.stdin!.close();
  })();
  try {
    let text = "";
    for (let part; (part = await child.stdout!.read(1)) !== "";) text += part;
    return text;
  } finally {
    await written;
  }
}

/** The same, all at once. */
async function whole(input: Uint8Array, options: { encoding?: string; errors?: string; text?: boolean }) {
  return (await run(["cat"], { input, stdout: PIPE, ...options })).stdout as string;
}

// test_universal_newlines_and_text
test("text and universalNewlines read every kind of newline as \\n", async () => {
  const script =
    'head -n 1; printf "line2\\\\n"; cat; printf "line4\\\\nline5\\\\r\\\\nline6\\\\r"; printf "\\\\nline7\\\\rline8"';
  // head would read ahead, so the shell reads the first line itself.
  const args = ["sh", "-c", script.replace("head -n 1", 'IFS= read -r line; printf "%s\\\\n" "$line"')];
  for (const option of [{ universalNewlines: true }, { text: true }] as const) {
    await using child = new Popen(args, { stdin: PIPE, stdout: PIPE, ...option });
    await child.stdin.write("line1\n");
    assert.equal(await child.stdout.readline(), "line1\n");
    await child.stdin.write("line3\n");
    await child.stdin.close();
    assert.equal(await child.stdout.readline(), "line2\n");
    assert.equal(await child.stdout.read(6), "line3\n");
    assert.equal(await child.stdout.read(), "line4\nline5\nline6\nline7\nline8");
  }
});

// test_universal_newlines_communicate, test_universal_newlines_communicate_stdin,
// test_universal_newlines_communicate_input_none, test_universal_newlines_communicate_stdin_stdout_stderr
test("communicate() in text mode sends text as it is, and reads every kind of newline as \\n", async () => {
  const script = 'cat; printf "line4\\\\r\\\\nline5\\\\r"; printf "eline6\\\\reline7\\\\r\\\\nz" >&2';
  const child = new Popen(["sh", "-c", script], { stdin: PIPE, stdout: PIPE, stderr: PIPE, text: true });
  assert.deepEqual(await child.communicate("line1\r\nline3\n"), [
    "line1\nline3\nline4\nline5\n",
    "eline6\neline7\nz",
  ]);
  const none = new Popen(["true"], { stdin: PIPE, stdout: PIPE, universalNewlines: true });
  assert.deepEqual(await none.communicate(), ["", null]);
  // Only what comes is translated.
  const raw = await run(["cat"], { input: "a\r\nb\r", stdout: PIPE, errors: "strict", encoding: null });
  assert.equal(raw.stdout, "a\nb\n");
  const sent = await run(["od", "-An", "-c"], { input: "a\r\n", stdout: PIPE, text: true });
  assert.equal(sent.stdout.trim().replace(/\s+/g, " "), "a \\r \\n");
});

// test_universal_newlines_communicate_encodings, without UTF-32
test("encodings go both ways", async () => {
  for (const encoding of ["utf-8", "UTF8", "utf-16", "utf_16_le", "utf-16-be", "latin-1", "iso8859-1"]) {
    const { stdout } = await run(["cat"], { input: "1\r\nä\r3\n4", encoding, stdout: PIPE });
    assert.equal(stdout, "1\nä\n3\n4", encoding);
    await using child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE, encoding });
    await child.stdin.write("ü\n");
    await child.stdin.close();
    assert.equal(await child.stdout.readline(), "ü\n", encoding);
  }
  await using marked = new Popen(["od", "-An", "-tx1"], { stdin: PIPE, stdout: PIPE, encoding: "utf-16" });
  await marked.stdin.write("a");
  await marked.stdin.write("b"); // no second mark
  await marked.stdin.close();
  const [dump] = await new Popen(["cat"], { stdin: marked.stdout, stdout: PIPE, text: true }).communicate();
  assert.equal(dump.trim(), "ff fe 61 00 62 00");
  const bigEndian = new Uint8Array([0xfe, 0xff, 0, 0x61, 0, 0xe4]);
  const littleEndian = new Uint8Array([0xff, 0xfe, 0x61, 0, 0xe4, 0]);
  for (const input of [bigEndian, littleEndian, littleEndian.slice(2)]) {
    assert.equal(await whole(input, { encoding: "utf-16" }), "aä");
    assert.equal(await bit(input, { encoding: "utf-16" }), "aä");
  }
  assert.equal(await whole(new Uint8Array([0x80, 0x9f, 0xff]), { encoding: "latin-1" }), "\x80\x9fÿ");
  assert.equal(await whole(new Uint8Array([0x80]), { encoding: "cp1252" }), "€");
  assert.equal(await whole(new Uint8Array([0x8a, 0xbf]), { encoding: "shift_jis" }), "漢");
});

test("a character that comes in pieces is one", async () => {
  const input = "aä€😀\r\n\r\rz\r";
  assert.equal(await bit(bytes(input), { text: true }), "aä€😀\n\n\nz\n");
  assert.equal(await bit(bytes(input), { errors: "surrogateescape" }), "aä€😀\n\n\nz\n");
  assert.equal(await whole(bytes("\ufeffa"), { text: true }), "\ufeffa"); // a mark is a character like any other
});

// test_communicate_errors
test("errors says what becomes of bytes that are no text", async () => {
  const wrong = new Uint8Array([0x5b, 0x80, 0x80, 0x5d]);
  const cases = {
    ignore: "",
    replace: "\ufffd\ufffd",
    surrogateescape: "\udc80\udc80",
    backslashreplace: "\\x80\\x80",
  };
  for (const encoding of ["utf-8", "ascii"]) {
    for (const [errors, expected] of Object.entries(cases)) {
      assert.equal(await whole(wrong, { encoding, errors }), `[${expected}]`, `${encoding} ${errors}`);
      assert.equal(
        await bit(wrong, { encoding, errors }),
        `[${expected}]`,
        `${encoding} ${errors}, bit by bit`,
      );
    }
    for (const read of [whole, bit]) {
      await assert.rejects(read(wrong, { encoding }), {
        name: "ValueError",
        message: /^Cannot read text as /,
      });
    }
  }
  await assert.rejects(whole(new Uint8Array([0x61, 0xe2, 0x82]), { text: true }), ValueError);
  assert.equal(
    await whole(new Uint8Array([0, 0xd8]), { encoding: "utf-16-le", errors: "replace" }),
    "\ufffd",
  );
});

test("errors says what becomes of characters that the encoding has not", async () => {
  const sent = async (input: string, encoding: string, errors?: string) =>
    (await run(["od", "-An", "-tx1"], { input, encoding, errors: errors ?? null, stdout: PIPE })).stdout
      .trim();
  assert.equal(await sent("a\udc80", "utf-8", "surrogateescape"), "61 80");
  assert.equal(await sent("aä€", "ascii", "replace"), "61 3f 3f");
  assert.equal(await sent("aä€", "latin-1", "ignore"), "61 e4");
  assert.equal(await sent("ä€", "ascii", "backslashreplace"), "5c 78 65 34 5c 75 32 30 61 63");
  await assert.rejects(sent("€", "latin-1"), {
    name: "ValueError",
    message: /Cannot write U\+20AC as latin-1/,
  });
  await assert.rejects(sent("\ud800", "utf-8"), {
    name: "ValueError",
    message: /Cannot write U\+D800 as utf-8/,
  });
  await assert.rejects(sent("a", "gbk"), { name: "ValueError", message: /Deno can only read it/ });
});

test("encodings and errors that are unknown, or do not go together, are refused before anything starts", () => {
  const refused = (options: { encoding?: string; errors?: string }) =>
    assert.throws(() => new Popen(["nonexisting_i_hope"], options), ValueError);
  refused({ encoding: "klingon" });
  refused({ encoding: "" });
  refused({ errors: "wish" });
  refused({ encoding: "utf-16", errors: "ignore" });
});

Deno.test({
  name: "what is no UTF-8 becomes what Python makes of it",
  ignore: !python, // nothing to compare with
  async fn() {
    const cases: number[][] = [
      [0xc0, 0x80],
      [0xc2],
      [0xc2, 0x41],
      [0xe0, 0x80, 0x80],
      [0xe0, 0xa0],
      [0xe2, 0x82, 0x41],
      [0xed, 0xa0, 0x80],
      [0xf0, 0x80, 0x80, 0x80],
      [0xf0, 0x9f, 0x98],
      [0xf0, 0x9f, 0x98, 0x41],
      [0xf4, 0x90, 0x80, 0x80],
      [0xf5, 0x80],
      [0xff, 0xfe],
      [0x61, 0xe2, 0x82, 0xac, 0x80, 0x62],
    ];
    const handlers = ["replace", "ignore", "backslashreplace", "surrogateescape"];
    const { stdout } = await run(["python3", "-c", PYTHON], {
      input: JSON.stringify([cases, handlers]),
      captureOutput: true,
      text: true,
      check: true,
    });
    const theirs = JSON.parse(stdout) as string[][];
    for (const [i, codes] of cases.entries()) {
      for (const [j, errors] of handlers.entries()) {
        const input = new Uint8Array(codes);
        const what = `${codes.map((code) => code.toString(16))} ${errors}`;
        assert.equal(await whole(input, { errors }), theirs[i]![j], what);
        if (errors !== "replace") {
          assert.equal(await bit(input, { errors }), theirs[i]![j], `${what}, bit by bit`);
        }
      }
    }
  },
});

const PYTHON = `
import json, sys
cases, handlers = json.load(sys.stdin)
print(json.dumps([[bytes(case).decode("utf-8", handler) for handler in handlers] for case in cases]))
`;
