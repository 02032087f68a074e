// What an issuer host has beyond other nodes: the root's and the intermediate's keys, tokens and names.

import type { KeyFiles } from "../adapters/key-files.ts";
import type { StateStore } from "../adapters/sqlite/state-store.ts";
import type { CryptoEngine, MlDsaSigner } from "../crypto/index.ts";
import { MeshError, toHex } from "../foundation/index.ts";
import {
  type AuditTrail,
  bundleToJson,
  createRoot,
  describeCertificate,
  createWorkloadRoot,
  encodeSignedBundle,
  EntryBook,
  type Es256Signer,
  type IdentityErrorCode,
  INTERMEDIATE_LIFETIME_MS,
  issueRecord,
  Issuer,
  type IssuingParts,
  jwtKeyIdOf,
  type NodeKeys,
  nodeSpiffeId,
  type Policy,
  TokenLedger,
  type TrustBundle,
  WorkloadDesk,
  WorkloadIssuer,
} from "../identity/index.ts";
import { nativeEs256 } from "../adapters/crypto/es256.ts";
import type { Clock, Logger, Meter, Random, WallMs } from "../ports/index.ts";
import { newP256Secret, workloadRootKeyName } from "./workload/authority-keys.ts";

export interface IssuingDeps {
  readonly engine: CryptoEngine;
  readonly random: Random;
  readonly clock: Clock;
  readonly store: StateStore;
  readonly keyFiles: KeyFiles;
  readonly audit: AuditTrail;
}

/** The issuer of this host. */
export class Issuing implements IssuingParts {
  readonly issuer: Issuer;
  readonly ledger: TokenLedger;
  readonly names: StateStore["names"];
  readonly #deps: IssuingDeps;
  readonly #root: Uint8Array;
  readonly #rootSigner: MlDsaSigner;

  private constructor(
    deps: IssuingDeps,
    issuer: Issuer,
    root: { readonly certificate: Uint8Array; readonly signer: MlDsaSigner },
  ) {
    this.#deps = deps;
    this.#root = root.certificate;
    this.#rootSigner = root.signer;
    this.issuer = issuer;
    this.names = deps.store.names;
    this.ledger = new TokenLedger({
      engine: deps.engine,
      random: deps.random,
      store: deps.store.tokens,
    });
  }

  /**
   * Makes a trust domain: root and first intermediate, kept on disk, and the SVID of this node.
   * A crash in between leaves a root without members: `init` again makes another.
   * @throws MeshError `identity/name-fixed`
   */
  static create(
    deps: IssuingDeps,
    keys: NodeKeys,
    options: { trustDomain: string; name: string; svidLifetimeMs: number },
  ): Issuing {
    const { engine, random, clock, store, keyFiles } = deps;
    if (store.names.claim(options.name, keys.nodeId) !== "held") {
      throw new MeshError<IdentityErrorCode>(
        "identity/name-fixed",
        `Cannot make a trust domain as '${options.name}': this host has begun to make one under another name before. Use that name, or remove the state directory.`,
        { name: options.name },
      );
    }
    deps.audit.record({
      event: "trust-domain.create",
      subject: nodeSpiffeId(options.trustDomain, options.name),
    });
    const rootSigner = engine.mlDsa65.signer(keyFiles.seed("root"));
    const root = createRoot(
      { engine, random, rootSigner },
      { trustDomain: options.trustDomain, nowMs: clock.now().wallMs },
    );
    const issuing = new Issuing(
      deps,
      new Issuer(
        { engine, random, rootSigner },
        { trustDomain: options.trustDomain, root, ...lifetimes(options.svidLifetimeMs) },
      ),
      { certificate: root, signer: rootSigner },
    );
    const chain = issuing.issueTo(keys, options.name);
    const bundle: TrustBundle = {
      trustDomain: options.trustDomain,
      sequence: 1,
      authorities: [root],
    };
    store.saveCredential({
      trustDomain: options.trustDomain,
      name: options.name,
      bundle: bundleToJson(bundle),
      chain,
    });
    return issuing;
  }

  /** The issuer of an earlier run; undefined when this host is none. @throws MeshError `identity/issuer-unusable` */
  static load(deps: IssuingDeps, trustDomain: string, svidLifetimeMs: number): Issuing | undefined {
    const { engine, random, store, keyFiles } = deps;
    const stored = store.issuer();
    if (stored === undefined) return undefined;
    const { root, intermediate: certificate } = stored;
    const rootSigner = engine.mlDsa65.signer(keyFiles.existing("root"));
    const intermediate = certificate && {
      certificate,
      seed: keyFiles.existing(seedName(engine, certificate)),
    };
    const issuer = new Issuer(
      { engine, random, rootSigner },
      { trustDomain, root, ...(intermediate && { intermediate }), ...lifetimes(svidLifetimeMs) },
    );
    return new Issuing(deps, issuer, { certificate: root, signer: rootSigner });
  }

