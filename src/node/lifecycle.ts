// From a host without a credential to a member of a mesh: unenrolled -> starting -> running -> stopping.

import type { StoredCredential } from "../adapters/sqlite/state-store.ts";
import type { WorkloadEndpoint } from "../adapters/workload-api/endpoint.ts";
import { joinMesh, type JoinMeans } from "../adapters/libp2p/join-client.ts";
import type { ControlErrorCode } from "../control/index.ts";
import {
  type Anchor,
  type Body,
  type Enrolled,
  type InitRequest,
  type JoinRequest,
  type Token,
  type TokenRequest,
} from "../control/index.ts";
import { errorCode, errorMessage, isMeshError, MeshError } from "../foundation/index.ts";
import {
  bundleDigest,
  bundleToJson,
  checkJoinToken,
  encodeJoinAnchor,
  type Evidence,
  type IdentityErrorCode,
  isJoinAnchor,
  type JoinAnchor,
  nodeSpiffeId,
  parseJoinAnchor,
  parseJoinToken,
} from "../identity/index.ts";
import { hostname } from "node:os";
import type { Config } from "../config/index.ts";
import { proveSelf } from "./attestors.ts";
import { AutoJoin } from "./auto-join.ts";
import { CredentialSource, type SourceProblem } from "./credential-source.ts";
import { Issuing } from "./issuing.ts";
import { createTrustDomain } from "./trust/first-state.ts";
import { HeldBundle } from "./trust/held-bundle.ts";
import type { MemberDeps } from "./member-deps.ts";
import { Member, type MemberOptions } from "./member.ts";

export type LifecycleState = "unenrolled" | "starting" | "running" | "stopping";

export type LifecycleDeps = Omit<MemberDeps, "issuing" | "held">;
export interface LifecycleOptions extends Omit<MemberOptions, "credential"> {
  /** The Workload API that the identity is from. @default issuers of the mesh */
  readonly source?: WorkloadEndpoint | undefined;
}

/** Addresses a join token carries at most; public ones first would need to know which are. */
const TOKEN_ADDRESSES_MAX = 4;

export class Lifecycle {
  readonly #deps: LifecycleDeps;
  readonly #options: LifecycleOptions;
  #state: LifecycleState = "unenrolled";
  #member: Member | undefined;
  #autoJoin: AutoJoin | undefined;
  #source: CredentialSource | undefined;
  /** Why a stored credential could not be used; the node then waits for a new token. */
  #problem: CredentialProblem | undefined;

