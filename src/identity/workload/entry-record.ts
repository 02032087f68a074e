// An entry as issuers keep it and will hand it on: one signed statement about one entry, made by one issuer. Of two statements about
// an entry the higher version counts, then the higher author, so issuers that have exchanged theirs agree. A deletion is a
// statement, too. `sequence` counts an author's statements: who has them up to a number can ask for those above it.

import * as z from "zod";
import { type CryptoEngine, ML_DSA_65, type MlDsaSigner } from "../../crypto/index.ts";
import {
  concatBytes,
  refuse,
  ok,
  type Result,
  utf8Bytes,
  utf8Text,
} from "../../foundation/index.ts";
import type { NodeId } from "../peer-identity.ts";
import { parseEntry, type RegistrationEntry } from "./entry.ts";

const CONTEXT = utf8Bytes("x0tta6bl4 registration entry v1");
/** Longest record: sixteen selectors with the longest paths, and all names. */
export const ENTRY_RECORD_BYTES_MAX = 96 * 1024;

/** One statement. */
export interface EntryRecord {
  readonly id: string;
  /** 1 for the first statement about an entry. */
  readonly version: number;
  readonly author: NodeId;
  readonly sequence: number;
  readonly atMs: number;
  /** `null`: the entry is deleted. */
  readonly entry: RegistrationEntry | null;
}

/** The end of the year 9999: what is later is no time that could be shown, and would break the list of all entries. */
const AT_MS_MAX = 253_402_300_799_999;

const shape = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{32}$/),
  version: z.int().min(1),
  author: z.string().regex(/^[0-9a-f]{64}$/),
  sequence: z.int().min(1),
  atMs: z.int().min(0).max(AT_MS_MAX),
  entry: z.unknown(),
});

/** JSON text, then the author's ML-DSA-65 signature of it. */
export function encodeEntryRecord(record: EntryRecord, signer: MlDsaSigner): Uint8Array {
  const text = utf8Bytes(JSON.stringify(record));
  return concatBytes(text, signer.sign(text, CONTEXT));
}

/**
 * Reads a record that `publicKey` signed.
 * Code: `identity/entry-record-invalid`.
 */
export function parseEntryRecord(
  engine: Pick<CryptoEngine, "mlDsa65">,
  input: {
    readonly bytes: Uint8Array;
    readonly publicKey: Uint8Array;
    readonly trustDomain: string;
  },
): Result<EntryRecord, "identity/entry-record-invalid"> {
  const { bytes, publicKey, trustDomain } = input;
  const split = bytes.length - ML_DSA_65.signatureBytes;
  if (split <= 0 || bytes.length > ENTRY_RECORD_BYTES_MAX) return invalid("length");
  const text = bytes.subarray(0, split);
  if (!engine.mlDsa65.verify(publicKey, text, bytes.subarray(split), CONTEXT))
    return invalid("signature");
  const parsed = shape.safeParse(parseJson(text));
  if (!parsed.success) return invalid("fields");
  const { entry: stated, ...head } = parsed.data;
  const record = { ...head, author: head.author as NodeId };
  if (stated === null) return ok({ ...record, entry: null });
  const entry = parseEntry(stated, trustDomain);
  if (!entry.ok) return invalid(entry.detail ?? "entry");
  return entry.value.id === record.id ? ok({ ...record, entry: entry.value }) : invalid("id");
}

/** Whether `next` counts more than `held`. */
export function supersedes(next: EntryRecord, held: EntryRecord): boolean {
  if (next.version !== held.version) return next.version > held.version;
  return next.author > held.author;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8Text(bytes));
  } catch {
    return undefined; // fits no schema
  }
}

function invalid(detail: string): ReturnType<typeof parseEntryRecord> {
  return refuse("identity/entry-record-invalid", detail);
}
