// What issuers say to one another, anchors that operators paste, and bundles of other trust domains: no bytes are thrown at.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { utf8Bytes } from "../../../src/foundation/index.ts";
import {
  bundleToJson,
  encodeIssuerMessage,
  parseIssuerResponse,
  parseJoinAnchor,
  readForeignBundle,
} from "../../../src/identity/index.ts";
import { parseIssuerRequest } from "../../../src/identity/issuers/messages.ts";
import { makeDomain } from "../../unit/identity/support.ts";

const seed = Number(process.env["FAST_CHECK_SEED"] ?? 20261122);
const runs = { seed, numRuns: 500 };
console.log(`fast-check seed ${seed}`);

const text = fc.oneof(
  fc.json({ maxDepth: 4 }),
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.constantFrom(
    '{"op":"records","have":[],"__proto__":{"op":"claim"}}',
    '{"op":"claim","name":"a","nodeId":"b","constructor":{}}',
    `{"op":"records","have":${"[".repeat(5_000)}${"]".repeat(5_000)}}`,
    '{"result":"records","authors":[null],"records":["*"],"more":1}',
  ),
);

test("a message of chance between issuers is refused with a code", () => {
  fc.assert(
    fc.property(text, (chance) => {
      const asked = parseIssuerRequest(utf8Bytes(chance));
      assert.equal(asked.ok ? "taken" : asked.code, "identity/request-malformed");
      const answered = parseIssuerResponse(utf8Bytes(chance));
      assert.equal(answered.ok ? "taken" : answered.code, "identity/response-malformed");
    }),
    runs,
  );
});

test("a claim comes through as it was made, and damaged is refused or another claim", () => {
  const nodeId = "ab".repeat(32);
  const sound = encodeIssuerMessage({ op: "claim", name: "gate", nodeId: nodeId as never });
  assert.deepEqual(parseIssuerRequest(sound), {
    ok: true,
    value: { op: "claim", name: "gate", nodeId },
  });
  fc.assert(
    fc.property(fc.nat(sound.length - 1), fc.nat(255), (at, value) => {
      const heard = parseIssuerRequest(sound.with(at, value));
      if (heard.ok) assert.equal(heard.value.op, "claim");
      else assert.equal(heard.code, "identity/request-malformed");
    }),
    runs,
  );
});

test("an anchor of chance is refused", () => {
  const bodies = fc.oneof(fc.string(), fc.base64String({ maxLength: 400 }));
  fc.assert(
    fc.property(bodies, (body) => {
      for (const chance of [body, `x0a1.${body}`]) {
        const read = parseJoinAnchor(chance);
        assert.equal(read.ok ? "taken" : read.code, "identity/token-malformed");
      }
    }),
    runs,
  );
});

test("a damaged bundle of another trust domain is refused, or has authorities of the form it must have", () => {
  const { bundle } = makeDomain();
  const sound = bundleToJson(bundle);
  assert.ok(readForeignBundle(bundle.trustDomain, sound).ok);
  const damage = fc.array(fc.tuple(fc.nat(sound.length - 1), fc.string({ maxLength: 3 })), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(damage, text, (changes, chance) => {
      let damaged = sound;
      for (const [at, piece] of changes)
        damaged = damaged.slice(0, at) + piece + damaged.slice(at + piece.length);
      for (const one of [damaged, chance]) {
        const read = readForeignBundle(bundle.trustDomain, one);
        if (!read.ok) assert.equal(read.code, "identity/bundle-malformed");
        else assert.ok(Array.isArray((JSON.parse(read.value.jwks) as { keys: unknown }).keys));
      }
    }),
    runs,
  );
});
