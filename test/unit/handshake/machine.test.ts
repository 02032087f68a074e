// The state machine, its ciphers and its frames.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ML_KEM_768 } from "../../../src/crypto/index.ts";
import { isMeshError, toHex } from "../../../src/foundation/index.ts";
import {
  CipherState,
  encodeFrame,
  FrameDecoder,
  HandshakeMachine,
  type HandshakeRole,
  MESSAGE_FIXED_BYTES,
  NONCE_MAX,
  nonceBytes,
  PAYLOAD_BYTES_LIMIT,
  type SessionKeys,
  TRANSPORT_PLAINTEXT_BYTES_MAX,
} from "../../../src/handshake/index.ts";
import { engine, noise, seededRandom } from "./fixture.ts";

const empty = new Uint8Array(0);

function machine(role: HandshakeRole, payloadBytesMax = 1000): HandshakeMachine {
  const random = seededRandom(role);
  return new HandshakeMachine(
    { noise, kem: engine.mlKem768, random },
    {
      role,
      prologue: empty,
      payloadBytesMax,
      staticKeyPair: noise.x25519KeyPair(random.bytes(32)),
    },
  );
}

function session(): readonly [SessionKeys, SessionKeys] {
  const [i, r] = [machine("initiator"), machine("responder")];
  r.readA(i.writeA());
  i.readB(r.writeB(() => empty));
  r.readC(i.writeC(() => empty));
  return [i.split(), r.split()];
}

const coded =
  (code: string) =>
  (error: unknown): boolean =>
    isMeshError(error, code);

