// Answers attestation requests. Every node serves the bundle; a node that issues also admits joining peers against
// a token or evidence, and renews the SVIDs of members. The order of checks is: kind of peer, policy, cheap form, token or
// challenge and evidence, name, and only then a signature.

import { errorCode, type Result, refuse, ok } from "../../foundation/index.ts";
import type { Logger, Meter, Now } from "../../ports/index.ts";
import type { AuditTrail } from "../audit/entry.ts";
import { issueRecord } from "../audit/issue.ts";
import type { AttestationRefusalCode } from "../errors.ts";
import type { Issuer } from "../issuer.ts";
import { IssueLimit } from "../issue-limit.ts";
import { ATTESTATIONS, NODE_ATTESTATIONS } from "../metrics.ts";
import type { NameClaim, NameRegistry } from "../name-registry.ts";
import type { NodeId, PeerIdentity } from "../peer-identity.ts";
import type { Policy } from "../policy.ts";
import { isNodeName, nodeSpiffeId } from "../spiffe-id.ts";
import type { TokenLedger } from "../token-ledger.ts";
import { bundleToJson, type TrustBundle } from "../trust-bundle.ts";
import type { Challenges } from "./challenges.ts";
import {
  type Attested,
  challengeMessage,
  type Evidence,
  type EvidenceVerifier,
} from "./evidence.ts";
import {
  type AttestationRequest,
  type AttestationResponse,
  encodeAttestationResponse,
  parseAttestationRequest,
} from "./messages.ts";

/** A node may renew this often at most: renewal is due after hours. */
export const RENEW_INTERVAL_MS_MIN = 10_000;
/** Evidence that is judged at one time; more is refused. */
export const EVIDENCE_UNDER_WAY_MAX = 8;
/** Most nodes whose last renewal is remembered; the oldest is forgotten first. */
const RENEWALS_REMEMBERED_MAX = 4096;

/** A peer after the handshake, which proved that it holds the keys. Other kinds may only ask for the bundle. */
export type AttestationPeer =
  | { readonly kind: "svid"; readonly identity: PeerIdentity }
  | {
      readonly kind: "joining";
      readonly nodeId: NodeId;
      readonly ed25519: Uint8Array;
      readonly mldsa65: Uint8Array;
    }
  | { readonly kind: "unanchored" | "interop" };

/** What makes a node an issuer. */
export interface IssuingParts {
  readonly issuer: Issuer;
  readonly ledger: TokenLedger;
  readonly names: NameRegistry;
  /** Called after an SVID was signed, before it is sent. */
  readonly issued?: (svid: {
    readonly nodeId: NodeId;
    readonly name: string;
    readonly chain: readonly Uint8Array[];
  }) => void;
}

/** What joins by evidence need. */
export interface AttestationDeps {
  readonly attestors: EvidenceVerifier;
  readonly challenges: Challenges;
  /** This node: what evidence proves, it proves to it alone. */
  readonly self: NodeId;
  /** Takes the name at the other issuers, too; false when another node has it there. @default there are none */
  readonly claim?: (name: string, nodeId: NodeId) => Promise<boolean>;
}

/** What the server uses. Without `issuing` this node issues nothing. */
export interface AttestationServerDeps {
  readonly bundle: () => TrustBundle;
  readonly policy: Pick<Policy, "allows">;
  readonly meter: Meter;
  readonly logger?: Pick<Logger, "warn">;
  /** Hears of every SVID before it is sent, and of every refusal. */
  readonly audit?: AuditTrail;
  readonly issuing?: () => IssuingParts | undefined;
  /** How evidence is judged. @default a join takes a token */
  readonly attestation?: AttestationDeps;
  /** How long past its end an SVID may still be renewed, in ms. @default 0 */
  readonly graceMs?: number;
  /** Of what is signed in total. @default as in issueLimits */
  readonly limit?: IssueLimit;
}

type Answer = Result<Exclude<AttestationResponse, { result: "refused" }>, AttestationRefusalCode>;

/** The server's side of the attestation protocol; synchronous, one call per stream. */
export class AttestationServer {
  readonly #deps: AttestationServerDeps;
  /** NodeId to monotonic time of the last renewal; insertion order is age. */
  readonly #renewedAtMs = new Map<NodeId, number>();
  readonly #limit: IssueLimit;
  #judging = 0;

  constructor(deps: AttestationServerDeps) {
    this.#deps = deps;
    this.#limit = deps.limit ?? new IssueLimit();
  }

  /** As {@link handle}, and for evidence, too; `now` is read again once it was judged. */
  async answer(
    requestBytes: Uint8Array,
    peer: AttestationPeer,
    now: () => Now,
  ): Promise<Uint8Array> {
    const request = parseAttestationRequest(requestBytes);
    if (!request.ok || request.value.op !== "attest") return this.handle(requestBytes, peer, now());
    const { evidence } = request.value;
    const answer = await this.#attest(evidence, peer, now);
    const result = answer.ok ? "ok" : answer.code;
    this.#deps.meter.count(NODE_ATTESTATIONS, { type: evidence.type, result });
    return this.#told("attest", peer, answer);
  }

