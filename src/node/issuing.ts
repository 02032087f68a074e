// What an issuer host has beyond other nodes: authorities and the intermediate under the active one, tokens and names.

import type { KeyFiles } from "../adapters/key-files.ts";
import { nativeEs256 } from "../adapters/crypto/es256.ts";
import type { StateStore } from "../adapters/sqlite/state-store.ts";
import type { CryptoEngine } from "../crypto/index.ts";
import {
  type AuditTrail,
  describeCertificate,
  EntryBook,
  INTERMEDIATE_LIFETIME_MS,
  issueRecord,
  Issuer,
  type IssuerDeskDeps,
  type IssuingParts,
  type NodeKeys,
  type Policy,
  type RotationOptions,
  TokenLedger,
  WorkloadDesk,
  WorkloadIssuer,
} from "../identity/index.ts";
import type { Clock, Logger, Meter, Random, WallMs } from "../ports/index.ts";
import { ENDPOINT_PATH, ENDPOINT_SVID_SECONDS } from "./endpoint-svid.ts";
import { intermediateKeyName } from "./trust/authority-keys.ts";
import { AuthorityKeeper } from "./trust/authority-keeper.ts";
import { storedTrustState } from "./trust/first-state.ts";
import type { SigningAuthority } from "./trust/signing-authority.ts";
import type { HeldBundle } from "./trust/held-bundle.ts";

export interface IssuingDeps {
  readonly engine: CryptoEngine;
  readonly random: Random;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly store: StateStore;
  readonly keyFiles: KeyFiles;
  readonly audit: AuditTrail;
  readonly keys: NodeKeys;
}

interface IssuingOptions {
  readonly svidLifetimeMs: number;
  readonly rotation: Pick<RotationOptions, "lifetimeMs" | "prepareMs" | "clockSkewMs">;
}

/** Life of another issuer's intermediate, at least: a new authority waits for its end, so it is short. Asked for at half of it. */
const GRANTED_LIFETIME_MS = 14 * 86_400_000;

/** The issuer of this host. */
export class Issuing implements IssuingParts {
  /** On the holder of the root; undefined on an issuer under it. */
  readonly keeper: AuthorityKeeper | undefined;
  readonly ledger: TokenLedger;
  readonly names: StateStore["names"];
  readonly #deps: IssuingDeps;
  readonly #held: HeldBundle;
  readonly #svidLifetimeMs: number;
  readonly #authority: SigningAuthority;
  /** The issuer under the authority that was active when it was made. */
  #current: { readonly authority: string; readonly issuer: Issuer } | undefined;

  constructor(
    deps: IssuingDeps,
    held: HeldBundle,
    authority: SigningAuthority,
    svidLifetimeMs: number,
  ) {
    this.#deps = deps;
    this.#held = held;
    this.#svidLifetimeMs = svidLifetimeMs;
    this.#authority = authority;
    this.keeper = authority instanceof AuthorityKeeper ? authority : undefined;
    const { engine, random, store } = deps;
    this.names = store.names;
    this.ledger = new TokenLedger({ engine, random, store: store.tokens });
  }

  /** The issuer of the host that holds the root; undefined on others. @throws MeshError `identity/issuer-unusable`, `state/*` */
  static load(deps: IssuingDeps, held: HeldBundle, options: IssuingOptions): Issuing | undefined {
    const { store } = deps;
    if (store.issuer() === undefined || store.grantedKeys() !== undefined) return undefined;
    const { svidLifetimeMs, rotation } = options;
    const reserveMs = lifetimes(svidLifetimeMs).intermediateLifetimeMs;
    const trustDeps = { ...deps, held, self: deps.keys.nodeId, svidLifetimeMs };
    const state = storedTrustState(trustDeps, held);
    const keeper = new AuthorityKeeper(trustDeps, { ...rotation, reserveMs }, state);
    return new Issuing(deps, held, keeper, svidLifetimeMs);
  }

