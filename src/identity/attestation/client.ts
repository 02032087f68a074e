// The client's side: joining with a token or with evidence, and renewing an SVID. A joiner reveals a secret or evidence only after
// the issuer's bundle has the digest in the token or anchor and the issuer's own chain, proved in the handshake, verifies
// against that bundle. Sans-I/O: bytes to send come out, bytes received go in.

import type { CryptoEngine } from "../../crypto/index.ts";
import {
  equalBytes,
  MeshError,
  refuse,
  ok,
  type Refusal,
  type Result,
} from "../../foundation/index.ts";
import type { WallMs } from "../../ports/index.ts";
import { verifyChain } from "../chain.ts";
import type { AttestationClientErrorCode, IdentityErrorCode } from "../errors.ts";
import type { JoinAnchor } from "../join-anchor.ts";
import { checkJoinToken, type JoinToken } from "../join-token.ts";
import { nodeIdOf } from "../node-keys.ts";
import type { NodeId, PeerIdentity } from "../peer-identity.ts";
import { isNodeName } from "../spiffe-id.ts";
import { bundleDigest, parseBundleJson, type TrustBundle } from "../trust-bundle.ts";
import { challengeMessage, type Evidence } from "./evidence.ts";
import {
  type AttestationResponse,
  encodeAttestationRequest,
  parseAttestationResponse,
} from "./messages.ts";

/** A node's own public keys. */
export interface OwnKeys {
  readonly ed25519: Uint8Array;
  readonly mldsa65: Uint8Array;
}

/** An issuer as the handshake left it: it holds these keys, and nobody has checked the chain yet. */
export interface UnanchoredIssuer {
  readonly chain: readonly Uint8Array[];
  readonly ed25519: Uint8Array;
  readonly mldsa65: Uint8Array;
}

/** What a node has after it joined or renewed. */
export interface Credential {
  readonly identity: PeerIdentity;
  readonly bundle: TrustBundle;
}

/** What to do next: send a request on a stream of its own and hand in the answer, or stop. */
export type ClientStep =
  | { readonly step: "send"; readonly request: Uint8Array }
  /** Get evidence, which a certificate's key makes by signing this challenge, and hand it in. */
  | { readonly step: "prove"; readonly challenge: Uint8Array }
  | { readonly step: "done"; readonly credential: Credential }
  | { readonly step: "failed"; readonly code: AttestationClientErrorCode };

type Engine = Pick<CryptoEngine, "sha256" | "mlDsa65">;

/** What a joiner shows. */
export type JoinProof =
  | {
      readonly kind: "token";
      readonly token: Pick<JoinToken, "secret" | "expiresAtMs" | "trustDomain">;
      readonly name: string;
    }
  /** The name follows from the evidence. */
  | { readonly kind: "evidence" };

/**
 * Anchors an issuer: the bundle has the token's digest, the chain verifies against it, and the chain's keys are
 * the ones that the handshake proved.
 * Codes: `identity/bundle-malformed`, `identity/bundle-digest-mismatch`, the codes of `verifyChain`.
 */
export function anchorIssuer(input: {
  readonly engine: Engine;
  readonly anchor: JoinAnchor;
  readonly bundleJson: string;
  readonly issuer: UnanchoredIssuer;
  readonly now: WallMs;
}): Result<
  { readonly bundle: TrustBundle; readonly issuer: PeerIdentity },
  AttestationClientErrorCode
> {
  const { engine, anchor, issuer } = input;
  const bundle = parseBundleJson(anchor.trustDomain, input.bundleJson);
  if (!bundle.ok) return bundle;
  if (!equalBytes(bundleDigest(engine, bundle.value), anchor.bundleDigest))
    return refuse("identity/bundle-digest-mismatch");
  const identity = verifyChain({
    engine,
    chain: issuer.chain,
    ed25519: issuer.ed25519,
    bundle: bundle.value,
    now: input.now,
  });
  if (!identity.ok) return identity;
  if (!equalBytes(identity.value.mldsa65, issuer.mldsa65))
    return refuse("identity/node-id-mismatch");
  // The digest vouches for the roots alone: what else the document says comes again, signed by a root.
  const { trustDomain, authorities } = bundle.value;
  return ok({ bundle: { trustDomain, sequence: 0, authorities }, issuer: identity.value });
}

