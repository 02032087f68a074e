// What a node sends when it pulls: its zone, the digest of the members it has, and the summaries it has. The answer
// then holds nothing of other zones but their summaries.
// zone length (1) | zone | digest length (4) | digest | entries of summaries, as in a digest

import {
  ByteReader,
  concatBytes,
  isMeshError,
  uint32be,
  utf8Bytes,
} from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";
import { type DigestEntry, encodeDigest, decodeDigest } from "../beacons/digest.ts";
import { beaconLimits, readText } from "../beacons/state-beacon.ts";

/** A parsed request. */
export interface PullRequest {
  readonly zone: string;
  /** The digest of members, still to be parsed. */
  readonly digest: Uint8Array;
  readonly summaries: ReadonlyMap<NodeId, DigestEntry>;
}

/** The bytes of a request. @param summaries by publisher */
export function encodeRequest(
  zone: string,
  digest: Uint8Array,
  summaries: readonly DigestEntry[],
): Uint8Array {
  const name = utf8Bytes(zone);
  return concatBytes(
    Uint8Array.of(name.length),
    name,
    uint32be(digest.length),
    digest,
    encodeDigest(summaries),
  );
}

/** Parses a request; `undefined` when it is broken or has more than `summariesMax` summaries. */
export function decodeRequest(bytes: Uint8Array, summariesMax: number): PullRequest | undefined {
  const reader = new ByteReader(bytes);
  try {
    const zone = readText(reader, 0, beaconLimits.zoneBytes, "zone");
    const digest = reader.take(reader.uint32be());
    const summaries = decodeDigest(reader.take(reader.remaining), summariesMax);
    return summaries === undefined ? undefined : { zone, digest, summaries };
  } catch (error) {
    if (isMeshError(error)) return undefined;
    throw error;
  }
}
