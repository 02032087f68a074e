// A workload's key: made on the node that the workload runs on, held in memory, and given to nobody but the workload.

import { concatBytes, fromHex } from "../../foundation/index.ts";
import type { CryptoEngine } from "../../crypto/index.ts";
import { type CertificateAlgorithm, PROOF_CONTEXT } from "../../identity/index.ts";
import type { Random } from "../../ports/index.ts";
import { nativeEs256, p256Pkcs8 } from "./es256.ts";

const SEED_BYTES = 32;
/** PrivateKeyInfo of ML-DSA-65 with the seed alone, up to the seed (RFC 9881 section 6). */
const ML_DSA_65_SEED_PREFIX = fromHex("3034020100300b06096086480165030403120422" + "8020");

export interface WorkloadKey {
  readonly publicKey: Uint8Array;
  /** PKCS#8 in DER, not encrypted. A secret. */
  readonly pkcs8: Uint8Array;
  /** A signature that proves possession. */
  prove(message: Uint8Array): Uint8Array;
}

export function newWorkloadKey(
  deps: {
    readonly engine: Pick<CryptoEngine, "mlDsa65">;
    readonly random: Pick<Random, "bytes">;
  },
  algorithm: CertificateAlgorithm,
): WorkloadKey {
  return algorithm === "es256" ? newP256Key(deps.random) : newMlDsaKey(deps);
}

export function newP256Key(random: Pick<Random, "bytes">): WorkloadKey {
  for (;;) {
    const secret = random.bytes(SEED_BYTES);
    const signer = nativeEs256.signer(secret);
    if (signer === undefined) continue; // once in 2^32
    const { publicKey } = signer;
    const pkcs8 = p256Pkcs8(secret, publicKey);
    return { publicKey, pkcs8, prove: (message) => signer.sign(message) };
  }
}

function newMlDsaKey({
  engine,
  random,
}: {
  readonly engine: Pick<CryptoEngine, "mlDsa65">;
  readonly random: Pick<Random, "bytes">;
}): WorkloadKey {
  const seed = random.bytes(SEED_BYTES);
  const signer = engine.mlDsa65.signer(seed);
  return {
    publicKey: signer.publicKey,
    pkcs8: concatBytes(ML_DSA_65_SEED_PREFIX, seed),
    prove(message) {
      const signature = signer.sign(message, PROOF_CONTEXT);
      signer.destroy(); // one proof is asked for; the workload signs by itself
      return signature;
    },
  };
}
