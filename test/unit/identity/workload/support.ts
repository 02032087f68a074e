// A trust domain whose issuer serves workloads, in memory.

import assert from "node:assert/strict";
import { nativeEs256 } from "../../../../src/adapters/crypto/es256.ts";
import { toHex } from "../../../../src/foundation/index.ts";
import {
  createWorkloadRoot,
  encodeSignedBundle,
  encodeSvidMessage,
  type AuthorKeys,
  EntryBook,
  type EntryDraft,
  type EntryStore,
  type Es256Signer,
  type Issuance,
  IssueLimit,
  jwtKeyIdOf,
  type NodeId,
  parsePolicy,
  parseSvidResponse,
  possessionMessage,
  PROOF_CONTEXT,
  type RegistrationEntry,
  type SvidRequest,
  type SvidResponse,
  type TrustBundle,
  type CertificateAlgorithm,
  WorkloadDesk,
  WorkloadIssuer,
} from "../../../../src/identity/index.ts";
import type { MonoMs, WallMs } from "../../../../src/ports/index.ts";
import {
  type Domain,
  engine,
  makeDomain,
  memoryMeter,
  nodeKeys,
  NOW,
  seededRandom,
  seedOf,
  TRUST_DOMAIN,
} from "../support.ts";

export function p256(name: string): Es256Signer {
  return nativeEs256.signer(seedOf(name)) ?? assert.fail("no scalar");
}

export const draft: EntryDraft = {
  spiffeId: `spiffe://${TRUST_DOMAIN}/web`,
  parent: "alpha",
  selectors: ["unix:uid:1000"],
  profile: "both",
};

/** Records in memory; `full` makes every write fail. */
export function memoryEntries(): EntryStore & { readonly kept: Map<string, Uint8Array> } {
  const kept = new Map<string, Uint8Array>();
  const authors = new Map<string, AuthorKeys>();
  return {
    kept,
    records: () => [...kept.values()],
    save: (id, record) => void kept.set(id, record),
    remove: (id) => void kept.delete(id),
    authors: () => [...authors.values()],
    saveAuthor: (nodeId, keys) => void authors.set(nodeId, keys),
  };
}

export interface WorkloadDomain {
  readonly domain: Domain;
  readonly bundle: TrustBundle;
  readonly root: Es256Signer;
  readonly jwt: Es256Signer;
  readonly jwtKeyId: string;
  readonly issuer: WorkloadIssuer;
  readonly book: EntryBook;
  readonly store: ReturnType<typeof memoryEntries>;
  readonly desk: WorkloadDesk;
  readonly log: Issuance[];
  readonly meter: ReturnType<typeof memoryMeter>;
  /** Documents of other trust domains. */
  readonly foreign: Map<string, string>;
}

export function makeBook(
  store: EntryStore,
  meter = memoryMeter(),
  entriesMax?: number,
  name = "issuer",
  seed = name,
): EntryBook {
  const { nodeId: author, mldsa65: signer, ed25519 } = nodeKeys(name);
  const random = seededRandom(`book of ${seed}`);
  return new EntryBook(
    { engine, random, meter, store, author, signer, ed25519: ed25519.publicKey },
    TRUST_DOMAIN,
    entriesMax,
  );
}

export function makeWorkloadDomain(
  seed = "root",
  record: (issuance: Issuance) => Promise<void> = () => Promise.resolve(),
  limit = new IssueLimit(),
): WorkloadDomain {
  const domain = makeDomain({ seed });
  const random = seededRandom(`${seed} workloads`);
  const root = p256(`${seed} p256`);
  const jwt = p256(`${seed} jwt`);
  const jwtKeyId = jwtKeyIdOf(engine, jwt.publicKey);
  const certificate = createWorkloadRoot({ engine, random }, root, {
    trustDomain: TRUST_DOMAIN,
    nowMs: NOW,
  });
  const bundle: TrustBundle = {
    ...domain.bundle,
    sequence: 2,
    workloadAuthorities: [certificate],
    jwtAuthorities: [{ keyId: jwtKeyId, publicKey: jwt.publicKey }],
  };
  const issuer = new WorkloadIssuer({ engine, random, issuer: () => domain.issuer }, () => ({
    root: { certificate, signer: root },
    jwt: { keyId: jwtKeyId, signer: jwt },
  }));
  const meter = memoryMeter();
  const store = memoryEntries();
  const book = makeBook(store, meter);
  const log: Issuance[] = [];
  const foreign = new Map<string, string>();
  const policy = parsePolicy([{ spiffe: `spiffe://${TRUST_DOMAIN}/node/*`, allow: ["mesh.join"] }]);
  const desk = new WorkloadDesk({
    engine,
    es256: nativeEs256,
    book,
    issuer,
    policy: policy,
    bundle: () => bundle,
    foreign: (trustDomain) => foreign.get(trustDomain),
    signedBundle: () => encodeSignedBundle(bundle, domain.rootSigner),
    record: (issuance) => {
      log.push(issuance);
      return record(issuance);
    },
    meter,
    logger: { warn: () => undefined },
    limit,
  });
  return { domain, bundle, root, jwt, jwtKeyId, issuer, book, store, desk, log, meter, foreign };
}

/** A node as the handshake knows it. */
export function nodeCalled(name: string, notAfterMs = NOW + 3_600_000) {
  const { nodeId } = nodeKeys(name);
  return {
    nodeId,
    name,
    spiffeId: `spiffe://${TRUST_DOMAIN}/node/${name}`,
    notAfterMs: notAfterMs as WallMs,
  };
}

export function at(ms: number): { wallMs: WallMs; monoMs: MonoMs } {
  return { wallMs: (NOW + ms) as WallMs, monoMs: ms as MonoMs };
}

/** What the desk answers. */
export async function ask(
  desk: WorkloadDesk,
  request: SvidRequest | Uint8Array,
  node = nodeCalled("alpha"),
  now = at(0),
): Promise<SvidResponse> {
  const bytes = request instanceof Uint8Array ? request : encodeSvidMessage(request);
  const response = parseSvidResponse(await desk.handle(bytes, node, now));
  return response.ok ? response.value : assert.fail(response.code);
}

/** A request for an X.509-SVID with a proof by the key. */
export function x509Request(
  entry: Pick<RegistrationEntry, "id">,
  algorithm: CertificateAlgorithm,
  node: NodeId = nodeCalled("alpha").nodeId,
): SvidRequest {
  const p = p256("workload");
  const m = engine.mlDsa65.signer(seedOf("workload"));
  const publicKey = algorithm === "es256" ? p.publicKey : m.publicKey;
  const message = possessionMessage({ node, entry: entry.id, algorithm, publicKey });
  const proof = algorithm === "es256" ? p.sign(message) : m.sign(message, PROOF_CONTEXT);
  return { op: "x509", entry: entry.id, algorithm, publicKey, proof };
}

export const unknownDigest = toHex(new Uint8Array(32));
