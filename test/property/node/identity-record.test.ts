// An identity record is any peer's answer: whatever it is, it is the node's that was asked for, or refused with a code.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isMeshError } from "../../../src/foundation/index.ts";
import { ChainVerifier } from "../../../src/identity/index.ts";
import { encodeIdentityRecord, NodeIdentities } from "../../../src/node/identity-directory.ts";
import type { MonoMs } from "../../../src/ports/index.ts";
import { quiet } from "../../integration/adapters/test-network.ts";
import {
  engine,
  issue,
  makeDomain,
  memoryMeter,
  nodeKeys,
  NOW,
} from "../../unit/identity/support.ts";

const seed = Number(process.env["FAST_CHECK_SEED"] ?? 20261122);
console.log(`fast-check seed ${seed}`);

const domain = makeDomain();
const keys = nodeKeys("alpha");
const verifier = new ChainVerifier({ engine, meter: memoryMeter() }, domain.bundle, {
  clockSkewMs: 0,
});
const verify = (chain: readonly Uint8Array[], ed25519: Uint8Array) =>
  verifier.verify({ chain, ed25519, now: NOW });
const verified = verify(issue(domain, "alpha", keys), keys.ed25519.publicKey);
assert.ok(verified.ok);
const { nodeId } = verified.value;
const nobody = (): Promise<never> => Promise.reject(new Error("nobody"));
const identities = new NodeIdentities({
  ...{ verify, logger: quiet, toleranceMs: 0, self: nodeId, request: nobody, find: nobody },
  clock: { now: () => ({ wallMs: NOW, monoMs: 0 as MonoMs }) },
});
const sound = encodeIdentityRecord(verified.value);

test("a damaged record, a part of one and bytes of chance are refused with a code", () => {
  assert.equal(identities.open(nodeId, sound).nodeId, nodeId);
  const changes = fc.array(fc.tuple(fc.nat(sound.length - 1), fc.integer({ min: 1, max: 255 })), {
    minLength: 1,
    maxLength: 3,
  });
  const lengths = fc.uint8Array({ minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(
      changes,
      fc.nat(sound.length - 1),
      lengths,
      fc.uint8Array(),
      (list, cut, length, chance) => {
        const damaged = sound.slice();
        for (const [at, flip] of list) damaged[at] = (damaged[at] ?? 0) ^ flip;
        const relabelled = sound.slice();
        relabelled.set(length, 32);
        for (const bytes of [damaged, relabelled, sound.subarray(0, cut), chance]) {
          if (Buffer.compare(bytes, sound) === 0) continue;
          assert.throws(
            () => identities.open(nodeId, bytes),
            (error) => isMeshError(error) && error.code !== "internal/invariant",
          );
        }
      },
    ),
    { seed, numRuns: 200 },
  );
});
