// Which engine runs.

import { MeshError } from "../foundation/index.ts";
import type { CryptoEngine, CryptoErrorCode, EngineName } from "./engine.ts";

/** What the configuration may say. */
export type EngineChoice = "auto" | EngineName;

/**
 * The chosen engine; for `auto` the first of `candidates`, which come best first. There is no fallback from a
 * named engine to another: an operator who names one means it.
 * @throws MeshError `crypto/engine-unavailable`
 */
export function selectEngine(
  choice: EngineChoice,
  candidates: readonly CryptoEngine[],
): CryptoEngine {
  const engine = choice === "auto" ? candidates[0] : candidates.find(({ name }) => name === choice);
  if (engine !== undefined) return engine;
  const available = candidates.map(({ name }) => name);
  throw new MeshError<CryptoErrorCode>(
    "crypto/engine-unavailable",
    `Cannot use the crypto engine '${choice}': this host offers ${available.join(", ") || "none"}. Choose another engine or 'auto'.`,
    { choice, available },
  );
}
