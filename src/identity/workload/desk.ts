// Where an issuer answers nodes that ask for their workloads: entries, X.509-SVIDs, JWT-SVIDs. It signs only what an entry gives to
// that very node. The order of checks: the peer, the policy, cheap form, rate, entry, proof, and only then a signature of our own.

import type { CryptoEngine } from "../../crypto/index.ts";
import {
  errorCode,
  isMeshError,
  refuse,
  ok,
  type Result,
  toHex,
  TokenBucket,
  utf8Bytes,
} from "../../foundation/index.ts";
import type { Logger, Meter, MonoMs, Now, WallMs } from "../../ports/index.ts";
import type { Es256 } from "../es256.ts";
import { IssueLimit } from "../issue-limit.ts";
import { WORKLOAD_ISSUES } from "../metrics.ts";
import type { NodeId, PeerIdentity } from "../peer-identity.ts";
import type { Policy } from "../policy.ts";
import type { TrustBundle } from "../trust-bundle.ts";
import type { EntryBook } from "./entry-book.ts";
import { algorithmsOf, isParent, type RegistrationEntry } from "./entry.ts";
import {
  encodeSvidMessage,
  FOREIGN_BUNDLES_MAX,
  FOREIGN_CHARS_MAX,
  parseSvidRequest,
  possessionMessage,
  PROOF_CONTEXT,
  type SvidRefusalCode,
  type SvidRequest,
  type SvidResponse,
  type ToldBundle,
} from "./messages.ts";
import type { WorkloadIssuer } from "./workload-issuer.ts";

/** Signatures that a node may have at once, and each second from then on: all entries of a node at a start, then rotation. */
export const ISSUE_BURST = 1024;
export const ISSUE_RATE_PER_S = 10;
/** Most nodes whose rate is remembered; the one that asked longest ago is forgotten first. */
const NODES_REMEMBERED_MAX = 4096;

/** What was signed for whom, for the log that is never shortened. */
export interface Issuance {
  readonly atMs: number;
  readonly kind: "x509" | "jwt";
  readonly entry: string;
  readonly spiffeId: string;
  readonly node: NodeId;
  /** SHA-256 of the leaf or of the token, lower-case hex. */
  readonly digest: string;
  /** It is good until then at the latest. */
  readonly notAfterMs: WallMs;
}

export interface DeskDeps {
  readonly engine: Pick<CryptoEngine, "sha256" | "mlDsa65">;
  readonly es256: Pick<Es256, "verify">;
  readonly book: EntryBook;
  readonly issuer: WorkloadIssuer;
  readonly policy: Pick<Policy, "allows">;
  readonly bundle: () => TrustBundle;
  /** The document of another trust domain that this issuer federates with. */
  readonly foreign: (trustDomain: string) => string | undefined;
  /** The bundle, signed by a root; undefined while this host has it from a join alone. */
  readonly signedBundle: () => Uint8Array | undefined;
  /** On disk when it resolves; what it rejects with keeps the SVID from being handed out. */
  readonly record: (issuance: Issuance) => Promise<void>;
  readonly meter: Meter;
  readonly logger: Pick<Logger, "warn">;
  /** Of what is signed in total. @default as in issueLimits */
  readonly limit?: IssueLimit;
}

type Answer = Result<Exclude<SvidResponse, { result: "refused" }>, SvidRefusalCode>;
type Requester = Pick<PeerIdentity, "nodeId" | "name" | "spiffeId" | "notAfterMs" | "selectors">;

export class WorkloadDesk {
  readonly #deps: DeskDeps;
  readonly #limit: IssueLimit;
  /** Of each node; the one that asked longest ago first. */
  readonly #nodes = new Map<NodeId, TokenBucket>();

  constructor(deps: DeskDeps) {
    this.#deps = deps;
    this.#limit = deps.limit ?? new IssueLimit();
  }

  /** The response to a request of a node; never throws for what it sent. */
  async handle(request: Uint8Array, node: Requester, now: Now): Promise<Uint8Array> {
    const parsed = parseSvidRequest(request);
    const answer = parsed.ok ? await this.#answer(parsed.value, node, now) : parsed;
    const kind = parsed.ok ? parsed.value.op : "unreadable";
    this.#deps.meter.count(WORKLOAD_ISSUES, { kind, result: answer.ok ? "ok" : answer.code });
    return encodeSvidMessage(answer.ok ? answer.value : { result: "refused", code: answer.code });
  }

