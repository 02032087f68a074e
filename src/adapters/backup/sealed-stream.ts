// Authenticated encryption of a stream in chunks (the STREAM construction: Hoang, Reyhanitabar, Rogaway, Vizár 2015).
// Each chunk holds 64 KiB of plaintext, the last one 0 to 64 KiB, sealed with AES-256-GCM:
//
//   nonce = seven zero bytes | number of the chunk (4, big-endian) | 1 for the last chunk, else 0
//   additional data = the file's head
//
// The key is of this file alone (its salt is random), so no nonce repeats. Chunks cannot be changed, swapped, left out
// or cut off: numbers and the mark of the last one are in the nonces. Nothing is given out before it is authenticated.

import { createCipheriv, createDecipheriv } from "node:crypto";
import {
  BACKUP_HEADER_BYTES,
  type BackupErrorCode,
  backupKey,
  parseBackupHeader,
} from "../../control/index.ts";
import { concatBytes, MeshError, uint32be } from "../../foundation/index.ts";

export const CHUNK_BYTES = 64 * 1024;
const TAG_BYTES = 16;
const CIPHER = "aes-256-gcm";

type Bytes = AsyncIterable<Uint8Array>;

/** The bytes of a backup's file: head and sealed chunks. The key is wiped at the end. */
export async function* seal(
  header: Uint8Array,
  key: Uint8Array,
  plain: Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield header;
    let number = 0;
    for await (const { bytes, isLast } of chunks(plain, CHUNK_BYTES)) {
      const cipher = createCipheriv(CIPHER, key, nonce(number++, isLast)).setAAD(header);
      yield concatBytes(cipher.update(bytes), cipher.final(), cipher.getAuthTag());
    }
  } finally {
    key.fill(0);
  }
}

/**
 * The plaintext of a backup's file.
 * @throws MeshError `backup/not-a-backup`, `backup/version-unknown`, `backup/wrong-passphrase`, `backup/damaged`, `backup/truncated`
 */
export async function* unseal(file: Bytes, passphrase: string): AsyncGenerator<Uint8Array> {
  const { head, rest } = await split(file, BACKUP_HEADER_BYTES);
  const key = await backupKey(passphrase, parseBackupHeader(head));
  try {
    let number = 0;
    for await (const { bytes, isLast } of chunks(rest, CHUNK_BYTES + TAG_BYTES)) {
      const plain = open(bytes, key, head, number, isLast);
      if (plain === undefined) throw unopened(bytes, key, head, number, isLast);
      yield plain;
      number += 1;
    }
  } finally {
    key.fill(0);
  }
}

function nonce(number: number, isLast: boolean): Uint8Array {
  return concatBytes(new Uint8Array(7), uint32be(number), Uint8Array.of(isLast ? 1 : 0));
}

function open(
  sealed: Uint8Array,
  key: Uint8Array,
  header: Uint8Array,
  number: number,
  isLast: boolean,
): Uint8Array | undefined {
  if (sealed.length < TAG_BYTES) return undefined;
  const decipher = createDecipheriv(CIPHER, key, nonce(number, isLast), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(header).setAuthTag(sealed.subarray(-TAG_BYTES));
  try {
    return concatBytes(decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final());
  } catch {
    return undefined; // what that means depends on the place; see unopened
  }
}

/** A chunk in the middle that opens where the file ends: the rest was cut off. The first that does not open: the key. */
function unopened(
  bytes: Uint8Array,
  key: Uint8Array,
  header: Uint8Array,
  number: number,
  isLast: boolean,
): MeshError<BackupErrorCode> {
  if (isLast && (bytes.length < TAG_BYTES || open(bytes, key, header, number, false) !== undefined))
    return new MeshError(
      "backup/truncated",
      "The backup breaks off: its end is missing. Copy it again whole, or take another one.",
    );
  if (number === 0)
    return new MeshError(
      "backup/wrong-passphrase",
      "The passphrase does not open the backup, or its beginning is damaged. Check the passphrase, then take another copy.",
    );
  return new MeshError(
    "backup/damaged",
    `The backup is damaged in its chunk ${number}. Take another copy of it.`,
    { chunk: number },
  );
}

/** The stream in pieces of `size` bytes; the last one is shorter or as long, and empty only when all is empty. */
async function* chunks(
  stream: Bytes | Iterable<Uint8Array>,
  size: number,
): AsyncGenerator<{ bytes: Uint8Array; isLast: boolean }> {
  let held = new Uint8Array(0);
  for await (const part of stream) {
    held = concatBytes(held, part) as Uint8Array<ArrayBuffer>;
    let start = 0;
    // One byte more than a piece must be there: else it may be the last one.
    for (; held.length - start > size; start += size)
      yield { bytes: held.slice(start, start + size), isLast: false };
    held = held.slice(start);
  }
  yield { bytes: held, isLast: true };
}

async function split(stream: Bytes, length: number): Promise<{ head: Uint8Array; rest: Bytes }> {
  const iterator = stream[Symbol.asyncIterator]();
  let held = new Uint8Array(0);
  while (held.length < length) {
    const next = await iterator.next();
    if (next.done === true) break;
    held = concatBytes(held, next.value) as Uint8Array<ArrayBuffer>;
  }
  async function* rest(): AsyncGenerator<Uint8Array> {
    yield held.slice(length);
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  return { head: held.slice(0, length), rest: rest() };
}
