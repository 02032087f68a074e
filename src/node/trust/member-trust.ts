// What a member is by its credential, and whom it believes: its SVID and the renewal of it, the trust bundle and its spread, what is asked of
// issuers, and being one.

import { nativeEs256 } from "../../adapters/crypto/es256.ts";
import type { Network } from "../../adapters/libp2p/network.ts";
import type { StoredCredential } from "../../adapters/sqlite/state-store.ts";
import type { Config } from "../../config/index.ts";
import { equalBytes, MeshError } from "../../foundation/index.ts";
import {
  AttestationServer,
  type AttestationDeps,
  bundleToJson,
  ChainVerifier,
  Challenges,
  type EntryBook,
  type NodeId,
  parseSvidResponse,
  type PeerIdentity,
  signerOf,
  SVID_PROTOCOL,
  SVID_RESPONSE_BYTES_MAX,
  SvidHolder,
  type TrustBundle,
} from "../../identity/index.ts";
import type { MeshMachine } from "../../mesh/index.ts";
import { attestorsOf } from "../attestors.ts";
import type { NodeIdentities } from "../identity-directory.ts";
import type { Issuing } from "../issuing.ts";
import type { MemberDeps } from "../member-deps.ts";
import { PeerStanding } from "../peer-standing.ts";
import type { AuthorityKeeper } from "./authority-keeper.ts";
import { BUNDLE_MESSAGE_BYTES_MAX, BUNDLE_PROTOCOL, BundleSpread } from "./bundle-spread.ts";
import { bundleOf } from "./held-bundle.ts";
import { IssuerRole } from "./issuer-role.ts";
import { Issuers } from "./issuers.ts";
import { serveIssuer } from "./serve-issuer.ts";
import { SvidRenewal } from "./svid-renewal.ts";

const ISSUER_TIMEOUT_MS = 10_000;

/** The parts of the member that come to be after this one, and what it does when something here has changed. */
export interface MemberTrustParts {
  readonly network: () => Network;
  readonly mesh: () => Pick<MeshMachine, "members" | "isQuarantined">;
  readonly identities: () => NodeIdentities;
  /** Sees to a connection to a member. @throws MeshError `network/dial-failed` */
  readonly reach: (nodeId: NodeId) => Promise<void>;
  readonly onRoles: () => void;
  readonly onBundle: () => void;
  readonly onSvid: (identity: PeerIdentity) => void;
}

export class MemberTrust {
  readonly svid: SvidHolder;
  readonly standing: PeerStanding;
  readonly renewal: SvidRenewal;
  readonly #deps: MemberDeps;
  readonly #config: Config;
  readonly #parts: MemberTrustParts;
  readonly #verifier: ChainVerifier;
  readonly #spread: BundleSpread;
  readonly #issuer: IssuerRole;
  readonly #issuers: Issuers;

