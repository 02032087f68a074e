// What is inside a backup, as a ustar archive: the manifest first, then the database and the key seeds. Reading takes
// nothing but these names, in bounds, and the manifest's digests must fit: what was sealed is what comes out.

import { createHash } from "node:crypto";
import * as z from "zod";
import type { BackupErrorCode } from "../../control/index.ts";
import {
  concatBytes,
  MeshError,
  parseTarHeader,
  TAR_BLOCK,
  tarEnd,
  tarHeader,
  tarPadding,
  utf8Bytes,
} from "../../foundation/index.ts";
import { DATABASE_NAME } from "../sqlite/database.ts";

const MANIFEST_NAME = "manifest.json";
const KEY_NAME =
  /^keys\/(ed25519|ml-dsa-65|root|(?:root|intermediate|workload-root|jwt)-[A-Za-z0-9_-]{1,64})\.seed$/;
const SEED_BYTES = 32;
const MANIFEST_BYTES_MAX = 64 * 1024;
const KEYS_MAX = 64;
/** A state has a few megabytes; models of training tasks can make it a few hundred. */
export const DATABASE_BYTES_MAX = 2 ** 30;

const manifestSchema = z.strictObject({
  format: z.literal(1),
  createdAt: z.iso.datetime(),
  version: z.string().max(64),
  schema: z.int().min(1),
  nodeId: z.string().max(64),
  name: z.string().max(64).nullable(),
  trustDomain: z.string().max(255).nullable(),
  epoch: z.int().min(0),
  isIssuer: z.boolean(),
  /** SHA-256 of each file in hex. */
  files: z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/)),
});

/** What a backup says of itself. */
export type BackupManifest = z.infer<typeof manifestSchema>;

/** A file as it comes out of a backup. */
export interface ArchivedFile {
  readonly name: string;
  readonly size: number;
  /** To be read to its end before the next file. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** A file as it goes in. */
export interface FileToArchive {
  readonly name: string;
  readonly size: number;
  readonly content: () => Iterable<Uint8Array>;
}

/** The archive of a manifest and files. */
export function* writeArchive(
  manifest: BackupManifest,
  files: readonly FileToArchive[],
): Generator<Uint8Array> {
  const mtime = Math.floor(Date.parse(manifest.createdAt) / 1000);
  const text = utf8Bytes(`${JSON.stringify(manifest, null, 2)}\n`);
  yield concatBytes(
    tarHeader({ name: MANIFEST_NAME, size: text.length, mode: 0o600, mtime }),
    text,
    tarPadding(text.length),
  );
  for (const { name, size, content } of files) {
    yield tarHeader({ name, size, mode: 0o600, mtime });
    yield* content();
    yield tarPadding(size);
  }
  yield tarEnd();
}

/**
 * Reads an archive to its end, handing each file to `take`.
 * @throws MeshError `backup/bad-content`, and what reading and `take` throw
 */
export async function readArchive(
  stream: AsyncIterable<Uint8Array>,
  take: (file: ArchivedFile) => Promise<void>,
): Promise<BackupManifest> {
  const reader = new StreamReader(stream);
  const manifest = await readManifest(reader);
  const missing = new Map(Object.entries(manifest.files));
  for (let file = await header(reader); file !== undefined; file = await header(reader)) {
    const { name, size } = file;
    const digest = missing.get(name);
    if (digest === undefined || !isExpected(name, size))
      throw badContent(`the file ${name.slice(0, 80)}`);
    missing.delete(name);
    const hash = createHash("sha256");
    await take({ name, size, content: reader.hashed(size, hash) });
    if (hash.digest("hex") !== digest) throw badContent(`another ${name} than its manifest says`);
    await reader.take(tarPadding(size).length);
  }
  await reader.end();
  if (missing.size > 0) throw badContent(`no ${[...missing.keys()].slice(0, 3).join(", ")}`);
  return manifest;
}

async function readManifest(reader: StreamReader): Promise<BackupManifest> {
  const first = await header(reader);
  if (first?.name !== MANIFEST_NAME || first.size > MANIFEST_BYTES_MAX)
    throw badContent("no manifest");
  const text = await reader.take(first.size);
  await reader.take(tarPadding(first.size).length);
  try {
    const manifest = manifestSchema.parse(JSON.parse(new TextDecoder().decode(text)));
    const names = Object.keys(manifest.files);
    if (names.includes(DATABASE_NAME) && names.length <= KEYS_MAX + 1) return manifest;
  } catch {
    // What does not parse is refused below, as what does not fit.
  }
  throw badContent("a manifest that does not fit");
}

async function header(reader: StreamReader): Promise<ReturnType<typeof parseTarHeader>> {
  try {
    return parseTarHeader(await reader.take(TAR_BLOCK));
  } catch (cause) {
    if (cause instanceof MeshError && cause.code !== "tar/malformed") throw cause;
    throw badContent("a malformed archive");
  }
}

function isExpected(name: string, size: number): boolean {
  return name === DATABASE_NAME
    ? size <= DATABASE_BYTES_MAX
    : KEY_NAME.test(name) && size === SEED_BYTES;
}

function badContent(what: string): MeshError<BackupErrorCode> {
  return new MeshError(
    "backup/bad-content",
    `The backup opens, but holds ${what}. It was not made by this program; do not use it.`,
  );
}

/** Takes exact numbers of bytes from a stream. */
class StreamReader {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #held: Uint8Array = new Uint8Array(0);

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#iterator = stream[Symbol.asyncIterator]();
  }

  async take(length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for await (const part of this.#parts(length)) parts.push(part);
    return concatBytes(...parts);
  }

  /** Reads what is left, so that the whole stream is known to be authentic: the second zero block. */
  async end(): Promise<void> {
    const rest = await this.take(TAR_BLOCK);
    const next = await this.#iterator.next();
    if (
      rest.some((byte) => byte !== 0) ||
      this.#held.length > 0 ||
      (next.done !== true && next.value.length > 0)
    )
      throw badContent("something after its end");
  }

  /** The next bytes as they come; the hash is complete when all are read. */
  async *hashed(length: number, hash: ReturnType<typeof createHash>): AsyncGenerator<Uint8Array> {
    for await (const part of this.#parts(length)) {
      hash.update(part);
      yield part;
    }
  }

  async *#parts(length: number): AsyncGenerator<Uint8Array> {
    let left = length;
    while (left > 0) {
      if (this.#held.length === 0) {
        const next = await this.#iterator.next();
        if (next.done === true) throw badContent("an archive that breaks off");
        this.#held = next.value;
      }
      const part = this.#held.subarray(0, left);
      this.#held = this.#held.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }
}
