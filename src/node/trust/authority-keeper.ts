// The authorities of the host that holds a trust domain's root: their keys on its disk, each step of their life, and the bundle that
// follows. A step takes effect in this order, so that kill -9 leaves it undone or done: keys, audit log, one transaction, memory.

import { nativeEs256 } from "../../adapters/crypto/es256.ts";
import type { KeyFiles, SeedName } from "../../adapters/key-files.ts";
import type { StateStore } from "../../adapters/sqlite/state-store.ts";
import type { CryptoEngine, MlDsaSigner } from "../../crypto/index.ts";
import { errorCode, errorMessage, MeshError, type Result } from "../../foundation/index.ts";
import {
  activate,
  activeOf,
  type AuditEvent,
  type AuditTrail,
  type Authority,
  type AuthoritySet,
  type CertifyRequest,
  bundleOfState,
  bundleToJson,
  caughtUp,
  dueStep,
  encodeSignedBundle,
  encodeTrustState,
  expire,
  type GrantedIssuer,
  type IdentityErrorCode,
  isEnding,
  type Issuer,
  ISSUERS_MAX,
  jwtKeyIdOf,
  knownFrom,
  type NodeId,
  nodeSpiffeId,
  prepare,
  replaceAtMs,
  revoke,
  REVOKED_NODES_MAX,
  type RotationOptions,
  type RotationRefusal,
  sameContent,
  signed,
  taint,
  type TrustBundle,
  type TrustState,
  type WorkloadAuthorities,
} from "../../identity/index.ts";
import type { Clock, Logger, Random, WallMs } from "../../ports/index.ts";
import { makeAuthority, rootKeyOf, workloadRootKeyName } from "./authority-keys.ts";
import type { HeldBundle } from "./held-bundle.ts";
import type { SigningAuthority } from "./signing-authority.ts";

export interface AuthorityKeeperDeps {
  readonly engine: CryptoEngine;
  readonly random: Pick<Random, "bytes">;
  readonly clock: Clock;
  readonly logger: Pick<Logger, "info" | "warn">;
  readonly store: Pick<StateStore, "saveTrust">;
  readonly keyFiles: KeyFiles;
  readonly audit: AuditTrail;
  readonly held: HeldBundle;
  readonly self: NodeId;
}

export class AuthorityKeeper implements SigningAuthority {
  readonly #deps: AuthorityKeeperDeps;
  readonly #options: RotationOptions;
  #state: TrustState;
  #problem: string | undefined;
  #workloads: { readonly id: string; readonly authorities: WorkloadAuthorities } | undefined;

