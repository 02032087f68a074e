// Key seeds on disk: 32 raw bytes a file, mode 0600.

import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { equalBytes, errorMessage, MeshError } from "../foundation/index.ts";
import type { Random } from "../ports/index.ts";
import { diskFull } from "./sqlite/database.ts";
import type { StateErrorCode } from "./sqlite/state-error-code.ts";

export const SEED_BYTES = 32;

/** The two seeds that every node has. */
export type OwnSeedName = "ed25519" | "ml-dsa-65";

/** The seeds a node may have: its own two, and on issuers those of each root, of each intermediate in use, and for workloads. */
export type SeedName =
  | OwnSeedName
  | "root"
  | `root-${string}`
  | `intermediate-${string}`
  | `workload-root-${string}`
  | `jwt-${string}`;

export class KeyFiles {
  readonly #directory: string;
  readonly #random: Random;
  readonly #given: ReadonlyMap<SeedName, Uint8Array>;

  /**
   * @param directory `<state_dir>/keys`; made when missing, mode 0700
   * @param given seeds from elsewhere, which take the place of files: credentials of the service manager
   */
  constructor(
    directory: string,
    random: Random,
    given: ReadonlyMap<SeedName, Uint8Array> = new Map(),
  ) {
    this.#directory = directory;
    this.#random = random;
    this.#given = given;
  }

  /**
   * The seed of that name; a fresh one is made and synced to disk at the first call.
   * @throws MeshError `state/key-unreadable`: wrong length, readable by others, or an I/O error; `state/disk-full`;
   * `state/key-conflict`: one was given, and the file holds another
   */
  seed(name: SeedName): Uint8Array {
    const file = this.#file(name);
    try {
      const given = this.#given.get(name);
      const stored = this.#read(file);
      if (given !== undefined) return sameSeed(given, stored, file);
      return stored ?? this.#write(file, this.#random.bytes(SEED_BYTES));
    } catch (cause) {
      if (cause instanceof MeshError) throw cause;
      throw new MeshError(
        "state/key-unreadable",
        `Cannot use the key file '${file}': ${errorMessage(cause)}. Check its owner and mode.`,
        { file },
        { cause },
      );
    }
  }

  /**
   * The seed of that name, which must be there.
   * @throws MeshError `state/key-missing`, `state/key-unreadable`
   */
  existing(name: SeedName): Uint8Array {
    const file = this.#file(name);
    if (this.#given.has(name) || existsSync(file)) return this.seed(name);
    throw new MeshError(
      "state/key-missing",
      `Cannot find the key file '${file}', although this node is enrolled. Restore it from a backup, or remove the state directory and join again.`,
      { file },
    );
  }

  /** Keeps a seed that was made elsewhere; synced to disk when it returns. @throws MeshError `state/disk-full` */
  save(name: SeedName, seed: Uint8Array): void {
    this.#write(this.#file(name), seed);
  }

  /** The names of all seeds there are, those from elsewhere included, in alphabetical order. */
  names(): SeedName[] {
    const files = existsSync(this.#directory) ? readdirSync(this.#directory) : [];
    const stored = files
      .filter((file) => file.endsWith(".seed"))
      .map((file) => file.slice(0, -".seed".length) as SeedName);
    return [...new Set([...stored, ...this.#given.keys()])].sort();
  }

  /** Deletes a seed that is no longer used; none is no error. */
  remove(name: SeedName): void {
    rmSync(this.#file(name), { force: true });
  }

  #file(name: SeedName): string {
    return join(this.#directory, `${name}.seed`);
  }

  #read(file: string): Uint8Array | undefined {
    let seed: Uint8Array;
    try {
      seed = new Uint8Array(readFileSync(file));
    } catch (error) {
      if ((error as { code?: string }).code === "ENOENT") return undefined;
      throw error;
    }
    const mode = statSync(file).mode & 0o777;
    if ((mode & 0o077) !== 0) {
      throw new MeshError(
        "state/key-unreadable",
        `Cannot use the key file '${file}': its mode ${mode.toString(8)} lets others read it. Run chmod 600 on it.`,
        { file },
      );
    }
    if (seed.length !== SEED_BYTES) {
      throw new MeshError(
        "state/key-unreadable",
        `Cannot use the key file '${file}': it has ${seed.length} bytes instead of ${SEED_BYTES}. Restore it from a backup.`,
        { file },
      );
    }
    return seed;
  }

  /** Written under another name and renamed, so that a crash leaves a whole seed or none. */
  #write(file: string, seed: Uint8Array): Uint8Array {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    chmodSync(this.#directory, 0o700);
    const fresh = `${file}.new`;
    try {
      const descriptor = openSync(fresh, "w", 0o600);
      try {
        writeSync(descriptor, seed);
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
    } catch (cause) {
      rmSync(fresh, { force: true });
      if (isDiskFull(cause)) throw diskFull(file, cause);
      throw cause;
    }
    renameSync(fresh, file);
    const directory = openSync(dirname(file), "r");
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
    return seed;
  }
}

/** A node with two keys under one name would be two nodes by turns. */
function sameSeed(given: Uint8Array, stored: Uint8Array | undefined, file: string): Uint8Array {
  if (stored === undefined || equalBytes(given, stored)) return given.slice();
  throw new MeshError<StateErrorCode>(
    "state/key-conflict",
    `Cannot choose between the key file '${file}' and the credential of the same name: they differ. Remove the one that is not this node's key.`,
    { file },
  );
}

function isDiskFull(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === "ENOSPC" || code === "EDQUOT";
}
