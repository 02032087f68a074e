// Hash chains: what is taken, what is refused and what it costs.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import {
  CHAIN_LENGTH,
  HashChain,
  type VerifyLinkInput,
  verifyLink,
} from "../../../src/crypto/index.ts";
import { concatBytes, toHex, uint32be, utf8Bytes } from "../../../src/foundation/index.ts";
import { engines, flipBit } from "./support.ts";

const engine = engines[0] ?? assert.fail("there is an engine");
const seed = new Uint8Array(32).fill(5);
const context = utf8Bytes("node a, epoch 7");
const chain = new HashChain(engine, { seed, length: 64, context });

/** A claim of link `index` after `lastIndex`, everything right unless overridden. */
function claim(
  lastIndex: number,
  index: number,
  change: Partial<VerifyLinkInput> = {},
): VerifyLinkInput {
  return {
    engine,
    context,
    lastLink: chain.link(lastIndex),
    lastIndex,
    link: chain.link(Math.max(0, Math.min(index, chain.length))),
    index,
    stepsMax: 64,
    ...change,
  };
}

test("each link is the hash of domain, context, index and the next link", () => {
  for (const index of [0, 1, 63]) {
    const input = concatBytes(
      utf8Bytes("x0tta6bl4 chain step v1"),
      Uint8Array.of(context.length),
      context,
      uint32be(index),
      chain.link(index + 1),
    );
    assert.equal(toHex(chain.link(index)), createHash("sha256").update(input).digest("hex"));
  }
});

test("the anchor is link 0, all links differ, and both engines make the same chain", () => {
  assert.equal(toHex(chain.anchor), toHex(chain.link(0)));
  const links = new Set(Array.from({ length: 65 }, (_, index) => toHex(chain.link(index))));
  assert.equal(links.size, 65);
  for (const other of engines) {
    assert.equal(
      toHex(new HashChain(other, { seed, length: 64, context }).anchor),
      toHex(chain.anchor),
    );
  }
});

test("revealed links verify one by one and across a gap, to the end of the chain", () => {
  for (let index = 1; index <= 64; index++) {
    assert.deepEqual(verifyLink(claim(index - 1, index)), { ok: true, value: 1 });
  }
  assert.deepEqual(verifyLink(claim(0, 64)), { ok: true, value: 64 });
  assert.deepEqual(verifyLink(claim(10, 20)), { ok: true, value: 10 });
});

test("a gap of stepsMax is taken and one more is refused without hashing", () => {
  assert.deepEqual(verifyLink(claim(0, 8, { stepsMax: 8 })), { ok: true, value: 8 });
  const unused = { sha256: () => assert.fail("must not hash") };
  const far = claim(0, 9, { stepsMax: 8, engine: unused });
  assert.deepEqual(verifyLink(far), { ok: false, code: "crypto/chain-gap" });
});

test("a replayed or earlier link is refused without hashing", () => {
  const unused = { sha256: () => assert.fail("must not hash") };
  for (const index of [5, 4, 0]) {
    const old = claim(5, index, { engine: unused });
    assert.deepEqual(verifyLink(old), { ok: false, code: "crypto/chain-stale" });
  }
});

test("a link of another index, chain, context or with a changed bit is refused", () => {
  const broken = { ok: false, code: "crypto/chain-broken" };
  assert.deepEqual(verifyLink(claim(0, 2, { link: chain.link(3) })), broken);
  assert.deepEqual(verifyLink(claim(0, 3, { link: chain.link(2) })), broken);
  for (const at of [0, 31]) {
    assert.deepEqual(verifyLink(claim(0, 1, { link: flipBit(chain.link(1), at) })), broken);
  }
  assert.deepEqual(verifyLink(claim(0, 1, { context: utf8Bytes("node a, epoch 8") })), broken);
  assert.deepEqual(verifyLink(claim(0, 1, { lastLink: flipBit(chain.anchor) })), broken);
  const other = new HashChain(engine, { seed: flipBit(seed), length: 64, context });
  assert.deepEqual(verifyLink(claim(0, 1, { link: other.link(1) })), broken);
});

test("one seed gives unrelated chains for two contexts", () => {
  const other = new HashChain(engine, { seed, length: 64, context: utf8Bytes("node b, epoch 7") });
  for (const index of [0, 64]) assert.notEqual(toHex(other.link(index)), toHex(chain.link(index)));
});

test("malformed claims are refused", () => {
  const malformed = { ok: false, code: "crypto/chain-malformed" };
  const cases: Partial<VerifyLinkInput>[] = [
    { link: new Uint8Array(31) },
    { link: new Uint8Array(33) },
    { lastLink: new Uint8Array(31) },
    { context: new Uint8Array(256) },
    { index: -1 },
    { index: 1.5 },
    { index: Number.NaN },
    { index: CHAIN_LENGTH.max + 1 },
  ];
  for (const change of cases) assert.deepEqual(verifyLink(claim(0, 1, change)), malformed);
  const nan = claim(0, 1, { stepsMax: Number.NaN });
  assert.deepEqual(verifyLink(nan), { ok: false, code: "crypto/chain-gap" });
});

test("a chain's options are bounded on both sides", () => {
  const make = (options: { length?: number; seed?: Uint8Array; context?: Uint8Array }): HashChain =>
    new HashChain(engine, { seed, length: 64, context, ...options });
  assert.equal(make({ length: CHAIN_LENGTH.max }).length, 4096);
  for (const length of [63, 4097, 64.5, Number.NaN]) {
    assert.throws(() => make({ length }), { code: "crypto/chain-bad-options" });
  }
  make({ context: new Uint8Array(255) });
  assert.throws(() => make({ context: new Uint8Array(256) }), { code: "crypto/chain-bad-options" });
  for (const length of [31, 33]) {
    assert.throws(() => make({ seed: new Uint8Array(length) }), { code: "crypto/bad-length" });
  }
  for (const index of [-1, 65, 0.5]) {
    assert.throws(() => chain.link(index), { code: "crypto/chain-bad-options" });
  }
});

test("a revealed link is a copy, and a destroyed chain reveals nothing", () => {
  const own = new HashChain(engine, { seed, length: 64, context });
  own.link(1).fill(0);
  assert.equal(toHex(own.link(1)), toHex(chain.link(1)));
  own.destroy();
  assert.throws(() => own.link(1), { code: "crypto/destroyed" });
});
