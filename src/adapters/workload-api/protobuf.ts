// The part of protobuf's wire format that the Workload API needs. Reading keeps to what a client may send: fields of bytes,
// unknown ones skipped, everything bounded. https://protobuf.dev/programming-guides/encoding/

import { concatBytes, utf8Bytes, utf8Text } from "../../foundation/index.ts";

const WIRE_VARINT = 0;
const WIRE_FIXED64 = 1;
const WIRE_BYTES = 2;
const WIRE_FIXED32 = 5;
const FIELDS_MAX = 256;

/** A message as its fields of bytes, by number in their order; undefined for what is no protobuf or has too many fields. */
export function readMessage(
  bytes: Uint8Array,
): ReadonlyMap<number, readonly Uint8Array[]> | undefined {
  const fields = new Map<number, Uint8Array[]>();
  let at = 0;
  for (let count = 0; at < bytes.length; count++) {
    const tag = count < FIELDS_MAX ? readVarint(bytes, at) : undefined;
    if (tag === undefined || tag.value < 8) return undefined;
    const payload = readPayload(bytes, tag.end, tag.value % 8);
    if (payload === undefined) return undefined;
    at = payload.end;
    if (payload.bytes === undefined) continue;
    const number = Math.floor(tag.value / 8);
    fields.set(number, [...(fields.get(number) ?? []), payload.bytes]);
  }
  return fields;
}

/** The text of bytes; undefined when they are no UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return utf8Text(bytes);
  } catch {
    return undefined;
  }
}

/** A field of bytes, also an empty one. */
export function bytesField(number: number, value: Uint8Array): Uint8Array {
  return concatBytes(varint(number * 8 + WIRE_BYTES), varint(value.length), value);
}

/** A field of text; empty is the default and not written. */
export function textField(number: number, value: string): Uint8Array {
  return value === "" ? new Uint8Array(0) : bytesField(number, utf8Bytes(value));
}

/** An entry of a map from text to bytes. */
export function mapField(number: number, key: string, value: Uint8Array): Uint8Array {
  return bytesField(number, concatBytes(textField(1, key), bytesField(2, value)));
}

/** A field of type double. */
export function doubleField(number: number, value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return concatBytes(varint(number * 8 + WIRE_FIXED64), bytes);
}

/** A field of a small unsigned number or a truth value. */
export function varintField(number: number, value: number): Uint8Array {
  return concatBytes(varint(number * 8 + WIRE_VARINT), varint(value));
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

interface Read {
  readonly value: number;
  readonly end: number;
}

/** A varint of at most ten bytes; what does not fit 32 bits is no tag or length of ours and reads as a large number. */
function readVarint(bytes: Uint8Array, start: number): Read | undefined {
  let value = 0;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[start + i];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, end: start + i + 1 };
  }
  return undefined;
}

function readPayload(
  bytes: Uint8Array,
  start: number,
  wireType: number,
): { readonly bytes?: Uint8Array; readonly end: number } | undefined {
  const skip = (end: number | undefined): { end: number } | undefined =>
    end !== undefined && end <= bytes.length ? { end } : undefined;
  switch (wireType) {
    case WIRE_VARINT:
      return skip(readVarint(bytes, start)?.end);
    case WIRE_FIXED64:
      return skip(start + 8);
    case WIRE_FIXED32:
      return skip(start + 4);
    case WIRE_BYTES: {
      const length = readVarint(bytes, start);
      if (length === undefined || length.value > bytes.length - length.end) return undefined;
      const end = length.end + length.value;
      return { bytes: bytes.subarray(length.end, end), end };
    }
    default:
      return undefined;
  }
}
