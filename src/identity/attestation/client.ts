// The client's side: joining with a token and renewing an SVID. A joiner reveals the token's secret only after the
// issuer's bundle has the digest in the token and the issuer's own chain, proved in the handshake, verifies
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
import { checkJoinToken, type JoinToken } from "../join-token.ts";
import { nodeIdOf } from "../node-keys.ts";
import type { PeerIdentity } from "../peer-identity.ts";
import { isNodeName } from "../spiffe-id.ts";
import { bundleDigest, parseBundleJson, type TrustBundle } from "../trust-bundle.ts";
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
  | { readonly step: "done"; readonly credential: Credential }
  | { readonly step: "failed"; readonly code: AttestationClientErrorCode };

type Engine = Pick<CryptoEngine, "sha256" | "mlDsa65">;

/**
 * Anchors an issuer: the bundle has the token's digest, the chain verifies against it, and the chain's keys are
 * the ones that the handshake proved.
 * Codes: `identity/bundle-malformed`, `identity/bundle-digest-mismatch`, the codes of `verifyChain`.
 */
export function anchorIssuer(input: {
  readonly engine: Engine;
  readonly token: JoinToken;
  readonly bundleJson: string;
  readonly issuer: UnanchoredIssuer;
  readonly now: WallMs;
}): Result<
  { readonly bundle: TrustBundle; readonly issuer: PeerIdentity },
  AttestationClientErrorCode
> {
  const { engine, token, issuer } = input;
  const bundle = parseBundleJson(token.trustDomain, input.bundleJson);
  if (!bundle.ok) return bundle;
  if (!equalBytes(bundleDigest(engine, bundle.value), token.bundleDigest))
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
  | { readonly state: "awaiting-svid"; readonly bundle: TrustBundle }
  | { readonly state: "ended" };

/**
 * Joins through one issuer: `new -> awaiting-bundle -> awaiting-svid -> ended`. After a failure it is spent; a new
 * one may try another issuer, or the same with the same keys, until the token expires.
 */
export class JoinClient {
  readonly #engine: Engine;
  readonly #token: JoinToken;
  readonly #issuer: UnanchoredIssuer;
  readonly #keys: OwnKeys;
  readonly #name: string;
  #state: JoinState = { state: "new" };

  /** @throws MeshError `identity/not-a-node-id` for a bad name, `identity/key-invalid` for keys of a wrong length */
  constructor(
    deps: { readonly engine: Engine },
    input: {
      readonly token: JoinToken;
      readonly issuer: UnanchoredIssuer;
      readonly keys: OwnKeys;
      readonly name: string;
    },
  ) {
    if (!isNodeName(input.name)) {
      throw new MeshError<IdentityErrorCode>(
        "identity/not-a-node-id",
        `Cannot join as '${input.name}': 1 to 63 of a-z A-Z 0-9 . - _ are allowed. Choose another name.`,
      );
    }
    nodeIdOf(deps.engine, input.keys.ed25519, input.keys.mldsa65);
    this.#engine = deps.engine;
    this.#token = input.token;
    this.#issuer = input.issuer;
    this.#keys = input.keys;
    this.#name = input.name;
  }

  /** The first request. */
  start(now: WallMs): ClientStep {
    if (this.#state.state !== "new") return this.#fail("identity/unexpected-message");
    const usable = checkJoinToken(this.#token, now);
    if (!usable.ok) return this.#fail(usable.code);
    this.#state = { state: "awaiting-bundle" };
    return { step: "send", request: encodeAttestationRequest({ op: "bundle" }) };
  }

  /** Takes the response to the last request. */
  receive(bytes: Uint8Array, now: WallMs): ClientStep {
    const response = expectResponse(bytes);
    if (!response.ok) return this.#fail(response.code);
    if (this.#state.state === "awaiting-bundle") return this.#anchor(response.value, now);
    if (this.#state.state === "awaiting-svid")
      return this.#finish(response.value, this.#state.bundle, now);
    return this.#fail("identity/unexpected-message");
  }

  #anchor(response: Accepted, now: WallMs): ClientStep {
    if (response.result !== "bundle") return this.#fail("identity/response-malformed");
    const anchored = anchorIssuer({
      engine: this.#engine,
      token: this.#token,
      bundleJson: response.bundle,
      issuer: this.#issuer,
      now,
    });
    if (!anchored.ok) return this.#fail(anchored.code);
    this.#state = { state: "awaiting-svid", bundle: anchored.value.bundle };
    const request = encodeAttestationRequest({
      op: "join",
      secret: this.#token.secret,
      name: this.#name,
    });
    return { step: "send", request };
  }

  #finish(response: Accepted, bundle: TrustBundle, now: WallMs): ClientStep {
    if (response.result !== "svid") return this.#fail("identity/response-malformed");
    // The anchored bundle stays: a newer one comes with the first renewal, from a peer with a right to give it.
    const identity = ownIdentity({
      engine: this.#engine,
      keys: this.#keys,
      name: this.#name,
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
 * left aside: whoever may renew an SVID could else put a root of its own into ours. New roots will come signed by
 * an old one.
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
  readonly name: string;
  readonly chain: readonly Uint8Array[];
  readonly bundle: TrustBundle;
  readonly now: WallMs;
}): Result<PeerIdentity, AttestationClientErrorCode> {
  const { engine, keys, name, chain, bundle, now } = input;
  const identity = verifyChain({ engine, chain, ed25519: keys.ed25519, bundle, now });
  if (!identity.ok) return identity;
  const ours = identity.value.name === name && equalBytes(identity.value.mldsa65, keys.mldsa65);
  return ours ? identity : refuse("identity/svid-not-ours");
}
