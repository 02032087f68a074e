// The summary of a zone: what a gateway tells the other zones, signed with ML-DSA-65 under a context of its own.
// The same strict binary form as a state beacon: one encoding for each value, every list bounded and sorted, nothing
// after the signature. The largest possible summary has 7,037 bytes.

import { ML_DSA_65, type MlDsaSigner } from "../../crypto/index.ts";
import {
  ByteReader,
  concatBytes,
  fromHex,
  isMeshError,
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
import type { SummaryRejectCode } from "../beacons/reject-codes.ts";
import {
  beaconLimits,
  count,
  malformed,
  perMille,
  readCount,
  readPerMille,
  readPositive,
  readText,
  readTexts,
  text,
} from "../beacons/state-beacon.ts";
import { fits, isZoneName } from "./zone-names.ts";

/** First byte of a summary; beacons and what else is gossiped begin with other ones. */
export const SUMMARY_KIND = 0x10;
const SUMMARY_VERSION = 1;

/** Limits of the form. */
export const summaryLimits = {
  bytes: 8_192,
  gateways: 4,
  gatewayAddresses: 2,
  contacts: 8,
  neighbours: 16,
} as const;

/** ML-DSA context of a summary's signature. */
export const summaryContext: Uint8Array = utf8Bytes("x0tta6bl4/zone-summary/1");

/** A node that stands for its zone. */
export interface Gateway {
  readonly nodeId: NodeId;
  /** Its epoch as the publisher knows it, 1..2^32-1. */
  readonly epoch: number;
  /** At most 2. */
  readonly addresses: readonly string[];
}

/** A member that nodes of other zones may connect to. */
export interface Contact {
  readonly nodeId: NodeId;
  readonly address: string;
}

/** A zone that the publisher has a link to. */
export interface ZoneLink {
  readonly zone: string;
  /** Of the cheapest link, 1..2^32-1. */
  readonly cost: number;
}

/** The content of a summary. */
export interface ZoneSummary {
  readonly zone: string;
  readonly publisher: NodeId;
  /** Boot counter of the publisher, 1..2^32-1. */
  readonly epoch: number;
  /** Rises with every summary of the publisher's epoch, 1..2^32-1. */
  readonly sequence: number;
  /** When it was signed: what is too old for that may have been held back. */
  readonly issuedAtMs: WallMs;
  /** The publisher included, 1..2^32-1. */
  readonly members: number;
  /** Mean of the members, 0..1 in steps of 1/1000. */
  readonly load: number;
  /** SHA-256 over the members' ascending NodeIds, 32 bytes: equal views have equal digests. */
  readonly digest: Uint8Array;
  /** By rank, the publisher among them; none in its last word on a zone that it left ({@link isLastWord}). */
  readonly gateways: readonly Gateway[];
  /** Some members, chosen anew each time; ascending by NodeId. */
  readonly contacts: readonly Contact[];
  /** Ascending by name, never the zone itself. */
  readonly neighbours: readonly ZoneLink[];
}

/** A parsed summary whose signature nobody has checked yet. */
export interface UnverifiedSummary {
  readonly summary: ZoneSummary;
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/** Whether the publisher has left the zone and takes back what it said of it: it names nobody who stands for it. */
export function isLastWord({ gateways }: Pick<ZoneSummary, "gateways">): boolean {
  return gateways.length === 0;
}

/** What takes a summary back. The form has no zero members; nobody counts them in a last word. */
export function lastWord(of: ZoneSummary, issuedAtMs: WallMs): ZoneSummary {
  const nothing = { members: 1, load: 0, gateways: [], contacts: [], neighbours: [] };
  return { ...of, ...nothing, sequence: of.sequence + 1, issuedAtMs };
}

function encodeGateway({ nodeId, epoch, addresses }: Gateway): Uint8Array {
  return concatBytes(
    fromHex(nodeId),
    uint32be(epoch),
    count(addresses, summaryLimits.gatewayAddresses, "addresses of a gateway"),
    ...addresses.map((address) => text(address, 1, beaconLimits.addressBytes, "an address")),
  );
}

/** The bytes under the signature. */
function encodeUnsigned(summary: ZoneSummary): Uint8Array {
  const { gateways, contacts, neighbours } = summary;
  return concatBytes(
    Uint8Array.of(SUMMARY_KIND, SUMMARY_VERSION),
    text(summary.zone, 0, beaconLimits.zoneBytes, "a zone"),
    fromHex(summary.publisher),
    uint32be(summary.epoch),
    uint32be(summary.sequence),
    uint64be(summary.issuedAtMs),
    uint32be(summary.members),
    perMille(summary.load),
    summary.digest,
    count(gateways, summaryLimits.gateways, "gateways"),
    ...gateways.map(encodeGateway),
    count(contacts, summaryLimits.contacts, "contacts"),
    ...contacts.flatMap(({ nodeId, address }) => [
      fromHex(nodeId),
      text(address, 1, beaconLimits.addressBytes, "an address"),
    ]),
    count(neighbours, summaryLimits.neighbours, "neighbouring zones"),
    ...neighbours.flatMap(({ zone, cost }) => [
      text(zone, 0, beaconLimits.zoneBytes, "a zone"),
      uint32be(cost),
    ]),
  );
}

/**
 * A signed summary, ready to publish.
 * @throws MeshError `mesh/bad-beacon` when a value is outside its limit; the signer's own errors
 */
export function encodeSummary(summary: ZoneSummary, signer: Pick<MlDsaSigner, "sign">): Uint8Array {
  const unsigned = encodeUnsigned(summary);
  return concatBytes(unsigned, signer.sign(unsigned, summaryContext));
}

function readNode(reader: ByteReader, zone: string): NodeId {
  const nodeId = toHex(reader.take(32)) as NodeId;
  if (!fits(nodeId, zone)) throw malformed("a node that cannot be in this zone");
  return nodeId;
}

function readZone(reader: ByteReader): string {
  const zone = readText(reader, 0, beaconLimits.zoneBytes, "zone");
  if (!isZoneName(zone)) throw malformed("no name of a zone");
  return zone;
}

function readGateways(reader: ByteReader, zone: string): Gateway[] {
  const gateways: Gateway[] = [];
  for (let left = readCount(reader, summaryLimits.gateways, "gateways"); left > 0; left--) {
    const nodeId = readNode(reader, zone);
    if (gateways.some((other) => other.nodeId === nodeId)) throw malformed("a gateway twice");
    const epoch = readPositive(reader, "epoch");
    const { gatewayAddresses } = summaryLimits;
    const addresses = readTexts(reader, gatewayAddresses, beaconLimits.addressBytes, "address");
    gateways.push({ nodeId, epoch, addresses });
  }
  return gateways;
}

function readContacts(reader: ByteReader, zone: string): Contact[] {
  const contacts: Contact[] = [];
  for (let left = readCount(reader, summaryLimits.contacts, "contacts"); left > 0; left--) {
    const nodeId = readNode(reader, zone);
    if (nodeId <= (contacts.at(-1)?.nodeId ?? "")) throw malformed("contacts out of order");
    contacts.push({ nodeId, address: readText(reader, 1, beaconLimits.addressBytes, "address") });
  }
  return contacts;
}

function readNeighbours(reader: ByteReader, zone: string): ZoneLink[] {
  const links: ZoneLink[] = [];
  for (let left = readCount(reader, summaryLimits.neighbours, "neighbours"); left > 0; left--) {
    const name = readZone(reader);
    const last = links.at(-1)?.zone;
    if (name === zone || (last !== undefined && name <= last))
      throw malformed("zones out of order");
    links.push({ zone: name, cost: readPositive(reader, "cost") });
  }
  return links;
}

function readSummary(reader: ByteReader): ZoneSummary {
  if (reader.uint8() !== SUMMARY_KIND) throw malformed("another kind");
  if (reader.uint8() !== SUMMARY_VERSION) throw malformed("another version");
  const zone = readZone(reader);
  return {
    zone,
    publisher: readNode(reader, zone),
    epoch: readPositive(reader, "epoch"),
    sequence: readPositive(reader, "sequence"),
    issuedAtMs: reader.uint64be() as WallMs,
    members: readPositive(reader, "members"),
    load: readPerMille(reader, "load"),
    digest: reader.take(32).slice(),
    gateways: readGateways(reader, zone),
    contacts: readContacts(reader, zone),
    neighbours: readNeighbours(reader, zone),
  };
}

/**
 * Parses a summary; the signature is cut off, not checked.
 * Codes: `mesh/too-large` above 8 KiB, `mesh/malformed` for anything but the one encoding of a value, and for a
 * publisher, gateway or contact whose NodeId does not begin with the bits of its automatic zone.
 */
export function decodeSummary(bytes: Uint8Array): Result<UnverifiedSummary, SummaryRejectCode> {
  if (bytes.length > summaryLimits.bytes) return refuse("mesh/too-large");
  const split = bytes.length - ML_DSA_65.signatureBytes;
  if (split < 0) return refuse("mesh/malformed", "shorter than a signature");
  const signed = bytes.subarray(0, split);
  const reader = new ByteReader(signed);
  try {
    const summary = readSummary(reader);
    if (reader.remaining > 0) return refuse("mesh/malformed", `${reader.remaining} bytes too many`);
    return ok({ summary, signed, signature: bytes.subarray(split) });
  } catch (error) {
    if (isMeshError(error)) return refuse("mesh/malformed", error.message);
    throw error;
  }
}
