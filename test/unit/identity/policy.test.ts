import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isMeshError } from "../../../src/foundation/index.ts";
import { parsePolicy, type PolicyRule, RIGHTS } from "../../../src/identity/index.ts";

describe("a policy", () => {
  it("denies everything by default", () => {
    const policy = parsePolicy([]);
    for (const right of RIGHTS) {
      assert.equal(policy.allows("spiffe://a/node/b", right), false);
      assert.equal(policy.allows(undefined, right), false);
    }
  });

  it("gives an exact id its rights and nobody else", () => {
    const policy = parsePolicy([{ spiffe: "spiffe://a/node/b", allow: ["fl.train"] }]);
    assert.equal(policy.allows("spiffe://a/node/b", "fl.train"), true);
    assert.equal(policy.allows("SPIFFE://A/node/b", "fl.train"), true);
    for (const other of [
      "spiffe://a/node/B",
      "spiffe://a/node/b2",
      "spiffe://a/node",
      "spiffe://a/node/b/c",
      "spiffe://c/node/b",
      "spiffe://a",
    ]) {
      assert.equal(policy.allows(other, "fl.train"), false, other);
    }
    assert.equal(policy.allows("spiffe://a/node/b", "mesh.join"), false);
  });

  it("gives one port or all, and no port gives another", () => {
    const policy = parsePolicy([
      { spiffe: "spiffe://a/node/b", allow: ["tunnel.connect:22"] },
      { spiffe: "spiffe://a/node/c", allow: ["tunnel.connect:*"] },
    ]);
    assert.equal(policy.allows("spiffe://a/node/b", "tunnel.connect:22"), true);
    assert.equal(policy.allows("spiffe://a/node/b", "tunnel.connect:2"), false);
    assert.equal(policy.allows("spiffe://a/node/b", "tunnel.connect:*"), false);
    assert.equal(policy.allows("spiffe://a/node/c", "tunnel.connect:22"), true);
    assert.equal(policy.allows("spiffe://a/node/c", "mesh.join"), false);
  });

  it("takes /* as exactly one segment more", () => {
    const policy = parsePolicy([{ spiffe: "spiffe://a/node/*", allow: ["mesh.join"] }]);
    assert.equal(policy.allows("spiffe://a/node/b", "mesh.join"), true);
    for (const other of [
      "spiffe://a/node",
      "spiffe://a/node/b/c",
      "spiffe://a/nodes/b",
      "spiffe://ab/node/b",
    ]) {
      assert.equal(policy.allows(other, "mesh.join"), false, other);
    }
  });

  it("takes /** as one segment more or many", () => {
    const policy = parsePolicy([{ spiffe: "spiffe://a/**", allow: ["mesh.join"] }]);
    assert.equal(policy.allows("spiffe://a/b", "mesh.join"), true);
    assert.equal(policy.allows("spiffe://a/b/c/d", "mesh.join"), true);
    assert.equal(policy.allows("spiffe://a", "mesh.join"), false);
    assert.equal(policy.allows("spiffe://b/a", "mesh.join"), false);
  });

  it("adds the rights of all matching rules", () => {
    const policy = parsePolicy([
      { spiffe: "spiffe://a/node/*", allow: ["mesh.join"] },
      { spiffe: "spiffe://a/node/b", allow: ["fl.coordinate"] },
    ]);
    assert.ok(
      policy.allows("spiffe://a/node/b", "mesh.join") &&
        policy.allows("spiffe://a/node/b", "fl.coordinate"),
    );
    assert.ok(!policy.allows("spiffe://a/node/c", "fl.coordinate"));
  });

  it("keeps peers without an id and peers with one apart", () => {
    const policy = parsePolicy([
      { spiffe: "unauthenticated", allow: ["control.read"] },
      { spiffe: "spiffe://a/**", allow: ["mesh.join"] },
    ]);
    assert.equal(policy.allows(undefined, "control.read"), true);
    assert.equal(policy.allows(undefined, "mesh.join"), false);
    assert.equal(policy.allows("spiffe://a/b", "control.read"), false);
    assert.equal(policy.allows("unauthenticated", "control.read"), false);
    assert.equal(policy.allows("", "control.read"), false);
  });

  it("reports all problems at once", () => {
    const rules = [
      { spiffe: "spiffe://a/*/b", allow: [] },
      { spiffe: "*", allow: ["mesh.join"] },
      { spiffe: "spiffe://a/b*", allow: ["mesh.join"] },
      { spiffe: "spiffe://a/***", allow: ["mesh.join"] },
      { spiffe: "spiffe://a/b", allow: ["root", "mesh.join"] },
    ] as unknown as PolicyRule[];
    assert.throws(
      () => parsePolicy(rules),
      (error) =>
        isMeshError(error, "identity/policy-invalid") &&
        (error.details["problems"] as string[]).length === 5,
    );
  });

  it("has at most 256 rules", () => {
    const rules = (count: number): PolicyRule[] =>
      Array.from({ length: count }, () => ({ spiffe: "spiffe://a/b", allow: ["mesh.join"] }));
    assert.doesNotThrow(() => parsePolicy(rules(256)));
    assert.throws(
      () => parsePolicy(rules(257)),
      (error) => isMeshError(error, "identity/policy-invalid"),
    );
  });
});
