// A small trust domain for tests: root, issuer, nodes, a fixed moment, seeded randomness.

import { createNativeEngine } from "../../../src/adapters/crypto/native.ts";
import type { CryptoEngine, MlDsaSigner } from "../../../src/crypto/index.ts";
import { concatBytes, uint32be, utf8Bytes } from "../../../src/foundation/index.ts";
import {
  createRoot,
  Issuer,
  type IssuerOptions,
  type NodeKeys,
  nodeKeysFromSeeds,
  type TrustBundle,
} from "../../../src/identity/index.ts";
import type { Meter, Random, WallMs } from "../../../src/ports/index.ts";

export const TRUST_DOMAIN = "mesh.example";
export const NOW = Date.UTC(2026, 5, 1, 12) as WallMs;
export const DAY_MS = 86_400_000;
export const engine: CryptoEngine = createNativeEngine();

/** `NOW` moved by some ms. */
export function after(deltaMs: number): WallMs {
  return (NOW + deltaMs) as WallMs;
}

/** A random port whose bytes are SHA-256 of a seed and a counter. */
export function seededRandom(seed: string): Random {
  let counter = 0;
  const block = (): Uint8Array => engine.sha256(concatBytes(utf8Bytes(seed), uint32be(counter++)));
  return {
    bytes(length) {
      let bytes = block();
      while (bytes.length < length) bytes = concatBytes(bytes, block());
      return bytes.subarray(0, length);
    },
    fraction() {
      const [a = 0, b = 0, c = 0, d = 0] = block();
      return (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) / 2 ** 32;
    },
  };
}

/** 32 bytes from a name. */
export function seedOf(name: string): Uint8Array {
  return engine.sha256(utf8Bytes(`test seed ${name}`));
}

export function nodeKeys(name: string): NodeKeys {
  return nodeKeysFromSeeds(engine, {
    ed25519: seedOf(`${name} ed25519`),
    mldsa65: seedOf(`${name} mldsa65`),
  });
}

/** A meter that remembers: `counts` keyed by name and label values, `gauges` by name. */
export interface MemoryMeter extends Meter {
  readonly counts: Map<string, number>;
  readonly gauges: Map<string, number>;
}

export function memoryMeter(): MemoryMeter {
  const counts = new Map<string, number>();
  const gauges = new Map<string, number>();
  return {
    counts,
    gauges,
    count(name, labels = {}, by = 1) {
      const key = [name, ...Object.values(labels)].join(" ");
      counts.set(key, (counts.get(key) ?? 0) + by);
    },
    set(name, value, labels = {}) {
      gauges.set([name, ...Object.values(labels)].join(" "), value);
    },
    observe() {
      throw new Error("no histogram is declared");
    },
  };
}

/** A trust domain with its root key at hand. */
export interface Domain {
  readonly rootSigner: MlDsaSigner;
  readonly root: Uint8Array;
  readonly bundle: TrustBundle;
  readonly issuer: Issuer;
}

export function makeDomain(
  options: Partial<IssuerOptions> & {
    readonly seed?: string;
    readonly rootLifetimeMs?: number;
  } = {},
): Domain {
  const { seed = "root", trustDomain = TRUST_DOMAIN, rootLifetimeMs, ...issuerOptions } = options;
  const rootSigner = engine.mlDsa65.signer(seedOf(seed));
  const random = seededRandom(`${seed} issuer`);
  const root = createRoot(
    { engine, random, rootSigner },
    {
      trustDomain,
      nowMs: NOW,
      ...(rootLifetimeMs === undefined ? {} : { lifetimeMs: rootLifetimeMs }),
    },
  );
  return {
    rootSigner,
    root,
    bundle: { trustDomain, sequence: 1, authorities: [root] },
    issuer: new Issuer({ engine, random, rootSigner }, { trustDomain, root, ...issuerOptions }),
  };
}

/** An SVID chain of a node. */
export function issue(
  domain: Domain,
  name: string,
  keys: NodeKeys,
  nowMs: WallMs = NOW,
): Uint8Array[] {
  return domain.issuer.issueNodeSvid({
    name,
    ed25519: keys.ed25519.publicKey,
    mldsa65: keys.mldsa65.publicKey,
    nowMs,
  });
}
