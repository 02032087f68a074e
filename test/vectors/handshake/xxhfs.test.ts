// Published XXhfs vectors, both families, and the step-by-step trace of the first.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";
import { libp2pNoiseCrypto as noise } from "../../../src/adapters/libp2p/noise-crypto.ts";
import { createNobleEngine, type KemKeyPair } from "../../../src/crypto/index.ts";
import { fromHex, toHex } from "../../../src/foundation/index.ts";
import {
  encodeInteropPayload,
  HandshakeMachine,
  type HandshakeRole,
  interopProfile,
  NOISE_PROTOCOL_NAME,
  parseInteropPayload,
  SymmetricState,
  verifyInteropPayload,
} from "../../../src/handshake/index.ts";
import { seededRandom } from "../../unit/handshake/fixture.ts";

const folder = new URL("../../../../shared/vectors/xxhfs/", import.meta.url);
const skip = existsSync(folder) ? false : "../shared/vectors/xxhfs is absent";
const engine = createNobleEngine(seededRandom("vectors"));

type Vector = Readonly<Record<string, string>>;

function load(name: string): { readonly vectors: readonly Vector[] } {
  return JSON.parse(readFileSync(new URL(name, folder), "utf8")) as { vectors: Vector[] };
}

function hex(vector: Vector, key: string): Uint8Array {
  const value = vector[key];
  assert.ok(value !== undefined, `the vector has no ${key}`);
  return fromHex(value);
}

/** The vector's KEM pair, from its seed or from its expanded key. */
function kemKeyPair(vector: Vector): KemKeyPair {
  if (vector["kem_keygen_seed"] !== undefined) {
    return engine.mlKem768.generate(hex(vector, "kem_keygen_seed"));
  }
  const secret = hex(vector, "ephemeral_kem_i_secret");
  return {
    encapsulationKey: hex(vector, "ephemeral_kem_i_public"),
    decapsulate: (ciphertext) => ml_kem768.decapsulate(ciphertext, secret),
    destroy: () => undefined,
  };
}

function machine(vector: Vector, role: HandshakeRole): HandshakeMachine {
  const side = role === "initiator" ? "i" : "r";
  const encapsulation = vector["encap_seed_hex"] ?? vector["kem_encap_seed"] ?? "";
  return new HandshakeMachine(
    { noise, kem: engine.mlKem768, random: seededRandom("unused") },
    {
      role,
      prologue: hex(vector, "prologue"),
      staticKeyPair: noise.x25519KeyPair(hex(vector, `static_${side}_private`)),
      payloadBytesMax: 8192,
      fixed: {
        ephemeralPrivateKey: hex(vector, `ephemeral_dh_${side}_private`),
        ...(role === "initiator"
          ? { kemKeyPair: kemKeyPair(vector) }
          : { encapsulationMessage: fromHex(encapsulation) }),
      },
    },
  );
}

interface Payloads {
  readonly b: Uint8Array;
  readonly c: Uint8Array;
}

/** Runs both sides, compares every published byte, and sends data both ways. */
function replay(vector: Vector, { b, c }: Payloads): { readonly hB: string; readonly hC: string } {
  const initiator = machine(vector, "initiator");
  const responder = machine(vector, "responder");
  const messageA = initiator.writeA();
  assert.equal(toHex(messageA), vector["msg_a"]);
  responder.readA(messageA);
  const hashes: string[] = [];
  const messageB = responder.writeB(({ handshakeHash, staticPublicKey }) => {
    hashes.push(toHex(handshakeHash));
    assert.equal(toHex(staticPublicKey), vector["static_r_public"]);
    return b;
  });
  assert.equal(toHex(messageB), vector["msg_b"]);
  const receivedB = initiator.readB(messageB);
  assert.equal(toHex(receivedB.payload), toHex(b));
  assert.equal(toHex(receivedB.handshakeHash), hashes[0]);
  assert.equal(toHex(receivedB.staticPublicKey), vector["static_r_public"]);
  const messageC = initiator.writeC(({ handshakeHash }) => {
    hashes.push(toHex(handshakeHash));
    return c;
  });
  assert.equal(toHex(messageC), vector["msg_c"]);
  const receivedC = responder.readC(messageC);
  assert.equal(toHex(receivedC.handshakeHash), hashes[1]);
  assert.equal(toHex(receivedC.staticPublicKey), vector["static_i_public"]);
  assert.equal(toHex(receivedC.payload), toHex(c));

  const i = initiator.split();
  const r = responder.split();
  assert.equal(toHex(i.handshakeHash), vector["handshake_hash"]);
  assert.equal(toHex(r.handshakeHash), vector["handshake_hash"]);
  assert.equal(toHex(i.send.exportKey()), vector["cs1_k"]);
  assert.equal(toHex(i.receive.exportKey()), vector["cs2_k"]);
  const text = Uint8Array.of(1, 2, 3);
  assert.deepEqual(Uint8Array.from(r.receive.open(i.send.seal(text))), text);
  assert.deepEqual(Uint8Array.from(i.receive.open(r.send.seal(text))), text);
  return { hB: hashes[0] ?? "", hC: hashes[1] ?? "" };
}

