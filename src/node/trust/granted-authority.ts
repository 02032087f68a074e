// What an issuer signs with that holds no root: an intermediate, which the holder of the root signs for some days at a time, and keys
// for workloads of its own, which the bundle carries. Its private keys never leave this host.

import * as z from "zod";
import { nativeEs256 } from "../../adapters/crypto/es256.ts";
import type { KeyFiles, SeedName } from "../../adapters/key-files.ts";
import type { StateStore } from "../../adapters/sqlite/state-store.ts";
import type { CryptoEngine } from "../../crypto/index.ts";
import { fromBase64Url, MeshError, toBase64Url } from "../../foundation/index.ts";
import {
  CERTIFY_CONTEXT,
  certifyMessage,
  describeCertificate,
  describeRoot,
  type IdentityErrorCode,
  type IssuerRequest,
  type IssuerResponse,
  type NodeId,
  type WorkloadAuthorities,
} from "../../identity/index.ts";
import type { Clock, Random, WallMs } from "../../ports/index.ts";
import { intermediateKeyName, makeWorkloadKeys, workloadRootKeyName } from "./authority-keys.ts";
import type { SigningAuthority } from "./signing-authority.ts";

/** Keys for workloads are published for so long after they were replaced: the longest life of an SVID, and a day. */
const OLD_KEYS_MS = 8 * 86_400_000;
const SEED_BYTES = 32;

export interface GrantedAuthorityDeps {
  readonly engine: CryptoEngine;
  readonly random: Random;
  readonly clock: Clock;
  readonly store: Pick<StateStore, "grantedKeys" | "saveGranted" | "issuer">;
  readonly keyFiles: KeyFiles;
  readonly self: NodeId;
  readonly trustDomain: string;
}

const bytes = z.string().transform(fromBase64Url);
const pairSchema = z.strictObject({
  workloadRoot: bytes,
  jwt: z.strictObject({ keyId: z.string(), publicKey: bytes }),
  /** Root above the intermediate when they were made: another root, other keys. */
  under: z.string(),
  /** When they may sign; `null` until they are published. */
  readyAtMs: z.number().nullable(),
});
type Pair = z.output<typeof pairSchema>;

export class GrantedAuthority implements SigningAuthority {
  readonly #deps: GrantedAuthorityDeps;
  /** The oldest first. */
  #pairs: readonly Pair[];
  /** The key that the intermediate will have that was asked for. */
  #seed: Uint8Array | undefined;
  #workloads: { readonly keyId: string; readonly authorities: WorkloadAuthorities } | undefined;

  constructor(deps: GrantedAuthorityDeps) {
    this.#deps = deps;
    const stored: unknown = JSON.parse(deps.store.grantedKeys() ?? "[]");
    this.#pairs = z.array(pairSchema).parse(stored);
  }

  /** Changes when another intermediate is to be used. */
  get id(): string {
    const { engine, store } = this.#deps;
    const intermediate = store.issuer()?.intermediate;
    return intermediate === undefined ? "" : intermediateKeyName(engine, intermediate);
  }

  root(): ReturnType<SigningAuthority["root"]> {
    const root = this.#deps.store.issuer()?.root;
    if (root === undefined) throw notYet("The holder of the root has not certified this issuer");
    return { certificate: root, signer: undefined };
  }

