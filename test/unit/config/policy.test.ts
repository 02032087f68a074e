import assert from "node:assert/strict";
import { test } from "node:test";
import {
  configLimits,
  isPolicyRight,
  parseConfig,
  policyLines,
  policyRights,
} from "../../../src/config/index.ts";
import { isRight, parsePolicy, POLICY_RULES_MAX, RIGHTS } from "../../../src/identity/index.ts";

test("the configuration's rights and limits are the policy's", () => {
  assert.deepEqual([...policyRights].sort(), [...RIGHTS].sort());
  assert.equal(configLimits.policyRulesMax, POLICY_RULES_MAX);
});

test("the configuration and the policy agree on which ports a right may name", () => {
  const wrong = ["", ":", ":0", ":65536", ":99999", ":022", ":22 ", ":-1", ":1e3", ":**", ":22:23"];
  for (const end of [":1", ":22", ":65535", ":*"]) {
    assert.ok(isPolicyRight(`tunnel.connect${end}`) && isRight(`tunnel.connect${end}`), end);
  }
  for (const end of wrong) {
    assert.ok(!isPolicyRight(`tunnel.connect${end}`) && !isRight(`tunnel.connect${end}`), end);
  }
});

test("what the configuration accepts as a pattern, the policy accepts once * is a trust domain", () => {
  const patterns = [
    "unauthenticated",
    "spiffe://*/**",
    "spiffe://*/node/*",
    "spiffe://a.b/node/c",
    "spiffe://a.b",
  ];
  for (const spiffe of patterns) {
    const { policy } = parseConfig(
      JSON.stringify({ policy: [{ spiffe, allow: ["mesh.join"] }] }),
      "x",
    );
    assert.ok(
      parsePolicy(policy.map((rule) => ({ ...rule, spiffe: rule.spiffe.replace("//*", "//a.b") }))),
      spiffe,
    );
  }
});

test("each rule is found in its file, and the default policy in none", () => {
  const text =
    "mesh: {}\npolicy:\n  # who\n  - spiffe: spiffe://a/node/b\n    allow: []\n\n  - spiffe: local\n    allow: []\n";
  assert.deepEqual(policyLines(text, "x", 2), [4, 7]);
  assert.deepEqual(policyLines("", "x", 1), [null]);
});

test("a role must be defined, and a rule needs rights or roles", () => {
  const text = (roles: string) =>
    `roles: [{name: a, allow: []}]\npolicy:\n  - {spiffe: local, roles: ${roles}}\n`;
  assert.deepEqual(parseConfig(text("[a]"), "x").policy[0]?.roles, ["a"]);
  assert.throws(
    () => parseConfig(text("[b]"), "x"),
    /policy\[0\]\.roles\[0\] \(line 3\).*defined under roles/s,
  );
  assert.throws(
    () => parseConfig("policy: [{spiffe: local}]", "x"),
    /policy\[0\] \(line 1\).*allow or roles/s,
  );
});

test("a bundle that is served needs a certificate and its key", () => {
  const text = (more: string) => `federation:\n  listen: 127.0.0.1:8443\n${more}`;
  assert.throws(
    () => parseConfig(text("  key: /k.pem\n"), "x"),
    /federation\.certificate must be an absolute path/,
  );
  assert.throws(
    () => parseConfig(text("  certificate: /c.pem\n"), "x"),
    /federation\.key must be an absolute path/,
  );
  const { federation } = parseConfig(text("  certificate: /c.pem\n  key: /k.pem\n"), "x");
  assert.deepEqual(federation, {
    ...{ listen: { host: "127.0.0.1", port: 8443 }, profile: "https_web" },
    ...{ certificateFile: "/c.pem", keyFile: "/k.pem" },
  });
});