  /**
   * The bundle with this host's own keys for workloads in it, made when it has none yet. A key is on disk before the bundle names it;
   * the caller stores the bundle.
   */
  withWorkloadKeys(bundle: TrustBundle): TrustBundle {
    const { engine, random, clock, keyFiles } = this.#deps;
    const { workloadAuthorities = [], jwtAuthorities = [], trustDomain } = bundle;
    const names = new Set<string>(keyFiles.names());
    const hasRoot = workloadAuthorities.some((der) => names.has(workloadRootKeyName(engine, der)));
    const hasJwt = jwtAuthorities.some(({ keyId }) => names.has(`jwt-${keyId}`));
    if (hasRoot && hasJwt) return bundle;
    let [roots, keys] = [workloadAuthorities, jwtAuthorities];
    if (!hasRoot) {
      const { secret, signer } = newP256Secret(random);
      const { wallMs: nowMs } = clock.now();
      const root = createWorkloadRoot({ engine, random }, signer, { trustDomain, nowMs });
      keyFiles.save(workloadRootKeyName(engine, root), secret);
      roots = [...roots, root];
    }
    if (!hasJwt) {
      const { secret, signer } = newP256Secret(random);
      const keyId = jwtKeyIdOf(engine, signer.publicKey);
      keyFiles.save(`jwt-${keyId}`, secret);
      keys = [...keys, { keyId, publicKey: signer.publicKey }];
    }
    const sequence = bundle.sequence + 1;
    return { ...bundle, sequence, workloadAuthorities: roots, jwtAuthorities: keys };
  }

  /**
   * Where nodes get their workloads' SVIDs.
   * @throws MeshError `identity/entry-record-invalid`, `state/key-missing`
   */
  openDesk(deps: {
    readonly keys: NodeKeys;
    readonly policy: Pick<Policy, "allows">;
    readonly bundle: () => TrustBundle;
    readonly meter: Meter;
    readonly logger: Logger;
  }): { readonly desk: WorkloadDesk; readonly book: EntryBook } {
    const { engine, random, store } = this.#deps;
    const { keys, bundle, meter } = deps;
    const { trustDomain } = bundle();
    const { nodeId: author, mldsa65: signer } = keys;
    const bookDeps = { engine, random, meter, store: store.workloads, author, signer };
    const book = new EntryBook(bookDeps, trustDomain);
    const desk = new WorkloadDesk({
      ...deps,
      engine,
      es256: nativeEs256,
      book,
      issuer: this.#workloadIssuer(bundle()),
      signedBundle: () => encodeSignedBundle(bundle(), this.#rootSigner),
      record: (issuance) => store.workloads.record(issuance),
    });
    return { desk, book };
  }

  /** The newest keys that are this host's own. */
  #workloadIssuer({ workloadAuthorities = [], jwtAuthorities = [] }: TrustBundle): WorkloadIssuer {
    const { engine, random, keyFiles } = this.#deps;
    const names = new Set<string>(keyFiles.names());
    const root = workloadAuthorities.findLast((der) => names.has(workloadRootKeyName(engine, der)));
    const jwt = jwtAuthorities.findLast(({ keyId }) => names.has(`jwt-${keyId}`));
    if (root === undefined || jwt === undefined) {
      throw new MeshError<IdentityErrorCode>(
        "identity/issuer-unusable",
        "Cannot issue to workloads: the bundle names no key of this host. Restore a backup.",
      );
    }
    return new WorkloadIssuer(
      { engine, random, issuer: this.issuer },
      {
        root: {
          certificate: root,
          signer: this.#p256(keyFiles.existing(workloadRootKeyName(engine, root))),
        },
        jwt: { keyId: jwt.keyId, signer: this.#p256(keyFiles.existing(`jwt-${jwt.keyId}`)) },
      },
    );
  }

  #p256(secret: Uint8Array): Es256Signer {
    const signer = nativeEs256.signer(secret);
    if (signer !== undefined) return signer;
    throw new MeshError<IdentityErrorCode>(
      "identity/issuer-unusable",
      "Cannot issue to workloads: a key file holds no key of P-256. Restore a backup.",
    );
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
    return chain;
  }

  /** Renews the intermediate when half of its life is over; its seed is on disk before its certificate is. */
  keepIntermediate(nowMs: WallMs): void {
    const { engine, store, keyFiles, audit } = this.#deps;
    const before = this.issuer.intermediate?.certificate;
    if (!this.issuer.ensureIntermediate(nowMs)) return;
    const fresh = this.issuer.intermediate;
    if (fresh === undefined) return;
    const { subject, serial, notAfterMs } = describeCertificate(fresh.certificate);
    audit.record({ event: "authority.rotate", subject, fields: { serial, notAfterMs } });
    keyFiles.save(seedName(engine, fresh.certificate), fresh.seed);
    store.saveIssuer({ root: this.#root, intermediate: fresh.certificate });
    if (before !== undefined) keyFiles.remove(seedName(engine, before));
  }
}

function seedName(engine: CryptoEngine, certificate: Uint8Array): `intermediate-${string}` {
  return `intermediate-${toHex(engine.sha256(certificate)).slice(0, 16)}`;
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
