// What rules leave of an honest minority when nobody lies (table B4): all rows are N(0, 1) but one, which is N(3, 1), because its node has
// other data. Per cent of an equal say that this row keeps. (A known library's Krum keeps 3, 0 and 0 %.)

import { compileLearningKernels } from "../../src/adapters/wasm/learning/instance.ts";
import { createWasmVectorKernels } from "../../src/adapters/wasm/learning/vector-kernels.ts";
import { aggregatorNamed, aggregatorNames, SeededRandom } from "../../src/learning/index.ts";
import type { BenchResult } from "../measure.ts";
import { row, type Slice } from "./slice.ts";

const SIZES = [10, 20, 40];
const LENGTH = 1000;
const APART = 3;
const ASSUMED_SHARE = 0.3;
const SEEDS = 20;

const kernels = createWasmVectorKernels(compileLearningKernels());

/** A row for each rule and size; all rules unless some are chosen. */
export function minorityTable(report: (result: BenchResult) => void, slice: Slice): void {
  for (const rule of slice.chosenRules ?? aggregatorNames) {
    for (const n of SIZES) {
      const shares = Array.from({ length: SEEDS }, (_, i) => {
        const random = new SeededRandom("bench/robustness/minority", i + 1, n);
        const minority = random.below(n);
        const rows = Array.from({ length: n }, (_, at) => {
          const centre = at === minority ? APART : 0;
          return Float32Array.from({ length: LENGTH }, () => centre + random.normal());
        });
        const result = aggregatorNamed(rule).aggregate(rows, Math.floor(ASSUMED_SHARE * n), {
          kernels,
        });
        if (!result.ok) throw new Error(result.code);
        return 100 * (result.value.votes[minority] ?? 0);
      });
      report(row(`robustness/minority/${rule}/n${n}`, shares));
    }
  }
}
