// The summary's form: what goes in comes out, one encoding per value, and no input makes a parser throw.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ML_DSA_65 } from "../../../src/crypto/index.ts";
import { concatBytes, toHex } from "../../../src/foundation/index.ts";
import type { NodeId } from "../../../src/identity/index.ts";
import {
  decodeSummary,
  encodeSummary,
  summaryLimits,
  type ZoneSummary,
} from "../../../src/mesh/index.ts";
import { meshSize, wantedDepth } from "../../../src/mesh/zones/depth.ts";
import { decodeRequest, encodeRequest } from "../../../src/mesh/zones/request.ts";
import { autoZone } from "../../../src/mesh/zones/zone-names.ts";
import type { WallMs } from "../../../src/ports/index.ts";

const seed = 20_260_102;
const signer = { sign: () => new Uint8Array(ML_DSA_65.signatureBytes).fill(7) };
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const nodeId = bytes32.map((bytes) => toHex(bytes) as NodeId);
const positive = fc.integer({ min: 1, max: 0xffff_ffff });
const visible = (minLength: number, maxLength: number) =>
  fc.string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((c) => String.fromCharCode(c)),
    minLength,
    maxLength,
  });
const named = visible(0, 64).filter((zone) => !zone.startsWith("auto/"));
/** Records with the ordinary prototype, as parsers make them. */
const plain = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true });

const summary: fc.Arbitrary<ZoneSummary> = fc
  .tuple(nodeId, fc.option(fc.integer({ min: 0, max: 12 })), named)
  .chain(([publisher, depth, name]) => {
    const zone = depth === null ? name : autoZone(publisher, depth);
    // In an automatic zone every node shares the publisher's first bits.
    const member =
      depth === null
        ? nodeId
        : nodeId.map((id) => `${publisher.slice(0, 3)}${id.slice(3)}` as NodeId);
    return plain<ZoneSummary>({
      zone: fc.constant(zone),
      publisher: fc.constant(publisher),
      epoch: positive,
      sequence: positive,
      issuedAtMs: fc.maxSafeNat().map((ms) => ms as WallMs),
      members: positive,
      load: fc.integer({ min: 0, max: 1000 }).map((n) => n / 1000),
      digest: bytes32,
      gateways: fc.uniqueArray(
        plain({
          nodeId: member,
          epoch: positive,
          addresses: fc.array(visible(1, 128), { maxLength: 2 }),
        }),
        { maxLength: summaryLimits.gateways, selector: (gateway) => gateway.nodeId },
      ),
      contacts: fc
        .uniqueArray(plain({ nodeId: member, address: visible(1, 128) }), {
          maxLength: summaryLimits.contacts,
          selector: (contact) => contact.nodeId,
        })
        .map((list) => list.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))),
      neighbours: fc
        .uniqueArray(plain({ zone: named, cost: positive }), {
          maxLength: summaryLimits.neighbours,
          selector: (link) => link.zone,
        })
        .map((list) =>
          list.filter((link) => link.zone !== zone).sort((a, b) => (a.zone < b.zone ? -1 : 1)),
        ),
    });
  });

test("a summary comes out as it went in, within its size", () => {
  fc.assert(
    fc.property(summary, (value) => {
      const bytes = encodeSummary(value, signer);
      assert.ok(bytes.length <= summaryLimits.bytes);
      const decoded = decodeSummary(bytes);
      assert.ok(decoded.ok);
      assert.deepEqual(decoded.value.summary, value);
    }),
    { seed, numRuns: 300 },
  );
});

