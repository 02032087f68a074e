// A gate in front of the ASN.1 library, which reads BER: it lets through strict DER within bounds and nothing
// else, so that a certificate has one encoding and no nested input can exhaust stack or memory.
// ITU-T X.690 sections 8, 10 and 11.

import { isTimeText } from "./time-text.ts";

const CONSTRUCTED = 0x20;
const TAG_NUMBER = 0x1f;
const CLASS = 0xc0;

/** Deepest nesting: a certificate with our extensions needs eight. */
const DEPTH_MAX = 16;
/** Most elements: a certificate of ours has about ninety. */
const ELEMENTS_MAX = 512;

interface Walk {
  readonly bytes: Uint8Array;
  elements: number;
}

/**
 * Whether `bytes` is exactly one DER element: definite minimal lengths, low tag numbers, canonical BOOLEAN,
 * INTEGER, BIT STRING padding, OID arcs and time text, strings primitive, SEQUENCE and SET constructed, nothing behind it.
 */
export function isStrictDer(bytes: Uint8Array): boolean {
  return readElement({ bytes, elements: 0 }, 0, bytes.length, 0) === bytes.length;
}

/** Checks the element at `start`; its end, or -1 when it is no DER. */
function readElement(walk: Walk, start: number, limit: number, depth: number): number {
  if (depth > DEPTH_MAX || ++walk.elements > ELEMENTS_MAX || limit - start < 2) return -1;
  const tag = walk.bytes[start] ?? 0;
  if ((tag & TAG_NUMBER) === TAG_NUMBER) return -1;
  const header = readLength(walk.bytes, start + 1, limit);
  if (header === undefined) return -1;
  const { contentStart, contentEnd } = header;
  if ((tag & CONSTRUCTED) === 0) {
    return isCanonicalPrimitive(tag, walk.bytes.subarray(contentStart, contentEnd))
      ? contentEnd
      : -1;
  }
  if (!mayBeConstructed(tag)) return -1;
  let offset = contentStart;
  while (offset < contentEnd) {
    offset = readElement(walk, offset, contentEnd, depth + 1);
    if (offset < 0) return -1;
  }
  return contentEnd;
}

function readLength(
  bytes: Uint8Array,
  offset: number,
  limit: number,
): { readonly contentStart: number; readonly contentEnd: number } | undefined {
  const first = bytes[offset] ?? 0;
  let length = first;
  let contentStart = offset + 1;
  if (first >= 0x80) {
    const digits = first & 0x7f;
    // No indefinite form, and two length bytes reach 64 KiB, far above any bound of ours.
    if (digits < 1 || digits > 2 || contentStart + digits > limit) return undefined;
    length = 0;
    for (let i = 0; i < digits; i++) length = length * 0x100 + (bytes[contentStart + i] ?? 0);
    if (length < (digits === 1 ? 0x80 : 0x100)) return undefined;
    contentStart += digits;
  }
  const contentEnd = contentStart + length;
  return contentEnd > limit ? undefined : { contentStart, contentEnd };
}

function mayBeConstructed(tag: number): boolean {
  // Universal class: SEQUENCE and SET alone. Context class: explicit tags and implicit sequences. No others occur.
  const tagClass = tag & CLASS;
  return tagClass === 0 ? tag === 0x30 || tag === 0x31 : tagClass === 0x80;
}

function isCanonicalPrimitive(tag: number, content: Uint8Array): boolean {
  switch (tag) {
    case 0x00: // end-of-contents
    case 0x10: // SEQUENCE must be constructed
    case 0x11: // SET must be constructed
      return false;
    case 0x01:
      return content.length === 1 && (content[0] === 0x00 || content[0] === 0xff);
    case 0x02:
      return isMinimalInteger(content);
    case 0x03:
      return isCanonicalBitString(content);
    case 0x05:
      return content.length === 0;
    case 0x06:
      return isMinimalOid(content);
    case 0x17:
      return isTimeText(content, "utc");
    case 0x18:
      return isTimeText(content, "generalized");
    default:
      return true;
  }
}

function isMinimalInteger(content: Uint8Array): boolean {
  const [first, second] = content;
  if (first === undefined) return false;
  if (second === undefined) return true;
  return !(first === 0x00 && second < 0x80) && !(first === 0xff && second >= 0x80);
}

function isCanonicalBitString(content: Uint8Array): boolean {
  const [unused] = content;
  if (unused === undefined || unused > 7) return false;
  // Named bits (key usage, at most two bytes) may leave bits unused; keys and signatures are whole bytes.
  if (content.length === 1 || content.length > 3) return unused === 0;
  const last = content[content.length - 1] ?? 0;
  return (last & ((1 << unused) - 1)) === 0;
}

function isMinimalOid(content: Uint8Array): boolean {
  if (content.length === 0) return false;
  let arcStart = true;
  for (const byte of content) {
    if (arcStart && byte === 0x80) return false;
    arcStart = byte < 0x80;
  }
  return arcStart;
}
