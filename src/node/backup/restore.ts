// `meshctl backup verify` and `restore`, without a daemon: verify reads everything and writes nothing; restore writes
// beside the old state and swaps at the end.

import { createReadStream, existsSync, readdirSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  type ArchivedFile,
  type BackupManifest,
  readArchive,
} from "../../adapters/backup/archive.ts";
import { unseal } from "../../adapters/backup/sealed-stream.ts";
import { DATABASE_NAME, lockDatabase } from "../../adapters/sqlite/database.ts";
import { MIGRATIONS, refuseNewer } from "../../adapters/sqlite/migrations.ts";
import {
  abandonRestore,
  beginRestore,
  commitRestore,
  finishRestore,
  moveIntoPlace,
  takeRestoreLock,
} from "../../adapters/sqlite/restore-swap.ts";
import { StateStore } from "../../adapters/sqlite/state-store.ts";
import type { Backup, BackupErrorCode, Body, Restored } from "../../control/index.ts";
import { concatBytes, errorMessage, isMeshError, MeshError } from "../../foundation/index.ts";
import type { WallMs } from "../../ports/index.ts";

/**
 * Opens every byte of a backup and checks its database.
 * @throws MeshError `backup/*`, `state/schema-too-new`
 */
export async function verifyBackup(file: string, passphrase: string): Promise<Body<Backup>> {
  let bytes = 0;
  const manifest = await readArchive(
    unseal(read(file), passphrase),
    async ({ name, size, content }) => {
      bytes += size;
      const parts: Uint8Array[] = [];
      for await (const part of content) parts.push(part);
      if (name === DATABASE_NAME) checkDatabase(concatBytes(...parts), file);
    },
  );
  return summary(manifest, bytes);
}

function checkDatabase(bytes: Uint8Array, file: string): void {
  const database = new DatabaseSync(":memory:");
  try {
    database.deserialize(bytes);
    refuseNewer(database, file, MIGRATIONS);
    const check = database.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
    if (check !== "ok") throw new Error(String(check));
  } catch (cause) {
    if (isMeshError(cause)) throw cause;
    throw new MeshError<BackupErrorCode>(
      "backup/bad-content",
      `The backup opens, but its database is not whole: ${errorMessage(cause)}. Take an older backup.`,
      {},
      { cause },
    );
  } finally {
    database.close();
  }
}

export interface RestoreOptions {
  readonly file: string;
  readonly passphrase: string;
  readonly stateDir: string;
  /** Whether a state that is there may be moved aside. */
  readonly replace: boolean;
  readonly now: Date;
}

/**
 * Restores a backup into a state directory that no daemon uses.
 * @throws MeshError `backup/*`, `state/in-use`, `state/not-writable`, `state/schema-too-new`; the state is then as it was
 */
export async function restoreBackup(options: RestoreOptions): Promise<Body<Restored>> {
  const { stateDir, replace, now } = options;
  finishRestore(stateDir);
  const database = join(stateDir, DATABASE_NAME);
  const isNew = !existsSync(database);
  // Also makes the directory, and keeps a daemon from starting until the new state is in its place.
  const daemonLock = lockDatabase(stateDir);
  const restoreLock = takeRestoreLock(stateDir);
  try {
    const replaced = hasState(stateDir, daemonLock);
    if (replaced && !replace) throw notEmpty(stateDir);
    const { manifest, bytes } = await stage(options);
    const aside = commitRestore(stateDir, now);
    daemonLock.close();
    moveIntoPlace(stateDir);
    if (!replaced) rmSync(aside, { recursive: true, force: true });
    return { ...summary(manifest, bytes), stateDir, replaced: replaced ? aside : null };
  } catch (cause) {
    abandonRestore(stateDir);
    if (isNew) rmSync(database, { force: true });
    if (isMeshError(cause)) throw cause;
    throw new MeshError<BackupErrorCode>(
      "backup/restore-failed",
      `Cannot restore into '${stateDir}': ${errorMessage(cause)}. The state there is as it was; see to the disk and try again.`,
      { directory: stateDir },
      { cause },
    );
  } finally {
    restoreLock.release();
    if (daemonLock.isOpen) daemonLock.close();
  }
}

async function stage({
  file,
  passphrase,
  stateDir,
  now,
}: RestoreOptions): Promise<{ manifest: BackupManifest; bytes: number }> {
  const fresh = beginRestore(stateDir);
  let bytes = 0;
  const manifest = await readArchive(unseal(read(file), passphrase), async (archived) => {
    bytes += archived.size;
    await write(join(fresh, archived.name), archived);
  });
  const store = new StateStore(fresh);
  try {
    store.settleRestored(now.getTime() as WallMs);
  } finally {
    store.close();
  }
  return { manifest, bytes };
}

async function write(path: string, { content }: ArchivedFile): Promise<void> {
  const handle = await open(path, "wx", 0o600);
  try {
    for await (const part of content) await handle.writeFile(part);
  } finally {
    await handle.close();
  }
}

/** A state that somebody could miss: keys, or a database with a schema, or one that nobody can read. */
function hasState(stateDir: string, database: DatabaseSync): boolean {
  const keys = join(stateDir, "keys");
  if (existsSync(keys) && readdirSync(keys).length > 0) return true;
  try {
    return Number(database.prepare("PRAGMA user_version").get()?.["user_version"]) > 0;
  } catch {
    return true;
  }
}

function notEmpty(stateDir: string): MeshError<BackupErrorCode> {
  return new MeshError(
    "backup/state-not-empty",
    `Cannot restore into '${stateDir}': there is a state already. If it may be replaced, run it again with --replace: the old one is moved aside, not deleted.`,
    { directory: stateDir },
  );
}

async function* read(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(file) as AsyncIterable<Uint8Array>;
  } catch (cause) {
    throw new MeshError<BackupErrorCode>(
      "backup/unreadable",
      `Cannot read '${file}': ${errorMessage(cause)}. Name a file that this user may read.`,
      { file },
      { cause },
    );
  }
}

function summary(
  { files: _files, format: _format, ...rest }: BackupManifest,
  bytes: number,
): Body<Backup> {
  return { ...rest, bytes };
}
