// States and backups of them, without a daemon.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { KeyFiles } from "../../../src/adapters/key-files.ts";
import { systemRandom } from "../../../src/adapters/random.ts";
import { StateStore } from "../../../src/adapters/sqlite/state-store.ts";
import { backupKey, newBackupHeader, parseBackupHeader } from "../../../src/control/index.ts";
import { toHex } from "../../../src/foundation/index.ts";
import { createBackup } from "../../../src/node/backup/create.ts";
import type { WallMs } from "../../../src/ports/index.ts";

export const PASSPHRASE = "five random words are good";
/** The cheapest that a reader takes. */
const CHEAP_LOG_N = 10;

/** A state whose every part tells whose it is. */
export interface Whose {
  readonly name: string;
  readonly seedByte: number;
}

/** Makes a state, with a running training task that gives its database some size. */
export function makeState(stateDir: string, { name, seedByte }: Whose): void {
  const store = new StateStore(stateDir);
  store.saveCredential({
    trustDomain: "a.mesh",
    name,
    bundle: "{}",
    chain: [Uint8Array.of(seedByte)],
  });
  store.nextEpoch(1_800_000_000_000 as WallMs);
  store.tokens.insert({ secretHash: "aa", expiresAtMs: 1_900_000_000_000 as WallMs });
  store.saveTask(
    {
      taskId: `task-${name}`,
      signed: new Uint8Array(8),
      state: "running",
      round: 3,
      model: new Uint8Array(300_000).fill(seedByte),
      history: "[]",
    },
    1_800_000_000_000 as WallMs,
  );
  store.close();
  const keys = new KeyFiles(join(stateDir, "keys"), systemRandom);
  for (const seed of ["ed25519", "ml-dsa-65"] as const)
    keys.save(seed, new Uint8Array(32).fill(seedByte));
}

/** Writes a backup of a state that no daemon uses; with `schema`, as a later meshd would have made it. */
export async function backUp(
  stateDir: string,
  file: string,
  { schema }: { readonly schema?: number } = {},
): Promise<void> {
  const header = newBackupHeader(CHEAP_LOG_N);
  const key = await backupKey(PASSPHRASE, parseBackupHeader(header));
  const store = new StateStore(stateDir);
  if (schema !== undefined) {
    const snapshot = store.snapshot.bind(store);
    store.snapshot = (copy) => {
      snapshot(copy);
      const database = new DatabaseSync(copy);
      database.exec(`PRAGMA user_version = ${schema}`);
      database.close();
    };
  }
  const keyFiles = new KeyFiles(join(stateDir, "keys"), systemRandom);
  const source = { stateDir, store, keyFiles, nodeId: "n1", version: "0.0.0" };
  const parts: Uint8Array[] = [];
  for await (const part of createBackup(source, { header: toHex(header), key: toHex(key) }))
    parts.push(part);
  store.close();
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, Buffer.concat(parts));
}

/** Whose state it is; throws when its parts are not of one. */
export function whoseState(stateDir: string): string {
  const store = new StateStore(stateDir);
  try {
    const { name, chain } = store.credential() ?? { name: "nobody", chain: [] };
    const seed = new KeyFiles(join(stateDir, "keys"), systemRandom).existing("ed25519")[0];
    if (seed !== chain[0]?.[0]) throw new Error(`the keys are not ${name}'s`);
    return name;
  } finally {
    store.close();
  }
}
