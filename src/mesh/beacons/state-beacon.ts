// The state beacon: what a node tells the mesh about itself, signed with ML-DSA-65.
// A strict binary form: one encoding for each value, every list bounded, nothing after the signature.
// Integers are big-endian; strings are a length byte and visible ASCII, so that no beacon can carry
// terminal control sequences into a log or a table.

import { CHAIN_LENGTH, ML_DSA_65, type MlDsaSigner } from "../../crypto/index.ts";
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
  uint16be,
  uint32be,
  uint64be,
  utf8Bytes,
} from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { WallMs } from "../../ports/index.ts";
import type { BeaconRejectCode } from "./reject-codes.ts";

/** First byte of each message kind, and the version behind it. */
export const beaconKinds = { state: 1, heartbeat: 2, proof: 3, release: 4, foreign: 5 } as const;
export const BEACON_VERSION = 1;

/** Limits of the form; the largest possible beacon is about 7.3 KiB. */
export const beaconLimits = {
  bytes: 16_384,
  addresses: 8,
  addressBytes: 128,
  zoneBytes: 64,
  roles: 8,
  roleBytes: 32,
  taskIdBytes: 64,
  neighbours: 64,
  heartbeatIntervalMsMin: 100,
  heartbeatIntervalMsMax: 60_000,
} as const;

/** ML-DSA context of a state beacon's signature. */
export const beaconContext: Uint8Array = utf8Bytes("x0tta6bl4/beacon/1");

/** The bytes that bind a hash chain to its owner, epoch and place in the epoch. */
export function chainContext(nodeId: NodeId, epoch: number, base: number): Uint8Array {
  return concatBytes(fromHex(nodeId), uint32be(epoch), uint32be(base));
}

/** A neighbour as its reporter measures it. */
export interface NeighbourReport {
  readonly nodeId: NodeId;
  /** Smoothed round trip, in steps of 0.001 ms, at most 2^32-1 steps. */
  readonly rttMs: number;
  /** 0..1 in steps of 1/1000. */
  readonly lossRatio: number;
  /** The reporter has no proof of the neighbour's life: a vote, not a verdict. */
  readonly suspect: boolean;
}

/** Where the hash chain stands. Heartbeat indices count through the epoch: `base + position` of a chain. */
export interface ChainAnchor {
  /** Index in the epoch of the chain's position 0. */
  readonly base: number;
  /** Positions of the chain: `CHAIN_LENGTH` of the crypto room. */
  readonly length: number;
  /** Position of `anchor` in the chain, 0..length: the last one revealed before this beacon. */
  readonly position: number;
  /** 32 bytes. */
  readonly anchor: Uint8Array;
  /** 100..60,000 */
  readonly intervalMs: number;
}

/** What a node learns at the moment, as its beacon tells it. */
export interface LearningStatus {
  /** 1..64 characters of visible ASCII. */
  readonly taskId: string;
  /** 0..2^32-1 */
  readonly round: number;
}

/** The content of a state beacon. */
export interface StateBeacon {
  readonly nodeId: NodeId;
  /** Boot counter, 1..2^32-1. */
  readonly epoch: number;
  /** Rises with every beacon of the epoch, 1..2^32-1. */
  readonly sequence: number;
  readonly status: "up" | "leaving";
  readonly zone: string;
  readonly addresses: readonly string[];
  readonly roles: readonly string[];
  /** 0..1 in steps of 1/1000. */
  readonly load: number;
  readonly learning?: LearningStatus;
  readonly svidNotAfterMs?: WallMs;
  readonly chain: ChainAnchor;
  /** Ascending by node id, each once, never the node itself. */
  readonly neighbours: readonly NeighbourReport[];
}