describe("the machine", () => {
  test("sends messages of the published sizes", () => {
    const [i, r] = [machine("initiator"), machine("responder")];
    const a = i.writeA();
    r.readA(a);
    const b = r.writeB(() => new Uint8Array(104));
    i.readB(b);
    const c = i.writeC(() => new Uint8Array(104));
    assert.deepEqual([a.length, b.length, c.length], [1216, 1304, 168]);
    assert.deepEqual(Object.values(MESSAGE_FIXED_BYTES), [1216, 1184, 48]);
  });

  test("refuses A of any other length", () => {
    for (const length of [0, 1215, 1217]) {
      assert.throws(
        () => machine("responder").readA(new Uint8Array(length)),
        coded("handshake/bad-length"),
      );
    }
  });

  test("refuses B and C outside their bounds, and payloads one past the limit, on both ends", () => {
    for (const [length, code] of [
      [1199, "handshake/bad-length"],
      [1200, "handshake/bad-tag"],
      [2200, "handshake/bad-tag"],
      [2201, "handshake/bad-length"],
    ] as const) {
      const i = machine("initiator");
      i.writeA();
      const b = new Uint8Array(length).fill(9);
      assert.throws(() => i.readB(b), coded(code));
    }
    for (const [length, code] of [
      [63, "handshake/bad-length"],
      [64, "handshake/bad-tag"],
      [1064, "handshake/bad-tag"],
      [1065, "handshake/bad-length"],
    ] as const) {
      const [i, r] = [machine("initiator"), machine("responder")];
      r.readA(i.writeA());
      r.writeB(() => empty);
      assert.throws(() => r.readC(new Uint8Array(length)), coded(code));
    }
    const [i, r] = [machine("initiator"), machine("responder")];
    r.readA(i.writeA());
    assert.throws(() => r.writeB(() => new Uint8Array(1001)), coded("handshake/bad-length"));
    assert.throws(() => machine("initiator", PAYLOAD_BYTES_LIMIT + 1), RangeError);
  });

  test("refuses low-order points in A.e and B.e, and static keys of low order in B.s and C.s", () => {
    for (const point of [new Uint8Array(32), new Uint8Array(32).fill(1, 0, 1)]) {
      const a = machine("initiator").writeA();
      a.set(point);
      const r = machine("responder");
      r.readA(a);
      assert.throws(() => r.writeB(() => empty), coded("handshake/low-order-point"));
      const i = machine("initiator");
      i.writeA();
      const b = new Uint8Array(1200);
      b.set(point);
      assert.throws(() => i.readB(b), coded("handshake/low-order-point"));
      for (const role of ["responder", "initiator"] as const) lowOrderStatic(role, point);
    }
  });

  test("refuses an all-zero secret also from a primitive that lets it through", () => {
    const lenient = { ...noise, x25519: () => new Uint8Array(32) };
    const staticKeyPair = noise.x25519KeyPair(new Uint8Array(32).fill(1));
    const r = new HandshakeMachine(
      { noise: lenient, kem: engine.mlKem768, random: seededRandom("x") },
      { role: "responder", prologue: empty, payloadBytesMax: 0, staticKeyPair },
    );
    r.readA(machine("initiator").writeA());
    assert.throws(() => r.writeB(() => empty), coded("handshake/low-order-point"));
  });

  test("refuses a KEM key with one coefficient of q, and takes one of q - 1", () => {
    for (const [coefficient, good] of [
      [3328, true],
      [3329, false],
      [4095, false],
    ] as const) {
      const a = machine("initiator").writeA();
      a[32] = coefficient & 0xff;
      a[33] = ((a[33] ?? 0) & 0xf0) | (coefficient >> 8);
      const r = machine("responder");
      r.readA(a);
      const write = (): Uint8Array => r.writeB(() => empty);
      if (good) assert.equal(write().length, 1200);
      else assert.throws(write, coded("handshake/bad-kem-key"));
    }
  });

  test("never decapsulates a changed ciphertext: its tag fails first", () => {
    let decapsulated = 0;
    const kem = {
      ...engine.mlKem768,
      generate: (seed?: Uint8Array) => {
        const pair = engine.mlKem768.generate(seed);
        const { encapsulationKey } = pair;
        return {
          encapsulationKey,
          destroy: () => pair.destroy(),
          decapsulate: (ciphertext: Uint8Array) => {
            decapsulated++;
            assert.equal(ciphertext.length, ML_KEM_768.ciphertextBytes);
            return pair.decapsulate(ciphertext);
          },
        };
      },
    };
    for (const change of [1, 0]) {
      const random = seededRandom("count");
      const staticKeyPair = noise.x25519KeyPair(random.bytes(32));
      const i = new HandshakeMachine(
        { noise, kem, random },
        { role: "initiator", prologue: empty, payloadBytesMax: 0, staticKeyPair },
      );
      const r = machine("responder");
      r.readA(i.writeA());
      const b = r.writeB(() => empty);
      b[600] = (b[600] ?? 0) ^ change;
      if (change === 1) assert.throws(() => i.readB(b), coded("handshake/bad-tag"));
      else i.readB(b);
      assert.equal(decapsulated, 1 - change);
    }
  });

  test("refuses every step out of order and is dead afterwards", () => {
    const calls: readonly ((m: HandshakeMachine) => unknown)[] = [
      (m) => m.writeA(),
      (m) => m.readA(new Uint8Array(1216)),
      (m) => m.writeB(() => empty),
      (m) => m.readB(new Uint8Array(1200)),
      (m) => m.writeC(() => empty),
      (m) => m.readC(new Uint8Array(64)),
      (m) => m.split(),
    ];
    for (const [role, first] of [
      ["initiator", 0],
      ["responder", 1],
    ] as const) {
      for (const [index, call] of calls.entries()) {
        if (index === first) continue;
        const m = machine(role);
        assert.throws(() => call(m), coded("handshake/wrong-state"));
        assert.throws(() => calls[first]?.(m), coded("handshake/wrong-state"));
      }
    }
  });

  test("wipes its ephemeral secrets when it fails and when it ends, and never the caller's static key", () => {
    const secrets: Uint8Array[] = [];
    let destroyed = 0;
    const watching = {
      ...noise,
      x25519KeyPair: (key: Uint8Array) => {
        const pair = noise.x25519KeyPair(key);
        secrets.push(pair.privateKey);
        return pair;
      },
    };
    const kem = {
      ...engine.mlKem768,
      generate: (seed?: Uint8Array) => {
        const pair = engine.mlKem768.generate(seed);
        return { ...pair, destroy: () => (destroyed += 1) };
      },
    };
    const staticKeyPair = noise.x25519KeyPair(new Uint8Array(32).fill(5));
    const i = new HandshakeMachine(
      { noise: watching, kem, random: seededRandom("wipe") },
      { role: "initiator", prologue: empty, payloadBytesMax: 0, staticKeyPair },
    );
    i.writeA();
    assert.ok(secrets[0]?.some((byte) => byte !== 0));
    assert.throws(() => i.readB(new Uint8Array(1200).fill(3)), coded("handshake/bad-tag"));
    assert.deepEqual(
      secrets.map((key) => toHex(key)),
      ["00".repeat(32)],
    );
    assert.ok(destroyed > 0);
    assert.ok(staticKeyPair.privateKey.every((byte) => byte === 5));
  });
});

