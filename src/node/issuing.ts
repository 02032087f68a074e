// What an issuer host has beyond other nodes: the root's and the intermediate's keys, tokens and names.

import type { KeyFiles } from "../adapters/key-files.ts";
import type { StateStore } from "../adapters/sqlite/state-store.ts";
import type { CryptoEngine } from "../crypto/index.ts";
import { MeshError, toHex } from "../foundation/index.ts";
import {
  type AuditTrail,
  bundleToJson,
  createRoot,
  describeCertificate,
  type IdentityErrorCode,
  INTERMEDIATE_LIFETIME_MS,
  issueRecord,
  Issuer,
  type IssuingParts,
  type NodeKeys,
  nodeSpiffeId,
  TokenLedger,
  type TrustBundle,
} from "../identity/index.ts";
import type { Clock, Random, WallMs } from "../ports/index.ts";

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

  private constructor(deps: IssuingDeps, issuer: Issuer, root: Uint8Array) {
    this.#deps = deps;
    this.#root = root;
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
      root,
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
    return new Issuing(deps, issuer, root);
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
