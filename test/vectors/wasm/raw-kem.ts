// ML-KEM-768 over raw exports: what a host must do around them (length checks, copies), and nothing else.

import { Kernels } from "./kernels.ts";

/** Why an input was refused. */
export type Refusal = "length" | "modulus" | "hash";

/** Lengths in bytes, FIPS 203 table 3. */
export const SIZES = { seed: 64, ek: 1184, dk: 2400, m: 32, ct: 1088, secret: 32 } as const;

export interface RawKeyPair {
  readonly ek: Uint8Array;
  readonly dk: Uint8Array;
}

/** A module of some parts of wasm/, from export statements with paths relative to it. */
export function loadParts(...statements: readonly string[]): Promise<Kernels> {
  return Kernels.load(
    `${statements.join("\n")}\nexport function heapBase(): usize { return __heap_base; }\n`,
  );
}

/** Reserves a buffer one byte past an aligned address, so that nothing can rely on alignment, and 16 bytes of room behind it. */
export function reserveUnaligned(kernels: Kernels, length: number): number {
  return kernels.reserve(length + 17) + 1;
}

export class RawKem {
  readonly #kernels: Kernels;
  readonly #at: Readonly<Record<keyof typeof SIZES | "prepared", number>>;

  constructor(kernels: Kernels) {
    const buffer = (length: number): number => reserveUnaligned(kernels, length);
    this.#kernels = kernels;
    this.#at = {
      seed: buffer(SIZES.seed),
      ek: buffer(SIZES.ek),
      dk: buffer(SIZES.dk),
      m: buffer(SIZES.m),
      ct: buffer(SIZES.ct),
      secret: buffer(SIZES.secret),
      prepared: buffer(kernels.constant("ML_KEM_PREPARED_BYTES")),
    };
  }

  /** Also leaves the key prepared for `decapsulate`. */
  keygen(seed: Uint8Array): RawKeyPair | Refusal {
    if (seed.length !== SIZES.seed) return "length";
    const { ek, dk, prepared, seed: at } = this.#at;
    this.#kernels.write(at, seed);
    this.#kernels.call("mlKem768Keygen", ek, dk, prepared, at);
    return { ek: this.#kernels.read(ek, SIZES.ek), dk: this.#kernels.read(dk, SIZES.dk) };
  }

  /** undefined, and the key is prepared for `decapsulate`; or why not. */
  prepare(dk: Uint8Array): Refusal | undefined {
    if (dk.length !== SIZES.dk) return "length";
    const at = this.#at;
    this.#kernels.write(at.dk, dk);
    const code = this.#kernels.call("mlKem768PrepareDecapsulationKey", at.prepared, at.dk);
    return code === this.#kernels.constant("ML_KEM_OK") ? undefined : "hash";
  }

  encapsulate(ek: Uint8Array, m: Uint8Array): { ct: Uint8Array; secret: Uint8Array } | Refusal {
    if (ek.length !== SIZES.ek || m.length !== SIZES.m) return "length";
    const at = this.#at;
    this.#kernels.write(at.ek, ek);
    this.#kernels.write(at.m, m);
    const code = this.#kernels.call("mlKem768Encapsulate", at.ct, at.secret, at.ek, at.m);
    if (code !== this.#kernels.constant("ML_KEM_OK")) return "modulus";
    return {
      ct: this.#kernels.read(at.ct, SIZES.ct),
      secret: this.#kernels.read(at.secret, SIZES.secret),
    };
  }

  decapsulate(ct: Uint8Array): Uint8Array | Refusal {
    if (ct.length !== SIZES.ct) return "length";
    const at = this.#at;
    this.#kernels.write(at.ct, ct);
    this.#kernels.call("mlKem768Decapsulate", at.secret, at.prepared, at.ct);
    return this.#kernels.read(at.secret, SIZES.secret);
  }
}

/** What is not a refusal. */
export function accepted<T extends object>(answer: T | Refusal): T {
  if (typeof answer === "string") throw new Error(`refused: ${answer}`);
  return answer;
}
