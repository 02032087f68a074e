// The head of a backup's file, and how a passphrase becomes the file's key. In this room because meshctl does it: the
// passphrase never reaches the daemon, and the memory that scrypt takes is not the daemon's.
//
// "x0backup" (8) | version (1) = 1 | log2 N (1) | r (1) | p (1) | salt (16)
// key = scrypt(NFC(passphrase), salt, N, r, p), 32 bytes (RFC 7914). What follows: adapters/backup/sealed-stream.ts.

import { randomBytes, scrypt } from "node:crypto";
import { concatBytes, MeshError, utf8Bytes } from "../foundation/index.ts";

export type BackupErrorCode =
  | "backup/not-a-backup"
  | "backup/version-unknown"
  | "backup/wrong-passphrase"
  | "backup/damaged"
  | "backup/truncated"
  | "backup/bad-content"
  | "backup/unreadable"
  | "backup/state-not-empty"
  | "backup/restore-failed";

export const BACKUP_HEADER_BYTES = 28;
const MAGIC = utf8Bytes("x0backup");
const VERSION = 1;
const SALT_BYTES = 16;
/** 128 MiB and about a second of one core: OWASP's advice for scrypt, 2023. */
const WRITTEN = { logN: 17, r: 8, p: 1 } as const;
/** What a file may ask of the reader: at most four times as much memory and time as we write. A stranger's file costs no more. */
const READ_MAX = { logN: 19, r: 8, p: 4 } as const;
const READ_MIN_LOG_N = 10;

export interface BackupHeader {
  readonly logN: number;
  readonly r: number;
  readonly p: number;
  readonly salt: Uint8Array;
}

/** A head for a new file, with a salt of its own; `cheap` is for tests alone. */
export function newBackupHeader(logN: number = WRITTEN.logN): Uint8Array {
  const { r, p } = WRITTEN;
  return concatBytes(MAGIC, Uint8Array.of(VERSION, logN, r, p), randomBytes(SALT_BYTES));
}

/** @throws MeshError `backup/not-a-backup`, `backup/version-unknown` */
export function parseBackupHeader(bytes: Uint8Array): BackupHeader {
  if (bytes.length !== BACKUP_HEADER_BYTES || MAGIC.some((byte, i) => bytes[i] !== byte))
    throw refused(
      "backup/not-a-backup",
      "This is no backup of meshd. Name the file that meshctl backup create wrote.",
    );
  const [version = 0, logN = 0, r = 0, p = 0] = bytes.subarray(MAGIC.length);
  if (version !== VERSION)
    throw refused(
      "backup/version-unknown",
      `The backup has format ${version}, this meshd reads ${VERSION}. Use the meshd that wrote it, or a newer one.`,
    );
  if (logN < READ_MIN_LOG_N || logN > READ_MAX.logN || r !== READ_MAX.r || p < 1 || p > READ_MAX.p)
    throw refused(
      "backup/not-a-backup",
      `The backup asks for scrypt with N = 2^${logN}, r = ${r}, p = ${p}, which meshd never writes. It is damaged, or a trap.`,
    );
  return { logN, r, p, salt: bytes.slice(MAGIC.length + 4) };
}

/** The 32-byte key of a file. Takes about a second; wipe it after use. */
export function backupKey(
  passphrase: string,
  { logN, r, p, salt }: BackupHeader,
): Promise<Uint8Array> {
  const N = 2 ** logN;
  const options = { N, r, p, maxmem: 256 * N * r };
  return new Promise((resolve, reject) => {
    scrypt(passphrase.normalize("NFC"), salt, 32, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

function refused(code: BackupErrorCode, message: string): MeshError<BackupErrorCode> {
  return new MeshError(code, message);
}