  /** The response to a request of `peer`, evidence excepted; never throws for what a peer sent. */
  handle(requestBytes: Uint8Array, peer: AttestationPeer, now: Now): Uint8Array {
    const request = parseAttestationRequest(requestBytes);
    const answer = request.ok ? this.#answer(request.value, peer, now) : request;
    const operation = request.ok ? request.value.op : "unreadable";
    if (operation === "join") {
      const result = answer.ok ? "ok" : answer.code;
      this.#deps.meter.count(NODE_ATTESTATIONS, { type: "join_token", result });
    }
    return this.#told(operation, peer, answer);
  }

  /** Counts an answer and writes down a refusal. */
  #told(
    operation: AttestationRequest["op"] | "unreadable",
    peer: AttestationPeer,
    answer: Answer,
  ): Uint8Array {
    this.#deps.meter.count(ATTESTATIONS, { operation, result: answer.ok ? "ok" : answer.code });
    if (!answer.ok) {
      this.#deps.audit?.note({
        event: "svid.refuse",
        subject: subjectOf(peer),
        fields: { operation, code: answer.code },
      });
    }
    return encodeAttestationResponse(
      answer.ok ? answer.value : { result: "refused", code: answer.code },
    );
  }

  #answer(request: AttestationRequest, peer: AttestationPeer, now: Now): Answer {
    switch (request.op) {
      case "bundle":
        return ok({ result: "bundle", bundle: bundleToJson(this.#deps.bundle()) });
      case "join":
        return this.#join(request, peer, now);
      case "renew":
        return this.#renew(peer, now);
      case "challenge":
        return this.#challenge(peer, now);
      case "attest":
        return refuse("identity/attestor-unknown");
    }
  }

  #challenge(peer: AttestationPeer, now: Now): Answer {
    const { attestation } = this.#deps;
    if (peer.kind !== "joining") return refuse("identity/peer-not-entitled");
    if (this.#deps.issuing?.() === undefined) return refuse("identity/not-issuer");
    if (attestation === undefined) return refuse("identity/attestor-unknown");
    const nonce = attestation.challenges.make(peer.nodeId, now.monoMs);
    return ok({ result: "challenge", nonce });
  }

  async #attest(evidence: Evidence, peer: AttestationPeer, now: () => Now): Promise<Answer> {
    const { attestation } = this.#deps;
    const issuing = this.#deps.issuing?.();
    if (peer.kind !== "joining") return refuse("identity/peer-not-entitled");
    if (issuing === undefined) return refuse("identity/not-issuer");
    if (attestation?.attestors.types.includes(evidence.type) !== true)
      return refuse("identity/attestor-unknown");
    const { attestors, challenges, self, claim } = attestation;
    if (this.#judging >= EVIDENCE_UNDER_WAY_MAX) return refuse("identity/attestor-unavailable");
    const nonce = challenges.take(peer.nodeId, now().monoMs);
    if (!nonce.ok) return nonce;
    const message = challengeMessage({ nonce: nonce.value, issuer: self, node: peer.nodeId });
    this.#judging += 1;
    try {
      const attested = await attestors.verify(evidence, message);
      if (attested.ok) {
        const isFree = (await claim?.(attested.value.name, peer.nodeId)) ?? true;
        if (!isFree) return refuse("identity/evidence-used");
        return this.#admit(issuing, { ...attested.value, holder: peer }, now());
      }
      const { code, detail } = attested;
      this.#deps.logger?.warn({ code, detail, type: evidence.type }, "evidence refused");
      return attested;
    } finally {
      this.#judging -= 1;
    }
  }

  /** The name follows from the evidence: who finds it held by others has brought what they have used. */
  #admit(issuing: IssuingParts, { name, selectors, holder }: Attested & Holding, now: Now): Answer {
    if (!isNodeName(name)) return refuse("identity/not-a-node-id");
    const spiffeId = nodeSpiffeId(issuing.issuer.trustDomain, name);
    if (!this.#deps.policy.allows(spiffeId, "mesh.join")) return refuse("identity/denied");
    if (!this.#limit.has(now.monoMs)) return refuse("identity/issuer-busy");
    const claimed = nameRefusal(issuing.names.claim(name, holder.nodeId));
    if (claimed === "identity/name-taken") return refuse("identity/evidence-used");
    if (claimed !== undefined) return refuse(claimed);
    return this.#issue(issuing, { cause: "attest", name, holder: { ...holder, selectors } }, now);
  }

  #join(
    request: Extract<AttestationRequest, { op: "join" }>,
    peer: AttestationPeer,
    now: Now,
  ): Answer {
    const issuing = this.#deps.issuing?.();
    if (peer.kind !== "joining") return refuse("identity/peer-not-entitled");
    if (issuing === undefined) return refuse("identity/not-issuer");
    if (!isNodeName(request.name)) return refuse("identity/not-a-node-id");
    const { nodeId } = peer;
    const use = { secret: request.secret, nodeId, name: request.name, nowMs: now.wallMs };
    // Neither the token is spent for a name that cannot be had, nor the name taken with a token that is no good.
    const token = issuing.ledger.check(use);
    if (!token.ok) return token;
    const free = nameRefusal(issuing.names.check(request.name, nodeId));
    if (free !== undefined) return refuse(free);
    if (!this.#limit.has(now.monoMs)) return refuse("identity/issuer-busy");
    const redeemed = issuing.ledger.redeem(use);
    if (!redeemed.ok) return redeemed;
    const claimed = nameRefusal(issuing.names.claim(request.name, nodeId));
    if (claimed !== undefined) return refuse(claimed);
    return this.#issue(issuing, { cause: "join", name: request.name, holder: peer }, now);
  }

  #renew(peer: AttestationPeer, now: Now): Answer {
    const { policy } = this.#deps;
    const issuing = this.#deps.issuing?.();
    if (peer.kind !== "svid") return refuse("identity/peer-not-entitled");
    if (issuing === undefined) return refuse("identity/not-issuer");
    const { identity } = peer;
    if (identity.trustDomain !== issuing.issuer.trustDomain)
      return refuse("identity/peer-not-entitled");
    // The connection may have outlived the SVID it was made with.
    if (now.wallMs > identity.notAfterMs + (this.#deps.graceMs ?? 0))
      return refuse("identity/peer-not-entitled");
    if (!policy.allows(identity.spiffeId, "mesh.join")) return refuse("identity/denied");
    const last = this.#renewedAtMs.get(identity.nodeId);
    if (last !== undefined && now.monoMs - last < RENEW_INTERVAL_MS_MIN)
      return refuse("identity/renewed-too-recently");
    if (!this.#limit.has(now.monoMs)) return refuse("identity/issuer-busy");
    // With several issuers the name may be unknown here: the SVID proves that another one gave it.
    const claimed = nameRefusal(issuing.names.claim(identity.name, identity.nodeId));
    if (claimed !== undefined) return refuse(claimed);
    const { name } = identity;
    const answer = this.#issue(issuing, { cause: "renew", name, holder: identity }, now);
    if (answer.ok) this.#rememberRenewal(identity.nodeId, now.monoMs);
    return answer;
  }

  #issue({ issuer, issued }: IssuingParts, { cause, name, holder }: Issue, now: Now): Answer {
    const { nodeId, ed25519, mldsa65, selectors = [] } = holder;
    this.#limit.take();
    try {
      const node = { name, ed25519, mldsa65, selectors };
      const chain = issuer.issueNodeSvid({ ...node, nowMs: now.wallMs });
      this.#deps.audit?.record(issueRecord({ cause, chain, nodeId }));
      issued?.({ nodeId, name, chain });
      return ok({ result: "svid", chain, bundle: bundleToJson(this.#deps.bundle()) });
    } catch (error) {
      const isExpected = ["identity/issuer-unusable", "audit/write-failed"].includes(
        errorCode(error),
      );
      if (!isExpected) throw error;
      this.#deps.logger?.warn({ code: errorCode(error), name }, "Cannot issue an SVID");
      return refuse("identity/not-issuer");
    }
  }

  #rememberRenewal(nodeId: NodeId, atMs: number): void {
    this.#renewedAtMs.delete(nodeId);
    this.#renewedAtMs.set(nodeId, atMs);
    for (const oldest of this.#renewedAtMs.keys()) {
      if (this.#renewedAtMs.size <= RENEWALS_REMEMBERED_MAX) break;
      this.#renewedAtMs.delete(oldest);
    }
  }
}

interface Holding {
  readonly holder: Pick<PeerIdentity, "nodeId" | "ed25519" | "mldsa65" | "selectors">;
}

/** For whom an SVID is made, and why. */
interface Issue extends Holding {
  readonly cause: "join" | "attest" | "renew";
  readonly name: string;
}

function subjectOf(peer: AttestationPeer): string {
  if (peer.kind === "svid") return peer.identity.spiffeId;
  return peer.kind === "joining" ? peer.nodeId : peer.kind;
}

function nameRefusal(claim: NameClaim): AttestationRefusalCode | undefined {
  switch (claim) {
    case "held":
      return undefined;
    case "name-taken":
      return "identity/name-taken";
    case "node-has-other-name":
      return "identity/name-fixed";
    case "full":
      return "identity/not-issuer";
  }
}
