// The trust bundle that this node goes by, with the signature that lets it hand the bundle on. On disk before it counts.

import type { StateStore, StoredCredential } from "../../adapters/sqlite/state-store.ts";
import type { CryptoEngine } from "../../crypto/index.ts";
import { MeshError } from "../../foundation/index.ts";
import {
  acceptSignedBundle,
  bundleToJson,
  parseBundleJson,
  statedSequence,
  type TrustBundle,
} from "../../identity/index.ts";

export interface HeldBundleDeps {
  readonly engine: Pick<CryptoEngine, "mlDsa65">;
  readonly store: Pick<StateStore, "signedBundle" | "saveBundle">;
}

export class HeldBundle {
  readonly #deps: HeldBundleDeps;
  readonly #listeners = new Set<() => void>();
  #bundle: TrustBundle;
  #signed: Uint8Array | undefined;

  /** @throws MeshError `identity/bundle-malformed` */
  constructor(deps: HeldBundleDeps, credential: StoredCredential) {
    this.#deps = deps;
    this.#bundle = bundleOf(credential);
    const signed = deps.store.signedBundle();
    // After a new join the signature on disk may be of the bundle before.
    const { trustDomain, sequence } = this.#bundle;
    const isOfThis = signed !== undefined && statedSequence(trustDomain, signed) === sequence;
    this.#signed = isOfThis ? signed : undefined;
  }

  get bundle(): TrustBundle {
    return this.#bundle;
  }

  /** As a root signed it; undefined when it came unsigned, with a join. */
  get signed(): Uint8Array | undefined {
    return this.#signed;
  }

  /**
   * Takes a newer bundle from whoever brings it. @returns whether it is newer
   * @throws MeshError `identity/bundle-malformed`, `identity/bundle-unsigned`, `state/write-failed`
   */
  offer(bytes: Uint8Array): boolean {
    const accepted = acceptSignedBundle(this.#deps.engine, this.#bundle, bytes);
    if (accepted.ok) {
      this.#deps.store.saveBundle(bundleToJson(accepted.value), bytes);
      this.replace(accepted.value, bytes);
      return true;
    }
    if (accepted.code === "identity/bundle-stale") return false;
    throw new MeshError(
      accepted.code,
      `A trust bundle is refused: ${accepted.code}. If this node was away for long, join it again with a new token.`,
    );
  }

  /** Goes by a bundle that is on disk already; unsigned, it is handed on to nobody. */
  replace(bundle: TrustBundle, signed: Uint8Array | undefined): void {
    this.#bundle = bundle;
    this.#signed = signed;
    for (const listener of [...this.#listeners]) listener();
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }
}

/** @throws MeshError `identity/bundle-malformed` */
export function bundleOf({ trustDomain, bundle }: StoredCredential): TrustBundle {
  const parsed = parseBundleJson(trustDomain, bundle);
  if (parsed.ok) return parsed.value;
  throw new MeshError(
    parsed.code,
    "Cannot read the stored trust bundle. Restore a backup or join again.",
  );
}
