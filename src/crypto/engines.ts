// Which engine runs.

import { isMeshError, MeshError } from "../foundation/index.ts";
import type { CryptoEngine, CryptoErrorCode, EngineName } from "./engine.ts";

/** What the configuration may say. */
export type EngineChoice = "auto" | EngineName;

/** An engine that may be made. */
export interface EngineCandidate {
  readonly name: EngineName;
  /** @throws MeshError `crypto/engine-unavailable` when this host lacks what the engine needs */
  readonly create: () => CryptoEngine;
}

/**
 * Makes the chosen engine and no other; for `auto` the first of `candidates`, which come best first, that this host offers. There is no
 * fallback from a named engine to another: an operator who names one means it. Nor is there one from an engine that is broken: any error
 * but `crypto/engine-unavailable` ends the choice.
 * @throws MeshError `crypto/engine-unavailable`; what a candidate throws
 */
export function selectEngine(
  choice: EngineChoice,
  candidates: readonly EngineCandidate[],
): CryptoEngine {
  let refusal: unknown;
  for (const { create } of candidates.filter(({ name }) => choice === "auto" || choice === name)) {
    try {
      return create();
    } catch (error) {
      if (choice !== "auto" || !isMeshError(error, "crypto/engine-unavailable")) throw error;
      refusal = error;
    }
  }
  const known = candidates.map(({ name }) => name);
  throw new MeshError<CryptoErrorCode>(
    "crypto/engine-unavailable",
    `Cannot use the crypto engine '${choice}': this build has ${known.join(", ") || "none"}, and this host runs none of those that fit. Choose another engine or 'auto'.`,
    { choice, known },
    { cause: refusal },
  );
}