  constructor(deps: LifecycleDeps, options: LifecycleOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  get state(): LifecycleState {
    return this.#state;
  }

  get member(): Member | undefined {
    return this.#member;
  }

  get problem(): CredentialProblem | undefined {
    return this.#problem;
  }

  /**
   * Joins the mesh when the host is enrolled. A credential that is no longer good leaves the node unenrolled, with
   * its reason in the status: an operator can then join again.
   * @throws MeshError `network/port-taken`, `network/cannot-listen`, `state/*`, `identity/issuer-unusable`
   */
  async start(): Promise<void> {
    await this.#startStored();
    const { source } = this.#options;
    if (source !== undefined) {
      const take = (credential: StoredCredential): Promise<void> => this.#take(credential);
      this.#source = new CredentialSource({ ...this.#deps, take }, source);
      this.#source.start();
      return;
    }
    const { anchor } = this.#options.config.join;
    if (anchor === null) return;
    this.#autoJoin = new AutoJoin({
      join: () => this.join({ token: anchor }),
      isUnenrolled: () => this.#state === "unenrolled",
      random: this.#deps.random,
    });
    this.#autoJoin.start();
  }

  async #startStored(): Promise<void> {
    try {
      await this.#startMember();
    } catch (error) {
      if (!isCredentialProblem(error)) throw error;
      this.#problem = error;
      this.#state = "unenrolled";
      this.#deps.logger.error(
        { code: error.code, error: error.message },
        "the stored credential cannot be used",
      );
    }
  }

  async stop(): Promise<void> {
    this.#state = "stopping";
    this.#autoJoin?.stop();
    await this.#source?.stop();
    await this.#member?.stop();
    this.#member = undefined;
  }

  /** Why nothing comes from the Workload API that the identity is from. */
  get sourceProblem(): SourceProblem | undefined {
    return this.#source?.problem;
  }

  /** A credential of the Workload API: the first makes this node a member, later ones rotate. */
  async #take(credential: StoredCredential): Promise<void> {
    if (this.#isStopping()) return;
    if (this.#member !== undefined) {
      this.#member.trust.take(credential);
      return;
    }
    const { store, audit } = this.#deps;
    if (store.credential() === undefined) {
      const subject = nodeSpiffeId(credential.trustDomain, credential.name);
      audit.record({ event: "node.join", subject, fields: { source: "workload-api" } });
    }
    store.saveCredential(credential);
    try {
      await this.#startMember();
    } catch (error) {
      this.#state = "unenrolled";
      throw error;
    }
  }

  reload(config: Config): void {
    this.#member?.reload(config);
  }

  /** Makes a trust domain with this host as its root and first node. */
  async init({ trustDomain, name }: InitRequest): Promise<Body<Enrolled>> {
    this.#requireUnenrolled();
    const stored = this.#deps.store.credential();
    if (stored !== undefined) {
      // An init whose member could not start, for a taken port say, is taken up where it ended.
      if (stored.trustDomain === trustDomain && stored.name === name) return this.#enrolled();
      throw new MeshError<ControlErrorCode>(
        "control/already-enrolled",
        `This node belongs to '${stored.trustDomain}' although it is not running in it: see meshctl status. Join again with a token, or remove its state directory.`,
        { trustDomain: stored.trustDomain },
      );
    }
    const { svidLifetimeMs } = this.#options.config.identity;
    const self = this.#deps.keys.nodeId;
    createTrustDomain({ ...this.#deps, self, svidLifetimeMs }, { trustDomain, name });
    this.#deps.logger.info({ trustDomain, name }, "trust domain made");
    return this.#enrolled();
  }

  /** Joins a trust domain with a one-time token, or with an anchor and what `join` of the configuration names. */
  async join(request: JoinRequest): Promise<Body<Enrolled>> {
    this.#requireUnenrolled();
    try {
      return await (isJoinAnchor(request.token)
        ? this.#joinByEvidence(request)
        : this.#joinByToken(request));
    } catch (error) {
      const fields = { code: errorCode(error), error: errorMessage(error) };
      this.#deps.logger.warn(fields, "join failed");
      throw error;
    }
  }

  async #joinByToken({
    token: text,
    name = hostname().split(".")[0] ?? "node",
  }: JoinRequest): Promise<Body<Enrolled>> {
    const { store, clock } = this.#deps;
    const token = parseJoinToken(text);
    if (!token.ok)
      throw new MeshError(
        token.code,
        "This is no join token, or it was damaged while it was copied. Copy it again whole: it begins with x0t1.",
      );
    const usable = checkJoinToken(token.value, clock.now().wallMs, store.credential()?.trustDomain);
    if (!usable.ok)
      throw new MeshError(usable.code, TOKEN_MESSAGES[usable.code], {
        trustDomain: token.value.trustDomain,
      });
    return this.#joinBy(token.value, { kind: "token", token: token.value, name });
  }

  async #joinByEvidence({ token: text, name }: JoinRequest): Promise<Body<Enrolled>> {
    const anchor = parseJoinAnchor(text);
    if (!anchor.ok)
      throw new MeshError(
        anchor.code,
        "This is no join anchor, or it was damaged while it was copied. Copy it again whole from meshctl token anchor.",
      );
    if (name !== undefined)
      throw new MeshError(
        "identity/name-fixed",
        "With an anchor the name follows from what the node shows. Leave the name out.",
      );
    const { trustDomain } = anchor.value;
    if ((this.#deps.store.credential()?.trustDomain ?? trustDomain) !== trustDomain)
      throw new MeshError(
        "identity/token-trust-domain",
        TOKEN_MESSAGES["identity/token-trust-domain"],
        { trustDomain },
      );
    const { join } = this.#options.config;
    const prove = (challenge: Uint8Array): Promise<Evidence> => proveSelf(join, challenge);
    return this.#joinBy(anchor.value, { kind: "evidence", prove });
  }

  async #joinBy(anchor: JoinAnchor, means: JoinMeans): Promise<Body<Enrolled>> {
    const { store, keyFiles, logger } = this.#deps;
    this.#state = "starting";
    try {
      const attributes = { "meshd.trust_domain": anchor.trustDomain };
      const { identity, bundle, issuerSpiffeId } = await this.#deps.tracer.span(
        "join",
        { attributes },
        () => joinMesh({ ...this.#deps, ed25519Seed: keyFiles.seed("ed25519") }, anchor, means),
      );
      const fields = { issuer: issuerSpiffeId, serial: identity.serialNumber };
      this.#deps.audit.record({ event: "node.join", subject: identity.spiffeId, fields });
      store.saveIssuerId(issuerSpiffeId);
      store.saveCredential({
        trustDomain: identity.trustDomain,
        name: identity.name,
        bundle: bundleToJson(bundle),
        chain: identity.chain,
      });
      const { trustDomain, name } = identity;
      logger.info({ trustDomain, name, by: means.kind }, "joined");
      store.rememberAddresses(anchor.addresses);
      return await this.#enrolled();
    } catch (error) {
      this.#state = "unenrolled";
      throw error;
    }
  }

  /** What hosts need that join by evidence. @throws MeshError `control/not-enrolled`, `control/not-issuer` */
  anchor(): Body<Anchor> {
    this.#requireIssuing();
    return { anchor: encodeJoinAnchor(this.#anchorOf(this.#requireMember())) };
  }

  /** Whom to ask: this issuer first, others behind it. */
  #anchorOf(member: Member): JoinAnchor {
    const { bundle, network } = member;
    const others = member.issuerAddresses().slice(0, TOKEN_ADDRESSES_MAX / 2);
    const own = reachable(network.addresses()).slice(0, TOKEN_ADDRESSES_MAX - others.length);
    return {
      trustDomain: bundle.trustDomain,
      addresses: [...own, ...others],
      bundleDigest: bundleDigest(this.#deps.engine, bundle),
    };
  }

  #requireIssuing(): Issuing {
    const { issuing } = this.#requireMember().trust;
    if (issuing !== undefined) return issuing;
    throw new MeshError<ControlErrorCode>(
      "control/not-issuer",
      "This node issues no credentials. Run the command on an issuer: meshctl peers shows the roles.",
    );
  }

  createToken({ ttlSeconds, name }: TokenRequest): Body<Token> {
    const member = this.#requireMember();
    const issuing = this.#requireIssuing();
    const { clock } = this.#deps;
    const { wallMs } = clock.now();
    this.#deps.audit.record({
      event: "token.create",
      fields: { ttlSeconds, ...(name === undefined ? {} : { name }) },
    });
    const created = issuing.ledger.create(
      { ...this.#anchorOf(member), ...(name === undefined ? {} : { name }) },
      wallMs,
      ttlSeconds * 1000,
    );
    return { token: created.text, expiresAt: new Date(created.expiresAtMs).toISOString() };
  }

  /** @throws MeshError `control/not-enrolled` */
  #requireMember(): Member {
    if (this.#member !== undefined && this.#state === "running") return this.#member;
    throw new MeshError<ControlErrorCode>(
      "control/not-enrolled",
      "This node is in no mesh yet. Run meshctl init or meshctl join first.",
    );
  }

  requireMember(): Member {
    return this.#requireMember();
  }

  #requireUnenrolled(): void {
    if (this.#options.source !== undefined)
      throw new MeshError<IdentityErrorCode>(
        "identity/source-external",
        "This node takes its identity from a Workload API (identity.source). Register it there, or set identity.source to issuer.",
      );
    if (this.#state === "unenrolled") return;
    throw new MeshError<ControlErrorCode>(
      "control/already-enrolled",
      this.#state === "running"
        ? "This node is in a mesh already: see meshctl identity. To change that, stop it and remove its state directory."
        : `This node is ${this.#state}. Try again in a moment.`,
      { state: this.#state },
    );
  }

  /** A member that cannot start leaves the node unenrolled: the operator mends the cause and tries again. */
  async #enrolled(): Promise<Body<Enrolled>> {
    try {
      await this.#startMember();
    } catch (error) {
      this.#state = "unenrolled";
      throw error;
    }
    const { nodeId, spiffeId, trustDomain } = this.#requireMember().svid.identity;
    return { nodeId, spiffeId, trustDomain };
  }

  /** A stop may come while the start awaits something. */
  #isStopping(): boolean {
    return this.#state === "stopping";
  }

  async #startMember(): Promise<void> {
    const credential = this.#deps.store.credential();
    if (credential === undefined) return;
    this.#state = "starting";
    const { svidLifetimeMs, rotation, clockSkewMs } = this.#options.config.identity;
    const { keys, store } = this.#deps;
    const held = new HeldBundle(this.#deps, credential);
    const issuing = Issuing.load(this.#deps, held, {
      svidLifetimeMs,
      rotation: { ...rotation, clockSkewMs },
    });
    if (issuing !== undefined) {
      // An issuer needs nobody to renew: it starts with a fresh SVID, whatever the old one's age.
      const chain = issuing.issueTo(keys, credential.name);
      store.saveCredential({ ...credential, bundle: bundleToJson(held.bundle), chain });
    }
    const member = new Member(
      { ...this.#deps, issuing, held },
      { ...this.#options, credential: store.credential() ?? credential },
    );
    this.#member = member;
    try {
      await member.start();
      if (this.#isStopping()) {
        await member.stop();
        return;
      }
    } catch (error) {
      await member.stop();
      this.#member = undefined;
      throw error;
    }
    this.#problem = undefined;
    this.#state = "running";
  }
}

/** Addresses for other hosts; those of the loopback only where there are no others. */
function reachable(addresses: readonly string[]): readonly string[] {
  const others = addresses.filter((address) => !/^\/ip4\/127\.|^\/ip6\/::1\//.test(address));
  return others.length > 0 ? others : addresses;
}

/** Codes of a stored credential that a new token mends. */
export const credentialProblems = [
  "identity/expired",
  "identity/not-yet-valid",
  "identity/untrusted",
  "identity/revoked",
  "identity/signature-invalid",
  "identity/node-id-mismatch",
  "identity/classical-denied",
] as const;
type CredentialProblem = MeshError<(typeof credentialProblems)[number]>;

function isCredentialProblem(error: unknown): error is CredentialProblem {
  return isMeshError(error) && credentialProblems.some((code) => code === error.code);
}

const TOKEN_MESSAGES = {
  "identity/token-expired":
    "The join token has expired. Ask for a new one: meshctl token create on an issuer. If it was just made, check the clocks.",
  "identity/token-trust-domain":
    "The join token is for another trust domain than this node's state. Remove the state directory to change meshes.",
} as const;
