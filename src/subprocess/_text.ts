/**
 * Text in the encodings of Python's text mode: what cannot be decoded or encoded is treated as `errors` says, and
 * every kind of newline is read as `"\n"`.
 */

import { ValueError } from "../base/errors.ts";

/** Turns the parts of a stream of bytes into text, and text into bytes. */
export interface TextCodec {
  /** A decoder for one stream. */
  decoder(): Decode;
  /** An encoder for one stream. */
  encoder(): Encode;
}

/** The text that is complete with this part of the stream; the rest is kept for the next. `last` ends the stream. */
export type Decode = (part: Uint8Array, last: boolean) => string;

/** The bytes of the next text of the stream. */
export type Encode = (text: string) => Uint8Array<ArrayBuffer>;

/** What stands for a byte that is no text, and for a character that the encoding has not; `undefined`: an error. */
interface ErrorHandler {
  decoded(byte: number): string | undefined;
  encoded(char: number): readonly number[] | undefined;
}

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0");
const QUESTION_MARK = 63;

const HANDLERS: Readonly<Record<string, ErrorHandler>> = {
  strict: { decoded: () => undefined, encoded: () => undefined },
  ignore: { decoded: () => "", encoded: () => [] },
  replace: { decoded: () => "\ufffd", encoded: () => [QUESTION_MARK] },
  backslashreplace: {
    decoded: (byte) => `\\x${hex(byte, 2)}`,
    encoded: (char) => [
      ...new TextEncoder().encode(
        char < 0x100 ? `\\x${hex(char, 2)}` : char < 0x10000 ? `\\u${hex(char, 4)}` : `\\U${hex(char, 8)}`,
      ),
    ],
  },
  // Half of a surrogate pair stands for the byte, and becomes it again.
  surrogateescape: {
    decoded: (byte) => String.fromCharCode(0xdc00 + byte),
    encoded: (char) => char >= 0xdc80 && char <= 0xdcff ? [char - 0xdc00] : undefined,
  },
};

/** The bytes of a character, for the encodings that text can be written in. */
const ENCODERS: Readonly<Record<string, (char: string, code: number) => readonly number[] | undefined>> = {
  "utf-8": (char) => char.isWellFormed() ? [...new TextEncoder().encode(char)] : undefined,
  "utf-16le": (char) => units(char)?.flatMap((unit) => [unit & 255, unit >> 8]),
  "utf-16be": (char) => units(char)?.flatMap((unit) => [unit >> 8, unit & 255]),
  "latin-1": (_, code) => code < 0x100 ? [code] : undefined,
  "ascii": (_, code) => code < 0x80 ? [code] : undefined,
};

function units(char: string): number[] | undefined {
  if (!char.isWellFormed()) return undefined;
  return Array.from({ length: char.length }, (_, i) => char.charCodeAt(i));
}

/** Python's names for encodings, where `TextDecoder` does not know them or means something else. */
const ALIASES: readonly [RegExp, string][] = [
  [/^(latin-?1|iso-?8859-?1|l1)$/, "latin-1"],
  [/^(us-)?ascii$/, "ascii"],
  [/^utf-?16$/, "utf-16"],
  [/^utf-?16-?le$/, "utf-16le"],
  [/^utf-?16-?be$/, "utf-16be"],
];

/** Encodings whose errors are found byte by byte here; the others are left to `TextDecoder`. */
const BYTEWISE = ["utf-8", "latin-1", "ascii"];

/**
 * Makes a codec.
 *
 * @throws {ValueError} If the encoding or the error handler is unknown, or they do not go together.
 */
export function textCodec(encoding: string, errors: string): TextCodec {
  const handler = HANDLERS[errors];
  if (handler === undefined) {
    throw new ValueError(
      `Cannot treat errors by ${JSON.stringify(errors)}: the ways are ${Object.keys(HANDLERS).join(", ")}`,
    );
  }
  const label = encoding.toLowerCase().replaceAll("_", "-");
  const name = ALIASES.find(([pattern]) => pattern.test(label))?.[1] ?? knownName(label, encoding);
  if (!BYTEWISE.includes(name) && errors !== "strict" && errors !== "replace") {
    throw new ValueError(
      `Cannot treat errors in ${name} by ${JSON.stringify(errors)}: it knows "strict" and "replace"`,
    );
  }
  return {
    decoder: () => withNewlines(decoderOf(name, errors, handler)),
    encoder: () => encoderOf(name, handler),
  };
}

function knownName(label: string, encoding: string): string {
  try {
    return new TextDecoder(label).encoding;
  } catch (cause) {
    throw new ValueError(`Cannot read text as ${JSON.stringify(encoding)}: unknown encoding`, { cause });
  }
}

