// What the crypto room measures.

import type { MetricDeclaration } from "../ports/index.ts";
import { countedOperations } from "./counted-engine.ts";
import type { EngineName } from "./engine.ts";

const engine: readonly EngineName[] = ["wasm", "native", "noble"];
const preparedKind = ["verification", "signing", "decapsulation"] as const;

export const cryptoMetrics: readonly MetricDeclaration[] = [
  {
    name: "meshd_crypto_engine_info",
    kind: "gauge",
    help: "1 for the engine in use, set when it has passed its start-up self-test.",
    labels: { engine },
  },
  {
    name: "meshd_crypto_operations_total",
    kind: "counter",
    help: "One more operation on a key ended without an error; load makes a signing key of its seed. The start-up self-test counts too.",
    labels: { engine, operation: countedOperations },
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
  {
    name: "meshd_crypto_prepared_keys_total",
    kind: "counter",
    help: "One more use of a prepared key of the engine wasm: a hit found it in wasm memory, a miss prepared it first.",
    labels: { kind: preparedKind, result: ["hit", "miss"] },
  },
  {
    name: "meshd_crypto_prepared_key_evictions_total",
    kind: "counter",
    help: "One more prepared key left its full set in wasm memory; a steady rate means that the set is too small.",
    labels: { kind: preparedKind },
  },
  {
    name: "meshd_crypto_verification_pool_refusals_total",
    kind: "counter",
    help: "One more call for verification in threads was refused, because too many jobs or bytes wait already.",
    labels: { limit: ["jobs", "bytes"] },
  },
  {
    name: "meshd_crypto_verification_pool_failures_total",
    kind: "counter",
    help: "One more thread of the verification pool ended by itself; its jobs failed, and the next job starts another.",
  },
];
