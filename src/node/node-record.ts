// What a node keeps of itself in the DHT, so that nodes of other zones can find it: its certificate chain, where
// it is reached, and its zone, signed by its ML-DSA-65 key. The same record lies under its NodeId and under a digest of
// its SPIFFE id, which its chain proves. Nothing of it is believed before `open` has verified it.
//
//   uint8 version · ed25519 (32) · uint8 n, n × (uint16 length, DER) · uint32 epoch · uint32 sequence
//   · uint64 issued ms · uint64 expires ms · uint8 length, zone · uint8 n, n × (uint8 length, address) · signature (3309)

import type { CryptoEngine, MlDsaSigner } from "../crypto/index.ts";
import {
  ByteReader,
  concatBytes,
  MeshError,
  type Result,
  toHex,
  uint16be,
  uint32be,
  uint64be,
  utf8Bytes,
} from "../foundation/index.ts";
import type { NodeId, PeerIdentity } from "../identity/index.ts";
import type { Clock } from "../ports/index.ts";

export type NodeRecordErrorCode =
  | "node/record-too-large"
  | "node/record-malformed"
  | "node/record-untrusted"
  | "node/record-misplaced"
  | "node/record-forged"
  | "node/record-expired"
  | "node/record-stale";

/** How long a record is good; a node renews its own at a quarter of it. */
export const RECORD_LIFE_MS = 4 * 3_600_000;
export const RECORD_BYTES_MAX = 40 * 1024;

const VERSION = 1;
const SIGNATURE_BYTES = 3_309;
const CONTEXT = utf8Bytes("x0tta6bl4/node-record/1");
const CERTIFICATES_MAX = 4;
const CERTIFICATE_BYTES_MAX = 8 * 1024;
const ADDRESSES_MAX = 8;
const ADDRESS_BYTES_MAX = 128;
const ZONE_BYTES_MAX = 64;
const VISIBLE_ASCII = /^[\x21-\x7e]*$/;
/** Keys whose newest record is remembered; the one unused longest goes first. */
const NEWEST_MAX = 4_096;

/** What a node tells of itself. */
export interface NodeFacts {
  readonly epoch: number;
  readonly sequence: number;
  readonly zone: string;
  readonly addresses: readonly string[];
}

export interface NodeRecord extends NodeFacts {
  readonly identity: PeerIdentity;
  readonly expiresAtMs: number;
}

export interface NodeRecordsDeps {
  readonly engine: Pick<CryptoEngine, "sha256" | "mlDsa65">;
  /** Full verification of a chain, now. */
  readonly verify: (
    chain: readonly Uint8Array[],
    ed25519: Uint8Array,
  ) => Result<PeerIdentity, string>;
  readonly clock: Clock;
  readonly clockSkewMs: number;
}

export class NodeRecords {
  readonly #deps: NodeRecordsDeps;
  readonly #newest = new Map<string, NodeFacts>();

  constructor(deps: NodeRecordsDeps) {
    this.#deps = deps;
  }

  keyOfNode(nodeId: NodeId): string {
    return `/x0id/${nodeId}`;
  }

  keyOfSpiffeId(spiffeId: string): string {
    return `/x0name/${toHex(this.#deps.engine.sha256(utf8Bytes(spiffeId)))}`;
  }

  /** The own record, good from now on. */
  make(signer: MlDsaSigner, { ed25519, chain }: PeerIdentity, facts: NodeFacts): Uint8Array {
    const { wallMs } = this.#deps.clock.now();
    const unsigned = concatBytes(
      Uint8Array.of(VERSION),
      ed25519,
      Uint8Array.of(chain.length),
      ...chain.flatMap((der) => [uint16be(der.length), der]),
      uint32be(facts.epoch),
      uint32be(facts.sequence),
      uint64be(wallMs),
      uint64be(wallMs + RECORD_LIFE_MS),
      text(facts.zone),
      Uint8Array.of(facts.addresses.length),
      ...facts.addresses.map(text),
    );
    return concatBytes(unsigned, signer.sign(unsigned, CONTEXT));
  }

