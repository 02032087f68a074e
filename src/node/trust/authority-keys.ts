// The keys of an authority: how they are made, and under which names their secrets lie on disk.

import { nativeEs256 } from "../../adapters/crypto/es256.ts";
import type { KeyFiles, SeedName } from "../../adapters/key-files.ts";
import type { CryptoEngine, MlDsaSigner } from "../../crypto/index.ts";
import { toHex } from "../../foundation/index.ts";
import {
  type AuthorityKeys,
  createRoot,
  createWorkloadRoot,
  describeRoot,
  type Es256Signer,
  jwtKeyIdOf,
} from "../../identity/index.ts";
import type { Random, WallMs } from "../../ports/index.ts";

const SECRET_BYTES = 32;
/** Digits of a root's key identifier in the name of its file. */
const NAME_DIGITS = 16;

interface Tools {
  readonly engine: CryptoEngine;
  readonly random: Pick<Random, "bytes">;
  readonly keyFiles: KeyFiles;
}

/**
 * A new authority; its secrets are on disk when this returns.
 * @param seed of the ML-DSA-65 root, when it is on disk already
 */
export function makeAuthority(
  { engine, random, keyFiles }: Tools,
  { trustDomain, nowMs }: { readonly trustDomain: string; readonly nowMs: WallMs },
  seed?: Uint8Array,
): AuthorityKeys {
  const secret = seed ?? random.bytes(SECRET_BYTES);
  const rootSigner = engine.mlDsa65.signer(secret);
  const root = createRoot({ engine, random, rootSigner }, { trustDomain, nowMs });
  const { keyId: id, notAfterMs } = describeRoot(root, "ml-dsa-65");
  if (seed === undefined) keyFiles.save(`root-${id.slice(0, NAME_DIGITS)}`, secret);
  return {
    id,
    root,
    notAfterMs,
    ...makeWorkloadKeys({ engine, random, keyFiles }, trustDomain, nowMs),
  };
}

/** The part of an authority that signs for workloads. */
export function makeWorkloadKeys(
  { engine, random, keyFiles }: Tools,
  trustDomain: string,
  nowMs: WallMs,
): Pick<AuthorityKeys, "workloadRoot" | "workloadRootId" | "jwt"> {
  const forRoot = newP256Secret(random);
  const workloadRoot = createWorkloadRoot({ engine, random }, forRoot.signer, {
    trustDomain,
    nowMs,
  });
  keyFiles.save(workloadRootKeyName(engine, workloadRoot), forRoot.secret);
  const { keyId: workloadRootId } = describeRoot(workloadRoot, "es256");
  const forJwt = newP256Secret(random);
  const { publicKey } = forJwt.signer;
  const keyId = jwtKeyIdOf(engine, publicKey);
  keyFiles.save(`jwt-${keyId}`, forJwt.secret);
  return { workloadRoot, workloadRootId, jwt: { keyId, publicKey } };
}

/** The key of a root and the name of its seed, that of a trust domain's first one without id; undefined when it is not on this disk. */
export function rootKeyOf(
  engine: CryptoEngine,
  keyFiles: Pick<KeyFiles, "names" | "existing">,
  id: string,
): { readonly name: SeedName; readonly signer: MlDsaSigner } | undefined {
  const digits = id.slice(0, NAME_DIGITS);
  const names = keyFiles.names();
  const name = ([`root-${digits}`, "root"] as const).find((one) => names.includes(one));
  if (name === undefined) return undefined;
  const signer = engine.mlDsa65.signer(keyFiles.existing(name));
  return jwtKeyIdOf(engine, signer.publicKey) === digits ? { name, signer } : undefined;
}

/** The name of an intermediate's seed, by its certificate. */
export function intermediateKeyName(
  engine: Pick<CryptoEngine, "sha256">,
  certificate: Uint8Array,
): `intermediate-${string}` {
  return `intermediate-${toHex(engine.sha256(certificate)).slice(0, 16)}`;
}

/** The name of the key of a P-256 root, by its certificate. */
export function workloadRootKeyName(
  engine: Pick<CryptoEngine, "sha256">,
  certificate: Uint8Array,
): `workload-root-${string}` {
  return `workload-root-${toHex(engine.sha256(certificate)).slice(0, 16)}`;
}

function newP256Secret(random: Pick<Random, "bytes">): {
  readonly secret: Uint8Array;
  readonly signer: Es256Signer;
} {
  for (;;) {
    const secret = random.bytes(SECRET_BYTES);
    const signer = nativeEs256.signer(secret);
    if (signer !== undefined) return { secret, signer }; // all but one in 2^32
  }
}
