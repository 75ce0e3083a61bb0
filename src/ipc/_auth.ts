/**
 * How both ends of a socket make sure of each other before the first message.
 *
 * ```
 * listener ──▶ client   greeting · whether a key is asked for · 32 random bytes L
 * client ──▶ listener   greeting · whether it has a key · 32 random bytes C [· HMAC(key, "client", L, C)]
 * listener ──▶ client   [HMAC(key, "listener", L, C), or FAILURE]
 * ```
 *
 * Each proof covers the random bytes of both sides and the role of who gives it: none can be given a second time, on
 * another connection, or back to its author. The key itself never travels. Without a key on either side both only
 * greet; a key on one side alone is an error there. All is in frames of at most 256 bytes, and nothing that comes is
 * ever decoded as a value.
 */

import { AuthenticationError, EOFError, OSError } from "../base/errors.ts";
import type { Stream } from "../platform/stream.ts";
import { framed, type FrameReader } from "./_frames.ts";

const LONGEST = 256;
const GREETING = new TextEncoder().encode("@multiprocessing/deno 1\n");
const FLAG_AT = GREETING.length;
const NONCE_AT = FLAG_AT + 1;
const NONCE = 32;
const PROOF_AT = NONCE_AT + NONCE;
const PROOF = 32;
const FAILURE = new TextEncoder().encode("#FAILURE#");

type Role = "listener" | "client";
type Bytes = Uint8Array<ArrayBuffer>;

/** The key as the system's cryptography wants it. */
export function importKey(key: Bytes): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
}

function hello(withKey: boolean, nonce: Bytes, proof: Bytes = new Uint8Array(0)): Bytes {
  return joined(GREETING, new Uint8Array([withKey ? 1 : 0]), nonce, proof);
}

function statement(role: Role, listenerNonce: Bytes, clientNonce: Bytes): Bytes {
  return joined(new TextEncoder().encode(role), new Uint8Array(1), listenerNonce, clientNonce);
}

async function prove(key: CryptoKey, statement: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, statement));
}

function isGreeting(frame: Bytes | undefined): frame is Bytes {
  return frame !== undefined && frame.length >= PROOF_AT && frame[FLAG_AT]! <= 1 &&
    GREETING.every((byte, i) => frame[i] === byte);
}

/** The listener's side: whether the client may come in. */
export async function admit(
  stream: Stream,
  reader: FrameReader,
  key: CryptoKey | undefined,
): Promise<boolean> {
  const mine = crypto.getRandomValues(new Uint8Array(NONCE));
  if (!await stream.write(framed(hello(key !== undefined, mine)))) return false;
  const answer = await reader.next(LONGEST);
  if (!isGreeting(answer)) return false;
  const hasKey = answer[FLAG_AT] === 1;
  if (key === undefined) return !hasKey && answer.length === PROOF_AT;
  const theirs = answer.slice(NONCE_AT, PROOF_AT);
  const proof = answer.slice(PROOF_AT);
  const proven = hasKey && proof.length === PROOF && !equal(mine, theirs) &&
    await crypto.subtle.verify("HMAC", key, proof, statement("client", mine, theirs));
  if (!proven) {
    await stream.write(framed(FAILURE));
    return false;
  }
  return await stream.write(framed(await prove(key, statement("listener", mine, theirs))));
}

/**
 * The client's side.
 *
 * @throws {AuthenticationError} If one of the two does not know the other's key, or has none.
 * @throws {OSError} If who listens there is no Listener of this library.
 * @throws {EOFError} If it hangs up.
 */
export async function introduce(
  stream: Stream,
  reader: FrameReader,
  key: CryptoKey | undefined,
  where: string,
): Promise<void> {
  const greeting = await next(reader, where);
  if (!isGreeting(greeting) || greeting.length !== PROOF_AT) {
    throw new OSError(`Cannot connect to ${where}: what listens there is no Listener of this library`);
  }
  const asksForKey = greeting[FLAG_AT] === 1;
  if (key === undefined && asksForKey) {
    throw new AuthenticationError(`Cannot connect to ${where}: it asks for a key; give 'authkey'`);
  }
  if (key !== undefined && !asksForKey) {
    throw new AuthenticationError(
      `Cannot connect to ${where}: it has no key to prove itself with; give the Listener an 'authkey', or none here`,
    );
  }
  const theirs = greeting.slice(NONCE_AT, PROOF_AT);
  const mine = crypto.getRandomValues(new Uint8Array(NONCE));
  if (key === undefined) {
    await stream.write(framed(hello(false, mine)));
    return;
  }
  await stream.write(framed(hello(true, mine, await prove(key, statement("client", theirs, mine)))));
  const answer = await next(reader, where);
  if (equal(answer, FAILURE)) {
    throw new AuthenticationError(
      `digest sent was rejected: ${where} has another key than the 'authkey' here`,
    );
  }
  if (
    answer.length !== PROOF ||
    !await crypto.subtle.verify("HMAC", key, answer, statement("listener", theirs, mine))
  ) {
    throw new AuthenticationError(
      `digest received was wrong: ${where} does not know the 'authkey' it was given`,
    );
  }
}

async function next(reader: FrameReader, where: string): Promise<Bytes> {
  let frame: Bytes | undefined;
  try {
    frame = await reader.next(LONGEST);
  } catch (cause) {
    throw new OSError(`Cannot connect to ${where}: what listens there is no Listener of this library`, {
      cause,
    });
  }
  if (frame === undefined) {
    throw new EOFError(`Cannot connect to ${where}: it hung up before both knew each other`);
  }
  return frame;
}

function equal(a: Bytes, b: Bytes): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function joined(...parts: Bytes[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
