// The part of protobuf's wire format that handshake payloads need, and a reader that is strict on purpose:
// what it does not read exactly, it refuses. https://protobuf.dev/programming-guides/encoding/

import { concatBytes, utf8Bytes } from "../foundation/index.ts";

/** A field as it stands on the wire; `bytes` is set for wire type 2 alone. */
export interface WireField {
  readonly number: number;
  readonly bytes: Uint8Array | undefined;
}

/** More fields than any valid payload has. */
export const FIELDS_MAX = 128;

const WIRE_VARINT = 0;
const WIRE_FIXED64 = 1;
const WIRE_BYTES = 2;
const WIRE_FIXED32 = 5;

/** The reader's position; -1 after an error. */
interface Cursor {
  at: number;
}

/**
 * A varint of at most 32 bits in its shortest form, or undefined.
 * Tags and lengths in a payload of a few kilobytes need no more.
 */
function readVarint32(bytes: Uint8Array, cursor: Cursor): number | undefined {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    const byte = bytes[cursor.at];
    if (byte === undefined) return undefined;
    cursor.at++;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return (i > 0 && byte === 0) || value >= 2 ** 32 ? undefined : value;
  }
  return undefined;
}

/** Skips a varint of at most ten bytes. */
function skipVarint(bytes: Uint8Array, cursor: Cursor): boolean {
  for (let i = 0; i < 10; i++) {
    const byte = bytes[cursor.at];
    if (byte === undefined) return false;
    cursor.at++;
    if (byte < 0x80) return true;
  }
  return false;
}

function skip(bytes: Uint8Array, cursor: Cursor, length: number): boolean {
  cursor.at += length;
  return cursor.at <= bytes.length;
}

/**
 * All fields in order, as views; undefined for anything malformed: truncated, groups, field number 0,
 * lengths or tags in a longer form than needed, more than {@link FIELDS_MAX} fields.
 */
export function readFields(bytes: Uint8Array): readonly WireField[] | undefined {
  const fields: WireField[] = [];
  const cursor: Cursor = { at: 0 };
  while (cursor.at < bytes.length) {
    const field = fields.length < FIELDS_MAX ? readField(bytes, cursor) : undefined;
    if (field === undefined) return undefined;
    fields.push(field);
  }
  return fields;
}

function readField(bytes: Uint8Array, cursor: Cursor): WireField | undefined {
  const tag = readVarint32(bytes, cursor);
  if (tag === undefined) return undefined;
  const number = Math.floor(tag / 8);
  if (number === 0) return undefined;
  switch (tag % 8) {
    case WIRE_BYTES: {
      const length = readVarint32(bytes, cursor);
      if (length === undefined || length > bytes.length - cursor.at) return undefined;
      const value = bytes.subarray(cursor.at, cursor.at + length);
      cursor.at += length;
      return { number, bytes: value };
    }
    case WIRE_VARINT:
      return skipVarint(bytes, cursor) ? { number, bytes: undefined } : undefined;
    case WIRE_FIXED64:
      return skip(bytes, cursor, 8) ? { number, bytes: undefined } : undefined;
    case WIRE_FIXED32:
      return skip(bytes, cursor, 4) ? { number, bytes: undefined } : undefined;
    default:
      return undefined;
  }
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

/** One field of wire type 2. */
export function bytesField(number: number, value: Uint8Array): Uint8Array {
  return concatBytes(varint(number * 8 + WIRE_BYTES), varint(value.length), value);
}

/** One string field. */
export function stringField(number: number, value: string): Uint8Array {
  return bytesField(number, utf8Bytes(value));
}
