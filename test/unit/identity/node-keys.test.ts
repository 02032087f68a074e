import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { isMeshError } from "../../../src/foundation/index.ts";
import { isNodeId, nodeIdOf, nodeKeysFromSeeds } from "../../../src/identity/index.ts";
import { engine, nodeKeys, seedOf } from "./support.ts";

const keyInvalid = (error: unknown) => isMeshError(error, "identity/key-invalid");

describe("node keys", () => {
  it("come from two seeds, always the same", () => {
    assert.equal(nodeKeys("a").nodeId, nodeKeys("a").nodeId);
    assert.notEqual(nodeKeys("a").nodeId, nodeKeys("b").nodeId);
  });

  it("have as NodeId the SHA-256 over label and both public keys", () => {
    const keys = nodeKeys("a");
    const hash = createHash("sha256")
      .update("x0tta6bl4 node id v1")
      .update(keys.ed25519.publicKey)
      .update(keys.mldsa65.publicKey);
    assert.equal(keys.nodeId, hash.digest("hex"));
    assert.ok(isNodeId(keys.nodeId));
    assert.ok(!isNodeId(keys.nodeId.toUpperCase()) && !isNodeId(keys.nodeId.slice(1)));
  });

  it("change the NodeId when either key changes", () => {
    const [a, b] = [nodeKeys("a"), nodeKeys("b")];
    const ids = [
      nodeIdOf(engine, a.ed25519.publicKey, a.mldsa65.publicKey),
      nodeIdOf(engine, a.ed25519.publicKey, b.mldsa65.publicKey),
      nodeIdOf(engine, b.ed25519.publicKey, a.mldsa65.publicKey),
    ];
    assert.equal(new Set(ids).size, 3);
  });

  it("are refused with other lengths", () => {
    const seed = seedOf("x");
    assert.throws(
      () => nodeKeysFromSeeds(engine, { ed25519: seed.subarray(1), mldsa65: seed }),
      keyInvalid,
    );
    assert.throws(
      () => nodeKeysFromSeeds(engine, { ed25519: seed, mldsa65: new Uint8Array(33) }),
      keyInvalid,
    );
    assert.throws(() => nodeIdOf(engine, new Uint8Array(33), new Uint8Array(1952)), keyInvalid);
    assert.throws(() => nodeIdOf(engine, new Uint8Array(32), new Uint8Array(1951)), keyInvalid);
  });

  it("sign no more once they are destroyed", () => {
    const keys = nodeKeys("a");
    keys.destroy();
    assert.throws(
      () => keys.ed25519.sign(new Uint8Array(1)),
      (error) => isMeshError(error, "crypto/destroyed"),
    );
    assert.throws(
      () => keys.mldsa65.sign(new Uint8Array(1), new Uint8Array(0)),
      (error) => isMeshError(error, "crypto/destroyed"),
    );
  });
});