  /** Answers another issuer that asks for its intermediate; on the holder of the root. */
  get certify(): IssuerDeskDeps["certify"] {
    const { keeper } = this;
    if (keeper === undefined) return undefined;
    const lifetimeMs = Math.max(GRANTED_LIFETIME_MS, 2 * this.#svidLifetimeMs);
    return (nodeId, request) => keeper.certify(nodeId, request, this.issuer, lifetimeMs);
  }

  /** Signs under the active authority. @throws MeshError `identity/issuer-unusable`, `state/key-missing` */
  get issuer(): Issuer {
    const { id } = this.#authority;
    if (this.#current?.authority === id) return this.#current.issuer;
    const issuer = this.#openIssuer();
    this.#current = { authority: id, issuer };
    return issuer;
  }

  /** Of every SVID it is known until when it is good, before it is handed out: so long its authority stays in the bundle. */
  readonly issued = ({ chain }: { readonly chain: readonly Uint8Array[] }): void => {
    const [leaf] = chain;
    if (leaf !== undefined) this.#authority.signed("node", describeCertificate(leaf).notAfterMs);
  };

  /**
   * Where nodes get their workloads' SVIDs.
   * @throws MeshError `identity/entry-record-invalid`, `state/key-missing`
   */
  openDesk(deps: {
    readonly policy: Pick<Policy, "allows">;
    readonly foreign: (trustDomain: string) => string | undefined;
    readonly meter: Meter;
    readonly logger: Logger;
  }): { readonly desk: WorkloadDesk; readonly book: EntryBook } {
    const { engine, random, store, keys, audit } = this.#deps;
    const { trustDomain } = this.#held.bundle;
    const { nodeId: author, mldsa65: signer } = keys;
    const ed25519 = keys.ed25519.publicKey;
    const bookDeps = { engine, random, meter: deps.meter, store: store.workloads, author, signer };
    const book = new EntryBook({ ...bookDeps, ed25519 }, trustDomain);
    const desk = new WorkloadDesk({
      ...deps,
      engine,
      es256: nativeEs256,
      book,
      issuer: this.#workloadIssuer(),
      bundle: () => this.#held.bundle,
      signedBundle: () => this.#held.signed,
      record: async (issuance) => {
        this.#authority.signed("workload", issuance.notAfterMs);
        await store.workloads.record(issuance);
        const { spiffeId: subject, kind, entry, node, digest } = issuance;
        audit.note({ event: "workload.issue", subject, fields: { kind, entry, node, digest } });
      },
    });
    return { desk, book };
  }

  /** An X.509-SVID of P-256 for this host's own bundle endpoint. @throws MeshError `identity/issuer-unusable`, `audit/write-failed` */
  endpointSvid(publicKey: Uint8Array): Uint8Array | undefined {
    const { clock, audit, keys } = this.#deps;
    const spiffeId = `spiffe://${this.#held.bundle.trustDomain}${ENDPOINT_PATH}`;
    const entry = { spiffeId, dnsNames: [], x509TtlS: ENDPOINT_SVID_SECONDS };
    const chain = this.#workloadIssuer().x509(entry, "es256", publicKey, clock.now().wallMs);
    audit.record(issueRecord({ cause: "own", nodeId: keys.nodeId, chain }));
    const [leaf] = chain;
    if (leaf !== undefined)
      this.#authority.signed("workload", describeCertificate(leaf).notAfterMs);
    return leaf;
  }

  #workloadIssuer(): WorkloadIssuer {
    const { engine, random } = this.#deps;
    const deps = { engine, random, issuer: () => this.issuer };
    return new WorkloadIssuer(deps, () => this.#authority.workloads());
  }

  /** Issues an SVID for this very node. */
  issueTo({ nodeId, ed25519, mldsa65 }: NodeKeys, name: string): Uint8Array[] {
    const { clock, audit } = this.#deps;
    const nowMs = clock.now().wallMs;
    this.keepIntermediate(nowMs);
    const chain = this.issuer.issueNodeSvid({
      name,
      ed25519: ed25519.publicKey,
      mldsa65: mldsa65.publicKey,
      nowMs,
    });
    audit.record(issueRecord({ cause: "own", nodeId, chain }));
    this.issued({ chain });
    return chain;
  }

  /** Renews the intermediate when half of its life is over; its seed is on disk before its certificate is. */
  keepIntermediate(nowMs: WallMs): void {
    const { engine, store, keyFiles, audit } = this.#deps;
    const { issuer } = this;
    const before = issuer.intermediate?.certificate;
    if (!issuer.ensureIntermediate(nowMs)) return;
    const fresh = issuer.intermediate;
    if (fresh === undefined) return;
    const { subject, serial, notAfterMs } = describeCertificate(fresh.certificate);
    audit.record({ event: "authority.rotate", subject, fields: { serial, notAfterMs } });
    keyFiles.save(intermediateKeyName(engine, fresh.certificate), fresh.seed);
    const { certificate: root } = this.#authority.root();
    store.saveIssuer({ root, intermediate: fresh.certificate });
    if (before !== undefined) keyFiles.remove(intermediateKeyName(engine, before));
  }

  #openIssuer(): Issuer {
    const { engine, random, store, keyFiles } = this.#deps;
    const { certificate: root, signer: rootSigner } = this.#authority.root();
    const certificate = store.issuer()?.intermediate;
    const used = certificate && intermediateKeyName(engine, certificate);
    for (const name of keyFiles.names())
      if (name.startsWith("intermediate-") && name !== used) keyFiles.remove(name);
    const intermediate = certificate && used && { certificate, seed: keyFiles.existing(used) };
    return new Issuer(
      { engine, random, ...(rootSigner && { rootSigner }) },
      {
        trustDomain: this.#held.bundle.trustDomain,
        root,
        ...(intermediate && { intermediate }),
        ...lifetimes(this.#svidLifetimeMs),
      },
    );
  }
}

/** Long SVID lives need a longer-lived intermediate: it must outlast them twice. */
function lifetimes(svidLifetimeMs: number): {
  svidLifetimeMs: number;
  intermediateLifetimeMs: number;
} {
  return {
    svidLifetimeMs,
    intermediateLifetimeMs: Math.max(INTERMEDIATE_LIFETIME_MS, 2 * svidLifetimeMs),
  };
}
