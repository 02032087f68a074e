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

describe("a decision of a policy", () => {
  const policy = parsePolicy(
    [
      { spiffe: "spiffe://a/node/*", allow: ["mesh.join"], roles: ["trainer"] },
      { spiffe: "spiffe://a/node/b", allow: [], roles: ["trainer", "leader"] },
      { spiffe: "local", allow: ["control.read"] },
    ],
    [
      { name: "trainer", allow: ["fl.train"] },
      { name: "leader", allow: ["fl.coordinate", "tunnel.connect:*"] },
    ],
  );

  it("names the first rule that gives the right, and its role", () => {
    const b = (right: Parameters<typeof policy.decide>[1]) =>
      policy.decide("spiffe://a/node/b", right);
    assert.deepEqual(b("mesh.join"), { allowed: true, why: "rule", rule: 0 });
    assert.deepEqual(b("fl.train"), { allowed: true, why: "rule", rule: 0, role: "trainer" });
    assert.deepEqual(b("fl.coordinate"), { allowed: true, why: "rule", rule: 1, role: "leader" });
    assert.deepEqual(b("tunnel.connect:7"), {
      allowed: true,
      why: "rule",
      rule: 1,
      role: "leader",
    });
    assert.deepEqual(b("control.read"), {
      allowed: false,
      why: "right-not-given",
      matched: [0, 1],
    });
    assert.deepEqual(policy.decide("spiffe://a/x", "mesh.join"), {
      allowed: false,
      why: "no-rule",
    });
    assert.deepEqual(policy.decide("a", "mesh.join"), { allowed: false, why: "not-a-spiffe-id" });
  });

  it("leaves the control socket to who may open it, until a rule names 'local'", () => {
    assert.equal(policy.decide("local", "control.read").allowed, true);
    assert.deepEqual(policy.decide("local", "control.write"), {
      ...{ allowed: false, why: "right-not-given", matched: [2] },
    });
    const silent = parsePolicy([{ spiffe: "spiffe://a/**", allow: ["control.read"] }]);
    assert.deepEqual(silent.decide("local", "control.write"), { allowed: true, why: "socket" });
    assert.equal(silent.decide("local", "mesh.join").allowed, false);
    assert.equal(silent.decide(undefined, "control.read").allowed, false);
  });

  it("is refused for a role that nobody defined, or that holds what is no right", () => {
    assert.throws(
      () => parsePolicy([{ spiffe: "local", allow: [], roles: ["x"] }]),
      /no role is called 'x'/,
    );
    const roles = [{ name: "x", allow: ["fly" as "fl.train"] }];
    assert.throws(() => parsePolicy([], roles), /role 'x': 'fly' is no right/);
  });
});
