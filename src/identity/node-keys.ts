// A node's long-term keys: Ed25519, which gives the libp2p PeerId, and ML-DSA-65. NodeId commits to both,
// so whoever breaks one of them still cannot present that id with another key beside it.

import {
  type CryptoEngine,
  ED25519,
  type Ed25519Signer,
  ML_DSA_65,
  type MlDsaSigner,
} from "../crypto/index.ts";
import { concatBytes, MeshError, toHex, utf8Bytes } from "../foundation/index.ts";
import type { IdentityErrorCode } from "./errors.ts";
import type { NodeId } from "./peer-identity.ts";

/** Domain separation of the hash that makes a NodeId; fixed for ever. */
const NODE_ID_LABEL = "x0tta6bl4 node id v1";

/** Bytes of a NodeId before it is written as hex. */
export const NODE_ID_BYTES = 32;

const NODE_ID_TEXT = /^[0-9a-f]{64}$/;

/** The two 32-byte seeds that a node keeps on disk; all other secrets follow from them. */
export interface NodeSeeds {
  readonly ed25519: Uint8Array;
  readonly mldsa65: Uint8Array;
}

/** A node's own keys, able to sign. */
export interface NodeKeys {
  readonly nodeId: NodeId;
  readonly ed25519: Ed25519Signer;
  readonly mldsa65: MlDsaSigner;
  /** Wipes both keys; every later signature throws `crypto/destroyed`. */
  destroy(): void;
}

/**
 * SHA-256("x0tta6bl4 node id v1" || Ed25519 public key (32) || ML-DSA-65 public key (1952)), as hex.
 * @throws MeshError `identity/key-invalid` when a key has another length
 */
export function nodeIdOf(
  engine: Pick<CryptoEngine, "sha256">,
  ed25519: Uint8Array,
  mldsa65: Uint8Array,
): NodeId {
  requireLength("Ed25519 public key", ed25519, ED25519.publicKeyBytes);
  requireLength("ML-DSA-65 public key", mldsa65, ML_DSA_65.publicKeyBytes);
  return toHex(engine.sha256(concatBytes(utf8Bytes(NODE_ID_LABEL), ed25519, mldsa65))) as NodeId;
}

/** Whether a text has the form of a NodeId. */
export function isNodeId(text: string): text is NodeId {
  return NODE_ID_TEXT.test(text);
}

/**
 * The keys of two seeds.
 * @throws MeshError `identity/key-invalid` when a seed is not 32 bytes
 */
export function nodeKeysFromSeeds(engine: CryptoEngine, seeds: NodeSeeds): NodeKeys {
  requireLength("Ed25519 seed", seeds.ed25519, ED25519.seedBytes);
  requireLength("ML-DSA-65 seed", seeds.mldsa65, ML_DSA_65.seedBytes);
  const ed25519 = engine.ed25519.signer(seeds.ed25519);
  const mldsa65 = engine.mlDsa65.signer(seeds.mldsa65);
  return {
    nodeId: nodeIdOf(engine, ed25519.publicKey, mldsa65.publicKey),
    ed25519,
    mldsa65,
    destroy() {
      ed25519.destroy();
      mldsa65.destroy();
    },
  };
}

function requireLength(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length === length) return;
  throw new MeshError<IdentityErrorCode>(
    "identity/key-invalid",
    `Cannot use ${what}: it must have ${length} bytes, it has ${bytes.length}. Restore the key file.`,
    { length: bytes.length },
  );
}