  async #answer(request: SvidRequest, node: Requester, now: Now): Promise<Answer> {
    // The connection may have outlived the SVID it was made with.
    if (now.wallMs > node.notAfterMs) return refuse("identity/peer-not-entitled");
    if (!this.#deps.policy.allows(node.spiffeId, "mesh.join")) return refuse("identity/denied");
    if (request.op === "sync") return ok(this.#sync(request, node));
    if (request.op === "federated") return ok(this.#federated(request, node));
    const entry = this.#deps.book.list().find(({ id }) => id === request.entry);
    // An entry of another node is as unknown as none: its existence is nobody else's business.
    if (entry === undefined || !isParent(entry, node)) return refuse("identity/entry-unknown");
    const limited = this.#limited(node.nodeId, now.monoMs);
    if (limited !== undefined) return refuse(limited);
    try {
      return request.op === "x509"
        ? await this.#x509(request, entry, node, now)
        : await this.#jwt(request, entry, node, now);
    } catch (error) {
      if (!isMeshError(error)) throw error;
      this.#deps.logger.warn({ code: errorCode(error), entry: entry.id }, "cannot issue an SVID");
      return refuse("identity/not-issuer");
    }
  }

  #sync(
    request: Extract<SvidRequest, { op: "sync" }>,
    node: Requester,
  ): SvidResponse & { result: "sync" } {
    const { engine, book, bundle, signedBundle } = this.#deps;
    const entries = book.forNode(node);
    const newer = bundle().sequence > request.bundleSequence ? signedBundle() : undefined;
    return {
      result: "sync",
      ...(newer && { bundle: newer }),
      ...(entriesDigest(engine, entries) !== request.entriesDigest && { entries }),
    };
  }

  /** What workloads of the node may see of other trust domains: what their entries name, as far as it is known here and fits. */
  #federated(
    { bundlesDigest }: Extract<SvidRequest, { op: "federated" }>,
    node: Requester,
  ): SvidResponse & { result: "federated" } {
    const { engine, book, foreign } = this.#deps;
    const names = new Set(book.forNode(node).flatMap(({ federatesWith }) => federatesWith));
    const bundles: ToldBundle[] = [];
    let left = FOREIGN_CHARS_MAX;
    for (const trustDomain of [...names].sort().slice(0, FOREIGN_BUNDLES_MAX)) {
      const document = foreign(trustDomain);
      if (document === undefined || document.length > left) continue;
      left -= document.length;
      bundles.push({ trustDomain, document });
    }
    const isKnown = foreignDigest(engine, bundles) === bundlesDigest;
    return { result: "federated", ...(!isKnown && { bundles }) };
  }

  async #x509(
    request: Extract<SvidRequest, { op: "x509" }>,
    entry: RegistrationEntry,
    node: Requester,
    now: Now,
  ): Promise<Answer> {
    const { engine, issuer } = this.#deps;
    const { algorithm, publicKey } = request;
    if (!algorithmsOf(entry.profile).includes(algorithm)) return refuse("identity/entry-unknown");
    if (!this.#isProven(request, node.nodeId)) return refuse("identity/proof-invalid");
    const chain = issuer.x509(entry, algorithm, publicKey, now.wallMs);
    await this.#record("x509", entry, node, now, engine.sha256(chain[0] ?? publicKey));
    return ok({ result: "x509", chain });
  }

  async #jwt(
    { audience }: Extract<SvidRequest, { op: "jwt" }>,
    entry: RegistrationEntry,
    node: Requester,
    now: Now,
  ): Promise<Answer> {
    const token = this.#deps.issuer.jwt(entry, audience, now.wallMs);
    await this.#record("jwt", entry, node, now, this.#deps.engine.sha256(utf8Bytes(token)));
    return ok({ result: "jwt", token });
  }

  #isProven(request: Extract<SvidRequest, { op: "x509" }>, node: NodeId): boolean {
    const { engine, es256 } = this.#deps;
    const { algorithm, publicKey, proof } = request;
    const message = possessionMessage({ node, ...request });
    return algorithm === "es256"
      ? es256.verify(publicKey, message, proof)
      : engine.mlDsa65.verify(publicKey, message, proof, PROOF_CONTEXT);
  }

  #record(
    kind: Issuance["kind"],
    { id, spiffeId, x509TtlS, jwtTtlS }: RegistrationEntry,
    { nodeId }: Requester,
    { wallMs }: Now,
    digest: Uint8Array,
  ): Promise<void> {
    return this.#deps.record({
      atMs: wallMs,
      kind,
      entry: id,
      spiffeId,
      node: nodeId,
      digest: toHex(digest),
      notAfterMs: (wallMs + (kind === "x509" ? x509TtlS : jwtTtlS) * 1_000) as WallMs,
    });
  }

  /** Why no more is signed now: for this node, or for all together. */
  #limited(
    node: NodeId,
    nowMs: MonoMs,
  ): "identity/rate-limited" | "identity/issuer-busy" | undefined {
    const own = this.#nodes.get(node) ?? new TokenBucket(ISSUE_BURST, ISSUE_RATE_PER_S, nowMs);
    this.#nodes.delete(node);
    this.#nodes.set(node, own);
    for (const oldest of this.#nodes.keys()) {
      if (this.#nodes.size <= NODES_REMEMBERED_MAX) break;
      this.#nodes.delete(oldest);
    }
    if (!own.has(nowMs)) return "identity/rate-limited";
    if (!this.#limit.has(nowMs)) return "identity/issuer-busy";
    own.take();
    this.#limit.take();
    return undefined;
  }
}

/** Names the bundles of other trust domains, so that unchanged ones need not be sent. */
export function foreignDigest(
  engine: Pick<CryptoEngine, "sha256">,
  bundles: readonly ToldBundle[],
): string {
  const parts = bundles.flatMap(({ trustDomain, document }) => [trustDomain, document]);
  return toHex(engine.sha256(utf8Bytes(JSON.stringify(parts))));
}

/** Names a list of entries, so that an unchanged one need not be sent. */
export function entriesDigest(
  engine: Pick<CryptoEngine, "sha256">,
  entries: readonly RegistrationEntry[],
): string {
  return toHex(engine.sha256(utf8Bytes(JSON.stringify(entries))));
}
