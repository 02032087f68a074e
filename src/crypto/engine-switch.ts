// The engine in use, which can be put in the place of another while the daemon runs: memory of prepared keys or tables goes bad, and
// then every signature looks wrong. What takes over has passed the self-test first; an engine that was named is followed by itself alone.
// Callers keep one face: signing keys are made anew in the engine in use, key pairs of handshakes end in the one they began in.

import type { CryptoEngine, EngineName } from "./engine.ts";
import { type EngineCandidate, type EngineChoice, selectEngine } from "./engines.ts";

export interface EngineSwitchOptions {
  readonly choice: EngineChoice;
  /** The best first. */
  readonly candidates: readonly EngineCandidate[];
  /** @throws when the engine is not to be used */
  readonly test: (engine: CryptoEngine) => void;
  /** What callers get of an engine, as one that counts; the test has the engine itself. */
  readonly dress: (engine: CryptoEngine) => CryptoEngine;
  /** Another one is in use, or the same made anew. */
  readonly changed: (to: EngineName, from: EngineName) => void;
}

export class EngineSwitch {
  readonly #options: EngineSwitchOptions;
  readonly #allowed: readonly EngineCandidate[];
  #tested: CryptoEngine;
  #used: CryptoEngine;
  #isSound = true;
  /** The face for all callers. */
  readonly engine: CryptoEngine;

  /** @throws MeshError what {@link selectEngine} and the test throw: no daemon starts with an engine that fails */
  constructor(options: EngineSwitchOptions) {
    const { choice, candidates, test } = options;
    this.#options = options;
    this.#allowed = candidates.filter(({ name }) => choice === "auto" || choice === name);
    this.#tested = selectEngine(choice, candidates);
    test(this.#tested);
    this.#used = options.dress(this.#tested);
    this.engine = faceOf(() => this.#used);
  }

  /** 0: the engine in use is the one that was named, or the best; else how many are better. */
  get rank(): number {
    return this.#allowed.findIndex(({ name }) => name === this.#used.name);
  }

  /** What the newest {@link check} said. */
  get isSound(): boolean {
    return this.#isSound;
  }

  /** Tests the engine in use; 2 ms with wasm. */
  check(): void {
    this.#isSound = passes(this.#options.test, this.#tested);
  }

  /**
   * Tests the engine in use, and the better ones. The first that is sound is used from now on; what is sound and the best stays.
   * @returns whether another one is in use now
   * @throws MeshError why a better one is not: then the one in use is sound; or why none is, and then nothing is changed
   */
  renew(): boolean {
    const { test } = this.#options;
    let refusal: Error | undefined;
    for (const { name, create } of this.#allowed) {
      const isUsed = name === this.#used.name;
      try {
        if (isUsed && passes(test, this.#tested)) break;
        const made = create();
        test(made);
        this.#use(made);
        return true;
      } catch (error) {
        refusal = error as Error;
      }
    }
    if (refusal !== undefined) throw refusal;
    return false;
  }

  #use(engine: CryptoEngine): void {
    const from = this.#used.name;
    this.#tested = engine;
    this.#used = this.#options.dress(engine);
    this.#isSound = true;
    this.#options.changed(engine.name, from);
  }
}

function passes(test: (engine: CryptoEngine) => void, engine: CryptoEngine): boolean {
  try {
    test(engine);
    return true;
  } catch {
    return false; // a new one is made, and if that fails, too, its error is told
  }
}

function faceOf(used: () => CryptoEngine): CryptoEngine {
  return {
    get name() {
      return used().name;
    },
    mlKem768: {
      generate: (seed) => used().mlKem768.generate(seed),
      encapsulate: (key, message) => used().mlKem768.encapsulate(key, message),
    },
    mlDsa65: {
      signer(seed) {
        const key = lastingKey(used, seed, (engine, kept) => engine.mlDsa65.signer(kept));
        return {
          publicKey: key.now().publicKey,
          sign: (...args) => key.now().sign(...args),
          destroy: () => key.destroy(),
        };
      },
      verify: (...args) => used().mlDsa65.verify(...args),
      verifyBatch: (jobs) => used().mlDsa65.verifyBatch(jobs),
    },
    ed25519: {
      signer(seed) {
        const key = lastingKey(used, seed, (engine, kept) => engine.ed25519.signer(kept));
        return {
          publicKey: key.now().publicKey,
          sign: (message) => key.now().sign(message),
          destroy: () => key.destroy(),
        };
      },
      verify: (...args) => used().ed25519.verify(...args),
    },
    sha256: (data) => used().sha256(data),
    sha256Batch: (messages, count) => used().sha256Batch(messages, count),
    sha512: (data) => used().sha512(data),
  };
}

/** A key that is loaded again when another engine is in use; the old one goes with the memory of its engine. */
function lastingKey<Key extends { destroy(): void }>(
  used: () => CryptoEngine,
  seed: Uint8Array,
  load: (engine: CryptoEngine, seed: Uint8Array) => Key,
): { readonly now: () => Key; readonly destroy: () => void } {
  const kept = seed.slice();
  let engine = used();
  let key = load(engine, kept);
  let isDestroyed = false;
  return {
    now: () => {
      if (!isDestroyed && engine !== used()) {
        engine = used();
        key = load(engine, kept);
      }
      return key;
    },
    destroy: () => {
      isDestroyed = true;
      kept.fill(0);
      key.destroy();
    },
  };
}
