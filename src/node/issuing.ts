// What an issuer host has beyond other nodes: authorities and the intermediate under the active one, tokens and names.

import type { KeyFiles } from "../adapters/key-files.ts";
import { nativeEs256 } from "../adapters/crypto/es256.ts";
import type { StateStore } from "../adapters/sqlite/state-store.ts";
import type { CryptoEngine } from "../crypto/index.ts";
import { toHex } from "../foundation/index.ts";
import {
  type AuditTrail,
  describeCertificate,
  encodeSignedBundle,
  EntryBook,
  INTERMEDIATE_LIFETIME_MS,
  issueRecord,
  Issuer,
  type IssuingParts,
  type NodeKeys,
  type Policy,
  type RotationOptions,
  TokenLedger,
  WorkloadDesk,
  WorkloadIssuer,
} from "../identity/index.ts";
import type { Clock, Logger, Meter, Random, WallMs } from "../ports/index.ts";
import { AuthorityKeeper } from "./trust/authority-keeper.ts";
import { storedTrustState } from "./trust/first-state.ts";
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

export interface IssuingOptions {
  readonly svidLifetimeMs: number;
  readonly rotation: Pick<RotationOptions, "lifetimeMs" | "prepareMs" | "clockSkewMs">;
}

/** The issuer of this host. */
export class Issuing implements IssuingParts {
  readonly authorities: AuthorityKeeper;
  readonly ledger: TokenLedger;
  readonly names: StateStore["names"];
  readonly #deps: IssuingDeps;
  readonly #held: HeldBundle;
  readonly #svidLifetimeMs: number;
  /** The issuer under the authority that was active when it was made. */
  #current: { readonly authority: string; readonly issuer: Issuer } | undefined;

  private constructor(
    deps: IssuingDeps,
    held: HeldBundle,
    { svidLifetimeMs, rotation }: IssuingOptions,
  ) {
    this.#deps = deps;
    this.#held = held;
    this.#svidLifetimeMs = svidLifetimeMs;
    const { engine, random, store } = deps;
    const options = { ...rotation, reserveMs: lifetimes(svidLifetimeMs).intermediateLifetimeMs };
    const trustDeps = { ...deps, held, self: deps.keys.nodeId, svidLifetimeMs };
    const state = storedTrustState(trustDeps, held);
    this.authorities = new AuthorityKeeper(trustDeps, options, state);
    this.names = store.names;
    this.ledger = new TokenLedger({ engine, random, store: store.tokens });
  }

  /** The issuer of an earlier run; undefined when this host is none. @throws MeshError `identity/issuer-unusable`, `state/*` */
  static load(deps: IssuingDeps, held: HeldBundle, options: IssuingOptions): Issuing | undefined {
    return deps.store.issuer() === undefined ? undefined : new Issuing(deps, held, options);
  }

  /** Signs under the active authority. @throws MeshError `identity/issuer-unusable`, `state/key-missing` */
  get issuer(): Issuer {
    const { id } = this.authorities.active;
    if (this.#current?.authority === id) return this.#current.issuer;
    const issuer = this.#openIssuer();
    this.#current = { authority: id, issuer };
    return issuer;
  }

  /** Of every SVID it is known until when it is good, before it is handed out: so long its authority stays in the bundle. */
  readonly issued = ({ chain }: { readonly chain: readonly Uint8Array[] }): void => {
    const [leaf] = chain;
    if (leaf !== undefined) this.authorities.signed("node", describeCertificate(leaf).notAfterMs);
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
    const { engine, random, store, keys } = this.#deps;
    const { trustDomain } = this.#held.bundle;
    const { nodeId: author, mldsa65: signer } = keys;
    const bookDeps = { engine, random, meter: deps.meter, store: store.workloads, author, signer };
    const book = new EntryBook(bookDeps, trustDomain);
    this.authorities.workloads(); // tells at the start when a key is missing
    const desk = new WorkloadDesk({
      ...deps,
      engine,
      es256: nativeEs256,
      book,
      issuer: new WorkloadIssuer({ engine, random, issuer: () => this.issuer }, () =>
        this.authorities.workloads(),
      ),
      bundle: () => this.#held.bundle,
      signedBundle: () =>
        this.#held.signed ?? encodeSignedBundle(this.#held.bundle, this.authorities.root().signer),
      record: (issuance) => {
        this.authorities.signed("workload", issuance.notAfterMs);
        store.workloads.record(issuance);
      },
    });
    return { desk, book };
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
    keyFiles.save(seedName(engine, fresh.certificate), fresh.seed);
    store.saveIssuer({ root: this.authorities.active.root, intermediate: fresh.certificate });
    if (before !== undefined) keyFiles.remove(seedName(engine, before));
  }

  #openIssuer(): Issuer {
    const { engine, random, store, keyFiles } = this.#deps;
    const { certificate: root, signer: rootSigner } = this.authorities.root();
    const certificate = store.issuer()?.intermediate;
    const used = certificate && seedName(engine, certificate);
    for (const name of keyFiles.names())
      if (name.startsWith("intermediate-") && name !== used) keyFiles.remove(name);
    const intermediate = certificate && used && { certificate, seed: keyFiles.existing(used) };
    return new Issuer(
      { engine, random, rootSigner },
      {
        trustDomain: this.#held.bundle.trustDomain,
        root,
        ...(intermediate && { intermediate }),
        ...lifetimes(this.#svidLifetimeMs),
      },
    );
  }
}

function seedName(engine: CryptoEngine, certificate: Uint8Array): `intermediate-${string}` {
  return `intermediate-${toHex(engine.sha256(certificate)).slice(0, 16)}`;
}

/** Long SVID lives need a longer-lived intermediate: it must outlast them twice. */
export function lifetimes(svidLifetimeMs: number): {
  svidLifetimeMs: number;
  intermediateLifetimeMs: number;
} {
  return {
    svidLifetimeMs,
    intermediateLifetimeMs: Math.max(INTERMEDIATE_LIFETIME_MS, 2 * svidLifetimeMs),
  };
}