  /** @throws MeshError `state/key-missing`, `state/write-failed` */
  constructor(deps: AuthorityKeeperDeps, options: RotationOptions, state: TrustState) {
    this.#deps = deps;
    this.#options = options;
    this.#state = state;
    this.#catchUp();
    deps.held.onChange(() => this.#catchUp());
    this.#removeUnusedKeys();
    // Tells at the start when a key is missing.
    this.#rootSigner(this.active);
    this.workloads();
  }

  get authorities(): AuthoritySet {
    return this.#state.authorities;
  }

  get active(): Authority {
    return activeOf(this.authorities);
  }

  /** Changes when another authority signs. */
  get id(): string {
    return this.active.id;
  }

  get issuers(): readonly GrantedIssuer[] {
    return this.#state.issuers;
  }

  get revokedNodes(): TrustState["revoked"] {
    return this.#state.revoked;
  }

  /** When the active authority is replaced by itself; undefined: never. */
  get replaceAtMs(): WallMs | undefined {
    const isAttended = this.#options.lifetimeMs === undefined;
    return isAttended ? undefined : replaceAtMs(this.authorities, this.#options);
  }

  /** Whether the active authority ends soon and nothing is prepared. */
  get isEnding(): boolean {
    return isEnding(this.authorities, this.#now(), this.#options);
  }

  /** The active root with its key. */
  root(): { readonly certificate: Uint8Array; readonly signer: MlDsaSigner } {
    return { certificate: this.active.root, signer: this.#rootSigner(this.active) };
  }

  /** What signs for workloads now. @throws MeshError `state/key-missing`, `identity/issuer-unusable` */
  workloads(): WorkloadAuthorities {
    const { id, workloadRoot, jwt } = this.active;
    if (this.#workloads?.id === id) return this.#workloads.authorities;
    const { engine } = this.#deps;
    const authorities = {
      root: {
        certificate: workloadRoot,
        signer: this.#p256(workloadRootKeyName(engine, workloadRoot)),
      },
      jwt: { keyId: jwt.keyId, signer: this.#p256(`jwt-${jwt.keyId}`) },
    };
    this.#workloads = { id, authorities };
    return authorities;
  }

  /** Publishes a new authority. @throws MeshError {@link RotationRefusal}, `state/*`, `audit/write-failed` */
  prepare(): void {
    const { engine, random, keyFiles } = this.#deps;
    const nowMs = this.#now();
    const { trustDomain } = this.#deps.held.bundle;
    const tools = { engine, random, keyFiles };
    // Refused before keys are made that nobody needs.
    this.#checked(prepare(this.authorities, this.active, nowMs, this.#options));
    const keys = makeAuthority(tools, { trustDomain, nowMs });
    this.#step("authority.prepare", keys.id, prepare(this.authorities, keys, nowMs, this.#options));
  }

  /** Lets the prepared one sign. @throws as {@link prepare} */
  activate(force = false): void {
    const { id } = this.authorities.find(({ state }) => state === "prepared") ?? { id: "" };
    this.#step("authority.activate", id, activate(this.authorities, this.#now(), force));
  }

  /** Has everything renewed that one has signed. @throws as {@link prepare} */
  taint(id: string): void {
    this.#step("authority.taint", id, taint(this.authorities, id, this.#now()));
  }

  /** Takes one out of the bundle. @throws as {@link prepare} */
  revoke(id: string): void {
    this.#step("authority.revoke", id, revoke(this.authorities, id));
  }

  /** Shuts a node out until its SVIDs have ended; it is given no new one, and issues no longer. @throws MeshError `identity/authorities-full` */
  revokeNode(nodeId: NodeId, name: string): void {
    const others = this.#state.revoked.filter((node) => node.nodeId !== nodeId);
    if (others.length >= REVOKED_NODES_MAX) throw refused("identity/authorities-full");
    const bounds = this.authorities.map(({ nodesUntilMs }) => nodesUntilMs);
    const untilMs = Math.max(this.#now(), ...bounds) as WallMs;
    const issuers = this.#state.issuers.filter((issuer) => issuer.nodeId !== nodeId);
    const next = { ...this.#state, issuers, revoked: [...others, { nodeId, name, untilMs }] };
    const subject = nodeSpiffeId(this.#deps.held.bundle.trustDomain, name);
    this.#commit(next, { event: "node.revoke", subject, fields: { nodeId, untilMs } });
  }

  /** Lets a node issue, under an intermediate that it asks for. @throws MeshError `identity/issuers-full` */
  grant(nodeId: NodeId, name: string, force: boolean): void {
    const others = this.#state.issuers.filter((issuer) => issuer.nodeId !== nodeId);
    if (others.length >= ISSUERS_MAX - 1) throw tooManyIssuers();
    const issuer = { nodeId, name, force, workloads: [], untilMs: this.#now() };
    this.#commitIssuers("issuer.grant", [...others, issuer], issuer);
  }

  /** Lets a node issue no longer: its intermediate is not renewed, what it signed for workloads is invalid at once. */
  withdraw(nodeId: NodeId): void {
    const issuer = this.#issuer(nodeId);
    const others = this.#state.issuers.filter((one) => one !== issuer);
    this.#commitIssuers("issuer.withdraw", others, issuer);
  }

  /**
   * Signs another issuer's intermediate and publishes its keys for workloads.
   * @throws MeshError `identity/issuer-unusable`, `control/not-issuer` for a node that may not issue, `state/*`, `audit/write-failed`
   */
  certify(
    nodeId: NodeId,
    { publicKey, workloads }: CertifyRequest,
    issuer: Issuer,
    lifetimeMs: number,
  ): { readonly certificate: Uint8Array; readonly root: Uint8Array; readonly readyAtMs: WallMs } {
    const granted = this.#issuer(nodeId);
    const { engine } = this.#deps;
    const nowMs = this.#now();
    if (workloads.some(({ jwt }) => jwt.keyId !== jwtKeyIdOf(engine, jwt.publicKey)))
      throw unusableKeys();
    const readyAtMs = granted.force ? nowMs : knownFrom(this.authorities, nowMs, this.#options);
    const certificate = issuer.certify(publicKey, nowMs, lifetimeMs);
    const untilMs = (nowMs + lifetimeMs) as WallMs;
    // What hangs on the intermediate is as if it had been signed here.
    this.signed("node", untilMs);
    const others = this.#state.issuers.filter((one) => one !== granted);
    this.#commitIssuers("issuer.certify", [...others, { ...granted, workloads, untilMs }], granted);
    return { certificate, root: this.active.root, readyAtMs };
  }

  #issuer(nodeId: NodeId): GrantedIssuer {
    const granted = this.#state.issuers.find((issuer) => issuer.nodeId === nodeId);
    if (granted !== undefined) return granted;
    throw new MeshError(
      "control/not-issuer",
      "That node was not made an issuer. See meshctl trust issuer list.",
    );
  }

  #commitIssuers(
    event: AuditEvent,
    issuers: readonly GrantedIssuer[],
    { nodeId, name }: GrantedIssuer,
  ): void {
    const subject = nodeSpiffeId(this.#deps.held.bundle.trustDomain, name);
    this.#commit({ ...this.#state, issuers }, { event, subject, fields: { nodeId } });
  }

  /** Notes until when an SVID is good; before it is handed out. @throws MeshError `state/write-failed` */
  signed(kind: "node" | "workload", untilMs: WallMs): void {
    const moved = signed(this.authorities, kind, untilMs, this.#now());
    if (moved === undefined) return;
    const next = { ...this.#state, authorities: moved };
    this.#deps.store.saveTrust({ state: encodeTrustState(next) });
    this.#state = next;
  }

  /** What is due when nobody attends, one step at a time. What fails is tried again. */
  upkeep(): void {
    try {
      this.#upkeep();
      this.#problem = undefined;
    } catch (error) {
      const code = errorCode(error);
      if (code !== this.#problem)
        this.#deps.logger.warn(
          { code, error: errorMessage(error) },
          "authorities not rotated; it is tried again",
        );
      this.#problem = code;
    }
  }

  #upkeep(): void {
    const nowMs = this.#now();
    switch (dueStep(this.authorities, nowMs, this.#options)) {
      case "prepare":
        return this.prepare();
      case "activate":
        return this.activate();
      case "expire":
        return this.#expire(nowMs);
      case undefined: {
        const { clockSkewMs } = this.#options;
        const revoked = this.#state.revoked.filter(({ untilMs }) => nowMs <= untilMs + clockSkewMs);
        if (revoked.length < this.#state.revoked.length)
          this.#commit({ ...this.#state, revoked }, undefined);
      }
    }
  }

  #expire(nowMs: WallMs): void {
    const left = expire(this.authorities, nowMs, this.#options) ?? this.authorities;
    const gone = this.authorities.filter((one) => !left.includes(one));
    const next = { ...this.#state, authorities: left };
    this.#commit(next, { event: "authority.expire", subject: gone.map(({ id }) => id).join(" ") });
  }

  /** The bundle is newer than this host's own account: that is of a backup. */
  #catchUp(): void {
    const { held, self, store, logger } = this.#deps;
    const { trustDomain, sequence } = held.bundle;
    const own = bundleOfState(this.#state, { trustDomain, sequence, self });
    if (sameContent(own, held.bundle)) return;
    const nowMs = this.#now();
    const untilMs = (nowMs + this.#options.reserveMs) as WallMs;
    const next = caughtUp(this.#state, held.bundle, { nowMs, untilMs, self });
    if (next === undefined) {
      logger.warn(
        { sequence },
        "no authority of this host counts any more: restore a newer backup",
      );
      return;
    }
    store.saveTrust({
      state: encodeTrustState(next),
      ...(activeOf(next.authorities).id !== this.active.id && {
        newRoot: activeOf(next.authorities).root,
      }),
    });
    this.#state = next;
    logger.warn({ sequence }, "the bundle was newer than what this host knew of its authorities");
  }

  #step(event: AuditEvent, id: string, step: Result<AuthoritySet, RotationRefusal>): void {
    const authorities = this.#checked(step);
    const subject =
      [...authorities, ...this.authorities].find((one) => one.id.startsWith(id))?.id ?? id;
    this.#commit({ ...this.#state, authorities }, { event, subject });
  }

  #checked(step: Result<AuthoritySet, RotationRefusal>): AuthoritySet {
    if (step.ok) return step.value;
    throw refused(step.code, step.detail);
  }

  #commit(next: TrustState, record: Parameters<AuditTrail["record"]>[0] | undefined): void {
    const { audit, store, held, logger, self } = this.#deps;
    const { trustDomain, sequence } = held.bundle;
    const head = { trustDomain, sequence: sequence + 1, self };
    const bundle = bundleOfState(next, head);
    const isChanged = !sameContent(bundle, held.bundle);
    const signedBundle = isChanged ? this.#sign(bundle, next) : undefined;
    const newRoot = activeOf(next.authorities).root;
    if (record !== undefined) audit.record(record);
    store.saveTrust({
      state: encodeTrustState(next),
      ...(signedBundle && { bundle: { json: bundleToJson(bundle), signed: signedBundle } }),
      ...(newRoot !== this.active.root && { newRoot }),
    });
    this.#state = next;
    if (record !== undefined)
      logger.info({ event: record.event, authority: record.subject }, "authorities changed");
    this.#removeUnusedKeys();
    if (signedBundle !== undefined) held.replace(bundle, signedBundle);
  }

  /** By the authority that has been published longest and is not tainted: a node that was away knows it most probably. */
  #sign(bundle: TrustBundle, { authorities }: TrustState): Uint8Array {
    const { engine, keyFiles } = this.#deps;
    const old = authorities
      .filter(({ state }) => state === "old")
      .map(({ id }) => rootKeyOf(engine, keyFiles, id)?.signer)
      .find((signer) => signer !== undefined);
    return encodeSignedBundle(bundle, old ?? this.#rootSigner(activeOf(authorities)));
  }

  #rootSigner({ id }: Authority): MlDsaSigner {
    const { engine, keyFiles } = this.#deps;
    return rootKeyOf(engine, keyFiles, id)?.signer ?? missing();
  }

  #p256(name: SeedName): WorkloadAuthorities["root"]["signer"] {
    const signer = nativeEs256.signer(this.#deps.keyFiles.existing(name));
    if (signer !== undefined) return signer;
    throw new MeshError<IdentityErrorCode>(
      "identity/issuer-unusable",
      "Cannot issue to workloads: a key file holds no key of P-256. Restore a backup.",
    );
  }

  /** Keys of authorities that are gone, or were never published because of a crash. */
  #removeUnusedKeys(): void {
    const { engine, keyFiles } = this.#deps;
    const used = new Set<SeedName>(
      this.authorities.flatMap(({ id, workloadRoot, jwt }) => [
        rootKeyOf(engine, keyFiles, id)?.name ?? "root",
        workloadRootKeyName(engine, workloadRoot),
        `jwt-${jwt.keyId}` as const,
      ]),
    );
    for (const name of keyFiles.names())
      if (/^(root|workload-root|jwt)(-|$)/.test(name) && !used.has(name)) keyFiles.remove(name);
  }

  #now(): WallMs {
    return this.#deps.clock.now().wallMs;
  }
}

function missing(): never {
  throw new MeshError(
    "state/key-missing",
    "Cannot find the key of the authority that signs, although this host holds the root. Restore a backup.",
  );
}

function tooManyIssuers(): MeshError<IdentityErrorCode> {
  return new MeshError<IdentityErrorCode>(
    "identity/issuers-full",
    `There are ${ISSUERS_MAX} issuers already. Withdraw one first: meshctl trust issuer remove.`,
  );
}

function unusableKeys(): MeshError<IdentityErrorCode> {
  return new MeshError<IdentityErrorCode>(
    "identity/issuer-unusable",
    "An issuer's JWT key has another id than it must have. Upgrade that issuer.",
  );
}

const REFUSED: Readonly<Record<RotationRefusal, string>> = {
  "identity/authority-unknown":
    "There is no such authority, or several whose id begins so. See meshctl trust authority list",
  "identity/authority-prepared": "One is prepared already. Activate it, or revoke it first",
  "identity/authority-not-prepared": "None is prepared. Run meshctl trust authority prepare first",
  "identity/authority-not-spread":
    "Nodes that are away may not know it yet; then they could verify nobody. Wait until then, or use --force when an authority is stolen",
  "identity/authority-active": "It is the one that signs. Prepare and activate another one first",
  "identity/authorities-full":
    "There are as many as a bundle holds. Wait until an old one has ended, or revoke it",
};

function refused(code: RotationRefusal, detail?: string): MeshError<IdentityErrorCode> {
  const until = detail === undefined ? "" : ` before ${new Date(Number(detail)).toISOString()}`;
  return new MeshError<IdentityErrorCode>(
    code,
    `Cannot do that to an authority${until}. ${REFUSED[code]}.`,
  );
}