/** A parsed beacon whose signature nobody has checked yet. */
export interface UnverifiedBeacon {
  readonly beacon: StateBeacon;
  /** The bytes under the signature. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

export function text(value: string, bytesMin: number, bytesMax: number, what: string): Uint8Array {
  const bytes = utf8Bytes(value);
  if (bytes.length < bytesMin || bytes.length > bytesMax || !isVisible(bytes)) {
    throw new MeshError(
      "mesh/bad-beacon",
      `Cannot encode '${value}' as ${what}: it must be ${bytesMin}..${bytesMax} characters of visible ASCII. Change the configuration.`,
    );
  }
  return concatBytes(Uint8Array.of(bytes.length), bytes);
}

function isVisible(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte < 0x21 || byte > 0x7e) return false;
  return true;
}

export function count(items: readonly unknown[], max: number, what: string): Uint8Array {
  if (items.length > max) {
    throw new MeshError(
      "mesh/bad-beacon",
      `Cannot encode ${items.length} ${what}: at most ${max} fit. Configure fewer.`,
    );
  }
  return Uint8Array.of(items.length);
}

export function perMille(ratio: number): Uint8Array {
  return uint16be(Math.round(Math.min(1, Math.max(0, ratio)) * 1000));
}

function encodeChain(chain: ChainAnchor): Uint8Array {
  return concatBytes(
    uint32be(chain.base),
    uint32be(chain.length),
    uint32be(chain.position),
    chain.anchor,
    uint32be(chain.intervalMs),
  );
}

function encodeNeighbour(neighbour: NeighbourReport): Uint8Array {
  const micros = Math.min(0xffff_ffff, Math.max(0, Math.round(neighbour.rttMs * 1000)));
  return concatBytes(
    fromHex(neighbour.nodeId),
    uint32be(micros),
    perMille(neighbour.lossRatio),
    Uint8Array.of(neighbour.suspect ? 1 : 0),
  );
}

/**
 * The bytes that a beacon's signature covers.
 * @throws MeshError `mesh/bad-beacon` when a value is outside its limit
 */
export function encodeUnsigned(beacon: StateBeacon): Uint8Array {
  const { learning, svidNotAfterMs } = beacon;
  return concatBytes(
    Uint8Array.of(beaconKinds.state, BEACON_VERSION),
    fromHex(beacon.nodeId),
    uint32be(beacon.epoch),
    uint32be(beacon.sequence),
    Uint8Array.of(beacon.status === "up" ? 0 : 1),
    text(beacon.zone, 0, beaconLimits.zoneBytes, "a zone"),
    count(beacon.addresses, beaconLimits.addresses, "addresses"),
    ...beacon.addresses.map((a) => text(a, 1, beaconLimits.addressBytes, "an address")),
    count(beacon.roles, beaconLimits.roles, "roles"),
    ...beacon.roles.map((role) => text(role, 1, beaconLimits.roleBytes, "a role")),
    perMille(beacon.load),
    ...(learning === undefined
      ? [Uint8Array.of(0)]
      : [
          Uint8Array.of(1),
          text(learning.taskId, 1, beaconLimits.taskIdBytes, "a task id"),
          uint32be(learning.round),
        ]),
    ...(svidNotAfterMs === undefined
      ? [Uint8Array.of(0)]
      : [Uint8Array.of(1), uint64be(svidNotAfterMs)]),
    encodeChain(beacon.chain),
    count(beacon.neighbours, beaconLimits.neighbours, "neighbours"),
    ...beacon.neighbours.map(encodeNeighbour),
  );
}

/**
 * A signed beacon, ready to publish.
 * @throws MeshError `mesh/bad-beacon` when a value is outside its limit; the signer's own errors
 */
export function encodeStateBeacon(beacon: StateBeacon, signer: MlDsaSigner): Uint8Array {
  const unsigned = encodeUnsigned(beacon);
  return concatBytes(unsigned, signer.sign(unsigned, beaconContext));
}

/** Thrown inside the parser only: it never leaves `decodeStateBeacon`. */
export function malformed(what: string): MeshError {
  return new MeshError("mesh/malformed", what);
}

export function readText(
  reader: ByteReader,
  bytesMin: number,
  bytesMax: number,
  what: string,
): string {
  const length = reader.uint8();
  if (length < bytesMin || length > bytesMax) throw malformed(`${what} of ${length} bytes`);
  const bytes = reader.take(length);
  if (!isVisible(bytes)) throw malformed(`${what} with an invisible character`);
  return String.fromCharCode(...bytes);
}

export function readCount(reader: ByteReader, max: number, what: string): number {
  const items = reader.uint8();
  if (items > max) throw malformed(`${items} ${what}`);
  return items;
}

export function readTexts(
  reader: ByteReader,
  max: number,
  bytesMax: number,
  what: string,
): string[] {
  const items = readCount(reader, max, what);
  const texts: string[] = [];
  for (let i = 0; i < items; i++) texts.push(readText(reader, 1, bytesMax, what));
  return texts;
}

function readFlag(reader: ByteReader, what: string): boolean {
  const flag = reader.uint8();
  if (flag > 1) throw malformed(`${what} flag ${flag}`);
  return flag === 1;
}

export function readPerMille(reader: ByteReader, what: string): number {
  const value = reader.uint16be();
  if (value > 1000) throw malformed(`${what} of ${value}/1000`);
  return value / 1000;
}

export function readPositive(reader: ByteReader, what: string): number {
  const value = reader.uint32be();
  if (value === 0) throw malformed(`${what} 0`);
  return value;
}

function readChain(reader: ByteReader): ChainAnchor {
  const base = reader.uint32be();
  const length = reader.uint32be();
  const position = reader.uint32be();
  const anchor = reader.take(32).slice();
  const intervalMs = reader.uint32be();
  if (length < CHAIN_LENGTH.min || length > CHAIN_LENGTH.max)
    throw malformed(`chain of ${length} links`);
  if (position > length) throw malformed(`position ${position} of ${length}`);
  if (base + length > 0xffff_ffff) throw malformed("chain beyond the last index");
  if (
    intervalMs < beaconLimits.heartbeatIntervalMsMin ||
    intervalMs > beaconLimits.heartbeatIntervalMsMax
  ) {
    throw malformed(`heartbeat interval ${intervalMs}`);
  }
  return { base, length, position, anchor, intervalMs };
}

function readNeighbours(reader: ByteReader, self: NodeId): NeighbourReport[] {
  const items = readCount(reader, beaconLimits.neighbours, "neighbours");
  const neighbours: NeighbourReport[] = [];
  let last = "";
  for (let i = 0; i < items; i++) {
    const nodeId = toHex(reader.take(32)) as NodeId;
    if (nodeId <= last || nodeId === self) throw malformed("neighbours out of order");
    last = nodeId;
    const rttMs = reader.uint32be() / 1000;
    const lossRatio = readPerMille(reader, "loss");
    neighbours.push({ nodeId, rttMs, lossRatio, suspect: readFlag(reader, "suspect") });
  }
  return neighbours;
}

function readBeacon(reader: ByteReader): StateBeacon {
  if (reader.uint8() !== beaconKinds.state) throw malformed("another kind");
  if (reader.uint8() !== BEACON_VERSION) throw malformed("another version");
  const nodeId = toHex(reader.take(32)) as NodeId;
  const epoch = readPositive(reader, "epoch");
  const sequence = readPositive(reader, "sequence");
  const status = readFlag(reader, "status") ? "leaving" : "up";
  const zone = readText(reader, 0, beaconLimits.zoneBytes, "zone");
  const { addressBytes, roleBytes } = beaconLimits;
  const addresses = readTexts(reader, beaconLimits.addresses, addressBytes, "address");
  const roles = readTexts(reader, beaconLimits.roles, roleBytes, "role");
  const load = readPerMille(reader, "load");
  const learning = readFlag(reader, "learning")
    ? {
        taskId: readText(reader, 1, beaconLimits.taskIdBytes, "task id"),
        round: reader.uint32be(),
      }
    : undefined;
  const svidNotAfterMs = readFlag(reader, "SVID") ? (reader.uint64be() as WallMs) : undefined;
  const chain = readChain(reader);
  const neighbours = readNeighbours(reader, nodeId);
  return {
    ...{ nodeId, epoch, sequence, status, zone, addresses, roles, load, chain, neighbours },
    ...(learning === undefined ? {} : { learning }),
    ...(svidNotAfterMs === undefined ? {} : { svidNotAfterMs }),
  };
}

/**
 * Parses a state beacon; the signature is cut off, not checked.
 * Codes: `mesh/too-large` above 16 KiB, `mesh/malformed` for anything but the one encoding of a value.
 */
export function decodeStateBeacon(bytes: Uint8Array): Result<UnverifiedBeacon, BeaconRejectCode> {
  if (bytes.length > beaconLimits.bytes) return refuse("mesh/too-large");
  const split = bytes.length - ML_DSA_65.signatureBytes;
  if (split < 0) return refuse("mesh/malformed", "shorter than a signature");
  const signed = bytes.subarray(0, split);
  const reader = new ByteReader(signed);
  try {
    const beacon = readBeacon(reader);
    if (reader.remaining > 0) return refuse("mesh/malformed", `${reader.remaining} bytes too many`);
    return ok({ beacon, signed, signature: bytes.subarray(split) });
  } catch (error) {
    if (isMeshError(error)) return refuse("mesh/malformed", error.message);
    throw error;
  }
}
