// No function that handles secrets may branch, address or divide by what it read, except where this table says why.
// The check reads the emitted text, so it holds for what the optimizer made of the sources.

import assert from "node:assert/strict";
import { test } from "node:test";
import { builtText } from "../../vectors/wasm/kernels.ts";
import { dataFlow } from "./data-flow.ts";

interface Exception {
  readonly branches: number;
  readonly addresses: number;
  readonly why: string;
}

const POSITION = "the sponge's position in its block is a function of lengths alone";

/** Functions that touch secrets; those without an exception must show nothing at all. */
const secretFunctions: Readonly<Record<string, Exception | undefined>> = {
  "keccak-f1600/keccakF1600": undefined,
  "keccak-f1600/keccakF1600x2": undefined,
  "keccak/shakeX2Absorb": undefined,
  "keccak/shakeX2Squeeze": undefined,
  "keccak/spongeAbsorb": { branches: 3, addresses: 6, why: POSITION },
  "keccak/spongeSqueeze": { branches: 3, addresses: 1, why: POSITION },
  "keccak/spongeFinish": { branches: 0, addresses: 2, why: POSITION },
  "ml-dsa/ntt/ntt": undefined,
  "ml-dsa/ntt/inverseNtt": undefined,
  "ml-dsa/ntt/multiplyRow": undefined,
  "ml-dsa/rounding/decompose": undefined,
  "ml-dsa/sampling/expandMaskPair": undefined,
  "ml-dsa/sampling/expandSecret": {
    branches: 5,
    addresses: 12,
    why: "RejBoundedPoly's count of accepted candidates, and its places filled, as FIPS 204 permits",
  },
  "ml-dsa/keys/mlDsaPrepareSigningKey": undefined,
  "ml-dsa/keys/mlDsaPrepareExpandedKey": {
    branches: 2,
    addresses: 0,
    why: "whether a coefficient of s1 or s2 was out of range, which refuses the key",
  },
  "ml-dsa/sign/mlDsaSign": {
    branches: 5,
    addresses: 4,
    why: `whether the round was accepted; ${POSITION} (its sponge calls are inlined)`,
  },
  "ml-dsa/sign/respond": {
    branches: 5,
    addresses: 1,
    why: "the rejection loop's four tests, each over a whole polynomial; hints once they are public",
  },
};

const flows = dataFlow(await builtText());

for (const [name, exception] of Object.entries(secretFunctions)) {
  test(`${name} ${exception === undefined ? "never steers by what it read" : `steers by what it read only where ${exception.why}`}`, () => {
    const { branches = 0, addresses = 0 } = exception ?? {};
    assert.deepEqual(flows.get(name), { branches, addresses, divisions: 0 });
  });
}

test("the check itself sees a branch, an address and a division by a loaded value", () => {
  const wat = `(module
 (func $f (param $0 i32) (result i32)
  (local $1 i32)
  loop $again
   local.get $1
   i32.load
   local.get $0
   i32.load
   local.tee $1
   i32.const 3
   i32.rem_u
   i32.add
   br_if $again
  end
  local.get $1
 )
 (func $clean (param $0 i32)
  local.get $0
  i32.const 4
  i32.add
  local.get $0
  i32.load
  i32.store
 )
)`;
  assert.deepEqual(
    [...dataFlow(wat)],
    [
      ["f", { branches: 1, addresses: 1, divisions: 1 }],
      ["clean", { branches: 0, addresses: 0, divisions: 0 }],
    ],
  );
});