const none = new Uint8Array(0);

describe("published XXhfs vectors", { skip }, () => {
  test("the vectors with empty payloads come out byte for byte on both sides", () => {
    const { vectors } = load("xxhfs-empty-payload.json");
    assert.equal(vectors.length, 2);
    for (const vector of vectors) replay(vector, { b: none, c: none });
  });

  test("the hashes that a payload is bound to are those of the trace", () => {
    const [vector] = load("xxhfs-empty-payload.json").vectors;
    const trace = JSON.parse(readFileSync(new URL("trace-vector1.json", folder), "utf8")) as Vector;
    assert.ok(vector);
    const { hB, hC } = replay(vector, { b: none, c: none });
    assert.equal(hB, trace["payload_hash_B"]);
    assert.equal(hC, trace["payload_hash_C"]);
  });

  test("the symmetric state passes through every hash of the trace", () => {
    const [v] = load("xxhfs-empty-payload.json").vectors;
    assert.ok(v);
    const trace = JSON.parse(readFileSync(new URL("trace-vector1.json", folder), "utf8")) as {
      kem_ciphertext: string;
      kem_shared_secret: string;
      steps: { step: string; h: string }[];
    };
    const state = new SymmetricState(noise, NOISE_PROTOCOL_NAME, none);
    const dh = (own: string, remote: string): void => {
      const shared = noise.x25519(hex(v, `${own}_private`), hex(v, `${remote}_public`));
      assert.ok(shared);
      state.mixKey(shared);
    };
    const actions: readonly (() => unknown)[] = [
      () => undefined,
      () => state.mixHash(hex(v, "ephemeral_dh_i_public")),
      () => state.encryptAndHash(hex(v, "ephemeral_kem_i_public")),
      () => state.encryptAndHash(none),
      () => state.mixHash(hex(v, "ephemeral_dh_r_public")),
      () => dh("ephemeral_dh_r", "ephemeral_dh_i"),
      () => state.encryptAndHash(fromHex(trace.kem_ciphertext)),
      () => state.mixKey(fromHex(trace.kem_shared_secret)),
      () => state.encryptAndHash(hex(v, "static_r_public")),
      () => dh("static_r", "ephemeral_dh_i"),
      () => state.encryptAndHash(none),
      () => state.encryptAndHash(hex(v, "static_i_public")),
      () => dh("static_i", "ephemeral_dh_r"),
      () => state.encryptAndHash(none),
    ];
    let compared = 0;
    for (const [i, { step, h }] of trace.steps.slice(0, actions.length).entries()) {
      actions[i]?.();
      assert.equal(toHex(state.handshakeHash), h, step);
      compared++;
    }
    assert.equal(compared, actions.length);
  });

  test("the vector with libp2p payloads comes out, and its payloads are ones we accept and would send", () => {
    const { vectors } = load("xxhfs-libp2p-payload.json");
    assert.equal(vectors.length, 1);
    for (const vector of vectors) {
      const payloads = readPayloads(vector);
      replay(vector, payloads);
      for (const [payload, side] of [
        [payloads.b, "r"],
        [payloads.c, "i"],
      ] as const) {
        const parsed = parseInteropPayload(payload);
        assert.ok(parsed.ok);
        assert.equal(payload.length, 104);
        const staticKey = hex(vector, `static_${side}_public`);
        assert.equal(verifyInteropPayload(engine, parsed.value, staticKey), true);
        assert.equal(verifyInteropPayload(engine, parsed.value, new Uint8Array(32)), false);
      }
    }
  });

  test("our interop payload without muxers has the published layout", () => {
    const signer = engine.ed25519.signer(new Uint8Array(32));
    const staticKey = new Uint8Array(32).fill(9);
    const payload = encodeInteropPayload(signer, staticKey, []);
    assert.equal(payload.length, 104);
    const profile = interopProfile(
      { engine, signer, peerIdOf: () => "peer" },
      { role: "initiator", streamMuxers: [] },
    );
    const opened = profile.open({ payload, staticPublicKey: staticKey, handshakeHash: none });
    assert.ok(opened.ok);
    assert.equal(opened.value.peer.kind, "interop");
  });
});

/** The payloads inside the published messages, opened as each reader would. */
function readPayloads(vector: Vector): Payloads {
  const initiator = machine(vector, "initiator");
  initiator.writeA();
  const b = initiator.readB(hex(vector, "msg_b")).payload;
  const responder = machine(vector, "responder");
  responder.readA(hex(vector, "msg_a"));
  responder.writeB(() => b);
  return { b, c: responder.readC(hex(vector, "msg_c")).payload };
}
