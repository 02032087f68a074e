// How a trust domain begins on its first host, and how the authorities of a host are found at its start.

import type { KeyFiles } from "../../adapters/key-files.ts";
import type { StateStore } from "../../adapters/sqlite/state-store.ts";
import type { CryptoEngine } from "../../crypto/index.ts";
import { MeshError } from "../../foundation/index.ts";
import {
  type AuditTrail,
  bundleOfState,
  bundleToJson,
  describeRoot,
  encodeSignedBundle,
  encodeTrustState,
  firstAuthority,
  type IdentityErrorCode,
  type NodeId,
  nodeSpiffeId,
  parseTrustState,
  type TrustBundle,
  type TrustState,
} from "../../identity/index.ts";
import type { Clock, Random, WallMs } from "../../ports/index.ts";
import { makeAuthority, makeWorkloadKeys, workloadRootKeyName } from "./authority-keys.ts";
import type { HeldBundle } from "./held-bundle.ts";

interface FirstStateDeps {
  readonly engine: CryptoEngine;
  readonly random: Random;
  readonly clock: Clock;
  readonly store: Pick<
    StateStore,
    "names" | "issuer" | "saveIssuer" | "saveCredential" | "trustState" | "saveTrust"
  >;
  readonly keyFiles: KeyFiles;
  readonly audit: AuditTrail;
  readonly self: NodeId;
  readonly svidLifetimeMs: number;
}

/** What can have been signed before the host kept account of it: the longest life of an entry's SVID. */
const SIGNED_UNTIL_MS = 7 * 86_400_000;

/**
 * Makes a trust domain: its first authority, kept on disk. A crash in between leaves a root without
 * members: `init` again makes another.
 * @throws MeshError `identity/name-fixed`, `state/*`, `audit/write-failed`
 */
export function createTrustDomain(
  deps: FirstStateDeps,
  { trustDomain, name }: { readonly trustDomain: string; readonly name: string },
): void {
  const { engine, random, clock, store, keyFiles, audit, self } = deps;
  if (store.names.claim(name, self) !== "held") {
    throw new MeshError<IdentityErrorCode>(
      "identity/name-fixed",
      `Cannot make a trust domain as '${name}': this host has begun to make one under another name before. Use that name, or remove the state directory.`,
      { name },
    );
  }
  audit.record({ event: "trust-domain.create", subject: nodeSpiffeId(trustDomain, name) });
  const nowMs = clock.now().wallMs;
  const tools = { engine, random, keyFiles };
  const keys = makeAuthority(tools, { trustDomain, nowMs }, keyFiles.seed("root"));
  const state: TrustState = {
    authorities: firstAuthority(keys, nowMs),
    revoked: [],
    issuers: [],
  };
  const bundle = bundleOfState(state, { trustDomain, sequence: 1, self });
  store.saveIssuer({ root: keys.root, intermediate: undefined });
  // The SVID comes with the first start, as with every start of an issuer.
  store.saveCredential({ trustDomain, name, bundle: bundleToJson(bundle), chain: [] });
  save(deps, state, bundle);
}

/** The state of an earlier run. @throws MeshError `identity/issuer-unusable`, `state/*` */
export function storedTrustState(deps: FirstStateDeps, held: HeldBundle): TrustState {
  const text = deps.store.trustState();
  if (text === undefined) return olderState(deps, held);
  const parsed = parseTrustState(text);
  if (parsed.ok) return parsed.value;
  throw new MeshError<IdentityErrorCode>(
    "identity/issuer-unusable",
    "Cannot read what is stored of this issuer's authorities. Restore a backup.",
  );
}

/** Of a host that has issued before authorities were kept account of: there is one, and it is active. */
function olderState(deps: FirstStateDeps, held: HeldBundle): TrustState {
  const { engine, random, clock, store, keyFiles, self } = deps;
  const { trustDomain, sequence, workloadAuthorities = [], jwtAuthorities = [] } = held.bundle;
  const root = store.issuer()?.root;
  if (root === undefined) throw new TypeError("Only an issuer has authorities.");
  const { keyId: id, notAfterMs } = describeRoot(root, "ml-dsa-65");
  const nowMs = clock.now().wallMs;
  const names = new Set<string>(keyFiles.names());
  const workloadRoot = workloadAuthorities.findLast((der) =>
    names.has(workloadRootKeyName(engine, der)),
  );
  const jwt = jwtAuthorities.findLast(({ keyId }) => names.has(`jwt-${keyId}`));
  const workloads =
    workloadRoot && jwt
      ? { workloadRoot, workloadRootId: describeRoot(workloadRoot, "es256").keyId, jwt }
      : makeWorkloadKeys({ engine, random, keyFiles }, trustDomain, nowMs);
  const untilMs = (nowMs + Math.max(SIGNED_UNTIL_MS, deps.svidLifetimeMs)) as WallMs;
  const [active] = firstAuthority({ id, root, notAfterMs, ...workloads }, nowMs);
  const state: TrustState = {
    authorities: active ? [{ ...active, nodesUntilMs: untilMs, signedUntilMs: untilMs }] : [],
    revoked: [],
    issuers: [],
  };
  const bundle = bundleOfState(state, { trustDomain, sequence: sequence + 1, self });
  held.replace(bundle, save(deps, state, bundle));
  return state;
}

function save(
  { engine, store, keyFiles }: FirstStateDeps,
  state: TrustState,
  bundle: TrustBundle,
): Uint8Array {
  const signed = encodeSignedBundle(bundle, engine.mlDsa65.signer(keyFiles.existing("root")));
  const json = bundleToJson(bundle);
  store.saveTrust({ state: encodeTrustState(state), bundle: { json, signed } });
  return signed;
}