type JoinState =
  | { readonly state: "new" }
  | { readonly state: "awaiting-bundle" }
  | { readonly state: "awaiting-challenge"; readonly bundle: TrustBundle; readonly issuer: NodeId }
  | { readonly state: "awaiting-evidence"; readonly bundle: TrustBundle }
  | { readonly state: "awaiting-svid"; readonly bundle: TrustBundle }
  | { readonly state: "ended" };

/**
 * Joins through one issuer: `new -> awaiting-bundle -> awaiting-svid -> ended`, and with evidence `awaiting-challenge ->
 * awaiting-evidence` before the SVID. After a failure it is spent; a new one may try another issuer, or the same with the same
 * keys, until the token expires.
 */
export class JoinClient {
  readonly #engine: Engine;
  readonly #anchor: JoinAnchor;
  readonly #issuer: UnanchoredIssuer;
  readonly #keys: OwnKeys;
  readonly #proof: JoinProof;
  #state: JoinState = { state: "new" };

  /** @throws MeshError `identity/not-a-node-id` for a bad name, `identity/key-invalid` for keys of a wrong length */
  constructor(
    deps: { readonly engine: Engine },
    input: {
      readonly anchor: JoinAnchor;
      readonly issuer: UnanchoredIssuer;
      readonly keys: OwnKeys;
      readonly proof: JoinProof;
    },
  ) {
    if (input.proof.kind === "token" && !isNodeName(input.proof.name)) {
      throw new MeshError<IdentityErrorCode>(
        "identity/not-a-node-id",
        `Cannot join as '${input.proof.name}': 1 to 63 of a-z A-Z 0-9 . - _ are allowed. Choose another name.`,
      );
    }
    nodeIdOf(deps.engine, input.keys.ed25519, input.keys.mldsa65);
    this.#engine = deps.engine;
    this.#anchor = input.anchor;
    this.#issuer = input.issuer;
    this.#keys = input.keys;
    this.#proof = input.proof;
  }

