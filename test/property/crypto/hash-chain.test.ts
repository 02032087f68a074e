// Any honest sequence of reveals verifies; any other link is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createNativeEngine } from "../../../src/adapters/crypto/native.ts";
import { HashChain, verifyLink } from "../../../src/crypto/index.ts";

const engine = createNativeEngine();
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const context = fc.uint8Array({ maxLength: 64 });

test("a verifier that keeps the last verified link accepts every honest reveal with bounded gaps", () => {
  const gaps = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 20 });
  fc.assert(
    fc.property(bytes32, context, gaps, (seed, own, steps) => {
      const chain = new HashChain(engine, { seed, length: 100, context: own });
      let lastIndex = 0;
      let lastLink = chain.anchor;
      for (const step of steps) {
        const index = lastIndex + step;
        if (index > chain.length) break;
        const link = chain.link(index);
        const claim = { engine, context: own, lastLink, lastIndex, link, index, stepsMax: 8 };
        const verdict = verifyLink(claim);
        if (step > 8) assert.deepEqual(verdict, { ok: false, code: "crypto/chain-gap" });
        else {
          assert.deepEqual(verdict, { ok: true, value: step });
          lastIndex = index;
          lastLink = link;
        }
      }
    }),
    { numRuns: 50 },
  );
});

test("no other 32 bytes pass for a link, at any index and gap", () => {
  const own = new Uint8Array(8);
  const chain = new HashChain(engine, { seed: new Uint8Array(32), length: 100, context: own });
  const last = fc.nat(90);
  fc.assert(
    fc.property(bytes32, last, fc.integer({ min: -100, max: 200 }), (link, lastIndex, index) => {
      const lastLink = chain.link(lastIndex);
      const claim = { engine, context: own, lastLink, lastIndex, link, index, stepsMax: 50 };
      assert.equal(verifyLink(claim).ok, false);
    }),
    { numRuns: 200 },
  );
});
