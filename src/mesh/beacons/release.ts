// The release from quarantine: an operator's signed word that a node may come back. It names the proof that was looked
// at and a floor: epochs below it stay refused, and a proof of an epoch below it proves nothing any more.
// kind (1) | version (1) | node id (32) | proof digest (32) | epoch floor (4) | issuer (32) | issued at (8) |
// length (1) | reason | signature of the issuer

import { ML_DSA_65, type MlDsaSigner } from "../../crypto/index.ts";
import {
  ByteReader,
  concatBytes,
  fromHex,
  isMeshError,
  MeshError,
  ok,
  type Result,
  refuse,
  toHex,
  uint32be,
  uint64be,
  utf8Bytes,
} from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { WallMs } from "../../ports/index.ts";
import type { Release } from "../machine-types.ts";
import type { BeaconRejectCode } from "./reject-codes.ts";
import { BEACON_VERSION, beaconKinds } from "./state-beacon.ts";

/** Characters of a reason: visible ASCII and spaces, 1..200. */
export const REASON_CHARS_MAX = 200;
const REASON = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;
const FIXED_BYTES = 2 + 32 + 32 + 4 + 32 + 8 + 1;
export const RELEASE_BYTES_MAX = FIXED_BYTES + REASON_CHARS_MAX + ML_DSA_65.signatureBytes;

/** ML-DSA context of a release's signature. */
export const releaseContext: Uint8Array = utf8Bytes("x0tta6bl4/release/1");

/** A parsed release whose signature nobody has checked yet. */
export interface UnverifiedRelease {
  readonly release: Release;
  /** What the signature covers. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/** Whether a text can stand in a release: one line of visible ASCII. */
export function isReason(text: string): boolean {
  return text.length <= REASON_CHARS_MAX && REASON.test(text);
}

/**
 * A signed release, ready to publish.
 * @throws MeshError `mesh/bad-release` when a value is outside its limit; the signer's own errors
 */
export function encodeRelease(release: Release, signer: MlDsaSigner): Uint8Array {
  const { nodeId, proofDigest, epochFloor, issuer, issuedAtMs, reason } = release;
  if (!isReason(reason) || issuer === nodeId || !(epochFloor >= 1 && epochFloor <= 0xffff_ffff)) {
    throw new MeshError(
      "mesh/bad-release",
      `Cannot encode the release: its reason must be 1 to ${REASON_CHARS_MAX} visible ASCII characters, its issuer another node.`,
    );
  }
  const unsigned = concatBytes(
    Uint8Array.of(beaconKinds.release, BEACON_VERSION),
    fromHex(nodeId),
    fromHex(proofDigest),
    uint32be(epochFloor),
    fromHex(issuer),
    uint64be(issuedAtMs),
    Uint8Array.of(reason.length),
    utf8Bytes(reason),
  );
  return concatBytes(unsigned, signer.sign(unsigned, releaseContext));
}

function readRelease(reader: ByteReader): Release | undefined {
  if (reader.uint8() !== beaconKinds.release || reader.uint8() !== BEACON_VERSION) return undefined;
  const nodeId = toHex(reader.take(32)) as NodeId;
  const proofDigest = toHex(reader.take(32));
  const epochFloor = reader.uint32be();
  const issuer = toHex(reader.take(32)) as NodeId;
  const issuedAtMs = reader.uint64be() as WallMs;
  const reason = String.fromCharCode(...reader.take(reader.uint8()));
  if (reader.remaining > 0 || epochFloor === 0 || issuer === nodeId || !isReason(reason))
    return undefined;
  return { nodeId, proofDigest, epochFloor, issuer, issuedAtMs, reason };
}

/** Parses a release; the signature is cut off, not checked. Codes: `mesh/too-large`, `mesh/malformed`. */
export function decodeRelease(bytes: Uint8Array): Result<UnverifiedRelease, BeaconRejectCode> {
  if (bytes.length > RELEASE_BYTES_MAX) return refuse("mesh/too-large");
  const split = bytes.length - ML_DSA_65.signatureBytes;
  if (split < FIXED_BYTES) return refuse("mesh/malformed", "too short");
  const signed = bytes.subarray(0, split);
  try {
    const release = readRelease(new ByteReader(signed));
    if (release === undefined) return refuse("mesh/malformed", "not a release");
    return ok({ release, signed, signature: bytes.subarray(split) });
  } catch (error) {
    if (isMeshError(error)) return refuse("mesh/malformed", error.message);
    throw error;
  }
}
