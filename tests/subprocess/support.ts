/**
 * What the tests of `subprocess` share.
 *
 * @module
 */
import { TimeoutExpired } from "@multiprocessing/deno/subprocess";
import assert from "node:assert/strict";
import { within } from "../support/gates.ts";

/** Only a net: a test that waits for something that never comes fails after this long, and says so. */
const NET_MS = 60_000;

/** A test. Most run a POSIX shell and its tools, which Windows has not. */
export function test(name: string, fn: () => Promise<void> | void): void {
  Deno.test({
    name,
    ignore: Deno.build.os === "windows",
    fn: () => within(NET_MS, (async () => await fn())(), "the test"),
  });
}

/** The text of bytes. */
export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** The bytes of a text. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The arguments that run a shell script. */
export const sh = (script: string): string[] => ["sh", "-c", script];

/** More than a pipe holds. */
export const MUCH = 4 * 1024 * 1024 + 1;

/** Fails unless the error is an OSError with a code and a file name. */
export function osError(code: string, filename: string): (error: unknown) => true {
  return (error) => {
    const { name, code: actual, filename: file } = error as { name: string; code: string; filename: string };
    assert.deepEqual([name, actual, file], ["OSError", code, filename]);
    return true;
  };
}

/** Calls `use` with a new directory. */
export async function inDirectory(use: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.realPath(await Deno.makeTempDir());
  try {
    await use(path);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

/**
 * The TimeoutExpired of a call that is given more and more time, until it tells of some output: nobody knows how long
 * a child takes to say something.
 */
export async function expired(call: (timeout: number) => Promise<unknown>): Promise<TimeoutExpired> {
  for (let timeout = 20;; timeout *= 2) {
    const error = await call(timeout).then(() => assert.fail("it did not expire"), (error) => error);
    assert.ok(error instanceof TimeoutExpired, error);
    assert.equal(error.timeout, timeout);
    if (error.output !== null || error.stderr !== null) return error;
  }
}
