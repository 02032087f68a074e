// The beacon forms: what goes in comes out, one encoding per value, and no input makes a parser throw.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ML_DSA_65 } from "../../../src/crypto/index.ts";
import { concatBytes, toHex } from "../../../src/foundation/index.ts";
import type { NodeId } from "../../../src/identity/index.ts";
import {
  beaconLimits,
  decodeHeartbeat,
  decodeProof,
  decodeRelease,
  decodeStateBeacon,
  encodeHeartbeat,
  encodeProof,
  encodeRelease,
  encodeStateBeacon,
  type NeighbourReport,
  REASON_CHARS_MAX,
  type Release,
  type StateBeacon,
} from "../../../src/mesh/index.ts";
import type { WallMs } from "../../../src/ports/index.ts";

const seed = 20_260_101;
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const nodeId = bytes32.map((bytes) => toHex(bytes) as NodeId);
const visible = (minLength: number, maxLength: number) =>
  fc.string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((c) => String.fromCharCode(c)),
    minLength,
    maxLength,
  });
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const positive = fc.integer({ min: 1, max: 0xffff_ffff });
/** Records with the ordinary prototype, as parsers make them. */
const plain = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true });
const perMille = fc.integer({ min: 0, max: 1000 }).map((n) => n / 1000);

const neighbours = (self: NodeId): fc.Arbitrary<NeighbourReport[]> =>
  fc
    .uniqueArray(
      plain({
        nodeId,
        rttMs: uint32.map((us) => us / 1000),
        lossRatio: perMille,
        suspect: fc.boolean(),
      }),
      { maxLength: beaconLimits.neighbours, selector: (n) => n.nodeId },
    )
    .map((list) =>
      list.filter((n) => n.nodeId !== self).sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1)),
    );

const chain = fc.integer({ min: 64, max: 4096 }).chain((length) =>
  plain({
    base: fc.integer({ min: 0, max: 0xffff_ffff - length }),
    length: fc.constant(length),
    position: fc.integer({ min: 0, max: length }),
    anchor: bytes32,
    intervalMs: fc.integer({ min: 100, max: 60_000 }),
  }),
);

const stateBeacon: fc.Arbitrary<StateBeacon> = nodeId.chain((self) =>
  fc
    .record(
      {
        nodeId: fc.constant(self),
        epoch: positive,
        sequence: positive,
        status: fc.constantFrom("up" as const, "leaving" as const),
        zone: visible(0, 64),
        addresses: fc.array(visible(1, 128), { maxLength: 8 }),
        roles: fc.array(visible(1, 32), { maxLength: 8 }),
        load: perMille,
        learning: plain({ taskId: visible(1, 64), round: uint32 }),
        svidNotAfterMs: fc.maxSafeNat().map((ms) => ms as WallMs),
        chain,
        neighbours: neighbours(self),
      },
      {
        noNullPrototype: true,
        requiredKeys: [
          "nodeId",
          "epoch",
          "sequence",
          "status",
          "zone",
          "addresses",
          "roles",
          "load",
          "chain",
          "neighbours",
        ],
      },
    )
    .map((beacon) => beacon),
);

/** Signs with a constant: the codec does not look at signatures. */
const signer = {
  publicKey: new Uint8Array(ML_DSA_65.publicKeyBytes),
  sign: () => new Uint8Array(ML_DSA_65.signatureBytes).fill(5),
  destroy: () => undefined,
};

function decoded(bytes: Uint8Array): StateBeacon {
  const result = decodeStateBeacon(bytes);
  assert.ok(result.ok, JSON.stringify(result));
  return result.value.beacon;
}

test("a state beacon survives the round trip, and only one encoding of it exists", () => {
  fc.assert(
    fc.property(stateBeacon, (beacon) => {
      const bytes = encodeStateBeacon(beacon, signer);
      assert.ok(bytes.length <= beaconLimits.bytes);
      assert.deepEqual(decoded(bytes), { ...beacon });
      assert.deepEqual(encodeStateBeacon(decoded(bytes), signer), bytes);
    }),
    { seed, numRuns: 200 },
  );
});

test("a changed byte either makes the beacon malformed or gives another beacon with its own encoding", () => {
  const place = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }));
  fc.assert(
    fc.property(stateBeacon, place, (beacon, [offset, change]) => {
      const bytes = encodeStateBeacon(beacon, signer);
      const at = offset % (bytes.length - ML_DSA_65.signatureBytes);
      bytes[at] = (bytes[at] ?? 0) ^ change;
      const result = decodeStateBeacon(bytes);
      if (result.ok) assert.deepEqual(encodeStateBeacon(result.value.beacon, signer), bytes);
      else assert.equal(result.code, "mesh/malformed");
    }),
    { seed, numRuns: 300 },
  );
});

test("every truncation and every appended byte is malformed", () => {
  fc.assert(
    fc.property(stateBeacon, fc.nat(), (beacon, cut) => {
      const bytes = encodeStateBeacon(beacon, signer);
      const signature = bytes.subarray(-ML_DSA_65.signatureBytes);
      const signed = bytes.subarray(0, bytes.length - ML_DSA_65.signatureBytes);
      const shorter = signed.subarray(0, cut % signed.length);
      assert.equal(decodeStateBeacon(concatBytes(shorter, signature)).ok, false);
      assert.equal(decodeStateBeacon(concatBytes(signed, Uint8Array.of(0), signature)).ok, false);
    }),
    { seed, numRuns: 100 },
  );
});

