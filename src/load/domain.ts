// The trust domain of a load run: made for it, and gone with it. Its root key is never stored.

import type { CryptoEngine } from "../crypto/index.ts";
import {
  createRoot,
  Issuer,
  type IntermediateAuthority,
  type NodeKeys,
  type TrustBundle,
} from "../identity/index.ts";
import { systemClock } from "../adapters/clock.ts";
import { systemRandom } from "../adapters/random.ts";
import { createWasmEngine } from "../adapters/wasm/engine.ts";

const TRUST_DOMAIN = "load.mesh";
const SEED_BYTES = 32;

/** The engine of a process of this room. */
export const engine: CryptoEngine = createWasmEngine({ random: systemRandom });

/** What a process of the run needs in order to issue; the intermediate's seed is a secret of the run. */
export interface Domain {
  readonly bundle: TrustBundle;
  readonly intermediate: IntermediateAuthority;
}

/** Keys with the SVID that belongs to them. */
export interface Credential {
  readonly name: string;
  readonly keys: NodeKeys;
  readonly svidChain: readonly Uint8Array[];
}

export function createDomain(): Domain {
  const rootSigner = engine.mlDsa65.signer(systemRandom.bytes(SEED_BYTES));
  const { wallMs: nowMs } = systemClock.now();
  const deps = { engine, random: systemRandom, rootSigner };
  const root = createRoot(deps, { trustDomain: TRUST_DOMAIN, nowMs });
  const issuer = new Issuer(deps, { trustDomain: TRUST_DOMAIN, root });
  issuer.ensureIntermediate(nowMs);
  rootSigner.destroy();
  const { intermediate } = issuer;
  if (intermediate === undefined) throw new Error("an issuer without intermediate");
  return {
    bundle: { trustDomain: TRUST_DOMAIN, sequence: 1, authorities: [root] },
    intermediate,
  };
}

/** Issues SVIDs of the domain. */
export function issuerOf({
  bundle,
  intermediate,
}: Domain): (name: string, keys: NodeKeys) => Credential {
  const [root] = bundle.authorities;
  if (root === undefined) throw new Error("a bundle without root");
  const issuer = new Issuer(
    { engine, random: systemRandom },
    { trustDomain: TRUST_DOMAIN, root, intermediate },
  );
  return (name, keys) => {
    const { wallMs: nowMs } = systemClock.now();
    const publicKeys = { ed25519: keys.ed25519.publicKey, mldsa65: keys.mldsa65.publicKey };
    return { name, keys, svidChain: issuer.issueNodeSvid({ name, nowMs, ...publicKeys }) };
  };
}
