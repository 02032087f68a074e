// `meshctl backup create`: a consistent copy of the state while the daemon runs, sealed before it leaves the process.

import { createHash } from "node:crypto";
import { closeSync, openSync, readSync, rmSync, fstatSync } from "node:fs";
import { join } from "node:path";
import { type FileToArchive, writeArchive } from "../../adapters/backup/archive.ts";
import { seal } from "../../adapters/backup/sealed-stream.ts";
import type { KeyFiles } from "../../adapters/key-files.ts";
import { DATABASE_NAME } from "../../adapters/sqlite/database.ts";
import type { StateStore } from "../../adapters/sqlite/state-store.ts";
import { type BackupRequest, parseBackupHeader } from "../../control/index.ts";
import { fromHex } from "../../foundation/index.ts";

export interface BackupSource {
  readonly stateDir: string;
  readonly store: StateStore;
  readonly keyFiles: KeyFiles;
  readonly nodeId: string;
  readonly version: string;
}

const READ_BYTES = 64 * 1024;

/**
 * The bytes of the backup's file. The database and the seeds are of one moment: nothing else runs in between.
 * @throws MeshError `backup/not-a-backup` for a head that no reader would accept, `state/*`
 */
export function createBackup(
  source: BackupSource,
  { header, key }: BackupRequest,
): AsyncIterable<Uint8Array> {
  const head = fromHex(header);
  parseBackupHeader(head);
  const { stateDir, store, keyFiles, nodeId, version } = source;
  const database = snapshotOf(store, join(stateDir, "snapshot.sqlite"));
  const seeds = keyFiles.names().map((name): FileToArchive & { digest: string } => {
    const seed = keyFiles.existing(name);
    return {
      name: `keys/${name}.seed`,
      size: seed.length,
      digest: createHash("sha256").update(seed).digest("hex"),
      content: function* () {
        yield seed;
        seed.fill(0);
      },
    };
  });
  const files = [database, ...seeds];
  const credential = store.credential();
  const manifest = {
    format: 1 as const,
    createdAt: new Date().toISOString(),
    version,
    schema: store.schemaVersion,
    nodeId,
    name: credential?.name ?? null,
    trustDomain: credential?.trustDomain ?? null,
    epoch: store.epoch(),
    isIssuer: store.issuer() !== undefined,
    files: Object.fromEntries(files.map(({ name, digest }) => [name, digest])),
  };
  return seal(head, fromHex(key), writeArchive(manifest, files));
}

/** A copy that has no name on the disk any more when this returns: whatever happens, nothing of it is left. */
function snapshotOf(store: StateStore, file: string): FileToArchive & { digest: string } {
  rmSync(file, { force: true });
  let descriptor: number;
  try {
    store.snapshot(file);
    descriptor = openSync(file, "r");
  } finally {
    rmSync(file, { force: true });
  }
  const hash = createHash("sha256");
  for (const part of partsOf(descriptor)) hash.update(part);
  return {
    name: DATABASE_NAME,
    size: fstatSync(descriptor).size,
    digest: hash.digest("hex"),
    content: function* () {
      try {
        yield* partsOf(descriptor);
      } finally {
        closeSync(descriptor);
      }
    },
  };
}

function* partsOf(descriptor: number): Generator<Uint8Array> {
  for (let position = 0; ; ) {
    const part = new Uint8Array(READ_BYTES);
    const length = readSync(descriptor, part, 0, READ_BYTES, position);
    if (length === 0) return;
    position += length;
    yield part.subarray(0, length);
  }
}