  /**
   * Verifies a record under the key it is kept for, cheapest checks first.
   * @throws MeshError {@link NodeRecordErrorCode}
   */
  open(key: string, record: Uint8Array): NodeRecord {
    if (record.length > RECORD_BYTES_MAX) throw refused("node/record-too-large", key);
    const parsed = parse(record, key);
    const { wallMs } = this.#deps.clock.now();
    const { issuedAtMs, expiresAtMs } = parsed;
    const skewMs = this.#deps.clockSkewMs;
    if (issuedAtMs > wallMs + skewMs || expiresAtMs + skewMs < wallMs)
      throw refused("node/record-expired", key);
    const verified = this.#deps.verify(parsed.chain, parsed.ed25519);
    if (!verified.ok) throw refused("node/record-untrusted", key, verified.code);
    const identity = verified.value;
    if (key !== this.keyOfNode(identity.nodeId) && key !== this.keyOfSpiffeId(identity.spiffeId))
      throw refused("node/record-misplaced", key);
    const { unsigned, signature } = parsed;
    if (!this.#deps.engine.mlDsa65.verify(identity.mldsa65, unsigned, signature, CONTEXT))
      throw refused("node/record-forged", key);
    const { epoch, sequence, zone, addresses } = parsed;
    return { identity, epoch, sequence, zone, addresses, expiresAtMs };
  }

  /**
   * Decides on a record that a peer puts here, or that a search found: a good one, and no older than was seen before.
   * @throws MeshError {@link NodeRecordErrorCode}
   */
  admit(key: string, bytes: Uint8Array): NodeRecord {
    const record = this.open(key, bytes);
    const newest = this.#newest.get(key);
    if (newest !== undefined && isNewer(newest, record)) throw refused("node/record-stale", key);
    this.#newest.delete(key);
    this.#newest.set(key, record);
    const [oldest] = this.#newest.keys();
    if (this.#newest.size > NEWEST_MAX && oldest !== undefined) this.#newest.delete(oldest);
    return record;
  }

  /** Which of several records under a key is the best: the newest good one; the first when none is. */
  select(key: string, records: readonly Uint8Array[]): number {
    let best: { readonly at: number; readonly record: NodeRecord } | undefined;
    for (const [at, bytes] of records.entries()) {
      try {
        const record = this.open(key, bytes);
        if (best === undefined || isNewer(record, best.record)) best = { at, record };
      } catch {
        continue; // a bad record is no candidate
      }
    }
    return best?.at ?? 0;
  }
}

function isNewer(a: NodeFacts, b: NodeFacts): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.sequence > b.sequence);
}

type Parsed = NodeFacts & {
  readonly ed25519: Uint8Array;
  readonly chain: readonly Uint8Array[];
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  readonly unsigned: Uint8Array;
  readonly signature: Uint8Array;
};

/** Every field has one encoding, so two different records never say the same. */
function parse(record: Uint8Array, key: string): Parsed {
  try {
    const reader = new ByteReader(record);
    const version = reader.uint8();
    const ed25519 = reader.take(32);
    const chain = list(reader, CERTIFICATES_MAX, () => {
      const length = reader.uint16be();
      if (length > CERTIFICATE_BYTES_MAX) throw refused("node/record-malformed", key);
      return reader.take(length);
    });
    const [epoch, sequence] = [reader.uint32be(), reader.uint32be()];
    const [issuedAtMs, expiresAtMs] = [reader.uint64be(), reader.uint64be()];
    const zone = readText(reader, ZONE_BYTES_MAX);
    const addresses = list(reader, ADDRESSES_MAX, () => readText(reader, ADDRESS_BYTES_MAX));
    const isWhole = reader.remaining === SIGNATURE_BYTES && version === VERSION;
    if (!isWhole || expiresAtMs - issuedAtMs !== RECORD_LIFE_MS)
      throw refused("node/record-malformed", key);
    const end = record.length - SIGNATURE_BYTES;
    const signed = { unsigned: record.subarray(0, end), signature: record.subarray(end) };
    return { ed25519, chain, epoch, sequence, issuedAtMs, expiresAtMs, zone, addresses, ...signed };
  } catch {
    throw refused("node/record-malformed", key);
  }
}

function list<Item>(reader: ByteReader, max: number, read: () => Item): Item[] {
  const count = reader.uint8();
  if (count > max) throw new RangeError("too many");
  return Array.from({ length: count }, read);
}

function text(value: string): Uint8Array {
  const bytes = utf8Bytes(value);
  return concatBytes(Uint8Array.of(bytes.length), bytes);
}

function readText(reader: ByteReader, bytesMax: number): string {
  const length = reader.uint8();
  const value = Buffer.from(reader.take(length)).toString("latin1");
  if (length > bytesMax || !VISIBLE_ASCII.test(value)) throw new RangeError("no such text");
  return value;
}

function refused(code: NodeRecordErrorCode, key: string, reason?: string): MeshError {
  return new MeshError<NodeRecordErrorCode>(
    code,
    `The record under ${key.slice(0, 24)} is refused: ${reason ?? code}. It is as if there were none.`,
    { key, ...(reason === undefined ? {} : { reason }) },
  );
}