  /**
   * @throws MeshError `identity/expired` and the other codes of chain verification for a stored SVID that is no
   * longer good, `identity/bundle-malformed`, `identity/policy-invalid`
   */
  constructor(
    deps: MemberDeps,
    config: Config,
    credential: StoredCredential,
    parts: MemberTrustParts,
  ) {
    const { engine, meter, random, access, clock, logger, audit, keys, held } = deps;
    const { clockSkewMs, issuerGraceMs: graceMs } = config.identity;
    this.#deps = deps;
    this.#config = config;
    this.#parts = parts;
    this.#verifier = new ChainVerifier({ engine, meter, es256: nativeEs256 }, this.bundle, {
      clockSkewMs,
      graceMs,
    });
    this.standing = new PeerStanding({
      ...{ verifier: this.#verifier, access, clock, logger, audit, bundle: () => this.bundle },
      toleranceMs: clockSkewMs + graceMs,
      network: parts.network,
      identities: parts.identities,
      spread: () => this.#spread,
    });
    this.svid = new SvidHolder({ meter, random }, this.#ownIdentity(credential), {
      ...{ graceMs, clockSkewMs },
    });
    this.#issuer = new IssuerRole({
      ...deps,
      policy: access,
      svidLifetimeMs: config.identity.svidLifetimeMs,
      request: async (to, protocol, request, limits) => {
        await parts.reach(to);
        return parts.network().request(to, protocol, request, limits);
      },
      onChange: parts.onRoles,
    });
    this.#spread = new BundleSpread({
      ...{ held, self: keys.nodeId, random, logger },
      peers: () => parts.network().connectedPeers(),
      request: (...request) => parts.network().request(...request),
    });
    this.#issuers = this.#makeIssuers();
    this.renewal = this.#makeRenewal();
    held.onChange(() => this.#bundleChanged());
  }

  get bundle(): TrustBundle {
    return this.#deps.held.bundle;
  }

  /** The authorities of this host, which holds the root. @throws MeshError `control/not-issuer` */
  get authorities(): AuthorityKeeper {
    const keeper = this.#issuer.issuing?.keeper;
    if (keeper !== undefined) return keeper;
    throw new MeshError(
      "control/not-issuer",
      "This node does not hold the root of the trust domain. Run the command on the host where meshctl init was run.",
    );
  }

  /** The registration entries of this issuer. @throws MeshError `control/not-issuer` */
  get entries(): EntryBook {
    if (this.#issuer.book !== undefined) return this.#issuer.book;
    throw new MeshError(
      "control/not-issuer",
      "This node issues no credentials. Run the command on an issuer: meshctl peers shows the roles.",
    );
  }

  get isIssuer(): boolean {
    return this.issuing !== undefined;
  }

  /** What makes this node an issuer, while it is one. */
  get issuing(): Issuing | undefined {
    return this.#issuer.issuing;
  }

  /** Who issues beside the holder of the root, as the bundle says. */
  get issuers(): readonly NodeId[] {
    return this.#issuer.issuers;
  }

  /** Why this node's own SVID is no longer good although it has not expired; undefined while it is. */
  get svidProblem(): string | undefined {
    const { chain, ed25519 } = this.svid.identity;
    const verified = this.standing.verify(chain, ed25519);
    return verified.ok ? undefined : verified.code;
  }

  /** Answers what others ask of bundles and, on an issuer, of credentials, until the network stops. */
  async serve(): Promise<void> {
    const { meter, logger, clock, audit, access } = this.#deps;
    const network = this.#parts.network();
    await network.serve(
      BUNDLE_PROTOCOL,
      { requestBytesMax: BUNDLE_MESSAGE_BYTES_MAX, streamsPerPeerMax: 4, relayed: true },
      (_peer, request) => Promise.resolve(this.#spread.answer(request)),
    );
    const server = new AttestationServer({
      bundle: () => this.bundle,
      ...{ policy: access, meter, logger, audit },
      graceMs: this.#config.identity.issuerGraceMs,
      ...this.#attestation(),
      issuing: () => this.issuing,
    });
    await serveIssuer({
      ...{ network, issuer: this.#issuer, server, clock },
      refuseShutOut: (nodeId) => this.#refuseShutOut(nodeId),
      asOfNow: (peer) => this.standing.asOfNow(peer),
    });
  }

  start(): void {
    this.#spread.start();
  }

  stop(): void {
    this.#spread.stop();
  }

  /** A peer is connected: it may have a newer bundle, or issue. */
  met(nodeId: NodeId): void {
    this.#spread.met(nodeId);
    this.renewal.met(nodeId);
  }

  /** Renewal of the own SVID, and expiry of the peers'. To be called every few seconds. */
  upkeep(): void {
    void this.#issuer.upkeep();
    this.renewal.upkeep();
    this.standing.upkeep();
  }

  /** What is to be heard when the entries of this issuer change; nothing on another node. */
  onEntries(listener: () => void): void {
    this.#issuer.book?.onChange(listener);
  }

  /** What an issuer answers about workloads; on an issuer, itself, by the same desk. */
  async askIssuer(request: Uint8Array): Promise<Uint8Array> {
    const { desk } = this.#issuer;
    if (desk !== undefined) return desk.handle(request, this.svid.identity, this.#deps.clock.now());
    return this.#issuers.ask(async (nodeId) => {
      const answer = await this.#parts.network().request(nodeId, SVID_PROTOCOL, request, {
        timeoutMs: ISSUER_TIMEOUT_MS,
        responseBytesMax: SVID_RESPONSE_BYTES_MAX,
      });
      const parsed = parseSvidResponse(answer);
      if (parsed.ok && parsed.value.result === "refused" && isElsewhere(parsed.value.code))
        throw new MeshError(parsed.value.code, `The issuer refused: ${parsed.value.code}.`);
      return answer;
    });
  }

  /** Takes a credential that came with its bundle; on disk first. @throws MeshError the codes of chain verification */
  take(credential: StoredCredential): void {
    const [before, bundle] = [this.bundle, bundleOf(credential)];
    const [leaf] = credential.chain;
    const isSameLeaf = leaf !== undefined && equalBytes(leaf, this.svid.identity.chain[0] ?? leaf);
    const isSameBundle = bundle.sequence === before.sequence;
    if (isSameLeaf && isSameBundle) return;
    this.#verifier.setBundle(bundle);
    try {
      this.#adopt(credential);
    } catch (error) {
      this.#verifier.setBundle(before);
      throw error;
    }
    if (!isSameBundle) this.#deps.held.replace(bundle, undefined);
  }

  #ownIdentity({ chain }: StoredCredential): PeerIdentity {
    const verified = this.standing.verify(chain, this.#deps.keys.ed25519.publicKey);
    if (verified.ok) return verified.value;
    throw new MeshError(
      verified.code,
      verified.code === "identity/classical-denied"
        ? "Cannot use this node's SVID: it is of P-256. Give mesh.classical to such nodes in the policy of all nodes, if that is wanted."
        : `Cannot use this node's SVID: ${verified.code}. Check the clock, or join again with a new token.`,
    );
  }

  #attestation(): { readonly attestation?: AttestationDeps } {
    const { clock, random, keys } = this.#deps;
    const attestors = attestorsOf(this.#config.attestors, clock);
    if (attestors === undefined) return {};
    const challenges = new Challenges(random);
    const claim: AttestationDeps["claim"] = (name, nodeId) => this.#issuer.claim(name, nodeId);
    return { attestation: { attestors, challenges, self: keys.nodeId, claim } };
  }

  /** @throws MeshError `mesh/quarantined`, `identity/revoked` */
  #refuseShutOut(nodeId: NodeId): void {
    refuseQuarantined(this.#parts.mesh(), nodeId);
    if (this.bundle.notes?.revoked.includes(nodeId) === true)
      throw new MeshError(
        "identity/revoked",
        "The node was shut out: meshctl trust authority list.",
      );
  }

  /** Another bundle counts: who is not vouched for any more goes, and what is to be renewed is renewed at once. */
  #bundleChanged(): void {
    const { bundle } = this;
    const { audit, logger, clock } = this.#deps;
    this.#verifier.setBundle(bundle);
    logger.info({ sequence: bundle.sequence }, "trust bundle changed");
    audit.note({ event: "bundle.change", fields: { sequence: bundle.sequence } });
    void this.standing.applyBundle();
    this.#parts.identities().recheck();
    this.#parts.onBundle();
    void this.#issuer.upkeep();
    const { identity } = this.svid;
    const signer = signerOf(identity.chain) ?? "";
    const isSound = this.standing.verify(identity.chain, identity.ed25519).ok;
    if (isSound && bundle.notes?.tainted.includes(signer) !== true) return;
    this.svid.hurry(clock.now().wallMs);
    this.renewal.upkeep();
  }

  #makeIssuers(): Issuers {
    const { store, access } = this.#deps;
    return new Issuers({
      members: () => this.#parts.mesh().members(),
      spiffeIdOf: (nodeId) => this.#parts.identities().lookup(nodeId)?.spiffeId,
      named: () => this.#issuer.issuers,
      pinned: () => store.issuerId(),
      permits: (spiffeId) => access.permits(spiffeId, "issuer.attest"),
      reach: this.#parts.reach,
    });
  }

  #makeRenewal(): SvidRenewal {
    return new SvidRenewal(
      {
        ...this.#deps,
        ...{ svid: this.svid, spread: this.#spread, issuers: this.#issuers },
        issuing: () => this.issuing,
        request: (...request) => this.#parts.network().request(...request),
        adopt: (chain) => this.#adopt({ ...this.#stored(), chain }),
      },
      this.#config.identity.source,
    );
  }

  #stored(): StoredCredential {
    const { trustDomain, name, chain } = this.svid.identity;
    return { trustDomain, name, chain, bundle: bundleToJson(this.bundle) };
  }

  /** On disk first: a crash afterwards starts with the new SVID, before with the old one. */
  #adopt(credential: StoredCredential): void {
    const identity = this.#ownIdentity(credential);
    const { spiffeId: subject, serialNumber: serial, notAfterMs } = identity;
    this.#deps.audit.note({ event: "svid.renew", subject, fields: { serial, notAfterMs } });
    this.#deps.store.saveCredential(credential);
    this.svid.renewed(identity);
    this.#parts.onSvid(this.svid.identity);
  }
}

/** @throws MeshError `mesh/quarantined` */
export function refuseQuarantined(mesh: Pick<MeshMachine, "isQuarantined">, nodeId: NodeId): void {
  if (!mesh.isQuarantined(nodeId)) return;
  throw new MeshError(
    "mesh/quarantined",
    `Node ${nodeId.slice(0, 12)} is in quarantine. See meshctl quarantine show ${nodeId}.`,
    { nodeId },
  );
}

/** Whether another issuer may do what one refuses: it has the entry already, or the time. */
function isElsewhere(code: string): boolean {
  return [
    ...["identity/not-issuer", "identity/entry-unknown"],
    ...["identity/rate-limited", "identity/issuer-busy"],
  ].includes(code);
}
