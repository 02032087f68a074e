// Two parties for handshake tests: seeded randomness, real keys, and a verifier whose "certificate" is just the
// ML-DSA key with a mark in front.

import { createHash } from "node:crypto";
import { libp2pNoiseCrypto } from "../../../src/adapters/libp2p/noise-crypto.ts";
import { createNativeEngine } from "../../../src/adapters/crypto/native.ts";
import { concatBytes, refuse, toHex, utf8Bytes } from "../../../src/foundation/index.ts";
import {
  type AuthenticationOptions,
  HandshakeMachine,
  type HandshakeProfile,
  type HandshakeRole,
  type LocalCredential,
  MESH_PROTOCOL_ID,
  meshProfile,
  type PeerVerifier,
} from "../../../src/handshake/index.ts";
import type { NodeId, PeerIdentity } from "../../../src/identity/index.ts";
import type { MonoMs, Random, WallMs } from "../../../src/ports/index.ts";

export const engine = createNativeEngine();
export const noise = libp2pNoiseCrypto;
export const TRUST_DOMAIN = "mesh.example";
export const at = (ms: number): MonoMs => ms as MonoMs;

/** SHA-256 in counter mode: the same bytes for the same seed. */
export function seededRandom(seed: string): Random {
  let counter = 0;
  const block = (): Uint8Array => createHash("sha256").update(`${seed}/${counter++}`).digest();
  return {
    bytes: (length) => {
      const out = new Uint8Array(length);
      for (let at = 0; at < length; at += 32) out.set(block().subarray(0, length - at), at);
      return out;
    },
    fraction: () => new DataView(block().buffer).getUint32(0) / 2 ** 32,
  };
}

const VALID = utf8Bytes("valid-certificate:");
const EXPIRED = utf8Bytes("expir-certificate:");
const FOREIGN = utf8Bytes("alien-certificate:");

function nodeIdOf(ed25519: Uint8Array, mldsa65: Uint8Array): NodeId {
  return toHex(
    engine.sha256(concatBytes(utf8Bytes("x0tta6bl4 node id v1"), ed25519, mldsa65)),
  ) as NodeId;
}

/** mark (18 bytes) || NodeId extension (64 hex) || ML-DSA key */
export function fakeCertificate(
  ed25519: Uint8Array,
  mldsa65: Uint8Array,
  mark: "valid" | "expired" | "foreign" = "valid",
): Uint8Array {
  const prefix = { valid: VALID, expired: EXPIRED, foreign: FOREIGN }[mark];
  return concatBytes(prefix, utf8Bytes(nodeIdOf(ed25519, mldsa65)), mldsa65);
}

function identityOf(
  ed25519: Uint8Array,
  mldsa65: Uint8Array,
  chain: readonly Uint8Array[],
): PeerIdentity {
  const nodeId = nodeIdOf(ed25519, mldsa65);
  return {
    nodeId,
    spiffeId: `spiffe://${TRUST_DOMAIN}/node/${nodeId.slice(0, 8)}`,
    trustDomain: TRUST_DOMAIN,
    name: nodeId.slice(0, 8),
    ed25519,
    mldsa65,
    chain,
    notBeforeMs: 0 as WallMs,
    notAfterMs: 1e15 as WallMs,
    serialNumber: "01",
  };
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return toHex(bytes.subarray(0, prefix.length)) === toHex(prefix);
}

/** Accepts "valid" certificates whose NodeId extension fits. `allows` is the policy. */
export function fakeVerifier(
  allows: (identity: PeerIdentity) => boolean = () => true,
): PeerVerifier {
  const parseLeafKey: PeerVerifier["parseLeafKey"] = ([leaf], ed25519) => {
    if (leaf?.length !== VALID.length + 64 + 1952) return refuse("identity/chain-invalid");
    const mldsa65 = leaf.slice(VALID.length + 64);
    const extension = leaf.subarray(VALID.length, VALID.length + 64);
    const fits = toHex(extension) === toHex(utf8Bytes(nodeIdOf(ed25519, mldsa65)));
    return fits ? { ok: true, value: { mldsa65 } } : refuse("identity/node-id-mismatch");
  };
  return {
    parseLeafKey,
    nodeIdOf,
    allowsJoin: allows,
    verifyChain: (chain, ed25519) => {
      const [leaf] = chain;
      if (leaf === undefined || startsWith(leaf, FOREIGN))
        return refuse("identity/chain-untrusted");
      if (startsWith(leaf, EXPIRED)) return refuse("identity/expired");
      const key = parseLeafKey(chain, ed25519);
      return key.ok ? { ok: true, value: identityOf(ed25519, key.value.mldsa65, chain) } : key;
    },
  };
}

/** A node's credential from a seed. */
export function credential(seed: string, mark?: "valid" | "expired" | "foreign"): LocalCredential {
  const random = seededRandom(seed);
  const ed25519 = engine.ed25519.signer(random.bytes(32));
  const mldsa65 = engine.mlDsa65.signer(random.bytes(32));
  return {
    ed25519,
    mldsa65,
    svidChain: [fakeCertificate(ed25519.publicKey, mldsa65.publicKey, mark)],
  };
}

export function joining(seed: string): LocalCredential {
  return { ...credential(seed), svidChain: [] };
}

export const alice = credential("alice");
export const bob = credential("bob");

/** One side of an in-memory handshake. */
export interface Party {
  readonly machine: HandshakeMachine;
  readonly profile: HandshakeProfile;
  readonly options: AuthenticationOptions;
}

export interface PartyOptions extends Partial<AuthenticationOptions> {
  readonly credential?: LocalCredential;
  readonly verifier?: PeerVerifier;
  readonly trustDomain?: string;
  readonly seed?: string;
}

export function party(role: HandshakeRole, overrides: PartyOptions = {}): Party {
  const {
    credential = role === "initiator" ? alice : bob,
    verifier = fakeVerifier(),
    trustDomain = TRUST_DOMAIN,
    seed = "session",
    ...rest
  } = overrides;
  const options: AuthenticationOptions = {
    role,
    streamMuxers: ["/yamux/1.0.0"],
    securityProtocols: [MESH_PROTOCOL_ID],
    ...rest,
  };
  const profile = meshProfile({ engine, verifier }, credential, trustDomain, options);
  const random = seededRandom(`${seed}/${role}`);
  const machine = new HandshakeMachine(
    { noise, kem: engine.mlKem768, random },
    {
      role,
      prologue: profile.prologue,
      staticKeyPair: noise.x25519KeyPair(random.bytes(32)),
      payloadBytesMax: profile.payloadBytesMax,
    },
  );
  return { machine, profile, options };
}