/** Runs a handshake in which `role` presents a low-order static key. */
function lowOrderStatic(role: HandshakeRole, publicKey: Uint8Array): void {
  const staticKeyPair = { publicKey, privateKey: new Uint8Array(32).fill(8) };
  const bad = new HandshakeMachine(
    { noise, kem: engine.mlKem768, random: seededRandom("bad") },
    { role, prologue: empty, payloadBytesMax: 0, staticKeyPair },
  );
  if (role === "responder") {
    const i = machine("initiator");
    bad.readA(i.writeA());
    const b = bad.writeB(() => empty);
    assert.throws(() => i.readB(b), coded("handshake/low-order-point"));
  } else {
    const r = machine("responder");
    r.readA(bad.writeA());
    bad.readB(r.writeB(() => empty));
    const c = bad.writeC(() => empty);
    assert.throws(() => r.readC(c), coded("handshake/low-order-point"));
  }
}

describe("transport ciphers", () => {
  test("count nonces little-endian behind four zero bytes", () => {
    assert.equal(toHex(nonceBytes(0)), "00".repeat(12));
    assert.equal(toHex(nonceBytes(0x0102)), "000000000201000000000000");
    assert.equal(toHex(nonceBytes(2 ** 32 + 5)), "000000000500000001000000");
  });

  test("carry frames of every size class both ways, each direction with its own key", () => {
    const [i, r] = session();
    for (const length of [0, 1, 1183, 1184, 1200, TRANSPORT_PLAINTEXT_BYTES_MAX]) {
      const data = seededRandom(`d${length}`).bytes(length);
      const sealed = i.send.seal(data);
      assert.equal(sealed.length, length + 16);
      assert.equal(toHex(r.receive.open(sealed)), toHex(data));
      assert.equal(toHex(i.receive.open(r.send.seal(data))), toHex(data));
    }
    assert.notEqual(toHex(i.send.exportKey()), toHex(i.receive.exportKey()));
  });

  test("die at a replayed, reordered, changed or reflected frame", () => {
    const attacks: readonly ((i: SessionKeys, r: SessionKeys) => unknown)[] = [
      (i, r) => {
        const frame = i.send.seal(Uint8Array.of(1));
        r.receive.open(frame);
        return r.receive.open(frame);
      },
      (i, r) => {
        i.send.seal(Uint8Array.of(1));
        return r.receive.open(i.send.seal(Uint8Array.of(2)));
      },
      (i, r) => {
        const frame = i.send.seal(Uint8Array.of(1));
        frame[0] = (frame[0] ?? 0) ^ 1;
        return r.receive.open(frame);
      },
      (i) => i.receive.open(i.send.seal(Uint8Array.of(1))),
    ];
    for (const attack of attacks) {
      const [i, r] = session();
      assert.throws(() => attack(i, r), coded("handshake/bad-tag"));
    }
    const [i, r] = session();
    assert.throws(() => r.receive.open(new Uint8Array(15)), coded("handshake/bad-length"));
    assert.throws(() => r.receive.open(i.send.seal(empty)), coded("handshake/wrong-state"));
  });

  test("use the last nonce and refuse the one after it", () => {
    const key = new Uint8Array(32).fill(1);
    const cipher = new CipherState(noise, key, NONCE_MAX);
    cipher.seal(empty);
    assert.throws(() => cipher.seal(empty), coded("handshake/nonces-exhausted"));
    assert.ok(key.every((byte) => byte === 0));
  });
});

describe("frames", () => {
  test("have two bytes of length and at most 65535 behind them", () => {
    assert.equal(toHex(encodeFrame(Uint8Array.of(7, 8))), "00020708");
    assert.equal(encodeFrame(new Uint8Array(65535)).length, 65537);
    assert.throws(() => encodeFrame(new Uint8Array(65536)), RangeError);
  });

  test("come out of one chunk, of single bytes, and with empty ones among them", () => {
    const frames = [Uint8Array.of(1, 2, 3), empty, new Uint8Array(300).fill(4)];
    const stream = Uint8Array.from(frames.flatMap((frame) => [...encodeFrame(frame)]));
    for (const size of [stream.length, 1, 2, 7]) {
      const decoder = new FrameDecoder();
      const seen: Uint8Array[] = [];
      for (let at = 0; at < stream.length; at += size) {
        for (const frame of decoder.push(stream.subarray(at, at + size))) seen.push(frame.slice());
      }
      assert.deepEqual(seen, frames);
    }
  });

  test("are given as soon as they are whole, an empty one at the end of a chunk too", () => {
    const decoder = new FrameDecoder();
    assert.deepEqual([...decoder.push(Uint8Array.of(0, 1, 9, 0, 0))], [Uint8Array.of(9), empty]);
  });
});
