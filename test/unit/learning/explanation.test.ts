// What an aggregate says of each row, and the encodings that certificates sign.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import {
  aggregatorNamed,
  type AggregatorName,
  aggregatorNames,
  encodeRule,
  encodeShares,
  plainKernels,
  ruleDigest,
} from "../../../src/learning/index.ts";

const sha256 = (data: Uint8Array): Uint8Array => createHash("sha256").update(data).digest();
const aggregate = (name: AggregatorName, f: number, ...rows: number[][]) => {
  const result = aggregatorNamed(name).aggregate(
    rows.map((row) => Float32Array.from(row)),
    f,
    { kernels: plainKernels },
  );
  assert.ok(result.ok, name);
  return result.value;
};

test("Every rule says of every row its votes, clip factor, distance and cosine.", () => {
  const rows = Array.from({ length: 9 }, (_, i) => [3 + i / 10, 4 - i / 20]);
  for (const name of aggregatorNames) {
    const { vector, shares, votes, clip, distances, cosines, inDegree } = aggregate(
      name,
      2,
      ...rows,
    );
    for (const list of [shares, votes, clip, distances, cosines, inDegree]) {
      assert.equal(list.length, 9, name);
    }
    rows.forEach(([x = 0, y = 0], i) => {
      const [vx = 0, vy = 0] = vector;
      // Inner products of rows as long as 5 are right to 25 * 2^-24, and so are squared distances made of them.
      const squared = (x - vx) ** 2 + (y - vy) ** 2;
      assert.ok(Math.abs((distances[i] ?? 0) ** 2 - squared) < 1e-5, name);
      const cosine = (x * vx + y * vy) / (Math.hypot(x, y) * Math.hypot(vx, vy));
      assert.ok(Math.abs((cosines[i] ?? 0) - cosine) < 1e-6, name);
      assert.ok(Math.abs((votes[i] ?? 0) - 9 * (shares[i] ?? 0)) < 1e-12, name);
    });
  }
});

test("The clip factor is the one of adaptive robust clipping, and 1 where it did not clip.", () => {
  // n = 5, f = 1: the longest row, 40, is cut to 4.
  assert.deepEqual(aggregate("arc+caf", 1, [1], [2], [3], [-4], [40]).clip, [1, 1, 1, 1, 0.1]);
  assert.deepEqual(aggregate("caf", 1, [1], [2], [3], [-4], [40]).clip, [1, 1, 1, 1, 1]);
});

test("A row that points away has a cosine below zero, and a zero row has none.", () => {
  const { cosines } = aggregate("median", 1, [2, 0], [1, 0], [1, 0], [-5, 0], [0, 0]);
  assert.deepEqual(cosines, [1, 1, 1, -1, 0]);
});

test("No result holds a negative zero.", () => {
  for (const name of aggregatorNames) {
    const { vector } = aggregate(name, 1, ...new Array<number[]>(5).fill([-0, 1e-45, -1e-45]));
    assert.ok(!vector.some((value) => Object.is(value, -0)), name);
  }
});

test("The weights of the Gram space are whole numbers of 2^-24 and have four bytes each.", () => {
  const { shares } = aggregate("arc+nnm+geometric-median", 1, [1], [2], [3], [5], [40]);
  for (const share of shares) assert.ok(Number.isInteger(share * 2 ** 24));
  const bytes = encodeShares([1, 0.5, 0, 2 ** -24]);
  assert.deepEqual([...bytes], [1, 0, 0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
});

test("A rule has one encoding, and no two rules or bounds share a digest.", () => {
  assert.equal(
    new TextDecoder().decode(encodeRule({ aggregator: "arc+caf", byzantine: 6 })),
    "meshd/rule/2 arc+caf f=6\n",
  );
  const digests = aggregatorNames.flatMap((aggregator) =>
    [0, 1, 11].map((byzantine) => ruleDigest({ sha256 }, { aggregator, byzantine }).join()),
  );
  assert.equal(new Set(digests).size, digests.length);
});
