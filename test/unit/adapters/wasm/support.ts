// A wasm engine whose memory a test can read, and a meter that keeps what was counted.

import assert from "node:assert/strict";
import { systemRandom } from "../../../../src/adapters/random.ts";
import { createWasmEngine, type WasmEngineOptions } from "../../../../src/adapters/wasm/engine.ts";
import { type Kernels, loadKernels } from "../../../../src/adapters/wasm/kernels.ts";
import { type CryptoEngine, cryptoMetrics } from "../../../../src/crypto/index.ts";
import type { Meter } from "../../../../src/ports/index.ts";

/** Counts by `name{values of labels}`, without the names' common start. */
export class CountingMeter implements Meter {
  readonly #counts = new Map<string, number>();

  count(name: string, labels: Readonly<Record<string, string>> = {}, by = 1): void {
    const declared = cryptoMetrics.find((metric) => metric.name === name);
    assert.ok(declared !== undefined, `${name} is declared`);
    for (const [label, value] of Object.entries(labels)) {
      assert.ok(declared.labels?.[label]?.includes(value), `${name} may have ${label} ${value}`);
    }
    const series = `${name.replace("meshd_crypto_", "")}{${Object.values(labels).join()}}`;
    this.#counts.set(series, (this.#counts.get(series) ?? 0) + by);
  }
  set(): void {
    assert.fail("no gauge is set");
  }
  observe(): void {
    assert.fail("nothing is observed");
  }

  /** What was counted since the last call. */
  take(): Record<string, number> {
    const counts = Object.fromEntries(this.#counts);
    this.#counts.clear();
    return counts;
  }
}

export interface OpenEngine {
  readonly engine: CryptoEngine;
  readonly kernels: Kernels;
  readonly meter: CountingMeter;
}

export function openEngine(options: WasmEngineOptions = {}): OpenEngine {
  const kernels = loadKernels();
  const meter = new CountingMeter();
  const engine = createWasmEngine({ random: systemRandom, kernels, meter }, options);
  return { engine, kernels, meter };
}
