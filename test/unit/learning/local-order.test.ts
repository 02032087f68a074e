// What a trainer claims of its update beside the weights.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  encodeSafetensors,
  modelDigest,
  modelSpec,
  openLocalUpdate,
} from "../../../src/learning/index.ts";
import { nativeSha256 } from "../../sim/native-sha256.ts";

const spec = modelSpec([{ name: "w", shape: [2] }]);
const weights = Float32Array.of(1, 2);
const order = {
  ...{ taskId: "t", round: 3, spec, weights },
  base: modelDigest(nativeSha256, weights),
};
const update = (claims: Record<string, string>) =>
  encodeSafetensors(spec, Float32Array.of(3, 4), {
    ...{ task: "t", round: "3", base: order.base, loss: "0.5" },
    ...claims,
  });

test("A claim of ever so many samples is no part of an update: it is the same with it and without.", () => {
  const plain = openLocalUpdate(order, update({}));
  const value = { weights: Float32Array.of(3, 4), loss: 0.5, accuracy: null };
  assert.deepEqual(plain, { ok: true, value });
  for (const key of ["num-examples", "num_samples", "samples"]) {
    const claimed = openLocalUpdate(order, update({ [key]: "1e12" }));
    assert.deepEqual(claimed, plain);
  }
});
