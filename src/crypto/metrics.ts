// What the crypto room measures.

import type { MetricDeclaration } from "../ports/index.ts";
import type { EngineName } from "./engine.ts";

const engine: readonly EngineName[] = ["wasm", "native", "noble"];

export const cryptoMetrics: readonly MetricDeclaration[] = [
  {
    name: "meshd_crypto_engine_info",
    kind: "gauge",
    help: "1 for the engine in use, set when it has passed its start-up self-test.",
    labels: { engine },
  },
  {
    name: "meshd_crypto_public_key_imports_total",
    kind: "counter",
    help: "One more public key was imported for verification because the key cache did not hold it.",
    labels: { algorithm: ["ml-dsa-65", "ed25519"] },
  },
  {
    name: "meshd_crypto_public_key_evictions_total",
    kind: "counter",
    help: "One more public key left the full key cache; a steady rate means that the cache is too small.",
    labels: { algorithm: ["ml-dsa-65", "ed25519"] },
  },
];