function decoderOf(name: string, errors: string, handler: ErrorHandler): Decode {
  const cannotDecode = (cause?: unknown) =>
    new ValueError(
      `Cannot read text as ${name}: it holds bytes that are none; pass another encoding, errors: "replace", ` +
        `or read bytes`,
      { cause },
    );
  if (name === "latin-1" || name === "ascii") {
    const limit = name === "ascii" ? 0x80 : 0x100;
    return (part) => {
      let text = "";
      for (const byte of part) {
        const char = byte < limit ? String.fromCharCode(byte) : handler.decoded(byte);
        if (char === undefined) throw cannotDecode();
        text += char;
      }
      return text;
    };
  }
  if (name === "utf-8" && errors !== "strict" && errors !== "replace") return tolerantUtf8(handler);
  let decoder: TextDecoder | undefined;
  let start: Uint8Array = new Uint8Array(0);
  return (part, last) => {
    if (decoder === undefined) {
      // Which byte order "utf-16" has is said by its first two bytes.
      if (name === "utf-16" && start.length + part.length < 2 && !last) {
        start = new Uint8Array([...start, ...part]);
        return "";
      }
      part = start.length === 0 ? part : new Uint8Array([...start, ...part]);
      const marked = name === "utf-16";
      const order = marked && part[0] === 0xfe && part[1] === 0xff ? "utf-16be" : "utf-16le";
      decoder = new TextDecoder(marked ? order : name, { fatal: errors === "strict", ignoreBOM: !marked });
    }
    try {
      return decoder.decode(part, { stream: !last });
    } catch (error) {
      throw cannotDecode(error);
    }
  };
}

/** UTF-8 in which each byte that is no text is handed to the handler. */
function tolerantUtf8(handler: ErrorHandler): Decode {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let kept: Uint8Array = new Uint8Array(0);
  return (part, last) => {
    const bytes = kept.length === 0 ? part : new Uint8Array([...kept, ...part]);
    let text = "";
    let good = 0; // where the stretch of whole characters begins that ends at `at`
    let at = 0;
    while (at < bytes.length) {
      const size = characterAt(bytes, at);
      if (size > 0) {
        at += size;
        continue;
      }
      if (size === 0 && !last) break;
      text += strict.decode(bytes.subarray(good, at)) + handler.decoded(bytes[at]!);
      good = ++at;
    }
    kept = bytes.slice(at);
    return text + strict.decode(bytes.subarray(good, at));
  };
}

/** How many bytes the character at `at` has; 0 if more bytes could make it one, −1 if it is none. */
function characterAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  const size = first >= 0xc2 && first < 0xe0
    ? 2
    : first >= 0xe0 && first < 0xf0
    ? 3
    : first >= 0xf0 && first < 0xf5
    ? 4
    : 0;
  if (size === 0) return -1;
  // The second byte rules out overlong forms, surrogates and what lies beyond U+10FFFF.
  const from = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const to = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  for (let i = 1; i < size; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return 0;
    if (i === 1 ? byte < from || byte > to : byte < 0x80 || byte > 0xbf) return -1;
  }
  return size;
}

/** Reads `"\r\n"` and `"\r"` as `"\n"`, also where a part of the stream ends between both. */
function withNewlines(decode: Decode): Decode {
  let kept = "";
  return (part, last) => {
    let text = kept + decode(part, last);
    kept = !last && text.endsWith("\r") ? "\r" : "";
    if (kept !== "") text = text.slice(0, -1);
    return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
  };
}

function encoderOf(name: string, handler: ErrorHandler): Encode {
  const encodeChar = ENCODERS[name === "utf-16" ? "utf-16le" : name];
  let mark = name === "utf-16" ? [0xff, 0xfe] : []; // at the beginning of the stream
  return (text) => {
    if (name === "utf-8" && text.isWellFormed()) return new TextEncoder().encode(text);
    if (encodeChar === undefined) {
      throw new ValueError(`Cannot write text as ${name}: Deno can only read it; write bytes`);
    }
    const bytes = mark;
    mark = [];
    for (const char of text) {
      const code = char.codePointAt(0)!;
      const encoded = encodeChar(char, code) ?? handler.encoded(code);
      if (encoded === undefined) {
        throw new ValueError(
          `Cannot write U+${
            hex(code, 4).toUpperCase()
          } as ${name}: it has no such character; pass another encoding ` +
            `or say how to treat errors`,
        );
      }
      for (const byte of encoded) bytes.push(byte);
    }
    return new Uint8Array(bytes);
  };
}
