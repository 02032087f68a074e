// What a round decides, its digest, and the set as a pure function of holding statements.
// kind (1: 0 void, 1 set) | of a set: count (1) | count x (participant's index (1) | header digest (32)), ascending

import { type ByteReader, concatBytes, fromHex, toHex, utf8Bytes } from "../../foundation/index.ts";
import type { Population } from "./population.ts";
import type { DecidedHeader, Decision, Digest } from "./types.ts";
import { malformed, type Place, readDigest } from "./wire.ts";

const DECISION_DOMAIN = utf8Bytes("x0tta6bl4/fl-decision/1");
const BEACON_DOMAIN = utf8Bytes("x0tta6bl4/fl-beacon/1");
const GENESIS_DOMAIN = utf8Bytes("x0tta6bl4/fl-genesis/1");

type Sha256 = (data: Uint8Array) => Uint8Array;

/** A participant's claim that it holds the update of a header. */
export interface Holding {
  readonly index: number;
  /** Rounds since the header was committed, 0..255: the newest header of a participant counts. */
  readonly age: number;
  readonly header: Digest;
}

export function encodeDecision(decision: Decision, { indexOf }: Population): Uint8Array {
  if (decision.kind === "void") return Uint8Array.of(0);
  const { entries } = decision;
  const parts = entries.map(({ nodeId, header }) =>
    concatBytes(Uint8Array.of(indexOf(nodeId) ?? 0), fromHex(header)),
  );
  return concatBytes(Uint8Array.of(1, entries.length), ...parts);
}

export function readDecision(reader: ByteReader, { ids }: Population): Decision {
  const kind = reader.uint8();
  if (kind === 0) return { kind: "void" };
  if (kind !== 1) throw malformed(`decision ${kind}`);
  const count = reader.uint8();
  if (count === 0 || count > ids.length) throw malformed(`${count} decided headers`);
  const entries: DecidedHeader[] = [];
  let last = -1;
  for (let i = 0; i < count; i++) {
    last = readIndex(reader, last, ids.length);
    entries.push({ nodeId: ids[last] as string, header: readDigest(reader) });
  }
  return { kind: "set", entries };
}

/** An index above `last`. */
export function readIndex(reader: ByteReader, last: number, participants: number): number {
  const index = reader.uint8();
  if (index <= last || index >= participants) throw malformed(`participant ${index}`);
  return index;
}

/** What participants vote for. It binds the decision to its place in the history. */
export function decisionDigest(
  sha256: Sha256,
  { task, round, previous }: Omit<Place, "nodeId">,
  encoded: Uint8Array,
): Digest {
  const place = [fromHex(task), fromHex(previous)];
  const roundBytes = new Uint8Array(4);
  new DataView(roundBytes.buffer).setUint32(0, round);
  return toHex(sha256(concatBytes(DECISION_DOMAIN, ...place, roundBytes, encoded)));
}

/** The round's seed: unknown until the set is decided, equal for all. */
export function beaconOf(sha256: Sha256, decision: Digest): Digest {
  return toHex(sha256(concatBytes(BEACON_DOMAIN, fromHex(decision))));
}

/** What the first round has in the place of a certificate before it. */
export function genesisDigest(sha256: Sha256, task: Digest, initialModel: Digest): Digest {
  return toHex(sha256(concatBytes(GENESIS_DOMAIN, fromHex(task), fromHex(initialModel))));
}

/**
 * The set that follows from statements: a header enters when f + 1 of them hold it, so that an honest participant has it and can
 * serve it. Of two headers of one participant the newer enters; two of one age contradict each other, and neither does.
 */
export function setOf(
  statements: readonly (readonly Holding[])[],
  excluded: ReadonlySet<number>,
  { ids, byzantine }: Population,
): Decision {
  const support = new Map<string, Holding & { count: number }>();
  for (const holding of statements.flat()) {
    const name = `${holding.index}/${holding.age}/${holding.header}`;
    const known = support.get(name);
    if (known === undefined) support.set(name, { ...holding, count: 1 });
    else known.count++;
  }
  const newest = new Map<number, { age: number; header: Digest | undefined }>();
  for (const { index, age, header, count } of support.values()) {
    if (count <= byzantine || excluded.has(index)) continue;
    const rival = newest.get(index);
    if (rival === undefined || age < rival.age) newest.set(index, { age, header });
    else if (age === rival.age) rival.header = undefined;
  }
  const entries: DecidedHeader[] = [];
  for (const [index, nodeId] of ids.entries()) {
    const header = newest.get(index)?.header;
    if (header !== undefined) entries.push({ nodeId, header });
  }
  return entries.length === 0 ? { kind: "void" } : { kind: "set", entries };
}
