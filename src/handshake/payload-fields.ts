// Reads the fields of a payload one by one against a fixed list of what each may be.

import { utf8Text } from "../foundation/index.ts";
import { readFields } from "./protobuf.ts";

/** At most so many strings in one list, and bytes in one string. */
export const STRINGS_MAX = 32;
export const STRING_BYTES_MAX = 255;

/** Known fields of a message by number: how many, how long (inclusive bounds). */
export type FieldRules = Readonly<
  Record<
    number,
    { readonly countMax: number; readonly bytesMin: number; readonly bytesMax: number }
  >
>;

export const STRING_LIST = {
  countMax: STRINGS_MAX,
  bytesMin: 0,
  bytesMax: STRING_BYTES_MAX,
} as const;

/**
 * Values by field number, in the order of the wire; undefined if the message is malformed or breaks a rule.
 * `unknown` decides about fields without a rule.
 */
export function readMessage(
  bytes: Uint8Array,
  rules: FieldRules,
  unknown: "skip" | "refuse",
): ReadonlyMap<number, readonly Uint8Array[]> | undefined {
  const fields = readFields(bytes);
  if (fields === undefined) return undefined;
  const values = new Map<number, Uint8Array[]>();
  for (const { number, bytes: value } of fields) {
    const rule = rules[number];
    if (rule === undefined) {
      if (unknown === "refuse") return undefined;
      continue;
    }
    if (value === undefined || value.length < rule.bytesMin || value.length > rule.bytesMax)
      return undefined;
    const list = values.get(number) ?? [];
    if (list.length >= rule.countMax) return undefined;
    list.push(value);
    values.set(number, list);
  }
  return values;
}

/** The strings of a list; undefined if one is not UTF-8. */
export function readStrings(
  values: readonly Uint8Array[] | undefined,
): readonly string[] | undefined {
  try {
    return (values ?? []).map(utf8Text);
  } catch {
    return undefined; // the decoder's only error: malformed UTF-8
  }
}

/** A serialized libp2p Ed25519 PublicKey: `{1: KeyType = 1, 2: bytes}`, always these 36 bytes. */
export const IDENTITY_KEY_BYTES = 36;
const IDENTITY_KEY_PREFIX = [0x08, 0x01, 0x12, 0x20] as const;

/** Serializes a 32-byte Ed25519 key as libp2p does. */
export function identityKeyOf(ed25519: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(IDENTITY_KEY_BYTES);
  bytes.set(IDENTITY_KEY_PREFIX);
  bytes.set(ed25519, IDENTITY_KEY_PREFIX.length);
  return bytes;
}

/** The 32-byte key of 36 serialized bytes; undefined for another type or another encoding. */
export function ed25519Of(identityKey: Uint8Array | undefined): Uint8Array | undefined {
  if (identityKey?.length !== IDENTITY_KEY_BYTES) return undefined;
  const isEd25519 = IDENTITY_KEY_PREFIX.every((byte, i) => identityKey[i] === byte);
  return isEd25519 ? new Uint8Array(identityKey.subarray(IDENTITY_KEY_PREFIX.length)) : undefined;
}
