// An engine that goes bad gives way to one that passes its self-test; keys and callers go on.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type CryptoEngine, EngineSwitch, selfTest } from "../../../src/crypto/index.ts";
import { utf8Bytes } from "../../../src/foundation/index.ts";
import { engines, flipBit } from "./support.ts";

const [native, noble, wasm] = engines as [CryptoEngine, CryptoEngine, CryptoEngine];
const message = utf8Bytes("message");
const context = utf8Bytes("context");
const seed = new Uint8Array(32).fill(7);

/** A wasm engine of which each new one can be spoiled, like the one in use: it finds no signature good, and makes none. */
class World {
  spoiled = { used: false, next: false };
  made = 0;
  readonly changes: string[] = [];
  readonly engines: EngineSwitch;

  constructor(choice: "auto" | "wasm" = "auto") {
    this.engines = new EngineSwitch({
      choice,
      candidates: [
        { name: "wasm", create: () => this.#make() },
        { name: "noble", create: () => noble },
      ],
      dress: (engine) => engine,
      test: (engine) => selfTest(engine),
      changed: (to, from) => this.changes.push(`${from} to ${to}`),
    });
  }

  #make(): CryptoEngine {
    const own = ++this.made;
    const isBad = (): boolean =>
      own === this.made && own > 1 ? this.spoiled.next : this.spoiled.used;
    const { mlDsa65 } = wasm;
    return {
      ...wasm,
      mlDsa65: {
        signer: (from) => {
          const signer = mlDsa65.signer(from);
          const sign: typeof signer.sign = (...args) =>
            isBad() ? flipBit(signer.sign(...args)) : signer.sign(...args);
          return { publicKey: signer.publicKey, sign, destroy: () => signer.destroy() };
        },
        verify: (...args) => !isBad() && mlDsa65.verify(...args),
        verifyBatch: (jobs) => (isBad() ? jobs.map(() => false) : mlDsa65.verifyBatch(jobs)),
      },
    };
  }
}

describe("the engine in use", () => {
  test("stays while it is sound and the best", () => {
    const world = new World();
    assert.equal(world.engines.renew(), false);
    assert.deepEqual([world.made, world.engines.rank, world.changes], [1, 0, []]);
  });

  test("is made anew when it has gone bad, and callers see nothing of it", () => {
    const world = new World();
    const { engine } = world.engines;
    const { mlDsa65 } = engine;
    const signer = mlDsa65.signer(seed);
    const signature = signer.sign(message, context);
    world.spoiled.used = true;
    assert.equal(mlDsa65.verify(signer.publicKey, message, signature, context), false);
    assert.equal(world.engines.isSound, true);
    world.engines.check();
    assert.equal(world.engines.isSound, false);
    assert.equal(world.engines.renew(), true);
    assert.equal(world.engines.isSound, true);
    assert.deepEqual(
      [engine.name, world.engines.rank, world.changes],
      ["wasm", 0, ["wasm to wasm"]],
    );
    const again = signer.sign(message, context);
    const jobs = [signature, again].map((one) => ({
      ...{ publicKey: signer.publicKey, message, signature: one, context },
    }));
    assert.deepEqual(mlDsa65.verifyBatch(jobs), [true, true]);
    assert.equal(native.mlDsa65.verify(signer.publicKey, message, again, context), true);
  });

  test("falls back to the next when a new one is bad, too, and comes back when one is sound", () => {
    const world = new World();
    const ed25519 = world.engines.engine.ed25519.signer(seed);
    const before = ed25519.sign(message);
    world.spoiled = { used: true, next: true };
    assert.equal(world.engines.renew(), true);
    assert.deepEqual([world.engines.engine.name, world.engines.rank], ["noble", 1]);
    assert.deepEqual(ed25519.sign(message), before);
    assert.throws(() => world.engines.renew(), { code: "crypto/self-test-failed" });
    assert.equal(world.engines.engine.name, "noble");
    world.spoiled.next = false;
    assert.equal(world.engines.renew(), true);
    assert.deepEqual(world.changes, ["wasm to noble", "noble to wasm"]);
    assert.deepEqual(ed25519.sign(message), before);
  });

  test("that was named gives way to itself alone", () => {
    const world = new World("wasm");
    world.spoiled = { used: true, next: true };
    assert.throws(() => world.engines.renew(), { code: "crypto/self-test-failed" });
    assert.deepEqual([world.engines.engine.name, world.changes], ["wasm", []]);
  });

  test("does not start bad", () => {
    const bad = { ...noble, sha512: (data: Uint8Array) => noble.sha256(data) };
    const candidates = [{ name: "noble" as const, create: () => bad }];
    const options = {
      choice: "auto" as const,
      candidates,
      changed: () => undefined,
      dress: () => bad,
    };
    assert.throws(() => new EngineSwitch({ ...options, test: (engine) => selfTest(engine) }), {
      code: "crypto/self-test-failed",
    });
  });
});

test("a key that was destroyed stays so, whatever engine comes", () => {
  const world = new World();
  const { mlDsa65, ed25519 } = world.engines.engine;
  const keys = [mlDsa65.signer(seed), ed25519.signer(seed)] as const;
  for (const key of keys) key.destroy();
  world.spoiled.used = true;
  world.engines.renew();
  assert.throws(() => keys[0].sign(message, context), { code: "crypto/destroyed" });
  assert.throws(() => keys[1].sign(message), { code: "crypto/destroyed" });
});
