// Key seeds that the service manager hands over (LoadCredential= in the unit): files in $CREDENTIALS_DIRECTORY, which
// only this service can see, and which are never written to the state directory.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { errorMessage, MeshError } from "../../foundation/index.ts";
import { type OwnSeedName, SEED_BYTES } from "../key-files.ts";
import type { StateErrorCode } from "../sqlite/state-error-code.ts";

const IDS: Readonly<Record<OwnSeedName, string>> = {
  ed25519: "meshd.ed25519",
  "ml-dsa-65": "meshd.ml-dsa-65",
};

/**
 * The node's seeds among the credentials: both or none, because half a pair would be completed with a new key.
 * @param directory what CREDENTIALS_DIRECTORY says
 * @throws MeshError `state/credential-unusable`; never falls back to another key
 */
export function seedCredentials(
  directory: string | undefined,
): ReadonlyMap<OwnSeedName, Uint8Array> {
  const seeds = new Map<OwnSeedName, Uint8Array>();
  if (directory === undefined) return seeds;
  const names = Object.keys(IDS) as OwnSeedName[];
  const given = names.filter((name) => existsSync(join(directory, IDS[name])));
  const missing = names.find((name) => !given.includes(name));
  if (given.length > 0 && missing !== undefined)
    throw unusable(IDS[missing], "it is missing although the other seed is given");
  for (const name of given) seeds.set(name, read(directory, IDS[name]));
  return seeds;
}

function read(directory: string, id: string): Uint8Array {
  let seed: Uint8Array;
  try {
    seed = new Uint8Array(readFileSync(join(directory, id)));
  } catch (cause) {
    throw unusable(id, errorMessage(cause), cause);
  }
  if (seed.length === SEED_BYTES) return seed;
  throw unusable(id, `it has ${seed.length} bytes instead of ${SEED_BYTES}`);
}

function unusable(id: string, why: string, cause?: unknown): MeshError<StateErrorCode> {
  return new MeshError(
    "state/credential-unusable",
    `Cannot use the credential '${id}': ${why}. Put both seeds, 32 raw bytes each, where LoadCredential= finds them (docs/operations.md, systemd), or none.`,
    { credential: id },
    { cause },
  );
}