test("no bytes make a parser throw", () => {
  const kind = fc.constantFrom(1, 2, 3, 4);
  fc.assert(
    fc.property(kind, fc.uint8Array({ maxLength: 9000, size: "max" }), (first, rest) => {
      const bytes = concatBytes(Uint8Array.of(first, 1), rest);
      for (const decode of [decodeStateBeacon, decodeHeartbeat, decodeProof, decodeRelease])
        decode(bytes);
    }),
    { seed, numRuns: 300 },
  );
});

test("a heartbeat survives the round trip and has 74 bytes; 73 and 75 are refused", () => {
  const heartbeat = plain({ nodeId, epoch: positive, index: positive, link: bytes32 });
  fc.assert(
    fc.property(heartbeat, (value) => {
      const bytes = encodeHeartbeat(value);
      assert.equal(bytes.length, 74);
      const result = decodeHeartbeat(bytes);
      assert.ok(result.ok);
      assert.deepEqual({ ...result.value, link: result.value.link.slice() }, { ...value });
      assert.equal(decodeHeartbeat(bytes.subarray(0, 73)).ok, false);
      assert.equal(decodeHeartbeat(concatBytes(bytes, Uint8Array.of(0))).ok, false);
    }),
    { seed, numRuns: 200 },
  );
});

test("a proof has one form, whichever beacon came first", () => {
  fc.assert(
    fc.property(stateBeacon, (beacon) => {
      const one = encodeStateBeacon({ ...beacon, load: 0 }, signer);
      const other = encodeStateBeacon({ ...beacon, load: 1 }, signer);
      const proof = encodeProof(one, other);
      assert.deepEqual(encodeProof(other, one), proof);
      const result = decodeProof(proof);
      assert.ok(result.ok);
      assert.equal(result.value.proof.nodeId, beacon.nodeId);
      const [first, second] = [result.value.proof.first, result.value.proof.second];
      const swapped = concatBytes(
        proof.subarray(0, 2),
        Uint8Array.of(second.length >> 8, second.length & 255),
        second,
        Uint8Array.of(first.length >> 8, first.length & 255),
        first,
      );
      assert.deepEqual(decodeProof(swapped), {
        ok: false,
        code: "mesh/malformed",
        detail: "beacons out of order",
      });
    }),
    { seed, numRuns: 50 },
  );
});

test("a value one past its limit cannot be encoded", () => {
  const [beacon] = fc.sample(stateBeacon, { seed, numRuns: 1 });
  assert.ok(beacon !== undefined);
  const wrong: Partial<StateBeacon>[] = [
    { zone: "z".repeat(65) },
    { addresses: Array.from({ length: 9 }, () => "a") },
    { addresses: ["a".repeat(129)] },
    { addresses: [""] },
    { roles: Array.from({ length: 9 }, () => "r") },
    { roles: ["r".repeat(33)] },
    { roles: ["two words"] },
    { learning: { taskId: "", round: 1 } },
    { zone: "\u001b[31m" },
  ];
  for (const change of wrong) {
    assert.throws(() => encodeStateBeacon({ ...beacon, ...change }, signer), {
      code: "mesh/bad-beacon",
    });
  }
  const right: Partial<StateBeacon> = {
    ...{ zone: "z".repeat(64), addresses: Array.from({ length: 8 }, () => "a".repeat(128)) },
    roles: Array.from({ length: 8 }, () => "r".repeat(32)),
  };
  assert.ok(decodeStateBeacon(encodeStateBeacon({ ...beacon, ...right }, signer)).ok);
});

const reason = fc
  .array(
    fc.integer({ min: 0x20, max: 0x7e }).map((c) => String.fromCharCode(c)),
    { minLength: 1, maxLength: REASON_CHARS_MAX },
  )
  .map((characters) => characters.join(""))
  .filter((text) => text.trim() === text && text.length > 0);
const release: fc.Arbitrary<Release> = plain({
  nodeId,
  proofDigest: bytes32.map(toHex),
  epochFloor: positive,
  issuer: nodeId,
  issuedAtMs: fc.maxSafeNat().map((ms) => ms as WallMs),
  reason,
}).filter((one) => one.nodeId !== one.issuer);

test("a release survives the round trip, and only one encoding of it exists", () => {
  fc.assert(
    fc.property(release, (one) => {
      const bytes = encodeRelease(one, signer);
      const result = decodeRelease(bytes);
      assert.ok(result.ok, JSON.stringify(result));
      assert.deepEqual(result.value.release, { ...one });
      assert.deepEqual(encodeRelease(result.value.release, signer), bytes);
    }),
    { seed, numRuns: 200 },
  );
});

test("a changed byte makes a release malformed or another one, a missing or added one malformed", () => {
  fc.assert(
    fc.property(release, fc.nat(), fc.integer({ min: 1, max: 255 }), (one, offset, change) => {
      const bytes = encodeRelease(one, signer);
      const signed = bytes.subarray(0, -ML_DSA_65.signatureBytes);
      const signature = bytes.subarray(-ML_DSA_65.signatureBytes);
      const place = offset % signed.length;
      const other = bytes.slice();
      other[place] = (other[place] ?? 0) ^ change;
      const result = decodeRelease(other);
      if (result.ok) assert.deepEqual(encodeRelease(result.value.release, signer), other);
      else assert.equal(result.code, "mesh/malformed");
      assert.equal(decodeRelease(concatBytes(signed.subarray(0, place), signature)).ok, false);
      assert.equal(decodeRelease(concatBytes(signed, Uint8Array.of(0x21), signature)).ok, false);
    }),
    { seed, numRuns: 300 },
  );
});