test("the largest summary has the size that its limits say", () => {
  const id = (n: number): NodeId => n.toString(16).padStart(64, "0") as NodeId;
  const long = (n: number): string => String.fromCharCode(0x41 + n).repeat(64);
  const address = "a".repeat(128);
  const value: ZoneSummary = {
    zone: "z".repeat(64),
    publisher: id(1),
    epoch: 1,
    sequence: 1,
    issuedAtMs: 1 as WallMs,
    members: 1,
    load: 1,
    digest: new Uint8Array(32),
    gateways: [1, 2, 3, 4].map((n) => ({ nodeId: id(n), epoch: 1, addresses: [address, address] })),
    contacts: Array.from({ length: 8 }, (_, n) => ({ nodeId: id(n), address })),
    neighbours: Array.from({ length: 16 }, (_, n) => ({ zone: long(n), cost: 1 })),
  };
  const bytes = encodeSummary(value, signer);
  assert.equal(bytes.length, 7_037);
  assert.ok(decodeSummary(bytes).ok);
  const contacts = [...value.contacts, { nodeId: id(9), address }];
  assert.throws(() => encodeSummary({ ...value, contacts }, signer));
});

test("bytes that parse are the one encoding of what they say, and no bytes make the parser throw", () => {
  const mutated = fc.tuple(
    summary,
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
    fc.integer({ min: -3, max: 3 }),
  );
  fc.assert(
    fc.property(mutated, ([value, changes, cut]) => {
      const bytes = encodeSummary(value, signer);
      const body = bytes.length - ML_DSA_65.signatureBytes;
      for (const [at, byte] of changes) bytes[at % body] = byte;
      const input =
        cut < 0 ? bytes.subarray(0, bytes.length + cut) : concatBytes(bytes, new Uint8Array(cut));
      const decoded = decodeSummary(input);
      if (!decoded.ok) return;
      const again = encodeSummary(decoded.value.summary, { sign: () => decoded.value.signature });
      assert.deepEqual(again, input);
    }),
    { seed, numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 9_000 }), (bytes) => {
      bytes[0] = 0x10;
      decodeSummary(bytes);
    }),
    { seed, numRuns: 300 },
  );
});

test("a pull request comes out as it went in, and no bytes make its parser throw", () => {
  const entry = plain({ nodeId, epoch: positive, sequence: positive });
  const entries = fc.uniqueArray(entry, { maxLength: 8, selector: (one) => one.nodeId });
  fc.assert(
    fc.property(
      visible(0, 64),
      fc.uint8Array({ maxLength: 200 }),
      entries,
      (zone, digest, summaries) => {
        const decoded = decodeRequest(encodeRequest(zone, digest, summaries), 8);
        assert.deepEqual(decoded?.zone, zone);
        assert.deepEqual(decoded.digest, digest);
        assert.deepEqual([...decoded.summaries.values()], summaries);
        const one = summaries.length - 1;
        if (one >= 0)
          assert.equal(decodeRequest(encodeRequest(zone, digest, summaries), one), undefined);
      },
    ),
    { seed },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void decodeRequest(bytes, 8)),
    { seed, numRuns: 500 },
  );
});

test("the depth rule comes to rest, and the zones have the size that it wants", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.integer({ min: 0, max: 12 }),
      (size, depth) => {
        const input = { size, common: undefined, membersMin: 16 };
        const wanted = wantedDepth({ ...input, depth });
        assert.equal(wantedDepth({ ...input, depth: wanted }), wanted);
        const target = Math.max(Math.sqrt(size) / 2, 16);
        const zone = size / 2 ** wanted;
        assert.ok(
          zone <= 1.5 * target && (wanted === 0 || zone >= target / 2),
          `${zone} of ${size}`,
        );
      },
    ),
    { seed },
  );
});

test("fewer than half of the zones cannot make the mesh look larger than an honest one says", () => {
  const zones = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 31 });
  fc.assert(
    fc.property(zones, fc.integer({ min: 1, max: 0xffff_ffff }), (honest, lie) => {
      const told = honest.map((members) => ({ depth: 4, members }));
      const liars = Array.from({ length: honest.length - 1 }, () => ({ depth: 4, members: lie }));
      assert.ok(meshSize([...told, ...liars]) <= Math.max(...honest) * 2 ** 4);
    }),
    { seed },
  );
});