  /** The first request. */
  start(now: WallMs): ClientStep {
    if (this.#state.state !== "new") return this.#fail("identity/unexpected-message");
    if (this.#proof.kind === "token") {
      const usable = checkJoinToken(this.#proof.token, now);
      if (!usable.ok) return this.#fail(usable.code);
    }
    this.#state = { state: "awaiting-bundle" };
    return { step: "send", request: encodeAttestationRequest({ op: "bundle" }) };
  }

  /** Takes the response to the last request. */
  receive(bytes: Uint8Array, now: WallMs): ClientStep {
    const response = expectResponse(bytes);
    if (!response.ok) return this.#fail(response.code);
    if (this.#state.state === "awaiting-bundle") return this.#anchored(response.value, now);
    if (this.#state.state === "awaiting-challenge") return this.#challenged(response.value);
    if (this.#state.state === "awaiting-svid")
      return this.#finish(response.value, this.#state.bundle, now);
    return this.#fail("identity/unexpected-message");
  }

  /** Takes the evidence that was asked for. */
  prove(evidence: Evidence): ClientStep {
    if (this.#state.state !== "awaiting-evidence") return this.#fail("identity/unexpected-message");
    this.#state = { state: "awaiting-svid", bundle: this.#state.bundle };
    return { step: "send", request: encodeAttestationRequest({ op: "attest", evidence }) };
  }

  #anchored(response: Accepted, now: WallMs): ClientStep {
    if (response.result !== "bundle") return this.#fail("identity/response-malformed");
    const anchored = anchorIssuer({
      engine: this.#engine,
      anchor: this.#anchor,
      bundleJson: response.bundle,
      issuer: this.#issuer,
      now,
    });
    if (!anchored.ok) return this.#fail(anchored.code);
    const { bundle, issuer } = anchored.value;
    if (this.#proof.kind === "evidence") {
      this.#state = { state: "awaiting-challenge", bundle, issuer: issuer.nodeId };
      return { step: "send", request: encodeAttestationRequest({ op: "challenge" }) };
    }
    this.#state = { state: "awaiting-svid", bundle };
    const { token, name } = this.#proof;
    const request = encodeAttestationRequest({ op: "join", secret: token.secret, name });
    return { step: "send", request };
  }

  #challenged(response: Accepted): ClientStep {
    if (this.#state.state !== "awaiting-challenge" || response.result !== "challenge")
      return this.#fail("identity/response-malformed");
    const { bundle, issuer } = this.#state;
    this.#state = { state: "awaiting-evidence", bundle };
    const node = nodeIdOf(this.#engine, this.#keys.ed25519, this.#keys.mldsa65);
    return {
      step: "prove",
      challenge: challengeMessage({ nonce: response.nonce, issuer, node }),
    };
  }

  #finish(response: Accepted, bundle: TrustBundle, now: WallMs): ClientStep {
    if (response.result !== "svid") return this.#fail("identity/response-malformed");
    // The anchored bundle stays: a newer one comes with the first renewal, from a peer with a right to give it.
    const identity = ownIdentity({
      engine: this.#engine,
      keys: this.#keys,
      name: this.#proof.kind === "token" ? this.#proof.name : undefined,
      chain: response.chain,
      bundle,
      now,
    });
    if (!identity.ok) return this.#fail(identity.code);
    this.#state = { state: "ended" };
    return { step: "done", credential: { identity: identity.value, bundle } };
  }

  #fail(code: AttestationClientErrorCode): ClientStep {
    this.#state = { state: "ended" };
    return { step: "failed", code };
  }
}

/** The request that renews an SVID; the answer goes to {@link acceptRenewal}. */
export function renewalRequest(): Uint8Array {
  return encodeAttestationRequest({ op: "renew" });
}

/**
 * Takes the answer to a renewal: an SVID that the roots we already trust vouch for. The bundle in the answer is
 * not taken: whoever may renew an SVID could else put a root of its own into ours. But an SVID is not taken either while
 * the issuer knows a root that we do not: whoever has a live SVID knows all that were published before it. New roots come signed
 * by an old one.
 * Codes: {@link AttestationClientErrorCode}.
 */
export function acceptRenewal(input: {
  readonly engine: Engine;
  readonly current: Credential;
  readonly response: Uint8Array;
  readonly now: WallMs;
}): Result<Credential, AttestationClientErrorCode> {
  const { engine, now } = input;
  const { bundle, identity: before } = input.current;
  const response = expectResponse(input.response);
  if (!response.ok) return response;
  if (response.value.result !== "svid") return refuse("identity/response-malformed");
  const told = parseBundleJson(bundle.trustDomain, response.value.bundle);
  if (!told.ok) return told;
  const isBehind = told.value.authorities.some(
    (root) => !bundle.authorities.some((known) => equalBytes(known, root)),
  );
  if (isBehind) return refuse("identity/bundle-behind");
  const { name, ed25519, mldsa65 } = before;
  const keys = { ed25519, mldsa65 };
  const identity = ownIdentity({ engine, keys, name, chain: response.value.chain, bundle, now });
  return identity.ok ? ok({ identity: identity.value, bundle }) : identity;
}

type Accepted = Exclude<AttestationResponse, { result: "refused" }>;

function expectResponse(bytes: Uint8Array): Result<Accepted, AttestationClientErrorCode> {
  const response = parseAttestationResponse(bytes);
  if (!response.ok) return response;
  return response.value.result === "refused" ? refused(response.value.code) : ok(response.value);
}

function refused(code: AttestationClientErrorCode): Refusal<AttestationClientErrorCode> {
  return refuse(code, "refused by the issuer");
}

function ownIdentity(input: {
  readonly engine: Engine;
  readonly keys: OwnKeys;
  /** `undefined`: whichever the issuer gives. */
  readonly name: string | undefined;
  readonly chain: readonly Uint8Array[];
  readonly bundle: TrustBundle;
  readonly now: WallMs;
}): Result<PeerIdentity, AttestationClientErrorCode> {
  const { engine, keys, name, chain, bundle, now } = input;
  const identity = verifyChain({ engine, chain, ed25519: keys.ed25519, bundle, now });
  if (!identity.ok) return identity;
  const ours =
    (name === undefined || identity.value.name === name) &&
    equalBytes(identity.value.mldsa65, keys.mldsa65);
  return ours ? identity : refuse("identity/svid-not-ours");
}
