// The payload codecs: what they write they read, and each rule refuses one past its limit.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { concatBytes, toHex, utf8Bytes } from "../../../src/foundation/index.ts";
import {
  CERTIFICATE_BYTES_MAX,
  encodeBody,
  encodeInteropPayload,
  encodePayload,
  meshPrologue,
  parseBody,
  parseInteropPayload,
  parsePayload,
  PAYLOAD_BYTES_MAX,
  type PayloadBody,
} from "../../../src/handshake/index.ts";
import { alice } from "./fixture.ts";

const ED = new Uint8Array(32).fill(7);
const CERTIFICATE = new Uint8Array(100).fill(3);
const base: PayloadBody = {
  ed25519: ED,
  svidChain: [CERTIFICATE],
  streamMuxers: ["/yamux/1.0.0"],
  securityProtocols: ["/x"],
  mldsa65: undefined,
};

/** A length-delimited field, written independently of the code under test. */
function field(number: number, value: Uint8Array): Uint8Array {
  const varint = (n: number): number[] => (n < 0x80 ? [n] : [(n & 0x7f) | 0x80, ...varint(n >> 7)]);
  return concatBytes(Uint8Array.from([number * 8 + 2, ...varint(value.length)]), value);
}

const identityKey = concatBytes(Uint8Array.of(8, 1, 0x12, 0x20), ED);
const minimal = concatBytes(field(1, identityKey), field(2, CERTIFICATE));

const parses = (body: Uint8Array): boolean => parseBody(body).ok;
const withBody = (change: Partial<PayloadBody>): boolean =>
  parses(encodeBody({ ...base, ...change }));

describe("the body", () => {
  test("comes back as it was written, with a chain or with a key", () => {
    for (const body of [base, { ...base, svidChain: [], mldsa65: new Uint8Array(1952).fill(5) }]) {
      const parsed = parseBody(encodeBody(body));
      assert.ok(parsed.ok);
      assert.deepEqual(parsed.value, body);
    }
  });

  test("has the layout of the protocol", () => {
    assert.equal(
      toHex(encodeBody({ ...base, streamMuxers: [], securityProtocols: [] })),
      toHex(minimal),
    );
  });

  test("does not share memory with what was received", () => {
    const bytes = encodeBody(base);
    const parsed = parseBody(bytes);
    bytes.fill(0);
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.value.ed25519, ED);
    assert.deepEqual(parsed.value.svidChain, [CERTIFICATE]);
  });

  test("carries either a chain or an ML-DSA key, not both and not neither", () => {
    const mldsa65 = new Uint8Array(1952);
    assert.equal(withBody({ mldsa65 }), false);
    assert.equal(withBody({ svidChain: [] }), false);
    assert.equal(withBody({ svidChain: [], mldsa65 }), true);
  });

  test("has exactly one identity key of exactly the one encoding", () => {
    assert.equal(parses(minimal), true);
    assert.equal(parses(field(2, CERTIFICATE)), false);
    assert.equal(parses(concatBytes(minimal, field(1, identityKey))), false);
    for (const key of [
      identityKey.subarray(1),
      concatBytes(identityKey, Uint8Array.of(0)),
      concatBytes(Uint8Array.of(8, 0, 0x12, 0x20), ED),
      concatBytes(Uint8Array.of(8, 1, 0x12, 0x21), ED),
      concatBytes(Uint8Array.of(0x12, 0x20), ED, Uint8Array.of(8, 1)),
    ]) {
      assert.equal(parses(concatBytes(field(1, key), field(2, CERTIFICATE))), false);
    }
  });

  const limits: readonly [string, Partial<PayloadBody>, Partial<PayloadBody>][] = [
    [
      "certificates",
      { svidChain: Array<Uint8Array>(4).fill(CERTIFICATE) },
      { svidChain: Array<Uint8Array>(5).fill(CERTIFICATE) },
    ],
    [
      "bytes of a certificate",
      { svidChain: [new Uint8Array(CERTIFICATE_BYTES_MAX)] },
      { svidChain: [new Uint8Array(CERTIFICATE_BYTES_MAX + 1)] },
    ],
    [
      "bytes of a certificate, at least one",
      { svidChain: [new Uint8Array(1)] },
      { svidChain: [new Uint8Array(0)] },
    ],
    [
      "muxers",
      { streamMuxers: Array<string>(32).fill("m") },
      { streamMuxers: Array<string>(33).fill("m") },
    ],
    [
      "security protocols",
      { securityProtocols: Array<string>(32).fill("m") },
      { securityProtocols: Array<string>(33).fill("m") },
    ],
    ["bytes of a string", { streamMuxers: ["m".repeat(255)] }, { streamMuxers: ["m".repeat(256)] }],
    [
      "bytes of the ML-DSA key",
      { svidChain: [], mldsa65: new Uint8Array(1952) },
      { svidChain: [], mldsa65: new Uint8Array(1951) },
    ],
  ];
  for (const [name, at, past] of limits) {
    test(`is accepted at the limit of ${name} and refused one past it`, () => {
      assert.equal(withBody(at), true);
      assert.equal(withBody(past), false);
    });
  }

  test("is refused with a string that is not UTF-8", () => {
    assert.equal(parses(concatBytes(minimal, field(3, Uint8Array.of(0xc3, 0x28)))), false);
    assert.equal(parses(concatBytes(minimal, field(4, Uint8Array.of(0xff)))), false);
  });

  test("may carry unknown fields of any simple wire type, because they are signed", () => {
    for (const unknown of [
      field(9, utf8Bytes("later")),
      Uint8Array.of(9 * 8, 0x96, 0x01),
      Uint8Array.of(9 * 8 + 1, 1, 2, 3, 4, 5, 6, 7, 8),
      Uint8Array.of(9 * 8 + 5, 1, 2, 3, 4),
    ]) {
      assert.equal(parses(concatBytes(minimal, unknown)), true);
    }
  });

  test("is refused when a known field has another wire type, or the wire format is broken", () => {
    for (const broken of [
      Uint8Array.of(3 * 8, 1), // a muxer as a varint
      Uint8Array.of(9 * 8 + 3), // a group
      Uint8Array.of(9 * 8 + 7),
      Uint8Array.of(0x02, 0), // field number 0
      Uint8Array.of(9 * 8 + 2, 5, 1), // shorter than its length
      Uint8Array.of(9 * 8 + 2, 0x81, 0x00, 1), // a length in a longer form than needed
      Uint8Array.of(9 * 8 + 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f),
      Uint8Array.of(9 * 8 + 5, 1, 2, 3),
      Uint8Array.of(9 * 8 + 1, 1, 2, 3),
      Uint8Array.of(9 * 8, ...Array<number>(10).fill(0x80), 0),
      Uint8Array.of(0x80),
    ]) {
      assert.equal(parses(concatBytes(minimal, broken)), false, toHex(broken));
    }
  });

  test("is refused with more fields than any valid one has", () => {
    const fields = (count: number): Uint8Array =>
      concatBytes(minimal, ...Array<Uint8Array>(count).fill(Uint8Array.of(9 * 8, 0)));
    assert.equal(parses(fields(126)), true);
    assert.equal(parses(fields(127)), false);
  });
});

