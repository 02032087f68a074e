// Whatever arrives, a parser answers with a value and a machine with a coded error.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isMeshError, toHex } from "../../../src/foundation/index.ts";
import {
  authenticatePeer,
  CHAIN_CERTIFICATES_MAX,
  encodeBody,
  encodeFrame,
  encodePayload,
  FrameDecoder,
  isHandshakeReason,
  limiterKey,
  MESH_PROTOCOL_ID,
  parseBody,
  parseInteropPayload,
  parsePayload,
  type PayloadBody,
} from "../../../src/handshake/index.ts";
import { engine, fakeVerifier, party } from "../../unit/handshake/fixture.ts";

const seed = Number(process.env["FC_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const options = (numRuns: number): { seed: number; numRuns: number } => ({ seed, numRuns });
test(`seed ${seed} (FC_SEED)`, () => undefined);

const bytes = (maxLength: number, minLength = 0): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength, maxLength });
const strings = fc.array(fc.string({ maxLength: 60 }), { maxLength: 32 });
const body: fc.Arbitrary<PayloadBody> = fc
  .record({
    ed25519: bytes(32, 32),
    chain: fc.array(bytes(200, 1), { maxLength: CHAIN_CERTIFICATES_MAX }),
    streamMuxers: strings,
    securityProtocols: strings,
    key: bytes(1952, 1952),
  })
  .map(({ chain, key, ...rest }) => ({
    ...rest,
    svidChain: chain,
    mldsa65: chain.length === 0 ? key : undefined,
  }));

describe("payload codecs", () => {
  test("read back every body that can be written", () => {
    fc.assert(
      fc.property(body, (value) => {
        const parsed = parseBody(encodeBody(value));
        assert.ok(parsed.ok);
        assert.deepEqual(parsed.value, value);
      }),
      options(200),
    );
  });

  test("answer arbitrary bytes with a value, and re-read what they accept", () => {
    fc.assert(
      fc.property(bytes(400), (input) => {
        const parsed = parseBody(input);
        if (parsed.ok) assert.ok(parseBody(encodeBody(parsed.value)).ok);
        parsePayload(input);
        parseInteropPayload(input);
      }),
      options(2000),
    );
  });

  test("answer a valid body with bytes changed, cut or inserted with a value", () => {
    fc.assert(
      fc.property(body, fc.nat(), fc.nat(255), bytes(5), (value, position, byte, extra) => {
        const encoded = encodeBody(value);
        const at = position % encoded.length;
        const changed = encoded.slice();
        changed[at] = byte;
        parseBody(changed);
        parseBody(encoded.subarray(0, at));
        parseBody(Buffer.concat([encoded.subarray(0, at), extra, encoded.subarray(at)]));
      }),
      options(500),
    );
  });

  test("refuse every proper prefix and every extension of an outer message", () => {
    const outer = encodePayload({ body: new Uint8Array(50), signature: new Uint8Array(3373) });
    fc.assert(
      fc.property(fc.nat(outer.length - 1), bytes(10, 1), (length, extra) => {
        assert.equal(parsePayload(outer.subarray(0, length)).ok, false);
        assert.equal(parsePayload(Buffer.concat([outer, extra])).ok, false);
      }),
      options(300),
    );
  });
});

test("authentication answers any payload with a refusal that has a declared code", () => {
  const own = {
    role: "initiator",
    streamMuxers: [],
    securityProtocols: [MESH_PROTOCOL_ID],
  } as const;
  const binding = { handshakeHash: new Uint8Array(32), staticPublicKey: new Uint8Array(32) };
  const payloads = fc.oneof(
    bytes(300),
    fc
      .tuple(body, bytes(3373, 3373))
      .map(([value, signature]) => encodePayload({ body: encodeBody(value), signature })),
  );
  fc.assert(
    fc.property(payloads, fc.boolean(), (payload, acceptUnanchored) => {
      const deps = { engine, verifier: fakeVerifier() };
      const verdict = authenticatePeer(deps, { ...own, acceptUnanchored }, { ...binding, payload });
      assert.equal(verdict.ok, false);
      assert.ok(isHandshakeReason(verdict.code));
    }),
    options(200),
  );
});

test("the machine answers any message of any length with a coded error", () => {
  const length = fc.oneof(fc.nat(2000), fc.constantFrom(1216, 1200, 64, 1304));
  fc.assert(
    fc.property(length, fc.nat(255), fc.constantFrom("a", "b", "c"), (size, fill, which) => {
      const message = new Uint8Array(size).fill(fill);
      const initiator = party("initiator").machine;
      const responder = party("responder").machine;
      try {
        const a = initiator.writeA();
        if (which === "b") initiator.readB(message);
        else {
          responder.readA(which === "a" ? message : a);
          responder.writeB(() => new Uint8Array(0));
          if (which === "c") responder.readC(message);
        }
      } catch (error) {
        assert.ok(isMeshError(error) && isHandshakeReason(error.code), String(error));
      }
    }),
    options(60),
  );
});

test("a change of any one byte of A, B or C is noticed", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("a", "b", "c"),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (which, position, xor) => {
        const [i, r] = [party("initiator"), party("responder")];
        const change = (message: Uint8Array, name: string): Uint8Array => {
          if (name !== which) return message;
          const at = position % message.length;
          // X25519 ignores the top bit of a point by RFC 7748; the hash over the message does not.
          const changed = message.slice();
          changed[at] = (changed[at] ?? 0) ^ xor;
          return changed;
        };
        assert.throws(
          () => {
            r.machine.readA(change(i.machine.writeA(), "a"));
            i.machine.readB(
              change(
                r.machine.writeB(() => new Uint8Array(9)),
                "b",
              ),
            );
            r.machine.readC(
              change(
                i.machine.writeC(() => new Uint8Array(9)),
                "c",
              ),
            );
          },
          (error) => isMeshError(error) && isHandshakeReason(error.code),
        );
      },
    ),
    options(80),
  );
});

describe("frames", () => {
  test("come back whole from any cut of the stream", () => {
    fc.assert(
      fc.property(
        fc.array(bytes(300), { maxLength: 8 }),
        fc.array(fc.nat(50), { minLength: 1 }),
        (frames, cuts) => {
          const stream = Buffer.concat(frames.map((frame) => encodeFrame(frame)));
          const decoder = new FrameDecoder();
          const seen: string[] = [];
          for (let at = 0, i = 0; at < stream.length; i++) {
            const size = 1 + (cuts[i % cuts.length] ?? 0);
            for (const frame of decoder.push(stream.subarray(at, at + size)))
              seen.push(toHex(frame));
            at += size;
          }
          assert.deepEqual(
            seen,
            frames.map((frame) => toHex(frame)),
          );
        },
      ),
      options(200),
    );
  });

  test("never give a frame longer than its header allows, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.array(bytes(400), { maxLength: 20 }), (chunks) => {
        const decoder = new FrameDecoder();
        let given = 0;
        let taken = 0;
        for (const chunk of chunks) {
          given += chunk.length;
          for (const frame of decoder.push(chunk)) taken += frame.length + 2;
        }
        assert.ok(taken <= given);
      }),
      options(200),
    );
  });
});

test("a limiter key is made of any text", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6()), (address) => {
      assert.equal(typeof limiterKey(address), "string");
    }),
    options(300),
  );
});