  workloads(): WorkloadAuthorities {
    const nowMs = this.#now();
    const ready = this.#pairs.findLast(({ readyAtMs }) => readyAtMs !== null && readyAtMs <= nowMs);
    if (ready === undefined)
      throw notYet("The keys for workloads are not published for long enough");
    const { workloadRoot, jwt } = ready;
    if (this.#workloads?.keyId === jwt.keyId) return this.#workloads.authorities;
    const root = this.#p256(workloadRootKeyName(this.#deps.engine, workloadRoot));
    const authorities = {
      root: { certificate: workloadRoot, signer: root },
      jwt: { keyId: jwt.keyId, signer: this.#p256(`jwt-${jwt.keyId}`) },
    };
    this.#workloads = { keyId: jwt.keyId, authorities };
    return authorities;
  }

  /** The holder of the root reckons with the intermediate: nothing under it ends later. */
  signed(): void {}

  /** Whether the holder of the root is to be asked. */
  isDue(tainted: readonly string[]): boolean {
    const issuer = this.#deps.store.issuer();
    if (issuer?.intermediate === undefined || this.#pairs.some((pair) => pair.readyAtMs === null))
      return true;
    const { notBeforeMs, notAfterMs } = describeCertificate(issuer.intermediate);
    const now = this.#now();
    const isOld = now >= (notBeforeMs + notAfterMs) / 2;
    // It begins after now, and another one would begin earlier: a clock was put back.
    const isOfTheFuture =
      now < notBeforeMs && notBeforeMs > describeCertificate(issuer.root).notBeforeMs;
    return isOld || isOfTheFuture || tainted.includes(describeRoot(issuer.root, "ml-dsa-65").keyId);
  }

  /** Asks for an intermediate with a new key. What is published for workloads is on disk before. */
  request(): IssuerRequest {
    const { engine, random, self, keyFiles } = this.#deps;
    const nowMs = this.#now();
    const newest = this.#pairs.at(-1);
    if (newest === undefined) this.#savePairs([this.#newPair("")]);
    else if (newest.readyAtMs !== null && newest.readyAtMs + OLD_KEYS_MS < nowMs) {
      for (const { workloadRoot, jwt } of this.#pairs.slice(0, -1)) {
        keyFiles.remove(workloadRootKeyName(engine, workloadRoot));
        keyFiles.remove(`jwt-${jwt.keyId}`);
      }
      this.#savePairs([newest]);
    }
    this.#seed = random.bytes(SEED_BYTES);
    const signer = engine.mlDsa65.signer(this.#seed);
    return {
      op: "certify",
      publicKey: signer.publicKey,
      proof: signer.sign(certifyMessage(self), CERTIFY_CONTEXT),
      workloads: this.#pairs.map(({ workloadRoot, jwt }) => ({ workloadRoot, jwt })),
    };
  }

  /** Takes the answer; on disk when it returns. @throws MeshError its refusal, `state/*` */
  accept(response: IssuerResponse): void {
    const { engine, store, keyFiles } = this.#deps;
    const seed = this.#seed;
    if (response.result !== "certified" || seed === undefined)
      throw new MeshError(
        response.result === "refused" ? response.code : "identity/response-malformed",
        "The holder of the root did not certify this issuer. Look at its log.",
      );
    const { certificate, root, readyAtMs } = response;
    const under = describeRoot(root, "ml-dsa-65").keyId;
    const pairs = this.#pairs.map((pair) =>
      pair.readyAtMs === null ? { ...pair, under: pair.under || under, readyAtMs } : pair,
    );
    const isOtherRoot = pairs.at(-1)?.under !== under && pairs.length < 3;
    this.#pairs = isOtherRoot ? [...pairs, this.#newPair(under)] : pairs;
    keyFiles.save(intermediateKeyName(engine, certificate), seed);
    store.saveGranted(encodePairs(this.#pairs), { root, intermediate: certificate });
  }

  #newPair(under: string): Pair {
    const { trustDomain } = this.#deps;
    const { workloadRoot, jwt } = makeWorkloadKeys(this.#deps, trustDomain, this.#now());
    return { workloadRoot, jwt, under, readyAtMs: null };
  }

  #savePairs(pairs: readonly Pair[]): void {
    this.#deps.store.saveGranted(encodePairs(pairs));
    this.#pairs = pairs;
  }

  #p256(name: SeedName): WorkloadAuthorities["root"]["signer"] {
    const signer = nativeEs256.signer(this.#deps.keyFiles.existing(name));
    if (signer !== undefined) return signer;
    throw notYet("A key file holds no key of P-256");
  }

  #now(): WallMs {
    return this.#deps.clock.now().wallMs;
  }
}

function encodePairs(pairs: readonly Pair[]): string {
  return JSON.stringify(pairs, (_key, value: unknown) =>
    value instanceof Uint8Array ? toBase64Url(value) : value,
  );
}

function notYet(reason: string): MeshError<IdentityErrorCode> {
  return new MeshError<IdentityErrorCode>(
    "identity/issuer-unusable",
    `Cannot issue here: ${reason}. Other issuers can, meanwhile.`,
  );
}
