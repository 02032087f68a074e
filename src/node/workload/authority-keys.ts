// The P-256 keys of an issuer: how they are made, and under which names their secrets lie on disk.

import { nativeEs256 } from "../../adapters/crypto/es256.ts";
import type { CryptoEngine } from "../../crypto/index.ts";
import { toHex } from "../../foundation/index.ts";
import type { Es256Signer } from "../../identity/index.ts";
import type { Random } from "../../ports/index.ts";

const SECRET_BYTES = 32;

export function newP256Secret(random: Pick<Random, "bytes">): {
  readonly secret: Uint8Array;
  readonly signer: Es256Signer;
} {
  for (;;) {
    const secret = random.bytes(SECRET_BYTES);
    const signer = nativeEs256.signer(secret);
    if (signer !== undefined) return { secret, signer }; // all but one in 2^32
  }
}

/** The name of the key of a P-256 root, by its certificate. */
export function workloadRootKeyName(
  engine: Pick<CryptoEngine, "sha256">,
  certificate: Uint8Array,
): `workload-root-${string}` {
  return `workload-root-${toHex(engine.sha256(certificate)).slice(0, 16)}`;
}