describe("the outer message", () => {
  const body = encodeBody(base);
  const signature = new Uint8Array(3373).fill(1);
  const outer = encodePayload({ body, signature });

  test("comes back as it was written", () => {
    const parsed = parsePayload(outer);
    assert.ok(parsed.ok);
    assert.deepEqual(Uint8Array.from(parsed.value.body), body);
    assert.deepEqual(Uint8Array.from(parsed.value.signature), signature);
  });

  test("is refused with a field missing, repeated, unknown, empty, of a wrong length, or with bytes behind it", () => {
    for (const payload of [
      new Uint8Array(0),
      field(1, body),
      field(2, signature),
      concatBytes(outer, field(1, body)),
      concatBytes(outer, field(2, signature)),
      concatBytes(outer, field(3, signature)),
      concatBytes(outer, Uint8Array.of(0)),
      concatBytes(field(1, new Uint8Array(0)), field(2, signature)),
      concatBytes(field(1, body), field(2, signature.subarray(1))),
      concatBytes(field(1, body), field(2, concatBytes(signature, Uint8Array.of(0)))),
    ]) {
      assert.equal(parsePayload(payload).ok, false);
    }
  });

  test("is accepted at its longest and refused one byte past it", () => {
    const overhead = encodePayload({ body: new Uint8Array(30_000), signature }).length - 30_000;
    const longest = new Uint8Array(PAYLOAD_BYTES_MAX - overhead);
    assert.equal(parsePayload(encodePayload({ body: longest, signature })).ok, true);
    const longer = new Uint8Array(longest.length + 1);
    assert.equal(parsePayload(encodePayload({ body: longer, signature })).ok, false);
  });
});

describe("the interop payload", () => {
  const staticKey = new Uint8Array(32).fill(4);
  const payload = encodeInteropPayload(alice.ed25519, staticKey, ["/yamux/1.0.0"]);

  test("comes back as it was written", () => {
    const parsed = parseInteropPayload(payload);
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.value.ed25519, alice.ed25519.publicKey);
    assert.deepEqual(parsed.value.streamMuxers, ["/yamux/1.0.0"]);
  });

  test("may carry the retired data field and other stacks' experiments", () => {
    const extensions = concatBytes(field(3, utf8Bytes("early")), field(4, utf8Bytes("/noise")));
    const bare = encodeInteropPayload(alice.ed25519, staticKey, []);
    const parsed = parseInteropPayload(
      concatBytes(bare, field(3, staticKey), field(4, extensions)),
    );
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.value.streamMuxers, []);
  });

  test("is refused with repeated fields, other key types, a short signature or too many bytes", () => {
    const rsa = concatBytes(Uint8Array.of(8, 0, 0x12, 0x20), ED);
    const signature = new Uint8Array(64);
    for (const bad of [
      concatBytes(payload, field(1, identityKey)),
      concatBytes(payload, field(2, signature)),
      concatBytes(payload, field(4, new Uint8Array(0))),
      concatBytes(field(1, rsa), field(2, signature)),
      concatBytes(field(1, identityKey), field(2, signature.subarray(1))),
      field(1, identityKey),
      concatBytes(payload, field(9, new Uint8Array(8192))),
    ]) {
      assert.equal(parseInteropPayload(bad).ok, false);
    }
  });
});

test("the prologue has the layout of the protocol", () => {
  const lp = (text: string): Buffer =>
    Buffer.concat([Buffer.of(0, text.length), Buffer.from(text)]);
  const expected = Buffer.concat([
    lp("x0tta6bl4 handshake prologue v1"),
    lp("/x0tta6bl4/noise-xxhfs-mldsa65/1.0.0"),
    lp("mesh.example"),
  ]);
  assert.equal(toHex(meshPrologue("mesh.example")), expected.toString("hex"));
});
