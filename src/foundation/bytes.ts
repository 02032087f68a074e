// Bytes: text forms, concatenation, comparison, and a reader that cannot run past the end.

import { MeshError } from "./errors.ts";

const utf8 = new TextEncoder();
/** A byte order mark is text like any other: dropped, it would give one text two encodings. */
const utf8Strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** UTF-8 bytes of a string. */
export function utf8Bytes(text: string): Uint8Array {
  return utf8.encode(text);
}

/**
 * The string of UTF-8 bytes.
 * @throws TypeError on malformed UTF-8
 */
export function utf8Text(bytes: Uint8Array): string {
  return utf8Strict.decode(bytes);
}

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/**
 * Bytes of a hex string of either case.
 * @throws SyntaxError on an odd length or another character
 */
export function fromHex(text: string): Uint8Array {
  return Uint8Array.fromHex(text);
}

/** URL-safe base64 without padding (RFC 4648 section 5). */
export function toBase64Url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

/**
 * Bytes of URL-safe base64 without padding: each byte string has exactly one text.
 * @throws SyntaxError on padding, a foreign character, or padding bits that are not zero
 */
export function fromBase64Url(text: string): Uint8Array {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new SyntaxError("not base64url without padding");
  const padded = text.padEnd(Math.ceil(text.length / 4) * 4, "=");
  return Uint8Array.fromBase64(padded, { alphabet: "base64url", lastChunkHandling: "strict" });
}

/** All parts one after another, in a new array. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** Equality whose time depends on the lengths alone. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

/** `uint16` big-endian. */
export function uint16be(value: number): Uint8Array {
  return Uint8Array.of((value >>> 8) & 0xff, value & 0xff);
}

/** `uint32` big-endian. */
export function uint32be(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

/** `uint64` big-endian; `value` a safe integer >= 0. */
export function uint64be(value: number): Uint8Array {
  return concatBytes(uint32be(Math.floor(value / 2 ** 32)), uint32be((value % 2 ** 32) >>> 0));
}

/** A cursor over bytes; every read checks the bounds. After an error the cursor has not moved. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** How many bytes are left. */
  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  /**
   * The next `length` bytes, as a view.
   * @throws MeshError `bytes/truncated`
   */
  take(length: number): Uint8Array {
    if (length > this.remaining) {
      throw new MeshError(
        "bytes/truncated",
        `Cannot read ${length} bytes: only ${this.remaining} are left.`,
      );
    }
    const view = this.#bytes.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return view;
  }

  /** @throws MeshError `bytes/truncated` */
  uint8(): number {
    return this.take(1)[0] ?? 0;
  }

  /** @throws MeshError `bytes/truncated` */
  uint16be(): number {
    const [high = 0, low = 0] = this.take(2);
    return high * 0x100 + low;
  }

  /** @throws MeshError `bytes/truncated` */
  uint32be(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.take(4);
    return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
  }

  /**
   * A `uint64` as a safe integer.
   * @throws MeshError `bytes/truncated`, `bytes/too-large` above 2^53 - 1 (the cursor has moved then)
   */
  uint64be(): number {
    const high = this.uint32be();
    const low = this.uint32be();
    const value = high * 2 ** 32 + low;
    if (!Number.isSafeInteger(value)) {
      throw new MeshError(
        "bytes/too-large",
        `Cannot hold the 64-bit value ${high}·2^32 + ${low} exactly.`,
      );
    }
    return value;
  }
}
