// Reads BER (X.690): cloud providers write PKCS#7 with indefinite lengths and strings in pieces, which DER forbids. Bounded in size,
// depth and number of elements; whatever is not understood is no element.

const DEPTH_MAX = 16;
const ELEMENTS_MAX = 512;

/** One element. Views share memory with what was read. */
export interface BerElement {
  /** The identifier octet; tags above 30 are not read. */
  readonly tag: number;
  /** What stands between the length and the end. */
  readonly content: Uint8Array;
  /** Identifier, length and content; of an indefinite length with its end. */
  readonly encoded: Uint8Array;
  /** Whether the length was written before the content. */
  readonly isDefinite: boolean;
  /** Of a constructed element, its parts. */
  readonly parts: readonly BerElement[];
}

/** The one element that bytes are; undefined for anything else. */
export function readBer(bytes: Uint8Array): BerElement | undefined {
  const reader = new BerReader(bytes);
  const element = reader.element(0, bytes.length, 0);
  return element?.encoded.length === bytes.length ? element : undefined;
}

/** The octets of an OCTET STRING, or of a context-tagged one, in one piece or several. */
export function octetsOf({ tag, content, parts }: BerElement): Uint8Array | undefined {
  if ((tag & 0x20) === 0) return content;
  const pieces = parts.map((part) => (part.tag === 0x04 ? part.content : undefined));
  return pieces.every((piece) => piece !== undefined)
    ? new Uint8Array(Buffer.concat(pieces))
    : undefined;
}

class BerReader {
  readonly #bytes: Uint8Array;
  #elements = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  element(start: number, end: number, depth: number): BerElement | undefined {
    const tag = this.#bytes[start];
    if (++this.#elements > ELEMENTS_MAX || depth > DEPTH_MAX) return undefined;
    if (tag === undefined || start + 2 > end || (tag & 0x1f) === 0x1f) return undefined;
    if (this.#bytes[start + 1] === 0x80)
      return (tag & 0x20) === 0 ? undefined : this.#indefinite(tag, start, end, depth);
    const length = this.#length(start + 1, end);
    if (length === undefined || length.value > end - length.end) return undefined;
    const stop = length.end + length.value;
    const parts = (tag & 0x20) === 0 ? [] : this.#parts(length.end, stop, depth);
    if (parts === undefined) return undefined;
    return {
      ...{ tag, parts, isDefinite: true },
      content: this.#bytes.subarray(length.end, stop),
      encoded: this.#bytes.subarray(start, stop),
    };
  }

  #parts(start: number, end: number, depth: number): BerElement[] | undefined {
    const parts: BerElement[] = [];
    for (let at = start; at < end; ) {
      const part = this.element(at, end, depth + 1);
      if (part === undefined) return undefined;
      parts.push(part);
      at += part.encoded.length;
    }
    return parts;
  }

  /** Elements up to two zero octets. */
  #indefinite(tag: number, start: number, end: number, depth: number): BerElement | undefined {
    const parts: BerElement[] = [];
    for (let at = start + 2; at + 2 <= end; ) {
      if (this.#bytes[at] === 0 && this.#bytes[at + 1] === 0) {
        const content = this.#bytes.subarray(start + 2, at);
        const encoded = this.#bytes.subarray(start, at + 2);
        return { tag, parts, content, encoded, isDefinite: false };
      }
      const part = this.element(at, end, depth + 1);
      if (part === undefined) return undefined;
      parts.push(part);
      at += part.encoded.length;
    }
    return undefined;
  }

  #length(
    start: number,
    end: number,
  ): { readonly value: number; readonly end: number } | undefined {
    const first = this.#bytes[start] ?? 0;
    if (first < 0x80) return { value: first, end: start + 1 };
    const count = first & 0x7f;
    if (count > 3 || start + 1 + count > end) return undefined;
    let value = 0;
    for (let i = 1; i <= count; i++) value = value * 256 + (this.#bytes[start + i] ?? 0);
    return { value, end: start + 1 + count };
  }
}
