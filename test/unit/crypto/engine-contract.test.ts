// What engine.ts promises, held against every engine.

import assert from "node:assert/strict";
import { test } from "node:test";
import { systemRandom } from "../../../src/adapters/random.ts";
import { fromHex, toHex, utf8Bytes } from "../../../src/foundation/index.ts";
import { engines, flipBit, none } from "./support.ts";

const message = utf8Bytes("message");
const context = utf8Bytes("context");
const seed32 = new Uint8Array(32).fill(7);

for (const engine of engines) {
  const { name, mlKem768, mlDsa65, ed25519 } = engine;

  test(`${name}: lengths one off are refused, exact ones are taken`, () => {
    const bad = { code: "crypto/bad-length" };
    for (const length of [63, 65])
      assert.throws(() => mlKem768.generate(new Uint8Array(length)), bad);
    for (const length of [31, 33]) {
      assert.throws(() => mlDsa65.signer(new Uint8Array(length)), bad);
      assert.throws(() => ed25519.signer(new Uint8Array(length)), bad);
    }
    const pair = mlKem768.generate(new Uint8Array(64));
    assert.equal(pair.encapsulationKey.length, 1184);
    for (const length of [1183, 1185]) {
      assert.throws(() => mlKem768.encapsulate(new Uint8Array(length)), bad);
    }
    for (const length of [1087, 1089]) {
      assert.throws(() => pair.decapsulate(new Uint8Array(length)), bad);
    }
    assert.equal(pair.decapsulate(new Uint8Array(1088)).length, 32);
  });

  test(`${name}: a coefficient of 3328 is taken, one of 3329 refused`, () => {
    const key = new Uint8Array(1184);
    key.set([0x00, 0x0d]); // little-endian 12 bits: 0xd00 = 3328
    assert.equal(mlKem768.encapsulate(key).ciphertext.length, 1088);
    key.set([0x01, 0x0d]);
    assert.throws(() => mlKem768.encapsulate(key), { code: "crypto/bad-key" });
  });

  test(`${name}: contexts of 0 and 255 bytes work, 256 are refused`, () => {
    const signer = mlDsa65.signer(seed32);
    for (const length of [0, 255]) {
      const own = new Uint8Array(length).fill(1);
      assert.ok(mlDsa65.verify(signer.publicKey, message, signer.sign(message, own), own));
    }
    const long = new Uint8Array(256);
    assert.throws(() => signer.sign(message, long), { code: "crypto/bad-context" });
    const signature = signer.sign(message, none);
    assert.equal(mlDsa65.verify(signer.publicKey, message, signature, long), false);
  });

  test(`${name}: ML-DSA verification is false for every changed part and never throws`, () => {
    const signer = mlDsa65.signer(seed32);
    const signature = signer.sign(message, context);
    const key = signer.publicKey;
    assert.ok(mlDsa65.verify(key, message, signature, context));
    assert.ok(!mlDsa65.verify(key, flipBit(message), signature, context));
    assert.ok(!mlDsa65.verify(key, message, signature, flipBit(context)));
    assert.ok(!mlDsa65.verify(flipBit(key), message, signature, context));
    // c~ is bytes 0..47, z 48..3247, the hints 3248..3308
    for (const at of [0, 47, 48, 3247, 3248, 3308]) {
      assert.ok(!mlDsa65.verify(key, message, flipBit(signature, at), context), `byte ${at}`);
    }
    for (const length of [0, 3308, 3310]) {
      assert.ok(!mlDsa65.verify(key, message, new Uint8Array(length), context));
    }
    for (const length of [0, 1951, 1953]) {
      assert.ok(!mlDsa65.verify(new Uint8Array(length), message, signature, context));
    }
  });

  test(`${name}: Ed25519 verification is false for every changed part and never throws`, () => {
    const signer = ed25519.signer(seed32);
    const signature = signer.sign(message);
    const key = signer.publicKey;
    assert.ok(ed25519.verify(key, message, signature));
    assert.ok(!ed25519.verify(key, flipBit(message), signature));
    assert.ok(!ed25519.verify(flipBit(key), message, signature));
    for (const at of [0, 31, 32, 63]) {
      assert.ok(!ed25519.verify(key, message, flipBit(signature, at)), `byte ${at}`);
    }
    for (const length of [0, 63, 65]) {
      assert.ok(!ed25519.verify(key, message, new Uint8Array(length)));
    }
    for (const length of [0, 31, 33]) {
      assert.ok(!ed25519.verify(new Uint8Array(length), message, signature));
    }
  });

  test(`${name}: a destroyed key refuses, twice destroyed too`, () => {
    const pair = mlKem768.generate();
    const pq = mlDsa65.signer(seed32);
    const classical = ed25519.signer(seed32);
    for (const key of [pair, pq, classical, pair, pq, classical]) key.destroy();
    const destroyed = { code: "crypto/destroyed" };
    assert.throws(() => pair.decapsulate(new Uint8Array(1088)), destroyed);
    assert.throws(() => pq.sign(message, context), destroyed);
    assert.throws(() => classical.sign(message), destroyed);
  });

  test(`${name}: the caller's seed is neither changed nor needed afterwards`, () => {
    const seed = systemRandom.bytes(32);
    const before = toHex(seed);
    const pq = mlDsa65.signer(seed);
    const classical = ed25519.signer(seed);
    assert.equal(toHex(seed), before);
    seed.fill(0);
    assert.ok(mlDsa65.verify(pq.publicKey, message, pq.sign(message, context), context));
    assert.ok(ed25519.verify(classical.publicKey, message, classical.sign(message)));
    pq.destroy();
    classical.destroy();
    const kemSeed = systemRandom.bytes(64);
    const kemBefore = toHex(kemSeed);
    mlKem768.generate(kemSeed).destroy();
    assert.equal(toHex(kemSeed), kemBefore);
  });

  test(`${name}: results are plain Uint8Arrays that share no memory with later results`, () => {
    const signer = mlDsa65.signer(seed32);
    const { ciphertext, sharedSecret } = mlKem768.encapsulate(mlKem768.generate().encapsulationKey);
    const results = [
      signer.publicKey,
      signer.sign(message, context),
      ed25519.signer(seed32).sign(message),
      ciphertext,
      sharedSecret,
      engine.sha256(message),
      engine.sha512(message),
      systemRandom.bytes(8),
    ];
    for (const bytes of results) assert.equal(Object.getPrototypeOf(bytes), Uint8Array.prototype);
    assert.equal(new Set(results.map(({ buffer }) => buffer)).size, results.length);
  });

  test(`${name}: digests of FIPS 180-4's two-block message`, () => {
    const twoBlocks = utf8Bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq");
    const known = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
    assert.equal(toHex(engine.sha256(twoBlocks)), known);
    assert.ok(toHex(engine.sha512(none)).startsWith("cf83e1357eefb8bdf1542850d66d8007"));
  });

  test(`${name}: RFC 8032 section 7.1, tests 1 and 3`, () => {
    const cases = [
      {
        seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        key: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        message: "",
        signature:
          "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
      },
      {
        seed: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        key: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        message: "af82",
        signature:
          "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
      },
    ];
    for (const item of cases) {
      const signer = ed25519.signer(fromHex(item.seed));
      assert.equal(toHex(signer.publicKey), item.key);
      assert.equal(toHex(signer.sign(fromHex(item.message))), item.signature);
      assert.ok(ed25519.verify(fromHex(item.key), fromHex(item.message), fromHex(item.signature)));
    }
  });
}

test("native refuses a chosen m and a chosen randomizer, the others take both", () => {
  for (const { name, mlKem768, mlDsa65 } of engines) {
    const { encapsulationKey } = mlKem768.generate();
    const signer = mlDsa65.signer(seed32);
    const encapsulate = (): unknown => mlKem768.encapsulate(encapsulationKey, new Uint8Array(32));
    const sign = (): unknown => signer.sign(message, context, new Uint8Array(32));
    if (name === "native") {
      assert.throws(encapsulate, { code: "crypto/unsupported" });
      assert.throws(sign, { code: "crypto/unsupported" });
    } else {
      assert.deepEqual(encapsulate(), encapsulate());
      assert.deepEqual(sign(), sign());
      for (const length of [31, 33]) {
        const wrong = new Uint8Array(length);
        assert.throws(() => mlKem768.encapsulate(encapsulationKey, wrong), {
          code: "crypto/bad-length",
        });
        assert.throws(() => signer.sign(message, context, wrong), { code: "crypto/bad-length" });
      }
    }
  }
});
